"""One connection that floods does not keep the loop: others are served meanwhile, on both loops."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from time import thread_time
from typing import Any

import pytest

from heddle.runtime.flow.budget import BUDGET
from heddle.runtime.runtime import Runtime
from tests.support import port_of, running

pytestmark = pytest.mark.anyio

FLOW = """
- {kind: listener, name: listener, port: 0, ports: {out: {name: router}}}
- kind: router
  name: router
  routes:
  - {method: POST, path: /, port: 'out[0]'}
  - {method: GET, path: /ws, port: 'out[1]'}
  - {method: POST, path: /json, port: 'out[2]'}
  ports: {'out[0]': {name: ping}, 'out[1]': {name: ws}, 'out[2]': {name: read}}
- {kind: snippet, name: ping, language: text, code: pong}
- {kind: snippet, name: read, language: cel, code: 'size(body)'}
- {kind: websocket, name: ws, ports: {message: {name: echo}}}
- {kind: snippet, name: echo, language: cel, code: data}
"""
HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
CHUNKED = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


def frame(opcode: int, data: bytes, *, fin: bool = True) -> bytes:
    return bytes([(0x80 if fin else 0) | opcode, 0x80 | len(data)]) + b"\0\0\0\0" + data


FLOODS = {
    "chunks": (CHUNKED, b"1\r\na\r\n" * 150_000),
    "chunks of two": (CHUNKED, b"2\r\nab\r\n" * 150_000),
    "messages": (HANDSHAKE, frame(1, b"x") * 15_000),
    "pings": (HANDSHAKE, frame(9, b"") * 60_000),
    "fragments": (HANDSHAKE, frame(1, b"a", fin=False) + frame(0, b"", fin=False) * 60_000),
    "requests": (b"", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n" * 8_000),
}


@pytest.fixture(
    params=[
        pytest.param(("asyncio", {"use_uvloop": False}), id="asyncio"),
        pytest.param(("asyncio", {"use_uvloop": True}), id="uvloop"),
    ]
)
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    return request.param


class Gaps:
    """How long the loop was kept at most, as a callback that is due every millisecond sees it.

    It is the processor time of the loop's own thread that counts: others use the machine, too.
    """

    def __init__(self) -> None:
        self.longest = 0.0
        self._last = thread_time()
        self._loop = asyncio.get_running_loop()
        self._handle = self._loop.call_later(0.001, self._look)

    def _look(self) -> None:
        now = thread_time()
        self.longest = max(self.longest, now - self._last)
        self._last = now
        self._handle = self._loop.call_later(0.001, self._look)

    def stop(self) -> None:
        self._handle.cancel()


def flood(port: int, begin: bytes, data: bytes, done: threading.Event) -> None:
    """Send all of it from a thread, and take whatever comes back."""
    import socket

    with socket.create_connection(("127.0.0.1", port)) as sock:
        reader = threading.Thread(target=_drain, args=(sock,), daemon=True)
        if begin is HANDSHAKE:
            sock.sendall(begin)
            sock.recv(4096)
        else:
            data = begin + data
        reader.start()
        with suppress(OSError):
            sock.sendall(data)
        done.wait(30)


def _drain(sock: Any) -> None:
    try:
        while sock.recv(1 << 20):
            pass
    except OSError:
        pass


async def served(rt: Runtime) -> bool:
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(rt))
    writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    found = (await reader.read()).endswith(b"pong")
    writer.close()
    return found


@asynccontextmanager
async def flooding(rt: Runtime, name: str) -> AsyncIterator[None]:
    begin, data = FLOODS[name]
    done = threading.Event()
    sending = asyncio.ensure_future(asyncio.to_thread(flood, port_of(rt), begin, data, done))
    try:
        yield
    finally:
        done.set()
        await sending


@pytest.mark.parametrize("name", FLOODS)
async def test_a_flood_keeps_the_loop_for_a_moment_only(name: str) -> None:
    async with running(FLOW, drain=0.2) as rt:
        assert await served(rt)
        gaps = Gaps()
        async with flooding(rt, name):
            for _ in range(20):
                assert await served(rt)
        gaps.stop()
        assert gaps.longest < 0.1
    assert BUDGET.used == 0


async def test_empty_fragments_of_a_message_take_no_memory() -> None:
    from heddle.extensions.net.ws.websocket import WebSocketNode

    async with running(FLOW, drain=0.2) as rt, flooding(rt, "fragments"):
        symbol = rt.table.get("ws")
        assert symbol is not None
        node = symbol.node
        assert isinstance(node, WebSocketNode)
        async with asyncio.timeout(30):
            while not node._hub.talks:  # noqa: ASYNC110 - nobody announces it
                await asyncio.sleep(0.01)
        (talk,) = node._hub.talks.values()
        assert len(talk._parts) <= 1


async def test_json_of_millions_of_values_is_rejected_before_it_is_decoded() -> None:
    async with running(FLOW) as rt:
        body = b"[" + b"{}," * 2_600_000 + b"{}]"
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(rt))
        head = b"POST /json HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        writer.write(head + b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(body) + body)
        assert (await reader.read()).startswith(b"HTTP/1.1 413 ")
        writer.close()
