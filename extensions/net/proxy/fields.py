"""The fields of a `proxy`: backends, retries, limits, and how a request is passed on."""

from typing import Annotated

import msgspec

from heddle.extensions.extension import (
    Duration,
    Expression,
    FieldError,
    Fields,
    Interval,
    Size,
    about,
)
from heddle.extensions.net.http_client.fields import ClientTls
from heddle.extensions.net.proxy.backend import Balance
from heddle.extensions.net.proxy.health import HealthFields


class BackendFields(Fields):
    """One backend."""

    url: Annotated[str, about("Where it is; a path stands before that of every request.")]
    weight: Annotated[int, about("How many times the requests of another it gets.", ge=1)] = 1


class ProxyRetry(Fields):
    """When another backend is tried."""

    attempts: Annotated[
        int, about("How many backends are tried at most for one request.", ge=1)
    ] = 2
    methods: Annotated[
        list[Annotated[str, msgspec.Meta(pattern="^[A-Za-z]+$")]],
        about(
            "The methods that may be sent twice. What never reached a backend is sent to another "
            "whatever its method."
        ),
    ] = msgspec.field(default_factory=lambda: ["GET", "HEAD", "OPTIONS"])
    statuses: Annotated[
        list[Annotated[int, msgspec.Meta(ge=400, le=599)]],
        about("Responses with which another backend is tried."),
    ] = msgspec.field(default_factory=lambda: [502, 503, 504])


class ProxyLimits(Fields):
    """The time limits of a proxy, and the number of connections that are kept open. Zero is no limit."""

    connections: Annotated[int, about("Open connections, all backends together.", ge=0)] = 1000
    connect: Annotated[Duration, about("For a new connection to a backend.")] = Duration(5)
    response: Annotated[Duration, about("For the head of a response.")] = Duration(60)
    silence: Annotated[Duration, about("Between two pieces of a response.")] = Duration(60)
    idle: Annotated[Duration, about("How long a connection is kept that nobody uses.")] = Duration(
        30
    )
    header: Annotated[Size, about("The head of a response: its status line and headers.")] = Size(
        32 * 1024
    )


class Proxy(Fields):
    """The fields of a `proxy`."""

    backends: Annotated[
        list[str | BackendFields],
        about(
            "Who answers for us: URLs, or `{url, weight}`.",
            examples=[["http://10.0.0.1:8080", "http://10.0.0.2:8080"]],
            min_length=1,
        ),
    ]
    balance: Annotated[
        Balance,
        about(
            "Who gets a request: each in its turn, who has the least to do, anyone, or the same one "
            "for the same `key`."
        ),
    ] = "round-robin"
    key: Annotated[
        Expression | None,
        about("What `hash` goes by, out of the request; the client's address without it."),
    ] = None
    prefix: Annotated[str, about("What is taken off the path of a request.", examples=["/api"])] = (
        ""
    )
    keep_host: Annotated[
        bool, about("Send the `Host` that the client has asked for, rather than the backend's.")
    ] = False
    trust: Annotated[
        bool,
        about(
            "Believe the `X-Forwarded-…`, `Forwarded`, `X-Real-IP` and the like that come in: only "
            "behind a proxy of our own."
        ),
    ] = False
    underscores: Annotated[
        bool,
        about(
            "Pass headers on whose names hold a `_`. Many backends do not tell them from those with "
            "a `-`."
        ),
    ] = False
    header: Annotated[
        dict[str, str | int | float | bool | None],
        about(
            "Headers that every request is given, whatever it says itself; null keeps one from the "
            "backends.",
            examples=[{"Authorization": None}],
        ),
    ] = msgspec.field(default_factory=dict)
    values: Annotated[
        dict[str, Expression],
        about(
            "Headers that are made of each request, whatever it says itself; null leaves one out.",
            examples=[{"X-User": "self.auth.user"}],
        ),
    ] = msgspec.field(default_factory=dict)
    retry: Annotated[
        Annotated[int, msgspec.Meta(ge=1)] | ProxyRetry,
        about(
            "How many backends are tried at most for one request, or a mapping that says more.",
            examples=[1, {"attempts": 3}],
        ),
    ] = ProxyRetry()
    health: Annotated[
        HealthFields | None, about("Ask backends whether they are well; without it nobody asks.")
    ] = None
    failures: Annotated[
        int,
        about("How many failures in a row set a backend aside; 0 sets none aside.", ge=0),
    ] = 3
    aside: Annotated[Interval, about("For how long that is.")] = Interval(10)
    websocket: Annotated[bool, about("Pass WebSockets on as well.")] = True
    tls: Annotated[ClientTls, about("How https is spoken with backends.")] = ClientTls()
    limits: Annotated[ProxyLimits, about("What is allowed.")] = ProxyLimits()

    def __post_init__(self) -> None:
        if self.key is not None and self.balance != "hash":
            raise FieldError("key without balance: hash", expected="balance: hash", path=("key",))

    @property
    def again(self) -> ProxyRetry:
        """`retry` as the mapping it stands for."""
        return ProxyRetry(attempts=self.retry) if isinstance(self.retry, int) else self.retry
