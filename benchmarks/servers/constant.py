"""A bare ASGI app that answers every request with the same text: the floor of the ping flow."""

import sys
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from benchmarks.servers.asgi import serve


async def app(
    scope: MutableMapping[str, Any],
    receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
    send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
) -> None:
    """Answer `pong`, without a look at the request."""
    await send(
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [(b"content-type", b"text/plain"), (b"content-length", b"4")],
        }
    )
    await send({"type": "http.response.body", "body": b"pong"})


if __name__ == "__main__":
    serve(app, int(sys.argv[1]))
