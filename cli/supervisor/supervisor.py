"""A Supervisor keeps the crews of some namespaces running: one log, one set of signals, one end."""

import asyncio
import os
import signal
import sys
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final

from heddle.cli.exit_codes import INTERRUPTED, CommandError
from heddle.cli.health import HealthServer
from heddle.cli.settings import Settings
from heddle.cli.supervisor.worker_group import WorkerGroup
from heddle.cli.systemd import ServiceManager
from heddle.cli.views.log import form_of, make_log
from heddle.cli.views.output import colored
from heddle.runtime.events.events import Event

_ENDING: Final = (signal.SIGINT, signal.SIGTERM)
_PASSED: Final = (signal.SIGUSR1, signal.SIGUSR2)


class Supervisor:
    """Runs crews until a signal comes: `crews` are settings, each with a number of workers.

    SIGINT and SIGTERM stop everything in order, a second one at once; SIGHUP replaces the workers, one
    after the other; SIGUSR1 and SIGUSR2 go to the first worker of each crew. `health` is for how many
    seconds nothing may be heard of a worker (0: for ever), `address` where probes are answered, `lag` how
    many seconds everything goes on after the signal, for others to learn that it will end. If a Python
    file in one of the folders `code` is saved, the workers are replaced.
    """

    def __init__(
        self,
        crews: Sequence[tuple[Settings, int]],
        *,
        form: str,
        level: str,
        health: float = 30.0,
        address: str = "",
        lag: float = 0.0,
        code: Sequence[str] = (),
    ) -> None:
        self._text = form_of(form, sys.stdout) == "text"
        self._color = self._text and colored(sys.stdout)
        self._log = make_log("text" if self._text else "json", level)
        self._many = len(crews) > 1
        self._single = [size for _, size in crews] == [1]
        self._crews = [self._crew(settings, size, health) for settings, size in crews]
        self._health = HealthServer(address, self.state) if address else None
        self._stop = asyncio.Event()
        self._reason = ""
        self._started = False
        self._lag = lag
        self._code = tuple(code)
        self._manager = ServiceManager()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._rolling: set[asyncio.Task[None]] = set()

    def run(self) -> None:
        """Keep them running to the end; raise CommandError if one of them cannot begin."""
        with asyncio.Runner() as runner:
            runner.run(self._run())

    def state(self) -> dict[str, Any]:
        """Return how all of them are, as plain data."""
        crews = [crew.state() for crew in self._crews]
        reasons = []
        if self._reason:
            reasons.append(f"stopping: {self._reason}")
        elif not self._started:
            reasons.append("starting")
        for crew in crews:
            workers = crew["workers"]
            lacks = list(dict.fromkeys(each["unready"] for each in workers if each["unready"]))
            if not (crew["ok"] or lacks) and self._started:
                lacks = [f"{crew['serving']} of {crew['size']} workers serve"]
            reasons += [f"{crew['namespace']}: {why}" for why in lacks]
        ending = bool(self._reason)
        return {
            "ok": all(crew["ok"] for crew in crews) and not ending,
            "started": self._started,
            # The sockets are shared: one worker that serves is enough to answer.
            "ready": self._started and not ending and all(crew["serving"] for crew in crews),
            "reasons": reasons,
            "namespaces": crews,
        }

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        watching = asyncio.create_task(self._manager.watch())
        with self._signals(self._loop):
            if self._health is not None:
                await self._health.open()
            starting = asyncio.ensure_future(self._start())
            stopped = asyncio.ensure_future(self._stop.wait())
            # From the start on: what is saved while it begins is new code, too.
            following = asyncio.ensure_future(self._follow_code(self._code))
            try:
                ends: list[asyncio.Future[Any]] = [starting, stopped]
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
                if not self._stop.is_set():
                    self._began(starting.result())
                    await stopped
                self._emit("stopping", reason=self._reason)
                self._manager.stopping(self._reason)
                if self._started and self._reason == "SIGTERM":
                    await asyncio.sleep(self._lag)
            finally:
                stopped.cancel()
                await asyncio.gather(*(crew.stop() for crew in self._crews))
                starting.cancel()
                following.cancel()
                await asyncio.gather(starting, following, *self._rolling, return_exceptions=True)
                if self._health is not None:
                    await self._health.close()
                watching.cancel()
            self._emit("stopped")

    async def _start(self) -> list[bool]:
        return await asyncio.gather(*(crew.start() for crew in self._crews))

    def _began(self, began: Sequence[bool]) -> None:
        failed = [crew.namespace for crew, did in zip(self._crews, began, strict=True) if not did]
        if failed:
            names = ", ".join(failed)
            raise CommandError(f"the namespace {names} cannot begin: what is wrong stands above")
        self._started = True
        self._manager.ready(self._summary())
        health = {"health": self._health.url} if self._health is not None else {}
        self._emit(
            "all workers ready",
            namespaces=[crew.namespace for crew in self._crews],
            workers=sum(crew.size for crew in self._crews),
            pid=os.getpid(),
            **health,
        )

    def _summary(self) -> str:
        return ", ".join(f"{crew.namespace}: {crew.size} workers" for crew in self._crews)

    # --- telling ---

    def _crew(self, settings: Settings, size: int, health: float) -> WorkerGroup:
        namespace = settings.namespace

        def write(number: int, text: str) -> None:
            self._log.write(self._marked(namespace, number, text))

        def report(event: str, *, level: str = "info", reason: str = "", **data: Any) -> None:
            self._emit(event, level=level, reason=reason, namespace=namespace, **data)

        return WorkerGroup(
            settings,
            size,
            report=report,
            write=write,
            text=self._text,
            color=self._color,
            health=health,
        )

    def _marked(self, namespace: str, number: int, text: str) -> str:
        """Return a text of a worker's log, with who has said it."""
        if not self._text:
            return text.replace("{", f'{{"worker":{number},', 1)
        if self._single:
            return text
        mark = f"{namespace}/{number}" if self._many else f"{number}"
        mark = f"\x1b[2m{mark}\x1b[0m" if self._color else mark
        return "".join(f"{mark} {line}" for line in text.splitlines(keepends=True))

    def _emit(
        self, event: str, *, level: str = "info", reason: str = "", namespace: str = "", **data: Any
    ) -> None:
        import time

        self._log(
            Event(
                time=time.time(),
                level=level,
                event=event,
                namespace=namespace,
                reason=reason,
                data=data,
            )
        )

    # --- signals ---

    @contextmanager
    def _signals(self, loop: asyncio.AbstractEventLoop) -> Iterator[None]:
        handlers: dict[signal.Signals, Any] = dict.fromkeys(_ENDING, self._ending)
        handlers[signal.SIGHUP] = lambda *_: loop.call_soon_threadsafe(self._roll)
        for number in _PASSED:
            handlers[number] = lambda number_of_signal, _: loop.call_soon_threadsafe(
                self._pass_on, number_of_signal
            )
        before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _ending(self, number: int, _: FrameType | None) -> None:
        if self._reason:
            for crew in self._crews:
                crew.kill()
            os._exit(INTERRUPTED)
        self._reason = signal.Signals(number).name
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)

    def _pass_on(self, number: int) -> None:
        for crew in self._crews:
            crew.signal(number)

    def _roll(self) -> None:
        if not self._reason:
            self._also(self._replace_all())

    def _also(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._rolling.add(task)
        task.add_done_callback(self._rolling.discard)

    async def _follow_code(self, folders: Sequence[str]) -> None:
        """Replace the workers whenever Python files were saved, until it is cancelled."""
        if not folders:
            return
        from heddle.cli.supervisor.code_watch import saved_files

        async for files in saved_files(folders):
            self._emit("code changed", reason=_shown(files), files=len(files))
            await self._replace_all()

    async def _replace_all(self) -> None:
        """Replace the workers of every crew; systemd waits for the end of it, however it ends."""
        self._manager.reloading()
        try:
            await asyncio.gather(*(crew.roll() for crew in self._crews))
        finally:
            if not self._reason:
                self._manager.ready(self._summary())


def _shown(files: Sequence[str]) -> str:
    """Return some of the files, as seen from the working directory."""
    names = ", ".join(map(os.path.relpath, files[:5]))
    return names if len(files) <= 5 else f"{names} and {len(files) - 5} more"
