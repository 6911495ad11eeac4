"""The Watcher hears which keys changed and hands them to the Loader; keys wait, each once."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Protocol, TypeVar

from heddle.runtime.assembly.outcome import LoadResult
from heddle.runtime.events.events import Events
from heddle.runtime.flow.errors import Error, NodeError
from heddle.runtime.flow.step import FAILURES
from heddle.runtime.flow.tasks import Tasks
from heddle.schemas.errors import StoreError
from heddle.specs.files.spare import SPARE
from heddle.specs.model.store import ChangeSet, ResumableStore, Store

T = TypeVar("T")

PAUSE = 0.1
LONGEST = 10.0
"""Seconds before a store that could not be followed is tried again: at first, and at most."""

FIRST = 1.0
"""Seconds before what was rejected while descriptors were short is tried again, at first."""


class Load(Protocol):
    """The receiver of a change set."""

    def __call__(self, changes: ChangeSet, *, trial: bool = False) -> Awaitable[LoadResult]:
        """Load it; a rejected trial is not told."""
        ...


class Watcher:
    """Follows one store.

    Change sets that arrive while one is loaded wait and are taken together; if together they
    are rejected, each is tried by itself, in the order it came. If the store could not be
    followed or read for a while, a store that is Resuming tells what was missed once it can be again;
    otherwise `missed` looks at everything.
    """

    def __init__(
        self,
        store: Store,
        namespace: str,
        load: Load,
        events: Events,
        missed: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._store = store
        self._namespace = namespace
        self._load = load
        self._events = events
        self._missed = missed
        self._behind = False
        self._lost = ""
        self._failed = ""
        self._reached: int | None = None
        self._pause = PAUSE
        self._retry = FIRST
        self._waiting: list[ChangeSet] = []
        self._changed = asyncio.Event()
        self._tasks = Tasks(self._report)
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to follow; changes from this moment on are heard.

        Where the store cannot be followed yet, that is told and tried again. Whoever reads the store
        afterwards has seen what was there before.
        """
        self._reached = await self._newest()
        ready = asyncio.get_running_loop().create_future()
        self._task = self._tasks.start(self._run(ready))
        await ready

    async def stop(self) -> None:
        """Hear nothing more. What is being loaded goes on."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    async def _run(self, ready: "asyncio.Future[None]") -> None:
        # Imported late: a runtime that follows nothing does not pay for it.
        from anyio import create_task_group

        try:
            async with create_task_group() as group:
                group.start_soon(self._listen, ready)
                group.start_soon(self._work)
        finally:
            _set(ready)

    def _report(self, error: Exception) -> None:
        event = self._events.failed("watch failed", Error.of(error), store=self._store.url)
        self._lost = f"its changes cannot be followed: {event.reason}"

    @property
    def behind(self) -> bool:
        """Whether something was missed that has not been looked at yet."""
        return self._behind

    @property
    def failure(self) -> str:
        """Why the store cannot be followed, or read, at this moment; empty if it can."""
        return self._lost or self._failed

    async def _listen(self, ready: "asyncio.Future[None]") -> None:
        pause = PAUSE
        while True:
            try:
                async for changes in self._follow(ready):
                    pause, self._lost = PAUSE, ""
                    self._waiting.append(changes)
                    self._changed.set()
                return
            except FAILURES as error:
                self._behind = True
                event = self._events.failed(
                    "watch failed", Error.of(error), store=self._store.url, again=pause
                )
                self._lost = f"its changes cannot be followed: {event.reason}"
                _set(ready)
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST)

    async def _follow(self, ready: "asyncio.Future[None]") -> AsyncIterator[ChangeSet]:
        """Yield one watch, to its end; it has begun once its first step waits."""
        changes = self._store.watch(self._namespace)
        step = self._tasks.start(_next(changes), awaited=True)
        try:
            await asyncio.sleep(0)
            if not step.done():
                _set(ready)
                if self._behind:
                    self._changed.set()
            while (change := await step) is not None:
                yield change
                step = self._tasks.start(_next(changes), awaited=True)
            _set(ready)
        finally:
            step.cancel()
            await asyncio.wait([step])

    async def _work(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            waiting, self._waiting = self._waiting, []
            began = time.monotonic()
            if self._behind and self._missed is not None:
                self._behind = False
                missed = await self._whole(self._catch_up(self._missed))
                if missed is not None:
                    self._lost = ""
                waiting = [*(missed or ()), *waiting]
                if SPARE.short_since(began):
                    self._again()
                else:
                    self._retry = FIRST
            waiting = self._unseen(waiting)
            if len(waiting) > 1 and not await self._rejected(merge(waiting), trial=True):
                self._reach(waiting[-1].revision)
                continue
            for changes in waiting:
                await self._rejected(changes)
                self._reach(changes.revision)

    async def _catch_up(self, everything: Callable[[], Awaitable[None]]) -> Sequence[ChangeSet]:
        """Return the change sets that were missed; if nobody can tell them, look at everything."""
        if self._reached is not None and isinstance(self._store, ResumableStore):
            missed = await self._store.missed(self._reached, self._namespace)
            if missed is not None:
                return missed
        newest = await self._newest()
        await everything()
        self._reached = newest
        return ()

    def _unseen(self, waiting: list[ChangeSet]) -> list[ChangeSet]:
        """Return each once, and none that was looked at while we caught up."""
        if self._reached is None or not isinstance(self._store, ResumableStore):
            return waiting
        unseen: dict[int, ChangeSet] = {}
        for changes in waiting:
            if changes.revision > self._reached:
                unseen.setdefault(changes.revision, changes)
        return list(unseen.values())

    def _reach(self, revision: int) -> None:
        """Note that everything up to here was looked at; not while something of it is missing."""
        if self._reached is not None and not self._behind:
            self._reached = max(self._reached, revision)

    async def _newest(self) -> int | None:
        """Return how far the store has come; None if it does not matter, or cannot be told now."""
        if not isinstance(self._store, ResumableStore):
            return None
        try:
            return await self._store.newest()
        except StoreError:
            return None

    async def _rejected(self, changes: ChangeSet, *, trial: bool = False) -> bool:
        """Load a change set; whether it is not live.

        What was rejected while file descriptors were short is looked at again: they may be why.
        """
        began = time.monotonic()
        loaded = await self._whole(self._load(changes, trial=trial))
        if loaded is not None and loaded.rejected and not trial and SPARE.short_since(began):
            self._again()
        return loaded is None or loaded.rejected

    def _again(self) -> None:
        """Look at everything again in a moment, which gets longer from one to the next."""
        if self._missed is not None:
            self._behind = True
            asyncio.get_running_loop().call_later(self._retry, self._changed.set)
            self._retry = min(self._retry * 2, LONGEST)

    async def _whole(self, work: Awaitable[T]) -> T | None:
        """Do work to its end, even when this task is stopped meanwhile; None if it failed."""
        task = self._tasks.start(self._guarded(work), awaited=True)
        # Where we are stopped meanwhile, nobody else asks what became of it; it was told.
        task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        try:
            done = await asyncio.shield(task)
        except NodeError:
            if self._missed is not None:
                self._behind = True
                asyncio.get_running_loop().call_later(self._pause, self._changed.set)
                self._pause = min(self._pause * 2, LONGEST)
            return None
        self._pause, self._failed = PAUSE, ""
        return done

    async def _guarded(self, work: Awaitable[T]) -> T:
        """Await work; what it raises is told, and becomes a NodeError."""
        try:
            return await work
        except FAILURES as error:
            problem = Error.of(error)
            event = self._events.failed("load failed", problem)
            self._failed = f"it could not be read after a change: {event.reason}"
            raise NodeError(problem) from error


async def _next(changes: AsyncIterator[ChangeSet]) -> ChangeSet | None:
    """Return the next change set; None if the store has closed."""
    return await anext(changes, None)


def _set(ready: "asyncio.Future[None]") -> None:
    if not ready.done():
        ready.set_result(None)


def merge(sets: list[ChangeSet]) -> ChangeSet:
    """Return one change set that tells to look wherever one of these does."""
    return ChangeSet(
        specs=frozenset().union(*(change_set.specs for change_set in sets)),
        values=frozenset().union(*(change_set.values for change_set in sets)),
        problems=tuple(
            dict.fromkeys(problem for change_set in sets for problem in change_set.problems)
        ),
        invalid=tuple(spec for change_set in sets for spec in change_set.invalid),
        revision=max((change_set.revision for change_set in sets), default=0),
        origin=", ".join(
            dict.fromkeys(change_set.origin for change_set in sets if change_set.origin)
        ),
    )
