"""Kinds of the network, beside the library that one would call."""

import asyncio
import hmac
import re
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http.cookies import SimpleCookie
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import unquote

import aiohttp
from websockets.asyncio.client import connect

from benchmarks.packets.case import Case, Setup, case
from benchmarks.server import module
from heddle.runtime.runtime import Runtime

ADA = "Basic " + b64encode(b"ada:lovelace").decode()
REQUEST: dict[str, Any] = {
    "method": "GET",
    "path": "/users/7",
    "query": {},
    "header": {
        "Authorization": [ADA],
        "Cookie": ["theme=dark; lang=en; id=42"],
        "Origin": ["https://example.com"],
        "Host": ["localhost"],
    },
    "body": None,
}


def _known(request: Any) -> Any:
    scheme, _, given = request["header"]["Authorization"][0].partition(" ")
    user, _, password = b64decode(given).decode().partition(":")
    if scheme != "Basic" or not hmac.compare_digest(password.encode(), b"lovelace"):
        return {"status": 401}
    return {**request, "auth": {"scheme": "basic", "user": user}}


def _cookies(request: Any) -> Any:
    found = SimpleCookie("; ".join(request["header"]["Cookie"]))
    cookies = {name: unquote(morsel.value) for name, morsel in found.items()}
    return {**request, "cookies": cookies}["cookies"]["theme"]


def _allowed(request: Any) -> Any:
    origin = request["header"]["Origin"][0]
    if origin != "https://example.com":
        return {"body": "hello"}
    return {
        "header": {"Access-Control-Allow-Origin": [origin], "Vary": ["Origin"]},
        "body": "hello",
    }


USER = re.compile(r"/users/([^/]+)")
PLAIN = {("GET", "/ping"): "ping", ("GET", "/users"): "list"}


def _routed(request: Any) -> Any:
    if (request["method"], request["path"]) in PLAIN:
        return None
    found = USER.fullmatch(request["path"])
    if found is None or request["method"] != "GET":
        return {"status": 404}
    return found[1]


def _written(folder: str) -> None:
    Path(folder, "it.txt").write_text("hello\n" * 100)


@asynccontextmanager
async def _served() -> AsyncIterator[Setup]:
    with TemporaryDirectory() as temporary:
        _written(temporary)

        def found(request: Any) -> bytes:
            path = Path(temporary, request["path"].lstrip("/")).resolve()
            if Path(temporary).resolve() not in path.parents:
                raise PermissionError(path)
            path.stat()
            return path.read_bytes()

        async def floor(request: Any) -> Any:
            return {"body": await asyncio.to_thread(found, request)}

        yield Setup(
            flow=f"- {{kind: files, name: it, root: {temporary}}}\n",
            packet={"method": "GET", "path": "/it.txt", "query": {}, "header": {}, "body": None},
            floor=floor,
            seen=lambda answer: bytes(answer["body"]),
        )


@asynccontextmanager
async def _asked(flow: str) -> AsyncIterator[Setup]:
    """Provide two that call the same server, through connections that are kept."""
    with module("echo") as server:
        url = f"http://127.0.0.1:{server.port}"
        async with aiohttp.ClientSession() as session:

            async def floor(_: Any) -> Any:
                async with session.get(url + "/") as response:
                    return {"status": response.status, "body": await response.read()}

            yield Setup(
                flow=flow.replace("URL", url),
                packet={"method": "GET", "path": "/", "query": {}, "header": {}, "body": None},
                floor=floor,
                seen=lambda answer: (answer["status"], bytes(answer["body"])),
            )


@asynccontextmanager
async def _fed() -> AsyncIterator[Setup]:
    """Events to one client that listens, and the same through a queue."""
    queue: asyncio.Queue[bytes] = asyncio.Queue()

    async def heard() -> None:
        while True:
            await queue.get()

    async def floor(event: Any) -> None:
        queue.put_nowait(f"event: {event['event']}\ndata: {event['data']}\n\n".encode())

    @asynccontextmanager
    async def ready(rt: Runtime) -> AsyncIterator[None]:
        answer = await rt.send("it", {"method": "GET", "path": "/", "query": {}, "header": {}})

        async def read() -> None:
            async for _ in answer["body"]:
                pass

        readers = [asyncio.ensure_future(read()), asyncio.ensure_future(heard())]
        await asyncio.sleep(0)
        try:
            yield
        finally:
            for reader in readers:
                reader.cancel()
            await asyncio.wait(readers)

    yield Setup(
        flow="- {kind: sse, name: it}\n",
        packet={"event": "told", "data": "hello"},
        floor=floor,
        port="send",
        burst=100,
        ready=ready,
    )


@asynccontextmanager
async def _talked() -> AsyncIterator[Setup]:
    """Provide two that send to the same server."""
    with module("talk") as server:
        url = f"ws://127.0.0.1:{server.port}/"
        async with connect(url) as socket:

            async def floor(message: str) -> None:
                await socket.send(message)

            @asynccontextmanager
            async def ready(rt: Runtime) -> AsyncIterator[None]:
                async def hear() -> None:
                    async for _ in socket:
                        pass

                hearing = asyncio.ensure_future(hear())
                symbol = rt.table.get("it")
                assert symbol is not None
                if not symbol.node.snapshot()["connected"]:
                    async with asyncio.timeout(30):
                        await rt.events.wait("websocket connected")
                try:
                    yield
                finally:
                    hearing.cancel()
                    await asyncio.wait([hearing])

            yield Setup(
                flow=f"- {{kind: websocket-client, name: it, url: '{url}'}}\n",
                packet="hello, is anybody there?",
                floor=floor,
                burst=20,
                ready=ready,
            )


CORS = (
    "It looks at the answer, as every node does that adds to one, and makes a response of whatever was "
    "answered: text, data, nothing, a stream."
)
ROUTER = (
    "The most literal of any number of routes wins, found by way of a tree; the floor knows three. A path "
    "without names is one look-up."
)
FRONT = "kind: http, name: it, body: bytes"

CASES: tuple[Case, ...] = (
    case(
        "auth",
        "a password",
        "- {kind: auth, name: it, basic: {ada: lovelace}}\n",
        REQUEST,
        _known,
    ),
    case(
        "cookies",
        "three of them",
        "- {kind: cookies, name: it, ports: {out: {name: theme}}}\n"
        '- {kind: snippet, name: theme, language: python, code: \'payload["cookies"]["theme"]\'}\n',
        REQUEST,
        _cookies,
    ),
    case(
        "cors",
        "an origin that may",
        "- {kind: cors, name: it, origins: ['https://example.com'], ports: {out: {name: hello}}}\n"
        "- {kind: snippet, name: hello, language: text, code: hello}\n",
        REQUEST,
        _allowed,
        reach=20.0,
        reason=CORS,
    ),
    Case(kind="files", what="600 bytes", open=_served),
    Case(
        kind="http",
        what="GET of a server that does nothing",
        open=lambda: _asked(f"- {{{FRONT}, url: URL}}\n"),
    ),
    Case(
        kind="proxy",
        what="the same",
        open=lambda: _asked("- {kind: proxy, name: it, backends: [URL]}\n"),
    ),
    Case(kind="sse", what="an event to one client", open=_fed),
    Case(kind="websocket-client", what="a message", open=_talked),
    case(
        "respond",
        "a status and a header",
        "- {kind: respond, name: it, status: 201, header: {Cache-Control: no-store}}\n",
        {"id": 7},
        lambda packet: {
            "status": 201,
            "header": {"Cache-Control": "no-store"},
            "body": packet,
        },
    ),
    case(
        "router",
        "a path with a name",
        "- kind: router\n  name: it\n  routes:\n"
        "    - {method: GET, path: /ping, port: 'out[0]'}\n"
        "    - {method: GET, path: /users, port: 'out[1]'}\n"
        "    - {method: GET, path: '/users/:id', port: 'out[2]'}\n"
        "  ports:\n    out[2]: {name: user}\n"
        '- {kind: snippet, name: user, language: python, code: \'payload["params"]["id"]\'}\n',
        REQUEST,
        _routed,
        reach=20.0,
        reason=ROUTER,
    ),
)
