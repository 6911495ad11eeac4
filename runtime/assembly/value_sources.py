"""The files that Values come from are followed, as the store is: a change goes live if it is bound.

They are looked at again and again, for they stand wherever they like: on network folders, behind links
that are swapped, in folders that are not there yet. A look costs one question to the file system each.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from uuid import UUID

from heddle.runtime.assembly.outcome import LoadResult
from heddle.runtime.events.events import Events
from heddle.runtime.flow.errors import Error
from heddle.runtime.flow.step import FAILURES
from heddle.runtime.flow.tasks import Tasks
from heddle.specs.files.identity import Stamp, stamp_of
from heddle.specs.files.spare import SPARE
from heddle.specs.model.store import ChangeSet
from heddle.specs.model.value import Value
from heddle.specs.secrets.vault import Vault

EVERY = 0.5
"""Seconds from one look to the next; a file counts once it was the same twice."""

LONGEST = 10.0
"""Seconds to the next look, at most, while what changed cannot be loaded."""


class Sources:
    """Follows the files of Values, and those of the keys, from `follow` to `stop`.

    `load` is handed the Values whose files hold something else now; `values` are those of the
    namespace, for keys that are new.
    """

    def __init__(
        self,
        vault: Vault,
        load: Callable[[ChangeSet], Awaitable[LoadResult]],
        values: Callable[[], Awaitable[Sequence[Value]]],
        events: Events,
        *,
        every: float = EVERY,
    ) -> None:
        self._vault = vault
        self._load = load
        self._values = values
        self._events = events
        self._every = self._pause = every
        self._last: dict[str, Stamp | None] = {}
        self._seen: dict[str, Stamp | None] = {}
        self._pending: set[UUID] = set()
        self._anew = False
        self._again = False
        self._tasks = Tasks(self._report)
        self._task: asyncio.Task[None] | None = None

    @property
    def files(self) -> frozenset[str]:
        """The files that are followed."""
        keys = self._vault.keys
        return self._vault.files | frozenset(keys.files if keys.read else ())

    def follow(self) -> None:
        """Begin, if there is something to follow."""
        if self._task is None and self.files:
            self._task = self._tasks.start(self._work())

    async def stop(self) -> None:
        """Follow nothing any more. What is being loaded goes on."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    def _report(self, error: Exception) -> None:
        self._events.failed("load failed", Error.of(error))

    async def _work(self) -> None:
        while True:
            await asyncio.sleep(self._pause)
            if not (self.files or self._pending or self._anew or self._again):
                continue
            now = await asyncio.to_thread(_stamps, self.files)
            still = {path for path, stamp in now.items() if self._last.get(path, 0) == stamp}
            changed = {path for path in still if self._seen.get(path, 0) != now[path]}
            self._last = now
            if changed or self._pending or self._anew or self._again:
                kept = {path: stamp for path, stamp in self._seen.items() if path in now}
                self._seen = kept | {path: now[path] for path in changed}
                await self._look(changed)

    async def _look(self, changed: set[str]) -> None:
        """Hand on what these files hold now; what could not be loaded is tried at the next look."""
        began = time.monotonic()
        keys = self._vault.keys
        again, self._again = self._again, True
        try:
            if changed & set(keys.files) or (again and keys.read and keys.passing):
                await self._renew()
            if self._anew:
                # With other keys, whatever is sealed is opened anew.
                self._pending |= {each.id for each in await self._values() if each.sealed}
                self._anew = False
            self._pending |= await asyncio.to_thread(self._vault.changed)
            if self._pending:
                origin = ", ".join(f"file://{path}" for path in sorted(changed))
                work = self._load(ChangeSet(values=frozenset(self._pending), origin=origin))
                loaded = await asyncio.shield(self._tasks.start(work, awaited=True))
                if loaded.rejected and SPARE.short_since(began):
                    # That may be why; what they hold is looked at again.
                    self._pause = min(self._pause * 2, LONGEST)
                    return
                self._pending.clear()
            self._again = keys.read and keys.passing
            self._pause = self._every
        except FAILURES as error:
            self._pause = min(self._pause * 2, LONGEST)
            self._events.failed("load failed", Error.of(error), again=self._pause)

    async def _renew(self) -> None:
        """Read the keys again, and tell where others are there now."""
        if await asyncio.to_thread(self._vault.keys.renew):
            self._anew = True
            keys = self._vault.keys
            self._events.emit("keys changed", reason="; ".join(keys.failures), keys=list(keys.ids))


def _stamps(paths: Iterable[str]) -> dict[str, Stamp | None]:
    """Return what tells one state of each file from the next; None for one that is not there."""
    return {path: stamp_of(path) for path in paths}
