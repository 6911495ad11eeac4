"""A response as a payload: decoded, as bytes, or as a stream."""

import asyncio
from collections.abc import AsyncIterator
from time import perf_counter
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from heddle.extensions.extension import ByteStream, Error, NodeError, Payload
from heddle.extensions.net.http.bodies import LARGE, decode, decoded_size
from heddle.extensions.net.http.compression import unpack, unpack_stream
from heddle.extensions.net.http.errors import RequestError
from heddle.extensions.net.http.head import canonical
from heddle.extensions.net.http.latin import kept_latin, text_of_bytes
from heddle.extensions.net.http.media import EVENTS, media_type
from heddle.extensions.net.http.path import text_of
from heddle.extensions.net.http.turns import SLICE
from heddle.extensions.net.http_client.pool import failure, one_line
from heddle.extensions.pieces import split
from heddle.runtime.flow.budget import FREE, HeldBudget

if TYPE_CHECKING:
    import aiohttp

Form: TypeAlias = Literal["data", "bytes", "stream", "lines", "events", "jsonl"]
"""The forms of a body: as its Content-Type says, bytes, a byte stream, or a stream of pieces."""


async def payload_of(
    response: "aiohttp.ClientResponse",
    form: Form,
    *,
    limit: int | None,
    silence: float | None,
    held: HeldBudget,
) -> dict[str, Any]:
    """Return the response as a map `method scheme host path query protocol header body status`.

    A `body` that is a stream must be closed by whoever owns it. `limit` bounds the body as it
    comes and once it is unpacked, `silence` the seconds between two pieces. A body that is read
    whole is charged to `held`. Raise NodeError if the body is not what the response says it is.
    """
    return {**head_of(response), "body": await _body(response, form, limit, silence, held)}


def head_of(response: "aiohttp.ClientResponse") -> dict[str, Any]:
    """Everything but the body."""
    url = response.url
    header = headers_of(response)
    header.pop("Content-Length", None)
    header.pop("Transfer-Encoding", None)
    # The body is handed on unpacked.
    header.pop("Content-Encoding", None)
    version = response.version
    query: dict[str, list[str]] = {}
    for name, value in url.query.items():
        query.setdefault(name, []).append(value)
    return {
        "method": response.method,
        "scheme": url.scheme,
        "host": url.authority.rpartition("@")[2],
        "path": _path_of(url.raw_path),
        "query": query,
        "protocol": f"HTTP/{version.major}.{version.minor}" if version else "HTTP/1.1",
        "header": header,
        "status": response.status,
    }


def _path_of(raw: str) -> str:
    """Return the text of the path that was asked; as it was written where it has no such text."""
    try:
        return text_of(raw)
    except RequestError:
        return raw


def headers_of(response: "aiohttp.ClientResponse") -> dict[str, list[str]]:
    """Canonical names to lists of values: UTF-8, or else Latin-1, which `LatinHeader` remembers."""
    header: dict[str, list[str]] = {}
    latin: set[str] = set()
    for name, given in response.headers.items():
        value = given
        if not given.isascii():
            # aiohttp keeps a byte that is not UTF-8 as a lone surrogate.
            value, old = text_of_bytes(given.encode("utf-8", "surrogateescape"))
            if old:
                latin.add(value)
        try:
            header.setdefault(canonical(name), []).append(value)
        except RequestError:
            # A name that is none cannot be handed on.
            continue
    return kept_latin(header, frozenset(latin))


def header_text_of(text: str) -> str:
    """Text out of a head that aiohttp has read, as a header's value is read."""
    return text if text.isascii() else text_of_bytes(text.encode("utf-8", "surrogateescape"))[0]


async def _body(
    response: "aiohttp.ClientResponse",
    form: Form,
    limit: int | None,
    silence: float | None,
    held: HeldBudget,
) -> Payload:
    packing = response.headers.get("Content-Encoding", "")
    if response.method == "HEAD" or response.status in (204, 304):
        response.release()
        return None
    if form == "stream":
        return _stream(response, packing, silence)
    if form in ("lines", "events", "jsonl"):
        if _has_pieces(response, form):
            return split(_stream(response, packing, silence), form)
        form = "data"
    data = await read(response, limit, silence, held)
    if not data and form == "data":
        return None
    try:
        if packing:
            data = unpack(data, packing, limit)
            _charge(response, held, len(data))
        if form == "data" and len(data) > LARGE:
            _charge(response, held, decoded_size(data, response.headers.get("Content-Type", "")))
        return decode(data, response.headers.get("Content-Type", "")) if form == "data" else data
    except RequestError as error:
        raise _broken(response, error) from None


def _has_pieces(response: "aiohttp.ClientResponse", form: Form) -> bool:
    """Return whether a body is a stream of such pieces: that of a failure is not, nor are events of another type."""
    if response.status >= 400:
        return False
    return form != "events" or media_type(response.headers.get("Content-Type", "")) == EVENTS


def _stream(response: "aiohttp.ClientResponse", packing: str, silence: float | None) -> ByteStream:
    """Return the body as it comes, unpacked."""
    chunks = pieces(response, silence)
    if packing:
        return ByteStream(_remote_faults(unpack_stream(chunks, packing, None), response))
    return ByteStream(chunks, size=response.content_length)


async def read(
    response: "aiohttp.ClientResponse", limit: int | None, silence: float | None, held: HeldBudget
) -> bytes:
    """Return the whole body as it comes, charged to `held`; NodeError past the limit."""
    size = response.content_length
    parts: list[bytes] = []
    total = 0
    too_large = limit is not None and size is not None and size > limit
    if not too_large:
        async for part in pieces(response, silence):
            parts.append(part)
            total += len(part)
            if total > FREE:
                _charge(response, held, total - held.size)
            if limit is not None and total > limit:
                too_large = True
                break
    if too_large:
        response.close()
        raise _broken(response, f"its body is larger than {limit} bytes")
    return b"".join(parts)


async def pieces(response: "aiohttp.ClientResponse", silence: float | None) -> AsyncIterator[bytes]:
    """Yield the body piece by piece; raise NodeError if it falls silent, or is broken.

    Lets go of the connection.
    """
    from aiohttp import ClientError, ClientPayloadError

    content = response.content
    end = perf_counter() + SLICE
    try:
        while True:
            try:
                async with asyncio.timeout(silence):
                    part = await content.readany()
            except ClientPayloadError as error:
                raise _broken(response, error) from None
            except TimeoutError:
                text = f"{_place(response)}: no more of the body in {silence or 0:g} s"
                raise NodeError(Error(text, code="timeout")) from None
            except (ClientError, OSError) as error:
                problem = failure(error, _place(response)) or Error.of(error)
                raise NodeError(problem) from error
            if not part:
                break
            yield part
            if perf_counter() > end:
                # What has arrived is read without waiting: let others have their turn.
                await asyncio.sleep(0)
                end = perf_counter() + SLICE
    finally:
        if content.is_eof():
            response.release()
        else:
            response.close()


async def _remote_faults(
    chunks: AsyncIterator[bytes], response: "aiohttp.ClientResponse"
) -> AsyncIterator[bytes]:
    """Yield a stream whose faults are theirs: never told as those of our own client."""
    try:
        async for chunk in chunks:
            yield chunk
    except RequestError as error:
        raise _broken(response, error) from None


def _charge(response: "aiohttp.ClientResponse", held: HeldBudget, size: int) -> None:
    """Take so much of the budget; NodeError `busy` if there is no room."""
    if not held.grow(size):
        response.close()
        raise NodeError(Error(f"{_place(response)}: no memory is left for its body", code="busy"))


def _broken(response: "aiohttp.ClientResponse", value: object) -> NodeError:
    text = f"{_place(response)}: the response cannot be used: {one_line(str(value))}"
    return NodeError(Error(text, code="response"))


def _place(response: "aiohttp.ClientResponse") -> str:
    """Return method and URL for people, without what may be secret."""
    return f"{response.method} {response.url.with_user(None).with_query(None)}"
