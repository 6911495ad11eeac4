"""Hooks run as symbols come and go: load hooks before a symbol is live, unload hooks after."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeAlias

from heddle.runtime.flow.step import FAILURES

if TYPE_CHECKING:
    from heddle.runtime.assembly.symbol import Symbol

Hook: TypeAlias = Callable[["Symbol"], Awaitable[None] | None]
"""Given the symbol; it may wait. What a load hook raises rejects the change."""


class Hooks:
    """Load hooks run in the order they were added, unload hooks in the reverse order."""

    def __init__(self) -> None:
        self._load: list[Hook] = []
        self._unload: list[Hook] = []

    def add(self, *, load: Hook | None = None, unload: Hook | None = None) -> None:
        """Add hooks; one that is there already is not added again."""
        if load is not None and load not in self._load:
            self._load.append(load)
        if unload is not None and unload not in self._unload:
            self._unload.append(unload)

    def remove(self, *, load: Hook | None = None, unload: Hook | None = None) -> None:
        """Take hooks out again; one that is not there is ignored."""
        if load is not None and load in self._load:
            self._load.remove(load)
        if unload is not None and unload in self._unload:
            self._unload.remove(unload)

    async def loaded(self, symbol: "Symbol") -> None:
        """Run the load hooks; the first failure is raised."""
        for hook in self._load:
            waits = hook(symbol)
            if waits is not None:
                await waits

    async def unloaded(self, symbol: "Symbol") -> list[BaseException]:
        """Run the unload hooks, all of them; what they raised is returned."""
        failures: list[BaseException] = []
        for hook in reversed(self._unload):
            try:
                waits = hook(symbol)
                if waits is not None:
                    await waits
            except FAILURES as error:
                failures.append(error)
        return failures
