"""Tokens let callers in. They are kept as Values of the namespace that serves the API, hashed.

A token has 256 random bits: nobody finds it by trying, so a fast hash (SHA-256) keeps it as well as
a slow one would, and each request stays cheap. The Value is not a secret: what it says lets nobody in.
"""

import hmac
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from secrets import token_urlsafe
from typing import Any

import msgspec

from heddle.extensions.manage.caller import EVERY, Caller, Role, known_roles
from heddle.specs.model.names import legal_name, named_id
from heddle.specs.model.value import Value

PREFIX = "token."
"""The names of the Values that hold tokens begin so."""

CLOSED = "tokens.needed"
"""The name of the Value that stays when the last token is revoked: callers still need a token."""

BEGINS = "heddle_"
"""Every token begins so: whoever finds one in a log or in a repository knows what it is."""

_BYTES = 32


class ApiToken(msgspec.Struct, frozen=True, kw_only=True):
    """The stored part of one token. Times are in seconds since 1970; `expires` None is never."""

    name: str
    hash: str
    roles: tuple[Role, ...]
    namespaces: tuple[str, ...] = (EVERY,)
    created: float = 0.0
    expires: float | None = None

    def expired(self, now: float) -> bool:
        """Return whether it lets nobody in any more."""
        return self.expires is not None and now >= self.expires

    def caller(self, remote: str) -> Caller:
        """Return who comes with it."""
        return Caller(self.name, self.roles, self.namespaces, remote)


def new_token() -> str:
    """Return a token that nobody has seen yet."""
    return BEGINS + token_urlsafe(_BYTES)


def hash_of(token: str) -> str:
    """Return what is kept in its place."""
    return "sha256:" + sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def value_of(token: ApiToken, namespace: str) -> Value:
    """Return the Value that keeps it."""
    name = PREFIX + token.name
    data: dict[str, Any] = {
        "hash": token.hash,
        "roles": list(token.roles),
        "namespaces": list(token.namespaces),
        "created": moment(token.created),
    }
    if token.expires is not None:
        data["expires"] = moment(token.expires)
    return Value(id=named_id("value", namespace, name), namespace=namespace, name=name, data=data)


def token_of(value: Value) -> ApiToken | None:
    """Return the token that a Value keeps; None if it keeps none, or nothing that can be used.

    What cannot be read lets nobody in.
    """
    name, data = value.name or "", value.data
    if not name.startswith(PREFIX) or not isinstance(data, dict):
        return None
    given, roles = data.get("hash"), known_roles(_texts(data.get("roles")))
    if not isinstance(given, str) or not given.startswith("sha256:") or not roles:
        return None
    expires = data.get("expires")
    until = _read(expires)
    if expires is not None and until is None:
        return None
    return ApiToken(
        name=name.removeprefix(PREFIX),
        hash=given,
        roles=roles,
        # Not all of them if it names none: what is missing must not open anything.
        namespaces=tuple(_texts(data.get("namespaces"))),
        created=_read(data.get("created")) or 0.0,
        expires=until,
    )


def tokens_of(values: Iterable[Value]) -> list[ApiToken]:
    """Return the tokens that these Values keep, by name."""
    tokens = (token_of(value) for value in values)
    return sorted((token for token in tokens if token is not None), key=lambda token: token.name)


def is_token(resource: object) -> bool:
    """Return whether this is a Value that holds a token, or says that tokens are needed."""
    name = resource.name or "" if isinstance(resource, Value) else ""
    return name.startswith(PREFIX) or name == CLOSED


def guarded(values: Iterable[Value]) -> bool:
    """Return whether there is a token, be it one that lets nobody in any more."""
    return any(is_token(value) for value in values)


def closing_mark(namespace: str) -> Value:
    """Return the Value that says that callers need a token, although none is left."""
    return Value(
        id=named_id("value", namespace, CLOSED), namespace=namespace, name=CLOSED, data="closed"
    )


def match(tokens: Sequence[ApiToken], given: str) -> ApiToken | None:
    """Return the token that this text is. All of them are compared, each in constant time."""
    digest = hash_of(given).encode()
    api_token: ApiToken | None = None
    for token in tokens:
        if hmac.compare_digest(digest, token.hash.encode("utf-8", "surrogatepass")):
            api_token = token
    return api_token


def legal_token_name(name: str) -> bool:
    """Return whether a token may be called that."""
    return bool(name) and legal_name(PREFIX + name)


def _texts(value: Any) -> list[str]:
    many = value if isinstance(value, list) else [value]
    return [value for value in many if isinstance(value, str)]


def moment(seconds: float) -> str:
    """Return a time in seconds since 1970 as people write it, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _read(text: Any) -> float | None:
    if not isinstance(text, str):
        return None
    try:
        date = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (date if date.tzinfo is not None else date.replace(tzinfo=UTC)).timestamp()


__all__ = [
    "CLOSED",
    "PREFIX",
    "ApiToken",
    "closing_mark",
    "guarded",
    "hash_of",
    "is_token",
    "legal_token_name",
    "match",
    "moment",
    "new_token",
    "token_of",
    "tokens_of",
    "value_of",
]
