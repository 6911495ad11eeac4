"""The load notices every answer that is wrong, late, old or missing."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve

from benchmarks import load
from benchmarks.load import Tally, Target
from benchmarks.response import Echoed, Expected, frame

pytestmark = pytest.mark.anyio

REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"

Respond = Callable[[int], bytes | None]
"""What the server sends to the so manieth request, from 0 on; None is a hang-up."""


def said(body: str, status: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


@asynccontextmanager
async def serving(respond: Respond) -> AsyncIterator[int]:
    """Provide a server on a free port that answers as it is told to, whoever asks."""
    numbers = count()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                await reader.readuntil(b"\r\n\r\n")
                response = respond(next(numbers))
                if response is None:
                    return
                # In two parts, as a network may do.
                writer.write(response[:20])
                await writer.drain()
                writer.write(response[20:])
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def driven(respond: Respond, expect: Any, answers: int = 20, connections: int = 1) -> Tally:
    """Return what a drive comes to that ends after so many requests."""
    enough = asyncio.Event()

    def counted(number: int) -> bytes | None:
        if number >= answers:
            enough.set()
        return respond(number)

    async with serving(counted) as port, asyncio.timeout(60):
        target = Target(port, REQUEST, Expected(expect))
        await target.open(connections)
        target.start("test")
        await enough.wait()
        tally = await target.stop()
        target.close()
        # The server is not closed before its connections are.
        await asyncio.sleep(0)
        return tally


def wrong(tally: Tally) -> tuple[int, int, int]:
    return tally.failed, tally.hung, tally.reset


async def test_right_answers_are_counted_and_timed() -> None:
    tally = await driven(lambda _: said("pong"), "pong", connections=3)
    assert wrong(tally) == (0, 0, 0)
    assert len(tally.taken) >= 18
    told = tally.data()
    assert 0 < told["p50"] <= told["p99"] <= told["max"]
    assert told["rate"] == pytest.approx(told["answers"] / told["seconds"])


async def test_json_may_be_written_in_any_way() -> None:
    tally = await driven(lambda _: said('{ "b": [1.0], "a": null }'), {"a": None, "b": [1]})
    assert wrong(tally) == (0, 0, 0)


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (said("pang"), "found b'pang', expected 'pong'"),
        (said("pong", "500 Internal Server Error"), "status 500: b'pong'"),
        (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", "found b'SSH-2.0-OpenSSH_9.6"),
        (b"HTTP/1.1 200 OK\r\n\r\n", "found a response without a Content-Length"),
    ],
)
async def test_one_wrong_answer_among_right_ones_is_found(bad: bytes, why: str) -> None:
    tally = await driven(lambda number: bad if number == 7 else said("pong"), "pong")
    assert tally.failed >= 1
    assert tally.first.startswith(why)


async def test_a_hang_up_is_found_and_the_load_goes_on() -> None:
    tally = await driven(lambda number: None if number == 7 else said("pong"), "pong")
    assert wrong(tally) == (0, 0, 1)
    assert len(tally.taken) >= 18


async def test_an_answer_that_never_comes_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "PATIENCE", 0.05)
    # Half of a response, for ever.
    tally = await driven(lambda number: said("pong")[: 99 if number < 7 else 30], "pong", answers=7)
    assert wrong(tally) == (0, 1, 0)


async def test_versions_may_grow() -> None:
    tally = await driven(lambda number: said(f"v{number // 3}"), "v{version}")
    assert wrong(tally) == (0, 0, 0)


async def test_an_old_version_after_a_new_one_is_wrong() -> None:
    tally = await driven(lambda number: said("v2" if number == 7 else "v3"), "v{version}")
    assert tally.failed == 1
    assert tally.first == "version 2 came after version 3 had come already"


async def test_whoever_waits_for_a_version_hears_of_it() -> None:
    async with serving(lambda number: said(f"v{number}")) as port, asyncio.timeout(60):
        target = Target(port, REQUEST, Expected("v{version}"))
        await target.open(2)
        target.start("test")
        assert (await target.reached(5)) >= 5
        await target.stop()
        target.close()
        await asyncio.sleep(0)


# -- WebSockets --------------------------------------------------------------------------------------


async def talked(answer: Callable[[int, str | bytes], str | bytes], messages: int = 20) -> Tally:
    """Return what a drive comes to over WebSockets that are answered like this; it ends after so many."""
    numbers, enough = count(), asyncio.Event()

    async def talk(connection: ServerConnection) -> None:
        async for message in connection:
            number = next(numbers)
            if number >= messages:
                enough.set()
            await connection.send(answer(number, message))

    async with serve(talk, "127.0.0.1", 0) as server, asyncio.timeout(20):
        port = next(iter(server.sockets)).getsockname()[1]
        target = Target(port, frame("hello", masked=True), Echoed("hello"), "/")
        await target.open(3)
        target.start("test")
        await enough.wait()
        tally = await target.stop()
        target.close()
        return tally


async def test_messages_that_come_back_are_counted() -> None:
    tally = await talked(lambda _, message: message)
    assert wrong(tally) == (0, 0, 0)
    assert len(tally.taken) >= 18


@pytest.mark.parametrize("bad", ["hallo", "hello!", b"hello", ""])
async def test_one_wrong_message_among_right_ones_is_found(bad: str | bytes) -> None:
    tally = await talked(lambda number, message: bad if number == 7 else message)
    assert tally.failed >= 1
    assert "expected b'\\x81\\x05hello'" in tally.first


async def test_a_server_that_speaks_no_websocket_is_told() -> None:
    async with serving(lambda _: said("pong")) as port:
        target = Target(port, frame("hello", masked=True), Echoed("hello"), "/")
        with pytest.raises(ConnectionError, match="expected a 101"):
            await target.open(1)
        target.close()
        await asyncio.sleep(0)
