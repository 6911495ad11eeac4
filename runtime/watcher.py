"""The Watcher hears which keys changed and hands them to the Loader; keys wait, each once."""

import asyncio
from collections.abc import Awaitable
from typing import Any, Protocol

from heddle.runtime.errors import Error
from heddle.runtime.events import Events
from heddle.runtime.loader import Loaded
from heddle.specs.store import ChangeSet, Store


class Load(Protocol):
    """What a change set is handed to."""

    def __call__(self, changes: ChangeSet, *, trial: bool = False) -> Awaitable[Loaded]:
        """Load it; a refused trial is not told."""
        ...


class Watcher:
    """Follows one store.

    Change sets that arrive while one is loaded wait and are taken together; where together they
    are refused, each is tried by itself, in the order it came.
    """

    def __init__(
        self,
        store: Store,
        namespace: str,
        load: Load,
        events: Events,
    ) -> None:
        self._store = store
        self._namespace = namespace
        self._load = load
        self._events = events
        self._waiting: list[ChangeSet] = []
        self._heard = asyncio.Event()
        self._tasks: list[asyncio.Task[Any]] = []

    async def start(self) -> None:
        """Begin to follow; changes from this moment on are heard."""
        ready = asyncio.get_running_loop().create_future()
        self._tasks = [
            asyncio.create_task(self._listen(ready)),
            asyncio.create_task(self._work()),
        ]
        await ready

    async def stop(self) -> None:
        """Hear nothing more; what is being loaded is finished first."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    async def _listen(self, ready: "asyncio.Future[None]") -> None:
        pause = 0.1
        while True:
            try:
                changes = self._store.watch(self._namespace)
                step = asyncio.ensure_future(anext(changes))
                await asyncio.sleep(0)
                if not ready.done():
                    ready.set_result(None)
                while True:
                    self._hear(await step)
                    pause = 0.1
                    step = asyncio.ensure_future(anext(changes))
            except StopAsyncIteration:
                return
            except Exception as error:
                self._events.failed(
                    "watch failed",
                    Error.of(error),
                    level="error",
                    store=self._store.url,
                    again=pause,
                )
                await asyncio.sleep(pause)
                pause = min(pause * 2, 10.0)

    def _hear(self, changes: ChangeSet) -> None:
        self._waiting.append(changes)
        self._heard.set()

    async def _work(self) -> None:
        while True:
            await self._heard.wait()
            self._heard.clear()
            waiting, self._waiting = self._waiting, []
            if len(waiting) > 1 and not await self._refused(merge(waiting), trial=True):
                continue
            for changes in waiting:
                await self._refused(changes)

    async def _refused(self, changes: ChangeSet, *, trial: bool = False) -> bool:
        """Load a change set to its end, even when this task is stopped meanwhile."""
        try:
            loaded = await asyncio.shield(asyncio.ensure_future(self._load(changes, trial=trial)))
        except Exception as error:
            self._events.failed("load failed", Error.of(error), level="error")
            return True
        return loaded.refused


def merge(sets: list[ChangeSet]) -> ChangeSet:
    """One change set that tells to look wherever one of these does."""
    return ChangeSet(
        specs=frozenset().union(*(one.specs for one in sets)),
        values=frozenset().union(*(one.values for one in sets)),
        problems=tuple(dict.fromkeys(problem for one in sets for problem in one.problems)),
        origin=", ".join(dict.fromkeys(one.origin for one in sets if one.origin)),
    )
