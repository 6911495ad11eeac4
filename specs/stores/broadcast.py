"""A Feed tells every watcher of a store each change set once."""

import asyncio
from collections.abc import AsyncIterator, Callable

import msgspec

from heddle.specs.model.store import ChangeSet

# A watcher that does not come to read gets one joined change set in the end, not a heap of them.
_JOIN_ABOVE = 64


class ChangeFeed:
    """Hands change sets to watchers, each with a queue of its own."""

    def __init__(self) -> None:
        self._queues: set[asyncio.Queue[ChangeSet | Exception | None]] = set()

    @property
    def watched(self) -> bool:
        """Whether anybody watches."""
        return bool(self._queues)

    def publish(self, changes: ChangeSet) -> None:
        """Give a change set to everybody who watches."""
        for queue in self._queues:
            queue.put_nowait(_joined(queue, changes) if queue.qsize() >= _JOIN_ABOVE else changes)

    def end(self, error: Exception | None = None) -> None:
        """End every watch, after what it has still to read, with this error if there is one."""
        for queue in self._queues:
            queue.put_nowait(error)

    async def watch(
        self, begin: Callable[[], None] | None = None, end: Callable[[], None] | None = None
    ) -> AsyncIterator[ChangeSet]:
        """Yield the change sets from the first `anext` on.

        `begin` is called when nothing can be missed any more, `end` when the watch is over.
        """
        queue: asyncio.Queue[ChangeSet | Exception | None] = asyncio.Queue()
        self._queues.add(queue)
        try:
            if begin is not None:
                begin()
            while (changes := await queue.get()) is not None:
                if isinstance(changes, Exception):
                    raise changes
                yield changes
        finally:
            self._queues.discard(queue)
            if end is not None:
                end()


def _joined(queue: "asyncio.Queue[ChangeSet | Exception | None]", last: ChangeSet) -> ChangeSet:
    waiting = [queue.get_nowait() for _ in range(queue.qsize())]
    sets = [changes for changes in waiting if isinstance(changes, ChangeSet)]
    return msgspec.structs.replace(
        last,
        specs=last.specs.union(*(changes.specs for changes in sets)),
        values=last.values.union(*(changes.values for changes in sets)),
        revision=max([last.revision, *(changes.revision for changes in sets)]),
    )
