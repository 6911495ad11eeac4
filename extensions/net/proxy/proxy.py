"""proxy: passes requests on to one of several backends, and their responses back."""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from heddle.extensions.extension import (
    ERROR,
    IN,
    Action,
    Answer,
    Build,
    ByteStream,
    Error,
    Handler,
    Host,
    Kind,
    Node,
    NodeError,
    Payload,
    Port,
    Process,
    Program,
    Schema,
)
from heddle.extensions.net.certificate import pem
from heddle.extensions.net.http.request import HttpRequest
from heddle.extensions.net.http.upgrade import Upgrade
from heddle.extensions.net.http_client.pool import (
    ClientPool,
    PoolSettings,
    ResponseError,
    failure,
    need_aiohttp,
    tls_context,
)
from heddle.extensions.net.http_client.request import Headers
from heddle.extensions.net.http_client.response import pieces
from heddle.extensions.net.proxy.backend import Backend, Balancer
from heddle.extensions.net.proxy.fields import Proxy
from heddle.extensions.net.proxy.forward import forwarded, returned
from heddle.extensions.net.proxy.health import HealthCheck
from heddle.extensions.net.proxy.hops import counted, last_hop
from heddle.extensions.net.proxy.own import Own, own_headers
from heddle.extensions.net.proxy.tunnel import TunnelRejectedError, dig, wants_websocket
from heddle.extensions.response import HttpResponse
from heddle.runtime.flow.elsewhere import ElsewhereError, await_program, resume
from heddle.schemas.ascii import upper

if TYPE_CHECKING:
    import aiohttp

SMALL = 64 * 1024
"""A body of at most so many bytes is read at once: streaming it would cost more than it saves."""


class ProxyNode(Node):
    """Owns a pool, and knows how its backends do; a successor takes over what stays the same."""

    def __init__(
        self,
        fields: Proxy,
        balancer: Balancer,
        settings: PoolSettings,
        context: Any,
        key: Program | None,
        own: Own,
    ) -> None:
        self._fields = fields
        self._balancer = balancer
        self._settings = settings
        self._context = context
        self._key = key
        self._own = own
        self._methods = frozenset(upper(method) for method in fields.again.methods)
        self._pool: ClientPool | None = None
        self._host: Host | None = None
        self._health: HealthCheck | None = None
        self._handler = Action(self._act, process=True, waits=True)

    # -- life ----------------------------------------------------------------------------------

    def handler(self, port: str) -> Handler | None:
        """Return the handler of its only in port."""
        return self._handler if port == "in" else None

    def adopt(self, predecessor: Node) -> None:
        """Share the pool if its settings are the same; remember how backends have done."""
        if not isinstance(predecessor, ProxyNode):
            return
        if predecessor._pool is not None and predecessor._settings == self._settings:
            self._pool = predecessor._pool.enter()
        self._balancer.adopt(predecessor._balancer)

    def disown(self, predecessor: Node) -> None:
        """Use the pool no more; the predecessor still does."""
        del predecessor
        if self._pool is not None:
            self._pool.users -= 1
            self._pool = None

    async def open(self, host: Host) -> None:
        """Open a pool, and begin to ask how backends are."""
        self._host = host
        if self._pool is None:
            self._pool = ClientPool(self._settings, self._context).enter()
        if self._fields.health is not None:
            self._health = HealthCheck(
                self._fields.health,
                self._pool,
                self._balancer.backends,
                self._report_backend,
                host.tasks,
            )
            self._health.start()
        else:
            for backend in self._balancer.backends:
                backend.up = True

    async def pause(self) -> None:
        """Ask no more; a successor does."""
        if self._health is not None:
            await self._health.stop()
            self._health = None

    async def close(self) -> None:
        """Leave the pool; who leaves it last closes it."""
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.leave()

    def snapshot(self) -> Mapping[str, Any]:
        """Return how each backend does."""
        return {
            "backends": [
                {
                    "url": shown(backend.url),
                    "healthy": backend.healthy,
                    "active": backend.active,
                    "requests": backend.requests,
                }
                for backend in self._balancer.backends
            ]
        }

    def degraded(self) -> str:
        """Return which backends are down, as long as some are."""
        down = [shown(backend.url) for backend in self._balancer.backends if not backend.healthy]
        if not down:
            return ""
        return f"{len(down)} of {len(self._balancer.backends)} backends are down: {', '.join(down)}"

    def _report_backend(self, backend: Backend, up: bool, why: str) -> None:
        if self._host is not None:
            event, level = ("backend up", "info") if up else ("backend down", "warning")
            self._host.emit(event, level=level, backend=shown(backend.url), reason=why)

    # -- requests ------------------------------------------------------------------------------

    async def _act(self, payload: Payload, process: Process) -> Answer:
        fields = self._fields
        if not isinstance(payload, dict):
            raise TypeError("found no request (expected: a map with method and path)")
        end = last_hop(payload)
        if end is not None:
            return end
        key = await await_program(self._key_of, payload) if fields.balance == "hash" else ""
        try:
            own = self._own.of(payload)
        except ElsewhereError as later:
            own = await resume(later, self._own.of, payload)
        again = fields.again
        tried: list[Backend] = []
        while True:
            backend = self._balancer.choose(tried, key)
            if backend is None:
                raise NodeError(Error("no backend can be reached", code="busy"))
            tried.append(backend)
            last = len(tried) >= again.attempts or self._balancer.choose(tried, key) is None
            try:
                return await self._pass(payload, process, backend, own, last=last)
            except NextBackendError:
                continue

    async def _pass(
        self, payload: Payload, process: Process, backend: Backend, own: Headers, *, last: bool
    ) -> Answer:
        """Ask one backend; Another if the next may be asked instead."""
        fields = self._fields
        outgoing = forwarded(
            payload,
            backend.base,
            prefix=fields.prefix,
            keep_host=fields.keep_host,
            trust=fields.trust,
            underscores=fields.underscores,
            own=own,
            hidden=self._own.names,
        )
        counted(outgoing)
        websocket = fields.websocket and type(payload) is HttpRequest and wants_websocket(payload)
        backend.active += 1
        backend.requests += 1
        kept = False
        try:
            if websocket:
                answer = await self._dig(outgoing, process)
                backend.succeeded()
                return answer
            response = await self._send(outgoing)
            safe = outgoing.again and outgoing.method in self._methods
            if response.status in fields.again.statuses and safe and not last:
                response.close()
                raise NextBackendError
            backend.succeeded()
            if not 200 <= response.status <= 599:
                response.close()
                raise ResponseError(f"its status is {response.status}")
            answer, kept = await self._answer(response, process, backend)
            return answer
        except (NodeError, NextBackendError):
            raise
        except Exception as error:
            problem = failure(error, f"{outgoing.method} {shown(backend.url)}")
            if problem is not None and problem.code == "response":
                # It was reached: another may not be sent the same, and will hardly answer better.
                raise NodeError(problem) from error
            if problem is None or problem.code not in ("unreachable", "timeout"):
                raise
            if backend.failed(fields.failures, float(fields.aside)):
                self._report_backend(backend, False, problem.message)
            safe = outgoing.again and outgoing.method in self._methods
            if not last and (safe or (outgoing.again and never_sent(error))):
                raise NextBackendError from error
            raise NodeError(problem) from error
        finally:
            if not kept:
                backend.active -= 1

    async def _send(self, value: Any) -> "aiohttp.ClientResponse":
        pool = self._pool
        if pool is None:
            raise NodeError(Error("the node is closed", code="dropped"))
        async with asyncio.timeout(float(self._fields.limits.response) or None):
            return await pool.send(value.method, value.url, value.headers, value.body, value.target)

    async def _answer(
        self, response: "aiohttp.ClientResponse", process: Process, backend: Backend
    ) -> tuple[Answer, bool]:
        """Return the response, and whether the backend still works at it."""
        header = returned(response)
        size = response.content_length
        bare = response.method == "HEAD" or response.status in (204, 304)
        silence = float(self._fields.limits.silence) or None
        answer = HttpResponse(status=response.status, header=header)
        if not bare and size is not None and size <= SMALL:
            parts = [part async for part in pieces(response, silence)]
            return HttpResponse(answer, body=b"".join(parts)), False
        body = ByteStream(pieces(response, silence), size=size)

        def ended(_: Error | None) -> None:
            response.close()
            backend.active -= 1

        process.on_exit(ended)
        return {**answer, "body": body}, True

    async def _dig(self, value: Any, process: Process) -> Answer:
        """Return a WebSocket to a backend, or what it answered instead."""
        parts = urlsplit(value.url)
        secure = parts.scheme == "https"
        tls = (self._context or True) if secure else None
        limits = self._fields.limits
        if parts.hostname is None:
            raise NodeError(Error(f"{shown(value.url)}: it has no host", code="request"))
        try:
            async with asyncio.timeout(float(limits.connect) or None):
                tunnel = await dig(
                    value,
                    parts.hostname,
                    parts.port or (443 if secure else 80),
                    tls,
                    float(limits.response) or None,
                    int(limits.header) or None,
                )
        except TunnelRejectedError as rejection:
            return rejection.response
        process.on_exit(lambda error: tunnel.drop() if error is not None else None)
        return Upgrade(tunnel)

    def _key_of(self, payload: Payload) -> str:
        if self._key is not None:
            return str(self._key(payload))
        remote = payload.get("remote")
        return remote.rpartition(":")[0] if isinstance(remote, str) else ""


class NextBackendError(Exception):
    """This backend has failed, and the next may be asked."""


def never_sent(error: BaseException) -> bool:
    """Return whether a request has failed before a byte of it was sent."""
    import aiohttp

    return isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError)


def shown(url: str) -> str:
    """Return a URL for people: without what may be secret in it."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def compile_proxy(fields: Proxy, build: Build) -> Node:
    """Return a backend that is not a URL, and one that is named twice, are Problems."""
    need_aiohttp(build)
    backends: list[Backend] = []
    weights: list[int] = []
    for index, entry in enumerate(fields.backends):
        url, weight = (entry, 1) if isinstance(entry, str) else (entry.url, entry.weight)
        try:
            backend = Backend(url)
        except ValueError as error:
            build.reject("backends", index, found=f'"{url}": {error}', expected="http://host:port")
        if any(url == known.url for known in backends):
            build.reject(
                "backends",
                index,
                found=f'"{url}" stands twice',
                expected="each once, with a weight",
            )
        backends.append(backend)
        weights.append(weight)
    limits, tls = fields.limits, fields.tls
    settings = PoolSettings(
        connections=limits.connections,
        idle=float(limits.idle),
        connect=float(limits.connect),
        wait=0.0,
        header=int(limits.header),
        verify=tls.verify,
        ca=pem(tls.ca),
        cert=pem(tls.cert),
        key=pem(tls.key),
    )
    try:
        context = tls_context(settings)
    except ValueError as error:
        build.reject("tls", found=str(error), expected="PEM text, or the path of a PEM file")
    own = own_headers(fields.header, fields.values, build)
    key = build.program(fields.key, "key") if fields.key is not None else None
    balancer = Balancer(backends, weights, fields.balance)
    return ProxyNode(fields, balancer, settings, context, key, own)


PROXY: Kind[Any] = Kind(
    Schema(
        kind="proxy",
        fields=Proxy,
        summary="Passes requests on to one of several backends, and their responses back.",
        category="net",
        ins=(IN,),
        outs=(Port("out", "The response; not linked, it is the answer."), ERROR),
        example="""\
- kind: listener
  name: front
  port: 0
  ports:
    out: {name: shop, port: in}
- kind: proxy
  name: shop
  backends: ['http://10.0.0.1:8080', {url: 'http://10.0.0.2:8080', weight: 2}]
  balance: least
  prefix: /shop
  health: {path: /healthz, every: 5s}
""",
        details="""\
A request goes on as it came, but for a body and headers that a node before has replaced: its path below that of the backend's URL, without `prefix`; its query; its
body, packed as it is; its headers in their own bytes, order and spelling, but those that are between two neighbours (`Connection`, …), those that
`header` and `values` say, and `Host` unless `keep_host` is set. `X-Forwarded-For`, `-Proto` and `-Host` say who has asked, and for what.
What a client says in the place of a proxy goes no further unless `trust` is set: `X-Forwarded-…`, `Forwarded`,
`X-Real-IP`, `X-Original-URL` and the like. `Proxy` never goes on, and names with a `_` only with `underscores`. The response comes back in the same way. Bodies are
streamed both ways, a request's if its listener streams. Redirects are for the client to follow. The target stays as it is
written (`/?`, `//a`, `OPTIONS *`). TRACE and OPTIONS with `Max-Forwards: 0` are answered here, TRACE without `Cookie` and
`Authorization`; more hops than that are one less for the backend.

A backend that fails `failures` times in a row is set `aside`, and asked again afterwards, or before
where there is no other. One that fails its health checks gets nothing until it passes them again. How
they do is told in the log, and shown by `heddle status`.

If a backend cannot be reached, or answers a status of `retry.statuses`, another one is tried, if the
method is one of `retry.methods` and the body is not a stream; what never reached a backend goes to another
whatever its method. Otherwise the answer is an Error: `unreachable` (502), `timeout` (504), or `busy`
(503) if there is no backend left. What cannot be used of a response is `response` (502), and no other backend is tried: a
head that is malformed or larger than `limits.header`, a status beyond 200 to 599, a 101 that nobody has wanted, a body that
ends too early, another `Transfer-Encoding` than `chunked`.

A WebSocket is passed on byte by byte, and belongs to the listener's connection: it outlives reloads.

A `proxy` whose spec changes keeps its connections if `tls` and the limits `connections connect idle header`
stay the same, and remembers how backends do whose URL stays. Needs the extra `http`.
""",
    ),
    compile_proxy,
)
