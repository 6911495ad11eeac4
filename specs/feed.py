"""A Feed tells every watcher of a store each change set once."""

import asyncio
from collections.abc import AsyncIterator, Callable

import msgspec

from heddle.specs.store import ChangeSet

# A watcher that does not come to read gets one joined change set in the end, not a heap of them.
_JOIN_ABOVE = 64


class Feed:
    """Hands change sets to watchers, each with a queue of its own."""

    def __init__(self) -> None:
        self._queues: set[asyncio.Queue[ChangeSet | None]] = set()

    @property
    def watched(self) -> bool:
        """Whether anybody watches."""
        return bool(self._queues)

    def tell(self, changes: ChangeSet) -> None:
        """Give a change set to everybody who watches."""
        for queue in self._queues:
            if queue.qsize() >= _JOIN_ABOVE:
                changes = _joined(queue, changes)
            queue.put_nowait(changes)

    def end(self) -> None:
        """End every watch after what it has still to read."""
        for queue in self._queues:
            queue.put_nowait(None)

    async def watch(
        self, narrow: Callable[[ChangeSet], ChangeSet | None] | None = None
    ) -> AsyncIterator[ChangeSet]:
        """The change sets from the first `anext` on; `narrow` may leave some out."""
        queue: asyncio.Queue[ChangeSet | None] = asyncio.Queue()
        self._queues.add(queue)
        try:
            while (changes := await queue.get()) is not None:
                wanted = narrow(changes) if narrow is not None else changes
                if wanted is not None:
                    yield wanted
        finally:
            self._queues.discard(queue)


def _joined(queue: "asyncio.Queue[ChangeSet | None]", last: ChangeSet) -> ChangeSet:
    waiting = [queue.get_nowait() for _ in range(queue.qsize())]
    told = [changes for changes in waiting if changes is not None]
    return msgspec.structs.replace(
        last,
        specs=last.specs.union(*(changes.specs for changes in told)),
        values=last.values.union(*(changes.values for changes in told)),
    )
