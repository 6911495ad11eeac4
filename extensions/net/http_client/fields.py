"""The fields of calls to others: attempts, TLS, limits, and credentials."""

import base64
from typing import Annotated

import msgspec

from heddle.extensions.extension import Duration, FieldError, Fields, Size, about
from heddle.extensions.net.secret_text import SecretText, is_blank


class RetryFields(Fields):
    """The calls that are tried again, and after which pauses."""

    attempts: Annotated[
        int, about("How often a request is sent at most, the first time included.", ge=1)
    ] = 2
    methods: Annotated[
        list[Annotated[str, msgspec.Meta(pattern="^[A-Za-z]+$")]],
        about("The methods that may be sent twice, because that does no harm."),
    ] = msgspec.field(default_factory=lambda: ["GET", "HEAD", "OPTIONS"])
    statuses: Annotated[
        list[Annotated[int, msgspec.Meta(ge=400, le=599)]],
        about("Responses that are worth another attempt."),
    ] = msgspec.field(default_factory=lambda: [502, 503, 504])
    delay: Annotated[Duration, about("The pause before the second attempt.")] = Duration("100ms")
    factor: Annotated[
        float, about("How many times longer each further pause is.", ge=1, le=1000)
    ] = 2.0
    max_delay: Annotated[
        Duration,
        about(
            "No pause is longer than this, or than `delay` if that is longer; a `Retry-After` that asks for more ends the attempts."
        ),
    ] = Duration(30)
    jitter: Annotated[
        float, about("The share of each pause that may be left out at random.", ge=0, le=1)
    ] = 0.5


class AuthFields(Fields):
    """The credentials of a call: `user` and `password`, or a `token`."""

    user: Annotated[str | None, about("The name for basic authentication.")] = None
    password: Annotated[str, about("Its password.")] = ""
    token: Annotated[SecretText | None, about("A bearer token.")] = None

    def __post_init__(self) -> None:
        if self.user is not None and is_blank(self.user) and not self.password:
            raise FieldError(
                "neither a name nor a password", expected="one of them", path=("user",)
            )
        if (self.user is None) == (self.token is None):
            raise FieldError(
                "neither or both of user and token", expected="one of them", code="conflict"
            )

    @property
    def header(self) -> str:
        """The value of Authorization."""
        if self.token is not None:
            return f"Bearer {self.token}"
        raw = f"{self.user}:{self.password}".encode()
        return "Basic " + base64.b64encode(raw).decode()


class ClientTls(Fields):
    """The TLS settings of https."""

    verify: Annotated[bool, about("Whether the other side must have a valid certificate.")] = True
    ca: Annotated[
        str, about("Authorities to trust beside the usual: PEM text, PEM in base64, or a file.")
    ] = ""
    cert: Annotated[str, about("A certificate of our own, in the same forms.")] = ""
    key: Annotated[str, about("Its private key; empty if `cert` has both.")] = ""


class ClientLimits(Fields):
    """The limits of a call, in bytes and seconds. Zero is no limit."""

    connections: Annotated[int, about("Open connections of this node.", ge=0)] = 100
    per_host: Annotated[int, about("Open connections to one host and port.", ge=0)] = 0
    wait: Annotated[Duration, about("For a connection, the wait for a free one included.")] = (
        Duration(30)
    )
    connect: Annotated[Duration, about("For a new connection, TLS included.")] = Duration(10)
    response: Annotated[
        Duration, about("From the first byte that is sent to the head of the response.")
    ] = Duration(60)
    silence: Annotated[Duration, about("Between two pieces of a body that comes.")] = Duration(60)
    idle: Annotated[Duration, about("How long a connection is kept that nobody uses.")] = Duration(
        30
    )
    body: Annotated[
        Size, about("A body, as it comes and once it is unpacked; not if it is a stream.")
    ] = Size(16 * 1024 * 1024)
    header: Annotated[Size, about("The head of a response: its status line and headers.")] = Size(
        32 * 1024
    )
    redirects: Annotated[
        int, about("How many redirects are followed; 0 makes a redirect the response.", ge=0)
    ] = 5
