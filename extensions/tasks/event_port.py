"""The port `event` of a workflow: each transition leaves in order, in a Process of its own, beside the run."""

from collections import deque
from typing import Any

import msgspec

from heddle.extensions.extension import Error, Host, Process
from heddle.extensions.tasks.status import Transition
from heddle.runtime.flow.finish import finish
from heddle.runtime.flow.source import Source

EVENT = "event"
TRANSITION = "transition"
"""The event of the runtime that tells each transition; it is emitted only if somebody wants it."""


class EventPort:
    """Sends transitions out. Whatever is linked there cannot hold up a run, or fail it."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._source = Source(host, port=EVENT)
        self._waiting: deque[dict[str, Any]] = deque()
        self._sending = False

    def is_watched(self, process: Process) -> bool:
        """Return whether anybody wants the transitions of a run in this process."""
        return bool(process.wiring.targets(self._host.id, EVENT)) or self._host.wants(TRANSITION)

    def take(self, transition: Transition) -> None:
        """Take one transition: emit its event, and send it out after those before it."""
        data = msgspec.to_builtins(transition, enc_hook=str)
        host = self._host
        if host.wants(TRANSITION):
            host.emit(TRANSITION, level="debug", **_renamed(data))
        if not self._source.linked():
            return
        self._waiting.append(data)
        if not self._sending:
            self._sending = True
            host.tasks.start(self._send())

    async def _send(self) -> None:
        """Send what waits, one after the other."""
        try:
            while self._waiting:
                process, answer = self._source.send(self._waiting.popleft())
                answer = await finish(process, answer)
                if type(answer) is Error:
                    self._host.emit("event failed", level="error", error=answer)
        finally:
            self._sending = False


def _renamed(data: dict[str, Any]) -> dict[str, Any]:
    """Return the values of an event: `event` is its own phrase there, so the status has its name."""
    return {"status" if name == "event" else name: value for name, value in data.items()}
