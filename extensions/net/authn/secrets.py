"""Passwords and tokens, compared so that time tells nothing about them."""

import base64
import binascii
import hmac
from collections.abc import Mapping
from hashlib import sha256
from secrets import token_bytes

_KEY = token_bytes(32)


def digest(text: str) -> bytes:
    """Return a digest that nobody outside this process can foresee."""
    return hmac.new(_KEY, text.encode("utf-8", "surrogatepass"), sha256).digest()


_NOBODY = digest("")


class Passwords:
    """Users and their passwords."""

    def __init__(self, users: Mapping[str, str]) -> None:
        self._known = {digest(user): digest(password) for user, password in users.items()}

    def user(self, credentials: str) -> str | None:
        """Return the user of `base64(user:password)`; None if that is wrong."""
        try:
            text = base64.b64decode(credentials, validate=True).decode()
        except (binascii.Error, UnicodeError, ValueError):
            return None
        user, mark, password = text.partition(":")
        known = self._known.get(digest(user))
        # Who is not there is compared with, too: the answer takes as long.
        fits = hmac.compare_digest(digest(password), known or _NOBODY)
        return user if mark and known is not None and fits else None


class Tokens:
    """Tokens, and whose they are."""

    def __init__(self, tokens: Mapping[str, str]) -> None:
        # Looked up by digest: how long that takes depends on nothing that anybody can choose.
        self._known = {digest(token): user for user, token in tokens.items()}

    def user(self, token: str) -> str | None:
        """Return the owner of a token; None if it is nobody's."""
        return self._known.get(digest(token))
