"""Payloads as a RunStore keeps them: bytes that give an equal payload back after any restart.

The format is MessagePack: it keeps bytes, NaN and maps with other keys than text as they are. Two
extension types cover the rest of what a payload may hold: integers above 64 bits, and Errors.
"""

import dataclasses
from collections.abc import Mapping
from enum import Enum
from hashlib import blake2b
from typing import Any, Final

import msgspec

from heddle.extensions.extension import NOTHING, Error

BLOB: Final = 64_000
"""Bytes from which a stored payload is kept apart, by its content hash."""

DEPTH: Final = 200
"""How deep a payload may be nested; what reads it back stops at about 1,000."""

_INTEGER, _ERROR = 1, 2


class UnstorablePartError(ValueError):
    """Raised for a payload that cannot be stored; `path` names the part, such as `rows[3].file`."""

    def __init__(self, path: str, actual: str) -> None:
        place = f"{path}: " if path else ""
        super().__init__(
            f"{place}{actual} cannot be stored (expected: null, booleans, numbers, text, bytes, lists, maps)"
        )
        self.path = path
        self.found = actual


def _extend(value: Any) -> Any:
    """Return what the encoder should write for an object that it does not know."""
    if type(value) is Error:
        return msgspec.msgpack.Ext(_ERROR, encode_payload(error_fields(value)))
    if value is NOTHING:
        return None
    raise NotImplementedError


def _restore(code: int, data: memoryview) -> Any:
    """Return the object of an extension type."""
    if code == _INTEGER:
        return int.from_bytes(data, "big", signed=True)
    if code == _ERROR:
        return error_of(decode_payload(bytes(data)))
    return msgspec.msgpack.Ext(code, bytes(data))


_encode = msgspec.msgpack.Encoder(enc_hook=_extend).encode
_decode = msgspec.msgpack.Decoder(ext_hook=_restore).decode


def encode_payload(payload: Any) -> bytes:
    """Return the bytes of a payload. Raise UnstorablePartError with the part that cannot be stored."""
    try:
        return _encode(payload)
    except (NotImplementedError, TypeError, OverflowError, ValueError, RecursionError):
        # Slow, and rare: it finds the part, or stores the integers that MessagePack has no room for.
        return _encode(_plain(payload, "", 0))


def decode_payload(data: bytes) -> Any:
    """Return the payload of these bytes."""
    return _decode(data)


def content_hash(data: bytes) -> bytes:
    """Return the 32 bytes under which a blob or a Definition is kept."""
    return blake2b(data, digest_size=32).digest()


def error_fields(error: Error) -> dict[str, Any]:
    """Return an Error as plain data: code, message, place, data, and the Errors that it joins."""
    fields: dict[str, Any] = {"code": error.code, "message": error.message}
    if error.symbol:
        fields["symbol"] = error.symbol
    if error.port:
        fields["port"] = error.port
    if error.data is not None:
        try:
            encode_payload(error.data)
        except UnstorablePartError as unstorable:
            fields["lost"] = str(unstorable)
        else:
            fields["data"] = error.data
    if error.errors:
        fields["errors"] = [error_fields(each) for each in error.errors]
    return fields


def error_of(fields: Mapping[str, Any]) -> Error:
    """Return the Error that `error_fields` described; its cause is gone."""
    return Error(
        fields["message"],
        code=fields.get("code", "failed"),
        data=fields.get("data"),
        errors=tuple(error_of(each) for each in fields.get("errors", ())),
        symbol=fields.get("symbol", ""),
        port=fields.get("port", ""),
    )


def _plain(value: Any, path: str, depth: int) -> Any:
    """Return the same payload out of types that the encoder knows; raise UnstorablePartError."""
    if depth > DEPTH:
        raise UnstorablePartError(path[:60] + "…", f"a payload nested more than {DEPTH} deep")
    kind = type(value)
    if value is None or kind in (bool, float, bytes, Error):
        return value
    if value is NOTHING:
        return None
    if kind is int:
        if -(2**63) <= value < 2**64:
            return value
        size = value.bit_length() // 8 + 1
        return msgspec.msgpack.Ext(_INTEGER, value.to_bytes(size, "big", signed=True))
    if kind is str:
        try:
            value.encode()
        except UnicodeEncodeError:
            raise UnstorablePartError(path, "text with half a surrogate pair") from None
        return value
    return _plain_compound(value, path, depth)


def _plain_compound(value: Any, path: str, depth: int) -> Any:
    if isinstance(value, Mapping):
        try:
            return {
                _plain(key, f"{path}.{{key}}", depth + 1): _plain(
                    item, _below(path, key), depth + 1
                )
                for key, item in value.items()
            }
        except TypeError:
            raise UnstorablePartError(path, "a map with a key that is a list or a map") from None
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item, f"{path}[{place}]", depth + 1) for place, item in enumerate(value)]
    if isinstance(value, Enum):
        return _plain(value.value, path, depth + 1)
    if isinstance(value, msgspec.Struct) or (
        dataclasses.is_dataclass(value) and not isinstance(value, type)
    ):
        names = (
            value.__struct_fields__
            if isinstance(value, msgspec.Struct)
            else [field.name for field in dataclasses.fields(value)]
        )
        return {name: _plain(getattr(value, name), _below(path, name), depth + 1) for name in names}
    try:
        # Times, UUIDs, Decimals: what msgspec writes as one value.
        return msgspec.msgpack.decode(_encode(value))
    except (NotImplementedError, TypeError, OverflowError, ValueError, RecursionError):
        raise UnstorablePartError(
            path, f"an object of the type {type(value).__qualname__}"
        ) from None


def _below(path: str, key: Any) -> str:
    return f"{path}.{key}" if path else str(key)
