"""A proxy of events, written by hand on aiohttp: the floor of the row `streams`."""

import sys
from collections.abc import AsyncIterator

import msgspec
from aiohttp import ClientSession, web

from benchmarks.machine import fastest_loop

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


def app_of(upstream: int) -> web.Application:
    """Return the app that changes each event of the server at this port."""
    session = web.AppKey("session", ClientSession)

    async def opened(app: web.Application) -> AsyncIterator[None]:
        async with ClientSession() as made:
            app[session] = made
            yield

    async def relay(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        async with request.app[session].get(f"http://127.0.0.1:{upstream}/") as far:
            await response.prepare(request)
            async for line in far.content:
                if line.startswith(b"data: "):
                    text = _decode(line[6:])["choices"][0]["delta"]["content"]
                    await response.write(b"data: " + _encode({"text": text}) + b"\n\n")
        await response.write_eof()
        return response

    app = web.Application()
    app.cleanup_ctx.append(opened)
    app.router.add_get("/", relay)
    return app


if __name__ == "__main__":
    loop = fastest_loop()
    web.run_app(
        app_of(int(sys.argv[2])),
        host="127.0.0.1",
        port=int(sys.argv[1]),
        access_log=None,
        print=None,
        loop=loop() if loop is not None else None,
    )
