"""What a client that behaves may rely on."""

import asyncio
import json
import socket
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from heddle.extensions.net.http.exchange import Exchange
from heddle.extensions.net.http.limits import BURST, HttpLimits
from heddle.extensions.net.http.server import Server
from heddle.extensions.response import HttpResponse
from heddle.runtime.flow.errors import NOTHING, Error, NodeError
from tests.extensions.net.http.wire import GET, Wire, answering, get, post, serve
from tests.waiting import until

pytestmark = pytest.mark.anyio


def echo(exchange: Exchange) -> None:
    """Answers what the request was."""
    request = exchange.request
    fields = {name: request[name] for name in ("method", "path", "query", "protocol", "host")}
    exchange.reply({**fields, "got": request["body"], "header": request["header"]})


async def test_a_map_is_answered_as_json() -> None:
    async with serve(answering({"message": "pong"})) as house:
        reply = await house.ask(GET)
    assert reply.status == 200
    assert reply.one("content-type") == "application/json"
    assert reply.one("content-length") == str(len(reply.body))
    assert json.loads(reply.body) == {"message": "pong"}


async def test_date_is_an_http_date() -> None:
    async with serve(answering("x")) as house:
        reply = await house.ask(GET)
    assert reply.one("date").endswith(" GMT")
    assert parsedate_to_datetime(reply.one("date")).year >= 2024


async def test_server_header_is_sent_only_when_wanted() -> None:
    async with serve(answering("x")) as house:
        assert "server" not in (await house.ask(GET)).header
    async with serve(answering("x"), server_name="heddle") as house:
        assert (await house.ask(GET)).one("server") == "heddle"


async def test_a_connection_serves_many_requests() -> None:
    async with serve(echo) as house:
        wire = await house.wire()
        for number in range(5):
            reply = await wire.ask(get(path=f"/{number}?n={number}"))
            data = json.loads(reply.body)
            assert (data["path"], data["query"]) == (f"/{number}", {"n": [str(number)]})
            assert "connection" not in reply.header
        assert house.server.snapshot().connections == 1
        assert house.server.snapshot().requests == 5


async def test_other_headers_on_the_same_connection_are_seen() -> None:
    async with serve(echo) as house:
        wire = await house.wire()
        for value in ("a", "b", "b", "a"):
            reply = await wire.ask(get(f"X-Which: {value}"))
            assert json.loads(reply.body)["header"]["X-Which"] == [value]


async def test_connection_close_is_obeyed_and_said() -> None:
    async with serve(answering("bye")) as house:
        wire = await house.wire()
        reply = await wire.ask(get("Connection: close"))
        assert reply.one("connection") == "close"
        assert await wire.closed()


async def test_http_1_0_closes_unless_asked_to_stay() -> None:
    async with serve(answering("old")) as house:
        wire = await house.wire()
        reply = await wire.ask(b"GET / HTTP/1.0\r\n\r\n")
        assert reply.one("connection") == "close"
        assert await wire.closed()
        wire = await house.wire()
        for _ in range(2):
            reply = await wire.ask(b"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n")
            assert reply.one("connection") == "keep-alive"


async def test_a_head_may_arrive_byte_by_byte() -> None:
    async with serve(echo) as house:
        wire = await house.wire()
        for byte in get(path="/slow"):
            await wire.send(bytes([byte]))
            await asyncio.sleep(0)
        assert json.loads((await wire.reply()).body)["path"] == "/slow"


async def test_empty_line_before_a_request_is_skipped() -> None:
    async with serve(echo) as house:
        wire = await house.wire()
        assert (await wire.ask(b"\r\n" + get())).status == 200
        await wire.send(b"\r\n")
        assert (await wire.ask(b"\r\n\r\n" + get())).status == 200


async def test_pipelined_requests_are_answered_in_order() -> None:
    async with serve(echo) as house:
        wire = await house.wire()
        count = 3 * BURST + 7
        await wire.send(b"".join(get(path=f"/{number}") for number in range(count)))
        for number in range(count):
            assert json.loads((await wire.reply()).body)["path"] == f"/{number}"


async def test_pipelined_answers_given_late_keep_their_order() -> None:
    seen: list[Exchange] = []
    came = asyncio.Event()

    def handler(exchange: Exchange) -> None:
        seen.append(exchange)
        came.set()

    async with serve(handler) as house:
        wire = await house.wire()
        await wire.send(b"".join(get(path=f"/{number}") for number in range(4)))
        for number in range(4):
            await asyncio.wait_for(came.wait(), 60)
            came.clear()
            assert len(seen) == number + 1
            seen[-1].reply(seen[-1].request["path"])
            assert (await wire.reply()).body == f"/{number}".encode()


async def test_pipelined_bodies_are_told_apart() -> None:
    async with serve(echo) as house:
        wire = await house.wire()
        chunked = (
            b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
        )
        text = "Content-Type: text/plain"
        await wire.send(
            post(b"one", text)
            + chunked.replace(b"\r\n\r\n3", b"\r\nContent-Type: text/plain\r\n\r\n3")
            + post(b"", text)
            + get()
            + post(b"two", text)
        )
        got = [json.loads((await wire.reply()).body)["got"] for _ in range(5)]
    assert got == ["one", "abc", None, None, "two"]


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "image/png"])
async def test_a_last_chunk_alone_is_no_body_as_length_of_0_is(kind: str) -> None:
    head = (
        f"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    async with serve(echo) as house:
        wire = await house.wire()
        await wire.send(post(b"", f"Content-Type: {kind}") + head.encode() + b"0\r\n\r\n")
        assert [json.loads((await wire.reply()).body)["got"] for _ in range(2)] == [None, None]
        await wire.send(head.encode())
        await wire.send(b"0\r\n\r\n")
        assert json.loads((await wire.reply()).body)["got"] is None


@pytest.mark.parametrize("size", [1, 65_536, 1_000_000])
async def test_bodies_of_every_size_arrive(size: int) -> None:
    def handler(exchange: Exchange) -> None:
        exchange.reply({"size": len(exchange.request["body"])})

    async with serve(handler) as house:
        body = b"x" * size
        assert json.loads((await house.ask(post(body))).body) == {"size": size}
        chunked = b"".join(
            b"%x\r\n%b\r\n" % (len(part), part)
            for part in (body[at : at + 5000] for at in range(0, size, 5000))
        )
        head = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        reply = await house.ask(head + chunked + b"0\r\nX-Sum: 1\r\n\r\n")
        assert json.loads(reply.body) == {"size": size}


async def test_head_gets_the_length_but_no_body() -> None:
    async with serve(answering("four")) as house:
        wire = await house.wire()
        reply = await wire.ask(get(method="HEAD"), head_only=True)
        assert (reply.status, reply.one("content-length")) == (200, "4")
        assert (await wire.ask(get())).body == b"four"


@pytest.mark.parametrize("status", [204, 304])
async def test_statuses_without_a_body_have_none(status: int) -> None:
    async with serve(answering({"status": status, "body": "never"})) as house:
        wire = await house.wire()
        reply = await wire.ask(GET)
        assert reply.status == status
        assert not {"content-length", "transfer-encoding"} & reply.header.keys()
        assert (await wire.ask(GET)).status == status


async def test_nothing_is_no_content_and_null_is_null() -> None:
    async with serve(answering(NOTHING)) as house:
        assert (await house.ask(GET)).status == 204
    async with serve(answering(None)) as house:
        reply = await house.ask(GET)
        assert (reply.status, reply.body) == (200, b"null")


async def test_continue_is_said_before_the_body_is_sent() -> None:
    async with serve(echo) as house:
        wire = await house.wire()
        request = post(b"body", "Expect: 100-continue", "Content-Type: text/plain")
        assert (await wire.ask(request[:-4])).status == 100
        assert json.loads((await wire.ask(b"body")).body)["got"] == "body"
        # A client that does not wait gets no interim response.
        assert (await wire.ask(request)).status == 200


async def test_other_expectations_fail() -> None:
    async with serve(echo) as house:
        assert (await house.ask(post(b"x", "Expect: 200-ok"))).status == 417


async def test_absolute_target_names_the_host() -> None:
    async with serve(echo) as house:
        request = b"GET http://shop.example:81/a?b=c HTTP/1.1\r\nHost: other\r\n\r\n"
        data = json.loads((await house.ask(request)).body)
    assert (data["host"], data["path"], data["query"]) == ("shop.example:81", "/a", {"b": ["c"]})


async def test_options_of_the_whole_server() -> None:
    async with serve(echo) as house:
        reply = await house.ask(get(method="OPTIONS", path="*"))
    assert json.loads(reply.body)["path"] == "*"


async def test_envelope_says_status_header_and_cookies() -> None:
    answer = {
        "status": 201,
        "header": {
            "Set-Cookie": ["a=1; Path=/", "b=2"],
            "Access-Control-Allow-Origin": "*",
            "X-Count": 3,
            "Content-Type": "text/html",
            "Content-Range": "bytes 0-1/2",
        },
        "body": "<p>",
    }
    async with serve(answering(answer)) as house:
        reply = await house.ask(GET)
    assert reply.status == 201
    assert reply.header["set-cookie"] == ["a=1; Path=/", "b=2"]
    assert reply.one("access-control-allow-origin") == "*"
    assert reply.one("x-count") == "3"
    assert reply.one("content-type") == "text/html"
    assert reply.one("content-range") == "bytes 0-1/2"


async def test_framing_headers_of_a_flow_never_reach_the_wire() -> None:
    header = {"Content-Length": "999", "Transfer-Encoding": "chunked", "Keep-Alive": "timeout=1"}
    async with serve(answering({"header": header, "body": "ok"})) as house:
        wire = await house.wire()
        for _ in range(2):
            reply = await wire.ask(GET)
            assert reply.body == b"ok"
            assert not {"transfer-encoding", "keep-alive"} & reply.header.keys()


async def test_flow_may_close_the_connection() -> None:
    async with serve(answering({"header": {"Connection": "close"}, "body": "x"})) as house:
        wire = await house.wire()
        assert (await wire.ask(GET)).one("connection") == "close"
        assert await wire.closed()


@pytest.mark.parametrize(
    "header",
    [
        {"X-A": "1\r\nSet-Cookie: evil=1"},
        {"X-A": "1\nX-B: 2"},
        {"X-A": "1\0"},
        {"X-A\r\nX-B": "1"},
        {"X A": "1"},
        {"X-A:": "1"},
        {"": "1"},
        {"X-Ä": "1"},
        {"X-A": {"deep": 1}},
        {"Content-Type": "text/plain\r\nX-B: 1"},
        ["X-A"],
    ],
)
async def test_header_injection_is_rejected_and_reported(header: Any) -> None:
    async with serve(answering(HttpResponse(header=header, body="x"))) as house:
        wire = await house.wire()
        reply = await wire.ask(GET)
        assert reply.status == 500
        assert not {"x-a", "x-b", "set-cookie"} & reply.header.keys()
        assert house.reports[0][0] == "an answer cannot be sent"
        assert (await wire.ask(GET)).status == 500


@pytest.mark.parametrize("status", [99, 100, 101, 600, -1, "teapot", 200.5, True, [200]])
async def test_impossible_status_is_a_500(status: Any) -> None:
    async with serve(answering(HttpResponse(status=status))) as house:
        assert (await house.ask(GET)).status == 500
        assert "status" in str(house.reports[0][1])


async def test_error_answer_tells_the_log_and_not_the_client() -> None:
    async with serve(answering(Error("the password is swordfish"))) as house:
        reply = await house.ask(GET)
        assert (reply.status, reply.body) == (500, b"Internal Server Error")
        phrase, error, request = house.reports[0]
        assert (phrase, str(error)) == ("a flow failed", "the password is swordfish")
        assert request is not None
        assert request.path_text == "/ping"


@pytest.mark.parametrize(("code", "status"), [("timeout", 504), ("dropped", 503), ("failed", 500)])
async def test_error_codes_have_their_status(code: str, status: int) -> None:
    async with serve(answering(Error("x", code=code))) as house:
        assert (await house.ask(GET)).status == status


async def test_reply_to_a_connection_that_was_cut_is_dropped() -> None:
    kept: list[Exchange] = []
    sent: list[bool] = []
    async with serve(kept.append) as house:
        wire = await house.wire()
        await wire.send(GET)
        await until(lambda: kept)
        kept[0].on_sent = sent.append
        for connection in house.server._open():
            connection.cut()
        kept[0].reply("late")
        assert await wire.closed()
    assert sent == [False]


async def test_connections_have_no_dict() -> None:
    async with serve(answering("x")) as house:
        await house.ask(GET)
        for connection in house.server._open():
            assert not hasattr(connection, "__dict__")


async def test_cancelled_gets_no_reply() -> None:
    async with serve(answering(Error("x", code="cancelled"))) as house:
        wire = await house.wire()
        await wire.send(GET)
        assert await wire.closed()


async def test_handler_that_raises_is_a_500_and_the_connection_lives() -> None:
    def handler(exchange: Exchange) -> None:
        if exchange.request.path_text == "/bad":
            raise NodeError(Error("broken"))
        exchange.reply("fine")

    async with serve(handler) as house:
        wire = await house.wire()
        assert (await wire.ask(get(path="/bad"))).status == 500
        assert (await wire.ask(get())).body == b"fine"
        assert str(house.reports[0][1]) == "broken"


async def test_malformed_json_is_the_clients_fault() -> None:
    async with serve(echo) as house:
        wire = await house.wire()
        reply = await wire.ask(post(b'{"a": ', "Content-Type: application/json"))
        assert reply.status == 400
        assert b"not valid JSON" in reply.body
        assert [phrase for phrase, *_ in house.reports] == ["a bad request"]
        assert (await wire.ask(get())).status == 200


async def test_replying_twice_is_an_error_of_the_flow() -> None:
    kept: list[Exchange] = []

    def handler(exchange: Exchange) -> None:
        exchange.reply("once")
        kept.append(exchange)

    async with serve(handler) as house:
        assert (await house.ask(GET)).body == b"once"
    with pytest.raises(RuntimeError, match="answered once"):
        kept[0].reply("twice")


async def test_on_sent_is_told_about_a_plain_reply() -> None:
    sent: list[bool] = []

    def handler(exchange: Exchange) -> None:
        exchange.on_sent = sent.append
        exchange.reply("x")
        assert sent == [True]

    async with serve(handler) as house:
        await house.ask(GET)
    assert sent == [True]


async def test_large_answers_arrive_whole() -> None:
    async with serve(answering(b"z" * 5_000_000)) as house:
        wire = await house.wire()
        await wire.send(GET * 3)
        for _ in range(3):
            assert len((await wire.reply()).body) == 5_000_000


async def test_swap_reaches_open_connections() -> None:
    async with serve(answering("old")) as house:
        wire = await house.wire()
        assert (await wire.ask(GET)).body == b"old"
        house.server.swap(handler=answering("new"))
        assert (await wire.ask(GET)).body == b"new"
        house.server.swap(limits=HttpLimits(body_bytes=3))
        assert (await wire.ask(post(b"four"))).status == 413


async def test_remote_is_the_clients_address() -> None:
    def handler(exchange: Exchange) -> None:
        exchange.reply(
            {"remote": exchange.request["remote"], "scheme": exchange.request["scheme"], "x": 1}
        )

    async with serve(handler) as house:
        wire = await house.wire()
        data = json.loads((await wire.ask(GET)).body)
        host, port = wire.writer.get_extra_info("sockname")
    assert data == {"remote": f"{host}:{port}", "scheme": "http", "x": 1}


async def test_port_in_use_is_an_oserror_that_names_it() -> None:
    async with serve(answering("x")) as house:
        host, port = house.server.address
        with pytest.raises(OSError, match=f"cannot listen on {host}:{port}.*try another port"):
            await Server(answering("y")).start(host, port)


async def test_every_address_is_served_on_one_port() -> None:
    server = Server(answering("x"))
    await server.start("", 0)
    try:
        ports = {address.rpartition(":")[2] for address in server.snapshot().addresses}
        assert ports == {str(server.address[1])}
        wire = Wire(*await asyncio.open_connection("127.0.0.1", server.address[1]))
        assert (await wire.ask(GET)).body == b"x"
        await wire.close()
    finally:
        await server.drain(1)


async def test_snapshot_counts() -> None:
    pending: list[Exchange] = []
    came = asyncio.Event()

    def handler(exchange: Exchange) -> None:
        pending.append(exchange)
        came.set()

    async with serve(handler, name="shop") as house:
        wire = await house.wire()
        await wire.send(GET)
        await asyncio.wait_for(came.wait(), 60)
        shot = house.server.snapshot()
        assert (shot.name, shot.connections, shot.busy, shot.requests) == ("shop", 1, 1, 1)
        pending[0].reply("x")
        await wire.reply()
        assert house.server.snapshot().busy == 0
        assert (await house.ask(b"nonsense\r\n\r\n")).status == 400
        assert house.server.snapshot().rejected == 1


async def test_small_writes_are_coalesced() -> None:
    async with serve(answering("x")) as house:
        sock = socket.create_connection(house.server.address)
        sock.sendall(GET * 20)
        sock.setblocking(False)
        loop = asyncio.get_running_loop()
        first = await asyncio.wait_for(loop.sock_recv(sock, 1 << 20), 60)
        sock.close()
    assert first.count(b"HTTP/1.1 200 OK") == 20
