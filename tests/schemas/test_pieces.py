"""Long work is done in pieces, and the event loop goes on between two of them."""

import asyncio
import weakref

import pytest

from heddle.schemas import pieces

pytestmark = pytest.mark.anyio


class Thing:
    """A thing that notes nothing; it can be referred to weakly."""


async def test_a_long_list_is_freed_in_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """To free all of it at once would hold up others as long as to make it."""
    monkeypatch.setattr(pieces, "SLICE", -1.0)
    turn = 0
    freed: list[int] = []

    async def tick() -> None:
        nonlocal turn
        while True:
            turn += 1
            await asyncio.sleep(0)

    def make() -> Thing:
        thing = Thing()
        weakref.finalize(thing, lambda: freed.append(turn))
        return thing

    things = [make() for _ in range(20)]
    ticking = asyncio.create_task(tick())
    try:
        await pieces.empty_by_turns(things)
    finally:
        ticking.cancel()
    assert things == []
    assert len(set(freed)) == len(freed) == 20
