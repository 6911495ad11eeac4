"""A Live body goes on as long as its client stays, and belongs to no process.

A process is bound to the generation it began on; what stays open for hours must not be.
"""

from collections.abc import AsyncIterable, Awaitable, Callable
from typing import Any

from heddle.extensions.net.http.upgrade import Upgrade
from heddle.runtime.flow.stream import ByteStream


class Live(ByteStream):
    """A byte stream of whoever feeds it; `leave` is called if it will never be read."""

    __slots__ = ("leave",)

    def __init__(
        self,
        chunks: AsyncIterable[bytes],
        *,
        close: Callable[[], Awaitable[None]],
        leave: Callable[[], None],
    ) -> None:
        super().__init__(chunks, close=close)
        self.leave = leave


def dropped(answer: Any) -> None:
    """Nobody waits for this answer: let go of what it holds."""
    body = answer.get("body") if isinstance(answer, dict) else answer
    if isinstance(body, Live):
        body.leave()
    elif isinstance(body, Upgrade):
        body.guest.drop()
