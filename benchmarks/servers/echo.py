"""As little as a server on this event loop can do: shows how fast the load itself can be."""

import asyncio
import sys
from typing import cast

from benchmarks.machine import fastest_loop

RESPONSE = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
    b"Date: Thu, 01 Jan 1970 00:00:00 GMT\r\nContent-Length: 4\r\n\r\npong"
)


class Echo(asyncio.Protocol):
    """Answers whatever arrives with the same bytes, unread."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are none of asyncio's classes.
        self._write = cast("asyncio.Transport", transport).write

    def data_received(self, data: bytes) -> None:
        self._write(RESPONSE)


async def serve(port: int) -> None:
    """Serve until the process is ended."""
    server = await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", port)
    await server.serve_forever()


def main() -> None:
    """Run it."""
    with asyncio.Runner(loop_factory=fastest_loop()) as runner:
        runner.run(serve(int(sys.argv[1])))


if __name__ == "__main__":
    main()
