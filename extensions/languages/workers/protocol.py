"""The protocol between this process and a worker: frames of msgpack with their length in front.

A request holds what is to run and on what; an answer holds the result or what went wrong, and what
was printed. A worker's first frame says that it is ready.
"""

import struct
from typing import Any, Final

import msgspec

from heddle.extensions.languages.errors import ProgramError, UnsendableError
from heddle.runtime.flow.errors import Error
from heddle.runtime.flow.materialize import encode_with

HEAD: Final = struct.Struct("!I")
_ERROR: Final = 1
_INT: Final = 2


class RunRequest(msgspec.Struct, array_like=True, frozen=True):
    """One run. `code` is empty if the worker has seen the program before.

    The engines count `timeout` on the clock of the processor. All else may take `slack` more seconds.
    """

    program: int
    language: str
    code: str
    payload: msgspec.Raw
    timeout: float
    memory: int
    condition: bool = False
    slack: float = 0.0


class Answer(msgspec.Struct, array_like=True, frozen=True):
    """The end of a run: `ok`, `failed`, `error` (of the program's own making), `timeout`, `memory`.

    `said` is what was printed, as pairs of level and text. `last` says that the worker ends now.
    """

    end: str
    value: msgspec.Raw
    message: str = ""
    line: int = 0
    lines: list[tuple[str, str]] = []
    last: bool = False


def _plain(value: Any) -> Any:
    if isinstance(value, Error):
        entry = (value.message, value.code, value.data)
        return msgspec.msgpack.Ext(_ERROR, to_bytes(entry))
    if isinstance(value, int):
        return msgspec.msgpack.Ext(_INT, str(int(value)).encode())
    raise TypeError(f"it holds {type(value).__name__}, which is not plain data")


def _decoded(code: int, data: memoryview) -> Any:
    if code == _ERROR:
        message, word, rest = from_bytes(data)
        return Error(str(message), code=str(word), data=rest)
    if code == _INT:
        return int(bytes(data))
    raise ValueError(f"an extension {code} that nobody knows")


_encode: Final = msgspec.msgpack.Encoder(enc_hook=_plain).encode
_decode: Final = msgspec.msgpack.Decoder(ext_hook=_decoded).decode


def to_bytes(value: Any) -> bytes:
    """Plain data and Errors as bytes; raise ProgramError if there is more in it."""
    try:
        return encode_with(_encode, value)
    except OverflowError:
        return _encode(_with_long(value))
    except RecursionError:
        raise ProgramError("the data is nested too deeply") from None
    except (TypeError, ValueError) as error:
        raise UnsendableError(f"the data cannot be handed over: {error}") from error


def from_bytes(data: bytes | bytearray | memoryview) -> Any:
    """Return what `to_bytes` was given; raise ValueError if they are no such bytes."""
    return _decode(data)


def _with_long(value: Any) -> Any:
    """Return the same data, with integers of more than 64 bits in a form that msgpack has."""
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return _plain(value)
    if isinstance(value, dict):
        return {key: _with_long(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_with_long(each) for each in value]
    return value


def framed(frame: bytes) -> bytes:
    """Return a frame with its length in front."""
    return HEAD.pack(len(frame)) + frame
