"""Bodies that take time, in both directions."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from heddle.extensions.net.http.errors import RequestError
from heddle.extensions.net.http.exchange import Exchange
from heddle.extensions.net.http.limits import UPLOAD_BYTES, HttpLimits
from heddle.runtime.flow.errors import Error
from heddle.runtime.flow.stream import ByteStream
from tests.extensions.net.http.wire import GET, answering, get, post, serve
from tests.waiting import until

pytestmark = pytest.mark.anyio

CHUNKED = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


class Source:
    """A stream fed by the test; tells when it was closed."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[bytes | Exception | None] = asyncio.Queue()
        self.closed = asyncio.Event()

    async def chunks(self) -> AsyncIterator[bytes]:
        while True:
            item = await self.queue.get()
            if item is None:
                return
            if isinstance(item, Exception):
                raise item
            yield item

    async def close(self) -> None:
        self.closed.set()

    def stream(self, size: int | None = None) -> ByteStream:
        return ByteStream(self.chunks(), size=size, close=self.close)


def tasks() -> tuple[set[asyncio.Task[None]], Any]:
    running: set[asyncio.Task[None]] = set()

    def spawn(work: Any) -> None:
        task = asyncio.ensure_future(work)
        running.add(task)
        task.add_done_callback(running.discard)

    return running, spawn


async def test_stream_is_sent_in_chunks_as_they_come() -> None:
    source = Source()
    sent: list[bool] = []

    def handler(exchange: Exchange) -> None:
        exchange.on_sent = sent.append
        exchange.reply({"header": {"Content-Type": "text/event-stream"}, "body": source.stream()})

    async with serve(handler) as house:
        wire = await house.wire()
        await wire.send(GET)
        head = await wire.reader.readuntil(b"\r\n\r\n")
        assert b"Transfer-Encoding: chunked" in head
        chunks = wire.chunks()
        for text in (b"one", b"two"):
            source.queue.put_nowait(text)
            assert await asyncio.wait_for(anext(chunks), 60) == text
        assert sent == []
        source.queue.put_nowait(None)
        assert [part async for part in chunks] == []
        await asyncio.wait_for(source.closed.wait(), 60)
        assert sent == [True]
        house.server.swap(handler=answering("next"))
        assert (await wire.ask(GET)).body == b"next"


async def test_stream_of_known_size_has_a_length() -> None:
    source = Source()
    async with serve(answering(source.stream(6))) as house:
        wire = await house.wire()
        source.queue.put_nowait(b"abc")
        source.queue.put_nowait(b"def")
        source.queue.put_nowait(None)
        reply = await wire.ask(GET)
        assert (reply.one("content-length"), reply.body) == ("6", b"abcdef")


@pytest.mark.parametrize("size", [2, 9])
async def test_stream_of_the_wrong_size_is_never_a_whole_response(size: int) -> None:
    source = Source()
    async with serve(answering(source.stream(size))) as house:
        wire = await house.wire()
        source.queue.put_nowait(b"abcdef")
        source.queue.put_nowait(None)
        await wire.send(GET)
        data = await wire.rest()
        assert len(data.partition(b"\r\n\r\n")[2]) < size
        assert "size" in str(house.reports[0][1]) or "of 9 bytes" in str(house.reports[0][1])


async def test_old_clients_get_a_stream_that_ends_with_the_connection() -> None:
    source = Source()
    async with serve(answering(source.stream())) as house:
        wire = await house.wire()
        source.queue.put_nowait(b"abc")
        source.queue.put_nowait(None)
        reply = await wire.ask(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        assert reply.body == b"abc"
        assert reply.one("connection") == "close"


async def test_plain_async_iterators_are_streams_too() -> None:
    async def numbers() -> AsyncIterator[bytes]:
        for number in range(3):
            yield b"%d" % number

    async with serve(answering({"body": numbers()})) as house:
        assert (await house.ask(GET)).body == b"012"


async def test_head_closes_the_stream_unread() -> None:
    source = Source()
    async with serve(answering(source.stream(3))) as house:
        reply = await house.ask(get(method="HEAD"), head_only=True)
        assert reply.one("content-length") == "3"
        await asyncio.wait_for(source.closed.wait(), 60)


async def test_stream_that_fails_cuts_the_response() -> None:
    source = Source()
    sent: list[bool] = []

    def handler(exchange: Exchange) -> None:
        exchange.on_sent = sent.append
        exchange.reply(source.stream())

    async with serve(handler) as house:
        wire = await house.wire()
        source.queue.put_nowait(b"abc")
        await wire.send(GET)
        assert (await wire.reader.readuntil(b"abc\r\n")).endswith(b"3\r\nabc\r\n")
        source.queue.put_nowait(RuntimeError("the disk is gone"))
        assert b"0\r\n\r\n" not in await wire.rest()
        await asyncio.wait_for(source.closed.wait(), 60)
        assert sent == [False]
        assert house.reports[0][0] == "a streamed answer failed"


async def test_stream_that_is_no_bytes_is_reported() -> None:
    async def words() -> AsyncIterator[Any]:
        yield "text"

    async with serve(answering(words())) as house:
        wire = await house.wire()
        await wire.send(GET)
        await wire.rest()
        assert "stream of str" in str(house.reports[0][1])


async def test_hang_up_closes_the_stream() -> None:
    source = Source()
    sent: list[bool] = []

    def handler(exchange: Exchange) -> None:
        exchange.on_sent = sent.append
        exchange.reply(source.stream())

    async with serve(handler) as house:
        wire = await house.wire()
        source.queue.put_nowait(b"abc")
        await wire.send(GET)
        await wire.reader.readuntil(b"abc\r\n")
        wire.reset()
        await asyncio.wait_for(source.closed.wait(), 60)
        await until(lambda: sent)
        assert sent == [False]
        assert house.reports == []


async def test_hang_up_before_the_first_byte_closes_the_stream() -> None:
    source = Source()

    def handler(exchange: Exchange) -> None:
        exchange.reply(source.stream())
        # The client is gone before the sending has begun.
        exchange_connection[0].cut()

    async with serve(handler) as house:
        exchange_connection: list[Any] = []
        wire = await house.wire()
        await until(lambda: house.server._shared.connections)
        exchange_connection.extend(house.server._shared.connections)
        await wire.send(GET)
        await asyncio.wait_for(source.closed.wait(), 60)


async def test_stream_waits_for_a_client_that_reads_slowly() -> None:
    made = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal made
        while True:
            made += 1
            yield b"z" * 65_536

    async with serve(answering(endless())) as house:
        wire = await house.wire()
        await wire.send(GET)
        async with asyncio.timeout(60):
            for taken in range(200):
                # What is ahead of the client stands in the buffers between.
                assert made < taken + 500
                await wire.reader.readexactly(65_536)
        wire.reset()


async def test_streamed_body_reaches_the_flow_before_its_end() -> None:
    parts: list[bytes] = []
    came = asyncio.Event()
    _running, spawn = tasks()

    async def flow(exchange: Exchange) -> None:
        async for part in exchange.request["body"]:
            parts.append(part)
            came.set()
        exchange.reply(b"".join(parts))

    async with serve(lambda exchange: spawn(flow(exchange)), stream_body=True) as house:
        wire = await house.wire()
        await wire.send(post(b"onetwo")[:-3])
        await asyncio.wait_for(came.wait(), 60)
        assert parts == [b"one"]
        assert (await wire.ask(b"two")).body == b"onetwo"
        assert (await wire.ask(CHUNKED + b"3\r\nabc\r\n0\r\n\r\n")).body.endswith(b"abc")
        await wire.send(post(b"x") + post(b"y"))
        assert [(await wire.reply()).status for _ in range(2)] == [200, 200]


async def test_streamed_body_knows_its_size() -> None:
    sizes: list[int | None] = []
    _running, spawn = tasks()

    async def flow(exchange: Exchange) -> None:
        body = exchange.request["body"]
        if body is None:
            sizes.append(0)
        else:
            sizes.append(body.size)
            await body.read()
        exchange.reply("x")

    async with serve(lambda exchange: spawn(flow(exchange)), stream_body=True) as house:
        wire = await house.wire()
        await wire.ask(post(b"four"))
        await wire.ask(CHUNKED + b"0\r\n\r\n")
        await wire.ask(GET)
    assert sizes == [4, None, 0]


async def test_upload_waits_for_a_slow_reader() -> None:
    go = asyncio.Event()
    total = 0
    _running, spawn = tasks()

    async def flow(exchange: Exchange) -> None:
        nonlocal total
        await go.wait()
        async for part in exchange.request["body"]:
            total += len(part)
        exchange.reply("done")

    limits = HttpLimits(body_bytes=None, body_timeout=0.3)
    async with serve(lambda e: spawn(flow(e)), stream_body=True, limits=limits) as house:
        wire = await house.wire()
        size = 30_000_000
        sending = asyncio.ensure_future(wire.send(post(b"z" * size)))
        # The pause lasts longer than the body timeout: a slow flow is not the client's fault.
        done, _ = await asyncio.wait([sending], timeout=0.8)
        assert not done
        connection: Any = next(iter(house.server._shared.connections))
        assert connection._upload.size < UPLOAD_BYTES + 1_000_000
        go.set()
        assert (await wire.reply()).body == b"done"
        await sending
    assert total == size


async def test_streamed_body_is_invited_when_it_is_read() -> None:
    go = asyncio.Event()
    _running, spawn = tasks()

    async def flow(exchange: Exchange) -> None:
        await go.wait()
        exchange.reply(await exchange.request["body"].read())

    async with serve(lambda exchange: spawn(flow(exchange)), stream_body=True) as house:
        wire = await house.wire()
        await wire.send(post(b"body", "Expect: 100-continue")[:-4])
        early = asyncio.ensure_future(wire.reply())
        done, _ = await asyncio.wait([early], timeout=0.05)
        assert not done
        go.set()
        assert (await early).status == 100
        assert (await wire.ask(b"body")).body == b"body"


async def test_reply_before_the_body_was_read_closes_the_connection() -> None:
    async with serve(answering("no thanks"), stream_body=True) as house:
        wire = await house.wire()
        await wire.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 900000\r\n\r\n")
        for _ in range(90):
            await wire.send(b"a" * 10_000)
        reply = await wire.reply()
        assert (reply.status, reply.one("connection")) == (200, "close")
        assert await wire.closed()


async def test_full_duplex_echo() -> None:
    def handler(exchange: Exchange) -> None:
        exchange.reply({"body": exchange.request["body"]})

    async with serve(handler, stream_body=True) as house:
        wire = await house.wire()
        await wire.send(CHUNKED)
        await wire.reader.readuntil(b"\r\n\r\n")
        chunks = wire.chunks()
        for text in (b"ping", b"pong"):
            await wire.send(b"4\r\n" + text + b"\r\n")
            assert await asyncio.wait_for(anext(chunks), 60) == text
        await wire.send(b"0\r\n\r\n")
        assert [part async for part in chunks] == []


async def test_client_that_stalls_in_a_full_duplex_exchange_is_timed_out() -> None:
    failures: list[Exception] = []

    def handler(exchange: Exchange) -> None:
        async def parts() -> AsyncIterator[bytes]:
            try:
                async for part in exchange.request["body"]:
                    yield part
            except RequestError as error:
                failures.append(error)

        exchange.reply({"body": parts()})

    async with serve(handler, stream_body=True, limits=HttpLimits(body_timeout=0.05)) as house:
        wire = await house.wire()
        assert (await wire.ask(CHUNKED + b"4\r\nping\r\n")).body == b"ping"
        assert await wire.closed()
    assert [error.status for error in failures if isinstance(error, RequestError)] == [408]


async def failing_upload(
    data: bytes, then: bytes, limits: HttpLimits, *, cut: bool = False
) -> tuple[int, Exception]:
    """Send a body that goes wrong later; the reply's status and what the flow's reader saw."""
    failures: list[Exception] = []
    _running, spawn = tasks()

    async def flow(exchange: Exchange) -> None:
        try:
            await exchange.request["body"].read()
        except Exception as error:
            failures.append(error)
            exchange.reply(Error.of(error))

    async with serve(lambda e: spawn(flow(e)), stream_body=True, limits=limits) as house:
        wire = await house.wire()
        await wire.send(data)
        await until(lambda: house.server.snapshot().busy)
        if cut:
            wire.reset()
            await until(lambda: failures)
            return 0, failures[0]
        reply = await wire.ask(then)
        assert reply.one("connection") == "close"
        assert await wire.closed()
    return reply.status, failures[0]


async def test_streamed_body_over_the_limit_is_a_413() -> None:
    start = CHUNKED + b"5\r\nhello\r\n"
    status, error = await failing_upload(start, b"FF\r\n", HttpLimits(body_bytes=20))
    assert status == 413
    assert isinstance(error, RequestError)


async def test_broken_chunks_in_a_streamed_body_are_a_400() -> None:
    status, error = await failing_upload(CHUNKED, b"zz\r\n", HttpLimits())
    assert (status, str(error)) == (400, "a chunk size is not a hex number on a line of its own")


async def test_slow_streamed_body_is_a_408() -> None:
    status, error = await failing_upload(CHUNKED, b"", HttpLimits(body_timeout=0.05))
    assert (status, str(error)) == (408, "the body of the request took too long")


async def test_client_that_leaves_in_a_streamed_body_is_told_to_the_reader() -> None:
    _, error = await failing_upload(post(b"a" * 100)[:-50], b"", HttpLimits(), cut=True)
    assert isinstance(error, ConnectionResetError)
