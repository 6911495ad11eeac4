"""The Agent watches packets pass: it notes a Frame at each port that somebody wants to see.

It observes through a Lens: ports that nobody watches cost nothing, whether or not others are watched. Processes that began before a watch go on unobserved.
"""

import logging
from collections import deque
from collections.abc import Callable, Iterable
from time import perf_counter
from typing import TYPE_CHECKING, Any
from uuid import UUID

from heddle.runtime.flow.errors import NOTHING, Answer, Error, Payload
from heddle.runtime.flow.flow import Flow
from heddle.runtime.flow.node import Visit

if TYPE_CHECKING:
    from heddle.runtime.assembly.table import SymbolTable
    from heddle.runtime.flow.contracts import Key, Process

_log = logging.getLogger("heddle")


class Frame:
    """One packet at one port: what went in, and the answer once there is one.

    `began` and `ended` are seconds of a clock that only tells differences.
    """

    __slots__ = (
        "answer",
        "answered",
        "began",
        "ended",
        "inbound",
        "payload",
        "port",
        "process",
        "symbol",
    )

    def __init__(
        self, process: "Process", symbol: "Key", port: str, inbound: bool, payload: Payload
    ) -> None:
        self.process = process
        self.symbol = symbol
        self.port = port
        self.inbound = inbound
        self.payload = payload
        self.answer: Answer = NOTHING
        self.answered = False
        self.began = perf_counter()
        self.ended = 0.0


class FrameWatch:
    """One wish to see: frames of these symbols and ports (None: all), the last `keep` of them.

    `on_frame` is called when a packet is there, and again when it is answered; it must not wait.
    """

    def __init__(
        self,
        symbols: Iterable[UUID] | None,
        ports: Iterable[str] | None,
        keep: int,
        on_frame: Callable[[Frame], None] | None,
    ) -> None:
        self.symbols = frozenset(symbols) if symbols is not None else None
        self.ports = frozenset(ports) if ports is not None else None
        self.frames: deque[Frame] = deque(maxlen=keep)
        self._on_frame = on_frame

    def wants(self, symbol: "Key", port: str) -> bool:
        """Return whether it wants to see this port."""
        return (self.symbols is None or symbol in self.symbols) and (
            self.ports is None or port in self.ports
        )

    def note(self, frame: Frame) -> None:
        """Note that a packet has come to a port, or its answer has."""
        if not frame.answered:
            self.frames.append(frame)
        if self._on_frame is not None:
            self._on_frame(frame)


class Agent:
    """Everyone who watches one runtime."""

    def __init__(self, table: "SymbolTable") -> None:
        self._table = table
        self._watches: list[FrameWatch] = []

    def watch(
        self,
        symbols: Iterable[UUID] | None = None,
        ports: Iterable[str] | None = None,
        *,
        keep: int = 1000,
        on_frame: Callable[[Frame], None] | None = None,
    ) -> FrameWatch:
        """Begin to see the packets of new processes at these ports."""
        watch = FrameWatch(symbols, ports, keep, on_frame)
        self._watches.append(watch)
        self._table.look_through(self._lens)
        return watch

    def unwatch(self, watch: FrameWatch) -> None:
        """See them no more; without a watch left, observation costs nothing again.

        Processes that began before go on noting frames.
        """
        if watch not in self._watches:
            return
        self._watches.remove(watch)
        self._table.look_through(self._lens if self._watches else None)

    def _lens(self, owner: "Key", port: str, inbound: bool) -> Visit | None:
        watches = [watch for watch in self._watches if watch.wants(owner, port)]
        if not watches:
            return None

        async def seen(flow: Flow, payload: Payload) -> Any:
            frame = Frame(flow.process, owner, port, inbound, payload)
            _note(watches, frame)
            try:
                frame.answer = await flow.send("", payload)
            except BaseException as error:
                # It was given up: whoever looks is not left to wait for an answer.
                frame.answer = flow.process.reason or Error.of(error)
                raise
            finally:
                frame.answered = True
                frame.ended = perf_counter()
                _note(watches, frame)
            return frame.answer

        return Visit(seen)


def _note(watches: list[FrameWatch], frame: Frame) -> None:
    """Note a frame for everyone who wants it. Who looks must not change what happens."""
    for watch in watches:
        try:
            watch.note(frame)
        except Exception:
            _log.exception("a watch failed at %s of %s", frame.port, frame.symbol)
