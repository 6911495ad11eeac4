"""The bridge carries payloads into JavaScript and results out of it, as JSON.

What JSON lacks stands under keys that no payload has: bytes, which are a Uint8Array there, and
integers that a number of JavaScript cannot hold, which are a BigInt.
"""

import binascii
from collections.abc import Mapping
from datetime import date
from typing import Any, Final

import msgspec

from heddle.extensions.languages.errors import ProgramError
from heddle.runtime.flow.errors import Error
from heddle.runtime.flow.stream import Stream
from heddle.specs.model.json_text import decode

BYTES: Final = "\0bytes"
LONG: Final = "\0int"
ERROR: Final = "\0error"
SAFE: Final = 2**53 - 1
"""The largest integer that a number of JavaScript holds exactly."""

_encode: Final = msgspec.json.Encoder().encode


def to_text(payload: Any, *, longs: bool = True) -> tuple[str, bool]:
    """Return a payload as JSON, and whether marks stand in it; ProgramError for what cannot go there.

    Without `longs`, long integers are numbers: the nearest ones that a number of JavaScript holds.
    """
    try:
        if _plain(payload):
            return _encode(payload).decode(), False
        return _encode(_marked(payload, longs)).decode(), True
    except RecursionError:
        raise ProgramError("the payload is nested too deeply") from None
    except (TypeError, ValueError, OverflowError) as error:
        raise ProgramError(f"the payload cannot be given to the program: {error}") from error


def from_text(text: str, marked: bool) -> Any:
    """Return the value of a result."""
    try:
        value = decode(text)
        return _unmarked(value) if marked else value
    except RecursionError:
        raise ProgramError("the result is nested too deeply") from None
    except (msgspec.DecodeError, ValueError) as error:
        raise ProgramError(f"the result is not a payload: {error}") from None


def _plain(value: Any) -> bool:
    """Return whether JSON says all that there is to a value."""
    kind = type(value)
    if kind is dict:
        # Loops, for a generator would take longer than all the rest.
        for each in value.values():  # noqa: SIM110
            if type(each) is not str and not _plain(each):
                return False
        return True
    if kind is list:
        for each in value:  # noqa: SIM110
            if type(each) is not str and not _plain(each):
                return False
        return True
    if kind is int:
        return bool(-SAFE <= value <= SAFE)
    return kind is str or kind is float or kind is bool or value is None


def _marked(value: Any, longs: bool) -> Any:
    if isinstance(value, bool | str | float) or value is None:
        return value
    if isinstance(value, int):
        if -SAFE <= value <= SAFE:
            return int(value)
        return {LONG: str(value)} if longs else _number(int(value))
    if isinstance(value, Mapping):
        return {key: _marked(each, longs) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_marked(each, longs) for each in value]
    if isinstance(value, bytes | bytearray | memoryview):
        return {BYTES: binascii.b2a_base64(value, newline=False).decode()}
    if isinstance(value, Error):
        return {ERROR: error_data(value, lambda data: _marked(data, longs))}
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Stream):
        raise TypeError(f"it is {value.described}, and the program wants all of it at once")
    raise TypeError(f"it holds {type(value).__name__}")


def _number(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        raise ValueError("it holds an integer that is too large for a number") from None


def error_data(error: Error, data_of: Any) -> dict[str, Any]:
    """Return an Error as plain data, for programs that know no Errors."""
    return {"message": error.message, "code": error.code, "data": data_of(error.data)}


def _unmarked(value: Any) -> Any:
    if type(value) is list:
        return [_unmarked(each) for each in value]
    if type(value) is not dict:
        return value
    if len(value) == 1:
        ((key, each),) = value.items()
        if key == BYTES:
            return binascii.a2b_base64(each)
        if key == LONG:
            return int(each)
    return {key: _unmarked(each) for key, each in value.items()}
