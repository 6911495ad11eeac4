"""The http kind, over real sockets: what is asked, what comes back, and what may go wrong."""

import asyncio
import gzip
import json
import ssl
from collections.abc import AsyncIterator
from typing import Any

import pytest
import trustme

from heddle.extensions.extension import ByteStream, Error, Process
from heddle.extensions.net.http.tls import TLS
from heddle.extensions.net.http_client.http import HttpNode
from heddle.runtime.flow.finish import settle
from heddle.runtime.runtime import Runtime
from tests.extensions.net.http_client.remote import remote
from tests.support import change, fetch, port_of, running
from tests.waiting import until

pytestmark = pytest.mark.anyio


def client(url: str | None = None, more: str = "") -> str:
    """Return an http node."""
    said = f"url: '{url}', " if url else ""
    return f"- {{kind: http, name: ask, {said}{more}}}\n"


def pool_of(rt: Runtime) -> Any:
    symbol = rt.table.get("ask")
    assert symbol is not None
    assert isinstance(symbol.node, HttpNode)
    return symbol.node._pool


def echo(request: Any) -> Any:
    """Return what the remote understood, as its answer."""
    body = request["body"]
    if isinstance(body, bytes):
        body = body.decode()
    return {"body": {**request.plain(), "body": body}}


# -- what is asked, and what comes back -------------------------------------------------------------


async def test_a_response_is_a_map_with_its_body_decoded() -> None:
    answer = {"status": 201, "body": {"n": 1}, "header": {"X-One": ["a", "b"]}}
    async with remote(answer) as far, running(client(far.url)) as rt:
        found = await rt.send("ask", {"path": "/x", "query": {"q": ["1"]}})
    assert found["status"] == 201
    assert found["body"] == {"n": 1}
    assert found["header"]["X-One"] == ["a", "b"]
    assert (found["method"], found["path"], found["query"]) == ("GET", "/x", {"q": ["1"]})
    assert (found["scheme"], found["host"]) == ("http", f"127.0.0.1:{far.port}")


@pytest.mark.parametrize(
    ("payload", "method", "kind", "body"),
    [
        (None, "GET", "", None),
        ({"method": "GET"}, "GET", "", None),
        ({"body": None}, "GET", "", None),
        ("text", "POST", "text/plain; charset=utf-8", "text"),
        (b"raw", "POST", "application/octet-stream", "raw"),
        ({"a": 1}, "POST", "application/json", {"a": 1}),
        ([1, 2], "POST", "application/json", [1, 2]),
        ({"body": {"a": 1}, "method": "put"}, "PUT", "application/json", {"a": 1}),
        (
            {
                "body": {"a": ["1", "2"]},
                "header": {"content-type": "application/x-www-form-urlencoded"},
            },
            "POST",
            "application/x-www-form-urlencoded",
            {"a": ["1", "2"]},
        ),
    ],
)
async def test_a_packet_says_method_and_body(
    payload: Any, method: str, kind: str, body: Any
) -> None:
    async with remote(echo) as far, running(client(far.url)) as rt:
        found = (await rt.send("ask", payload))["body"]
    assert (found["method"], found["body"]) == (method, body)
    assert found["header"].get("Content-Type", [""]) == [kind]


async def test_a_query_in_url_does_no_harm_to_a_packet_without_one() -> None:
    async with remote(echo) as far, running(client(far.url + "/v1?key=1")) as rt:
        found = (await rt.send("ask", {"path": "/x"}))["body"]
    assert (found["path"], found["query"]) == ("/v1/x", {"key": ["1"]})


async def test_a_form_with_files_is_sent_as_multipart() -> None:
    payload = {
        "header": {"Content-Type": "multipart/form-data"},
        "body": {"values": {"a": ["1"]}, "files": {"f": [{"filename": "x.txt", "data": "hi"}]}},
    }
    async with (
        remote(lambda request: request["body"]["files"]["f"][0]["filename"]) as far,
        running(client(far.url)) as rt,
    ):
        assert (await rt.send("ask", payload))["body"] == "x.txt"


async def test_headers_of_the_spec_win_and_credentials_are_sent() -> None:
    more = "header: {X-Key: mine}, query: {k: 1}, auth: {user: ada, password: secret}"
    async with remote(echo) as far, running(client(far.url, more)) as rt:
        found = (await rt.send("ask", {"header": {"x-key": "yours", "X-Other": ["1"]}}))["body"]
    header = found["header"]
    assert header["X-Key"] == ["mine"]
    assert header["X-Other"] == ["1"]
    assert header["Authorization"] == ["Basic YWRhOnNlY3JldA=="]
    assert header["Accept-Encoding"] == ["br, gzip, deflate"]
    assert found["query"] == {"k": ["1"]}


async def test_a_listeners_request_goes_on_without_what_its_client_keeps_secret() -> None:
    async with remote(echo) as far:
        flow = f"""
- {{kind: listener, name: listener, port: 0, ports: {{out: {{name: ask, port: in}}}}}}
{client(far.url + "/v1")}
"""
        async with running(flow) as rt:
            reply = await fetch(
                port_of(rt),
                "/a%2Fb?q=1",
                method="POST",
                headers={
                    "Cookie": "a=1",
                    "Authorization": "Bearer x",
                    "X-Kept": "yes",
                    "Content-Type": "application/json",
                },
                body='{"n": 1}',
            )
    found = json.loads(reply.body)
    assert (found["path"], found["query"], found["body"]) == ("/v1/a%2Fb", {"q": ["1"]}, {"n": 1})
    assert far.asked[0].raw_path == "/v1/a%2Fb"
    assert found["header"]["X-Kept"] == ["yes"]
    assert found["header"]["Host"] == [f"127.0.0.1:{far.port}"]
    assert not {"Cookie", "Authorization"} & found["header"].keys()


async def test_what_came_packed_is_unpacked_and_what_goes_is_packed_if_asked() -> None:
    def answer(request: Any) -> Any:
        assert request.head.get("Content-Encoding") == "gzip"
        packed = gzip.compress(request["body"].encode())
        return {
            "body": packed,
            "header": {"Content-Encoding": "gzip", "Content-Type": "text/plain"},
        }

    async with remote(answer) as far, running(client(far.url, "compress: gzip")) as rt:
        found = await rt.send("ask", "hello" * 100)
    assert found["body"] == "hello" * 100
    assert "Content-Encoding" not in found["header"]


async def test_a_status_is_an_answer_unless_it_shall_be_an_error() -> None:
    async with remote({"status": 404, "body": {"why": "gone"}}) as far:
        async with running(client(far.url)) as rt:
            assert (await rt.send("ask", None))["status"] == 404
        async with running(client(far.url, "errors: true")) as rt:
            error = await rt.send("ask", {"path": "/x", "query": {"key": "secret"}})
    assert isinstance(error, Error)
    assert (error.code, error.data["body"]) == ("status", {"why": "gone"})
    assert "404" in error.message
    assert "secret" not in error.message


async def test_a_packet_that_asks_for_nothing_possible_is_an_error() -> None:
    async with remote("x") as far, running(client(far.url)) as rt:
        for payload in (
            {"method": "G T"},
            {"header": {"a b": "c"}},
            {"header": {"A": "b\r\nC: d"}},
            {"path": "/../x"},
            {"body": "x", "header": {"Content-Type": "multipart/form-data"}},
        ):
            error = await rt.send("ask", payload)
            assert isinstance(error, Error), payload
            assert error.code == "request"
    assert not far.asked


async def test_a_broken_response_is_an_error_and_never_the_clients_fault() -> None:
    answer = {"body": b"{oops", "header": {"Content-Type": "application/json"}}
    async with remote(answer) as far:
        flow = f"""
- {{kind: listener, name: listener, port: 0, ports: {{out: {{name: ask, port: in}}}}}}
{client(far.url)}
"""
        async with running(flow) as rt:
            error = await rt.send("ask", None)
            reply = await fetch(port_of(rt))
    assert isinstance(error, Error)
    assert error.code == "response"
    assert reply.status == 502


# -- streams ----------------------------------------------------------------------------------------


async def test_bodies_stream_both_ways() -> None:
    async def sent() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"x" * 50_000

    def answer(request: Any) -> Any:
        return {"body": ByteStream(request["body"])}

    async with (
        remote(answer, stream_body=True) as far,
        running(client(far.url, "body: stream")) as rt,
    ):
        process = rt.start()
        found = await sent_in(process, rt, {"body": ByteStream(sent())})
        stream = found["body"]
        assert isinstance(stream, ByteStream)
        assert len(await stream.read()) == 1_000_000
        await ended(process)


async def sent_in(process: Process, rt: Runtime, payload: Any = None) -> Any:
    """Send one packet in a process that is ended by whoever began it."""
    symbol = rt.table.get("ask")
    assert symbol is not None
    return await settle(process.run(process.wiring.entry(symbol.id, "in"), payload))


async def ended(process: Process) -> None:
    end = process.end()
    if end is not None and not isinstance(end, Error):
        await end


async def test_a_stream_says_what_its_bytes_are() -> None:
    async def sent() -> AsyncIterator[bytes]:
        yield b"{}"

    async with remote(echo) as far, running(client(far.url)) as rt:
        for media, kind in (
            ("application/json", "application/json"),
            ("", "application/octet-stream"),
        ):
            body = ByteStream(sent(), media=media)
            found = (await rt.send("ask", {"method": "POST", "body": body}))["body"]
            assert found["header"]["Content-Type"] == [kind]


async def test_a_stream_that_nobody_reads_is_let_go_with_its_process() -> None:
    gone = asyncio.Event()

    async def forever() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"x" * 10_000
        finally:
            gone.set()

    async with (
        remote(lambda request: {"body": ByteStream(forever())}) as far,
        running(client(far.url, "body: stream")) as rt,
    ):
        process = rt.start()
        await sent_in(process, rt)
        await ended(process)
        async with asyncio.timeout(60):
            await gone.wait()


# -- limits -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("packed", [False, True])
async def test_a_body_that_is_too_large_is_an_error(packed: bool) -> None:
    data = b"x" * 100_000
    header = {"Content-Encoding": "gzip"} if packed else {}
    answer = {"body": gzip.compress(data) if packed else data, "header": header}
    async with remote(answer) as far, running(client(far.url, "limits: {body: 10kB}")) as rt:
        error = await rt.send("ask", None)
    assert isinstance(error, Error)
    assert error.code == "response"
    assert "10000 bytes" in error.message


async def test_a_response_that_does_not_come_is_a_timeout() -> None:
    async def never(request: Any) -> Any:
        await asyncio.Event().wait()

    more = "limits: {response: 50ms}, retry: 1"
    async with remote(never) as far, running(client(far.url, more)) as rt:
        error = await rt.send("ask", {"path": "/slow"})
    assert isinstance(error, Error)
    assert error.code == "timeout"
    assert "/slow" in error.message


async def test_a_body_that_falls_silent_is_a_timeout() -> None:
    async def stalls() -> AsyncIterator[bytes]:
        yield b"begun"
        await asyncio.Event().wait()

    async with (
        remote(lambda request: {"body": ByteStream(stalls())}) as far,
        running(client(far.url, "limits: {silence: 50ms}")) as rt,
    ):
        error = await rt.send("ask", None)
    assert isinstance(error, Error)
    assert error.code == "timeout"


async def test_nobody_there_is_an_error_that_says_where() -> None:
    async with remote("x") as far:
        url = far.url
    async with running(client(url, "retry: 1")) as rt:
        error = await rt.send("ask", {"path": "/x"})
    assert isinstance(error, Error)
    assert error.code == "unreachable"
    assert f"GET {url}/x" in error.message


async def test_a_timeout_is_for_all_of_it_together() -> None:
    async def never(request: Any) -> Any:
        await asyncio.Event().wait()

    async with remote(never) as far, running(client(far.url, "timeout: 50")) as rt:
        error = await rt.send("ask", None)
        assert isinstance(error, Error)
        assert error.code == "timeout"
        await until(lambda: not far.server.snapshot().connections)


# -- attempts and redirects -------------------------------------------------------------------------


async def test_safe_requests_are_sent_again_and_others_are_not() -> None:
    def answer(request: Any) -> Any:
        return {"status": 503} if len(far.asked) % 3 else "fine"

    more = "retry: {attempts: 3, delay: 1ms}"
    async with remote(answer) as far, running(client(far.url, more)) as rt:
        found = await rt.send("ask", None)
        assert (found["status"], len(far.asked)) == (200, 3)
        found = await rt.send("ask", "body")
        assert (found["status"], len(far.asked)) == (503, 4)


async def test_a_retry_after_that_asks_for_too_much_ends_the_attempts() -> None:
    answer = {"status": 503, "header": {"Retry-After": "60"}}
    async with remote(answer) as far, running(client(far.url, "retry: 5")) as rt:
        found = await rt.send("ask", None)
    assert (found["status"], len(far.asked)) == (503, 1)


async def test_redirects_are_followed_with_the_right_method() -> None:
    def answer(request: Any) -> Any:
        status = request["query"].get("to")
        if status:
            return {"status": int(status[0]), "header": {"Location": "/end"}}
        return echo(request)

    async with remote(answer) as far, running(client(far.url)) as rt:
        for status, method, body in (
            ("302", "GET", None),
            ("303", "GET", None),
            ("307", "POST", "x"),
        ):
            found = (await rt.send("ask", {"body": "x", "query": {"to": status}}))["body"]
            assert (found["method"], found["path"], found["body"]) == (method, "/end", body)


async def test_a_redirect_elsewhere_takes_no_credentials_along() -> None:
    async with remote(echo) as other:
        answer = {"status": 307, "header": {"Location": other.url + "/x"}}
        async with remote(answer) as far, running(client(far.url, "auth: {token: t}")) as rt:
            found = (await rt.send("ask", {"header": {"Cookie": "a=1"}}))["body"]
    assert not {"Authorization", "Cookie"} & found["header"].keys()
    assert far.asked[0]["header"]["Authorization"] == ["Bearer t"]


async def test_redirects_come_to_an_end() -> None:
    answer = {"status": 302, "header": {"Location": "/again"}}
    async with remote(answer) as far:
        async with running(client(far.url, "limits: {redirects: 3}")) as rt:
            error = await rt.send("ask", None)
        assert isinstance(error, Error)
        assert (error.code, len(far.asked)) == ("redirects", 4)
        async with running(client(far.url, "limits: {redirects: 0}")) as rt:
            assert (await rt.send("ask", None))["status"] == 302


async def test_a_redirect_may_hold_what_a_url_may_not() -> None:
    def answer(request: Any) -> Any:
        if request["path"] == "/":
            return {"status": 302, "header": {"Location": "a b/ü?q=ä#part"}}
        return [request["path"], request["query"]["q"]]

    async with remote(answer) as far, running(client(far.url)) as rt:
        assert (await rt.send("ask", None))["body"] == ["/a b/ü", ["ä"]]


async def test_a_redirect_to_what_is_not_http_is_rejected() -> None:
    answer = {"status": 302, "header": {"Location": "file:///etc/passwd"}}
    async with remote(answer) as far, running(client(far.url)) as rt:
        error = await rt.send("ask", None)
    assert isinstance(error, Error)
    assert error.code == "redirects"


# -- private addresses ------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::1]"])
async def test_private_addresses_are_rejected_however_they_are_written(host: str) -> None:
    async with remote("secret") as far, running(client(more="private: refuse")) as rt:
        error = await rt.send("ask", {"url": f"http://{host}:{far.port}/"})
    assert isinstance(error, Error)
    assert error.code in ("rejected", "unreachable", "request")
    if host in ("127.0.0.1", "localhost", "[::1]"):
        assert error.code == "rejected"
        assert "public internet" in error.message
    assert not far.asked


async def test_a_redirect_does_not_lead_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    from heddle.extensions.net.http_client import address

    # 127.0.0.2 plays the public internet; 127.0.0.1 stays what it is.
    real = address.is_public
    monkeypatch.setattr(address, "is_public", lambda text: text == "127.0.0.2" or real(text))
    async with remote("secret") as inside:
        answer = {"status": 302, "header": {"Location": inside.url}}
        async with running(client(more="private: refuse")) as rt, remote(answer) as far:
            far_socket = await asyncio.start_server(relay_to(far.port), "127.0.0.2", 0)
            port = far_socket.sockets[0].getsockname()[1]
            error = await rt.send("ask", {"url": f"http://127.0.0.2:{port}/"})
            far_socket.close()
    assert len(far.asked) == 1
    assert isinstance(error, Error)
    assert error.code == "rejected"
    assert not inside.asked


def relay_to(port: int) -> Any:
    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner = await asyncio.open_connection("127.0.0.1", port)
        inner.write(await reader.readuntil(b"\r\n\r\n"))
        writer.write(await inner_reader.readuntil(b"\r\n\r\n"))
        await writer.drain()
        inner.close()
        writer.close()

    return pass_on


async def test_a_proxy_and_the_rejection_of_private_addresses_exclude_each_other() -> None:
    flow = client("http://a", "private: refuse, proxy: 'http://p:1'")
    async with running(flow) as rt:
        [problem] = rt.status().problems
    assert problem.path == "ask.private"


# -- proxy, TLS, cookies ----------------------------------------------------------------------------


async def test_requests_go_through_a_proxy() -> None:
    async with (
        remote(lambda request: request["host"] + request["path"]) as proxy,
        running(client("http://far.example", f"proxy: '{proxy.url}'")) as rt,
    ):
        found = await rt.send("ask", {"path": "/x"})
    assert found["body"] == "far.example/x"


async def test_https_is_checked_against_the_authorities_that_are_trusted() -> None:
    ca = trustme.CA()
    made = ca.issue_cert("localhost")
    tls = TLS(
        cert=made.cert_chain_pems[0].bytes().decode(), key=made.private_key_pem.bytes().decode()
    )
    trusted = json.dumps({"ca": ca.cert_pem.bytes().decode()})
    async with remote("secret", tls=tls) as far:
        url = f"https://localhost:{far.port}"
        async with running(client(url, f"tls: {trusted}")) as rt:
            assert (await rt.send("ask", None))["body"] == "secret"
        async with running(client(url, "retry: 1")) as rt:
            error = await rt.send("ask", None)
        async with running(client(url, "tls: {verify: false}")) as rt:
            assert (await rt.send("ask", None))["body"] == "secret"
    assert isinstance(error, Error)
    assert error.code == "unreachable"
    assert isinstance(error.cause, Exception)
    assert "certificate" in error.message.lower() or isinstance(error.cause, ssl.SSLError)


async def test_cookies_are_kept_only_where_that_is_said() -> None:
    def answer(request: Any) -> Any:
        cookie = request["header"].get("Cookie", [])
        return {"body": cookie, "header": {"Set-Cookie": "a=1"}}

    async with remote(answer) as far:
        url = f"http://localhost:{far.port}"
        for more, second in (("", []), ("cookies: true", ["a=1"])):
            async with running(client(url, more)) as rt:
                assert (await rt.send("ask", None))["body"] == []
                assert (await rt.send("ask", None))["body"] == second


# -- life -------------------------------------------------------------------------------------------


async def test_connections_are_used_again_and_outlive_a_reload() -> None:
    async with remote("x") as far, running(client(far.url)) as rt:
        first = pool_of(rt)
        for _ in range(3):
            await rt.send("ask", None)
        assert far.server.snapshot().connections == 1
        await change(rt, client(far.url + "/other", "header: {A: b}"))
        assert pool_of(rt) is first
        await rt.send("ask", None)
        assert far.server.snapshot().connections == 1
        await change(rt, client(far.url, "limits: {connections: 5}"))
        assert pool_of(rt) is not first
        await rt.send("ask", None)
        status = next(one for one in rt.status().symbols if one.name == "ask")
    assert status.node == {"connections": 1, "requests": 1}


async def test_a_rejected_change_leaves_the_pool_to_whom_it_belongs() -> None:
    async with remote("x") as far, running(client(far.url)) as rt:
        first = pool_of(rt)
        await change(
            rt,
            client(far.url + "/other").replace("}\n", "ports: {active: {name: boom, port: in}}}\n")
            + "- {kind: throw, name: boom}",
        )
        assert rt.events.recent[-1].event == "change rejected"
        assert pool_of(rt) is first
        assert (await rt.send("ask", None))["body"] == "x"


async def test_a_process_that_is_cancelled_cancels_its_request() -> None:
    arrived, left = asyncio.Event(), asyncio.Event()

    async def never(request: Any) -> Any:
        arrived.set()
        try:
            await asyncio.Event().wait()
        finally:
            left.set()

    async with remote(never) as far, running(client(far.url)) as rt:
        process = rt.start()
        sent = asyncio.ensure_future(sent_in(process, rt))
        async with asyncio.timeout(60):
            await arrived.wait()
            process.cancel()
            error = await sent
            await until(lambda: not far.server.snapshot().connections)
        await ended(process)
    assert isinstance(error, Error)
    assert error.code == "cancelled"


@pytest.mark.parametrize(
    ("more", "path"),
    [
        ("url: 'example.com'", "ask.url"),
        ("url: 'http://a', proxy: 'b'", "ask.proxy"),
        ("url: 'http://a', header: {'a b': c}", "ask.header"),
        ("url: 'https://a', tls: {ca: /nowhere.pem}", "ask.tls"),
        ("url: 'http://a', auth: {}", "ask.auth"),
    ],
)
async def test_what_cannot_be_used_is_a_problem(more: str, path: str) -> None:
    async with running(client(more=more)) as rt:
        [problem] = rt.status().problems
    assert problem.path == path


# -- redirects to other origins ---------------------------------------------------------------------

SECRETS = {
    "Authorization": "Bearer secret",
    "Cookie": "a=secret",
    "Proxy-Authorization": "Basic secret",
    "X-Api-Key": "secret",
    "Private-Token": "secret",
    "X-Amz-Security-Token": "secret",
}


def said_of(secrets: dict[str, str]) -> str:
    return "header: " + json.dumps(secrets)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_nothing_that_was_for_one_origin_follows_a_redirect_to_another(
    status: int, host: str
) -> None:
    async with remote(lambda request: {"body": "there"}) as other:
        there = f"http://{host}:{other.port}/there"
        away = {"status": status, "header": {"Location": there}}
        async with (
            remote(lambda request: away) as far,
            running(client(far.url, said_of(SECRETS))) as rt,
        ):
            found = await rt.send(
                "ask",
                {
                    "method": "POST",
                    "body": {"n": 1},
                    "header": {"X-Packet-Token": "secret", "Accept": "text/plain"},
                },
            )
    assert found["body"] == "there"
    header = other.asked[0].head.fields
    assert "secret" not in json.dumps(header)
    assert header["Accept"] == ["text/plain"]
    assert header["User-Agent"] == ["heddle"]
    kept = status in (307, 308)
    assert other.asked[0].method_text == ("POST" if kept else "GET")
    assert other.asked[0]["body"] == ({"n": 1} if kept else None)
    assert ("Content-Type" in header) == kept


async def test_what_a_redirect_took_off_does_not_come_back() -> None:
    ports: dict[str, str] = {}

    def first(request: Any) -> Any:
        if request.path_text == "/back":
            return {"body": request.head.get("X-Api-Key") or "none"}
        return {"status": 302, "header": {"Location": ports["other"]}}

    def second(_: Any) -> Any:
        return {"status": 302, "header": {"Location": ports["back"]}}

    async with remote(first) as far, remote(second) as other:
        ports.update(back=f"{far.url}/back", other=other.url)
        async with running(client(far.url, said_of(SECRETS))) as rt:
            found = await rt.send("ask", {"path": "/first"})
    assert found["body"] == "none"


async def test_a_redirect_inside_one_origin_keeps_all_headers() -> None:
    def answer(request: Any) -> Any:
        if request.path_text == "/first":
            return {"status": 302, "header": {"Location": "/second"}}
        return {"body": request.head.get("X-Api-Key")}

    async with remote(answer) as far, running(client(far.url, said_of(SECRETS))) as rt:
        found = await rt.send("ask", {"path": "/first"})
    assert found["body"] == "secret"


async def test_a_redirect_from_https_to_http_takes_nothing_along() -> None:
    ca = trustme.CA()
    leaf = ca.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.bytes().decode()
    async with remote({"body": "plain"}) as plain:
        to = {"status": 302, "header": {"Location": plain.url}}
        async with remote(lambda request: to, tls=TLS(cert=leaf)) as far:
            more = f"tls: {{verify: false}}, {said_of(SECRETS)}"
            url = far.url.replace("http:", "https:")
            async with running(client(url, more)) as rt:
                found = await rt.send("ask", {})
    assert found["body"] == "plain"
    assert "secret" not in json.dumps(plain.asked[0].head.fields)


async def test_headers_that_are_not_utf8_are_read_as_latin1() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(
            b"HTTP/1.1 200 Tr\xe8s bien\r\nX-Old: caf\xe9\r\nX-New: caf\xc3\xa9\r\n"
            b"Content-Length: 0\r\nConnection: close\r\n\r\n"
        )
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, running(client(f"http://127.0.0.1:{port}")) as rt:
        found = await rt.send("ask", {})
    assert (found["header"]["X-Old"], found["header"]["X-New"]) == (["café"], ["café"])


async def test_a_request_that_is_passed_on_drops_claims_of_its_client() -> None:
    flow = """
- {kind: listener, name: listener, port: 0, ports: {out: {name: ask, port: in}}}
"""
    sent = {
        "X-Forwarded-For": "6.6.6.6",
        "Forwarded": "for=6.6.6.6",
        "X-Real-IP": "6.6.6.6",
        "Proxy": "http://evil",
        "X_User": "root",
        "X-Hop": "here",
        "Connection": "close, x-HOP",
        "X-Kept": "yes",
    }
    async with remote(echo) as far, running(flow + client(far.url)) as rt:
        reply = await fetch(port_of(rt), headers=sent)
    header = json.loads(reply.body)["header"]
    assert header["X-Kept"] == ["yes"]
    assert not {"X-Forwarded-For", "Forwarded", "X-Real-Ip", "Proxy", "X_user", "X-Hop"} & set(
        header
    )
