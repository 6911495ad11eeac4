"""Sealing turns data into a text that only the holder of a key can open again.

    heddle:v1:<id of the key>:<nonce and ciphertext, in base64>

The cipher is AES-256-GCM. A sealed text belongs to one Value: its namespace and its name (or its id,
where it has no name) are part of what is proved when it is opened, so that nobody can move it.
"""

import base64
import binascii
import json
import os
from hashlib import blake2b
from typing import Any

import msgspec

from heddle.schemas.common_fields import SEAL_PREFIX
from heddle.specs.model.sealed_text import SEALED
from heddle.specs.model.value import Value

KEY_PREFIX = "heddle-key:v1:"
"""How the text of every key begins, so that those who search for leaked keys find it."""

_KEY_BYTES = 32
_NONCE_BYTES = 12
_PAD = 32
"""Data is padded to a multiple of so many bytes: its length tells little about a password."""


class Key(msgspec.Struct, frozen=True):
    """A key and its id, which follows from it: who knows the id knows nothing of the key."""

    id: str
    data: bytes

    @property
    def text(self) -> str:
        """The key in writing: for files and environments, and for nobody's eyes."""
        return KEY_PREFIX + _base64(self.data)

    def __repr__(self) -> str:
        return f"Key({self.id!r})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Return what a debugger shows: the id alone."""
        return [("id", self.id)]


def new_key() -> Key:
    """Return a new key from the random source of the system."""
    return _key(os.urandom(_KEY_BYTES))


def key_of(text: str) -> Key:
    """Return the key that this text says; ValueError, which does not repeat the text, where it says none."""
    bare = text.strip()
    data = _bytes(bare.removeprefix(KEY_PREFIX)) if bare.startswith(KEY_PREFIX) else None
    if data is None or len(data) != _KEY_BYTES:
        raise ValueError(f"not a key (expected: {KEY_PREFIX}… as `heddle key new` makes it)")
    return _key(data)


def seal(data: Any, key: Key, value: Value) -> str:
    """Return the sealed text of plain data, for this Value and no other; another one each time.

    ImportError if the package `cryptography` is not installed.
    """
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    plain = encode(data)
    plain += b" " * (-len(plain) % _PAD)
    nonce = os.urandom(_NONCE_BYTES)
    ciphertext = AESGCM(key.data).encrypt(nonce, plain, _about(value, key.id))
    return f"{SEAL_PREFIX}:{key.id}:{_base64(nonce + ciphertext)}"


def unseal(text: str, key: Key, value: Value) -> Any:
    """Return the data in a sealed text of this Value; raise ValueError if this key does not open it.

    ImportError if the package `cryptography` is not installed.
    """
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    match = SEALED.fullmatch(text)
    held = _bytes(match[2]) if match is not None else None
    if held is None:
        raise ValueError("no sealed text")
    try:
        plain = AESGCM(key.data).decrypt(
            held[:_NONCE_BYTES], held[_NONCE_BYTES:], _about(value, key.id)
        )
    except InvalidTag:
        raise ValueError("not sealed for this Value with this key, or changed since") from None
    return decode(plain)


def _key(data: bytes) -> Key:
    digest = blake2b(data, digest_size=6, person=b"heddle key id").hexdigest()
    return Key(digest, data)


def _about(value: Value, key: str) -> bytes:
    """Return what a sealed text is about; it has to be the same when it is opened."""
    owner = f"name\0{value.name}" if value.name is not None else f"id\0{value.id}"
    return f"{SEAL_PREFIX}\0{key}\0{value.namespace}\0{owner}".encode()


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _bytes(text: str) -> bytes | None:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None


# --- data ---------------------------------------------------------------------------------------

_BYTES = "$bytes"
_MAPPING = "$mapping"


def encode(data: Any) -> bytes:
    """Plain data as JSON that says bytes, too, and numbers of any size; reading it gives the same."""
    return json.dumps(_tagged(data), separators=(",", ":")).encode()


def decode(text: bytes) -> Any:
    """Return the data that `encode` wrote."""
    return _untagged(json.loads(text))


def _tagged(data: Any) -> Any:
    if isinstance(data, bytes):
        return {_BYTES: base64.b64encode(data).decode()}
    if isinstance(data, dict):
        mapping = {key: _tagged(value) for key, value in data.items()}
        return (
            {_MAPPING: mapping}
            if len(mapping) == 1 and {_BYTES, _MAPPING} & mapping.keys()
            else mapping
        )
    return [_tagged(value) for value in data] if isinstance(data, list) else data


def _untagged(data: Any) -> Any:
    if isinstance(data, list):
        return [_untagged(value) for value in data]
    if not isinstance(data, dict):
        return data
    if len(data) == 1:
        if _BYTES in data:
            return base64.b64decode(data[_BYTES])
        if _MAPPING in data:
            return {key: _untagged(value) for key, value in data[_MAPPING].items()}
    return {key: _untagged(value) for key, value in data.items()}
