"""signal: begins a process for each signal that the operating system sends to this one."""

import asyncio
import signal
from collections.abc import Callable, Mapping
from typing import Annotated, Any
from weakref import WeakKeyDictionary

from heddle.extensions.extension import (
    Actor,
    Build,
    Duty,
    Fields,
    Host,
    Kind,
    Node,
    Port,
    Schema,
    Singleton,
    Source,
    about,
)
from heddle.schemas.suggestion import did_you_mean

KNOWN = ("SIGHUP", "SIGUSR1", "SIGUSR2", "SIGALRM", "SIGCONT", "SIGQUIT", "SIGWINCH")
"""The signals that a flow may listen to; SIGINT and SIGTERM stop the runtime, and belong to its operator."""


class Signal(Fields):
    """The fields of a `signal`."""

    signals: Annotated[
        list[str],
        about(
            f"Which signals: {', '.join(KNOWN)}, with or without SIG.",
            min_length=1,
            examples=[["SIGHUP"], ["USR1", "USR2"]],
        ),
    ]
    singleton: Annotated[
        Singleton,
        Source,
        about(
            "Where it is listened: in every worker that gets the signal (`worker`), or in the one "
            "runtime of the machine, or of all that follow the store, that has the lease."
        ),
    ] = "worker"


class Ears:
    """Hears the signals of one event loop, on behalf of many; who is gone hears no more."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._listeners: dict[int, list[Callable[[int], None]]] = {}
        self._before: dict[int, Any] = {}

    def listen(self, number: int, report: Callable[[int], None]) -> None:
        """Tell this one, too; raise RuntimeError if signals cannot be heard here."""
        if number not in self._listeners:
            before = signal.getsignal(number)
            try:
                self._loop.add_signal_handler(number, self._on_signal, number)
            except (NotImplementedError, ValueError, RuntimeError) as error:
                raise RuntimeError(
                    f"{signal.Signals(number).name} cannot be heard here: it takes the main thread "
                    "of a system that has such signals"
                ) from error
            self._before[number] = before
            self._listeners[number] = []
        self._listeners[number].append(report)

    def unlisten(self, number: int, report: Callable[[int], None]) -> None:
        """Tell this one no more; after the last, the signal does what it did before."""
        functions = self._listeners.get(number, [])
        if report in functions:
            functions.remove(report)
        if number in self._listeners and not functions:
            del self._listeners[number]
            self._loop.remove_signal_handler(number)
            before = self._before.pop(number)
            if before is not None:
                signal.signal(number, before)

    def _on_signal(self, number: int) -> None:
        for report in tuple(self._listeners.get(number, ())):
            report(number)


_EARS: "WeakKeyDictionary[asyncio.AbstractEventLoop, Ears]" = WeakKeyDictionary()


def ears() -> Ears:
    """Return those of the loop that runs."""
    loop = asyncio.get_running_loop()
    ears = _EARS.get(loop)
    if ears is None:
        ears = _EARS[loop] = Ears(loop)
    return ears


class SignalNode(Node, Actor):
    """Listens, and begins processes."""

    def __init__(self, numbers: list[int], singleton: Singleton = "worker") -> None:
        self._numbers = numbers
        self._singleton = singleton
        self._duty: Duty | None = None
        self._count = 0
        self._quiet = False
        self._before: SignalNode | None = None
        self._source: Source | None = None

    def adopt(self, predecessor: Node) -> None:
        """From here on one of the two acts upon a signal, and not both; none is lost."""
        if not isinstance(predecessor, SignalNode):
            return
        self._count = predecessor._count
        self._before = predecessor

    def disown(self, predecessor: Node) -> None:
        """Let the predecessor act on the signals again."""
        if isinstance(predecessor, SignalNode):
            predecessor._quiet = False

    async def open(self, host: Host) -> None:
        """Listen, once it is ours to; raise RuntimeError if signals cannot be heard."""
        self._source = Source(host, "signal failed")
        duty: Duty = host.duty(self._singleton)
        self._duty = duty
        await duty.follow(self)

    def take(self, mark: float | None) -> None:
        """Listen; raise RuntimeError if signals cannot be heard."""
        del mark
        listened: list[int] = []
        try:
            for number in self._numbers:
                ears().listen(number, self._on_signal)
                listened.append(number)
        except RuntimeError:
            for number in listened:
                ears().unlisten(number, self._on_signal)
            raise
        if self._before is not None:
            self._before._quiet, self._before = True, None

    def lose(self) -> None:
        """Listen no more: somebody else does."""
        for number in self._numbers:
            ears().unlisten(number, self._on_signal)

    async def pause(self) -> None:
        """Listen no more."""
        self.lose()

    async def close(self) -> None:
        """Wait for what runs."""
        if self._source is not None:
            await self._source.tasks.wait()
        if self._duty is not None:
            await self._duty.leave(self)

    def degraded(self) -> str:
        """Return why it cannot listen, though nobody else does; "" if it can."""
        return self._duty.failure if self._duty is not None else ""

    def snapshot(self) -> Mapping[str, Any]:
        """Return what it listens to, and how many came."""
        names = [signal.Signals(number).name for number in self._numbers]
        duty = self._duty
        lease = {} if duty is None or duty.alone else {"lease": duty.snapshot()}
        return {"signals": names, "count": self._count, **lease}

    def _on_signal(self, number: int) -> None:
        source = self._source
        if source is None or self._quiet:
            return
        self._count += 1
        name = signal.Signals(number).name
        payload = {"signal": name, "number": number, "count": self._count}
        source.start(payload, signal=name)


def compile_signal(fields: Signal, build: Build) -> Node:
    """Return a signal that is none, or that is not for flows, is a Problem."""
    numbers: list[int] = []
    for index, name in enumerate(fields.signals):
        full = name.upper() if name.upper().startswith("SIG") else f"SIG{name.upper()}"
        number = getattr(signal, full, None) if full in KNOWN else None
        if number is None:
            build.reject(
                "signals",
                index,
                found=f'"{name}"',
                expected=f"one of {', '.join(KNOWN)}",
                hint=did_you_mean(full, list(KNOWN)),
            )
        if int(number) not in numbers:
            numbers.append(int(number))
    return SignalNode(numbers, fields.singleton)


SIGNAL: Kind[Any] = Kind(
    Schema(
        kind="signal",
        begins=lambda _: True,
        fields=Signal,
        summary="Begins a process for each signal that the operating system sends.",
        category="system",
        outs=(
            Port("out", "Signals: `{signal: text, number: number, count: number}`."),
            Port("error", "The Error that one was answered; not linked, it is told as an event."),
        ),
        example="""\
- kind: signal
  name: refresh
  signals: [SIGHUP]
  ports:
    out:
      - {name: told, port: in}
- kind: log
  name: told
  event: refresh asked for
""",
        details="""\
`kill -HUP` and the like begin a process each, on the generation that is current then; several may run at the
same time. The operating system makes one signal of several that come at once. What the process answers is not
used; an Error goes to `error`, or is told as the event `signal failed`.

A signal goes to one process. With several workers, the supervisor passes SIGUSR1 and SIGUSR2 on to the
first one that is ready.

While a flow listens to a signal, it does nothing else; afterwards it does again what it did before.
SIGINT and SIGTERM stop the runtime, and cannot be listened to. It takes a runtime in the main thread, as
`heddle start` has it, and a system with signals: not Windows.
""",
    ),
    compile_signal,
)
