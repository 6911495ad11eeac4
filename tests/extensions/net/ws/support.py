"""Helps for stories of WebSockets: a listener in front of one, and a client that connects."""

import asyncio
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from heddle.runtime.runtime import Runtime
from tests.support import port_of

LISTENER = "- {kind: listener, name: listener, port: 0, ports: {out: {name: ws, port: in}}}\n"


def flow(more: str = "", *, answer: str = "self.data", ports: str = "") -> str:
    """Return a listener, a websocket, and a snippet that answers its messages."""
    return f"""
{LISTENER}
- kind: websocket
  name: ws
  {more or "format: auto"}
  ports:
    message: {{name: answer, port: in}}
    {ports}
- {{kind: snippet, name: answer, language: cel, code: "{answer}"}}
"""


def dial(rt: Runtime, path: str = "/", **options: Any) -> connect:
    """Return a connection to the listener of a runtime."""
    return connect(f"ws://127.0.0.1:{port_of(rt)}{path}", **options)


async def hear(client: ClientConnection) -> Any:
    """Return the next message, soon."""
    async with asyncio.timeout(60):
        return await client.recv()


async def closing(client: ClientConnection) -> tuple[int | None, str]:
    """Code and reason of a connection that closes soon."""
    async with asyncio.timeout(60):
        try:
            while True:
                await client.recv()
        except ConnectionClosed:
            await client.wait_closed()
    return client.close_code, client.close_reason or ""
