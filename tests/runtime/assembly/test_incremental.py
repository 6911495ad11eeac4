"""Change after change, a runtime comes to what it would come to if it began with the last of them."""

import asyncio
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from heddle.runtime.runtime import Runtime
from heddle.specs.model.index import Key, key_of
from heddle.specs.model.spec import Spec
from heddle.specs.model.store import Change, ChangeSet, Delete, Put, Resource
from heddle.specs.stores.memory import MemoryStore
from tests.runtime.changing import everything
from tests.runtime.random_specs import resources
from tests.runtime.worlds import run_state

Turn = list[Resource | Key]
"""What one change set puts, and the keys that it takes out."""


@st.composite
def histories(draw: Any) -> list[Turn]:
    """Return some change sets, one after the other."""
    held: set[Key] = set()
    turns: list[Turn] = []
    for _ in range(draw(st.integers(1, 5))):
        puts = {key_of(each): each for each in draw(st.lists(resources, min_size=1, max_size=4))}
        gone = draw(st.lists(st.sampled_from(sorted(held, key=str)), max_size=2)) if held else []
        drops = list(dict.fromkeys(key for key in gone if key not in puts))
        held = (held | set(puts)) - set(drops)
        turns.append([*puts.values(), *drops])
    return turns


def picture(rt: Runtime) -> dict[str, Any]:
    """Return what can be seen of a runtime: each symbol, why it is as it is, and where its ports lead."""
    seen: dict[str, Any] = {"problems": sorted(str(each) for each in rt.status().problems)}
    for each in rt.status().symbols:
        symbol = rt.table.get(each.id)
        near = rt.table.neighbours(symbol) if symbol is not None else []
        seen[str(each.id)] = (
            each.name,
            each.kind,
            run_state(each),
            sorted(each.reasons),
            symbol.binding.spec.fields if symbol is not None else None,
            sorted(other.label for other in near),
            sorted(rt.table.wiring.inputs(each.id)),
        )
    return seen


async def began(held: dict[Key, Resource]) -> dict[str, Any]:
    """Return what a runtime comes to that begins with all of this."""
    async with Runtime(store=MemoryStore(held.values()), kinds=everything(), watch=False) as rt:
        return picture(rt)


@settings(max_examples=100, deadline=None)
@given(histories())
def test_changes_one_by_one_come_to_the_same_as_all_at_once(turns: list[Turn]) -> None:
    async def story() -> None:
        store = MemoryStore()
        held: dict[Key, Resource] = {}
        async with Runtime(store=store, kinds=everything(), watch=False) as rt:
            for turn in turns:
                changes: list[Change] = []
                for each in turn:
                    if isinstance(each, tuple):
                        changes.append(Delete(type=each[0], id=each[1]))
                        del held[each]
                    else:
                        changes.append(Put(resource=each))
                        held[key_of(each)] = each
                await store.apply(changes)
                keys = [each if isinstance(each, tuple) else key_of(each) for each in turn]
                specs = frozenset(id_ for sort, id_ in keys if sort is Spec)
                values = frozenset(id_ for sort, id_ in keys if sort is not Spec)
                await rt.load(ChangeSet(specs=specs, values=values))
                if rt.status().problems:
                    # What was rejected goes on as it was: whoever begins now never had that.
                    continue
                assert picture(rt) == await began(held)

    asyncio.run(story())
