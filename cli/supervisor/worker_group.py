"""A Crew is the workers of one namespace: kept running, kept well, and replaced one after the other."""

# One file: beginning, watching, replacing and ending workers depend on the same list of them.

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final, TypeAlias

import msgspec

from heddle.cli.settings import Settings
from heddle.cli.supervisor.ipc import Wire, WireMessage
from heddle.cli.supervisor.socket_broker import Broker
from heddle.cli.supervisor.worker_config import Orders
from heddle.cli.supervisor.worker_process import WorkerProcess

FIRST: Final = 0.1
LONGEST: Final = 10.0
"""Seconds before a worker that ended is begun again: at first, and at most."""

SETTLED: Final = 3.0
"""Seconds in which a new worker has to come to as much as those before it."""

WELL: Final = 30.0
"""Seconds after which a worker counts as well: when it ends later, the pause is short again."""

STARTING: Final = 30.0
"""Seconds in which a worker has to be heard of first: on a busy machine that takes long.

Killed and begun again it would take as long, and keep the machine busier.
"""

_LATE: Final = 2.0
"""Seconds beyond the drain time that a worker has to end itself."""

Report: TypeAlias = Callable[..., None]
"""Tells an event: a phrase, a level, a reason, and named values."""


class WorkerGroup:
    """So many workers of one namespace. `report` gets what becomes of them, `write` what they log.

    `health` is for how many seconds nothing may be heard of a worker before it is killed; 0: for ever.
    A worker that was never heard of has `STARTING` seconds at least.
    """

    def __init__(
        self,
        settings: Settings,
        size: int,
        *,
        report: Report,
        write: Callable[[int, str], None],
        text: bool,
        color: bool,
        health: float = 30.0,
    ) -> None:
        self.settings = settings
        self.size = size
        self.namespace = settings.namespace
        self.restarts = 0
        self._report = report
        self._write = write
        self._text = text
        self._color = color
        self._health = health
        self._broker = Broker()
        self._workers: dict[int, WorkerProcess] = {}
        self._keepers: list[asyncio.Task[None]] = []
        self._turning = asyncio.Lock()
        self._turn: tuple[WorkerProcess, int] | None = None
        self._given_up: set[tuple[WorkerProcess, int]] = set()
        self._questions: set[asyncio.Task[None]] = set()
        self._rolling = asyncio.Lock()
        self._rolled: set[int] = set()
        self._successor: WorkerProcess | None = None
        self._stopping = False
        self._since = 0.0
        self._stopped = asyncio.Event()
        self.failed: int | None = None
        self.failure = ""

    # --- life ---

    async def start(self) -> bool:
        """Begin all; whether they did. The first one is ready before the others begin."""
        if not await self._first(0):
            return False
        for number in range(1, self.size):
            self._keepers.append(asyncio.ensure_future(self._keep(number, None)))
        await asyncio.gather(*(self._until_ready(number) for number in range(1, self.size)))
        return not self._stopping

    async def _first(self, number: int) -> bool:
        try:
            worker = await self._begin(number)
        except OSError as error:
            self._not_begun(number, error)
            self.failed = 1
            return False
        ready = asyncio.ensure_future(worker.ready.wait())
        await asyncio.wait([ready, worker.over], return_when=asyncio.FIRST_COMPLETED)
        if not worker.ready.is_set():
            ready.cancel()
            self.failed = worker.over.result() if worker.over.done() else 1
            self._lost(worker)
            return False
        self._keepers.append(asyncio.ensure_future(self._keep(number, worker)))
        return True

    async def stop(self) -> None:
        """Let every worker drain and end; nothing is begun again."""
        self._stopping = True
        self._since = time.monotonic()
        self._stopped.set()
        for worker in self._workers.values():
            worker.drain()
        # The very first one has nobody else who sees to its end until it is ready.
        watched = [self._watch(worker) for worker in self._workers.values()]
        await asyncio.gather(*self._keepers, *watched, return_exceptions=True)
        for task in self._questions:
            task.cancel()
        self._broker.close()

    def kill(self) -> None:
        """End every worker at once."""
        self._stopping = True
        for worker in self._workers.values():
            worker.signal(signal.SIGKILL)

    async def roll(self) -> None:
        """Replace every worker, one after the other: each by one that has begun anew.

        If there is only one, its successor begins beside it, so that somebody always answers.
        """
        async with self._rolling:
            why = await (self._taken_over() if self.size == 1 else self._tried())
            for number in range(self.size if self.size > 1 and not why else 0):
                worker = self._workers.get(number)
                if worker is None or worker.over.done() or self._stopping:
                    continue
                self._rolled.add(number)
                worker.drain()
                await worker.over
                fresh = await self._until_ready(number, after=worker)
                why = await self._less(fresh, [worker]) if fresh is not None else ""
                if why:
                    break
            if self._stopping:
                return
            self._note(why)
        if why:
            self._report("replacement stopped", level="error", reason=why, workers=self.size)
        else:
            self._report(
                "workers replaced", reason="they were told to begin anew", workers=self.size
            )

    async def _taken_over(self) -> str:
        """Begin the successor of the only worker, and let the other drain; return why not."""
        old = self._workers.get(0)
        if old is None or old.over.done() or self._stopping:
            return ""
        try:
            fresh = await self._begin(0)
        except OSError as error:
            return f"no worker can be begun: {error.strerror or error}"
        # Until it has as much as the other, that is the worker of this number.
        self._workers[0], self._successor = old, fresh
        watching = asyncio.ensure_future(self._watch(fresh))
        ready = asyncio.ensure_future(fresh.ready.wait())
        stopped = asyncio.ensure_future(self._stopped.wait())
        try:
            await asyncio.wait([ready, watching, stopped], return_when=asyncio.FIRST_COMPLETED)
            if watching.done():
                return f"a worker cannot begin: {_ended(watching.result())}. Those that run go on"
            why = await self._less(fresh, [old]) if fresh.ready.is_set() else ""
            if why or self._over() or old.over.done():
                return why
            self._rolled.add(0)
            self._workers[0] = fresh
            old.drain()
            await old.over
            return ""
        finally:
            ready.cancel()
            stopped.cancel()
            if self._workers.get(0) is fresh:
                watching.cancel()
            else:
                self._successor = None
                fresh.drain()
                await watching
                self._lost(fresh)

    async def _tried(self) -> str:
        """Begin one worker beside the others; return why they are not to be replaced by such as it.

        It never acts for all of them, and ends again: so nothing happens twice while it is there.
        """
        before = [worker for worker in self._workers.values() if worker.ready.is_set()]
        try:
            probe = await self._begin(self.size)
        except OSError as error:
            return f"no worker can be begun: {error.strerror or error}"
        watching = asyncio.ensure_future(self._watch(probe))
        ready = asyncio.ensure_future(probe.ready.wait())
        stopped = asyncio.ensure_future(self._stopped.wait())
        try:
            await asyncio.wait([ready, watching, stopped], return_when=asyncio.FIRST_COMPLETED)
            if probe.ready.is_set():
                return await self._less(probe, before)
            if watching.done():
                return f"a worker cannot begin: {_ended(watching.result())}. Those that run go on"
            return ""
        finally:
            ready.cancel()
            stopped.cancel()
            probe.drain()
            await watching
            self._lost(probe)

    async def _less(self, fresh: WorkerProcess, before: Sequence[WorkerProcess]) -> str:
        """Return what a worker has less of than those before it; empty if it has as much."""
        active = max((worker.active for worker in before), default=0)
        unready = all(worker.unready for worker in before)
        # A change may be on its way through all of them: one has it a moment before another.
        end = time.monotonic() + SETTLED
        while fresh.active < active or (fresh.unready and not unready):
            if time.monotonic() > end or self._stopping or fresh.over.done():
                reason = f": {fresh.unready}" if fresh.unready else ""
                return (
                    f"a new worker has {fresh.active} active symbols, those before have {active}"
                    f"{reason}. Those that run go on"
                )
            await asyncio.sleep(0.1)
            active = max((worker.active for worker in before), default=0)
        return ""

    def _note(self, failure: str) -> None:
        """Have every worker report why their replacement was stopped; empty: it was not."""
        self.failure = failure
        for worker in self._workers.values():
            worker.wire.send({"note": failure})

    def signal(self, number: int) -> None:
        """Pass a signal on to one worker: the first that is there and ready."""
        workers = [worker for _, worker in sorted(self._workers.items())]
        ready = [
            worker
            for worker in workers
            if worker.ready.is_set() and worker.process.returncode is None
        ]
        for worker in (ready or workers)[:1]:
            worker.signal(number)

    def state(self) -> dict[str, Any]:
        """Return how it is, as plain data."""
        now = time.monotonic()
        workers = [
            {
                "worker": worker.number,
                "pid": worker.process.pid,
                "ready": worker.ready.is_set(),
                "seconds": round(now - worker.began, 3),
                "silent": round(now - worker.last_message, 3),
                "active": worker.active,
                "unready": worker.unready,
                "draining": worker.draining,
            }
            for number, worker in sorted(self._workers.items())
            if number < self.size
        ]
        serving = sum(
            worker.serves for number, worker in self._workers.items() if number < self.size
        )
        return {
            "namespace": self.namespace,
            "ok": serving == self.size,
            "size": self.size,
            "serving": serving,
            "restarts": self.restarts,
            "replacement": self.failure,
            "workers": workers,
        }

    # --- one worker ---

    async def _keep(self, number: int, worker: WorkerProcess | None) -> None:
        """Have a worker of this number, whatever becomes of it."""
        pause = FIRST
        while True:
            if worker is None:
                try:
                    worker = await self._begin(number)
                except OSError as error:
                    self._not_begun(number, error, again=pause)
                    pause = await self._pause(pause)
                    if self._over():
                        return
                    continue
            if self._stopping:
                worker.drain()
            code = await self._watch(worker)
            self._lost(worker)
            lasted = time.monotonic() - worker.began
            reason = "it was killed: it hung" if worker.hung else _ended(code)
            worker = None
            if self._over():
                return
            if number in self._rolled:
                self._rolled.discard(number)
                worker, self._successor = self._successor, None
                continue
            pause = FIRST if lasted > WELL else pause
            self.restarts += 1
            self._report(
                "worker ended",
                level="error",
                reason=reason,
                worker=number,
                again=pause,
            )
            pause = await self._pause(pause)
            if self._over():
                return

    async def _pause(self, seconds: float) -> float:
        """Wait so long, unless everything ends before; how long to wait the next time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopped.wait()
        return min(seconds * 2, LONGEST)

    def _not_begun(self, number: int, error: OSError, **data: Any) -> None:
        """Tell that the system has no process for it."""
        reason = error.strerror or str(error)
        self._report("worker not begun", level="error", reason=reason, worker=number, **data)

    def _over(self) -> bool:
        """Return whether nothing is to be begun any more."""
        return self._stopping

    async def _watch(self, worker: WorkerProcess) -> int:
        """Wait until it ends; kill it if nothing is heard of it any more."""
        while not worker.over.done():
            silence = self._silence()
            waits: list[asyncio.Future[Any]] = [worker.over]
            stopped = None if self._stopping else asyncio.ensure_future(self._stopped.wait())
            if stopped is not None:
                waits.append(stopped)
            await asyncio.wait(
                waits,
                timeout=min(silence / 4, 1.0) if self._stopping else silence / 4 or None,
                return_when=asyncio.FIRST_COMPLETED,
            )
            if stopped is not None:
                stopped.cancel()
            silence = self._silence()
            if silence and not (worker.beating or self._stopping):
                silence = max(silence, STARTING)
            silent = time.monotonic() - max(worker.last_message, self._since)
            if silence and silent > silence and not (worker.hung or worker.over.done()):
                worker.hung = True
                self._report(
                    "worker hung",
                    level="error",
                    reason=f"{worker.blocked or 'something'} holds up its event loop; it is killed",
                    worker=worker.number,
                    seconds=round(time.monotonic() - worker.last_message, 1),
                )
                worker.signal(signal.SIGKILL)
                await worker.over
        return worker.over.result()

    def _silence(self) -> float:
        """Return for how many seconds nothing may be heard of a worker; 0: for ever."""
        if not self._stopping:
            return self._health
        # Who is to end within the drain time, and says nothing for as long, never will.
        late = self.settings.drain + _LATE
        return min(self._health, late) if self._health else late

    async def _begin(self, number: int) -> WorkerProcess:
        ours, its = socket.socketpair()
        begun: list[WorkerProcess] = []
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "heddle.cli.supervisor.worker",
                str(its.fileno()),
                pass_fds=(its.fileno(),),
                stdin=asyncio.subprocess.DEVNULL,
                # Ctrl-C is for the supervisor alone, which then stops them in order.
                process_group=0,
            )
        except BaseException:
            ours.close()
            raise
        finally:
            its.close()
        wire = Wire(
            ours,
            lambda data, _: self._on_message(begun[0], data),
            lambda: self._lost(begun[0]),
        )
        worker = WorkerProcess(number, process, wire)
        begun.append(worker)
        orders = Orders(
            settings=self.settings,
            number=number,
            size=self.size,
            text=self._text,
            color=self._color,
            path=tuple(sys.path),
            beat=min(max(self._health / 10, 0.1), 1.0) if self._health else 1.0,
        )
        wire.send(msgspec.to_builtins(orders, enc_hook=str))
        self._workers[number] = worker
        return worker

    async def _until_ready(
        self, number: int, after: WorkerProcess | None = None
    ) -> WorkerProcess | None:
        """Wait until a worker of this number, later than the one given, is ready; return it."""
        while not self._stopping:
            worker = self._workers.get(number)
            if worker is not None and worker is not after:
                ready = asyncio.ensure_future(worker.ready.wait())
                await asyncio.wait([ready, worker.over], return_when=asyncio.FIRST_COMPLETED)
                ready.cancel()
                if worker.ready.is_set():
                    return worker
                after = worker
            await asyncio.sleep(0.02)
        return None

    def _lost(self, worker: WorkerProcess) -> None:
        """Forget a worker that nothing more is heard of."""
        worker.wire.close()
        self._broker.lost(worker)
        if self._turn is not None and self._turn[0] is worker:
            self._done(*self._turn)
        if self._workers.get(worker.number) is worker and worker.over.done():
            del self._workers[worker.number]

    # --- what workers say ---

    def _on_message(self, worker: WorkerProcess, data: WireMessage) -> None:
        if data.get("say") == "blocked":
            worker.blocked = data["where"]
            return
        if data.get("say") == "beat":
            worker.last_message, worker.blocked, worker.beating = time.monotonic(), "", True
        if "active" in data:
            worker.active, worker.unready = data["active"], data["unready"]
        if "log" in data:
            self._write(worker.number, data["log"])
        elif data.get("ask") == "bind":
            self._later(self._bind(worker, data))
        elif data.get("ask") == "turn":
            self._later(self._give_turn(worker, data["turn"]))
        elif data.get("say") == "release":
            self._broker.release(worker, data["host"], data["port"], data["owner"])
        elif data.get("say") == "done":
            self._done(worker, data["turn"])
        elif data.get("say") == "ready":
            worker.ready.set()
            if self.failure:
                worker.wire.send({"note": self.failure})
            if len(self._workers) == self.size and all(
                worker.ready.is_set() for worker in self._workers.values()
            ):
                self._broker.sweep()

    def _later(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._questions.add(task)
        task.add_done_callback(self._questions.discard)

    async def _bind(self, worker: WorkerProcess, data: WireMessage) -> None:
        host, port, owner, value = data["host"], data["port"], data["owner"], data["bind"]
        try:
            beside = [(family, name, number) for family, name, number in data.get("beside", ())]
            sockets = await self._broker.bind(worker, host, port, owner, beside)
        except (OSError, ValueError, OverflowError) as error:
            reason, number = str(error), 0
            if isinstance(error, OSError):
                reason, number = error.strerror or reason, error.errno or 0
            worker.wire.send({"bind": value, "failed": reason, "number": number})
            return
        if self._gone(worker):
            # It has gone meanwhile, and would hold them for ever.
            self._broker.lost(worker)
        worker.wire.send({"bind": value, "sockets": len(sockets)}, sockets)

    def _gone(self, worker: WorkerProcess) -> bool:
        """Return whether a worker has ended, or another one is in its place."""
        current = worker in (self._workers.get(worker.number), self._successor)
        return worker.over.done() or not current

    async def _give_turn(self, worker: WorkerProcess, turn: int) -> None:
        await self._turning.acquire()
        if self._gone(worker) or (worker, turn) in self._given_up:
            self._given_up.discard((worker, turn))
            self._turning.release()
            return
        self._turn = worker, turn
        worker.wire.send({"turn": turn})

    def _done(self, worker: WorkerProcess, turn: int) -> None:
        if self._turn == (worker, turn):
            self._turn = None
            self._turning.release()
        else:
            # It did not wait for its turn, which is still to come.
            self._given_up.add((worker, turn))


def _ended(code: int) -> str:
    """Return how a process ended, in words."""
    if code >= 0:
        return f"it ended with the exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return f"it was ended by {name}" + (" (out of memory?)" if -code == signal.SIGKILL else "")


def cores() -> int:
    """Return how many processors there are for us."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1
