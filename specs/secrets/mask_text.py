"""Concealing covers the secrets in the text of a file, so that its lines can be shown to people."""

import re
from collections.abc import Iterator
from typing import Any

from heddle.specs.secrets.mask import SHORTEST, in_order, secrets_in
from heddle.specs.yaml.fast import parse

DOT = "•"
"""The mark that stands for each character of a secret, so that the text behind it stays in its column."""

_DATA = re.compile(r"(?<![\w-])(['\"]?data['\"]?:[ \t]+)(?![|>][+-]?\s*$)(\S.*)$", re.MULTILINE)


def concealed(text: str) -> str:
    """Return the text with the data of secret Values covered, line by line, as long as it was.

    Of a text that cannot be read, whatever stands behind a `data:` is covered, if it speaks of
    secrets at all.
    """
    if "secret" not in text:
        return text
    parsed = parse(text)
    texts: set[str] = set()
    for document in parsed.documents:
        for entry in document if isinstance(document, list) else [document]:
            if isinstance(entry, dict) and entry.get("secret") not in (None, False):
                texts.update(_written(entry.get("data")))
    for secret in in_order(texts):
        text = text.replace(secret, DOT * len(secret))
    if parsed.faults or not parsed.whole:
        text = _DATA.sub(lambda line: line[1] + DOT * len(line[2]), text)
    return text


def _written(data: Any) -> Iterator[str]:
    """Yield a secret as it may stand in a file: its lines, and its quotes doubled."""
    for secret in secrets_in(data):
        for line in secret.splitlines():
            bare = line.strip()
            if len(bare) >= SHORTEST:
                yield bare
                yield bare.replace("'", "''")
