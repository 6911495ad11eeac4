"""A hand-written ASGI app that takes JSON and answers JSON: the floor of the transform flow."""

import sys
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import msgspec

from benchmarks.servers.asgi import serve

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


async def app(
    scope: MutableMapping[str, Any],
    receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
    send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
) -> None:
    """Make of an order what is told of it: the same as the CEL of `transform.yaml`."""
    message = await receive()
    raw = message["body"]
    while message["more_body"]:
        message = await receive()
        raw += message["body"]
    if scope["method"] != "POST" or scope["path"] != "/orders":
        await send({"type": "http.response.start", "status": 404, "headers": []})
        await send({"type": "http.response.body", "body": b""})
        return
    order = _decode(raw)
    told = {
        "order": order["id"],
        "to": order["customer"]["name"] + " <" + order["customer"]["email"] + ">",
        "lines": [
            {"sku": item["sku"], "sum": item["price"] * item["count"]} for item in order["items"]
        ],
        "express": order["express"] and len(order["items"]) < 5,
    }
    body = _encode(told)
    await send(
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [
                (b"content-type", b"application/json"),
                (b"content-length", str(len(body)).encode()),
            ],
        }
    )
    await send({"type": "http.response.body", "body": body})


if __name__ == "__main__":
    serve(app, int(sys.argv[1]))
