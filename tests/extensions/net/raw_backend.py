"""A backend that answers with exactly the bytes that a test wants, and keeps those that it was sent."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

Answers = bytes | Callable[[int], bytes]


class RawBackend:
    """Its address, and the requests that came."""

    def __init__(self) -> None:
        self.port = 0
        self.asked: list[bytes] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def lines(self) -> list[bytes]:
        """The lines of the head of the last request."""
        return self.asked[-1].partition(b"\r\n\r\n")[0].split(b"\r\n")


@asynccontextmanager
async def raw_backend(answers: Answers, *, stays: bool = False) -> AsyncIterator[RawBackend]:
    """Provide a running backend; it closes behind its answer unless it `stays`."""
    made = RawBackend()
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: *([0-9]+)", head)
        body = await reader.readexactly(int(length[1])) if length else b""
        if b"chunked" in head:
            body = await reader.readuntil(b"0\r\n\r\n")
        made.asked.append(head + body)
        writer.write(answers if isinstance(answers, bytes) else answers(len(made.asked)))
        await writer.drain()

    async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
            while stays:
                await serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(run(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(begin, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def exchange(port: int, request: bytes) -> bytes:
    """Return all that comes back for a request that asks for the connection to be closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    async with asyncio.timeout(60):
        data = await reader.read()
    writer.close()
    return data
