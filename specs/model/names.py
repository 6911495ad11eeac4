"""The rules for names, and for the ids of entries without one."""

import os
import re
import time
from hashlib import sha1
from uuid import UUID

MAX_NAME = 200

_NAME = re.compile(r"[\w$](?:[\w$.:@+~ -]*[\w$.:@+~-])?")
_NAMESPACE = re.compile(r"[\w$][\w$.@+~/-]*")
_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_UUID = re.compile(r"[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}")
# The root of every id that we derive; changing it would rename everybody's anonymous specs.
_ROOT = UUID("8d0f1c1e-5a0b-5f0e-9a59-6e6b5f0c2f5d").bytes

NAME_RULE = "letters, digits, spaces and . _ - : @ + ~ $, at most 200, no space at either end"
NAMESPACE_RULE = "letters, digits and . _ - / @ + ~ $, at most 200"
KEY_RULE = "a letter or _, then letters, digits and _"


def legal_name(name: str) -> bool:
    """Return whether a Spec or a Value may be called that (see NAME_RULE)."""
    return len(name) <= MAX_NAME and _NAME.fullmatch(name) is not None


def legal_namespace(namespace: str) -> bool:
    """Return whether a namespace may be called that (see NAMESPACE_RULE)."""
    return len(namespace) <= MAX_NAME and _NAMESPACE.fullmatch(namespace) is not None


def legal_key(key: str) -> bool:
    """Return whether a key of `env` can be spelled inside a blank (see KEY_RULE)."""
    return _KEY.fullmatch(key) is not None


def parse_id(text: str) -> UUID | None:
    """Return the UUID that the text spells, with or without hyphens; None if it spells none."""
    return UUID(text) if _UUID.fullmatch(text) else None


def named_id(sort: str, namespace: str, name: str) -> UUID:
    """Return the id of what has a name and no id: the same whenever and wherever it is read."""
    return _derive(f"{sort}\0{namespace}\0{name}")


def anonymous_id(sort: str, namespace: str, source: str, position: str) -> UUID:
    """Return the id of what has neither: the same whenever this place of this source is read."""
    return _derive(f"{sort}\0{namespace}\0\0{source}\0{position}")


def new_id() -> UUID:
    """Return a new UUID of version 7: later ones sort after earlier ones, by the millisecond."""
    stamp = time.time_ns() // 1_000_000
    number = (stamp & 0xFFFF_FFFF_FFFF) << 80 | int.from_bytes(os.urandom(10), "big")
    number = number & ~(0xF << 76) | 0x7 << 76
    return UUID(int=number & ~(0x3 << 62) | 0x2 << 62)


def _derive(text: str) -> UUID:
    digest = sha1(_ROOT + text.encode("utf-8", "surrogatepass"), usedforsecurity=False).digest()
    return UUID(bytes=digest[:16], version=5)
