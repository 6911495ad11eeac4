"""A response that is none has the code `response`, and is asked for once."""

import pytest

from heddle.extensions.extension import ByteStream, Error
from tests.extensions.net.proxy.test_bytes import BROKEN
from tests.extensions.net.raw_backend import raw_backend
from tests.support import running

pytestmark = pytest.mark.anyio

MORE = {
    "bad chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nok\r\n",
    "chunks that end too early": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe"),
    "no last chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n",
}
ANSWERS = {name: one for name, one in {**BROKEN, **MORE}.items() if b"999" not in one[:20]}
ANSWERS.pop("a status of 600")


def client(url: str, more: str = "") -> str:
    return f"- {{kind: http, name: ask, url: '{url}', retry: {{attempts: 3, delay: 1ms}}{more}}}\n"


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS.keys())
async def test_a_broken_response_has_its_code_and_is_not_asked_for_again(answer: bytes) -> None:
    async with raw_backend(answer) as far, running(client(far.url)) as rt:
        error = await rt.send("ask", {"path": "/x"})
    assert isinstance(error, Error)
    assert error.code == "response"
    assert "GET http://127.0.0.1:" in error.message
    assert len(far.asked) == 1


async def test_a_server_that_leaves_without_a_byte_is_unreachable_and_asked_again() -> None:
    async with raw_backend(b"") as far, running(client(far.url)) as rt:
        error = await rt.send("ask", {"path": "/x"})
    assert isinstance(error, Error)
    assert error.code == "unreachable"
    assert len(far.asked) >= 3


@pytest.mark.parametrize("size", [12_000, 32_000])
async def test_headers_as_large_as_a_listener_takes_come_through(size: int) -> None:
    answer = b"HTTP/1.1 200 OK\r\nX: " + b"x" * size + b"\r\nContent-Length: 2\r\n\r\nok"
    async with raw_backend(answer) as far, running(client(far.url)) as rt:
        found = await rt.send("ask", {"path": "/x"})
    assert found["header"]["X"] == ["x" * size]


@pytest.mark.parametrize("form", ["data", "bytes", "stream"])
async def test_an_empty_chunked_body_is_the_same_as_no_length(form: str) -> None:
    found = []
    for body in (b"Content-Length: 0\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"):
        answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" + body
        more = f", body: {form}"
        async with raw_backend(answer) as far, running(client(far.url, more)) as rt:
            reply = await rt.send("ask", {"path": "/x"})
        body_of = reply["body"]
        found.append(type(body_of) if isinstance(body_of, ByteStream) else body_of)
    assert found[0] == found[1]
