"""What fails lets go of its payload at once: no exception keeps a body through its frames."""

import asyncio
import gc
import gzip
import tracemalloc
import zlib
from collections.abc import Iterator

import pytest

from tests.support import port_of, running

pytestmark = pytest.mark.anyio

BODY = b"x" * 2_000_000
LISTENER = "- {kind: listener, name: listener, port: 0, stream: %s, ports: {out: {name: n}}}\n"


def bomb() -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    blown = b"".join(packer.compress(b"\0" * 1_000_000) for _ in range(30)) + packer.flush()
    return gzip.compress(blown, 9)


TEXT = {"Content-Type": "text/plain"}
PACKED = {"Content-Type": "text/plain", "Content-Encoding": "gzip, gzip"}
PARSE = "{kind: pipe, name: n, ports: {'out[0]': {name: b}, 'out[1]': {name: c}}}\n"
PARSE += "- {kind: snippet, name: b, language: cel, code: body}\n"
FLOWS = {
    "cel": ("{kind: snippet, name: n, language: cel, code: self.body.nix}", TEXT, BODY),
    "python": ("{kind: snippet, name: n, language: python, code: payload.nix}", TEXT, BODY),
    "javascript": ("{kind: snippet, name: n, language: javascript, code: a.b}", TEXT, BODY),
    "jinja": ("{kind: snippet, name: n, language: jinja, code: '{{ a.b.c }}'}", TEXT, BODY),
    "jsonata": ("{kind: snippet, name: n, language: jsonata, code: $error(body)}", TEXT, BODY),
    "throw": ("{kind: throw, name: n}", TEXT, BODY),
    "bomb": ("{kind: snippet, name: n, language: cel, code: size(body)}", PACKED, bomb()),
    "retry": (
        (
            "{kind: retry, name: n, attempts: 2, delay: 1ms, ports: {out: {name: m}}}\n"
            "- {kind: snippet, name: m, language: python, code: 1/0}"
        ),
        TEXT,
        BODY,
    ),
    "http": ("{kind: http, name: n, url: 'http://127.0.0.1:1', retry: 1}", TEXT, BODY),
    "proxy": ("{kind: proxy, name: n, backends: ['http://127.0.0.1:1']}", TEXT, BODY),
    "csv": (PARSE + "- {kind: csv, name: c}", TEXT, b'"' + BODY),
    "jsonl": (PARSE + "- {kind: jsonl, name: c}", TEXT, BODY),
    "json": (
        "{kind: snippet, name: n, language: cel, code: body}",
        {"Content-Type": "application/json"},
        BODY,
    ),
    "multipart": (
        "{kind: snippet, name: n, language: cel, code: body}",
        {"Content-Type": "multipart/form-data; boundary=x"},
        BODY,
    ),
}


@pytest.fixture
def uncollected() -> Iterator[None]:
    """Switch garbage collection off, and count what is allocated."""
    gc.collect()
    gc.disable()
    tracemalloc.start()
    yield
    tracemalloc.stop()
    gc.enable()


async def post(port: int, header: dict[str, str], body: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    lines = "".join(f"{name}: {value}\r\n" for name, value in header.items()).encode()
    head = b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n" % len(body)
    try:
        writer.write(head + lines + b"\r\n" + body)
        return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


@pytest.mark.parametrize("stream", ["false", "true"])
@pytest.mark.parametrize("name", FLOWS)
async def test_a_request_that_fails_leaves_nothing_behind(
    name: str, stream: str, uncollected: None
) -> None:
    flow, header, body = FLOWS[name]
    async with running(LISTENER % stream + f"- {flow}\n", drain=0.2) as rt:
        port = port_of(rt)
        for _ in range(2):
            await post(port, header, body)
        await asyncio.sleep(0.01)
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(4):
            await post(port, header, body)
        await asyncio.sleep(0.01)
        after, _ = tracemalloc.get_traced_memory()
    assert after - before < 1_000_000
