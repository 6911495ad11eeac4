"""A back end that answers in tiny chunks keeps the loop of its caller for a moment only."""

import asyncio
from typing import Any

import pytest

from tests.extensions.net.test_floods import Gaps
from tests.support import port_of, running

pytestmark = pytest.mark.anyio

COUNT = 400_000
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.fixture(
    params=[
        pytest.param(("asyncio", {"use_uvloop": False}), id="asyncio"),
        pytest.param(("asyncio", {"use_uvloop": True}), id="uvloop"),
    ]
)
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    return request.param


async def tiny_chunks(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(HEAD + b"2\r\nab\r\n" * COUNT + b"0\r\n\r\n")
    writer.close()


@pytest.mark.parametrize("kind", ["http", "proxy"])
async def test_a_response_in_tiny_chunks_comes_whole_and_in_turns(kind: str) -> None:
    backend = await asyncio.start_server(tiny_chunks, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{backend.sockets[0].getsockname()[1]}"
    node = f"url: '{url}'" if kind == "http" else f"backends: ['{url}']"
    flow = f"""
- {{kind: listener, name: listener, port: 0, ports: {{out: {{name: n}}}}}}
- {{kind: {kind}, name: n, {node}}}
"""
    async with running(flow) as rt:
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(rt))
        gaps = Gaps()
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answer = await reader.read()
        gaps.stop()
        writer.close()
    backend.close()
    assert answer.count(b"ab") >= COUNT // 2
    assert gaps.longest < 0.2
