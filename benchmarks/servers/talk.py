"""A bare echo server on `websockets`: what one would write without Heddle."""

import asyncio
import sys
from contextlib import suppress

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from benchmarks.machine import fastest_loop


async def echo(connection: ServerConnection) -> None:
    """Send every message back, until the client hangs up, in whatever way."""
    with suppress(ConnectionClosed):
        async for message in connection:
            await connection.send(message)


async def run(port: int) -> None:
    """Serve until the process is ended."""
    # Without pings of its own: the load answers none, as it is busy all the time.
    async with serve(echo, "127.0.0.1", port, ping_interval=None) as server:
        await server.serve_forever()


def main() -> None:
    """Run it."""
    with asyncio.Runner(loop_factory=fastest_loop()) as runner:
        runner.run(run(int(sys.argv[1])))


if __name__ == "__main__":
    main()
