"""The choice of responses that are packed: by what the client likes and what is worth it."""

import re
from typing import Final, TypeAlias

from heddle.extensions.net.http.compression import OFFERS, pack
from heddle.extensions.net.http.head import Head
from heddle.extensions.net.http.negotiate import choose_coding
from heddle.extensions.net.http.response import Response, StreamedBody
from heddle.extensions.net.http.sending import SLICE_BYTES, slices
from heddle.extensions.net.http.upgrade import Upgrade
from heddle.extensions.net.http.vary import with_vary

_STRONG_TAG: Final = re.compile(rb'(?im)^(etag: *)"')
_AT_ONCE: Final = 4 * SLICE_BYTES

Packed: TypeAlias = tuple[int, bytes, bytes | StreamedBody | Upgrade, str]
"""Status, header lines, body, and the coding that a streamed body is still to be packed with."""


def pack_response(response: Response, head: Head, least: int) -> Packed:
    """Return the response, packed if its body has `least` bytes, or is a stream of unknown size, and is worth it.

    One with status 304 is given the headers that the whole response would have.
    A body too long to be packed at once, while everyone else waits, becomes a stream.
    """
    status, lines, body, worth = response
    if not worth or isinstance(body, Upgrade):
        return status, lines, body, ""
    size = body.size if isinstance(body, StreamedBody) else len(body)
    if size is not None and size < least:
        return status, lines, body, ""
    lines = with_vary(lines, "Accept-Encoding")
    coding = choose_coding(head.get("Accept-Encoding"), OFFERS)
    if not coding:
        return status, lines, body, ""
    # The same entity in other bytes: its tag no longer vouches for every byte.
    lines = _STRONG_TAG.sub(rb'\1W/"', lines)
    if status == 304:
        return status, lines, body, ""
    lines += f"Content-Encoding: {coding}\r\n".encode()
    if isinstance(body, StreamedBody):
        return status, lines, StreamedBody(body.chunks, eager=body.eager), coding
    if len(body) > _AT_ONCE:
        return status, lines, StreamedBody(slices(body), eager=False), coding
    return status, lines, pack(body, coding), ""
