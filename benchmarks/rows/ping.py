"""ping: the flow of the demo under load, beside a bare ASGI app that answers a constant."""

from benchmarks.duel import duel
from benchmarks.measure import Measure, at_least
from benchmarks.paths import EXAMPLES
from benchmarks.row import Row, Say
from benchmarks.scale import Scale
from benchmarks.server import heddle, module

REQUEST = "GET /ping HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


def run(scale: Scale, say: Say) -> list[Measure]:
    """Return listener, router and snippet, as `heddle start` runs them: with watching and all."""
    with module("constant") as floor, heddle(EXAMPLES / "ping.yaml") as subject:
        return duel(
            floor,
            subject,
            request=REQUEST,
            expect="pong",
            reach=at_least(1.5),
            scale=scale,
            say=say,
        )


ROW = Row(
    title="the ping flow (listener → router → snippet), one process, keep-alive connections",
    floor="uvicorn (httptools, uvloop) with a bare ASGI app that answers a constant",
    run=run,
)
