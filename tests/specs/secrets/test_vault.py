"""The Vault: the data of a Value from wherever it says, and what of it has changed since."""

import os
from pathlib import Path
from typing import Any

import pytest

from heddle.schemas.errors import SecretError
from heddle.schemas.problem import Problem
from heddle.specs.model.value import Value
from heddle.specs.secrets.keyring import KeyFile, Keyring
from heddle.specs.secrets.seal import new_key
from heddle.specs.secrets.vault import Vault
from heddle.specs.yaml.document import read_text

OLD, NEW = new_key(), new_key()


def said(text: str) -> Value:
    reading = read_text(text, file="values.yaml", only="values")
    assert not reading.problems
    return reading.values[0]


def opened(text: str, **environ: str) -> Any:
    return Vault(environ=environ).open(said(text))


def rejected(text: str, vault: Vault | None = None, **environ: str) -> Problem:
    with pytest.raises(SecretError) as caught:
        (vault or Vault(environ=environ)).open(said(text))
    [problem] = caught.value.problems
    return problem


def test_plain_data_is_what_it_is() -> None:
    assert opened("{name: a, data: {b: 1}}") == {"b": 1}


def test_a_variable_of_the_environment() -> None:
    assert opened("{name: a, from: {env: A}}", A="hunter2") == "hunter2"
    assert opened("{name: a, from: {env: A, format: json}}", A='{"b": [1]}') == {"b": [1]}
    assert opened("{name: a, from: {env: A, format: yaml}}", A="b: yes") == {"b": "yes"}


def test_a_file_in_each_format(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_bytes(b'{"b": 1}\r\n')
    for form, data in {
        "text": '{"b": 1}',
        "json": {"b": 1},
        "yaml": {"b": 1},
        "bytes": b'{"b": 1}\r\n',
    }.items():
        assert opened(f"{{name: a, from: {{file: {path}, format: {form}}}}}") == data


def test_only_one_line_break_is_left_out_of_text(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("one\ntwo\n\n")
    assert opened(f"{{name: a, from: {{file: {tmp_path}/secret}}}}") == "one\ntwo\n"


def test_what_is_not_there_is_a_problem_at_its_line() -> None:
    problem = rejected("\nname: a\nfrom: {env: NOPE}")
    assert (problem.code, problem.path, problem.place.line) == ("missing-source", "a.from", 3)
    assert problem.found == 'the Value "a" comes from the variable NOPE: it is not set'
    problem = rejected("{name: a, from: {file: nowhere/secret}}")
    assert problem.code == "missing-source"
    assert f"({Path.cwd()}/nowhere/secret): no such file or directory" in problem.found


def test_what_cannot_be_read_is_told_without_what_it_holds(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hunter2: [")
    for form, why in {"json": "it is not JSON", "yaml": "it is not YAML (line 1)"}.items():
        problem = rejected(f"{{name: a, from: {{file: {tmp_path}/secret, format: {form}}}}}")
        assert problem.code == "unreadable-source"
        assert problem.found.endswith(why)
        assert "hunter2" not in str(problem)
    (tmp_path / "secret").write_bytes(b"\xff")
    assert "it is not UTF-8" in rejected(f"{{name: a, from: {{file: {tmp_path}/secret}}}}").found
    (tmp_path / "secret").write_bytes(b"x" * ((1 << 20) + 1))
    assert "larger than 1 MiB" in rejected(f"{{name: a, from: {{file: {tmp_path}/secret}}}}").found
    assert "it is not a file" in rejected(f"{{name: a, from: {{file: {tmp_path}}}}}").found


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_a_pipe_holds_nothing_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "it is not a file" in rejected(f"{{name: a, from: {{file: {tmp_path}/pipe}}}}").found


def test_the_keys_are_no_source(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text(OLD.text)
    (tmp_path / "link").symlink_to(path)
    vault = Vault(Keyring([KeyFile(str(path))]), environ={"HEDDLE_KEY": OLD.text})
    for way in ("{env: HEDDLE_KEY}", f"{{file: {path}}}", f"{{file: {tmp_path}/link}}"):
        problem = rejected(f"{{name: a, from: {way}}}", vault)
        assert problem.code == "unreadable-source"
        assert OLD.text not in str(problem)


def test_the_environment_of_the_process_is_no_source(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/proc/self/environ")
    for path in ("/proc/self/environ", "/proc/self/../self/environ", tmp_path / "link"):
        problem = rejected(f"{{name: a, from: {{file: {path}}}}}")
        assert problem.code == "unreadable-source"
        assert problem.found.endswith("it tells of processes, and is given to nobody")


def test_it_tells_which_values_have_changed_outside(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("1")
    vault = Vault()
    first = said(f"{{name: a, from: {{file: {one}}}}}")
    second = said(f"{{name: b, from: {{file: {two}}}}}")
    vault.open(first)
    with pytest.raises(SecretError):
        vault.open(second)
    assert vault.files == {str(one), str(two)}
    assert vault.changed() == frozenset()
    two.write_text("2")
    assert vault.changed() == {second.id}
    assert vault.open(second) == "2"
    one.write_text("1")
    assert vault.changed() == frozenset()
    one.unlink()
    assert vault.changed() == {first.id}
    vault.forget([first.id])
    assert vault.files == {str(two)}


@pytest.mark.anyio
async def test_a_key_that_came_later_is_found_before_it_is_needed(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text(OLD.text)
    keys = Keyring([KeyFile(str(path))])
    vault = Vault(keys)
    sealed = Keyring.of(NEW).seal(said("{name: a, secret: true, data: hunter2}"))
    assert keys.ids == (OLD.id,)
    path.write_text(f"{NEW.text}\n{OLD.text}")
    await vault.ready([sealed])
    assert vault.open(sealed) == "hunter2"


@pytest.mark.anyio
async def test_places_are_not_asked_again_and_again_for_key_that_nobody_has(
    tmp_path: Path,
) -> None:
    path = tmp_path / "keys"
    path.write_text(OLD.text)
    keys = Keyring([KeyFile(str(path))])
    vault = Vault(keys)
    sealed = Keyring.of(NEW).seal(said("{name: a, secret: true, data: hunter2}"))
    await vault.ready([sealed])
    await vault.ready([sealed])
    path.write_text(NEW.text)
    await vault.ready([sealed])
    assert keys.ids == (OLD.id,)
    await vault.ready([Keyring.of(new_key()).seal(said("{name: b, secret: true, data: 1}"))])
    assert keys.ids == (NEW.id,)
