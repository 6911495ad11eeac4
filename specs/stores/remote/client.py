"""Asking is one way to the API: requests with a token, and rejections as the errors of a store.

The forms are those of `docs/api.md`; aiohttp is imported when the first request is sent.
"""

import os
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import SplitResult, urlsplit, urlunsplit
from uuid import UUID

import msgspec

from heddle.schemas.errors import ConflictError, NotFoundError, SpecError, StoreError
from heddle.schemas.problem import Place, Problem

if TYPE_CHECKING:
    import aiohttp

CONNECT: Final = 10.0
ANSWER: Final = 120.0
"""Seconds to connect, and for an answer: a change set may be large, and is checked before."""

SILENCE: Final = 60.0
"""Seconds without a sign of life after which a stream of events counts as broken."""

_CONFLICTS: Final = (409, 412, 428)


class AnswerLostError(StoreError):
    """The request was sent, and nobody knows what became of it."""


class ApiClient:
    """Asks one API. `url` is where it is, without a path behind; `token` is sent with everything."""

    def __init__(self, url: str, token: str = "") -> None:
        """StoreError if the address is none."""
        parts: SplitResult | None = None
        try:
            parts = urlsplit(url)
            wrong = parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0
        except ValueError:
            wrong = True
        if parts is None or wrong:
            raise StoreError(
                f'"{url}" is not an address of an API (expected: http://HOST:PORT or https://…)'
            )
        if parts.username or parts.password:
            raise StoreError(
                "a token is not given in the address. Try --token-file or HEDDLE_TOKEN"
            )
        if not token.isprintable():
            raise StoreError("what was given is not a token: it holds more than one line of text")
        path = parts.path.rstrip("/").removesuffix("/v1")
        self.url = urlunsplit((parts.scheme, parts.netloc, path, "", ""))
        self._token = token
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Make ready; raise StoreError if what it needs is not installed."""
        if self._session is not None:
            return
        try:
            import aiohttp
        except ImportError as error:
            raise StoreError(
                f"{self.url} cannot be asked: {error}. Try: pip install 'heddle-runtime[http]'"
            ) from None
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        self._session = aiohttp.ClientSession(
            headers={**headers, "Accept": "application/json"},
            timeout=aiohttp.ClientTimeout(total=ANSWER, sock_connect=CONNECT),
        )

    async def close(self) -> None:
        """Let go of every connection."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: list[tuple[str, str]] | None = None,
        body: Any = None,
        key: UUID | None = None,
    ) -> Any:
        """Return the data that a request is answered, None if it is answered none.

        Conflict, NotFoundError, SpecError and StoreError say what the API rejects; StoreError also that it
        cannot be reached. With a `key` it is a change set that is made once, however often it is sent:
        Lost says that there was no answer.
        """
        import aiohttp

        data = msgspec.json.encode(body) if body is not None else None
        headers = {"Content-Type": "application/json"} if data is not None else {}
        if key is not None:
            headers["Idempotency-Key"] = str(key)
        try:
            async with self._open.request(
                method,
                self.url + path,
                params=query or [],
                data=data,
                headers=headers,
                # The API leads nowhere else, and the token is for nobody else.
                allow_redirects=False,
            ) as response:
                given = await response.read()
                if response.status >= 300:
                    raise self._rejected(response.status, response.content_type, given)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise self._unreachable(error) from error
        except (aiohttp.ClientError, TimeoutError, OSError, UnicodeError) as error:
            raise AnswerLostError(str(self._unreachable(error))) from error
        return self._data(given) if given else None

    async def events(
        self, path: str, query: list[tuple[str, str]]
    ) -> AsyncIterator[tuple[str, Any]]:
        """Yield the events of a stream: what each is called, and its data. StoreError once it breaks."""
        import aiohttp

        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT, sock_read=SILENCE)
        headers = {"Accept": "text/event-stream"}
        try:
            async with self._open.get(
                self.url + path,
                params=query,
                headers=headers,
                timeout=timeout,
                allow_redirects=False,
            ) as response:
                if response.status >= 300:
                    raise self._rejected(
                        response.status, response.content_type, await response.read()
                    )
                async for name, text in _parsed(response.content):
                    yield name, self._data(text)
        except (aiohttp.ClientError, TimeoutError, OSError, UnicodeError) as error:
            raise self._unreachable(error) from error
        raise StoreError(f"{self.url} has ended the stream of events")

    @property
    def _open(self) -> "aiohttp.ClientSession":
        if self._session is None:
            raise StoreError(f"the store {self.url} is not open")
        return self._session

    def _data(self, text: str | bytes) -> Any:
        """Return what an answer says; raise StoreError if it is not JSON."""
        try:
            return msgspec.json.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise StoreError(
                f"{self.url} answers what is not JSON: is it the API of Heddle?"
            ) from None

    def _unreachable(self, error: Exception) -> StoreError:
        text = "no answer came in time" if isinstance(error, TimeoutError) else _reason(error)
        return StoreError(f"{self.url} cannot be reached: {text or type(error).__name__}")

    def _rejected(self, status: int, media: str, body: bytes) -> Exception:
        """Return what a rejection is for who uses a store."""
        if media != "application/problem+json":
            return StoreError(f"{self.url} answers {status}: is it the API of Heddle?")
        value = self._data(body)
        detail = str(value.get("detail") or value.get("title") or status)
        problems = [problem_of(each) for each in value.get("problems", ())]
        if status == 401:
            return StoreError(f"{self.url}: {detail}. Try --token-file FILE, or HEDDLE_TOKEN")
        if problems:
            return SpecError(problems)
        if status in _CONFLICTS:
            return ConflictError(detail)
        if value.get("type") == "urn:heddle:problem:unconfirmed":
            return AnswerLostError(f"{self.url}: {detail}")
        return NotFoundError(detail) if status == 404 else StoreError(f"{self.url}: {detail}")


def problem_of(data: Mapping[str, Any]) -> Problem:
    """Return a Problem as the API tells it."""
    place = Place(data.get("file", ""), data.get("line", 0), data.get("column", 0))
    return Problem(
        code=data["code"],
        found=data["found"],
        expected=data.get("expected", ""),
        hint=data.get("hint", ""),
        path=data.get("path", ""),
        place=place,
    )


async def _parsed(stream: "aiohttp.StreamReader") -> AsyncIterator[tuple[str, str]]:
    """Yield the events in a stream of text (WHATWG HTML, 9.2.6); comments are signs of life."""
    name = ""
    data: list[str] = []
    begun = b""
    async for chunk in stream.iter_any():
        *lines, begun = (begun + chunk).split(b"\n")
        for raw in lines:
            line = raw.rstrip(b"\r").decode()
            field, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if not line:
                if data:
                    yield name or "message", "\n".join(data)
                name, data = "", []
            elif field == "event":
                name = value
            elif field == "data":
                data.append(value)


def _reason(error: Exception) -> str:
    """Return what the system said, if it was the system that rejected: without the words of the client."""
    import ssl

    cause = getattr(error, "os_error", error)
    if not isinstance(cause, OSError) or isinstance(cause, ssl.SSLError) or not cause.errno:
        return str(error)
    # Numbers below zero are those of names that lead to no address.
    text = os.strerror(cause.errno) if cause.errno > 0 else str(cause.strerror)
    return text.lower()
