"""cors: lets pages of other sites use a flow from inside a browser, and says which."""

import re
from typing import Annotated, Any, Final

import msgspec

from heddle.extensions.extension import (
    IN,
    Answer,
    Build,
    Duration,
    FieldError,
    Fields,
    Flow,
    Handler,
    Kind,
    Node,
    Payload,
    Port,
    Schema,
    Visit,
    about,
)
from heddle.extensions.net.answers import (
    Headers,
    header_of,
    method_of,
    mode_of,
    with_headers,
)
from heddle.extensions.net.http.head import Head
from heddle.extensions.net.http.vary import with_vary
from heddle.extensions.net.origins import Origins
from heddle.extensions.response import HttpResponse
from heddle.schemas.ascii import lower, upper

_OWN: Final = re.compile(rb"^(access-control-[a-z-]+):", re.IGNORECASE | re.MULTILINE)
_Token = Annotated[str, msgspec.Meta(pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")]


class Cors(Fields):
    """The fields of a `cors`."""

    origins: Annotated[
        list[str],
        about(
            "Whose pages may: origins, `https://*.example.com` for all below a name, or `*`.",
            examples=[["https://example.com"]],
            min_length=1,
        ),
    ]
    methods: Annotated[list[_Token], about("Which methods they may use.")] = msgspec.field(
        default_factory=lambda: ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
    )
    headers: Annotated[
        list[_Token], about("Which headers they may send; whatever they ask for, if it is `*`.")
    ] = msgspec.field(default_factory=lambda: ["*"])
    expose: Annotated[
        list[_Token], about("Which headers of a response they may read, beside the usual.")
    ] = msgspec.field(default_factory=list)
    credentials: Annotated[
        bool, about("Whether the browser may send cookies along, and show them the response.")
    ] = False
    max_age: Annotated[Duration, about("How long the browser may remember what it was told.")] = (
        Duration(600)
    )

    def __post_init__(self) -> None:
        if self.credentials and "*" in self.origins:
            raise FieldError(
                "credentials for the pages of everyone",
                expected="the origins that may have them",
                hint="A page of anyone could act for whoever is logged in.",
                code="conflict",
                path=("origins",),
            )


class CorsPolicy:
    """The rights of the pages of each origin, as header lines of responses."""

    def __init__(self, fields: Cors, origins: Origins) -> None:
        self._origins = origins
        self._every = origins.any
        self._methods = ", ".join(upper(method) for method in fields.methods)
        self._headers = None if "*" in fields.headers else ", ".join(fields.headers)
        self._expose = ", ".join(fields.expose)
        self._credentials = fields.credentials
        self._age = str(int(fields.max_age))

    def preflight(self, payload: Payload) -> Answer | None:
        """Return the answer to what a browser asks beforehand; None for every other request."""
        origin = header_of(payload, "Origin")
        if (
            not origin
            or method_of(payload) != "OPTIONS"
            or not header_of(payload, "Access-Control-Request-Method")
        ):
            return None
        header = self.allowed(origin)
        if "Access-Control-Allow-Origin" in header:
            headers = self._headers
            if headers is None:
                headers = header_of(payload, "Access-Control-Request-Headers")
                names = (*header.get("Vary", []), "Access-Control-Request-Headers")
                header["Vary"] = [", ".join(names)]
            header["Access-Control-Allow-Methods"] = [self._methods]
            if headers:
                header["Access-Control-Allow-Headers"] = [headers]
            header["Access-Control-Max-Age"] = [self._age]
        header.pop("Access-Control-Expose-Headers", None)
        return HttpResponse({"status": 204, "header": header})

    def lines(self, given: bytes, head: Head) -> bytes:
        """Return the lines of a response with those that the page may need.

        A response that says itself whose pages may read it keeps what it says.
        """
        own = {lower(name.decode()) for name in _OWN.findall(given)}
        if "access-control-allow-origin" in own:
            return given
        header = self.allowed(head.get("Origin"))
        vary = header.pop("Vary", ())
        if vary:
            given = with_vary(given, *vary)
        return given + b"".join(
            f"{name}: {', '.join(values)}\r\n".encode("latin-1", "replace")
            for name, values in header.items()
            if lower(name) not in own
        )

    def allowed(self, origin: str) -> Headers:
        """Return what is said to pages of this origin; to those that may not, only that others may."""
        if self._every:
            header = {"Access-Control-Allow-Origin": ["*"]}
        else:
            # Caches must not give one site what was said to another.
            header = {"Vary": ["Origin"]}
            if not origin or not self._origins.allow(origin):
                return header
            header["Access-Control-Allow-Origin"] = [origin]
        if self._credentials:
            header["Access-Control-Allow-Credentials"] = ["true"]
        if self._expose:
            header["Access-Control-Expose-Headers"] = [self._expose]
        return header


class CorsNode(Node):
    """Answers what browsers ask beforehand, and adds to every other answer."""

    def __init__(self, policy: CorsPolicy) -> None:
        self._policy = policy
        self._visit = Visit(self._act, plain=True)

    def handler(self, port: str) -> Handler | None:
        """Return the handler of its only in port."""
        return self._visit if port == "in" else None

    async def _act(self, flow: Flow, payload: Payload) -> Answer:
        preflight = self._policy.preflight(payload)
        if preflight is not None:
            return preflight
        answer = await flow.send("out", payload)
        allowed = self._policy.allowed(header_of(payload, "Origin"))
        return with_headers(answer, allowed, mode_of(payload))


def compile_cors(fields: Cors, build: Build) -> Node:
    """Compile the origins; one that cannot be read is a Problem."""
    return CorsNode(policy_of(fields, build))


def policy_of(fields: Cors, build: Build, *path: str) -> CorsPolicy:
    """Return the policy that the fields at a path say; an origin that cannot be read is a Problem."""
    try:
        return CorsPolicy(fields, Origins(fields.origins))
    except ValueError as error:
        build.reject(*path, "origins", found=str(error), expected="https://example.com, or *")


CORS: Kind[Any] = Kind(
    Schema(
        kind="cors",
        fields=Cors,
        summary="Lets pages of other sites use a flow from inside a browser, and says which.",
        category="net",
        ins=(IN,),
        outs=(
            Port("out", "Requests, but for those by which a browser asks what it may."),
            Port("error", "Errors of this node; not linked, they are the answer."),
        ),
        example="""\
- kind: cors
  name: cors
  origins: ['https://example.com', 'https://*.example.org']
  credentials: true
  ports:
    out: {name: hello, port: in}
- kind: snippet
  name: hello
  language: text
  code: hello
""",
        details="""\
It stands between a listener and its router. `OPTIONS` with `Access-Control-Request-Method` is answered
204 with what is allowed; every other request goes on, and its response is given the headers that let the
page read it. Pages of other origins get the response without them: their browser keeps it from them.
That is no protection from anyone but browsers.

An Error that nobody has handled passes without the headers, and so does what the listener answers itself: the
page cannot tell what it was. `cors` of a [listener](listener.md) has the same fields, and is on every response: one that sets `Access-Control-Allow-Origin`
itself keeps what it says. Behind this node, a response that sets `Access-Control-…` itself is overruled. `Vary` keeps what it names.
""",
    ),
    compile_cors,
)
