"""Following hears what changes in one namespace, for as long as somebody watches."""

import asyncio
from collections.abc import AsyncIterator, Callable

from heddle.schemas.errors import StoreError
from heddle.specs.model.store import ChangeSet
from heddle.specs.stores.broadcast import ChangeFeed


class SharedStream:
    """One stream of changes for everybody who watches the same. `changes` begins it anew.

    `url` is whose stream it is, for errors.
    """

    def __init__(self, url: str, changes: Callable[[], AsyncIterator[ChangeSet]]) -> None:
        self._url = url
        self._changes = changes
        self._feed = ChangeFeed()
        self._task: asyncio.Task[None] | None = None
        self._ending: set[asyncio.Task[None]] = set()

    def watch(self) -> AsyncIterator[ChangeSet]:
        """Return the change sets from the first `anext` on; raise StoreError if the stream breaks."""
        return self._feed.watch(self._begin, self._end)

    async def close(self) -> None:
        """Hear no more; watchers end."""
        self._stop()
        await asyncio.gather(*self._ending, return_exceptions=True)
        self._feed.end()

    def _begin(self) -> None:
        if self._task is None:
            self._task = asyncio.ensure_future(self._publish())

    def _end(self) -> None:
        if not self._feed.watched:
            self._stop()

    def _stop(self) -> None:
        # Forgotten at once: whoever watches next has a stream of its own, not one that is ending.
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)

    async def _publish(self) -> None:
        try:
            async for changes in self._changes():
                self._feed.publish(changes)
        except StoreError as error:
            self._broken(error)
        except Exception as error:
            # Whoever watches must not wait for what nobody hears any more.
            self._broken(StoreError(f"{self._url} tells what is not understood: {error}"))

    def _broken(self, error: StoreError) -> None:
        self._task = None
        self._feed.end(error)
