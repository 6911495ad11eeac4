"""streams: a stream of server-sent events is changed event by event on its way to a client."""

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from benchmarks.duel import BUSY
from benchmarks.machine import cores, resident
from benchmarks.measure import Measure, at_least, at_most, measured
from benchmarks.paths import HERE
from benchmarks.row import AnswerMismatchError, Row, Say
from benchmarks.scale import Scale
from benchmarks.server import Server, heddle, module
from benchmarks.servers.events import changed

GROWTH: Final = 4.0
"""MiB that a server may have more in the middle of a stream than before it: the buffers of two sockets."""

LOOK: Final = 256 * 1024
"""Bytes of a stream after which memory is looked at."""

REQUEST: Final = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


@dataclass(frozen=True, kw_only=True)
class Turn:
    """A whole stream: seconds, of which so many of the server's processor, and MiB that it had more."""

    seconds: float
    cpu: float
    growth: float


def run(scale: Scale, say: Say) -> list[Measure]:
    """Read whole streams through both, in turns; what comes is compared byte by byte."""
    events = scale.events
    expected = b"".join(changed(number) for number in range(events))
    with (
        module("events", str(events), core=1) as source,
        module("relay", str(source.port)) as floor,
        heddle(HERE / "streams.yaml", "-e", f"UPSTREAM={source.port}") as subject,
        _pinned(),
    ):
        for server in (floor, subject):
            _turn(server, expected)
        rounds: list[tuple[Turn, Turn]] = []
        for number in range(max(scale.rounds // 2, 1)):
            rounds.append((_turn(floor, expected), _turn(subject, expected)))
            rates = [events / turn.seconds for turn in rounds[-1]]
            say(f"round {number + 1}: {rates[1]:,.0f} events a second beside {rates[0]:,.0f}")
    return _measures(rounds, events)


def _measures(rounds: list[tuple[Turn, Turn]], events: int) -> list[Measure]:
    clean = [each for each in rounds if all(turn.cpu >= BUSY * turn.seconds for turn in each)]
    disturbed = len(clean) < max(1, len(rounds) // 2)
    counted = rounds if disturbed else clean
    facts = {
        name: {
            "events a second": round(
                measured("", [events / turns[side].seconds for turns in counted]).value
            ),
            "CPU µs an event": round(
                measured("", [turns[side].cpu / events * 1e6 for turns in counted]).value, 1
            ),
        }
        for side, name in enumerate(("floor", "subject"))
    }
    return [
        measured(
            "events a second",
            [base.seconds / its.seconds for base, its in counted],
            reach=at_least(0.3),
            disturbed=disturbed,
            facts=facts,
        ),
        measured(
            "events a second of the server's CPU",
            [base.cpu / its.cpu for base, its in counted if base.cpu and its.cpu] or [1.0],
        ),
        measured(
            f"memory in the middle of {events:,} events",
            [its.growth for _, its in rounds],
            unit=" MiB",
            reach=at_most(GROWTH),
        ),
    ]


def _turn(server: Server, expected: bytes) -> Turn:
    """Read one stream to its end."""
    before, cpu = resident(server.process.pid), server.cpu()
    most = before
    parts: list[bytes] = []
    size = looked = 0
    began = time.perf_counter()
    with socket.create_connection(("127.0.0.1", server.port), 60.0) as client:
        client.sendall(REQUEST)
        while True:
            part = client.recv(256 * 1024)
            parts.append(part)
            size += len(part)
            if size - looked > LOOK:
                looked = size
                most = max(most, resident(server.process.pid))
            if not part or part.endswith(b"0\r\n\r\n"):
                break
        seconds = time.perf_counter() - began
    if body_of(b"".join(parts)) != expected:
        raise AnswerMismatchError("a stream did not have the events that it should have")
    return Turn(seconds=seconds, cpu=server.cpu() - cpu, growth=(most - before) / 2**20)


def body_of(response: bytes) -> bytes:
    """Return the body of a response that came in chunks."""
    head, _, rest = response.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200 "):
        raise AnswerMismatchError(f"a stream was answered {head[:100]!r}")
    body: list[bytes] = []
    at = 0
    while True:
        end = rest.index(b"\r\n", at)
        size = int(rest[at:end], 16)
        if not size:
            return b"".join(body)
        body.append(rest[end + 2 : end + 2 + size])
        at = end + 4 + size


@contextmanager
def _pinned() -> Iterator[None]:
    """Read on the core of the source, so that the server has its own."""
    core = cores()[1]
    if core is None:
        yield
        return
    usable = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, usable)


ROW = Row(
    title="a stream of 100,000 server-sent events through http → for → sse, each changed by CEL",
    floor="a proxy written by hand on aiohttp (uvloop, msgspec)",
    run=run,
)
