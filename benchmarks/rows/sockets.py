"""sockets: a thousand WebSockets whose messages come back, beside a bare echo server."""

from benchmarks.duel import duel
from benchmarks.machine import allow_many_files
from benchmarks.measure import Measure, at_least, at_most
from benchmarks.paths import HERE
from benchmarks.row import Row, Say
from benchmarks.scale import Scale
from benchmarks.server import heddle, module

HELLO = "hello, is anybody there?"


def run(scale: Scale, say: Say) -> list[Measure]:
    """Return each connection sends its next message when it has heard the one before."""
    allow_many_files()
    with module("talk") as floor, heddle(HERE / "sockets.yaml") as subject:
        return duel(
            floor,
            subject,
            request=HELLO,
            expect=HELLO,
            reach=at_least(1.0),
            scale=scale,
            say=say,
            upgrade="/",
            connections=scale.sockets,
            what="messages",
            tail=at_most(1.5),
        )


ROW = Row(
    title="WebSockets that are open at the same time, and whose every message is a process and comes back",
    floor="a bare echo server on websockets (uvloop), with the same client",
    run=run,
)
