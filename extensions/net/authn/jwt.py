"""Signed tokens (JWT): the algorithm is ours to choose, never the token's."""

import json
from collections.abc import Sequence
from pathlib import Path
from time import monotonic
from typing import Any, Final

from heddle.extensions.net.certificate import stamp
from heddle.extensions.net.secret_text import is_blank
from heddle.specs.files.spare import SPARE

HMAC: Final = {"HS256": 32, "HS384": 48, "HS512": 64}
"""Algorithms with a shared secret, and how long that has to be."""

SIGNED: Final = (
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES256K",
    "ES384",
    "ES512",
    "EdDSA",
)
"""Algorithms with a public key."""

_LOOK: Final = 5.0
"""Seconds between two looks at a file of keys; one for a key that is not known."""


class TokenError(Exception):
    """The token is not to be believed; the text says why, for whoever sent it."""


class JwksFile:
    """The keys of a JWKS file, as it is now."""

    def __init__(self, path: str, algorithms: Sequence[str]) -> None:
        """ValueError if there are no keys in it that could be used."""
        self._file = Path(path)
        self._algorithms = algorithms
        self._stamp: tuple[object, ...] = ()
        self._looked = 0.0
        self._keys: dict[str | None, Any] = {}
        self._read()

    def key(self, kid: str | None) -> Any:
        """Return the key of that id, or the only one if none is named; WrongToken without it."""
        age = monotonic() - self._looked
        if age > _LOOK or (age > _LOOK / 5 and kid not in self._keys):
            self._look()
        if kid is None and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        if kid not in self._keys:
            raise TokenError("the token was signed with an unknown key")
        return self._keys[kid]

    def _look(self) -> None:
        """Read the file again if it changed; keys that work stay until there are others."""
        self._looked = monotonic()
        if stamp((self._file,)) != self._stamp:
            try:
                self._read()
            except ValueError:
                return

    def _read(self) -> None:
        import jwt

        self._looked = monotonic()
        seen = stamp((self._file,))
        data: dict[str | None, Any] = {}
        try:
            text = SPARE.attempt(lambda: self._file.read_text(encoding="utf-8-sig"))
            entries = json.loads(text)["keys"]
            for entry in entries:
                if entry.get("use", "sig") != "sig" or entry.get("kty") == "oct":
                    continue
                try:
                    data[entry.get("kid")] = jwt.PyJWK.from_dict(entry).key
                except jwt.PyJWTError:
                    # Others of the set may be of a sort that we know.
                    continue
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"the keys in {self._file} cannot be read: {error}") from None
        if not data:
            raise ValueError(f"there is no key in {self._file} that verifies signatures")
        # Noted only now: what cannot be read is read again at the next look.
        self._keys, self._stamp = data, seen


class Verifier:
    """Believes tokens that were signed with our key, by our algorithms, for us, and not too long ago."""

    def __init__(
        self,
        *,
        algorithms: Sequence[str],
        key: str | JwksFile,
        issuer: str | None,
        audience: Sequence[str],
        leeway: float,
        require: Sequence[str],
    ) -> None:
        """ValueError if the key does not fit the algorithms."""
        self._algorithms = list(algorithms)
        self._file = key if isinstance(key, JwksFile) else None
        self._key: Any = None if isinstance(key, JwksFile) else _prepared(key, algorithms)
        self._issuer = issuer
        self._audience = list(audience) or None
        self._leeway = leeway
        # RFC 7519 says what time `iat` is, and nothing of a token that has it in the future.
        self._options: Any = {"require": list(require), "verify_iat": False}

    def claims(self, token: str) -> dict[str, Any]:
        """Return what the token claims; WrongToken if it is not to be believed."""
        import jwt

        try:
            key: Any = self._key
            if self._file is not None:
                header = jwt.get_unverified_header(token)
                if header.get("alg") not in self._algorithms:
                    raise TokenError("the token was signed with another algorithm")
                kid = header.get("kid")
                key = self._file.key(kid if isinstance(kid, str) else None)
            data: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=self._algorithms,
                audience=self._audience,
                issuer=self._issuer,
                leeway=self._leeway,
                options=self._options,
            )
        except jwt.ExpiredSignatureError:
            raise TokenError("the token has expired") from None
        except jwt.PyJWTError as error:
            raise TokenError(_message(error)) from None
        except (ValueError, TypeError, OverflowError):
            raise TokenError("the token cannot be read") from None
        for name in ("exp", "nbf"):
            if name in data and type(data[name]) not in (int, float):
                raise TokenError(f"the token's {name} is not a number")
        return data


def _message(error: Exception) -> str:
    """Return what may be told of a failure: it speaks of the token alone."""
    import jwt

    if isinstance(error, jwt.MissingRequiredClaimError):
        return f"the token does not say {error.claim}"
    if isinstance(error, jwt.InvalidAudienceError | jwt.InvalidIssuerError):
        return "the token is not for us, or not from whom it should be"
    if isinstance(error, jwt.ImmatureSignatureError | jwt.InvalidIssuedAtError):
        return "the token is not valid yet"
    return "the token is not valid"


def _prepared(key: str, algorithms: Sequence[str]) -> Any:
    """Return the key in the form that the algorithms want; raise ValueError if it does not fit them all."""
    import jwt

    least = max((HMAC.get(algorithm, 0) for algorithm in algorithms), default=0)
    if least:
        if len(key.encode()) < least:
            raise ValueError(f"a secret for {', '.join(algorithms)} has at least {least} bytes")
        if is_blank(key):
            raise ValueError("a secret of spaces is known to everybody")
        if "-----BEGIN" in key:
            raise ValueError("a public key is not a secret: everybody could sign with it")
        return key
    prepared: Any = None
    for name in algorithms:
        try:
            prepared = jwt.get_algorithm_by_name(name).prepare_key(key)
        except Exception as error:
            raise ValueError(f"the key does not fit {name}: {error}") from None
    return prepared
