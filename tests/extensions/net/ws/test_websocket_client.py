"""The websocket-client kind, against a real server that comes and goes."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trustme
from websockets.asyncio.server import Server, ServerConnection, serve

from heddle.extensions.extension import Error
from heddle.runtime.runtime import Runtime
from tests.support import change, degraded, running
from tests.waiting import until

pytestmark = pytest.mark.anyio


class Far:
    """Somebody's WebSocket: notes what it hears, and says what a test wants."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[Any] = asyncio.Queue()
        self.clients: asyncio.Queue[ServerConnection] = asyncio.Queue()
        self.port = 0

    async def handle(self, client: ServerConnection) -> None:
        self.clients.put_nowait(client)
        async for message in client:
            self.heard.put_nowait(message)

    async def client(self) -> ServerConnection:
        async with asyncio.timeout(60):
            return await self.clients.get()

    async def hear(self) -> Any:
        async with asyncio.timeout(60):
            return await self.heard.get()


@asynccontextmanager
async def far(port: int = 0, **options: Any) -> AsyncIterator[Far]:
    made = Far()
    server: Server
    async with serve(made.handle, "127.0.0.1", port, **options) as server:
        made.port = next(iter(server.sockets)).getsockname()[1]
        yield made


def flow(port: int, more: str = "", *, scheme: str = "ws", host: str = "127.0.0.1") -> str:
    return f"""
- kind: websocket-client
  name: link
  url: {scheme}://{host}:{port}/feed
  reconnect: {{delay: 5ms, max_delay: 20ms}}
  {more or "format: auto"}
  ports:
    message: {{name: answer, port: in}}
- {{kind: snippet, name: answer, language: cel, code: "'got ' + self.data"}}
"""


def seen(rt: Runtime) -> dict[str, Any]:
    return dict(next(one for one in rt.status().symbols if one.name == "link").node)


async def test_messages_go_both_ways() -> None:
    async with far() as there, running(flow(there.port, "header: {X-Key: k}")) as rt:
        client = await there.client()
        assert client.request is not None
        assert (client.request.path, client.request.headers["X-Key"]) == ("/feed", "k")
        await client.send("one")
        assert await there.hear() == "got one"
        for payload, message in (("x", "x"), (b"y", b"y"), ({"n": 1}, '{"n":1}')):
            await rt.send("link", payload)
            assert await there.hear() == message
        assert seen(rt) == {"connected": True, "connections": 1, "queued": 0}


async def test_what_is_said_before_it_is_connected_waits_behind_the_greeting() -> None:
    async with far() as there:
        port = there.port
    text = flow(port, "queue: 2").replace("  ports:", "  ports:\n    open: {name: hi, port: in}")
    async with running(text + "- {kind: snippet, name: hi, language: text, code: login}") as rt:
        await rt.send("link", "a")
        await rt.send("link", "b")
        error = await rt.send("link", "c")
        assert isinstance(error, Error)
        assert error.code == "busy"
        await until(lambda: "reason" in seen(rt))
        assert "it is not connected: " in degraded(rt, "link")
        async with far(port) as there:
            assert [await there.hear() for _ in range(3)] == ["login", "a", "b"]
            assert not degraded(rt, "link")


async def test_it_comes_back_when_the_other_side_does() -> None:
    async with far() as there, running(flow(there.port)) as rt:
        for _ in range(3):
            client = await there.client()
            await client.send("x")
            assert await there.hear() == "got x"
            await client.close(1012, "restart")
        await there.client()
        away = [one for one in rt.events.recent if one.event == "websocket away"]
        assert "1012 restart" in away[0].reason
        await until(lambda: seen(rt)["connections"] == 4)


async def test_who_rejects_the_handshake_is_told_with_the_reason() -> None:
    async def reject(connection: Any, request: Any) -> Any:
        return connection.respond(403, "no")

    async with far(process_request=reject) as there, running(flow(there.port)) as rt:
        await until(lambda: "403" in seen(rt).get("reason", ""))
        assert seen(rt)["connected"] is False


async def test_the_connection_outlives_a_reload_that_leaves_its_address() -> None:
    async with far() as there, running(flow(there.port)) as rt:
        client = await there.client()
        await change(rt, flow(there.port, "format: json").replace("'got '", "'got ' + string(1)"))
        await client.send(json.dumps("x"))
        assert await there.hear() == "got 1x"
        assert there.clients.empty()
        await change(rt, flow(there.port, "header: {A: b}"))
        again = await there.client()
        async with asyncio.timeout(60):
            await client.wait_closed()
        assert client.close_code == 1001
        await again.send("x")
        assert await there.hear() == "got x"


async def test_a_rejected_change_leaves_the_connection_where_it_was() -> None:
    async with far() as there, running(flow(there.port)) as rt:
        client = await there.client()
        broken = flow(there.port, "queue: 1").replace(
            "  ports:", "  ports:\n    active: {name: boom, port: in}"
        )
        await change(rt, broken + "- {kind: throw, name: boom}")
        assert rt.events.recent[-1].event == "change rejected"
        await client.send("x")
        assert await there.hear() == "got x"


async def test_wss_is_checked_against_the_authorities_that_are_trusted() -> None:
    import ssl

    ca = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("localhost").configure_cert(context)
    trusted = json.dumps({"ca": ca.cert_pem.bytes().decode()})
    async with far(ssl=context) as there:
        text = flow(there.port, f"tls: {trusted}", scheme="wss", host="localhost")
        async with running(text):
            client = await there.client()
            await client.send("x")
            assert await there.hear() == "got x"
        async with running(flow(there.port, scheme="wss", host="localhost")) as rt:
            await until(lambda: "certificate" in seen(rt).get("reason", ""))


@pytest.mark.parametrize(
    ("more", "path"),
    [
        ("url: ws://", "link.url"),
        ("url: 'ws://a b/'", "link.url"),
        ("header: {'a b': c}", "link.header"),
    ],
)
async def test_what_cannot_be_used_is_a_problem(more: str, path: str) -> None:
    text = (
        flow(1, more) if "url" not in more else flow(1).replace("url: ws://127.0.0.1:1/feed", more)
    )
    async with running(text) as rt:
        assert path in [problem.path for problem in rt.status().problems]
