"""The extension library `encoders`: bytes as Base64 text and back."""

import binascii
from typing import Final

from heddle.extensions.languages.cel.budget import bounded
from heddle.extensions.languages.cel.errors import CelError
from heddle.extensions.languages.cel.library.function import Function, spending, typed


def _encode(budget: list[int], data: bytes) -> str:
    bounded(budget, len(data) * 4 // 3)
    return binascii.b2a_base64(bytes(data), newline=False).decode()


def _decode(text: str) -> bytes:
    bare = text.rstrip("=")
    try:
        # What stands for whole bytes needs no `=` at its end.
        return binascii.a2b_base64(bare + "=" * (-len(bare) % 4), strict_mode=True)
    except (binascii.Error, ValueError):
        raise CelError(f'"{text[:80]}" is not Base64') from None


FUNCTIONS: Final = (
    Function(
        name="base64.encode",
        run=spending("base64.encode", _encode, "bytes"),
        arity=1,
        result="string",
        costly=True,
        spends=True,
    ),
    Function(
        name="base64.decode",
        run=typed("base64.decode", _decode, "string"),
        arity=1,
        result="bytes",
        costly=True,
    ),
)
