"""Writing secrets: sealed if there is a key, the same as before if nothing was changed."""

from typing import Any

import pytest

from heddle.runtime.assembly.extension import Registry, registry
from heddle.runtime.changes.apply import apply_into, plan_apply
from heddle.runtime.changes.key_rotation import counts_of, plan_rotation
from heddle.runtime.changes.plan import ApplyResult, apply_plan
from heddle.runtime.changes.sealing import kept
from heddle.schemas.errors import SecretError
from heddle.specs.model.mask import MASK
from heddle.specs.model.sealed_text import sealed_by
from heddle.specs.model.store import Put
from heddle.specs.model.value import Value, ValueSource
from heddle.specs.secrets.keyring import Keyring
from heddle.specs.secrets.seal import new_key
from heddle.specs.stores.contract_story import value
from heddle.specs.stores.memory import MemoryStore

pytestmark = pytest.mark.anyio

OLD, NEW = new_key(), new_key()
PASSWORD = value("password", {"user": "ada", "pin": 1}, secret=True)


def keyed(*keys: Any) -> Registry:
    found = registry(installed=False)
    found.keys = Keyring.of(*keys) if keys else Keyring()
    return found


async def opened(*values: Value) -> MemoryStore:
    store = MemoryStore(values)
    await store.open()
    return store


async def held(store: MemoryStore, name: str = "password") -> Value:
    [found] = [each for each in await store.values() if each.name == name]
    return found


def whats(applied: ApplyResult) -> list[str]:
    return [each.action for each in applied.differences]


async def test_what_is_secret_is_sealed_on_its_way_and_nowhere_in_clear() -> None:
    store = await opened()
    plain = value("greeting", "hello")
    applied = await apply_into(store, [PASSWORD, plain], keyed(OLD))
    found = await held(store)
    assert (sealed_by(found.sealed), found.data, found.secret) == (OLD.id, None, True)
    assert (await held(store, "greeting")).data == "hello"
    assert "ada" not in repr(applied)
    assert "ada" not in repr(await store.history())
    assert Keyring.of(OLD).open(found) == PASSWORD.data


async def test_the_same_again_is_no_change_though_it_would_be_sealed_anew() -> None:
    store = await opened()
    await apply_into(store, [PASSWORD], keyed(OLD))
    first = await held(store)
    again = await apply_into(store, [PASSWORD], keyed(NEW, OLD))
    assert whats(again) == ["unchanged"]
    assert (await held(store)).revision == first.revision
    changed = value("password", {"user": "ada", "pin": True}, secret=True)
    assert whats(await apply_into(store, [changed], keyed(OLD))) == ["updated"]


async def test_without_a_key_a_secret_is_kept_as_it_was_written() -> None:
    store = await opened()
    await apply_into(store, [PASSWORD], keyed())
    assert (await held(store)).data == PASSWORD.data


async def test_what_is_sealed_is_never_written_in_clear_for_want_of_key() -> None:
    store = await opened()
    await apply_into(store, [PASSWORD], keyed(OLD))
    applied = await apply_into(store, [PASSWORD], keyed())
    [problem] = applied.problems
    assert (problem.code, problem.path) == ("missing-key", "password.data")
    assert "sealed in the store, and would be written in clear" in problem.found
    assert (await held(store)).sealed
    public = value("password", "no secret any more")
    assert whats(await apply_into(store, [public], keyed())) == ["updated"]


async def test_keys_that_should_be_there_and_are_not_let_nothing_through() -> None:
    store = await opened()
    broken = keyed()
    broken.keys = Keyring.of_environment({"HEDDLE_KEY": "hunter2"})
    applied = await apply_into(store, [PASSWORD], broken)
    [problem] = applied.problems
    assert problem.code == "missing-key"
    assert "the variable HEDDLE_KEY: line 1 is not a key" in problem.found
    assert "hunter2" not in str(problem)
    assert await store.values() == []


async def test_a_masked_secret_is_rejected_rather_than_sealed() -> None:
    store = await opened()
    shown = value("password", {"user": MASK}, secret=True)
    applied = await apply_into(store, [shown], keyed(OLD))
    assert [problem.code for problem in applied.problems] == ["masked"]


async def test_a_sealed_value_with_an_unknown_key_stays_as_it_is() -> None:
    store = await opened()
    sealed = Keyring.of(NEW).seal(PASSWORD)
    assert whats(await apply_into(store, [sealed], keyed(OLD))) == ["created"]
    assert await held(store) == sealed


async def test_a_text_that_was_sealed_for_another_value_is_rejected() -> None:
    store = await opened()
    sealed = Keyring.of(OLD).seal(PASSWORD)
    moved = value("other", sealed=sealed.sealed, secret=True)
    applied = await apply_into(store, [moved], keyed(OLD))
    assert [problem.code for problem in applied.problems] == ["wrong-seal"]


async def test_a_value_that_gets_another_name_is_sealed_for_that() -> None:
    sealed = Keyring.of(OLD).seal(PASSWORD)
    renamed = value("pass", sealed=sealed.sealed, secret=True, id=PASSWORD.id)
    found = kept(sealed, renamed, Keyring.of(OLD))
    assert isinstance(found, Value)
    assert Keyring.of(OLD).open(found) == PASSWORD.data
    with pytest.raises(SecretError):
        Keyring.of(OLD).open(renamed)


async def test_a_change_that_only_seals_anew_is_nobodys_conflict() -> None:
    store = await opened()
    await apply_into(store, [PASSWORD], keyed(OLD))
    base = await store.newest()
    theirs = value("password", "theirs", secret=True)
    await apply_into(store, [theirs], keyed(OLD))
    planned = await plan_apply(store, [PASSWORD], keyed(NEW, OLD), base=base)
    assert planned.clashes == ()
    assert planned.changed == ()
    mine = value("password", "mine", secret=True)
    planned = await plan_apply(store, [mine], keyed(NEW, OLD), base=base)
    assert len(planned.clashes) == 1


async def test_rotating_seals_everything_anew_in_one_change_set() -> None:
    keys = Keyring.of(OLD)
    clear = value("clear", "hunter2", secret=True)
    outside = value("outside", source=ValueSource(env="A"), secret=True)
    there = keys.seal(value("there", [1], secret=True, namespace="shop"))
    store = await opened(keys.seal(PASSWORD), clear, outside, there)
    both = Keyring.of(NEW, OLD)
    before = await store.newest()
    applied = await apply_plan(store, await plan_rotation(store, both))
    assert sorted(whats(applied)) == ["updated", "updated"]
    assert await store.newest() == before + 1
    assert counts_of(await store.values()) == {NEW.id: 2, "": 1}
    assert Keyring.of(NEW).open(await held(store, "there")) == [1]
    assert Keyring.of(NEW).open(await held(store)) == PASSWORD.data
    again = await apply_plan(store, await plan_rotation(store, both, clear=True))
    assert sorted(whats(again)) == ["unchanged", "unchanged", "updated"]
    assert counts_of(await store.values()) == {NEW.id: 3}


async def test_rotating_does_nothing_where_one_value_does_not_open() -> None:
    store = await opened(
        Keyring.of(OLD).seal(PASSWORD), Keyring.of(new_key()).seal(value("lost", 1, secret=True))
    )
    planned = await plan_rotation(store, Keyring.of(NEW, OLD))
    assert [problem.path for problem in planned.problems] == ["lost.sealed"]
    assert (await apply_plan(store, planned)).revision == 0
    assert sealed_by((await held(store)).sealed) == OLD.id


async def test_a_secret_that_comes_back_from_the_past_is_sealed() -> None:
    from heddle.runtime.changes.plan import plan_steps

    store = await opened(PASSWORD)
    await store.apply([Put(resource=Keyring.of(OLD).seal(PASSWORD))])
    planned = await plan_steps(store, [(await held(store), PASSWORD)], keyed(OLD))
    assert planned.changed == ()
