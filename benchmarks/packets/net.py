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

from benchmarks.packets.case import Case, Setup, case
from benchmarks.server import module

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
    return {**request, "cookies": cookies}


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


@asynccontextmanager
async def _served() -> AsyncIterator[Setup]:
    with TemporaryDirectory() as temporary:
        path = Path(temporary, "it.txt")
        path.write_text("hello\n" * 100)

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
    """Both ask the same server, through connections that are kept."""
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
        "- {kind: cookies, name: it}\n",
        REQUEST,
        _cookies,
        seen=lambda answer: answer["cookies"],
    ),
    case(
        "cors",
        "an origin that may",
        "- {kind: cors, name: it, origins: ['https://example.com'], ports: {out: {name: hello}}}\n"
        "- {kind: snippet, name: hello, language: text, code: hello}\n",
        REQUEST,
        _allowed,
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
    ),
)
