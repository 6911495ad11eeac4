"""What a client that does not behave gets: the right rejection, and never a second request."""

import asyncio
import socket
import struct
import time
from typing import Any

import pytest

from heddle.extensions.net.http.exchange import Exchange
from heddle.extensions.net.http.limits import PIPELINE_BYTES, HttpLimits
from tests.extensions.net.http.wire import GET, answering, get, post, serve
from tests.waiting import until

pytestmark = pytest.mark.anyio

SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"


def head(*lines: bytes, first: bytes = b"POST / HTTP/1.1", host: bytes = b"Host: x") -> bytes:
    return b"\r\n".join([first, host, *lines, b"", b""])


TE = b"Transfer-Encoding: chunked"
CHUNKED = head(TE)
BODY = b"0\r\n\r\n" + SMUGGLED

# A name, the bytes, the status that rejects them.
SHAPES: list[tuple[str, bytes, int]] = [
    # Two lengths.
    ("two lengths", head(b"Content-Length: 5", b"Content-Length: 6") + BODY, 400),
    ("two equal lengths", head(b"Content-Length: 5", b"Content-Length: 5") + BODY, 400),
    ("list of lengths", head(b"Content-Length: 5, 5") + BODY, 400),
    ("list of two lengths", head(b"Content-Length: 5,6") + BODY, 400),
    ("length and chunked", head(b"Content-Length: 5", TE) + BODY, 400),
    ("chunked and length", head(TE, b"Content-Length: 5") + BODY, 400),
    ("zero length and chunked", head(b"Content-Length: 0", TE) + BODY, 400),
    # Lengths that are not numbers.
    ("negative length", head(b"Content-Length: -5") + BODY, 400),
    ("signed length", head(b"Content-Length: +5") + BODY, 400),
    ("hex length", head(b"Content-Length: 0x5") + BODY, 400),
    ("length with a space inside", head(b"Content-Length: 5 5") + BODY, 400),
    ("empty length", head(b"Content-Length:") + BODY, 400),
    ("length with an underscore", head(b"Content-Length: 1_0") + BODY, 400),
    ("fractional length", head(b"Content-Length: 5.0") + BODY, 400),
    ("arabic length", head("Content-Length: ٥".encode()) + BODY, 400),
    ("superscript length", head(b"Content-Length: \xb2") + BODY, 400),
    ("endless length", head(b"Content-Length: " + b"9" * 30) + BODY, 400),
    # Transfer codings.
    ("xchunked", head(b"Transfer-Encoding: xchunked") + BODY, 501),
    ("identity", head(b"Transfer-Encoding: identity") + BODY, 501),
    ("gzip then chunked", head(b"Transfer-Encoding: gzip, chunked") + BODY, 501),
    ("chunked then identity", head(b"Transfer-Encoding: chunked, identity") + BODY, 400),
    ("chunked twice", head(b"Transfer-Encoding: chunked, chunked") + BODY, 400),
    ("chunked on two lines", head(TE, TE) + BODY, 400),
    ("identity and chunked lines", head(b"Transfer-Encoding: identity", TE) + BODY, 501),
    ("chunked and identity lines", head(TE, b"Transfer-Encoding: identity") + BODY, 400),
    ("empty coding", head(b"Transfer-Encoding:") + BODY, 400),
    ("coding with a comma", head(b"Transfer-Encoding: ,chunked") + BODY, 400),
    ("quoted coding", head(b'Transfer-Encoding: "chunked"') + BODY, 501),
    ("coding with a vertical tab", head(b"Transfer-Encoding:\x0bchunked") + BODY, 400),
    ("coding with a parameter", head(b"Transfer-Encoding: chunked;q=1") + BODY, 501),
    ("chunked in 1.0", head(TE, first=b"POST / HTTP/1.0") + BODY, 400),
    # Names.
    ("space before the colon", head(b"Transfer-Encoding : chunked") + BODY, 400),
    ("tab before the colon", head(b"Content-Length\t: 5") + BODY, 400),
    ("space before the name", head(b" Transfer-Encoding: chunked") + BODY, 400),
    ("folded line", head(b"X: a", b" b") + BODY, 400),
    ("folded with a tab", head(b"X: a", b"\tContent-Length: 5") + BODY, 400),
    ("folded first line", b"GET / HTTP/1.1\r\n Host: x\r\n\r\n" + SMUGGLED, 400),
    ("no colon", head(b"Transfer-Encoding chunked") + BODY, 400),
    ("empty name", head(b": chunked") + BODY, 400),
    ("NUL in a name", head(b"Content\0-Length: 5") + BODY, 400),
    ("NUL in a value", head(b"X: a\0b") + BODY, 400),
    ("high byte in a name", head(b"Content-L\xe9ngth: 5") + BODY, 400),
    ("brackets in a name", head(b"X[a]: 5") + BODY, 400),
    ("DEL in a value", head(b"X: a\x7fb") + BODY, 400),
    ("escape in a value", head(b"X: a\x1bb") + BODY, 400),
    # Line ends.
    ("bare LF everywhere", b"GET / HTTP/1.1\nHost: x\n\n" + SMUGGLED, 400),
    ("bare LF after the first line", b"GET / HTTP/1.1\nHost: x\r\n\r\n" + SMUGGLED, 400),
    ("bare LF between headers", b"GET / HTTP/1.1\r\nHost: x\nX: y\r\n\r\n" + SMUGGLED, 400),
    ("bare CR in a value", head(b"X: a\rContent-Length: 5") + BODY, 400),
    ("bare CR between headers", b"GET / HTTP/1.1\r\nHost: x\rX: y\r\n\r\n" + SMUGGLED, 400),
    ("CR CR LF", b"GET / HTTP/1.1\r\nHost: x\r\r\n\r\n" + SMUGGLED, 400),
    ("LF before the end", b"GET / HTTP/1.1\r\nHost: x\r\n\n" + SMUGGLED, 400),
    # The request line.
    ("no version", b"GET /\r\n\r\n" + SMUGGLED, 400),
    ("two spaces", head(first=b"GET  / HTTP/1.1") + SMUGGLED, 400),
    ("tab between", head(first=b"GET\t/ HTTP/1.1") + SMUGGLED, 400),
    ("space at the end", head(first=b"GET / HTTP/1.1 ") + SMUGGLED, 400),
    ("space at the beginning", head(first=b" GET / HTTP/1.1") + SMUGGLED, 400),
    ("space in the target", head(first=b"GET /a b HTTP/1.1") + SMUGGLED, 400),
    ("NUL in the target", head(first=b"GET /a\0b HTTP/1.1") + SMUGGLED, 400),
    ("method with brackets", head(first=b"G(T / HTTP/1.1") + SMUGGLED, 400),
    ("method too long", head(first=b"G" * 40 + b" / HTTP/1.1") + SMUGGLED, 400),
    ("lower version name", head(first=b"GET / http/1.1") + SMUGGLED, 400),
    ("version with more digits", head(first=b"GET / HTTP/1.10") + SMUGGLED, 400),
    ("version 0.9", head(first=b"GET / HTTP/0.9") + SMUGGLED, 505),
    ("version 1.2", head(first=b"GET / HTTP/1.2") + SMUGGLED, 505),
    ("version 2.0", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    ("relative target", head(first=b"GET a HTTP/1.1") + SMUGGLED, 400),
    ("star for GET", head(first=b"GET * HTTP/1.1") + SMUGGLED, 400),
    ("fragment", head(first=b"GET /a#b HTTP/1.1") + SMUGGLED, 400),
    ("other scheme", head(first=b"GET ftp://x/ HTTP/1.1") + SMUGGLED, 400),
    ("target without a host", head(first=b"GET http:///a HTTP/1.1") + SMUGGLED, 400),
    ("target with a user", head(first=b"GET http://u@x/ HTTP/1.1") + SMUGGLED, 400),
    ("connect", head(first=b"CONNECT x:443 HTTP/1.1") + SMUGGLED, 501),
    ("broken escape", head(first=b"GET /%zz HTTP/1.1") + SMUGGLED, 400),
    ("escaped NUL", head(first=b"GET /%00 HTTP/1.1") + SMUGGLED, 400),
    ("path that is not UTF-8", head(first=b"GET /%ff HTTP/1.1") + SMUGGLED, 400),
    ("traversal", head(first=b"GET /a/../../etc HTTP/1.1") + SMUGGLED, 400),
    ("escaped traversal", head(first=b"GET /a/%2e%2e/etc HTTP/1.1") + SMUGGLED, 400),
    ("escaped slash traversal", head(first=b"GET /a/..%2f..%2fetc HTTP/1.1") + SMUGGLED, 400),
    ("backslash traversal", head(first=b"GET /a/..%5cetc HTTP/1.1") + SMUGGLED, 400),
    # Host.
    ("no host", b"GET / HTTP/1.1\r\nX: y\r\n\r\n" + SMUGGLED, 400),
    ("no headers at all", b"GET / HTTP/1.1\r\n\r\n" + SMUGGLED, 400),
    ("two hosts", head(b"Host: y") + SMUGGLED, 400),
    ("two hosts in 1.0", head(b"Host: y", first=b"GET / HTTP/1.0") + SMUGGLED, 400),
    ("empty host", head(host=b"Host:") + SMUGGLED, 400),
    ("host with a space", head(host=b"Host: a b") + SMUGGLED, 400),
    ("host with a user", head(host=b"Host: u@x") + SMUGGLED, 400),
    ("host with a path", head(host=b"Host: x/y") + SMUGGLED, 400),
    ("host with a comma port", head(host=b"Host: x:80,y") + SMUGGLED, 400),
    ("two content types are two bodies", head(b"Expect: 100-continue", b"Expect: x") + BODY, 417),
    # Chunks.
    ("chunk size with a sign", CHUNKED + b"+5\r\nhello\r\n0\r\n\r\n" + SMUGGLED, 400),
    ("chunk size with 0x", CHUNKED + b"0x5\r\nhello\r\n0\r\n\r\n" + SMUGGLED, 400),
    ("chunk size with a space", CHUNKED + b"5 \r\nhello\r\n0\r\n\r\n" + SMUGGLED, 400),
    ("chunk size with an underscore", CHUNKED + b"1_0\r\n" + b"a" * 16 + b"\r\n0\r\n\r\n", 400),
    ("empty chunk size", CHUNKED + b"\r\nhello\r\n0\r\n\r\n" + SMUGGLED, 400),
    ("chunk size that is not a number", CHUNKED + b"zz\r\nhello\r\n0\r\n\r\n" + SMUGGLED, 400),
    ("chunk size too long", CHUNKED + b"0" * 300 + b"5\r\nhello\r\n0\r\n\r\n" + SMUGGLED, 400),
    ("chunk size overflows", CHUNKED + b"F" * 17 + b"\r\nhello\r\n0\r\n\r\n" + SMUGGLED, 400),
    ("chunk size with a bare LF", CHUNKED + b"5\nhello\r\n0\r\n\r\n" + SMUGGLED, 400),
    ("chunk longer than its size", CHUNKED + b"5\r\nhello!\r\n0\r\n\r\n" + SMUGGLED, 400),
    ("chunk ends in LF", CHUNKED + b"5\r\nhello\n0\r\n\r\n" + SMUGGLED, 400),
    ("chunk ends in CR X", CHUNKED + b"5\r\nhello\rX0\r\n\r\n" + SMUGGLED, 400),
    ("extension with a bare CR", CHUNKED + b"5;a\rb\r\nhello\r\n0\r\n\r\n" + SMUGGLED, 400),
    ("extension with a bare LF", CHUNKED + b"5;a\nb\r\nhello\r\n0\r\n\r\n" + SMUGGLED, 400),
    ("extension too long", CHUNKED + b"5;" + b"a" * 300 + b"\r\nhello\r\n0\r\n\r\n", 400),
    ("extension with a quote left open", CHUNKED + b'5;a="\r\nhello\r\n0\r\n\r\n' + SMUGGLED, 400),
    ("trailer with a bare LF", CHUNKED + b"0\r\nX: y\n\r\n" + SMUGGLED, 400),
    ("trailer without a colon", CHUNKED + b"0\r\nX\r\n\r\n" + SMUGGLED, 400),
    ("trailer that frames", CHUNKED + b"0\r\nTransfer-Encoding: chunked\r\n\r\n" + SMUGGLED, 400),
    ("trailer with a space", CHUNKED + b"0\r\nX : y\r\n\r\n" + SMUGGLED, 400),
    # Not HTTP at all.
    ("TLS hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    ("binary", bytes(range(256)), 400),
    ("words", b"hello there\r\n\r\n" + SMUGGLED, 400),
]


@pytest.mark.parametrize(
    ("data", "status"), [shape[1:] for shape in SHAPES], ids=[shape[0] for shape in SHAPES]
)
async def test_shape_is_rejected_and_nothing_is_smuggled(data: bytes, status: int) -> None:
    paths: list[str] = []

    def handler(exchange: Exchange) -> None:
        paths.append(exchange.request.path_text)
        exchange.reply("served")

    async with serve(handler) as house:
        wire = await house.wire()
        reply = await wire.ask(data)
        assert reply.status == status
        assert reply.one("connection") == "close"
        assert reply.body
        assert await wire.closed()
    assert paths == []


@pytest.mark.parametrize(
    ("data", "status"), [shape[1:] for shape in SHAPES], ids=[shape[0] for shape in SHAPES]
)
async def test_shape_is_rejected_when_it_comes_in_pieces(data: bytes, status: int) -> None:
    paths: list[str] = []

    def handler(exchange: Exchange) -> None:
        paths.append(exchange.request.path_text)
        exchange.reply("served")

    async with serve(handler) as house:
        wire = await house.wire()
        assert (await wire.ask(GET)).status == 200
        for at in range(0, len(data), 7):
            try:
                await wire.send(data[at : at + 7])
            except ConnectionError:
                break
            await asyncio.sleep(0)
        assert (await wire.reply()).status == status
        assert await wire.closed()
    assert paths == ["/ping"]


async def test_huge_headers_are_rejected() -> None:
    async with serve(answering("x"), limits=HttpLimits(header_bytes=2000)) as house:
        assert (await house.ask(get("X: " + "a" * 3000))).status == 431
        assert (await house.ask(get(*["X: " + "a" * 900] * 3))).status == 431
        wire = await house.wire()
        await wire.send(b"GET / HTTP/1.1\r\nHost: x\r\nX: ")
        for _ in range(4):
            await wire.send(b"a" * 1000)
        assert (await wire.reply()).status == 431


async def test_too_many_headers_are_rejected() -> None:
    async with serve(answering("x"), limits=HttpLimits(headers=5)) as house:
        assert (await house.ask(get(*["X: y"] * 4))).status == 200
        assert (await house.ask(get(*["X: y"] * 5))).status == 431


async def test_long_targets_are_rejected() -> None:
    async with serve(
        answering("x"), limits=HttpLimits(target_bytes=100, header_bytes=1000)
    ) as house:
        assert (await house.ask(get(path="/" + "a" * 99))).status == 200
        assert (await house.ask(get(path="/" + "a" * 100))).status == 414
        assert (await house.ask(get(path="/" + "a" * 900))).status == 414
        wire = await house.wire()
        await wire.send(b"GET /" + b"a" * 1500)
        assert (await wire.reply()).status == 414


async def test_large_bodies_are_rejected_before_they_are_sent() -> None:
    async with serve(answering("x"), limits=HttpLimits(body_bytes=10)) as house:
        assert (await house.ask(post(b"a" * 10))).status == 200
        wire = await house.wire()
        reply = await wire.ask(post(b"a" * 11, "Expect: 100-continue")[:-11])
        assert reply.status == 413
        chunked = CHUNKED + b"6\r\naaaaaa\r\n5\r\naaaaa\r\n0\r\n\r\n"
        assert (await house.ask(chunked)).status == 413


async def test_a_client_that_goes_on_sending_can_read_the_rejection() -> None:
    async with serve(answering("x"), limits=HttpLimits(body_bytes=10)) as house:
        wire = await house.wire()
        await wire.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 500000\r\n\r\n")
        for _ in range(50):
            await wire.send(b"a" * 10_000)
        assert (await wire.reply()).status == 413


async def test_slow_head_is_timed_out() -> None:
    async with serve(answering("x"), limits=HttpLimits(header_timeout=0.05)) as house:
        wire = await house.wire()
        reply = await wire.ask(b"GET / HTTP/1.1\r\n")
        assert reply.status == 408
        assert await wire.closed()


async def test_dribbled_head_is_timed_out_however_steadily_it_drips() -> None:
    async with serve(answering("x"), limits=HttpLimits(header_timeout=0.1)) as house:
        wire = await house.wire()
        assert (await wire.ask(GET)).status == 200
        answer = asyncio.ensure_future(wire.reply())
        await wire.send(b"GET / HTTP/1.1\r\nX: ")
        while not answer.done():
            wire.writer.write(b"a")
            await asyncio.wait([answer], timeout=0.01)
        assert answer.result().status == 408


async def test_silent_connection_is_closed_without_a_word() -> None:
    async with serve(answering("x"), limits=HttpLimits(header_timeout=0.05)) as house:
        assert await (await house.wire()).closed()


async def test_idle_connection_is_closed() -> None:
    async with serve(answering("x"), limits=HttpLimits(idle_timeout=0.05)) as house:
        wire = await house.wire()
        assert (await wire.ask(GET)).status == 200
        assert await wire.closed()


async def test_empty_lines_keep_no_connection_alive() -> None:
    async with serve(answering("x"), limits=HttpLimits(idle_timeout=0.1)) as house:
        wire = await house.wire()
        assert (await wire.ask(GET)).status == 200
        end = asyncio.ensure_future(wire.closed())
        while not end.done():
            wire.writer.write(b"\r\n")
            await asyncio.wait([end], timeout=0.02)
        assert house.server.snapshot().requests == 1


@pytest.mark.parametrize("start", [post(b"a" * 100)[:-50], CHUNKED + b"5\r\nhel", CHUNKED])
async def test_slow_body_is_timed_out(start: bytes) -> None:
    async with serve(answering("x"), limits=HttpLimits(body_timeout=0.05)) as house:
        wire = await house.wire()
        reply = await wire.ask(start)
        assert reply.status == 408
        assert await wire.closed()


async def test_body_that_makes_progress_is_not_timed_out() -> None:
    limits = HttpLimits(body_timeout=0.2)
    async with serve(lambda exchange: exchange.reply("whole"), limits=limits) as house:
        wire = await house.wire()
        size = 70_000
        await wire.send(
            f"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {8 * size}\r\n\r\n".encode()
        )
        for _ in range(8):
            await wire.send(b"a" * size)
            # Longer than the timeout in total, much shorter between the pieces.
            await asyncio.sleep(0.05)
        assert (await wire.reply()).body == b"whole"


async def test_answer_that_does_not_come_is_a_504_and_a_hang_up() -> None:
    hung: list[bool] = []
    kept: list[Exchange] = []

    def handler(exchange: Exchange) -> None:
        kept.append(exchange)
        exchange.on_hangup = lambda: hung.append(exchange.waiting)

    async with serve(handler, limits=HttpLimits(answer_timeout=0.05)) as house:
        wire = await house.wire()
        assert (await wire.ask(GET)).status == 504
        assert await wire.closed()
        assert hung == [False]
        with pytest.raises(RuntimeError):
            kept[0].reply("late")


async def test_client_that_does_not_read_is_cut() -> None:
    sent: list[bool] = []

    def handler(exchange: Exchange) -> None:
        exchange.on_sent = sent.append
        exchange.reply(b"z" * 30_000_000)

    async with serve(handler, limits=HttpLimits(send_timeout=0.1)) as house:
        loop = asyncio.get_running_loop()
        sock = socket.create_connection(house.server.address)
        sock.setblocking(False)
        await loop.sock_sendall(sock, GET)
        await until(lambda: sent and not house.server.snapshot().connections)
        sock.close()


async def test_too_many_connections_are_told_so() -> None:
    async with serve(answering("x"), limits=HttpLimits(connections=2)) as house:
        first, second = await house.wire(), await house.wire()
        assert (await first.ask(GET)).status == 200
        assert (await second.ask(GET)).status == 200
        third = await house.wire()
        assert (await third.ask(GET)).status == 503
        assert (await first.ask(GET)).status == 200


async def test_flood_of_pipelined_requests_waits_unread() -> None:
    kept: list[Exchange] = []
    came = asyncio.Event()

    def handler(exchange: Exchange) -> None:
        kept.append(exchange)
        came.set()

    async with serve(handler) as house:
        wire = await house.wire()
        count = 300_000
        flood = asyncio.ensure_future(wire.send(GET * count))
        await asyncio.wait_for(came.wait(), 60)
        # The client cannot get rid of 10 MB while nobody answers it.
        done, _ = await asyncio.wait([flood], timeout=0.2)
        assert not done
        assert len(kept) == 1
        connection: Any = next(iter(house.server._shared.connections))
        assert len(connection._buffer) < PIPELINE_BYTES + 300_000
        # Once answers come it all drains.
        house.server.swap(handler=answering("x"))
        kept[0].reply("x")
        seen = 0
        while seen < count:
            seen += (await wire.reader.readuntil(b"\r\n\r\nx")).count(b"HTTP/1.1 200 OK")
        await flood
        assert house.server.snapshot().requests == count


async def test_flood_of_empty_lines_takes_turns() -> None:
    async with serve(answering("x")) as house:
        flooder, other = await house.wire(), await house.wire()
        await other.ask(GET)
        flooder.writer.write(b"\r\n" * 50_000 + GET)
        for _ in range(5):
            await other.ask(GET)
        assert house.server.snapshot().requests == 6
        assert (await flooder.reply()).status == 200


async def test_one_flooding_client_does_not_starve_another() -> None:
    async with serve(answering("x")) as house:
        flooder, other = await house.wire(), await house.wire()
        await other.ask(GET)
        flooder.writer.write(GET * 2000)
        await other.ask(GET)
        assert house.server.snapshot().requests < 2000


async def test_hang_up_while_an_answer_is_pending_is_told() -> None:
    hung = asyncio.Event()
    kept: list[Exchange] = []

    def handler(exchange: Exchange) -> None:
        exchange.on_hangup = hung.set
        kept.append(exchange)

    async with serve(handler) as house:
        wire = await house.wire()
        await wire.send(GET)
        await until(lambda: kept)
        wire.reset()
        await asyncio.wait_for(hung.wait(), 60)
        assert not kept[0].waiting
        # A late answer is dropped without a word.
        kept[0].reply("late")
        assert house.reports == []


async def test_client_that_stops_sending_before_its_answer_counts_as_gone() -> None:
    hung = asyncio.Event()

    def handler(exchange: Exchange) -> None:
        exchange.on_hangup = hung.set

    async with serve(handler) as house:
        wire = await house.wire()
        await wire.send(GET)
        wire.writer.write_eof()
        await asyncio.wait_for(hung.wait(), 60)
        assert await wire.closed()


async def test_half_closed_client_reads_the_answers_that_were_given_at_once() -> None:
    async with serve(answering("x")) as house:
        wire = await house.wire()
        wire.writer.write(GET * 3)
        wire.writer.write_eof()
        assert (await wire.rest()).count(b"200 OK") == 3


async def test_half_closed_in_the_middle_is_a_400() -> None:
    async with serve(answering("x")) as house:
        for start in (GET[:-2], post(b"body")[:-2], CHUNKED + b"5\r\nhe"):
            wire = await house.wire()
            await wire.send(start)
            wire.writer.write_eof()
            assert (await wire.reply()).status == 400
            assert await wire.closed()


async def test_reset_in_the_middle_of_a_body_harms_nobody() -> None:
    seen: list[Exchange] = []
    async with serve(seen.append) as house:
        sock = socket.create_connection(house.server.address)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.sendall(post(b"a" * 100)[:-50])
        await until(lambda: house.server.snapshot().busy)
        sock.close()
        await until(lambda: not house.server.snapshot().connections)
        assert seen == []
        house.server.swap(handler=answering("fine"))
        assert (await house.ask(GET)).body == b"fine"
        assert house.reports == []


async def test_loop_that_stood_still_times_nobody_out() -> None:
    limit = 0.1
    async with serve(answering("x"), limits=HttpLimits(header_timeout=limit)) as house:
        slow, other = await house.wire(), await house.wire()
        await slow.send(GET[:-2])
        await until(lambda: house.server.snapshot().busy)

        def block(exchange: Exchange) -> None:
            # Until the slow one is surely late, and its deadline between two looks of the clock.
            end = time.perf_counter() + 3 * limit
            while time.perf_counter() < end:
                pass
            exchange.reply("blocked")

        house.server.swap(handler=block)
        await other.ask(GET)
        house.server.swap(handler=answering("x"))
        assert (await slow.ask(b"\r\n")).status == 200


async def test_failing_hang_up_hook_is_reported() -> None:
    def handler(exchange: Exchange) -> None:
        def hook() -> None:
            raise ZeroDivisionError

        exchange.on_hangup = hook

    async with serve(handler) as house:
        wire = await house.wire()
        await wire.send(GET)
        await until(lambda: house.server.snapshot().busy)
        wire.reset()
        await until(lambda: house.reports)
        assert house.reports[0][0] == "a hang-up hook failed"
