"""What many clients send together stays within the budget of the process."""

import asyncio
import gzip
from collections.abc import Iterator

import pytest

from heddle.extensions.net.http.exchange import Exchange
from heddle.extensions.net.http.limits import HttpLimits
from heddle.runtime.flow.budget import BUDGET
from tests.extensions.net.http.wire import GET, answering, serve
from tests.waiting import until

pytestmark = pytest.mark.anyio

MEBI = 1024 * 1024


@pytest.fixture
def small_budget() -> Iterator[None]:
    """Room for one MiB more than is kept now."""
    limit, BUDGET.limit = BUDGET.limit, BUDGET.used + MEBI
    yield
    BUDGET.limit = limit


def begun(length: int, sent: int) -> bytes:
    return b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % length + b"x" * sent


async def test_bodies_beyond_the_budget_are_503_with_retry_after(small_budget: None) -> None:
    async with serve(answering("x")) as house:
        before = BUDGET.used
        wires = [await house.wire() for _ in range(3)]
        for wire in wires[:2]:
            await wire.send(begun(MEBI, MEBI // 2 - 10_000))
        await until(lambda: BUDGET.used - before > MEBI - 100_000)
        reply = await wires[2].ask(begun(MEBI, MEBI // 2))
        assert reply.status == 503
        assert reply.one("retry-after") == "1"
        assert (await (await house.wire()).ask(GET)).status == 200
        for wire in wires:
            wire.reset()
        await until(lambda: BUDGET.used == before)


async def test_chunks_that_are_only_announced_take_no_budget() -> None:
    async with serve(answering("x")) as house:
        before = BUDGET.used
        wire = await house.wire()
        head = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        await wire.send(head + b"7fffff\r\nabc")
        assert (await (await house.wire()).ask(GET)).status == 200
        assert BUDGET.used == before


async def test_a_body_is_counted_until_its_answer_is_sent() -> None:
    waiting: list[Exchange] = []
    async with serve(waiting.append) as house:
        before = BUDGET.used
        wire = await house.wire()
        await wire.send(begun(200_000, 200_000))
        await until(lambda: waiting)
        assert BUDGET.used - before >= 200_000
        waiting[0].reply("x")
        assert (await wire.reply()).status == 200
        assert BUDGET.used == before


async def test_a_body_that_unpacks_to_more_than_is_left_is_503(small_budget: None) -> None:
    def read(exchange: Exchange) -> None:
        exchange.reply(str(len(exchange.request["body"])))

    async with serve(read, limits=HttpLimits(body_bytes=8 * MEBI)) as house:
        packed = gzip.compress(b"x" * 4 * MEBI)
        head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n"
        reply = await (await house.wire()).ask(head % len(packed) + packed)
        assert reply.status == 503


async def test_what_a_slow_reader_does_not_take_is_counted() -> None:
    async with serve(answering("x" * 30 * MEBI), limits=HttpLimits(compress_bytes=None)) as house:
        before = BUDGET.used
        wire = await house.wire()
        await wire.send(GET)
        await until(lambda: BUDGET.used - before > MEBI)
        wire.reset()
        await until(lambda: BUDGET.used == before)


async def test_an_answer_beyond_the_budget_is_503(small_budget: None) -> None:
    async with serve(answering("x" * 2 * MEBI), limits=HttpLimits(compress_bytes=None)) as house:
        reply = await (await house.wire()).ask(GET)
        assert (reply.status, reply.one("retry-after")) == (503, "1")


async def test_a_body_slower_than_the_least_rate_is_408() -> None:
    limits = HttpLimits(body_timeout=0.4, body_rate=100_000)
    async with serve(answering("x"), limits=limits) as house:
        wire = await house.wire()
        await wire.send(begun(MEBI, 1))

        async def drip() -> None:
            while True:
                await wire.send(b"x" * 100)
                await asyncio.sleep(0.01)

        dripping = asyncio.ensure_future(drip())
        assert (await wire.reply()).status == 408
        dripping.cancel()


async def test_a_streamed_body_may_be_slow_but_not_silent() -> None:
    async def length(exchange: Exchange) -> None:
        size = 0
        async for part in exchange.request["body"]:
            size += len(part)
        exchange.reply(str(size))

    tasks: list[asyncio.Future[None]] = []
    limits = HttpLimits(body_timeout=0.4, body_rate=100_000)

    def handler(exchange: Exchange) -> None:
        tasks.append(asyncio.ensure_future(length(exchange)))

    async with serve(handler, stream_body=True, limits=limits) as house:
        wire = await house.wire()
        await wire.send(begun(31, 1))
        for _ in range(30):
            await asyncio.sleep(0.03)
            await wire.send(b"x")
        reply = await wire.reply()
        assert (reply.status, reply.body) == (200, b"31")
