"""heddle fmt: files in one form; what cannot be read is told, and nothing is lost."""

import re
from pathlib import Path

import pytest

from tests.cli.support import PING, heddle, ran, ran_json

EXAMPLES = Path(__file__).parents[3] / "examples"
UNTIDY = "- code: hi   # why\n  kind: snippet\n  name: a\n  language: text\n"
TIDY = "- kind: snippet\n  name: a\n  language: text\n  code: hi  # why\n"


@pytest.fixture
def flows(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    (tmp_path / "a.yaml").write_text(UNTIDY)
    (tmp_path / "in" / "b.yml").write_text(TIDY.replace("name: a", "name: b"))
    (tmp_path / "c.json").write_text('{"name": "c", "kind": "nop"}')
    (tmp_path / ".hidden.yaml").write_text(UNTIDY)
    return tmp_path


def test_files_are_written_in_their_canonical_form(flows: Path) -> None:
    said = ran("fmt", flows)
    assert said == f"formatted: {flows}/a.yaml\nformatted: {flows}/c.json\n"
    assert (flows / "a.yaml").read_text() == TIDY
    assert (flows / "c.json").read_text() == '{\n  "kind": "nop",\n  "name": "c"\n}\n'
    assert (flows / ".hidden.yaml").read_text() == UNTIDY
    again = heddle("fmt", flows)
    assert (again.stdout, again.exit_code) == ("", 0)
    assert again.stderr == "0 files formatted, 3 are as they should be\n"


def test_checking_writes_nothing_and_tells_by_its_exit_code(flows: Path) -> None:
    result = heddle("fmt", "--check", flows)
    assert result.exit_code == 1
    assert f"would be formatted: {flows}/a.yaml\n" in result.stdout
    assert (flows / "a.yaml").read_text() == UNTIDY
    assert heddle("fmt", "--check", flows / "in").exit_code == 0


def test_the_difference_is_shown(flows: Path) -> None:
    result = heddle("fmt", "--diff", flows / "a.yaml", flows / "c.json")
    assert result.exit_code == 0
    assert "-- code: hi   # why\n" in result.stdout
    assert "+  code: hi  # why\n" in result.stdout
    assert "no line break at the end" in result.stdout
    assert (flows / "a.yaml").read_text() == UNTIDY
    assert heddle("fmt", "--diff", "--check", flows).exit_code == 1


def test_standard_input_goes_to_standard_output() -> None:
    assert ran("fmt", "-", stdin=UNTIDY) == TIDY
    assert ran("fmt", "-", stdin='{"name": "c", "kind": "nop"}').startswith('{\n  "kind"')
    assert heddle("fmt", "-", "--check", stdin=TIDY).exit_code == 0
    assert heddle("fmt", "-", "--check", stdin=UNTIDY).exit_code == 1


def test_a_file_with_problems_is_left_alone_and_the_others_are_not(flows: Path) -> None:
    (flows / "broken.yaml").write_text("- kind: nop\n  ports: [")
    result = heddle("fmt", flows, flows / "missing.yaml")
    assert result.exit_code == 1
    assert "broken.yaml:2" in result.stderr
    assert "missing.yaml" in result.stderr
    assert (flows / "broken.yaml").read_text() == "- kind: nop\n  ports: ["
    assert (flows / "a.yaml").read_text() == TIDY


def test_programs_get_json(flows: Path) -> None:
    said = ran_json("fmt", "--check", flows / "a.yaml", flows / "in")
    assert said["ok"] is False
    assert said["files"] == [
        {"file": f"{flows}/a.yaml", "changed": True},
        {"file": f"{flows}/in/b.yml", "changed": False},
    ]
    assert ran_json("fmt", "-", stdin=UNTIDY)["files"][0]["text"] == TIDY
    assert "+++" in ran_json("fmt", "--diff", flows / "a.yaml")["files"][0]["diff"]


def test_the_flow_of_the_readme_is_canonical() -> None:
    text = PING.replace("\n- kind", "\n\n- kind")
    short = re.sub(r":\n +- \{name: (\w+), port: in\}", r": \1", text)
    assert short != text
    assert ran("fmt", "-", stdin=PING) == short


def test_a_setting_keeps_the_links_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "heddle.toml").write_text('[fmt]\nlinks = "keep"\n')
    text = PING.replace("\n- kind", "\n\n- kind")
    settings = ("--config", tmp_path / "heddle.toml")
    assert ran("fmt", "-", *settings, stdin=PING) == text
    short = "- {kind: if, name: a, when: 'true', ports: {'out[0]': b, 'out[1]': [c, 'd.in[1]']}}\n"
    assert ran("fmt", "-", *settings, stdin=short) == short
    (tmp_path / "heddle.toml").write_text('[fmt]\nlinks = "long"\n')
    assert ran("fmt", "-", *settings, stdin=text) == text
    assert "[{name: c, port: in}, {name: d, port: 'in[1]'}]" in ran(
        "fmt", "-", *settings, stdin=short
    )


def test_our_examples_are_canonical() -> None:
    ran("fmt", "--check", EXAMPLES)


def test_what_apply_writes_is_canonical(tmp_path: Path) -> None:
    (tmp_path / "given.yaml").write_text(PING)
    (tmp_path / "store").mkdir()
    ran("apply", "all", "-f", tmp_path / "given.yaml", "--store", tmp_path / "store")
    assert heddle("fmt", "--check", tmp_path / "store").exit_code == 0
