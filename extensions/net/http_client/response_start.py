"""The start of a response: whether one has begun, and that its head does not grow without bound."""

from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable

    from aiohttp.client_proto import ResponseHandler


@cache
def handler_class() -> "Callable[..., ResponseHandler]":
    """Return the class of protocols that tell a response that broke off from none at all.

    Their `most` are the bytes that a head may have before all of it has come; zero is no limit.
    """
    from aiohttp import ServerDisconnectedError
    from aiohttp.client_proto import ResponseHandler
    from aiohttp.http_exceptions import HttpProcessingError

    class NotingHandler(ResponseHandler):
        """Reads responses, and remembers whether a byte of the one at hand has come."""

        begun = False
        most = 0

        def __init__(self, loop: "AbstractEventLoop", most: int = 0) -> None:
            """Begin with no response."""
            super().__init__(loop)
            self.most = most
            self.left = most

        def set_response_params(self, **params: Any) -> None:
            """Begin a response: the request is sent, and nothing of its response has come."""
            self.begun = False
            self.left = self.most
            super().set_response_params(**params)

        def data_received(self, data: bytes) -> None:
            """Bytes have come."""
            if data:
                self.begun = True
            super().data_received(data)
            if self.left > 0:
                self.count(len(data))

        def count(self, size: int) -> None:
            """Count bytes of a head; the number of its fields is not limited, so its size is."""
            self.left -= size
            if self.left <= 0 and self.transport is not None:
                self.transport.close()
                text = f"its headers are larger than {self.most} bytes"
                self.set_exception(HttpProcessingError(message=text))

        def feed_data(self, data: Any, size: int = 0) -> None:
            """Take the bytes of a response until its head is complete."""
            self.left = 0
            super().feed_data(data, size)

        def set_exception(self, exc: Any, *cause: Any, **named: Any) -> None:
            """Fail whoever waits for the head."""
            if self.begun and isinstance(exc, ServerDisconnectedError):
                exc = HttpProcessingError(message="it ends in the middle of its head")
            super().set_exception(exc, *cause, **named)

    return NotingHandler
