"""The errors of a request, which are the client's fault, and of an answer, which are ours.

ValueError
├── BadRequest   the client sent what cannot be used; `status` is the reply it gets
└── BadAnswer    the flow answered what cannot be sent; the client gets a 500, the log the reason
"""

from typing import Final


class RequestError(ValueError):
    """The client's request cannot be used.

    The message speaks of the client's own input only, so that it may be sent back to it. Reading a
    field of a request can raise it; an Error whose `cause` it is becomes a reply with `status`.
    """

    expected: Final = True
    """Its message says all: a traceback would show our parser, which did its work."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class AnswerError(ValueError):
    """Raised when the flow's answer is not a response: a broken header, an impossible status."""
