"""Signing: a value that its owner can read, and not change."""

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from hashlib import sha256
from time import time


class Signer:
    """Signs with the first secret, and knows what was signed with any of them."""

    def __init__(self, secrets: Sequence[str]) -> None:
        # A key of its own: the secret may serve somebody else as well.
        self._keys = [
            hmac.new(secret.encode(), b"heddle cookie", sha256).digest() for secret in secrets
        ]

    def sign(self, name: str, value: str) -> str:
        """Return the value with the time and a signature over both and the name: `value.time.signature`."""
        dated = f"{value}.{int(time()):x}"
        return f"{dated}.{_signature(self._keys[0], name, dated)}"

    def open(self, name: str, signed: str, max_age: float | None) -> str | None:
        """Return the value, if the signature is ours, of this name, and no older than `max_age` seconds."""
        dated, _, signature = signed.rpartition(".")
        value, mark, moment = dated.rpartition(".")
        if not mark or not signature.isascii():
            return None
        fits = [hmac.compare_digest(_signature(key, name, dated), signature) for key in self._keys]
        if not any(fits):
            return None
        age = time() - int(moment, 16)
        return None if max_age is not None and age > max_age else value


def _signature(key: bytes, name: str, dated: str) -> str:
    # The name is a part of it: the value of one cookie is not a value of another.
    mac = hmac.new(key, f"{name}={dated}".encode(), sha256).digest()
    return urlsafe_b64encode(mac).decode().rstrip("=")
