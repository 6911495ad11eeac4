"""Vary names the headers of a request that a response depends on; whoever adds one keeps the others."""

import re
from collections.abc import Iterable, Sequence
from typing import Final

from heddle.schemas.ascii import elements, lower

_VARY: Final = re.compile(rb"^vary:[ \t]*([^\r\n]*)", re.IGNORECASE | re.MULTILINE)


def missing(values: Iterable[str], names: Sequence[str]) -> list[str]:
    """Return the names that the values of Vary do not have yet; none of them if they have `*`."""
    known = {lower(name) for value in values for name in elements(value)}
    return [] if "*" in known else [name for name in names if lower(name) not in known]


def with_vary(lines: bytes, *names: str) -> bytes:
    """Return the header lines of a response that depends on these headers of the request as well."""
    matches = list(_VARY.finditer(lines))
    if not matches:
        return lines + f"Vary: {', '.join(names)}\r\n".encode("latin-1", "replace")
    added = ", ".join(missing((match[1].decode("latin-1") for match in matches), names))
    if not added:
        return lines
    last = matches[-1]
    text = (", " if last[1] else "") + added
    return lines[: last.end()] + text.encode("latin-1", "replace") + lines[last.end() :]
