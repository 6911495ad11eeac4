"""http: asks others over HTTP, through connections that are kept open."""

import asyncio
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from time import time
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias
from urllib.parse import urlsplit

import msgspec

from heddle.extensions.extension import (
    ERROR,
    IN,
    Action,
    Build,
    Error,
    FieldError,
    Fields,
    Handler,
    Host,
    Kind,
    Node,
    NodeError,
    Payload,
    Port,
    Process,
    Schema,
    Stream,
    about,
)
from heddle.extensions.net.certificate import pem
from heddle.extensions.net.http_client.fields import (
    AuthFields,
    ClientLimits,
    ClientTls,
    RetryFields,
)
from heddle.extensions.net.http_client.pool import (
    ClientPool,
    PoolSettings,
    failure,
    need_aiohttp,
    tls_context,
)
from heddle.extensions.net.http_client.request import (
    ACCEPTED,
    Headers,
    OutgoingRequest,
    header_name,
    header_text,
    outgoing_request,
)
from heddle.extensions.net.http_client.response import Form, header_text_of, payload_of
from heddle.extensions.net.http_client.target import Base, checked, written_query
from heddle.runtime.assembly.retry_rule import RetryRule
from heddle.runtime.flow.budget import HeldBudget
from heddle.schemas.ascii import is_number, lower, trim, upper

if TYPE_CHECKING:
    import aiohttp

Texts: TypeAlias = str | int | float | bool | list[str | int | float]

_MOVED = (301, 302, 303, 307, 308)


class HttpClient(Fields):
    """The fields of an `http`."""

    url: Annotated[
        str | None,
        about(
            "Where to. The packet's path goes below it, and its query before its own. Without it, "
            "the packet says where to.",
            examples=["https://api.example.com/v1"],
        ),
    ] = None
    method: Annotated[
        str, about("The method if the packet says none; GET, or POST with a body.")
    ] = ""
    header: Annotated[
        dict[str, Texts],
        about(
            "Headers of every request; they win over the packet's.",
            examples=[{"Accept": "application/json"}],
        ),
    ] = msgspec.field(default_factory=dict)
    query: Annotated[
        dict[str, Texts], about("Query parameters that are added to every request.")
    ] = msgspec.field(default_factory=dict)
    auth: Annotated[AuthFields | None, about("Who we say we are.")] = None
    body: Annotated[
        Form,
        about(
            "What becomes of a response's body: `data` as its Content-Type says, `bytes`, a byte "
            "`stream` that is read while it comes, or a stream of its `lines`, of its server-sent "
            "`events`, or of the values of its JSON lines (`jsonl`)."
        ),
    ] = "data"
    errors: Annotated[
        bool,
        about(
            "A response with a status of 400 or more is an Error `status`, whose data is the "
            "response."
        ),
    ] = False
    retry: Annotated[
        Annotated[int, msgspec.Meta(ge=1)] | RetryFields,
        about(
            "How often a request is sent at most, the first time included, or a mapping that says "
            "more. Only what does no harm twice is sent twice.",
            examples=[1, {"attempts": 4, "delay": "200ms"}],
        ),
    ] = RetryFields()
    private: Annotated[
        Literal["allow", "refuse"],
        about(
            "`refuse` connects to addresses of the public internet only, whatever names and "
            "redirects lead to: for URLs that come from strangers."
        ),
    ] = "allow"
    proxy: Annotated[
        str,
        about(
            "The proxy to go through, as a URL; `environment` heeds `HTTP_PROXY`, `HTTPS_PROXY` "
            "and `NO_PROXY`.",
            examples=["http://proxy:3128", "environment"],
        ),
    ] = ""
    cookies: Annotated[
        bool, about("Keep the cookies that come, and send them back if they belong.")
    ] = False
    compress: Annotated[
        Literal["", "gzip", "deflate", "br"], about("Pack what is sent, with this coding.")
    ] = ""
    tls: Annotated[ClientTls, about("How https is spoken.")] = ClientTls()
    limits: Annotated[ClientLimits, about("What is allowed.")] = ClientLimits()

    def __post_init__(self) -> None:
        if self.private == "refuse" and self.proxy:
            raise FieldError(
                "private: refuse together with a proxy",
                expected="one of them",
                hint="The proxy would connect, to addresses that are not seen from here.",
                code="conflict",
                path=("private",),
            )

    @property
    def again(self) -> RetryFields:
        """`retry` as the mapping it stands for."""
        return RetryFields(attempts=self.retry) if isinstance(self.retry, int) else self.retry


class HttpNode(Node):
    """Sends requests through a pool; a successor with the same settings takes the pool over."""

    def __init__(
        self, fields: HttpClient, base: Base | None, settings: PoolSettings, context: Any
    ) -> None:
        self._fields = fields
        self._base = base
        self._settings = settings
        self._context = context
        self._pool: ClientPool | None = None
        self._fixed = _fixed(fields)
        self._query = written_query({"query": dict(fields.query)})
        again = fields.again
        self._methods = frozenset(upper(method) for method in again.methods)
        self._attempts = RetryRule(
            most=again.attempts,
            delay=float(again.delay),
            factor=again.factor,
            longest=float(again.max_delay),
            jitter=again.jitter,
        )
        self._handler = Action(self._act, process=True, waits=True)

    # -- life ----------------------------------------------------------------------------------

    def adopt(self, predecessor: Node) -> None:
        """Share the pool of a predecessor with the same settings, cookies and all."""
        if not isinstance(predecessor, HttpNode):
            return
        if predecessor._pool is not None and predecessor._settings == self._settings:
            self._pool = predecessor._pool.enter()

    def disown(self, predecessor: Node) -> None:
        """Use it no more; the predecessor still does."""
        del predecessor
        if self._pool is not None:
            self._pool.users -= 1
            self._pool = None

    async def open(self, host: Host) -> None:
        """Open a pool, unless one was taken over; nothing is connected yet."""
        del host
        if self._pool is None:
            self._pool = ClientPool(self._settings, self._context).enter()

    async def close(self) -> None:
        """Leave the pool; who leaves it last closes it."""
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.leave()

    def snapshot(self) -> Mapping[str, Any]:
        """Open connections, and how many requests were sent through them."""
        pool = self._pool
        if pool is None:
            return {}
        return {"connections": pool.open_connections, "requests": pool.calls}

    def handler(self, port: str) -> Handler | None:
        """Return the handler of its only in port."""
        return self._handler if port == "in" else None

    # -- calls ---------------------------------------------------------------------------------

    async def _act(self, payload: Payload, process: Process) -> Payload:
        fields = self._fields
        outgoing = outgoing_request(
            payload,
            self._base,
            method=fields.method,
            fixed=self._fixed,
            query=self._query,
            coding=fields.compress,
        )
        response = await self._attempt(outgoing, process)
        held = HeldBudget()
        try:
            limits = fields.limits
            answer = await payload_of(
                response,
                fields.body,
                limit=int(limits.body) or None,
                silence=float(limits.silence) or None,
                held=held,
            )
        except BaseException as error:
            held.free()
            response.close()
            raise _raised(error, outgoing) from error
        if held.size:
            # The flow has the body as long as the process runs, or works on this item of a stream.
            process.hold(held)
        body = answer["body"]
        if isinstance(body, Stream):
            # What was not read when the process ends, or its reader leaves, is not read any more.
            process.own(body)
            body.on_closed(response.close)
        if fields.errors and response.status >= 400:
            reason = header_text_of(response.reason or "")
            text = f"{place_of(outgoing)}: answered {response.status} {reason}".rstrip()
            raise NodeError(Error(text, code="status", data=answer))
        return answer

    async def _attempt(
        self, outgoing: OutgoingRequest, process: Process
    ) -> "aiohttp.ClientResponse":
        """Send until there is a response that counts; NodeError with the last error otherwise."""
        made = 0
        again = outgoing.again and outgoing.method in self._methods
        while True:
            made += 1
            response: aiohttp.ClientResponse | None = None
            delay = 0.0
            try:
                response = await self._follow(outgoing)
            except Exception as error:
                problem = failure(error, place_of(outgoing))
                if problem is None:
                    raise
            else:
                if not again or response.status not in self._fields.again.statuses:
                    return response
                problem = Error("", code="status")
                delay = retry_after(response)
            pause = self._attempts.pause(problem, made, process.deadline) if again else None
            if problem.code in ("rejected", "request", "redirects", "response"):
                pause = None
            if pause is None or delay > float(self._fields.again.max_delay):
                if response is not None:
                    return response
                raise NodeError(problem)
            if response is not None:
                response.close()
            await asyncio.sleep(max(pause, delay))

    async def _follow(self, outgoing: OutgoingRequest) -> "aiohttp.ClientResponse":
        """Send, and go where redirects lead."""
        most = self._fields.limits.redirects
        hops = 0
        while True:
            response = await self._send(outgoing)
            if response.status not in _MOVED or not most or "Location" not in response.headers:
                return response
            hops += 1
            response.release()
            if hops > most:
                raise NodeError(
                    Error(f"{place_of(outgoing)}: more than {most} redirects", code="redirects")
                )
            outgoing = moved(outgoing, response)

    async def _send(self, outgoing: OutgoingRequest) -> "aiohttp.ClientResponse":
        pool = self._pool
        if pool is None:
            raise NodeError(Error("the node is closed", code="dropped"))
        async with asyncio.timeout(float(self._fields.limits.response) or None):
            return await pool.send(outgoing.method, outgoing.url, outgoing.headers, outgoing.body)


def moved(outgoing: OutgoingRequest, response: "aiohttp.ClientResponse") -> OutgoingRequest:
    """Return what is asked after a redirect; raise NodeError if it leads nowhere we go."""
    from yarl import URL

    where = header_text_of(response.headers["Location"])
    try:
        url = response.url.join(URL(where)).with_fragment(None)
        target = checked(str(url))
    except ValueError as error:
        raise NodeError(
            Error(f"{place_of(outgoing)}: it redirects to {where!r}: {error}", code="redirects")
        ) from None
    same = url.origin() == response.url.origin()
    following = outgoing.moved(target, response.status, same_origin=same)
    if following is None:
        raise NodeError(
            Error(
                f"{place_of(outgoing)}: it redirects, and a streamed body cannot be sent twice",
                code="redirects",
            )
        )
    return following


def retry_after(response: "aiohttp.ClientResponse") -> float:
    """Seconds that a Retry-After asks for; 0 without one."""
    text = trim(response.headers.get("Retry-After", ""))
    if is_number(text):
        return float(text[:9])
    try:
        return max(parsedate_to_datetime(text).timestamp() - time(), 0.0)
    except (ValueError, TypeError, OverflowError):
        return 0.0


def place_of(outgoing: OutgoingRequest) -> str:
    """Return method and URL for people: without a query, which may hold secrets, and without a user."""
    parts = urlsplit(outgoing.url)
    return f"{outgoing.method} {parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _raised(error: BaseException, outgoing: OutgoingRequest) -> BaseException:
    """Return what a failure while a body came is for the flow."""
    if not isinstance(error, Exception) or isinstance(error, NodeError):
        return error
    problem = failure(error, place_of(outgoing))
    return error if problem is None else NodeError(problem)


def _fixed(fields: HttpClient) -> Headers:
    """Return the headers of every request."""
    problem: Headers = [("Accept-Encoding", ACCEPTED)]
    if not any(lower(name) == "user-agent" for name in fields.header):
        problem.append(("User-Agent", "heddle"))
    for given, values in fields.header.items():
        name = header_name(given)
        for value in values if isinstance(values, list) else [values]:
            problem.append((name, header_text(name, value)))
    if fields.auth is not None:
        problem.append(("Authorization", fields.auth.header))
    return problem


def settings_of(fields: HttpClient) -> PoolSettings:
    """Return what the pool is made of."""
    limits, tls = fields.limits, fields.tls
    return PoolSettings(
        connections=limits.connections,
        per_host=limits.per_host,
        idle=float(limits.idle),
        connect=float(limits.connect),
        wait=float(limits.wait),
        header=int(limits.header),
        public=fields.private == "refuse",
        cookies=fields.cookies,
        proxy=fields.proxy,
        verify=tls.verify,
        ca=pem(tls.ca),
        cert=pem(tls.cert),
        key=pem(tls.key),
    )


def compile_http(fields: HttpClient, build: Build) -> Node:
    """Return a URL that is none, a header that is none and a certificate that cannot be used are Problems."""
    need_aiohttp(build)
    base: Base | None = None
    for name, url in (("url", fields.url), ("proxy", fields.proxy)):
        if not url or url == "environment":
            continue
        try:
            base_url = Base(url)
        except ValueError as error:
            build.reject(
                name, found=f'"{url}": {error}', expected="a URL such as https://example.com/v1"
            )
        base = base_url if name == "url" else base
    settings = settings_of(fields)
    try:
        context = tls_context(settings)
    except ValueError as error:
        build.reject("tls", found=str(error), expected="PEM text, or the path of a PEM file")
    try:
        return HttpNode(fields, base, settings, context)
    except NodeError as error:
        build.reject("header", found=error.error.message)


HTTP: Kind[Any] = Kind(
    Schema(
        kind="http",
        fields=HttpClient,
        summary="Asks others over HTTP, through connections that are kept open.",
        category="net",
        ins=(IN,),
        outs=(
            Port(
                "out",
                "Responses, whatever their status.",
                schema={"title": "response", "type": "object"},
            ),
            ERROR,
        ),
        example="""\
- kind: http
  name: weather
  url: https://api.example.com/v1
  header: {Accept: application/json}
  retry: {attempts: 3, delay: 200ms}
  timeout: 20s
""",
        details="""\
A packet that is a map with the keys of a request, one of `method url path query header body` among
them, says what is asked. Anything else is a body. Without a `method` it is GET, or POST if there is
a body. A body of null is none; text is sent as text, data as JSON, or as the `Content-Type` says: a
form, multipart. A byte stream is sent as it comes.

With `url`, scheme and host are fixed: the packet's `path` goes below the path of `url`, its `query`
before that of `url`, and dot segments are rejected. Without it, the packet has a `url`, or `scheme`,
`host` and `path`. A request that comes straight from a listener goes on without its `Cookie` and
`Authorization`, and every packet without headers that are between two neighbours (`Connection`, …).

The response is a map `method scheme host path query protocol header body status`; a status of 400 and
more is one too, unless `errors` is set. The body is unpacked. JSON is data, a form a map of lists, text
a text, anything else bytes; an empty body is null.

With `body: lines`, `events` or `jsonl`, the body of a response below 400 is a [stream](../streams.md) of those pieces,
which are made as they are read; that of a failure is data, and with `events` every body that is not `text/event-stream`. An event is a map of `data`, as text, and of `event`, `id` and
`retry` if it says them. Its reader may be slow: the other side waits. If the reader leaves, the connection is closed;
if the other side breaks off, or is silent for longer than `limits.silence`, the stream fails with an Error.

An Error has the code `timeout`, `unreachable`, `rejected` (an address that is not public), `redirects`,
`request` (the packet asks for what cannot be asked), `response` (what came cannot be used: a malformed head or one larger than
`limits.header`, bad chunks, another `Transfer-Encoding` than `chunked`, a body that ends too early or is not what its type says;
it is not asked for again) or `status`.

Redirects are followed; to another host without `Cookie` and `Authorization`. Requests that failed to
reach the other side, or were answered a status of `retry.statuses`, are sent again if their method
is one of `retry.methods` and their body is not a stream; a `Retry-After` is heeded. `timeout` is for all of
that together, the limits under `limits` for each part of it. With `private: refuse` the very address
that is connected to is judged, so neither redirects nor names that change lead inside.

A node whose spec changes keeps its connections and its cookies, unless `private`, `proxy`, `cookies`,
`tls` or one of the limits `connections per_host wait connect idle header` changed. Needs the extra `http`.
""",
    ),
    compile_http,
)
