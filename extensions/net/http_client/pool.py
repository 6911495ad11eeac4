"""A Pool keeps connections to others open between calls; nodes with the same settings share one."""

import asyncio
import ssl
import tempfile
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

import msgspec

from heddle.extensions.extension import Build, Error, NodeError
from heddle.extensions.net.http.head import HEADER_TEXT, TOKEN
from heddle.extensions.net.http_client.address import PrivateAddressError, public_socket
from heddle.extensions.net.http_client.raw_head import TARGET, request_class
from heddle.extensions.net.http_client.response_start import handler_class
from heddle.schemas.ascii import lower, trim

if TYPE_CHECKING:
    import aiohttp


READ_BYTES: Final = 16 * 1024
"""How much of a response waits for its reader before nothing more is taken apart."""


_ANY_SIZE: Final = 2**31
"""A head that has no limit."""


class PoolSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings that tell one pool from another. Times are in seconds, zero is no limit."""

    connections: int = 100
    per_host: int = 0
    idle: float = 30.0
    connect: float = 10.0
    wait: float = 30.0
    header: int = 32 * 1024
    public: bool = False
    cookies: bool = False
    proxy: str = ""
    verify: bool = True
    ca: str = ""
    cert: str = ""
    key: str = ""


class ClientPool:
    """Connections that are used again; closed when its last user has left."""

    def __init__(self, settings: PoolSettings, context: ssl.SSLContext | None) -> None:
        import aiohttp

        self.settings = settings
        self.users = 0
        self.calls = 0
        environment = settings.proxy == "environment"
        self._proxy = "" if environment else settings.proxy
        self._connector = aiohttp.TCPConnector(
            limit=settings.connections,
            limit_per_host=settings.per_host,
            keepalive_timeout=settings.idle,
            ssl=context if context is not None else True,
            socket_factory=public_socket if settings.public else None,
            # Redirects and retries may come minutes later: look names up again.
            ttl_dns_cache=10,
        )
        connector: Any = self._connector
        loop = asyncio.get_running_loop()
        connector._factory = partial(handler_class(), loop=loop, most=settings.header)
        self._session = aiohttp.ClientSession(
            connector=self._connector,
            request_class=request_class(),
            auto_decompress=False,
            # Twice as much is taken apart before the reader has its turn: tiny chunks take long.
            read_bufsize=READ_BYTES,
            max_line_size=settings.header or _ANY_SIZE,
            max_field_size=settings.header or _ANY_SIZE,
            # The size of a head is what is limited: no field is shorter than four bytes.
            max_headers=settings.header // 4 or _ANY_SIZE,
            cookie_jar=aiohttp.CookieJar() if settings.cookies else aiohttp.DummyCookieJar(),
            trust_env=environment,
            timeout=aiohttp.ClientTimeout(
                total=None,
                connect=settings.wait or None,
                sock_connect=settings.connect or None,
                sock_read=None,
            ),
            skip_auto_headers=("User-Agent", "Content-Type", "Accept", "Accept-Encoding"),
        )

    async def send(
        self,
        method: str,
        url: str,
        headers: list[tuple[str, str]],
        body: Any,
        target: str = "",
    ) -> "aiohttp.ClientResponse":
        """Send one request; the response once its head is there.

        `target` is what is asked of the host of `url`, if it is not the rest of `url`. Raises what
        aiohttp raises, and BrokenResponse.
        """
        from yarl import URL

        self.calls += 1
        token = TARGET.set(target)
        try:
            response = await self._session.request(
                method,
                URL(url, encoded=True),
                headers=headers,
                data=body,
                allow_redirects=False,
                proxy=self._proxy or None,
            )
        finally:
            TARGET.reset(token)
        try:
            check_head(response, self.settings.header)
        except ResponseError:
            response.close()
            raise
        return response

    def enter(self) -> "ClientPool":
        """Count one more user."""
        self.users += 1
        return self

    async def leave(self) -> None:
        """Release the pool for one user; the last one closes it."""
        self.users -= 1
        if not self.users:
            await self._session.close()

    @property
    def open_connections(self) -> int:
        """How many connections are open, in use or idle."""
        connector: Any = self._connector
        return len(connector._acquired) + sum(map(len, connector._conns.values()))


class ResponseError(Exception):
    """Raised when what came back is not a response of HTTP, or one that nobody may send."""


def check_head(response: "aiohttp.ClientResponse", most: int) -> None:
    """Raise BrokenResponse if a head is larger than `most` bytes, or none that anybody may send."""
    if response.status == 101:
        raise ResponseError("it switches to another protocol (101), and nobody has wanted that")
    coding = response.headers.get("Transfer-Encoding", "chunked")
    if lower(coding) != "chunked":
        # Its bytes are not those of the body, and nothing behind us would know.
        raise ResponseError(f'its Transfer-Encoding is "{coding[:100]}" (expected: chunked)')
    size = 0
    for name, value in response.raw_headers:
        size += len(name) + len(value) + 4
        if name.translate(None, TOKEN) or value.translate(None, HEADER_TEXT):
            raise ResponseError(f"the header {name[:100]!r} holds a character that none may have")
    if most and size > most:
        raise ResponseError(f"its headers are larger than {most} bytes")


def failure(error: BaseException, place: str) -> Error | None:
    """Return what went wrong between us and them, for people; None if it is none of that."""
    import aiohttp

    if isinstance(error, NodeError):
        return error.error
    if isinstance(error, TimeoutError):
        text = "no connection in time" if _connecting(error) else "no response in time"
        return Error(f"{place}: {text}", code="timeout", cause=error)
    private = _private(error)
    if private is not None:
        return Error(f"{place}: {private}", code="rejected", cause=error)
    if isinstance(error, aiohttp.InvalidURL):
        return Error(f"{place}: it is not a URL", code="request", cause=error)
    if _broken(error):
        return Error(
            f"{place}: the response cannot be used: {_reason(error)}", code="response", cause=error
        )
    if isinstance(error, aiohttp.ClientError | OSError | ValueError):
        reason = str(error) or type(error).__name__
        return Error(f"{place}: {reason}", code="unreachable", cause=error)
    return None


def _broken(error: BaseException) -> bool:
    """Return whether a response has begun to come, and is none."""
    import aiohttp

    if isinstance(error, aiohttp.ClientHttpProxyError):
        return False
    return isinstance(
        error, ResponseError | aiohttp.ClientResponseError | aiohttp.ClientPayloadError
    )


def one_line(text: str) -> str:
    """Return a text with a space for each of its line ends."""
    return " ".join(trim(line) for line in text.splitlines())


def _reason(error: BaseException) -> str:
    """Return what is wrong with a response, on one line."""
    import aiohttp

    text = error.message if isinstance(error, aiohttp.ClientResponseError) else str(error)
    text = one_line(text) or type(error).__name__
    return text if len(text) <= 300 else f"{text[:300]}…"


def _connecting(error: BaseException) -> bool:
    import aiohttp

    return isinstance(error, aiohttp.ConnectionTimeoutError)


def _private(error: BaseException) -> PrivateAddressError | None:
    """Return the rejection of an address, wherever aiohttp has put it."""
    todo: list[BaseException | None] = [error]
    seen: set[int] = set()
    while todo:
        cause = todo.pop()
        if cause is None or id(cause) in seen:
            continue
        seen.add(id(cause))
        if isinstance(cause, PrivateAddressError):
            return cause
        todo += [cause.__cause__, cause.__context__, getattr(cause, "os_error", None)]
        todo += list(getattr(cause, "exceptions", ()))
    return None


def tls_context(settings: PoolSettings) -> ssl.SSLContext | None:
    """Return the TLS that settings ask for, None for the usual; raise ValueError if it cannot be had."""
    if settings.verify and not (settings.ca or settings.cert):
        return None
    context = ssl.create_default_context()
    try:
        if settings.ca:
            if "-----BEGIN" in settings.ca:
                context.load_verify_locations(cadata=settings.ca)
            else:
                context.load_verify_locations(cafile=settings.ca)
        if settings.cert:
            _load(context, settings)
    except (OSError, ValueError) as error:
        raise ValueError(f"the certificate cannot be used: {error}") from None
    if not settings.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _load(context: ssl.SSLContext, settings: PoolSettings) -> None:
    """Load a certificate of our own, out of PEM text or files."""
    with tempfile.TemporaryDirectory(prefix="heddle-tls-") as folder:
        files = []
        for name, given in (("cert", settings.cert), ("key", settings.key)):
            file = Path(given)
            if "-----BEGIN" in given:
                file = Path(folder) / f"{name}.pem"
                file.write_text(given)
            files.append(file if given else None)
        cert, key = files
        if cert is None:
            raise RuntimeError("there is no certificate")
        context.load_cert_chain(cert, key, password="")


def need_aiohttp(build: Build) -> None:
    """Refuse a Spec if aiohttp is not installed."""
    if find_spec("aiohttp") is None:
        missing("http", "aiohttp", build)


def missing(extra: str, package: str, build: Build) -> NoReturn:
    """Refuse a Spec whose extra is not installed."""
    build.reject(
        found=f"{package} is not installed",
        expected=f"the extra {extra}",
        hint=f"pip install 'heddle-runtime[{extra}]'",
        code="missing-extra",
    )
