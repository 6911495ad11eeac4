"""The fields of WebSockets: limits of size and time."""

from typing import Annotated, Literal

from heddle.extensions.extension import Duration, Fields, Size, about
from heddle.extensions.net.ws.connection import TalkLimits

Format = Annotated[
    Literal["auto", "json", "text", "bytes"],
    about(
        "What becomes of a message: `auto` leaves text text and bytes bytes, `json` is the data that "
        "it stands for. A message that is not what it has to be closes the connection (1007)."
    ),
]


class TalkFields(Fields):
    """The limits of one connection. Zero is no limit."""

    message: Annotated[
        Size, about("A message, unpacked; then the connection is closed (1009).")
    ] = Size(1024 * 1024)
    waiting: Annotated[
        Size, about("Messages that wait for the one before; then nothing more is read.")
    ] = Size(256 * 1024)
    backlog: Annotated[
        Size, about("What waits to be taken by the other side; then the connection is cut.")
    ] = Size(4 * 1024 * 1024)
    rate: Annotated[
        int, about("Messages a second; then the connection is closed (1008).", ge=0)
    ] = 0
    ping: Annotated[
        Duration, about("After so much silence the other side is asked whether it is there.")
    ] = Duration(20)
    pong: Annotated[
        Duration, about("How long it has to answer that; then the connection is closed.")
    ] = Duration(20)
    idle: Annotated[
        Duration,
        about("After so long without a message either way the connection is closed (1001)."),
    ] = Duration(0)

    @property
    def limits(self) -> TalkLimits:
        """The same, with None for no limit."""
        return TalkLimits(
            message=int(self.message) or None,
            waiting=int(self.waiting) or 2**62,
            backlog=int(self.backlog) or None,
            rate=self.rate or None,
            ping=float(self.ping) or None,
            pong=float(self.pong) or 3600.0,
            idle=float(self.idle) or None,
        )
