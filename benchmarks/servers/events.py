"""A source of server-sent events: it sends so many to whoever connects, as fast as they are taken."""

import asyncio
import sys

from benchmarks.machine import fastest_loop

BLOCK = 100
"""Events that are written at once, about as many as a segment of the network has room for."""


def event(number: int) -> bytes:
    """Return an event as APIs of language models send them."""
    choices = b'[{"index":0,"delta":{"content":"token %d"},"finish_reason":null}]' % number
    return b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","choices":%b}\n\n' % choices


def changed(number: int) -> bytes:
    """Return the event that has to come out at the other end."""
    return b'data: {"text":"token %d"}\n\n' % number


async def main(port: int, count: int) -> None:
    """Serve until a signal comes."""
    events = [event(number) for number in range(count)]
    blocks = [b"".join(events[at : at + BLOCK]) for at in range(0, count, BLOCK)]
    chunks = [b"%x\r\n%b\r\n" % (len(block), block) for block in blocks]

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(
                    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                    b"Transfer-Encoding: chunked\r\n\r\n"
                )
                for chunk in chunks:
                    writer.write(chunk)
                    await writer.drain()
                writer.write(b"0\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", port)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=fastest_loop()) as runner:
        runner.run(main(int(sys.argv[1]), int(sys.argv[2])))
