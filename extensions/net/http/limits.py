"""Limits say how much of everything one server takes, and how long it waits."""

from typing import Final, Literal

import msgspec

PIPELINE_BYTES: Final = 64 * 1024
"""How much of the next requests is kept while one is being answered; then reading pauses."""

UPLOAD_BYTES: Final = 256 * 1024
"""How much of a streamed body waits for its reader; then reading pauses."""

LEAST_RATE: Final = 1024
"""How many bytes of a body that is read whole must arrive in each second, over `body_timeout`."""

BURST: Final = 64
"""How many pipelined requests of one connection are handled before the others have their turn."""

LINGER_SECONDS: Final = 2.0
LINGER_BYTES: Final = 1024 * 1024
"""How long, and for how many bytes, input is thrown away so that a rejection can still be read.

A socket closed with unread input is reset, and the reset overtakes the response.
"""


class HttpLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Sizes in bytes, times in seconds; None is no limit.

    `header_bytes` bounds the request line and the headers together, `target_bytes` the target
    alone, `headers` their count. `body_bytes` bounds a body as it arrives and again after it was
    unpacked, `json_values` the values of one that is JSON. `header_timeout` bounds a head from its first byte to its last. A body that is read
    whole must bring `body_rate` bytes a second over each `body_timeout`; one that is streamed must
    not be silent for so long. `idle_timeout` is the silence between two requests, `answer_timeout`
    the flow's answer, `send_timeout` the time in which a client must take what was sent to it.
    `answer` says which maps are responses (see `response`). `compress_bytes` is the smallest body that is compressed, None compresses nothing.
    """

    header_bytes: int = 32 * 1024
    target_bytes: int = 8 * 1024
    headers: int = 100
    body_bytes: int | None = 8 * 1024 * 1024
    json_values: int | None = 250_000
    connections: int | None = 10_000
    header_timeout: float | None = 10.0
    body_timeout: float | None = 30.0
    body_rate: int = LEAST_RATE
    idle_timeout: float | None = 75.0
    answer_timeout: float | None = None
    send_timeout: float | None = 30.0
    compress_bytes: int | None = 1024
    answer: Literal["auto", "data", "response"] = "auto"


USUAL: Final = HttpLimits()
"""The limits of a server that names none."""
