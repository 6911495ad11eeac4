"""Digests: SHA-256 and HMAC of text or bytes, and bytes as hexadecimal text."""

import hashlib
import hmac
from typing import Any, Final

from heddle.extensions.languages.cel.budget import bounded
from heddle.extensions.languages.cel.errors import CelError
from heddle.extensions.languages.cel.library.function import (
    Function,
    no_overload,
    spending,
    typed,
)
from heddle.extensions.languages.cel.values import kind

_ALGORITHMS: Final = ("sha256", "sha1", "sha384", "sha512")


def _bytes(name: str, value: Any) -> bytes:
    """Return the bytes of text, as UTF-8, or of bytes."""
    given = kind(value)
    if given == "bytes":
        return bytes(value)
    if given != "string":
        raise no_overload(name, value)
    try:
        return str(value).encode()
    except UnicodeEncodeError:
        raise CelError(f"{name}: the text has half of a character pair") from None


def _sha256(data: Any) -> bytes:
    return hashlib.sha256(_bytes("sha256", data)).digest()


def _hmac(key: Any, data: Any, algorithm: Any = "sha256") -> bytes:
    if algorithm not in _ALGORITHMS:
        raise CelError(f"hmac: no such algorithm (expected: {', '.join(_ALGORITHMS)})")
    secret = _bytes("hmac", key)
    if not secret:
        # Everybody could sign with it: a secret that is not filled in must not work.
        raise CelError("hmac: the key is empty (expected: a secret)")
    return hmac.digest(secret, _bytes("hmac", data), algorithm)


def _to_hex(budget: list[int], data: bytes) -> str:
    bounded(budget, 2 * len(data))
    return bytes(data).hex()


def _from_hex(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise CelError(f'"{text[:80]}" is not hexadecimal') from None


FUNCTIONS: Final = (
    Function(name="sha256", run=_sha256, arity=1, result="bytes", costly=True),
    Function(name="hmac", run=_hmac, arity=2, result="bytes", costly=True),
    Function(name="hmac", run=_hmac, arity=3, result="bytes", costly=True),
    Function(
        name="hex.encode",
        run=spending("hex.encode", _to_hex, "bytes"),
        arity=1,
        result="string",
        costly=True,
        spends=True,
    ),
    Function(
        name="hex.decode",
        run=typed("hex.decode", _from_hex, "string"),
        arity=1,
        result="bytes",
        costly=True,
    ),
)
