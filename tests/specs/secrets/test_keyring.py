"""The Keyring: the first key seals, all of them open, and what is wrong is told without a secret."""

import errno
import sys
from pathlib import Path

import pytest

from heddle.schemas.errors import SecretError
from heddle.schemas.problem import Problem
from heddle.specs.model.sealed_text import sealed_by
from heddle.specs.model.value import Value, ValueSource
from heddle.specs.secrets.keyring import CommandKeys, KeyFile, Keyring, Variable, exposed, keys_in
from heddle.specs.secrets.seal import Key, new_key
from heddle.specs.stores.contract_story import value

OLD, NEW = new_key(), new_key()
PASSWORD = value("password", "hunter2", secret=True)


def told(caught: "pytest.ExceptionInfo[SecretError]") -> Problem:
    [problem] = caught.value.problems
    assert "hunter2" not in str(caught.value)
    return problem


def key_file(path: Path, *keys: Key) -> Path:
    path.write_text(
        "# the keys of the shop\n" + "".join(f"{key.text}  # {key.id}\n" for key in keys)
    )
    path.chmod(0o600)
    return path


def test_the_first_key_seals_and_every_key_opens() -> None:
    sealed = Keyring.of(OLD).seal(PASSWORD)
    both = Keyring.of(NEW, OLD)
    assert (sealed.data, sealed.secret, sealed_by(sealed.sealed)) == (None, True, OLD.id)
    assert both.open(sealed) == "hunter2"
    again = both.seal(sealed)
    assert sealed_by(again.sealed) == NEW.id
    assert Keyring.of(NEW).open(again) == "hunter2"


def test_what_the_first_key_sealed_stays_as_it_is() -> None:
    keys = Keyring.of(NEW, OLD)
    sealed = keys.seal(PASSWORD)
    assert keys.seal(sealed) is sealed


def test_what_comes_from_outside_is_not_sealed() -> None:
    outside = Value(id=PASSWORD.id, name="p", source=ValueSource(env="P"), secret=True)
    assert Keyring.of(OLD).seal(outside) is outside
    with pytest.raises(SecretError, match="comes from the variable P"):
        Keyring.of(OLD).open(outside)


def test_a_missing_key_is_named_with_value_and_keys_that_are_here() -> None:
    sealed = Keyring.of(OLD).seal(PASSWORD)
    with pytest.raises(SecretError) as caught:
        Keyring.of(NEW).open(sealed)
    problem = told(caught)
    assert (problem.code, problem.path) == ("missing-key", "password.sealed")
    assert 'the Value "password" is sealed with the key ' + OLD.id in problem.found
    assert NEW.id in problem.found
    assert "HEDDLE_KEY" in problem.hint


def test_without_any_key_nothing_is_opened_or_sealed() -> None:
    empty = Keyring()
    assert not empty.configured
    with pytest.raises(SecretError) as caught:
        empty.seal(PASSWORD)
    assert told(caught).code == "missing-key"
    assert empty.open(PASSWORD) == "hunter2"


def test_a_moved_text_is_told_as_one_that_does_not_open() -> None:
    keys = Keyring.of(OLD)
    moved = Value(id=PASSWORD.id, name="other", sealed=keys.seal(PASSWORD).sealed, secret=True)
    with pytest.raises(SecretError) as caught:
        keys.open(moved)
    problem = told(caught)
    assert problem.code == "wrong-seal"
    assert 'the Value "other" does not open with the key ' + OLD.id in problem.found


def test_keys_come_from_environment_a_file_and_a_command_in_this_order(tmp_path: Path) -> None:
    third = new_key()
    path = key_file(tmp_path / "keys", OLD, third)
    command = CommandKeys.of([sys.executable, "-c", f"print('{third.text}')"])
    environ = {"HEDDLE_KEY": f"{NEW.text}, {OLD.text}"}
    keys = Keyring([Variable(environ=environ), KeyFile(str(path)), command])
    assert keys.ids == (NEW.id, OLD.id, third.id)
    assert [held.place for held in keys.held] == [
        "the variable HEDDLE_KEY",
        "the variable HEDDLE_KEY",
        f"the file {path}",
    ]
    assert keys.failures == ()


def test_a_place_without_keys_is_told_and_the_others_count(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_text(f"{OLD.text}\nhunter2\n")
    keys = Keyring(
        [
            KeyFile(str(tmp_path / "gone")),
            KeyFile(str(broken)),
            CommandKeys.of([sys.executable, "-c", "import sys; print('hunter2'); sys.exit(3)"]),
            CommandKeys.of("no-such-command-here"),
            Variable(environ={"HEDDLE_KEY": NEW.text}),
        ]
    )
    assert keys.ids == (NEW.id,)
    gone, wrong, failed, missing = keys.failures
    assert gone == f"the file {tmp_path / 'gone'}: no such file or directory"
    assert wrong.startswith(f"the file {broken}: line 2 is not a key")
    assert failed.endswith("it ended with 3")
    assert missing == "the command no-such-command-here: no such file or directory"
    with pytest.raises(SecretError) as caught:
        keys.open(Keyring.of(OLD).seal(PASSWORD))
    assert gone in told(caught).found


def test_nothing_of_a_key_shows(tmp_path: Path) -> None:
    path = key_file(tmp_path / "keys", OLD)
    environ = {"HEDDLE_KEY": NEW.text}
    keys = Keyring(
        [Variable(environ=environ), KeyFile(str(path)), CommandKeys.of("vault read token=x")]
    )
    shown = f"{keys!r} {keys} {vars(keys)} {Keyring.of(OLD)!r}"
    assert OLD.text not in shown
    assert NEW.text not in shown
    assert "token=x" not in shown
    assert "hunter2" not in repr([PASSWORD, keys.seal(PASSWORD)])


def test_renewing_finds_what_was_added(tmp_path: Path) -> None:
    path = key_file(tmp_path / "keys", OLD)
    keys = Keyring([KeyFile(str(path))])
    assert keys.ids == (OLD.id,)
    assert not keys.renew()
    key_file(path, NEW, OLD)
    assert keys.renew()
    assert keys.ids == (NEW.id, OLD.id)


def test_a_key_file_that_others_can_read_is_warned_about(tmp_path: Path) -> None:
    path = key_file(tmp_path / "keys", OLD)
    keys = Keyring([KeyFile(str(path))])
    assert keys.warnings == ()
    path.chmod(0o644)
    [warning] = keys.warnings
    assert f"the key file {path} can be read by others (mode 0644)" in warning
    assert f"chmod 600 {path}" in warning
    assert exposed(str(tmp_path / "gone")) == ""


def test_text_of_keys_may_have_comments_and_has_one_key_at_least() -> None:
    assert keys_in(f"# {NEW.text}\n\n {OLD.text} # mine\n") == [OLD]
    with pytest.raises(ValueError, match="it holds no key"):
        keys_in("# nothing\n")


def test_without_the_package_that_seals_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    sealed = Keyring.of(OLD).seal(PASSWORD)
    for name in [name for name in sys.modules if name.startswith("cryptography")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "cryptography", None)
    for act in (lambda: Keyring.of(OLD).open(sealed), lambda: Keyring.of(OLD).seal(PASSWORD)):
        with pytest.raises(SecretError) as caught:
            act()
        problem = told(caught)
        assert (problem.code, problem.expected) == ("missing-extra", "the extra secrets")
        assert "heddle-runtime[secrets]" in problem.hint


def test_a_place_that_cannot_be_asked_for_a_while_keeps_its_keys() -> None:
    key = new_key()

    class Place:
        name = "the vault"
        short = False

        def read(self) -> str:
            if self.short:
                raise OSError(errno.EMFILE, "Too many open files")
            return key.text

    place = Place()
    keys = Keyring([place])
    assert keys.ids == (key.id,)
    place.short = True
    assert not keys.renew()
    assert keys.ids == (key.id,)
    assert keys.passing
    assert keys.failures == ("the vault: too many open files",)
    place.short = False
    assert not keys.renew()
    assert not keys.passing
