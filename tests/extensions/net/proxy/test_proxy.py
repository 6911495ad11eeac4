"""The proxy kind, in front of real servers that come, go and fail."""

import asyncio
import gzip
import json
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed, InvalidStatus

from heddle.extensions.extension import ByteStream
from heddle.runtime.runtime import Runtime
from tests.extensions.net.http_client.remote import Remote, remote
from tests.support import change, degraded, fetch, port_of, running
from tests.waiting import until

pytestmark = pytest.mark.anyio

LISTENER = "- {kind: listener, name: listener, port: 0, ports: {out: {name: proxy, port: in}}}\n"


def flow(*backends: Any, more: str = "", listener: str = LISTENER) -> str:
    urls = [one.url if isinstance(one, Remote) else one for one in backends]
    said = f", {more}" if more else ""
    return f"{listener}- {{kind: proxy, name: proxy, backends: {json.dumps(urls)}{said}}}\n"


def seen(rt: Runtime) -> list[dict[str, Any]]:
    return list(next(one for one in rt.status().symbols if one.name == "proxy").node["backends"])


def echo(request: Any) -> Any:
    body = request["body"]
    said = {**request.plain(), "body": body.decode() if isinstance(body, bytes) else body}
    return {
        "status": 201,
        "body": {**said, "raw": request.raw_path},
        "header": {"X-Far": ["1", "2"]},
    }


# -- one request ------------------------------------------------------------------------------------


async def test_a_request_goes_on_as_it_came_and_so_does_its_response() -> None:
    async with remote(echo) as far, running(flow(far.url + "/base", more="prefix: /api")) as rt:
        reply = await fetch(
            port_of(rt),
            "/api/a%2Fb%20c?q=1&q=%20",
            method="PUT",
            headers={
                "Host": "front.example",
                "Cookie": "a=1",
                "Authorization": "Bearer x",
                "Connection": "close, X-Hop",
                "X-Hop": "here",
                "Keep-Alive": "timeout=5",
                "X-Forwarded-For": "6.6.6.6",
                "Content-Type": "application/json",
                "User-Agent": "test",
            },
            body='{"n": 1}',
        )
    found = json.loads(reply.body)
    header = found["header"]
    assert (reply.status, found["method"], found["raw"]) == (201, "PUT", "/base/a%2Fb%20c")
    assert (found["query"], found["body"]) == ({"q": ["1", " "]}, {"n": 1})
    assert header["Cookie"] == ["a=1"]
    assert header["Authorization"] == ["Bearer x"]
    assert header["User-Agent"] == ["test"]
    assert header["Host"] == [f"127.0.0.1:{far.port}"]
    assert header["X-Forwarded-For"] == ["127.0.0.1"]
    assert header["X-Forwarded-Host"] == ["front.example"]
    assert header["X-Forwarded-Proto"] == ["http"]
    assert not {"X-Hop", "Keep-Alive", "Connection", "Accept", "Accept-Encoding"} & header.keys()


async def test_headers_of_our_own_replace_what_came_in_under_their_names() -> None:
    more = (
        "header: {authorization: null, X-Front: 7}, "
        "values: {X-Path: self.path, X-User: 'self.query.user[0]', X-None: 'null'}"
    )
    sent = {
        "Authorization": "Bearer x",
        "X-Front": "6",
        "X-Path": "/forged",
        "X-User": "root",
        "X-None": "1",
        "X-Other": "2",
    }
    async with remote(echo) as far, running(flow(far.url, more=more)) as rt:
        reply = await fetch(port_of(rt), "/a?user=ada", headers=sent)
        plain = await rt.send(
            "proxy", {"path": "/b", "query": {"user": ["bob"]}, "header": {"X-User": "root"}}
        )
        unmade = await fetch(port_of(rt), "/a", headers=sent)
    found = json.loads(reply.body)["header"]
    assert {name: value for name, value in found.items() if name.startswith(("X-", "Auth"))} == {
        "X-Forwarded-For": ["127.0.0.1"],
        "X-Forwarded-Proto": ["http"],
        "X-Forwarded-Host": ["localhost"],
        "X-Front": ["7"],
        "X-Path": ["/a"],
        "X-User": ["ada"],
        "X-Other": ["2"],
    }
    assert json.loads(plain["body"])["header"]["X-User"] == ["bob"]
    assert unmade.status == 500
    assert len(far.asked) == 2


async def test_host_and_what_came_before_us_are_kept_where_that_is_said() -> None:
    more = "keep_host: true, trust: true, header: {X-Added: 1, Cookie: none}"
    async with remote(echo) as far, running(flow(far, more=more)) as rt:
        headers = {
            "Host": "front.example",
            "X-Forwarded-For": "6.6.6.6",
            "X-Forwarded-Proto": "https",
            "Cookie": "a=1",
        }
        header = json.loads((await fetch(port_of(rt), headers=headers)).body)["header"]
    assert header["Host"] == ["front.example"]
    assert header["X-Forwarded-For"] == ["6.6.6.6, 127.0.0.1"]
    assert header["X-Forwarded-Proto"] == ["https"]
    assert (header["X-Added"], header["Cookie"]) == (["1"], ["none"])


async def test_packed_bodies_stay_packed() -> None:
    packed = gzip.compress(b"x" * 100_000)

    def answer(request: Any) -> Any:
        assert request.raw_body == packed
        header = {"Content-Encoding": "gzip", "ETag": '"strong"', "Content-Type": "text/plain"}
        return {"body": packed, "header": header}

    async with remote(answer) as far, running(flow(far)) as rt:
        headers = {"Content-Encoding": "gzip", "Accept-Encoding": "br"}
        reply = await fetch(port_of(rt), method="POST", headers=headers, body=packed)
    assert reply.body == packed
    assert (reply.headers["Content-Encoding"], reply.headers["ETag"]) == ("gzip", '"strong"')


@pytest.mark.parametrize("status", [204, 302, 304, 404, 500])
async def test_whatever_status_comes_goes_back(status: int) -> None:
    answer = {"status": status, "header": {"Location": "/x", "Set-Cookie": ["a=1"]}}
    async with remote(answer) as far, running(flow(far)) as rt:
        reply = await fetch(port_of(rt))
    assert (reply.status, reply.headers["Location"], reply.headers["Set-Cookie"]) == (
        status,
        "/x",
        "a=1",
    )


async def test_head_tells_the_size_of_what_it_does_not_send() -> None:
    async with remote({"body": b"x" * 100_000}) as far, running(flow(far)) as rt:
        reply = await fetch(port_of(rt), method="HEAD")
    assert (reply.headers["Content-Length"], reply.body) == ("100000", b"")


async def test_bodies_stream_both_ways() -> None:
    held = asyncio.Event()

    def answer(request: Any) -> Any:
        async def chunks() -> AsyncIterator[bytes]:
            total = 0
            async for chunk in request["body"]:
                total += len(chunk)
            yield f"{total}\n".encode()
            await held.wait()
            yield b"x" * 1_000_000

        return {"body": ByteStream(chunks())}

    streaming = LISTENER.replace("port: 0", "port: 0, stream: true, limits: {body: 0}")
    async with remote(answer, stream_body=True) as far:
        far.server.swap(limits=far.server.limits.__class__(body_bytes=None))
        async with running(flow(far, listener=streaming)) as rt:
            reader, writer = await asyncio.open_connection("127.0.0.1", port_of(rt))
            size = 20_000_000
            writer.write(
                f"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {size}\r\n\r\n".encode()
            )
            for _ in range(size // 1_000_000):
                writer.write(b"x" * 1_000_000)
                await writer.drain()
            async with asyncio.timeout(60):
                await reader.readuntil(f"{size}\n".encode())
                held.set()
                assert (await reader.read()).count(b"x") == 1_000_000
            writer.close()
            await until(lambda: not rt.processes)
            assert seen(rt)[0]["active"] == 0


async def test_a_client_that_leaves_is_not_worked_for_any_more() -> None:
    gone = asyncio.Event()

    async def forever() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"x" * 10_000
        finally:
            gone.set()

    async with (
        remote(lambda request: {"body": ByteStream(forever())}) as far,
        running(flow(far)) as rt,
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(rt))
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.abort()  # type: ignore[attr-defined, unused-ignore]
        async with asyncio.timeout(60):
            await gone.wait()
        await until(lambda: seen(rt)[0]["active"] == 0)


# -- several backends -------------------------------------------------------------------------------


async def test_backends_take_turns() -> None:
    async with (
        remote("a") as a,
        remote("b") as b,
        running(flow({"url": a.url, "weight": 2}, b)) as rt,
    ):
        found = [(await fetch(port_of(rt))).text for _ in range(6)]
    assert Counter(found) == {"a": 4, "b": 2}


async def test_the_same_key_goes_to_the_same_backend() -> None:
    async with remote("a") as a, remote("b") as b:
        more = "balance: hash, key: 'self.query.user[0]'"
        async with running(flow(a, b, more=more)) as rt:
            found = {
                user: {(await fetch(port_of(rt), f"/?user={user}")).text for _ in range(3)}
                for user in range(12)
            }
    assert all(len(one) == 1 for one in found.values())
    assert set.union(*found.values()) == {"a", "b"}


async def test_a_backend_that_is_gone_is_passed_over_and_set_aside() -> None:
    async with remote("gone") as gone:
        url = gone.url
    async with (
        remote("here") as here,
        running(flow(url, here, more="failures: 2, aside: 1h")) as rt,
    ):
        told = asyncio.ensure_future(rt.events.wait("backend down"))
        await asyncio.sleep(0)
        for method in ("GET", "POST", "GET", "POST", "GET", "GET"):
            body = "x" if method == "POST" else ""
            assert (await fetch(port_of(rt), method=method, body=body)).text == "here"
        async with asyncio.timeout(60):
            assert (await told).data["backend"] == url
        first = seen(rt)[0]
        assert (first["healthy"], first["requests"]) == (False, 2)
        assert degraded(rt, "proxy") == f"1 of 2 backends are down: {url}"


async def test_a_status_that_says_so_lets_another_try_what_is_safe() -> None:
    async with remote({"status": 503, "body": "busy"}) as busy, remote("fine") as fine:
        async with running(flow(busy, fine)) as rt:
            assert {(await fetch(port_of(rt))).text for _ in range(4)} == {"fine"}
            replies = [await fetch(port_of(rt), method="POST", body="x") for _ in range(4)]
            assert {reply.text for reply in replies} == {"busy", "fine"}
        async with running(flow(busy)) as rt:
            assert (await fetch(port_of(rt))).text == "busy"


async def test_nobody_there_is_a_502_and_too_late_a_504() -> None:
    async with remote("gone") as gone:
        url = gone.url
    async with running(flow(url)) as rt:
        assert (await fetch(port_of(rt))).status == 502

    async def never(request: Any) -> Any:
        await asyncio.Event().wait()

    async with remote(never) as slow, running(flow(slow, more="limits: {response: 50ms}")) as rt:
        assert (await fetch(port_of(rt))).status == 504


async def test_backends_that_are_not_well_get_nothing_until_they_are() -> None:
    well = False

    def answer(request: Any) -> Any:
        if request["path"] == "/healthz":
            return {"status": 200 if well else 500}
        return "sick"

    more = "health: {path: /healthz, every: 10ms, falls: 2}"
    async with remote(answer) as sick, remote("fine") as fine:
        async with running(flow(sick, fine, more=more)) as rt:
            await until(lambda: not seen(rt)[0]["healthy"])
            assert {(await fetch(port_of(rt))).text for _ in range(4)} == {"fine"}
            well = True
            await until(lambda: seen(rt)[0]["healthy"])
            assert {(await fetch(port_of(rt))).text for _ in range(4)} == {"fine", "sick"}
            told = [one.event for one in rt.events.recent if one.event.startswith("backend")]
            assert told == ["backend down", "backend up"]
        well = False
        async with running(flow(sick, more=more)) as rt:
            await until(lambda: not seen(rt)[0]["healthy"])
            assert (await fetch(port_of(rt))).status == 503
            await change(rt, flow(sick))
            assert (await fetch(port_of(rt))).text == "sick"


async def test_connections_and_what_is_known_of_backends_outlive_a_reload() -> None:
    async with remote("gone") as gone:
        url = gone.url
    async with remote("here") as here:
        text = flow(url, here, more="failures: 1, aside: 1h")
        async with running(text) as rt:
            for _ in range(2):
                assert (await fetch(port_of(rt))).text == "here"
            await change(
                rt,
                flow(
                    url, here, "http://127.0.0.1:1", more="failures: 1, aside: 1h, balance: least"
                ),
            )
            assert [one["healthy"] for one in seen(rt)] == [False, True, True]
            await change(rt, text)
            assert (await fetch(port_of(rt))).text == "here"
            assert here.server.snapshot().connections == 1


# -- WebSocket --------------------------------------------------------------------------------------


async def echo_messages(client: Any) -> None:
    try:
        async for message in client:
            await client.send(message)
    except ConnectionClosed:
        return


async def test_a_websocket_is_passed_on_and_outlives_reloads() -> None:
    async with serve(echo_messages, "127.0.0.1", 0, subprotocols=["chat"]) as server:  # type: ignore[list-item, unused-ignore]
        port = next(iter(server.sockets)).getsockname()[1]
        async with running(flow(f"http://127.0.0.1:{port}")) as rt:
            url = f"ws://127.0.0.1:{port_of(rt)}/feed"
            async with connect(url, subprotocols=["chat"]) as client:  # type: ignore[list-item, unused-ignore]
                assert client.subprotocol == "chat"
                for message in ("text", b"bytes", "x" * 500_000):
                    await client.send(message)
                    assert await client.recv() == message
                await change(rt, flow(f"http://127.0.0.1:{port}", more="balance: least"))
                await client.send("after")
                assert await client.recv() == "after"
            await until(lambda: not rt.processes)


async def test_who_rejects_a_websocket_is_heard() -> None:
    async with (
        remote({"status": 403, "body": "no", "header": {"X-Why": "because"}}) as far,
        running(flow(far)) as rt,
    ):
        with pytest.raises(InvalidStatus) as raised:
            await connect(f"ws://127.0.0.1:{port_of(rt)}/")
        response = raised.value.response
        assert (response.status_code, response.headers["X-Why"]) == (403, "because")
        assert response.body == b"no"


async def test_when_one_end_of_a_websocket_leaves_so_does_the_other() -> None:
    left = asyncio.Event()

    async def wait(client: Any) -> None:
        await client.wait_closed()
        left.set()

    async with serve(wait, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        async with running(flow("http://127.0.0.1:1", f"http://127.0.0.1:{port}")) as rt:
            client = await connect(f"ws://127.0.0.1:{port_of(rt)}/")
            assert client.transport is not None
            client.transport.abort()
            async with asyncio.timeout(60):
                await left.wait()
            other = await connect(f"ws://127.0.0.1:{port_of(rt)}/")
            server.close()
            async with asyncio.timeout(60):
                await other.wait_closed()


# -- what cannot be ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("backends", "more", "path"),
    [
        (["example.com"], "", "proxy.backends[0]"),
        (["http://a", "http://a"], "", "proxy.backends[1]"),
        ([], "", "proxy.backends"),
        (["http://a"], "key: '1'", "proxy.key"),
        (["http://a"], "values: {'a b': '1'}", "proxy.values"),
        (["http://a"], "header: {X-a: 1}, values: {x-A: '1'}", "proxy.values.x-A"),
        (["http://a"], "values: {A: '1 +'}", "proxy.values.A"),
        (["http://a"], "header: {'a b': c}", "proxy.header"),
        (["http://a"], "tls: {ca: /nowhere}", "proxy.tls"),
    ],
)
async def test_what_cannot_be_used_is_a_problem(backends: list[str], more: str, path: str) -> None:
    async with running(flow(*backends, more=more)) as rt:
        assert path in [problem.path for problem in rt.status().problems]


# -- what a client may not say ----------------------------------------------------------------------

CLAIMS = {
    "Forwarded": "for=6.6.6.6;proto=https",
    "X-Real-IP": "6.6.6.6",
    "X-Forwarded-For": "6.6.6.6",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Port": "1",
    "X-Forwarded-Prefix": "/evil",
    "X-Forwarded-Server": "evil",
    "X-Client-IP": "6.6.6.6",
    "True-Client-IP": "6.6.6.6",
    "CF-Connecting-IP": "6.6.6.6",
    "X-Original-URL": "/admin",
    "X-Rewrite-URL": "/admin",
}
UNSAFE = {"Proxy": "http://evil", "X_Forwarded_For": "6.6.6.6", "X_User": "root", "Auth_User": "a"}
OURS = {"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"}


def claims_of(header: dict[str, list[str]]) -> dict[str, list[str]]:
    """Return what of a header is one of the claims, whatever letters it is written in."""
    known = {one.lower() for one in {**CLAIMS, **UNSAFE}}
    return {name: values for name, values in header.items() if name.lower() in known}


async def test_what_a_client_says_in_place_of_a_proxy_goes_no_further() -> None:
    async with remote(echo) as far, running(flow(far)) as rt:
        reply = await fetch(port_of(rt), headers={**CLAIMS, **UNSAFE, "X-Kept": "yes"})
        plain = await rt.send("proxy", {"path": "/", "header": {**CLAIMS, **UNSAFE}})
    header = json.loads(reply.body)["header"]
    assert header["X-Kept"] == ["yes"]
    assert claims_of(header).keys() == OURS
    assert "6.6.6.6" not in json.dumps(header)
    assert "evil" not in json.dumps(header)
    assert claims_of(json.loads(plain["body"])["header"]) == {}


async def test_a_proxy_in_front_that_is_trusted_may_say_it() -> None:
    async with remote(echo) as far, running(flow(far, more="trust: true")) as rt:
        header = json.loads((await fetch(port_of(rt), headers={**CLAIMS, **UNSAFE})).body)["header"]
    assert header["X-Forwarded-For"] == ["6.6.6.6, 127.0.0.1"]
    assert header["Forwarded"] == ["for=6.6.6.6;proto=https"]
    assert header["X-Real-Ip"] == ["6.6.6.6"]
    assert header["X-Forwarded-Port"] == ["1"]
    assert not any("_" in name or name == "Proxy" for name in header)


async def test_names_with_an_underscore_pass_only_where_that_is_said() -> None:
    async with remote(echo) as far, running(flow(far, more="underscores: true")) as rt:
        header = json.loads((await fetch(port_of(rt), headers=UNSAFE)).body)["header"]
    assert header["X_user"] == ["root"]
    assert "Proxy" not in header


@pytest.mark.parametrize("name", ["X-Forwarded-For", "x-forwarded-for", "X-User"])
async def test_client_cannot_take_off_what_we_say_by_naming_it_in_connection(name: str) -> None:
    async with remote(echo) as far, running(flow(far, more="header: {X-User: us}")) as rt:
        headers = {"Connection": f"close, {name}", "X-Keep-1a": "hop"}
        header = json.loads((await fetch(port_of(rt), headers=headers)).body)["header"]
    assert (header["X-Forwarded-For"], header["X-User"]) == (["127.0.0.1"], ["us"])


async def test_a_header_named_in_connection_ends_here_however_it_is_written() -> None:
    async with remote(echo) as far, running(flow(far)) as rt:
        headers = {"Connection": "close,\tx-1hOP", "X-1Hop": "here", "X-2hop": "on"}
        header = json.loads((await fetch(port_of(rt), headers=headers)).body)["header"]
    assert "X-1hop" not in header
    assert header["X-2hop"] == ["on"]


async def test_the_host_of_an_absolute_target_is_one_that_was_asked_for() -> None:
    async with remote(echo) as far, running(flow(far, more="keep_host: true")) as rt:
        reply = await fetch(
            port_of(rt), "http://real.example/x", headers={"Host": "forged.example"}
        )
    header = json.loads(reply.body)["header"]
    assert header["Host"] == ["real.example"]
    assert header["X-Forwarded-Host"] == ["real.example"]


async def test_the_prefix_is_taken_off_however_it_is_spelled() -> None:
    async with remote(echo) as far, running(flow(far, more="prefix: /shop/é")) as rt:
        for path, raw in (
            ("/shop/%C3%A9/a%2Fb", "/a%2Fb"),
            ("/%73hop/%c3%a9//x", "//x"),
            ("/shop%2F%C3%A9/x", "/shop%2F%C3%A9/x"),
            ("/shop/%C3%A9", "/"),
        ):
            assert json.loads((await fetch(port_of(rt), path)).body)["raw"] == raw


async def test_bytes_of_a_backends_header_pass_unchanged() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(
            b"HTTP/1.1 200 OK\r\nX-Old: caf\xe9 \xff\r\nX-New: \xc5\xbelu\r\n"
            b'Content-Type: text/plain; name="\xe9"\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok'
        )
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, running(flow(f"http://127.0.0.1:{port}")) as rt:
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(rt))
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        async with asyncio.timeout(30):
            raw = await reader.read()
        writer.close()
    assert raw.startswith(b"HTTP/1.1 200 ")
    assert b"X-Old: caf\xe9 \xff\r\n" in raw
    assert b"X-New: \xc5\xbelu\r\n" in raw
    assert b'Content-Type: text/plain; name="\xe9"\r\n' in raw


OLD, NEW, PLAIN = b"X-Old: caf\xe9 \xff\r\n", b"X-New: \xc5\xbelu\r\n", b"X-Old: cafe\r\n"
WEBSOCKET = b"Connection: Upgrade\r\nUpgrade: websocket\r\n"


@pytest.mark.parametrize("size", [0, 100, 300_000])
async def test_bytes_of_a_clients_header_pass_unchanged(size: int) -> None:
    heads: list[bytes] = []
    method = b"POST" if size else b"GET"

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(2):
            heads.append(await reader.readuntil(b"\r\n\r\n"))
            assert await reader.readexactly(size) == b"x" * size
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, running(flow(f"http://127.0.0.1:{port}")) as rt:
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(rt))
        # On one connection to the backend: the second head is written as it always is.
        for line in (OLD, PLAIN):
            length = b"Content-Length: %d\r\n\r\n" % size
            writer.write(method + b" / HTTP/1.1\r\nHost: x\r\n" + NEW + line + length + b"x" * size)
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
            assert await reader.readexactly(2) == b"ok"
            assert line in heads[-1]
            assert NEW in heads[-1]
        writer.close()


async def test_bytes_of_a_header_that_asks_for_a_websocket_pass_unchanged() -> None:
    heads: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n" + OLD + b"\r\n")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, running(flow(f"http://127.0.0.1:{port}")) as rt:
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(rt))
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n" + NEW + OLD + WEBSOCKET + b"\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        writer.close()
    assert head.startswith(b"HTTP/1.1 403 ")
    assert OLD in head
    assert OLD in heads[0]
    assert NEW in heads[0]
