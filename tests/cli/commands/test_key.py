"""heddle key and heddle value: secrets are made, sealed, shown and rotated, and never on a command line."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from heddle.cli.settings import load_settings
from heddle.specs.model.mask import MASK
from heddle.specs.model.sealed_text import sealed_by
from heddle.specs.secrets.keyring import keys_in
from heddle.specs.secrets.seal import KEY_PREFIX
from tests.cli.support import heddle, ran, ran_json

VALUES = (
    "# the shop\n- name: password # of the database\n  secret: true # really\n  data: hunter2\n"
)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder store, its settings, and a key file beside them, in the working directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "flows").mkdir()
    (tmp_path / "heddle.toml").write_text('store = "flows"\n[secrets]\nkey_file = "keys"\n')
    return tmp_path / "flows"


def ids(path: Path) -> list[str]:
    return [key.id for key in keys_in((path.parent / "keys").read_text())]


def test_a_new_key_is_printed_where_no_file_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert ran("key", "new").startswith(KEY_PREFIX)
    said = ran_json("key", "new")
    assert [key.id for key in keys_in(said["key"])] == [said["id"]]
    assert list(tmp_path.iterdir()) == []


def test_new_key_comes_first_and_its_file_is_for_its_owner_only(store: Path) -> None:
    path = store.parent / "keys"
    shown = ran("key", "new")
    assert path.stat().st_mode & 0o777 == 0o600
    assert KEY_PREFIX not in shown
    first = ids(store)
    said = ran_json("key", "new")
    assert said == {"id": ids(store)[0], "file": "keys"}
    assert ids(store)[1:] == first
    assert [each.name for each in store.parent.iterdir() if "part" in each.name] == []


def test_a_file_that_is_none_of_keys_stays_as_it_is(store: Path) -> None:
    path = store.parent / "notes.txt"
    path.write_text("hunter2\n")
    result = heddle("key", "new", "-o", path)
    assert result.exit_code == 1
    assert f"{path} is not a file of keys: line 1 is not a key" in result.stderr
    assert "hunter2" not in result.output
    assert path.read_text() == "hunter2\n"


def test_applied_secrets_are_sealed_and_shown_to_whoever_has_the_key(store: Path) -> None:
    ran("key", "new")
    ran("apply", "values", "-f", "-", stdin=VALUES)
    written = (store / "default.yaml").read_text()
    assert "hunter2" not in written
    shown = ran("get", "values")
    assert f"{MASK} (sealed with {ids(store)[0]})" in shown
    [entry] = ran_json("get", "values")
    assert (sealed_by(entry["sealed"]), "data" in entry) == (ids(store)[0], False)
    [entry] = ran_json("get", "values", "--reveal")
    assert (entry["data"], entry["secret"], "sealed" in entry) == ("hunter2", True, False)
    assert '"hunter2"' in ran("get", "values", "--reveal")
    again = ran_json("apply", "values", "-f", "-", stdin=ran("get", "values", "--yaml"))
    assert [each["action"] for each in again["changes"]] == ["unchanged"]


def test_without_the_key_nothing_is_revealed(store: Path) -> None:
    ran("key", "new")
    ran("apply", "values", "-f", "-", stdin=VALUES)
    (store.parent / "keys").unlink()
    result = heddle("get", "values", "--reveal")
    assert result.exit_code == 1
    assert "hunter2" not in result.output
    assert 'the Value "password" is sealed with the key' in result.stderr
    assert "warning: the file keys: no such file or directory" in result.stderr
    assert heddle("get", "specs", "--reveal").exit_code == 2


def test_rotating_keeps_comments_and_the_data(store: Path) -> None:
    file = store / "values.yaml"
    file.write_text(VALUES)
    ran("key", "new")
    assert "would be updated" in ran("key", "rotate", "--clear", "--dry-run")
    assert file.read_text() == VALUES
    ran("key", "rotate", "--clear")
    written = file.read_text()
    assert "hunter2" not in written
    assert written.startswith(
        "# the shop\n- name: password # of the database\n  secret: true # really"
    )
    old = ids(store)[0]
    ran("key", "new")
    listed = ran_json("key", "list", "--store", store)
    assert [(each["id"], each["seals"], each["values"]) for each in listed["keys"]] == [
        (ids(store)[0], True, 0),
        (old, False, 1),
    ]
    said = ran_json("key", "rotate")
    assert [each["action"] for each in said["changes"]] == ["updated"]
    assert said["revision"] > 0
    assert ran_json("key", "list")["keys"][1]["values"] == 0
    assert ran_json("get", "values", "--reveal")[0]["data"] == "hunter2"
    assert "nothing to rotate" in heddle("key", "rotate", "-n", "nowhere").stderr


def test_a_missing_key_is_listed_and_lets_nothing_be_rotated(store: Path) -> None:
    ran("key", "new")
    ran("apply", "values", "-f", "-", stdin=VALUES)
    lost = ids(store)[0]
    (store.parent / "keys").unlink()
    ran("key", "new")
    result = heddle("key", "list")
    assert result.exit_code == 1
    assert f"{lost}  is missing" in result.stdout
    result = heddle("key", "rotate")
    assert result.exit_code == 1
    assert f'the Value "password" is sealed with the key {lost}' in result.stderr


def test_without_any_key_nothing_can_be_rotated(store: Path) -> None:
    result = heddle("key", "rotate")
    assert result.exit_code == 1
    assert "there is no key to seal with: the file keys: no such file" in result.stderr
    assert "no keys: secrets are kept as they are written" in heddle("key", "list").stderr


def test_a_key_file_that_others_can_read_is_warned_about(store: Path) -> None:
    ran("key", "new")
    (store.parent / "keys").chmod(0o640)
    for args in (("key", "list"), ("key", "rotate"), ("get", "values", "--reveal")):
        assert "keys can be read by others (mode 0640)" in heddle(*args).stderr


def test_the_variable_comes_before_the_file(store: Path) -> None:
    ran("key", "new")
    key = ran("key", "new", "-o", "-").strip()
    result = heddle("key", "list", env={"HEDDLE_KEY": key})
    assert [line.split()[0] for line in result.stdout.splitlines()[1:]] == [
        keys_in(key)[0].id,
        *ids(store),
    ]
    assert key not in result.output


def test_keys_come_from_a_command_too(store: Path) -> None:
    (store.parent / "heddle.toml").write_text("[secrets]\nkey_command = 'cat \"keys two\"'\n")
    ran("key", "new", "-o", "keys two")
    assert load_settings().key_command == ("cat", "keys two")
    assert "the command cat" in ran("key", "list")
    listed = heddle("key", "list", env={"HEDDLE_KEY_COMMAND": "false"})
    assert "the command false: it ended with 1" in listed.stderr
    (store.parent / "heddle.toml").write_text("[secrets]\nkey_command = 'cat \"keys'\n")
    assert 'secrets.key_command: the text "cat "keys"' in heddle("key", "list").stderr


def test_a_value_is_asked_for_and_what_is_typed_is_not_shown(store: Path) -> None:
    (store.parent / "heddle.toml").write_text('store = "flows"\n')
    terminal, end = pty.openpty()
    try:
        process = subprocess.Popen(
            [
                sys.executable,
                "-c",
                "from heddle.cli.main import main; main()",
                "value",
                "set",
                "pw",
            ],
            stdin=end,
            stdout=end,
            stderr=end,
            start_new_session=True,
            env={**os.environ, "NO_COLOR": "1"},
        )
        shown = ""
        for asked in ("value: ", "Repeat for confirmation: "):
            while not shown.endswith(asked):
                shown += os.read(terminal, 1024).decode()
            os.write(terminal, b"hunter2\n")
        while "created" not in shown:
            shown += os.read(terminal, 1024).decode()
        assert process.wait(30) == 0
    finally:
        os.close(terminal)
        os.close(end)
    assert "hunter2" not in shown
    assert ran_json("get", "values", "--reveal")[0]["data"] == "hunter2"


def test_a_value_is_set_from_standard_input_a_file_and_the_environment(
    store: Path, tmp_path: Path
) -> None:
    (tmp_path / "heddle.toml").write_text('store = "flows"\n')
    assert "created    value password" in ran("value", "set", "password", stdin="hunter2\n")
    [entry] = ran_json("get", "values")
    assert (entry["data"], entry["secret"]) == (MASK, True)
    assert "unchanged" in ran("value", "set", "password", stdin="hunter2\n")
    (tmp_path / "db.json").write_text('{"pw": "hunter3"}')
    ran("value", "set", "password", "-f", "db.json", "--format", "json")
    assert ran_json("get", "values", "--reveal")[0]["data"] == {"pw": "hunter3"}
    result = heddle("value", "set", "password", "--env", "PW", env={"PW": "hunter4"})
    assert (result.exit_code, "hunter4" in result.output) == (0, False)
    assert ran_json("get", "values", "--reveal")[0]["data"] == "hunter4"
    ran("value", "set", "greeting", "--plain", stdin="hello")
    assert '"hello"' in ran("get", "values", "greeting")


def test_an_input_that_was_forgotten_empties_no_value(store: Path) -> None:
    ran("key", "new")
    ran("value", "set", "password", stdin="hunter2")
    result = heddle("value", "set", "password", stdin="")
    assert result.exit_code == 1
    assert "standard input is empty (expected: what the value is to hold)" in result.stderr
    assert '"hunter2"' in ran("get", "values", "--reveal")
    ran("value", "set", "password", "--file", "/dev/null")
    assert "hunter2" not in ran("get", "values", "--reveal")


def test_a_value_that_stays_closed_is_not_said_to_be_absent(store: Path) -> None:
    ran("key", "new")
    ran("value", "set", "password", stdin="hunter2")
    (store.parent / "keys").unlink()
    result = heddle("get", "values", "--reveal")
    assert result.exit_code == 1
    assert "is sealed with the key" in result.stderr
    assert "no values" not in result.output


def test_a_value_that_was_sealed_is_set_and_stays_sealed(store: Path) -> None:
    ran("key", "new")
    ran("apply", "values", "-f", "-", stdin=VALUES + "  annotations: {team: shop}\n")
    ran("value", "set", "password", "-m", "it leaked", stdin="hunter3")
    [entry] = ran_json("get", "values")
    assert (sealed_by(entry["sealed"]), entry["annotations"]) == (ids(store)[0], {"team": "shop"})
    assert ran_json("get", "values", "--reveal")[0]["data"] == "hunter3"


def test_what_cannot_be_taken_is_told_without_what_it_says(store: Path) -> None:
    for args, why in (
        (("--format", "json"), "what standard input holds cannot be taken: it is not JSON"),
        (("--env", "NOPE"), "the variable NOPE is not set"),
        (("-f", "nowhere"), "nowhere: no such file or directory"),
    ):
        result = heddle("value", "set", "password", *args, stdin="hunter2")
        assert result.exit_code == 1
        assert why in result.stderr
        assert "hunter2" not in result.output
    assert heddle("value", "set", "a/b:{}", stdin="x").exit_code == 2
    assert heddle("value", "set", "a", "--secret", "--plain", stdin="x").exit_code == 2
    assert heddle("value", "set", "a", "-f", "-", "--env", "A", stdin="x").exit_code == 2


def test_a_sealed_entry_is_printed_for_a_file(store: Path) -> None:
    ran("key", "new")
    entry = ran("value", "seal", "password", stdin="hunter2\n")
    assert "hunter2" not in entry
    (store / "values.yaml").write_text(entry)
    assert ran_json("get", "values", "--reveal")[0]["data"] == "hunter2"
    said = ran_json("value", "seal", "password", "-n", "shop", stdin="hunter2\n")
    assert sealed_by(said["sealed"]) == ids(store)[0]
    (store.parent / "keys").unlink()
    assert heddle("value", "seal", "password", stdin="hunter2\n").exit_code == 1


def test_check_names_secrets_in_clear_and_what_it_cannot_open(store: Path) -> None:
    flow = (
        "- {kind: snippet, name: a, language: text, code: '{{ .P }}', env: {P: {name: password}}}\n"
    )
    (store / "flow.yaml").write_text(flow + VALUES)
    assert "secrets in clear: password" in ran("check", store)
    ran("key", "new")
    ran("key", "rotate", "--clear")
    assert "secrets in clear" not in ran("check", store)
    (store.parent / "keys").unlink()
    shown = ran("check", store)
    assert "left open, as they cannot be opened here: password" in shown
    said = ran_json("check", store)
    assert (said["ok"], said["closed"], said["clear"]) == (True, ["password"], [])
    strict = heddle("check", store, "--strict-env")
    assert strict.exit_code == 1
    assert "is sealed with the key" in strict.stdout


def test_the_settings_say_what_is_wrong_with_secrets(store: Path) -> None:
    (store.parent / "heddle.toml").write_text("[secrets]\nkey_fil = 'x'\nkey_command = 3\n")
    result = heddle("key", "list")
    assert result.exit_code == 1
    assert 'heddle.toml:2 secrets.key_fil: unknown key "key_fil"' in result.stderr
    assert (
        "heddle.toml:3 secrets.key_command: 3 (expected: a command that prints keys"
        in result.stderr
    )


def test_a_mistyped_command_of_the_family_names_the_nearest() -> None:
    result = heddle("key", "rotat")
    assert result.exit_code == 2
    assert 'there is no command "heddle key rotat"' in result.stderr
    assert 'Did you mean "rotate"?' in result.stderr
    assert json.loads(heddle("key", "new", "--json", "-o", "-").stdout)["id"]
