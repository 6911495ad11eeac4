"""The keeper of what a runtime accepts: it stays in the store, so that a later start has something to fall back to.

The Accepter never holds up a change: it notes what went live, and writes it in a task of its own.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from uuid import UUID

from heddle.runtime.events.events import Events
from heddle.runtime.flow.errors import Error
from heddle.runtime.flow.step import FAILURES
from heddle.runtime.flow.tasks import Tasks
from heddle.schemas.errors import HeddleError
from heddle.schemas.problem import Problem
from heddle.specs.model.accepted import AcceptanceStore, AcceptedKey, AcceptedResource
from heddle.specs.model.spec import Spec, file_of
from heddle.specs.model.value import Value

LIMIT = 5.0
"""Seconds that the last write may take when the runtime ends."""

PAUSE = 0.2
LONGEST = 30.0
"""Seconds until a write that failed is tried again: at first, and at most."""


class LastAccepted:
    """The content of a store that was accepted last: Specs with the Values that they need.

    They are read only if a start needs them: most starts do not.
    """

    def __init__(self, items: Iterable[AcceptedResource] = ()) -> None:
        self._items = tuple(items)
        specs = [item for item in self._items if item.sort == "spec"]
        self.files = {spec.id: spec.file for spec in specs}
        self.active = {spec.id for spec in specs if spec.active}
        self._known = set(self.files.values())

    def __bool__(self) -> bool:
        return bool(self.files)

    @cached_property
    def specs(self) -> dict[UUID, Spec]:
        """The Specs by their ids."""
        return {
            resource.id: resource for resource in self._read("spec") if isinstance(resource, Spec)
        }

    @cached_property
    def values(self) -> dict[UUID, Value]:
        """The Values by their ids."""
        return {
            resource.id: resource for resource in self._read("value") if isinstance(resource, Value)
        }

    def load(self) -> None:
        """Read all of them now; in a thread, as there may be many."""
        _ = self.specs, self.values

    def _read(self, sort: str) -> Iterator[Spec | Value]:
        for item in self._items:
            # A record of a newer Heddle cannot be read here: nothing to fall back to, then.
            with contextlib.suppress(HeddleError):
                if item.sort == sort:
                    yield item.resource

    def blocking(
        self, uuid: UUID, problems: Sequence[Problem], *, present: bool
    ) -> tuple[Problem, ...]:
        """Return the Problems of documents for which the newest revision of a Spec does not count.

        `present` says whether the store gives one. It may stand in the document that cannot be read:
        that in which it stood, or one that nothing was accepted from.
        """
        spec = self.specs[uuid]
        places = {f"{spec.name}.name", f"{spec.name}.id", f"{uuid}.id"}
        taken = [problem for problem in problems if _clashes(problem) and problem.path in places]
        if taken:
            return tuple(taken)
        if present:
            return ()
        return tuple(
            problem
            for problem in problems
            if not _clashes(problem)
            and problem.code != "unreadable-history"
            and (problem.place.file == self.files[uuid] or problem.place.file not in self._known)
        )

    def sources(self, has_no_ins: Callable[[str], bool]) -> set[UUID]:
        """Return the Specs that were active, and by which something comes in: nobody leads to them."""
        targets = {
            link.id or link.name
            for spec in self.specs.values()
            for links in spec.ports.values()
            for link in links
        }
        return {
            uuid
            for uuid, spec in self.specs.items()
            if uuid in self.active
            and (has_no_ins(spec.kind) or (spec.ports and not {uuid, spec.name} & targets))
        }


def _clashes(problem: Problem) -> bool:
    return problem.code in ("duplicate-name", "duplicate-id")


class Accepter:
    """Keeps in a store what one runtime has accepted."""

    def __init__(self, store: AcceptanceStore, namespace: str, events: Events) -> None:
        self._store = store
        self._namespace = namespace
        self._events = events
        self._kept: dict[AcceptedKey, tuple[Spec | Value, bool]] = {}
        self._dropped: set[AcceptedKey] = set()
        self._stored: dict[AcceptedKey, tuple[int, bool, str]] = {}
        self._uses: dict[UUID, frozenset[UUID]] = {}
        self._used: Counter[UUID] = Counter()
        self._changed = asyncio.Event()
        self._tasks = Tasks(self._broke)
        self._failing = False

    async def read(self) -> LastAccepted:
        """Return what was accepted last; a store that cannot say it is told of, and says nothing."""
        try:
            state = await self._store.accepted(self._namespace)
        except FAILURES as error:
            self._events.failed("last accepted not read", Error.of(error), level="warning")
            return LastAccepted()
        if state.problems:
            self._events.emit(
                "last accepted not read",
                level="warning",
                reason="some of it cannot be read, and is left out",
                problems=state.problems,
            )
        self._stored = {item.key: (item.revision, item.active, item.file) for item in state.items}
        return LastAccepted(state.items)

    # --- noting ---

    def note(self, spec: Spec, *, active: bool, values: Mapping[UUID, Value] | None) -> None:
        """Note that a Spec is live, with the Values that it is bound to; None: with those as before."""
        self._note(("spec", spec.id), spec, active=active)
        if values is None:
            return
        self._bind(spec.id, values)
        for uuid, value in values.items():
            self._note(("value", uuid), value, active=True)

    def hold(self, uuid: UUID, values: Iterable[UUID]) -> None:
        """Note that a Spec serves as it was accepted before, with these Values."""
        self._bind(uuid, values)

    def forget(self, uuid: UUID) -> None:
        """Note that a Spec is gone. Never waits."""
        self._drop(("spec", uuid))
        self._release(self._uses.pop(uuid, frozenset()))

    def drop_unused(self) -> None:
        """Drop the Values that no Spec needs any more."""
        for sort, uuid in list(self._stored):
            if sort == "value" and not self._used[uuid]:
                self._drop((sort, uuid))

    def _bind(self, uuid: UUID, values: Iterable[UUID]) -> None:
        before, after = self._uses.get(uuid, frozenset()), frozenset(values)
        self._uses[uuid] = after
        self._used.update(after - before)
        self._release(before - after)

    def _release(self, values: Iterable[UUID]) -> None:
        self._used.subtract(values)
        for value in values:
            if self._used[value] <= 0:
                del self._used[value]
                self._drop(("value", value))

    def _note(self, key: AcceptedKey, resource: Spec | Value, *, active: bool) -> None:
        file = file_of(resource.places)
        mark = resource.revision, active, file
        self._dropped.discard(key)
        if resource.revision and self._stored.get(key) == mark and key not in self._kept:
            return
        self._kept[key] = resource, active
        self._changed.set()

    def _drop(self, key: AcceptedKey) -> None:
        self._kept.pop(key, None)
        self._dropped.add(key)
        self._changed.set()

    # --- writing ---

    def start(self) -> None:
        """Begin to write what is noted."""
        self._tasks.start(self._run())

    async def stop(self) -> None:
        """Write what is left, and write no more. A store that is away is not waited for."""
        if not self._tasks:
            return
        await self._tasks.stop()
        try:
            async with asyncio.timeout(LIMIT):
                await self._write()
        except TimeoutError as error:
            self._events.failed("acceptance not kept", Error.of(error), level="warning")

    def _broke(self, error: Exception) -> None:
        self._events.failed("acceptance not kept", Error.of(error))

    async def _run(self) -> None:
        pause = PAUSE
        while True:
            await self._changed.wait()
            self._changed.clear()
            if await self._write():
                pause = PAUSE
                continue
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST)
            self._changed.set()

    async def _write(self) -> bool:
        """Write what is noted; return whether it is kept. The first failure of a row is told."""
        kept, dropped = self._kept, self._dropped
        if not kept and not dropped:
            return True
        self._kept, self._dropped = {}, set()
        # What the store holds of these is not known before it is written: until then nothing counts
        # as stored, neither if it changes back meanwhile nor if the store fails after it wrote.
        for key in (*kept, *dropped):
            self._stored.pop(key, None)
        try:
            # Even to sort so many ids takes long enough to hold others up.
            keys = await asyncio.to_thread(sorted, dropped)
            records = await asyncio.to_thread(self._records, kept)
            await self._store.accept(self._namespace, records, keys)
        except BaseException as error:
            # What was noted meanwhile is newer.
            self._kept = {**kept, **self._kept}
            self._dropped = {key for key in dropped if key not in self._kept} | self._dropped
            for key in self._dropped:
                self._kept.pop(key, None)
            if not isinstance(error, FAILURES):
                raise
            if not self._failing:
                self._events.failed("acceptance not kept", Error.of(error), level="warning")
            self._failing = True
            return False
        self._failing = False
        for record in records:
            self._stored[record.key] = record.revision, record.active, record.file
        return True

    def _records(
        self, kept: Mapping[AcceptedKey, tuple[Spec | Value, bool]]
    ) -> list[AcceptedResource]:
        resources: list[AcceptedResource] = []
        for resource, active in kept.values():
            # What no store can keep was made by a program, which says it again at its next start.
            with contextlib.suppress(HeddleError):
                resources.append(AcceptedResource.of(resource, active=active))
        return resources
