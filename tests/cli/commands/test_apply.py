"""heddle apply, get and delete: what files name is changed in a store, and nothing else."""

import json
from pathlib import Path

import pytest

from tests.cli.support import PING, heddle, ran, ran_json

OLD = "01890a5d-ac96-774b-bcce-b302099a8057"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Return an empty folder store."""
    folder = tmp_path / "store"
    folder.mkdir()
    return folder


def changes(said: dict[str, list[dict[str, str]]]) -> list[tuple[str, str]]:
    return [(each["action"], each.get("name", "-")) for each in said["changes"]]


def names(store: Path, sort: str = "specs") -> list[str]:
    return [each.get("name", "-") for each in ran_json("get", sort, "--store", store)]


def test_first_created_then_unchanged_then_updated(store: Path) -> None:
    args = ("apply", "specs", "-f", "-", "--store", store)
    shown = ran(*args, stdin=PING)
    assert shown.split("\n")[0].split() == ["created", "spec", "listener"]
    assert changes(ran_json(*args, stdin=PING)) == [
        ("unchanged", "listener"),
        ("unchanged", "router"),
        ("unchanged", "pong"),
    ]
    again = PING.replace("code: pong", "code: PONG")
    assert ("updated", "pong") in changes(ran_json(*args, stdin=again))
    assert ran_json("get", "specs", "pong", "--store", store)[0]["code"] == "PONG"


def test_what_the_file_does_not_name_stays_with_its_comments(store: Path) -> None:
    file = store / "mine.yaml"
    file.write_text("# mine\n- kind: nop # so\n  name: a\n- kind: nop\n  name: b\n")
    text = "- {kind: sleep, name: b, interval: 1s}"
    ran("apply", "specs", "-f", "-", "--store", store, stdin=text)
    assert file.read_text().startswith("# mine\n- kind: nop # so\n  name: a\n")
    assert names(store) == ["a", "b"]


def test_a_blank_that_stays_as_text_is_named(store: Path) -> None:
    text = "{kind: snippet, name: a, language: text, code: 'hi {{ .NAME }}'}"
    result = heddle("apply", "-f", "-", "--store", store, stdin=text)
    assert result.exit_code == 0
    assert "hint[unfilled-blank]: {{ .NAME }} stays as text" in result.stderr


def test_a_name_belongs_to_its_namespace(store: Path) -> None:
    args = ("apply", "specs", "-f", "-", "--store", store)
    ran(*args, stdin="{kind: nop, name: a}")
    said = ran_json(*args, stdin="{kind: nop, name: a, namespace: shop}")
    assert changes(said) == [("created", "a")]
    found = ran_json("get", "specs", "-A", "--store", store)
    assert [(each["namespace"], each["name"]) for each in found] == [
        ("default", "a"),
        ("shop", "a"),
    ]


def test_an_id_wins_over_a_name_so_that_things_can_be_renamed(store: Path) -> None:
    args = ("apply", "specs", "-f", "-", "--store", store)
    ran(*args, stdin=f"{{kind: nop, id: {OLD}, name: old}}")
    said = ran_json(*args, stdin=f"[{{kind: nop, id: {OLD}, name: new}}, {{kind: nop, name: old}}]")
    assert changes(said) == [("updated", "new"), ("created", "old")]
    found = {each["name"]: each["id"] for each in ran_json("get", "specs", "--store", store)}
    assert found["new"] == OLD
    assert found["old"] != OLD


def test_a_name_finds_the_one_that_has_an_id_of_its_own(store: Path) -> None:
    args = ("apply", "specs", "-f", "-", "--store", store)
    ran(*args, stdin=f"{{kind: nop, id: {OLD}, name: a}}")
    said = ran_json(*args, stdin="{kind: sleep, name: a, interval: 1s}")
    assert [(each["action"], each["id"]) for each in said["changes"]] == [("updated", OLD)]


def test_a_document_with_neither_is_new_each_time_and_touches_nobody(store: Path) -> None:
    args = ("apply", "specs", "-f", "-", "--store", store)
    ran(*args, stdin="{kind: nop, name: a}")
    first = ran_json(*args, stdin="{kind: nop}")["changes"]
    second = ran_json(*args, stdin="{kind: nop}")["changes"]
    assert first[0]["id"] != second[0]["id"]
    assert all(one[0]["id"][14] == "7" for one in (first, second))
    assert len(names(store)) == 3


def test_what_get_prints_goes_in_again_unchanged(store: Path) -> None:
    args = ("apply", "specs", "-f", "-", "--store", store)
    ran(
        *args,
        stdin=PING + '- kind: snippet\n  language: json\n  code: |\n    {\n      "a": 1\n    }\n',
    )
    for form in ("--yaml", "--json"):
        printed = ran("get", "specs", "--store", store, form)
        assert {what for what, _ in changes(ran_json(*args, stdin=printed))} == {"unchanged"}


def test_one_problem_anywhere_and_nothing_is_written(store: Path) -> None:
    args = ("apply", "specs", "-f", "-", "--store", store)
    ran(*args, stdin=PING)
    wrong = "[{kind: nop, name: a}, {kind: nop, name: b, ports: {init: {name: pong, port: inn}}}]"
    result = heddle(*args, stdin=wrong)
    assert result.exit_code == 1
    assert "error[unknown-port]" in result.stderr
    assert "nothing was written" in result.stderr
    assert names(store) == ["listener", "pong", "router"]


def test_a_change_that_breaks_a_neighbour_is_told(store: Path) -> None:
    args = ("apply", "specs", "-f", "-", "--store", store)
    ran(*args, stdin=PING)
    said = ran_json(*args, stdin="{kind: listener, name: pong, port: 0}")
    assert [problem["code"] for problem in said["problems"]] == ["unknown-port"]


def test_what_may_come_later_is_no_problem(store: Path) -> None:
    text = "{kind: listener, name: a, port: '{{ .P }}', env: {P: {name: later}}, ports: {out: {name: b}}}"
    ran("apply", "specs", "-f", "-", "--store", store, stdin=text)
    assert names(store) == ["a"]


def test_a_dry_run_writes_nothing(store: Path) -> None:
    shown = ran("apply", "specs", "-f", "-", "--store", store, "--dry-run", stdin=PING)
    assert "would be created" in shown
    assert list(store.iterdir()) == []


def test_secrets_are_masked_and_a_masked_one_is_rejected(store: Path) -> None:
    args = ("apply", "values", "-f", "-", "--store", store)
    ran(*args, stdin="{name: pw, secret: true, data: {user: a, word: hunter2}}")
    for form in ((), ("--json",), ("--yaml",)):
        shown = ran("get", "values", "--store", store, *form)
        assert "hunter2" not in shown
        assert "••••••" in shown
    printed = ran("get", "values", "--store", store, "--yaml")
    result = heddle(*args, stdin=printed)
    assert result.exit_code == 1
    assert "error[masked]" in result.stderr


def test_specs_and_values_are_kept_apart_unless_all_is_said(store: Path) -> None:
    both = "[{kind: nop, name: a}, {name: v, data: 1}]"
    assert heddle("apply", "specs", "-f", "-", "--store", store, stdin=both).exit_code == 1
    said = ran_json("apply", "all", "-f", "-", "--store", store, stdin=both)
    assert changes(said) == [("created", "a"), ("created", "v")]
    assert names(store, "values") == ["v"]


def test_delete_by_name_by_id_and_by_file(store: Path) -> None:
    args = ("--store", store)
    text = PING + f"- {{kind: nop, id: {OLD}}}\n"
    ran("apply", "specs", "-f", "-", *args, stdin=text)
    assert "deleted    spec nop:01890a5d" in ran("delete", "specs", OLD, *args)
    ways_in = PING.partition("- kind: snippet")[0]
    ran("delete", "specs", "-f", "-", "--dry-run", *args, stdin=ways_in)
    assert names(store) == ["listener", "pong", "router"]
    ran("delete", "specs", "-f", "-", *args, stdin=ways_in)
    assert names(store) == ["pong"]
    assert "deleted    spec pong" in ran("delete", "specs", "pong", *args)
    assert names(store) == []


def test_deleting_what_is_not_there_is_said(store: Path) -> None:
    args = ("--store", store)
    ran("apply", "specs", "-f", "-", *args, stdin=PING)
    result = heddle("delete", "specs", "listener", "pang", *args)
    assert result.exit_code == 1
    assert 'there is no spec "pang"' in result.stderr
    assert names(store) == ["pong", "router"]
    assert heddle("delete", "specs", "pang", "--ignore-missing", *args).exit_code == 0
    assert ran_json("delete", "specs", "pang", *args) == {
        "ok": False,
        "changes": [],
        "missing": ["pang"],
    }


def test_a_document_without_name_and_id_deletes_nobody(store: Path) -> None:
    ran("apply", "specs", "-f", "-", "--store", store, stdin=PING)
    result = heddle("delete", "specs", "-f", "-", "--store", store, stdin="{kind: snippet}")
    assert result.exit_code == 1
    assert "neither name nor id" in result.stderr
    assert len(names(store)) == 3
    assert heddle("delete", "specs", "--store", store).exit_code == 2


def test_get_says_what_is_not_there_and_what_cannot_be_read(store: Path) -> None:
    ran("apply", "specs", "-f", "-", "--store", store, stdin=PING)
    result = heddle("get", "specs", "pong", "lister", "--store", store)
    assert result.exit_code == 1
    assert "pong" in result.stdout
    assert 'Did you mean "listener"?' in result.stderr
    (store / "broken.yaml").write_text("- kind: [\n")
    result = heddle("get", "specs", "--store", store)
    assert result.exit_code == 1
    assert "listener" in result.stdout
    assert "broken.yaml" in result.stderr


def test_get_shows_a_table_that_is_not_cut(store: Path) -> None:
    ran("apply", "specs", "-f", "-", "--store", store, stdin=f"{{kind: nop, name: {'long' * 40}}}")
    head, row = ran("get", "specs", "--store", store).splitlines()
    assert head.split() == ["NAME", "KIND", "LINKS", "PLACE", "ID"]
    assert row.startswith("long" * 40)


def test_settings_say_which_store_and_namespace(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "heddle.toml").write_text('store = "store"\nnamespace = "shop"\n')
    monkeypatch.chdir(tmp_path)
    ran("apply", "specs", "-f", "-", stdin=PING)
    assert (store / "shop.yaml").exists()
    assert ran_json("get", "specs", "pong")[0]["namespace"] == "shop"


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("memory://", "gone when this command ends"),
        ("no/such/folder", "there is no such file or folder"),
        ("redis://here", 'no store knows the address scheme "redis"'),
    ],
)
def test_a_store_that_will_not_do_is_one_line(address: str, told: str) -> None:
    result = heddle("get", "specs", "--store", address)
    assert result.exit_code == 1
    assert told in result.stderr
    assert result.stderr.count("\n") == 1


def test_an_entry_that_cannot_be_read_hides_no_other_problem_of_apply(tmp_path: Path) -> None:
    file = tmp_path / "new.yaml"
    file.write_text("- {kind: nop, name: a, annotations: 3, foo: 1}\n- {kind: nope, name: b}\n")
    (tmp_path / "flows").mkdir()
    result = heddle("apply", "specs", "-f", file, "--store", tmp_path / "flows", "--json")
    assert {one["code"] for one in json.loads(result.stdout)["problems"]} == {
        "type",
        "unknown-field",
        "unknown-kind",
    }
    assert not list((tmp_path / "flows").iterdir())


def test_what_names_no_namespace_is_out_of_reach_for_another(tmp_path: Path) -> None:
    flow = tmp_path / "flow.yaml"
    flow.write_text("- {kind: nop, name: pong}\n")
    result = heddle("delete", "specs", "pong", "--store", tmp_path, "-n", "other")
    assert result.exit_code == 1
    assert flow.read_text() == "- {kind: nop, name: pong}\n"
    assert heddle("delete", "specs", "pong", "--store", tmp_path).exit_code == 0
