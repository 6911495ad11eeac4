"""A Record keeps the frames of one test, in the order in which its packets came to ports."""

from typing import Any
from uuid import UUID

from heddle.extensions.extension import Process
from heddle.runtime.status.agent import Frame

KEY = "heddle.testing.record"
"""The key under which a test's process keeps its Record; its children read through to it."""

FRAMES = 100_000
"""How many frames a Record holds; what comes after them is not kept."""


class FrameRecord:
    """Every packet that a test's process and its children met at a port that was watched."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []

    def find(self, symbol: str | UUID, port: str, since: int, nth: int = 1) -> int | None:
        """Return the index of the nth frame at this port, counted from the index `since`; None for none.

        `symbol` is a name or an id, `port` a canonical name, of an in port or of an out port.
        """
        for index in range(max(since, 0), len(self.frames)):
            frame = self.frames[index]
            if frame.port == port and symbol in (frame.symbol, _label(frame)):
                nth -= 1
                if not nth:
                    return index
        return None

    def way(self, most: int = 20) -> str:
        """Return the ports that packets came to, in order, each once: `router.in, router.out[1], pong.in`."""
        seen = dict.fromkeys(f"{_label(frame)}.{frame.port}" for frame in self.frames)
        shown = list(seen)[:most]
        more = f" and {len(seen) - most} more" if len(seen) > most else ""
        return ", ".join(shown) + more


def note(frame: Frame) -> None:
    """Give a frame to the Record of the test that it belongs to, if there is one."""
    if frame.answered:
        return
    record = record_of(frame.process)
    if record is not None and len(record.frames) < FRAMES:
        record.frames.append(frame)


def record_of(process: Process) -> FrameRecord | None:
    """Return the Record of the test that this process belongs to; None outside of tests."""
    value: Any = process.get(KEY)
    return value if isinstance(value, FrameRecord) else None


def _label(frame: Frame) -> str:
    return frame.process.wiring.label(frame.symbol)
