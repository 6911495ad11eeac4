"""follow: begins a process for each thing that happens to what is managed."""

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from operator import attrgetter
from typing import Annotated, Any
from uuid import UUID

import msgspec

from heddle.extensions.extension import (
    Build,
    Fields,
    Host,
    Kind,
    Node,
    Payload,
    Port,
    Process,
    Schema,
    Source,
    about,
)
from heddle.extensions.manage.paths import relative
from heddle.runtime.events.events import Event
from heddle.runtime.managed import home_of, managed_by
from heddle.schemas.errors import StoreError
from heddle.schemas.pieces import LoopYield
from heddle.specs.model.store import ChangeSet

AGAIN = 1.0
"""Seconds until a watch that broke is tried again."""

NO_IDS: Mapping[str, list[str]] = {}

RELOADS = frozenset({"generation live", "change rejected", "specs left out"})


class Follow(Fields):
    """The fields of a `follow`."""

    processes: Annotated[
        int,
        about(
            "How many ends of processes are told in a second at most; of the others it is told how "
            "many they were. 0 tells none, and costs nothing.",
            ge=0,
        ),
    ] = 100
    queue: Annotated[
        int, about("How much may wait to be told; what is more is left out.", ge=1)
    ] = 10_000


class FollowNode(Node):
    """Owns what listens, and the task that tells it on."""

    def __init__(self, fields: Follow) -> None:
        self._fields = fields
        self._host: Host | None = None
        self._waiting: asyncio.Queue[Payload] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []
        self._ends: list[Callable[[], None]] = []
        self._where: dict[UUID, str] = {}
        self._second = 0
        self._sent = 0
        self._left_out = 0
        self._count = 0

    # -- life ----------------------------------------------------------------------------------

    async def open(self, host: Host) -> None:
        """Listen from now on."""
        self._host = host
        managed, home = managed_by(host), home_of(host)
        for runtime in dict.fromkeys((*managed.runtimes, home)):
            self._ends.append(runtime.events.listen(self._on_event))
            # The processes of this flow tell of the others: of themselves they would never end.
            if runtime is not home and self._fields.processes:
                self._ends.append(runtime.table.listen(partial(self._ended, runtime.namespace)))
        source = Source(host, "follow failed")
        self._tasks = [host.tasks.start(self._watch()), host.tasks.start(self._forward(source))]

    async def pause(self) -> None:
        """Listen no more."""
        for end in self._ends:
            end()
        self._ends.clear()
        # A cancelled task keeps its frames, and they keep this node: let go of the tasks.
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def snapshot(self) -> Mapping[str, Any]:
        """Return how much was told, and waits."""
        return {"told": self._count, "waiting": self._waiting.qsize(), "left_out": self._left_out}

    # -- what happens --------------------------------------------------------------------------

    async def _watch(self) -> None:
        if self._host is None:
            raise RuntimeError("the node is not open")
        store = managed_by(self._host).store
        while True:
            with suppress(StoreError):
                watching = store.watch()
                # The watch has to begin before the store is read.
                first = self._host.tasks.start(anext(watching), awaited=True)
                try:
                    await self._read_all()
                    await self._changed(await first)
                    async for changes in watching:
                        await self._changed(changes)
                except StopAsyncIteration:
                    pass
                finally:
                    first.cancel()
            await asyncio.sleep(AGAIN)

    async def _read_all(self) -> None:
        """Know of everything in the store where it is: what is deleted does not say it any more."""
        if self._host is None:
            raise RuntimeError("the node is not open")
        store = managed_by(self._host).store
        self._where |= {spec.id: spec.namespace for spec in await store.specs()}
        self._where |= {value.id: value.namespace for value in await store.values()}

    async def _changed(self, changes: ChangeSet) -> None:
        """Hand a change set to the streams of each namespace that it concerns."""
        if self._host is None:
            raise RuntimeError("the node is not open")
        store = managed_by(self._host).store
        turns = LoopYield()
        now: dict[UUID, str] = {}
        if changes.specs:
            for spec in await store.specs(None, changes.specs):
                await turns.rest()
                now[spec.id] = spec.namespace
        if changes.values:
            for value in await store.values(None, changes.values):
                await turns.rest()
                now[value.id] = value.namespace
        touched: dict[str, tuple[list[str], list[str]]] = {}
        for index, ids in enumerate((changes.specs, changes.values)):
            for id_ in sorted(ids, key=attrgetter("int")):
                await turns.rest()
                for space in {now.get(id_), self._where.get(id_)} - {None}:
                    touched.setdefault(str(space), ([], []))[index].append(str(id_))
        if not touched:
            # A document that cannot be read: nobody knows what stands in it.
            spaces = {spec.namespace for spec in changes.invalid}
            here = {runtime.namespace for runtime in managed_by(self._host).runtimes}
            touched = {space: ([], []) for space in spaces or here}
        for id_ in changes.specs | changes.values:
            await turns.rest()
            self._where.pop(id_, None)
        self._where |= now
        for space, (specs, values) in sorted(touched.items()):
            data = {
                "namespace": space,
                "revision": changes.revision,
                "origin": changes.origin,
                "problems": len(changes.problems),
            }
            self._put(space, "change", data, {"specs": specs, "values": values})

    def _on_event(self, event: Event) -> None:
        if event.level == "debug" or (
            self._host is not None
            and (event.symbol, event.namespace) == (self._host.label, self._host.namespace)
        ):
            return
        kind = "reload" if event.event in RELOADS else "event"
        value = msgspec.to_builtins(event)
        # Where the code of Heddle stands is for its log.
        value.pop("detail", None)
        self._put(event.namespace, kind, value)

    def _ended(self, namespace: str, process: Process) -> None:
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._sent, left_out = second, 0, self._left_out
            if left_out:
                self._left_out = 0
                self._put(namespace, "process", {"namespace": namespace, "left_out": left_out})
        if self._sent >= self._fields.processes:
            self._left_out += 1
            return
        self._sent += 1
        error = process.error
        data: dict[str, Any] = {
            "namespace": namespace,
            "id": str(process.id),
            "origin": process.origin,
            "generation": process.wiring.generation.number,
            "started": process.started,
            "seconds": round(max(0.0, time.time() - process.started), 6),
            "error": error.message if error is not None else None,
        }
        self._put(namespace, "process", data)

    def _put(
        self, namespace: str, kind: str, data: dict[str, Any], ids: Mapping[str, list[str]] = NO_IDS
    ) -> None:
        """Tell this to whoever follows; `ids` may be thousands, and hide nothing."""
        if self._waiting.qsize() >= self._fields.queue:
            self._left_out += 1
            return
        if self._host is None:
            raise RuntimeError("the node is not open")
        # Neither a namespace nor `*` holds a colon: no topic of one namespace is that of another.
        topics = [namespace, f"{namespace}:{kind}", "*", f"*:{kind}"]
        masked = self._host.shown(data)
        managed = managed_by(self._host)
        for runtime in managed.runtimes:
            masked = runtime.events.mask(masked)
        masked = relative(masked, managed.store.url)
        self._waiting.put_nowait({"topic": topics, "event": kind, "data": {**masked, **ids}})

    async def _forward(self, source: Source) -> None:
        while True:
            packet = await self._waiting.get()
            self._count += 1
            await source.run(packet)


def compile_follow(fields: Follow, build: Build) -> Node:
    """Return no problem: nothing has to be checked beforehand."""
    del build
    return FollowNode(fields)


FOLLOW: Kind[Any] = Kind(
    Schema(
        kind="follow",
        begins=lambda _: True,
        fields=Follow,
        summary="Begins a process for each thing that happens to what is managed.",
        category="manage",
        ins=(),
        outs=(
            Port("out", "What happened: `{topic, event, data}`, as an `sse` takes it at `send`."),
            Port("error", "The Error that a process was answered."),
        ),
        example="""\
- kind: follow
  name: follow
  ports:
    out: {name: feed, port: send}
- kind: sse
  name: feed
  keep: 100
- kind: listener
  name: listener
  port: 0
  ports:
    out: {name: feed, port: in}
""",
        details="""\
`event` is one of four. `change`: `{namespace, specs, values, revision, origin, problems}`, the ids of what
a change set of the store touched in one namespace. `reload`: a generation went live, or was rejected.
`process`: `{namespace, id, origin, generation, started, seconds, error}`, one has ended; those of the
namespace in which the `follow` stands are not told. `event`: anything else that a runtime tells, as its log
has it. Secrets are masked.

`topic` is `[NAMESPACE, NAMESPACE:EVENT, *, *:EVENT]`; no namespace has a colon in its name. Processes that began on a generation that drained
already are not told.
""",
    ),
    compile_follow,
)
