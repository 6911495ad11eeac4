"""Streams are the long answers of an API, each with the token that it was asked for with."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Protocol, runtime_checkable
from weakref import WeakKeyDictionary

from heddle.extensions.extension import Stream
from heddle.extensions.manage.caller import EVERY, RIGHTS, Role
from heddle.extensions.manage.tokens import ApiToken


@runtime_checkable
class ClosingStream(Protocol):
    """An answer that goes on: a stream, or a speaker that owns the connection from then on."""

    async def aclose(self) -> None:
        """Come to an end soon."""
        ...


def lasting(answer: Any) -> ClosingStream | None:
    """Return what of an answer goes on for long; None if nothing does."""
    body = answer.get("body") if isinstance(answer, dict) else answer
    if isinstance(body, Stream):
        return body
    guest = getattr(body, "guest", None)
    return guest if isinstance(guest, ClosingStream) else None


class Streams:
    """Ends each stream once its token is revoked, has expired, or has lost a right.

    A stream that was asked for without a token ends once callers need one. `owner` is the node that
    answers for them; a successor takes them over.
    """

    def __init__(self) -> None:
        self.owner: object = None
        self._open: WeakKeyDictionary[ClosingStream, ApiToken | None] = WeakKeyDictionary()
        self._changed = asyncio.Event()
        self._next = 0.0

    def __len__(self) -> int:
        return len(self._open)

    def add(self, stream: ClosingStream, token: ApiToken | None) -> None:
        """Keep an eye on this stream."""
        self._open[stream] = token
        # Its token may expire before the next look.
        self._changed.set()

    def wake(self) -> None:
        """Look at all of them soon."""
        if self._open:
            self._changed.set()

    async def wait(self, most: float) -> None:
        """Wait until there is something to look at: a change, an expiry, or `most` seconds."""
        late = min(most, self._next) if self._open and self._next else most
        with suppress(TimeoutError):
            async with asyncio.timeout(late if self._open else None):
                await self._changed.wait()
        self._changed.clear()

    async def check(self, tokens: Sequence[ApiToken], now: float, *, guarded: bool) -> None:
        """End those whose token no longer allows what it allowed when they began."""
        known = {token.name: token for token in tokens}
        soonest = 0.0
        for stream, token in list(self._open.items()):
            current = known.get(token.name) if token is not None else None
            if not (_still(token, current, now) if token is not None else not guarded):
                del self._open[stream]
                await _end(stream)
            elif current is not None and current.expires is not None:
                left = max(0.01, current.expires - now)
                soonest = min(soonest, left) if soonest else left
        self._next = soonest

    async def end(self) -> None:
        """End all of them."""
        for stream in list(self._open):
            await _end(stream)
        self._open.clear()


async def _end(stream: ClosingStream) -> None:
    # Its source may fail while it closes; the others are ended all the same.
    with suppress(Exception):
        await stream.aclose()


def _still(before: ApiToken, now: ApiToken | None, moment: float) -> bool:
    """Return whether the token that there is now allows everything that this one did."""
    if now is None or now.hash != before.hash or now.expired(moment):
        return False
    if EVERY not in now.namespaces and not set(before.namespaces) <= set(now.namespaces):
        return False
    return _rights(before.roles) <= _rights(now.roles)


def _rights(roles: Sequence[Role]) -> frozenset[Role]:
    return frozenset[Role]().union(*(RIGHTS[role] for role in roles))
