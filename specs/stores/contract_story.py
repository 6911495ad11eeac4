"""The tools of the stories of a contract for stores: Specs, Values, and somebody who watches."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Any
from uuid import UUID

from heddle.specs.model.names import named_id, new_id
from heddle.specs.model.spec import Spec
from heddle.specs.model.store import ChangeSet, Store
from heddle.specs.model.value import Value

PATIENCE = 20.0
"""Seconds until something that has to come counts as missing."""

AWKWARD: dict[str, Any] = {
    "nothing": None,
    "yes": True,
    "no": False,
    "int": 8000,
    "big": 9_007_199_254_740_991,
    "negative": -1,
    "float": 0.25,
    "empty": "",
    "list": [],
    "mapping": {},
    "nested": {"list": [1, "1", [None, {"deep": True}]]},
    "texts": ["yes", "on", "null", "~", "1_000", "0o17", "012", "1e3", ".5e3", "true", "<<", "="],
    "signs": [
        "# no",
        "a: b",
        "- x",
        "*x",
        "&x",
        "!x",
        "%x",
        "@x",
        "`x",
        "{",
        "}",
        "[",
        "]",
        ",",
        "|",
    ],
    "quotes": ["it's", 'say "so"', "back\\slash"],
    "spaces": [
        " before",
        "after ",
        "  ",
        "tab\tin",
        "two\nlines",
        "end\n",
        "\nstart",
        "a\n\n\nb\n\n",
    ],
    "letters": "Grüße, 世界, 🧵",
    "blank": "{{ .PORT }} {% raw %}",
    "1": "a key that looks like a number",
    "key: with, signs": 1,
}
"""Fields that every store has to give back as they are."""


def spec(name: str | None, kind: str = "nop", **more: Any) -> Spec:
    """Return a Spec; one without a name gets a new id."""
    namespace = more.pop("namespace", "default")
    id_ = more.pop("id", None) or (named_id("spec", namespace, name) if name else new_id())
    return Spec(id=id_, kind=kind, name=name, namespace=namespace, **more)


def value(name: str | None, data: Any = None, **more: Any) -> Value:
    """Return a Value; one without a name gets a new id."""
    namespace = more.pop("namespace", "default")
    id_ = more.pop("id", None) or (named_id("value", namespace, name) if name else new_id())
    return Value(id=id_, name=name, namespace=namespace, data=data, **more)


class Watch:
    """A watch that has begun, and what it told so far."""

    def __init__(self, changes: AsyncIterator[ChangeSet]) -> None:
        self._changes = changes
        self._next: asyncio.Future[ChangeSet] = asyncio.ensure_future(anext(self._changes))

    @staticmethod
    async def begin(store: Store) -> "Watch":
        """Begin to watch; from its return on every change is told."""
        watch = Watch(store.watch())
        await asyncio.sleep(0)
        return watch

    async def next(self) -> ChangeSet:
        """Return the next change set."""
        changes = await asyncio.wait_for(self._next, PATIENCE)
        self._next = asyncio.ensure_future(anext(self._changes))
        await asyncio.sleep(0)
        return changes

    async def until(self, ids: Iterable[UUID]) -> list[ChangeSet]:
        """Return the change sets up to the one with which all these ids were told."""
        missing = set(ids)
        sets: list[ChangeSet] = []
        while missing:
            changes = await self.next()
            sets.append(changes)
            missing -= changes.specs | changes.values
        return sets

    async def ended(self) -> bool:
        """Return whether the watch ends, instead of telling something."""
        try:
            await asyncio.wait_for(self._next, PATIENCE)
        except StopAsyncIteration:
            return True
        return False

    async def stop(self) -> None:
        """End the watch."""
        self._next.cancel()
        await asyncio.gather(self._next, return_exceptions=True)
