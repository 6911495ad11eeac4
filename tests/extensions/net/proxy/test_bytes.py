"""What a proxy passes on keeps its bytes, and what no response may be is a 502 with a reason."""

import asyncio

import pytest

from heddle.extensions.extension import Error
from tests.extensions.net.proxy.test_proxy import flow
from tests.extensions.net.raw_backend import exchange, raw_backend
from tests.support import fetch, port_of, running

pytestmark = pytest.mark.anyio

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
END = b"Host: x\r\nConnection: close\r\n\r\n"


async def test_a_request_keeps_spelling_order_and_repeats_of_its_headers() -> None:
    sent = [
        b"x-lower: 1",
        b"X-UPPER: \xe9 \xff",
        b"Accept: */*",
        b"x-lower: 2",
        b"X-Utf: \xc3\xa9",
        b"X-Utf: \xe9",
        b"x-Mixed: \xc3\xa9 and more",
        b"cOOkie: a=1",
        b"Accept: text/html",
        b"X-Empty:",
        b"X-Tab: a\tb",
    ]
    async with raw_backend(OK) as far, running(flow(far.url)) as rt:
        await exchange(port_of(rt), b"GET / HTTP/1.1\r\n" + b"\r\n".join(sent) + b"\r\n" + END)
        assert [
            one.replace(b": ", b":", 1) for one in far.lines if one.split(b":")[0] in names(sent)
        ] == [one.replace(b": ", b":", 1) for one in sent]


def names(lines: list[bytes]) -> set[bytes]:
    return {one.split(b":")[0] for one in lines}


async def test_a_response_keeps_spelling_order_repeats_and_date_of_its_headers() -> None:
    came = [
        b"server: far/1",
        b"X-UPPER: \xe9\xff",
        b"set-cookie: a=1",
        b"X-utf: \xc3\xa9",
        b"x-utf: \xe9",
        b"Set-Cookie: b=2",
        b'ETag: "x"',
        b"content-type: text/x-odd;charset=UTF-8",
        b"WWW-Authenticate: Basic",
        b"X-Empty: ",
    ]
    date = b"Date: Tue, 15 Nov 1994 08:12:31 GMT"
    answer = b"\r\n".join([b"HTTP/1.1 200 OK", *came, date, b"Content-Length: 2", b"", b"ok"])
    async with raw_backend(answer) as far, running(flow(far.url)) as rt:
        data = await exchange(port_of(rt), b"GET / HTTP/1.1\r\n" + END)
    lines = data.partition(b"\r\n\r\n")[0].split(b"\r\n")
    assert [one for one in lines if one.split(b":")[0] in names(came)] == came
    assert [one for one in lines if one.lower().startswith(b"date:")] == [date]
    assert data.endswith(b"\r\n\r\nok")


async def test_a_response_without_a_type_is_not_given_one() -> None:
    async with raw_backend(OK) as far, running(flow(far.url)) as rt:
        data = await exchange(port_of(rt), b"GET / HTTP/1.1\r\n" + END)
    assert b"content-type" not in data.lower()
    assert data.lower().count(b"\r\ndate:") == 1


async def test_a_header_that_a_node_behind_adds_or_replaces_goes_beside_others() -> None:
    answer = (
        b"HTTP/1.1 200 OK\r\nx-ODD: 1\r\nvary: Accept\r\nACCESS-control-allow-origin: far\r\n"
        b"Content-Length: 2\r\n\r\nok"
    )
    listener = """
- {kind: listener, name: listener, port: 0, ports: {out: {name: cors, port: in}}}
- {kind: cors, name: cors, origins: ['https://a.example'], ports: {out: {name: proxy, port: in}}}
"""
    async with raw_backend(answer) as far, running(flow(far.url, listener=listener)) as rt:
        data = await exchange(port_of(rt), b"GET / HTTP/1.1\r\nOrigin: https://a.example\r\n" + END)
    assert b"\r\nx-ODD: 1\r\n" in data
    assert data.lower().count(b"access-control-allow-origin:") == 1
    assert b"https://a.example" in data
    assert data.count(b"Accept") == 1


@pytest.mark.parametrize(
    ("asked", "sent"),
    [
        (b"GET /? HTTP/1.1", b"GET /? HTTP/1.1"),
        (b"GET /a? HTTP/1.1", b"GET /a? HTTP/1.1"),
        (b"GET //a HTTP/1.1", b"GET //a HTTP/1.1"),
        (b"GET //a//? HTTP/1.1", b"GET //a//? HTTP/1.1"),
        (b"GET /?? HTTP/1.1", b"GET /?? HTTP/1.1"),
        (b"GET /?a=1&&b HTTP/1.1", b"GET /?a=1&&b HTTP/1.1"),
        (b"GET /%7e%41?%zz HTTP/1.1", b"GET /%7e%41?%zz HTTP/1.1"),
        (b'GET /a|b"<> HTTP/1.1', b'GET /a|b"<> HTTP/1.1'),
        (b"GET http://x/? HTTP/1.1", b"GET /? HTTP/1.1"),
        (b"OPTIONS * HTTP/1.1", b"OPTIONS * HTTP/1.1"),
        (b"OPTIONS /a HTTP/1.1", b"OPTIONS /a HTTP/1.1"),
        (b"OPTIONS http://x HTTP/1.1", b"OPTIONS * HTTP/1.1"),
        (b"OPTIONS http://x/ HTTP/1.1", b"OPTIONS / HTTP/1.1"),
        (b"OPTIONS http://x?a HTTP/1.1", b"OPTIONS /?a HTTP/1.1"),
        (b"GET http://x HTTP/1.1", b"GET / HTTP/1.1"),
    ],
)
async def test_a_target_goes_on_as_it_came(asked: bytes, sent: bytes) -> None:
    async with raw_backend(OK) as far, running(flow(far.url)) as rt:
        data = await exchange(port_of(rt), asked + b"\r\n" + END)
    assert data.startswith(b"HTTP/1.1 200 ")
    assert far.lines[0] == sent


async def test_a_bare_mark_goes_below_the_path_of_the_backend() -> None:
    async with raw_backend(OK) as far, running(flow(far.url + "/base", more="prefix: /a")) as rt:
        await exchange(port_of(rt), b"GET /a/b? HTTP/1.1\r\n" + END)
    assert far.lines[0] == b"GET /base/b? HTTP/1.1"


# -- hops -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hops", [b"0", b"000"])
async def test_a_trace_that_goes_no_further_is_reflected_without_secrets(hops: bytes) -> None:
    async with raw_backend(OK) as far, running(flow(far.url)) as rt:
        data = await exchange(
            port_of(rt),
            b"TRACE /a?b=1 HTTP/1.1\r\nmax-forwards: " + hops + b"\r\nX-One: 1\r\n"
            b"cookie: secret\r\nAuthorization: secret\r\n" + END,
        )
    assert far.asked == []
    head, _, body = data.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert b"Content-Type: message/http" in head
    assert body.startswith(b"TRACE /a?b=1 HTTP/1.1\r\nmax-forwards: ")
    assert b"X-One: 1\r\n" in body
    assert b"secret" not in body


async def test_options_that_go_no_further_are_answered_here() -> None:
    async with raw_backend(OK) as far, running(flow(far.url)) as rt:
        for target in (b"*", b"/a"):
            data = await exchange(
                port_of(rt), b"OPTIONS " + target + b" HTTP/1.1\r\nMax-Forwards: 0\r\n" + END
            )
            assert data.startswith(b"HTTP/1.1 204 ")
            assert b"Allow: GET, HEAD" in data
    assert far.asked == []


@pytest.mark.parametrize(
    ("method", "hops", "left"),
    [
        (b"OPTIONS", b"5", b"4"),
        (b"TRACE", b"1", b"0"),
        (b"TRACE", b"9" * 5000, b"999999998"),
        (b"TRACE", b"-1", b"-1"),
        (b"GET", b"0", b"0"),
    ],
)
async def test_each_hop_takes_one_off_where_hops_are_counted(
    method: bytes, hops: bytes, left: bytes
) -> None:
    async with raw_backend(OK) as far, running(flow(far.url)) as rt:
        await exchange(
            port_of(rt), method + b" / HTTP/1.1\r\nMax-Forwards: " + hops + b"\r\n" + END
        )
    assert b"Max-Forwards: " + left in far.lines


# -- responses that are none ------------------------------------------------------------------------

BROKEN = {
    "a status line that is none": b"HELLO\r\n\r\n",
    "a status that is not a number": b"HTTP/1.1 2x0 OK\r\n\r\n",
    "a status of two digits": b"HTTP/1.1 20 OK\r\n\r\n",
    "a status of 999": b"HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n",
    "a status of 600": b"HTTP/1.1 600 Odd\r\nContent-Length: 0\r\n\r\n",
    "a 101 that nobody has wanted": b"HTTP/1.1 101 Switching\r\nUpgrade: odd\r\nConnection: upgrade\r\n\r\n",
    "a 101 to websocket": (
        b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n"
    ),
    "a header without a colon": b"HTTP/1.1 200 OK\r\nodd\r\n\r\n",
    "a header with a NUL": b"HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 0\r\n\r\n",
    "a header with a control character": (
        b"HTTP/1.1 200 OK\r\nX: a\x01b\r\nContent-Length: 0\r\n\r\n"
    ),
    "a name with a space": b"HTTP/1.1 200 OK\r\nX Y: a\r\nContent-Length: 0\r\n\r\n",
    "a length that is not a number": b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nok",
    "a length of 30 digits": b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 30 + b"\r\n\r\nok",
    "a body that is too short": b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nok",
    "a head that ends in its middle": b"HTTP/1.1 200 OK\r\nX-One",
    "a status line that ends in its middle": b"HTTP/1.1 20",
    "a transfer coding that is not chunked": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\npacked"
    ),
    "two transfer codings": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
    ),
    "a header that is too large": (
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 40_000 + b"\r\nContent-Length: 0\r\n\r\n"
    ),
    "headers that are too large together": (
        b"HTTP/1.1 200 OK\r\n"
        b"X: " + b"x" * 8000 + (b"\r\nX: " + b"x" * 8000) * 4 + b"\r\nContent-Length: 0\r\n\r\n"
    ),
}


@pytest.mark.parametrize("stays", [False, True], ids=["closes", "stays"])
@pytest.mark.parametrize("answer", BROKEN.values(), ids=BROKEN.keys())
async def test_a_broken_response_is_502_and_sent_to_nobody_else(answer: bytes, stays: bool) -> None:
    if stays and answer in CUT:
        pytest.skip("it is complete once the connection is closed only")
    async with (
        raw_backend(answer, stays=stays) as far,
        running(flow(far.url, far.url + "/b")) as rt,
    ):
        reply = await fetch(port_of(rt))
        assert (reply.status, reply.text) == (502, "Bad Gateway")
        assert len(far.asked) == 1
        error = await rt.send("proxy", {"method": "GET", "path": "/"})
        assert isinstance(error, Error)
        assert error.code == "response"


CUT = [
    BROKEN["a body that is too short"],
    BROKEN["a head that ends in its middle"],
    BROKEN["a status line that ends in its middle"],
]
"""Those that are seen to be broken once the connection is closed only."""


async def test_a_streamed_response_with_bad_chunks_is_cut() -> None:
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\nzz\r\n"
    async with raw_backend(answer) as far, running(flow(far.url)) as rt:
        data = await exchange(port_of(rt), b"GET / HTTP/1.1\r\n" + END)
    assert not data.endswith(b"0\r\n\r\n")


@pytest.mark.parametrize("size", [8_191, 12_000, 32_000])
async def test_headers_as_large_as_a_listener_takes_come_through(size: int) -> None:
    big = b"x" * size
    answer = b"HTTP/1.1 200 OK\r\nX-Big: " + big + b"\r\nContent-Length: 2\r\n\r\nok"
    async with raw_backend(answer) as far, running(flow(far.url)) as rt:
        reply = await fetch(port_of(rt))
    assert (reply.status, reply.headers["X-Big"]) == (200, big.decode())


async def test_many_small_headers_come_through() -> None:
    many = b"".join(b"X-%d: some value\r\n" % number for number in range(500))
    answer = b"HTTP/1.1 200 OK\r\n" + many + b"Content-Length: 2\r\n\r\nok"
    async with raw_backend(answer) as far, running(flow(far.url)) as rt:
        data = await exchange(port_of(rt), b"GET / HTTP/1.1\r\n" + END)
    assert int(data.split(b" ")[1]) == 200
    assert data.count(b"some value\r\n") == 500


async def test_a_head_that_does_not_end_is_given_up_at_its_limit() -> None:
    endless = b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1_000_000
    async with raw_backend(endless) as far, running(flow(far.url)) as rt:
        data = await exchange(port_of(rt), b"GET / HTTP/1.1\r\n" + END)
    assert int(data.split(b" ")[1]) == 502


async def test_a_limit_of_headers_is_a_field_and_zero_is_none() -> None:
    answer = b"HTTP/1.1 200 OK\r\nX-Big: " + b"x" * 100_000 + b"\r\nContent-Length: 2\r\n\r\nok"
    async with raw_backend(answer) as far:
        for limit, status in (("1KiB", 502), ("200KiB", 200), ("0", 200)):
            async with running(flow(far.url, more=f"limits: {{header: {limit}}}")) as rt:
                data = await exchange(port_of(rt), b"GET / HTTP/1.1\r\n" + END)
                assert int(data.split(b" ")[1]) == status


# -- HEAD, and empty bodies -------------------------------------------------------------------------


async def test_head_says_what_get_says() -> None:
    text = b"text " * 1000
    head = (
        b'HTTP/1.1 200 OK\r\nETag: "x"\r\nContent-Type: text/plain\r\nVary: Cookie\r\n'
        b"Date: Tue, 15 Nov 1994 08:12:31 GMT\r\nContent-Length: %d\r\n\r\n" % len(text)
    )
    for accept in (b"", b"Accept-Encoding: gzip\r\n"):
        heads = []
        for method, answer in ((b"GET", head + text), (b"HEAD", head)):
            async with raw_backend(answer) as far, running(flow(far.url)) as rt:
                data = await exchange(port_of(rt), method + b" / HTTP/1.1\r\n" + accept + END)
            lines = data.partition(b"\r\n\r\n")[0].split(b"\r\n")
            heads.append([one for one in lines if not accept or b"Content-Length" not in one])
            assert method == b"GET" or data.endswith(b"\r\n\r\n")
        assert heads[0] == heads[1]


EMPTY = [b"Content-Length: 0\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"]


@pytest.mark.parametrize("stream", ["false", "true"])
@pytest.mark.parametrize("body", EMPTY, ids=["length", "chunked"])
async def test_an_empty_body_is_sent_on_as_one(body: bytes, stream: str) -> None:
    listener = (
        "- {kind: listener, name: listener, port: 0, stream: "
        f"{stream}, ports: {{out: {{name: proxy, port: in}}}}}}\n"
    )
    async with raw_backend(OK) as far, running(flow(far.url, listener=listener)) as rt:
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(rt))
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\n" + body)
        async with asyncio.timeout(60):
            assert b" 200 " in await reader.readuntil(b"\r\n\r\n")
        writer.close()
    head, _, rest = far.asked[0].partition(b"\r\n\r\n")
    if stream == "false" or b"Length" in body:
        assert b"Content-Length: 0" in head
        assert rest == b""
    else:
        assert rest == b"0\r\n\r\n"


@pytest.mark.parametrize("body", EMPTY, ids=["length", "chunked"])
async def test_an_empty_response_comes_back_as_one(body: bytes) -> None:
    async with raw_backend(b"HTTP/1.1 200 OK\r\n" + body) as far, running(flow(far.url)) as rt:
        reply = await fetch(port_of(rt))
    assert (reply.status, reply.body) == (200, b"")
