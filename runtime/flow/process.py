"""A LiveProcess is one run: a request, a tick, a message. It owns everything opened for it."""

# One file: beginning, waiting, cancelling and ending read and write the same few attributes, on
# the road of every request.

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from operator import length_hint
from time import time
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from heddle.runtime.flow.budget import HeldBudget
from heddle.runtime.flow.contracts import Companion, ExitHook, Key, Process, ProcessStatus
from heddle.runtime.flow.errors import NOTHING, Answer, Error, NodeError, Payload
from heddle.runtime.flow.machine import DEPTH, PendingAnswer, drive
from heddle.runtime.flow.reader import Reader
from heddle.runtime.flow.step import RAISED, ReadStep, RunStep, Step
from heddle.runtime.flow.stream import Stream
from heddle.runtime.flow.tasks import Tasks, current_task
from heddle.runtime.flow.writer import Writer
from heddle.specs.model.names import new_id

if TYPE_CHECKING:
    from heddle.runtime.flow.wiring import Wiring

T = TypeVar("T")

PARTING = 1.0
"""Seconds that a conversation has, once its reader is closed, to come to its own end."""

_TOO_MANY = Error(
    f"a process is nested in {DEPTH:,} others: is its flow a cycle without an end?", code="depth"
)
_OVER = Error("the process has ended", code="dropped")


# To look a member of an Enum up costs more than all else at the end of a short process.
_RUNNING, _ENDING, _ENDED = (
    ProcessStatus.RUNNING,
    ProcessStatus.ENDING,
    ProcessStatus.ENDED,
)


class LiveProcess:
    """One run on one generation.

    It has an id, times, a status, a parent and children, key/value data, a deadline, and exit hooks
    that run last-in-first-out. When it ends, what was opened for it is closed. `reason` says why
    nothing more is done for it: it was cancelled, or it has ended.

    Children that are still at work when it ends keep it from having ended; when it is cancelled
    they are too. The deadline is that of its answer: it holds until `end` is called.
    """

    # Most processes need few of these: what stands on the class costs nothing to begin with.
    status = _RUNNING
    ended: float | None = None
    error: Error | None = None
    reason: Error | None = None
    companions: tuple[Companion, ...] = ()
    owns = False  # anything that its end has to see to
    _id: UUID | None = None
    _data: dict[str, Any] | None = None
    _hooks: list[ExitHook] | None = None
    _held: list[HeldBudget] | None = None
    _children: "set[LiveProcess] | None" = None
    _locals: dict[Any, Any] | None = None
    _readers: "dict[tuple[Key, str], tuple[Reader, asyncio.Task[None]]] | None" = None
    _writers: set[Writer] | None = None
    _turns: "dict[Key, deque[asyncio.Future[None]] | None] | None" = None
    _tasks: "set[asyncio.Task[Any]] | None" = None
    _deadline: float | None = None
    _timer: asyncio.TimerHandle | None = None
    _ending: "asyncio.Task[Error | None] | None" = None
    _above = 0  # how many processes it is nested in
    _outlived = False  # it has ended but for its children

    def __init__(self, wiring: "Wiring", parent: Process | None = None, origin: str = "") -> None:
        self.wiring = wiring
        # Every Process is one of these: the contract is for those below.
        self.parent: LiveProcess | None = parent  # type: ignore[assignment]
        self.origin = origin
        self.started = time()
        wiring.processes.add(self)

    @classmethod
    def lasting(cls, wiring: "Wiring", origin: str = "") -> "LiveProcess":
        """Return what many processes belong to, each on the generation of its own time: they share its data.

        It runs nothing itself, need not be ended, and keeps no generation from ending.
        """
        process = cls(wiring, None, origin)
        wiring.processes.discard(process)
        return process

    # -- who it is ---------------------------------------------------------------------------

    @property
    def id(self) -> UUID:
        """A UUID version 7, made at the first look."""
        if self._id is None:
            self._id = new_id()
        return self._id

    @property
    def children(self) -> "tuple[LiveProcess, ...]":
        """The children that have not ended."""
        return tuple(self._children or ())

    def fork(self, origin: str = "") -> "LiveProcess":
        """Return a child on the same generation: it reads through to this one's data and writes its own."""
        if self.status is _ENDED:
            raise NodeError(_OVER)
        if self._above >= DEPTH:
            raise NodeError(_TOO_MANY)
        child = LiveProcess(self.wiring, self, origin or self.origin)
        child._above = self._above + 1
        child.owns = self.owns = True
        if self._children is None:
            self._children = set()
        self._children.add(child)
        if self.reason is not None:
            child.cancel(self.reason)
        return child

    # -- data --------------------------------------------------------------------------------

    def get(self, key: str, default: Any = None) -> Any:
        """Return what is kept under this key here or, failing that, in the nearest ancestor."""
        process: LiveProcess | None = self
        while process is not None:
            if process._data is not None and key in process._data:
                return process._data[key]
            process = process.parent
        return default

    def set(self, key: str, value: Any) -> None:
        """Keep a value under this key, here; an ancestor's value of that key is only hidden."""
        if self._data is None:
            self._data = {}
        self._data[key] = value

    def remove(self, key: str) -> Any:
        """Forget what is kept here under this key, and return it; an ancestor's stays."""
        return self._data.pop(key, None) if self._data is not None else None

    def keys(self) -> Iterator[str]:
        """Yield every key that `get` would find, each once."""
        seen: set[str] = set()
        process: LiveProcess | None = self
        while process is not None:
            for key in process._data or ():
                if key not in seen:
                    seen.add(key)
                    yield key
            process = process.parent

    # -- packets -----------------------------------------------------------------------------

    def run(self, step: Step | None, payload: Payload) -> Answer | PendingAnswer:
        """Send a payload into a step: its answer, or a Pending to await if something waits."""
        if step is None:
            return payload
        if self.reason is not None:
            return self.reason
        if type(step) is RunStep:
            # Most packets meet nothing but a straight or a fused run: it needs no machine.
            actions = iter(step.actions)
            try:
                for action in actions:
                    payload = action(payload)
                    if payload is NOTHING:
                        return NOTHING
            except RAISED as error:
                index = len(step.actions) - length_hint(actions) - 1
                following, payload = step.failed(index, error, payload)
            else:
                following = step.next
            if following is None:
                return payload
            step = following
        return drive(self, step, payload)

    def send(self, owner: Key, port: str, payload: Payload) -> Answer | PendingAnswer:
        """Send a payload out of this port of this symbol; with no link the payload is the answer."""
        return self.run(self.wiring.out(owner, port), payload)

    def writer(self, owner: Key, port: str) -> Writer:
        """Return the writing end of an out port, for a node with several packets in flight."""
        if self._writers is None:
            self._writers = set()
            self.owns = True
        linked = bool(self.wiring.targets(owner, port))
        writer = Writer(self, self.wiring.out(owner, port), linked, self._writers)
        self._writers.add(writer)
        return writer

    async def request(self, step: ReadStep, payload: Payload) -> Answer:
        """Hand a packet to the conversation behind this step, and wait for its answer."""
        if self._readers is None:
            self._readers = {}
        key = (step.owner, step.port)
        known = self._readers.get(key)
        if known is None:
            reader = Reader(self, step.label, step.port)
            known = self._readers[key] = (
                reader,
                self.tasks.start(self._converse(step, reader)),
            )
        return await known[0].request(payload)

    async def _converse(self, step: ReadStep, reader: Reader) -> None:
        """Run a conversation; when it ends, however it ends, nobody is left waiting."""
        task = asyncio.current_task()
        try:
            await step.fn(reader)
        except RAISED as error:
            if task is not None and task.cancelling():
                reader.close(self.reason or _OVER)
                raise
            # Its own failure: whoever asks it meets that, and goes to its error port with it.
            reader.fail(Error.of(error, symbol=step.label, port=step.port))
        else:
            reader.close(Error(f"{step.label} has stopped reading", code="dropped"))

    # -- waiting -----------------------------------------------------------------------------

    @property
    def tasks(self) -> "ProcessTasks":
        """The tasks that this process owns: they are cancelled when it is, and when it ends."""
        # Made when needed: kept, the two would hold each other, and few processes need it twice.
        return ProcessTasks(self)

    async def _guard(self, work: Awaitable[T]) -> T:
        try:
            return await work
        except SystemExit as error:
            raise NodeError(Error.of(error)) from error
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if type(work) is not PendingAnswer or self.reason is None:
                raise
            if task is None or task.uncancel() > 0:
                raise
            return self.reason  # type: ignore[return-value]

    def enter(self, task: "asyncio.Task[Any]") -> bool:
        """Count a task in that waits on behalf of this process; False if it was in already."""
        if self._tasks is None:
            self._tasks = set()
            self.owns = True
        elif task in self._tasks:
            return False
        self._tasks.add(task)
        if self._deadline is not None:
            self.watch_deadline()
        return True

    def watch_deadline(self) -> None:
        """Set the timer of the deadline, now that there is something to stop."""
        if self._deadline is not None and self._timer is None and self.status is _RUNNING:
            self._arm()

    def leave(self, task: "asyncio.Task[Any]") -> None:
        """Count it out again."""
        if self._tasks is not None:
            self._tasks.discard(task)

    def busy(self, owner: Key) -> bool:
        """Return whether a packet of this process is inside a node that takes turns."""
        return self._turns is not None and owner in self._turns

    async def take_turn(self, owner: Key) -> None:
        """Wait until no earlier packet of this process is inside this node."""
        if self._turns is None:
            self._turns = {}
        if owner not in self._turns:
            self._turns[owner] = None
            return
        queue = self._turns[owner]
        if queue is None:
            queue = self._turns[owner] = deque()
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        queue.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.pass_turn(owner)
            raise

    def pass_turn(self, owner: Key) -> None:
        """Let the next packet in."""
        if self._turns is None:
            raise RuntimeError("no packet of this process takes turns")
        queue = self._turns[owner]
        while queue:
            turn = queue.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        del self._turns[owner]

    # -- resources ---------------------------------------------------------------------------

    async def local(self, key: Any, make: Callable[[], Awaitable[T]]) -> T:
        """Return the one resource of this process under this key, made by the first who asks.

        Others who ask meanwhile wait for the same one. A failure is raised to all who waited and is
        not kept: the next who asks tries again. NodeError once the process has ended.
        """
        if self._locals is None:
            self._locals = {}
        local = self._locals.get(key)
        if local is None:
            if self.status is _ENDED:
                raise NodeError(_OVER)
            local = self._locals[key] = self.tasks.start(_made(make), awaited=True)
            local.add_done_callback(lambda done: self._forget(key, done))
        result: T = await asyncio.shield(local)
        return result

    def _forget(self, key: Any, done: "asyncio.Future[Any]") -> None:
        if (done.cancelled() or done.exception() is not None) and self._locals is not None:
            self._locals.pop(key, None)

    def on_exit(self, hook: ExitHook) -> None:
        """Run this when the process ends; hooks run last-in-first-out.

        It is told how the process ended and may wait. What it raises turns a good end into that
        Error, before anyone has seen the answer. ValueError once the process has ended.
        """
        if self.status is _ENDED:
            raise ValueError("the process has ended: there is no exit left to hook")
        if self._hooks is None:
            self._hooks = []
            self.owns = True
        self._hooks.append(hook)

    def own(self, stream: Stream) -> None:
        """Close a stream when the process ends, unless it is closed before. ValueError once it has ended.

        A stream that is closed is forgotten: a process may run for days, and read one after the other.
        """

        def close(_: Error | None) -> Awaitable[None]:
            return stream.aclose()

        def forget() -> None:
            if self._hooks is not None and close in self._hooks:
                self._hooks.remove(close)

        self.on_exit(close)
        stream.on_closed(forget)

    def hold(self, held: HeldBudget) -> None:
        """Keep a share of the budget until the process ends, or `release`. ValueError once it has ended."""
        if self._held is None or self.status is _ENDED:
            self.on_exit(lambda _: self.release(0))
            self._held = []
        self._held.append(held)

    @property
    def held_count(self) -> int:
        """How many shares of the budget it keeps."""
        return len(self._held or ())

    def release(self, count: int) -> None:
        """Give back every share of the budget but the first `count`."""
        if self._held is not None:
            for held in self._held[count:]:
                held.free()
            del self._held[count:]

    # -- the end -----------------------------------------------------------------------------

    @property
    def deadline(self) -> float | None:
        """When it must be done, in seconds of `loop.time()`; None: never."""
        return self._deadline

    @deadline.setter
    def deadline(self, when: float | None) -> None:
        self._deadline = when
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if when is not None and self._tasks:
            self._arm()

    def _arm(self) -> None:
        if self._deadline is None:
            raise RuntimeError("the process has no deadline")
        loop = asyncio.get_running_loop()
        self._timer = loop.call_at(self._deadline, self._late)

    def _late(self) -> None:
        self._timer = None
        self.cancel(Error("the process passed its deadline", code="timeout"))

    def cancel(self, reason: Error | None = None) -> None:
        """Stop whatever waits on behalf of this process; what is unanswered is answered with the reason."""
        reason = reason or Error("the process was cancelled", code="cancelled")
        current = current_task()
        tree: list[LiveProcess] = []
        todo: list[LiveProcess] = [self]
        while todo:
            process = todo.pop()
            if process.reason is not None or process.status is _ENDED:
                continue
            process.reason = reason
            todo.extend(process._children or ())
            for task in tuple(process._tasks or ()):
                if task is not current:
                    task.cancel()
            tree.append(process)
        for process in reversed(tree):
            # Nobody else ends what a process that has ended but for its children left behind.
            if process.parent is not None and process.parent._outlived:
                process.end(reason)

    def end(self, error: Error | None = None) -> Awaitable[Error | None] | Error | None:
        """End it: run the exit hooks, close what was opened; children of a cancelled one end too.

        Returns how it ended: None if all went well, the Error otherwise (the one given, or that
        of the first hook that failed). Where something has to be waited for, an awaitable that
        gives the same; the end takes its course whether or not anybody awaits it. A second call
        changes nothing.
        """
        if self.status is not _RUNNING:
            ending = self._ending
            if ending is None or ending.done() or ending is current_task():
                return self.error
            return asyncio.shield(ending)
        if error is None:
            error = self.reason
        if not self.owns:
            self.status = _ENDED
            self.ended = time()
            self.reason = _OVER
            if error is not None:
                self.error = error
            generation = self.wiring.generation
            generation.processes.discard(self)
            if generation.awaited:
                generation.left(self)
            return error
        self.status = _ENDING
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        error, waits = self._run_hooks(error)
        if waits is None and (
            self._children or not self._tasks or not self._at_work(current_task())
        ):
            self._wind_up(error)
            return self.error
        self._ending = self.wiring.generation.tasks.start(self._end(error, waits, current_task()))
        return asyncio.shield(self._ending)

    def _run_hooks(self, error: Error | None) -> tuple[Error | None, Awaitable[None] | None]:
        """Run exit hooks until one has to be waited for."""
        while self._hooks:
            hook = self._hooks.pop()
            try:
                waits = hook(error)
            except RAISED as failure:
                error = error or Error.of(failure)
                continue
            if waits is not None:
                return error, waits
        return error, None

    async def _end(
        self, error: Error | None, waits: Awaitable[None] | None, caller: "asyncio.Task[Any] | None"
    ) -> Error | None:
        """Return the end of a process that has something to wait for."""
        while waits is not None:
            try:
                await waits
            except RAISED as failure:
                error = error or Error.of(failure)
            error, waits = self._run_hooks(error)
        if self._children or not self._at_work(caller):
            self._wind_up(error)
        else:
            await self._close(error, caller)
        return self.error

    def _at_work(self, caller: "asyncio.Task[Any] | None") -> "list[asyncio.Task[Any]]":
        """Return the tasks of this process that are not done; the one that ends it does not count."""
        return [task for task in self._tasks or () if task is not caller and not task.done()]

    def _wind_up(self, error: Error | None) -> None:
        """Finish now, or once the children are done: forked work outlives the answer."""
        self.error = error
        if self._children:
            self._outlived = True
            if self.reason is not None:
                self._end_children()
        elif self._at_work(None):
            self._ending = self.wiring.generation.tasks.start(self._close(error, None))
        else:
            self._shut(error)
            self._finish(error)

    def _end_children(self) -> None:
        """End the children of a cancelled process, whose owners may have forgotten them."""
        tree: list[LiveProcess] = []
        todo = list(self.children)
        while todo:
            process = todo.pop()
            if process.status is _RUNNING or process._outlived:
                tree.append(process)
                todo.extend(process._children or ())
        # The youngest first: so no end has another one inside, however deep the forks go.
        for process in reversed(tree):
            process.end(self.reason)

    def _shut(self, error: Error | None) -> None:
        """Close readers and writers: what is unanswered is answered with the reason."""
        if self.reason is None:
            self.reason = error or _OVER
        for reader, _ in (self._readers or {}).values():
            reader.close(self.reason)
        for writer in tuple(self._writers or ()):
            writer.close(self.reason)

    async def _close(self, error: Error | None, caller: "asyncio.Task[Any] | None") -> Error | None:
        """Close what was opened, and stop the tasks that are left."""
        # A conversation that only waits for its next packet finds that there is none, and may
        # still finish what it has begun.
        parting = {task for reader, task in (self._readers or {}).values() if reader.idle}
        self._shut(error)
        for task in self._at_work(caller):
            if task not in parting:
                task.cancel()
        parting = {task for task in parting if not task.done()}
        if parting:
            _, late = await asyncio.wait(parting, timeout=PARTING)
            for task in late:
                task.cancel()
        left = self._at_work(caller)
        if left:
            await asyncio.wait(left)
        self._finish(error)
        return error

    def _finish(self, error: Error | None) -> None:
        """Mark it ended and leave every list that it stands in; so do parents that waited for it."""
        process = self
        while True:
            process.status = _ENDED
            process.error = error
            process.ended = time()
            process._outlived = False
            # What was opened for it may refer to it, as a transaction does.
            process._locals = None
            process.wiring.generation.left(process)
            parent = process.parent
            if parent is None or parent._children is None:
                return
            parent._children.discard(process)
            if not parent._outlived or parent._children:
                return
            parent._outlived = False
            error = parent.error
            if parent._at_work(None):
                parent._ending = parent.wiring.generation.tasks.start(parent._close(error, None))
                return
            parent._shut(error)
            process = parent


class ProcessTasks(Tasks):
    """The tasks of one process, among those that wait on its behalf."""

    __slots__ = ("_process",)

    def __init__(self, process: LiveProcess) -> None:
        if process._tasks is None:
            process._tasks = set()
            process.owns = True
        self._members = process._tasks
        self._closed = False
        self._process = process

    def start(
        self, work: Awaitable[T], *, awaited: bool = False, guarded: bool = True
    ) -> "asyncio.Task[T]":
        """Start a task that is cancelled when the process is, and when it ends; return it.

        `awaited` and `guarded` as in `Tasks`. A Pending that is cancelled together with the process is answered
        with the reason.
        """
        process = self._process
        if not guarded:
            process.watch_deadline()
            return super().start(work, awaited=True)
        task: asyncio.Task[T] = super().start(process._guard(work), awaited=awaited)
        process.watch_deadline()
        close = getattr(work, "close", None)
        if close is not None:
            # A task that is cancelled before its first step leaves its work behind unawaited.
            task.add_done_callback(lambda _: close())
        if process.reason is not None:
            task.cancel()
        return task

    def _failed(self, error: Exception) -> None:
        self._process.wiring.generation.report(error, self._process.origin)


async def _made(make: Callable[[], Awaitable[T]]) -> T:
    return await make()
