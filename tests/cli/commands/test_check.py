"""heddle check: all that is wrong with all files, together, and nothing else."""

import json
from pathlib import Path

import pytest

from heddle.specs.model.mask import MASK
from tests.cli.support import PING, heddle, ran, ran_json

WRONG = """\
- kind: listener
  name: listener
  port: many
  ports:
    oot: {name: router}
- kind: ruter
  name: router
- kind: snippet
  name: broken
  language: cel
  code: '1 +'
  ports:
    out: {name: nobody}
- kind: nop
  name: broken
"""


def codes(said: dict[str, list[dict[str, str]]]) -> list[str]:
    return [problem["code"] for problem in said["problems"]]


def test_sound_files_have_no_problems(tmp_path: Path) -> None:
    (tmp_path / "ping.yaml").write_text(PING)
    assert "no problems: 3 specs and 0 values in 1 file" in ran("check", tmp_path, "-e", "PORT=1")


def test_a_folder_without_specs_is_told_as_such(tmp_path: Path) -> None:
    (tmp_path / "ping.yaml.txt").write_text(PING)
    assert "nothing was checked: files of specs are named *.yaml" in ran("check", tmp_path)


def test_every_problem_of_every_file_is_told_at_once_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(WRONG)
    (tmp_path / "b.yaml").write_text("- kind: nop\n  nme: x\n- name: half\n")
    said = ran_json("check", tmp_path)
    assert not said["ok"]
    found = {(Path(one["file"]).name, one["line"], one["code"]) for one in said["problems"]}
    assert found == {
        ("a.yaml", 3, "type"),
        ("a.yaml", 5, "unknown-port"),
        ("a.yaml", 6, "unknown-kind"),
        ("a.yaml", 11, "code"),
        ("a.yaml", 13, "missing-link"),
        ("a.yaml", 15, "duplicate-name"),
        ("b.yaml", 2, "unknown-field"),
        ("b.yaml", 3, "shape"),
    }
    assert heddle("check", tmp_path).exit_code == 1


def test_people_see_the_line_and_a_caret(tmp_path: Path) -> None:
    file = tmp_path / "ping.yaml"
    file.write_text(PING.replace("{name: pong, port: in}", "{name: pong, port: inn}"))
    shown = heddle("check", file, "-e", "PORT=1").stdout
    assert "error[unknown-port]" in shown
    assert "      - {name: pong, port: inn}\n" in shown
    assert "^^^\n" in shown
    assert "1 error: 3 specs" in shown


def test_links_to_nobody_are_errors_here() -> None:
    result = heddle("check", "-", stdin="- {kind: nop, name: a, ports: {init: {name: pnog}}}\n")
    assert result.exit_code == 1
    assert "error[missing-link]" in result.stdout


def test_names_that_nobody_gives_are_told_and_are_problems_when_strict(tmp_path: Path) -> None:
    (tmp_path / "ping.yaml").write_text(PING)
    assert "left open, as the environment does not give them: -e PORT=…" in ran("check", tmp_path)
    result = heddle("check", tmp_path, "--strict-env")
    assert result.exit_code == 1
    assert "Give it with -e PORT=…" in result.stdout
    assert ran_json("check", tmp_path)["missing"] == ["PORT"]


def test_open_blanks_hide_no_other_problem() -> None:
    text = (
        "- kind: listener\n  host: 5\n  port: '{{ .PORT }}'\n"
        "  env: {PORT: {data: '{{ .PORT }}'}, X: {data: '{{ .PORT + }}'}}\n"
    )
    said = ran_json("check", "-", stdin=text)
    assert codes(said) == ["type", "blank"]
    assert said["missing"] == ["PORT"]


def test_values_in_the_files_fill_blanks_and_missing_ones_are_told() -> None:
    text = (
        "- {name: port, data: 8000}\n"
        "- {kind: listener, name: a, port: '{{ .P }}', env: {P: {name: port}}}\n"
        "- {kind: listener, name: b, port: '{{ .P }}', env: {P: {name: prot}}}\n"
    )
    said = ran_json("check", "-", stdin=text)
    # A request of the first one has no way to an answer, either.
    assert codes(said) == ["no-answer", "missing-value"]
    assert said["problems"][1]["hint"] == 'Did you mean "port"?'


def test_secrets_never_show_in_problems() -> None:
    text = (
        "- {name: pw, secret: true, data: hunter2}\n"
        "- kind: listener\n  port: '{{ .PW }}'\n  env: {PW: {name: pw}}\n"
    )
    for result in (heddle("check", "-", stdin=text), heddle("check", "-", "--json", stdin=text)):
        assert result.exit_code == 1
        assert "hunter2" not in result.output


@pytest.mark.parametrize(
    "source",
    [
        "kind: snippet, language: text, code: '{{ .PW }}'",
        "kind: validate, schema: {const: '{{ .PW }}'}",
    ],
)
def test_secrets_never_show_in_types(source: str) -> None:
    text = (
        "- {name: pw, secret: true, data: hunter2}\n"
        f"- {{name: a, {source}, env: {{PW: {{name: pw}}}}, ports: {{out: {{name: b}}}}}}\n"
        "- {name: b, kind: csv, op: format}\n"
    )
    result = heddle("check", "-", stdin=text)
    assert result.exit_code == 1
    assert f'"a" sends "{MASK}" by "out"' in result.output
    assert "hunter2" not in result.output


def test_what_cannot_be_read_is_told_once(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("- {kind: nop, name: a, ports: {init: {name: b}}}\n")
    (tmp_path / "b.yaml").write_text("- kind: nop\n  name: b\n  - oops\n")
    assert codes(ran_json("check", tmp_path)) == ["syntax"]
    said = ran_json("check", tmp_path / "none.yaml")
    assert codes(said) == ["unreadable"]


def test_settings_give_names_and_namespace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "heddle.toml").write_text("[environment]\nPORT = 'many'\n")
    (tmp_path / "ping.yaml").write_text(PING)
    monkeypatch.chdir(tmp_path)
    assert codes(ran_json("check", "ping.yaml")) == ["type"]
    assert codes(ran_json("check", "ping.yaml", "-e", "PORT=80")) == []


SPOILED = """\
- {kind: snippet, name: a, langauge: text, code: 1 +, ports: {outt: 3}}
- {kind: snippet, name: b, language: cel, code: '1 +'}
- {kind: snippet, name: b, language: cel, code: '2 +'}
- {kind: nop, name: x, annotations: 3, foo: 1}
"""


def test_an_entry_that_cannot_be_read_hides_none_of_its_other_problems() -> None:
    result = heddle("check", "-", "--json", stdin=SPOILED)
    found = [
        (one["line"], one["code"], one["path"]) for one in json.loads(result.stdout)["problems"]
    ]
    assert found == [
        (1, "unknown-field", "a.langauge"),
        (1, "type", "a.ports.outt"),
        (1, "unknown-port", "a.ports.outt"),
        (2, "code", "b.code"),
        (3, "duplicate-name", "b.name"),
        (3, "code", "b.code"),
        (4, "type", "x.annotations"),
        (4, "unknown-field", "x.foo"),
    ]


def test_links_from_and_to_an_entry_that_cannot_be_read_are_checked() -> None:
    invalid = """\
- {kind: nop, name: a, ports: {init: [3, {name: nobody}, {name: b}]}}
- {kind: snippet, name: b, language: text, code: x, env: {A: 3}, annotations: 3}
- {kind: nop, name: c, ports: {init: {name: b, port: inn}}}
"""
    result = heddle("check", "-", "--json", stdin=invalid)
    found = [(one["line"], one["code"]) for one in json.loads(result.stdout)["problems"]]
    assert sorted(found) == [
        (1, "missing-link"),
        (1, "type"),
        (2, "type"),
        (2, "type"),
        (3, "unknown-port"),
    ]


def test_a_second_file_with_the_name_is_checked_too(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.yaml").write_text("{kind: nop, name: x, foo: 1}\n")
    assert codes(ran_json("check", tmp_path)) == [
        "unknown-field",
        "duplicate-name",
        "unknown-field",
    ]
