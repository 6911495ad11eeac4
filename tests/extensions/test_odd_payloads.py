"""Whatever a packet holds, every kind answers it: no exception of Python's comes through, nothing hangs."""

import asyncio
import math
import re
from collections.abc import AsyncIterator
from itertools import count
from typing import Any

import pytest

from heddle.runtime.assembly.extension import registry
from heddle.runtime.flow.errors import Error
from heddle.runtime.flow.stream import ByteStream
from tests.support import running

pytestmark = pytest.mark.anyio

KINDS = {name: kind.schema for name, kind in sorted(registry().scheme.kinds.items())}
PORTS = [(name, port.name) for name, schema in KINDS.items() for port in schema.ins]

ODD: list[Any] = [
    None,
    True,
    0,
    -1,
    10**30,
    math.nan,
    math.inf,
    "",
    "x",
    "x" * 100_000,
    "\ud800",
    b"",
    b"\xff\x00",
    [],
    [None],
    [[[[]]]],
    (1, 2),
    {},
    {1: 2},
    {"": None},
    {"status": "x"},
    {"status": 99_999, "body": 1},
    {"cookies": {"a": 1}, "status": 200},
    {"method": "GET", "path": "/"},
    {"method": 1},
    {"header": 1, "method": "GET", "path": "/"},
    {"header": {"Cookie": [1], "Authorization": ["Basic !!!"]}, "method": "GET", "path": "/"},
    {"path": "../x"},
    {"path": "a\0b", "data": 1},
    {"connection": "x", "room": 1, "data": None},
    ["SELECT 1", {"a": 1}],
    ["SELECT ?", [1]],
    ["SELECT 1", 2, 3],
    Error("boom", code="x"),
    {"inner": Error("in")},
]

PYTHON = re.compile(
    r"maximum recursion depth exceeded while getting the repr|object at 0x|NoneType|has no attribute|has no len|subscriptable|unhashable|unsupported operand"
    r"|not iterable|Traceback"
)
"""What exceptions of Python say that nobody has put into words."""


async def pieces() -> AsyncIterator[bytes]:
    yield b"ab\n"
    yield b"c\xff"


@pytest.mark.parametrize(("kind", "lines"), [("log", ""), ("print", ", format: json")])
async def test_who_looks_at_a_packet_does_not_mind_how_deep_it_is(kind: str, lines: str) -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    async with running(f"- {{kind: {kind}, name: it{lines}}}") as rt:
        assert await rt.send("it", deep) is deep
    async with running("- {kind: throw, name: it}") as rt:
        for payload in (deep, {"deep": deep}):
            assert str(await rt.send("it", payload)) == "data that is nested too deeply"


@pytest.mark.parametrize(("name", "port"), PORTS)
async def test_every_payload_is_answered_in_words(name: str, port: str) -> None:
    async with running(alone(KINDS[name].example)) as rt:
        first = next(one for one in rt.status().symbols if one.kind == name)
        odd = [*ODD, ByteStream(pieces())]
        async with asyncio.timeout(30):
            answers = await asyncio.gather(
                *(rt.send(first.name or first.id, one, port=port) for one in odd)
            )
    for sent, answer in zip(odd, answers, strict=True):
        if isinstance(answer, Error):
            assert not PYTHON.search(answer.message), (sent, answer.message)


def alone(flow: str) -> str:
    """Return the flow on free ports, asking nobody but ourselves: there nobody listens."""
    ports = count(1)
    flow = re.sub(r"\bport: 8\d\d\d\b", "port: 0", flow)
    return re.sub(
        r"\b(http|ws)s?://[^/'\s,}]+", lambda found: f"{found[1]}://127.0.0.1:{next(ports)}", flow
    )
