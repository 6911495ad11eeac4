"""A SigningScheme says what is signed, how, and in which headers the signature travels."""

import binascii
import hmac
import re
from base64 import b64decode, b64encode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterator
from typing import Final, Literal, TypeAlias

import msgspec

from heddle.schemas.ascii import trim

Encoding: TypeAlias = Literal["hex", "base64", "base64url"]
Algorithm: TypeAlias = Literal["sha1", "sha256", "sha384", "sha512"]
HeaderOf: TypeAlias = Callable[[str], str]
"""The value of a header; an empty text without it."""

STANDARD_SECRET: Final = "whsec_"
_BLANK: Final = re.compile(r"\{(body|timestamp|id)\}")
_SECONDS: Final = re.compile(r"[0-9]{1,12}", re.ASCII)


class InvalidSignatureError(Exception):
    """The signature does not hold; the text says why, for the sender."""


class SigningScheme(msgspec.Struct, frozen=True, kw_only=True):
    """The scheme by which one party signs.

    `content` is what is signed, with `{body}`, `{timestamp}` and `{id}` in it. If `list_separator` is
    given, the header holds several signatures, and of those only the ones with the `prefix` count.
    With a `timestamp_key` (`t=`) the time stands in that list as well.
    """

    header: str
    algorithm: Algorithm = "sha256"
    prefix: str = ""
    encoding: Encoding = "hex"
    content: str = "{body}"
    timestamp_header: str = ""
    timestamp_key: str = ""
    id_header: str = ""
    list_separator: str = ""
    coded_secret: bool = False
    tolerance: float | None = None

    def key(self, secret: str) -> bytes:
        """Return the key that a secret stands for; ValueError if it stands for none."""
        if not self.coded_secret:
            return secret.encode()
        coded = secret.removeprefix(STANDARD_SECRET)
        try:
            key = b64decode(coded + "=" * (-len(coded) % 4), validate=True)
        except ValueError:
            raise ValueError("a secret that is not base64") from None
        if not key:
            # An empty key is known to everybody.
            raise ValueError("a secret without a key")
        return key

    def verify(self, keys: list[bytes], body: bytes, header_of: HeaderOf, now: float) -> None:
        """Raise InvalidSignatureError unless the headers hold a signature of this body by one of the keys.

        Each comparison takes the same time whatever differs. `now` is in seconds since 1970.
        """
        parts = self._parts(header_of(self.header))
        timestamp = self._timestamp(parts, header_of)
        signatures = [each for each in parts if each.startswith(self.prefix)]
        if not signatures:
            raise InvalidSignatureError(f"there is no signature in {self.header}")
        if "{timestamp}" in self.content and self.tolerance is not None:
            if _SECONDS.fullmatch(timestamp) is None:
                raise InvalidSignatureError("there is no time of the signature")
            if abs(now - int(timestamp)) > self.tolerance:
                raise InvalidSignatureError("the signature is too old, or of a later time")
        content = self._content(body, timestamp, self._id(header_of))
        digests = [self._digest(key, content) for key in keys]
        matches = [
            hmac.compare_digest(digest, given)
            for given in map(self._decode, signatures)
            for digest in digests
        ]
        if not any(matches):
            raise InvalidSignatureError("the signature does not match the body")

    def sign(self, key: bytes, body: bytes, id_: str, now: float) -> dict[str, str]:
        """Return the headers to send with this body."""
        timestamp = str(int(now)) if "{timestamp}" in self.content else ""
        signature = self.prefix + self._encode(
            self._digest(key, self._content(body, timestamp, id_))
        )
        if self.timestamp_key:
            signature = f"{self.timestamp_key}{timestamp}{self.list_separator}{signature}"
        headers = {self.header: signature}
        if self.timestamp_header:
            headers[self.timestamp_header] = timestamp
        if self.id_header:
            headers[self.id_header] = id_
        return headers

    def _parts(self, value: str) -> list[str]:
        parts = value.split(self.list_separator) if self.list_separator else [value]
        return [trim(part) for part in parts if trim(part)]

    def _timestamp(self, parts: list[str], header_of: HeaderOf) -> str:
        if self.timestamp_key:
            given = (each for each in parts if each.startswith(self.timestamp_key))
            return next(given, "").removeprefix(self.timestamp_key)
        return header_of(self.timestamp_header) if self.timestamp_header else ""

    def _id(self, header_of: HeaderOf) -> str:
        if not self.id_header:
            return ""
        id_ = header_of(self.id_header)
        follows = self.content.partition("{id}")[2][:1]
        if not id_ or (follows and follows in id_):
            # With the character that ends it, an id could take the place of time and body.
            raise InvalidSignatureError(f"there is no id of the message in {self.id_header}")
        return id_

    def _content(self, body: bytes, timestamp: str, id_: str) -> bytes:
        values = {"body": body, "timestamp": timestamp.encode(), "id": id_.encode()}
        return b"".join(_filled(self.content, values))

    def _digest(self, key: bytes, content: bytes) -> bytes:
        return hmac.digest(key, content, self.algorithm)

    def _encode(self, digest: bytes) -> str:
        if self.encoding == "hex":
            return digest.hex()
        return (b64encode if self.encoding == "base64" else urlsafe_b64encode)(digest).decode()

    def _decode(self, signature: str) -> bytes:
        """Return the bytes of a signature; none at all for what is not of this encoding."""
        text = signature.removeprefix(self.prefix)
        try:
            if self.encoding == "hex":
                return bytes.fromhex(text)
            text += "=" * (-len(text) % 4)
            if self.encoding == "base64url":
                return urlsafe_b64decode(text)
            return b64decode(text, validate=True)
        except (ValueError, binascii.Error):
            return b""


def _filled(content: str, values: dict[str, bytes]) -> Iterator[bytes]:
    for number, part in enumerate(_BLANK.split(content)):
        yield values[part] if number % 2 else part.encode()


PRESETS: Final = {
    "github": SigningScheme(header="X-Hub-Signature-256", prefix="sha256="),
    "stripe": SigningScheme(
        header="Stripe-Signature",
        prefix="v1=",
        content="{timestamp}.{body}",
        timestamp_key="t=",
        list_separator=",",
        tolerance=300,
    ),
    "slack": SigningScheme(
        header="X-Slack-Signature",
        prefix="v0=",
        content="v0:{timestamp}:{body}",
        timestamp_header="X-Slack-Request-Timestamp",
        tolerance=300,
    ),
    "standard": SigningScheme(
        header="Webhook-Signature",
        prefix="v1,",
        encoding="base64",
        content="{id}.{timestamp}.{body}",
        timestamp_header="Webhook-Timestamp",
        id_header="Webhook-Id",
        list_separator=" ",
        coded_secret=True,
        tolerance=300,
    ),
}
"""The schemes that services have published: GitHub, Stripe, Slack, Standard Webhooks."""
