"""Whether a response has begun: a server that leaves within a head has answered, and badly."""

from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aiohttp.client_proto import ResponseHandler


@cache
def handler_class() -> "type[ResponseHandler]":
    """Return the class of protocols that tell a response that broke off from none at all."""
    from aiohttp import ServerDisconnectedError
    from aiohttp.client_proto import ResponseHandler
    from aiohttp.http_exceptions import HttpProcessingError

    class NotingHandler(ResponseHandler):
        """Reads responses, and remembers whether a byte of the one at hand has come."""

        begun = False

        def set_response_params(self, **params: Any) -> None:
            """A request is sent: nothing of its response has come."""
            self.begun = False
            super().set_response_params(**params)

        def data_received(self, data: bytes) -> None:
            """Bytes have come."""
            if data:
                self.begun = True
            super().data_received(data)

        def set_exception(self, exc: Any, *cause: Any) -> None:
            """Whoever waits for the head waits in vain."""
            if self.begun and isinstance(exc, ServerDisconnectedError):
                exc = HttpProcessingError(message="it ends in the middle of its head")
            super().set_exception(exc, *cause)

    return NotingHandler
