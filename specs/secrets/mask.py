"""Masking puts a mark if a secret stood, in whatever people see: the forms that a secret may take."""

import base64
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import Any
from urllib.parse import quote, quote_plus

from heddle.specs.model.mask import MASK

SHORTEST = 3
"""Shorter secrets are not masked: they would stand for half of every text."""

LONG = 8
"""From this length on, a line of a secret is a secret by itself, and so are its encodings."""


_CUT = 40
_HEAD = 20


def secrets_in(data: Any) -> Iterator[str]:
    """Yield every text and number in secret data, in every form in which it could show."""
    if isinstance(data, Mapping):
        for each in data.values():
            yield from secrets_in(each)
    elif isinstance(data, list | tuple):
        for each in data:
            yield from secrets_in(each)
    elif isinstance(data, bytes):
        yield from forms(data.decode(errors="replace"))
        yield from _encoded(data)
    elif data is not None and not isinstance(data, bool) and data != "":
        yield from forms(str(data))


def forms(secret: str) -> Iterator[str]:
    """Yield a secret as it is, as it reads in JSON, in URLs, in HTML and in Python, in base64 and in hexadecimal.

    Of a long one every line counts by itself: logs indent them, and tables cut them off.
    """
    yield secret
    if len(secret) < SHORTEST:
        return
    yield from _written(secret)
    lines = secret.splitlines()
    if len(lines) > 1:
        for line in lines:
            bare = line.strip()
            if len(bare) >= LONG:
                yield bare
                yield from _written(bare)
    yield from _encoded(secret.encode(errors="surrogatepass"))


def hidden(text: str, secrets: Sequence[str]) -> str:
    """Return the text with a mark if one of these stood, the longest ones being the first.

    Of a very long one its beginning is enough: who shows found text cuts it off somewhere.
    """
    for secret in secrets:
        if secret in text:
            text = text.replace(secret, MASK)
    for secret in secrets:
        if len(secret) > _CUT and secret[:_HEAD] in text:
            text = _uncut(text, secret)
    return text


def _uncut(text: str, secret: str) -> str:
    kept: list[str] = []
    at = 0
    while (number := text.find(secret[:_HEAD], at)) >= 0:
        stop = number + _HEAD
        while text[stop : stop + 1] == secret[stop - number : stop - number + 1] != "":
            stop += 1
        kept += [text[at:number], MASK]
        at = stop
    return "".join([*kept, text[at:]])


def in_order(secrets: Iterable[str]) -> tuple[str, ...]:
    """Secrets each once, the longest first: one may be a part of another."""
    return tuple(sorted({*secrets}, key=lambda text: (-len(text), text)))


def _written(secret: str) -> Iterator[str]:
    yield json.dumps(secret, ensure_ascii=False)[1:-1]
    yield json.dumps(secret)[1:-1]
    yield repr(secret)[1:-1]
    yield escape(secret)
    yield escape(secret, quote=False)
    with_slashes = quote(secret, errors="replace")
    yield with_slashes
    yield quote(secret, safe="", errors="replace")
    yield quote_plus(secret, errors="replace")


def _encoded(data: bytes) -> Iterator[str]:
    """Yield what base64 and hexadecimal make of it; in base64, wherever it stands in a longer text."""
    if len(data) < LONG:
        return
    yield data.hex()
    yield data.hex().upper()
    for before in range(3):
        # The first characters depend on what stands in front, the last on what stands behind.
        whole = base64.b64encode(bytes(before) + data).decode().rstrip("=")
        start = (0, 2, 3)[before]
        stop = (before + len(data)) * 8 // 6
        middle = whole[start:stop]
        yield middle
        yield middle.replace("+", "-").replace("/", "_")
