"""Frames kept for SQL: the last packets at each port, within a budget of bytes."""

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from heddle.runtime.events.events import Events, mask
from heddle.runtime.flow.errors import Error
from heddle.runtime.flow.materialize import plain
from heddle.runtime.flow.stream import Stream
from heddle.runtime.runtime import Runtime
from heddle.runtime.status.agent import Frame, FrameWatch

LARGE: Final = 64 * 1024
"""Bytes of a payload that are kept; of a larger one only its type and its size are."""

BUDGET: Final = 16 * 1024 * 1024
"""Bytes that the frames of one runtime may hold; the oldest go first."""

MOST: Final = 1000
"""How many frames are kept."""

_SMALL: Final = 64
"""Bytes that a value takes at least, so that a list of a million numbers counts."""


class PayloadStub(msgspec.Struct, frozen=True):
    """The mark that stands for a payload that is too large to be kept: `size` is in bytes, and at least that."""

    type: str
    size: int


class Later:
    """A cell that is made when a statement asks for it, in the thread of that statement."""

    __slots__ = ("_make",)

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make

    def __call__(self) -> Any:
        """Make it."""
        return self._make()


class KeptFrame(msgspec.Struct, eq=False):
    """One packet at one port, as far as it is kept."""

    process: str
    symbol: Any
    port: str
    inbound: bool
    input: Any
    size: int
    output: Any = None
    answered: bool = False
    seconds: float | None = None


class FrameLog:
    """Keeps the frames of one runtime for as long as somebody looks."""

    def __init__(self, runtime: Runtime, *, budget: int = BUDGET, large: int = LARGE) -> None:
        self._runtime = runtime
        self._budget = budget
        self._large = large
        self._held = 0
        self._open: dict[int, KeptFrame] = {}
        self.frames: deque[KeptFrame] = deque()
        self._watch: FrameWatch = runtime.agent.watch(keep=0, on_frame=self._note)

    @property
    def held(self) -> int:
        """How many bytes are kept, about."""
        return self._held

    def close(self) -> None:
        """Keep no more."""
        self._runtime.agent.unwatch(self._watch)
        self.frames.clear()
        self._open.clear()
        self._held = 0

    def _note(self, frame: Frame) -> None:
        if not frame.answered:
            payload, size = self._cut(frame.payload)
            kept = KeptFrame(
                str(frame.process.id), frame.symbol, frame.port, frame.inbound, payload, size
            )
            self._open[id(frame)] = kept
            self.frames.append(kept)
            self._held += size
        else:
            # A frame that is answered is still held by whoever sent it: its id is its own.
            answered = self._open.pop(id(frame), None)
            if answered is None:
                return
            answered.output, size = self._cut(frame.answer)
            answered.answered = True
            answered.seconds = frame.ended - frame.began
            if answered.size >= 0:
                answered.size += size
                self._held += size
        while self.frames and (len(self.frames) > MOST or self._held > self._budget):
            gone = self.frames.popleft()
            self._held -= gone.size
            gone.size = -1

    def _cut(self, payload: Any) -> tuple[Any, int]:
        """Return the payload, or a Stub for it, and how many bytes it takes."""
        size = size_of(payload, self._large)
        return (
            (payload, size)
            if size <= self._large
            else (PayloadStub(type(payload).__name__, size), 128)
        )


def size_of(payload: Any, most: int) -> int:
    """Return about how many bytes a payload holds; it is counted no further than past `most`."""
    total = 0
    waiting = [payload]
    while waiting:
        value = waiting.pop()
        total += _SMALL
        if isinstance(value, str | bytes | bytearray):
            total += len(value)
        elif isinstance(value, dict):
            # A request says what its body is without decoding it, and a lazy map is not read here.
            raw = getattr(value, "raw_body", None)
            total += len(raw) if isinstance(raw, bytes) else 0
            for key, item in dict.items(value):
                total += len(key) if isinstance(key, str) else 0
                waiting.append(item)
                if total > most:
                    return total
        elif isinstance(value, list | tuple):
            if total + _SMALL * len(value) > most:
                # Long lists are what the rest of the count would be about.
                return total + _SMALL * len(value)
            waiting += value
        elif isinstance(value, Error):
            waiting += [value.message, value.data, *value.errors]
        if total > most:
            return total
    return total


def rows_of(runtime: Runtime, log: FrameLog) -> list[tuple[Any, ...]]:
    """Return the rows of the table `frames`; payloads are encoded if and when a statement asks for them."""
    labels = {symbol.id: symbol.label for symbol in runtime.table.all()}
    show = shower(runtime.events)
    return [
        (
            each.process,
            runtime.namespace,
            str(each.symbol),
            labels.get(each.symbol, str(each.symbol)),
            each.port,
            "in" if each.inbound else "out",
            _cell(show, each.input),
            _cell(show, each.output) if each.answered else None,
            each.answered,
            each.seconds,
        )
        for each in tuple(log.frames)
    ]


def shower(events: Events) -> Callable[[Any], str]:
    """Return what writes a payload as JSON, with no secret in it, in whichever thread."""
    secrets, redactor = events.secrets, events.redactor

    def show(payload: Any) -> str:
        if isinstance(payload, PayloadStub):
            return msgspec.json.encode(payload).decode()
        try:
            # A request that nobody has read yet is read here: the encoder would show a part of it only.
            shown = mask(redactor.redacted(plain(payload)), secrets)
            return msgspec.json.encode(shown, enc_hook=_described).decode()
        except Exception as error:
            # A body that cannot be decoded, or data that JSON has no word for.
            return msgspec.json.encode(
                {"type": type(payload).__name__, "error": str(error)}
            ).decode()

    return show


def _cell(show: Callable[[Any], str], payload: Any) -> Later:
    return Later(lambda: show(payload))


def _described(value: Any) -> Any:
    if isinstance(value, Error):
        return {"error": value.message, "code": value.code}
    if isinstance(value, Stream):
        return repr(value)
    return dict(value) if isinstance(value, Mapping) else str(value)
