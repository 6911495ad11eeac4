"""Hooks run as symbols come and go."""

import pytest

from heddle.runtime.assembly.hooks import Hooks
from heddle.runtime.assembly.symbol import Symbol
from tests.runtime.assembly.test_table import symbol
from tests.runtime.worlds import linked

pytestmark = pytest.mark.anyio

A = symbol(linked("step", "a"))


async def test_load_hooks_run_in_order_and_unload_hooks_backwards() -> None:
    hooks, said = Hooks(), list[str]()

    async def waits(one: Symbol) -> None:
        said.append(f"waited {one.label}")

    hooks.add(load=lambda _: said.append("first"), unload=lambda _: said.append("un first"))
    hooks.add(load=waits, unload=waits)
    await hooks.loaded(A)
    assert await hooks.unloaded(A) == []
    assert said == ["first", "waited a", "waited a", "un first"]


async def test_a_hook_is_added_once_and_can_be_taken_out() -> None:
    hooks, said = Hooks(), list[Symbol]()
    for _ in range(2):
        hooks.add(load=said.append, unload=said.append)
    await hooks.loaded(A)
    assert said == [A]
    hooks.remove(load=said.append, unload=said.append)
    hooks.remove(load=said.append)
    await hooks.loaded(A)
    await hooks.unloaded(A)
    assert said == [A]


async def test_a_load_hook_that_fails_stops_the_rest() -> None:
    hooks, said = Hooks(), list[Symbol]()

    def breaks(_: Symbol) -> None:
        raise ValueError("no")

    hooks.add(load=breaks)
    hooks.add(load=said.append)
    with pytest.raises(ValueError, match="no"):
        await hooks.loaded(A)
    assert said == []


async def test_unload_hooks_all_run_whatever_they_raise() -> None:
    hooks, said = Hooks(), list[Symbol]()

    def leaves(_: Symbol) -> None:
        raise SystemExit(1)

    async def breaks(_: Symbol) -> None:
        raise ValueError("no")

    hooks.add(unload=said.append)
    hooks.add(unload=leaves)
    hooks.add(unload=breaks)
    failures = await hooks.unloaded(A)
    assert [type(one) for one in failures] == [ValueError, SystemExit]
    assert said == [A]
