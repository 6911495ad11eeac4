"""An Error is a payload that says what failed; NOTHING is the answer that carries no value."""

from asyncio import CancelledError
from collections.abc import Iterable
from enum import Enum
from typing import Any, Final, TypeAlias

from heddle.runtime.flow.trace import Trace, taken


class Nothing(Enum):
    """The type of NOTHING, so that type checkers can tell it from every payload."""

    NOTHING = "nothing"

    def __repr__(self) -> str:
        return "NOTHING"

    def __bool__(self) -> bool:
        return False


NOTHING: Final = Nothing.NOTHING
"""The answer «accepted, no value». It is not null."""


class Error:
    """A payload that says what failed.

    `message` is for people; `code` is a stable word (`failed`, `thrown`, `dropped`, `timeout`,
    `cancelled`, `depth`, `endless`); `data` is what was thrown, if anything was; `cause` the exception behind
    it, kept for logs; `errors` what it joins; `symbol` and `port` if it arose.

    The cause loses its traceback: its frames, and all that stands in them, such as the body of a
    request, would live as long as the Error. `trace` has the places of the frames instead.
    """

    __slots__ = ("cause", "code", "data", "errors", "message", "port", "symbol", "trace")

    def __init__(
        self,
        message: str,
        *,
        code: str = "failed",
        data: Any = None,
        cause: BaseException | None = None,
        errors: "tuple[Error, ...]" = (),
        symbol: str = "",
        port: str = "",
    ) -> None:
        self.message = message
        self.code = code
        self.data = data
        self.cause = cause
        self.errors = errors
        self.symbol = symbol
        self.port = port
        self.trace: Trace = {} if cause is None else taken(cause)

    def __str__(self) -> str:
        return self.message

    def __repr__(self) -> str:
        return f"Error({self.message!r}, code={self.code!r})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Error):
            return NotImplemented
        return (self.code, self.message, self.data) == (other.code, other.message, other.data)

    def __hash__(self) -> int:
        return hash((self.code, self.message))

    @staticmethod
    def of(exception: BaseException, *, symbol: str = "", port: str = "") -> "Error":
        """Return the Error that an exception becomes; a NodeError keeps the Error it carries.

        `symbol` and `port` say where it arose, unless the Error knows that already.
        """
        if isinstance(exception, NodeError):
            return exception.error.at(symbol, port)
        text, name = _text_of(exception), type(exception).__name__
        code = "failed"
        if isinstance(exception, TimeoutError):
            code = "timeout"
        elif isinstance(exception, CancelledError):
            code, text = "cancelled", text or "what it waited for was cancelled"
        elif isinstance(exception, LookupError) or not isinstance(exception, Exception):
            # `exit(1)` says "1" and a missing key its name: that alone would tell nobody anything.
            text = f"{name}: {text}" if text else name
        return Error(text or name, code=code, cause=exception, symbol=symbol, port=port)

    def at(self, symbol: str, port: str) -> "Error":
        """Return the same Error, told if it arose; one that knows it already stays as it is."""
        if self.symbol or not symbol:
            return self
        placed = Error(
            self.message,
            code=self.code,
            data=self.data,
            cause=self.cause,
            errors=self.errors,
            symbol=symbol,
            port=port,
        )
        placed.trace = self.trace
        return placed

    @staticmethod
    def join(errors: "Iterable[Error]") -> "Error":
        """Return one Error that carries them all; their messages stand on lines of their own."""
        flat = tuple(errors)
        if len(flat) == 1:
            return flat[0]
        return Error("\n".join(error.message for error in flat), code=flat[0].code, errors=flat)


def _text_of(exception: BaseException) -> str:
    """Return the text of an exception; empty if it fails to say it."""
    try:
        return str(exception)
    except Exception:
        # The text is the author's code: what it raises must not take the place of the failure.
        return ""


class NodeError(Exception):
    """Raised by a node that wants to fail with an Error of its own making."""

    def __init__(self, error: Error) -> None:
        super().__init__(error.message)
        self.error = error


class FailedPacketError(NodeError):
    """The error of a packet, and the packet: if the port `error` is linked, both go there."""

    def __init__(self, error: Error, packet: Any) -> None:
        super().__init__(error)
        self.packet = packet

    def failure(self, symbol: str, port: str) -> dict[str, Any]:
        """Return `{error, packet}`, with the Error as plain data that can be stored and sent."""
        error = self.error.at(symbol, port)
        entry = {"message": error.message, "code": error.code, "data": error.data}
        return {
            "error": entry | {"symbol": error.symbol, "port": error.port},
            "packet": self.packet,
        }


def failure_of(exception: BaseException, symbol: str, port: str, *, linked: bool) -> "Payload":
    """Return what a node that raised this sends to its port `error`, or answers if that is not linked."""
    if linked and type(exception) is FailedPacketError:
        return exception.failure(symbol, port)
    return Error.of(exception, symbol=symbol, port=port)


class InputError(ValueError):
    """Raised when what was sent in does not fit: the sender is at fault, and the flow has not begun.

    The message and the mistakes, each a map with `path`, `found` and `expected`, speak of what was sent
    only. An Error whose `cause` it is may show them to a client, as a server does with status 422.
    """

    expected: Final = True
    """Its message says all: a traceback would add nothing."""

    status: Final = 422

    def __init__(self, message: str, mistakes: list[dict[str, str]]) -> None:
        super().__init__(message)
        self.mistakes = mistakes


Payload: TypeAlias = Any
"""Plain data: None, bool, int, float, str, bytes, list, dict, a byte stream, or an Error.

A payload is never changed after it was sent: who wants another value sends another value.
"""

Answer: TypeAlias = Any
"""A Payload or NOTHING."""


class ShutdownInterrupt(SystemExit):
    """Raised in code that holds the event loop of a process that is to end.

    It is a SystemExit: a node that raises one fails, and `except Exception` does not stop it.
    """

    def __init__(self) -> None:
        super().__init__("it held the event loop of a process that was to end")
