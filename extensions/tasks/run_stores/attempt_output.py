"""The output of an attempt: up to 1 MB of what its task prints and logs, of which the tail is kept."""

import logging
import sys
from collections import deque
from contextvars import ContextVar
from typing import Any, Final, TextIO

from heddle.extensions.tasks.scheduler.journal import RunSpeaker

LONGEST: Final = 1024 * 1024
"""Characters that are kept of one attempt."""

CUT: Final = "… (what was printed before is not kept)\n"
"""The line that stands before the tail of an attempt that printed more."""


class AttemptOutput:
    """The text that one attempt has printed so far. `changed` tells whether that is more than was taken last."""

    __slots__ = ("_cut", "_pieces", "_size", "changed")

    def __init__(self) -> None:
        self.changed = False
        self._pieces: deque[str] = deque()
        self._size = 0
        self._cut = False

    def write(self, text: str) -> None:
        """Add a text; the oldest ones go when there is too much."""
        text = text[-LONGEST:]
        self._pieces.append(text)
        self._size += len(text)
        self.changed = True
        while self._size > LONGEST:
            self._size -= len(self._pieces.popleft())
            self._cut = True

    def take(self) -> str:
        """Return all that is kept."""
        self.changed = False
        return (CUT if self._cut else "") + "".join(self._pieces)


CURRENT: ContextVar[RunSpeaker | None] = ContextVar("heddle.attempt_output", default=None)
"""The attempt that runs in this context; its `taker` is the journal of its run."""


class _Router:
    """Stands in the place of standard output or error: what an attempt prints goes to the attempt."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        current = CURRENT.get()
        if current is None:
            return self._stream.write(text)
        current.taker.write_output(current.path, current.number, text)
        return len(text)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class _Handler(logging.Handler):
    """Adds log records to the attempt in whose context they arise."""

    def emit(self, record: logging.LogRecord) -> None:
        current = CURRENT.get()
        if current is not None:
            text = f"{record.levelname.lower()} {record.name}: {self.format(record)}\n"
            current.taker.write_output(current.path, current.number, text)


class OutputCapture:
    """Sends what attempts print to them, as long as at least one owner wants it."""

    def __init__(self) -> None:
        self._owners = 0
        self._handler = _Handler()
        self._routers: list[tuple[str, Any, _Router]] = []

    def begin(self) -> None:
        """Begin, on behalf of one owner."""
        self._owners += 1
        if self._owners > 1:
            return
        for name in ("stdout", "stderr"):
            stream = getattr(sys, name)
            if stream is not None:
                router = _Router(stream)
                self._routers.append((name, stream, router))
                setattr(sys, name, router)
        logging.getLogger().addHandler(self._handler)

    def end(self) -> None:
        """End on behalf of one owner; the last one puts everything back."""
        self._owners -= 1
        if self._owners:
            return
        for name, stream, router in self._routers:
            if getattr(sys, name) is router:
                setattr(sys, name, stream)
        self._routers.clear()
        logging.getLogger().removeHandler(self._handler)


CAPTURE: Final = OutputCapture()
"""The capture of this program."""
