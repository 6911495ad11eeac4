"""Somebody else's server: answers as a test wants, and notes what it was asked."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from heddle.extensions.net.http.exchange import Exchange
from heddle.extensions.net.http.request import HttpRequest
from heddle.extensions.net.http.server import Server

Answering = Callable[[HttpRequest], Any]


class Remote:
    """A server, what it was asked, and how many connections it saw."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.asked: list[HttpRequest] = []
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@asynccontextmanager
async def remote(answer: Answering | Any, **options: Any) -> AsyncIterator[Remote]:
    """Provide a running server; `answer` is what everyone is answered, or a function of the request."""
    tasks: set[asyncio.Task[None]] = set()

    def handle(exchange: Exchange) -> None:
        made.asked.append(exchange.request)
        if not callable(answer):
            exchange.reply(answer)
            return
        found = answer(exchange.request)
        if asyncio.iscoroutine(found):
            task = asyncio.ensure_future(later(exchange, found))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        else:
            exchange.reply(found)

    async def later(exchange: Exchange, found: Any) -> None:
        exchange.reply(await found)

    server = Server(handle, on_error=lambda *_: None, **options)
    made = Remote(server)
    await server.start("127.0.0.1", 0)
    made.port = server.address[1]
    try:
        yield made
    finally:
        for task in tasks:
            task.cancel()
        await server.drain(0.01)
