"""sleep: waits, then passes the packet on."""

import asyncio
from typing import Annotated, Any

from heddle.extensions.extension import (
    ERROR,
    IN,
    OUT,
    Action,
    Build,
    Fields,
    Handler,
    Interval,
    Kind,
    Node,
    Payload,
    Schema,
    about,
)


class Sleep(Fields):
    """The fields of a `sleep`."""

    interval: Annotated[Interval, about("How long each packet waits.", examples=["1.5s", 250])]


class SleepNode(Node):
    """Holds each packet back for a while."""

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._action = Action(self._act, waits=True)

    def handler(self, port: str) -> Handler | None:
        """Return the handler of its only in port."""
        return self._action if port == "in" else None

    async def _act(self, payload: Payload) -> Payload:
        await asyncio.sleep(self._interval)
        return payload


def compile_sleep(fields: Sleep, build: Build) -> Node:
    """Convert the interval to seconds."""
    del build
    return SleepNode(float(fields.interval))


SLEEP: Kind[Any] = Kind(
    Schema(
        kind="sleep",
        fields=Sleep,
        summary="Waits, then passes the packet on.",
        category="control",
        passes_on=lambda _: True,
        ins=(IN,),
        outs=(OUT, ERROR),
        example="""\
- kind: sleep
  name: pause
  interval: 100ms
""",
        details="""\
Packets of one process wait one after the other; different processes wait at the same time. A process
that is cancelled (its client has gone, its deadline has passed) stops waiting at once.
""",
    ),
    compile_sleep,
)
