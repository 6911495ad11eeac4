"""Feeds are streams of events that stay open; Feeders keep them, and what was sent last."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable
from secrets import token_hex

from heddle.extensions.net.http.live import Live
from heddle.runtime.flow.budget import HeldBudget

BEAT = b": \n\n"
"""A comment: it keeps proxies from thinking that nobody is there."""


class EventFeed:
    """The events of one client on their way; it waits for them, and they wait for it."""

    __slots__ = ("_feeders", "_held", "_over", "_queue", "_waiter", "topics")

    def __init__(self, feeders: "Feeders", topics: frozenset[str] | None, first: bytes) -> None:
        self.topics = topics
        self._feeders = feeders
        self._queue: deque[bytes] = deque([first] if first else [])
        self._held = HeldBudget()
        self._waiter: asyncio.Future[None] | None = None
        self._over = False

    def wants(self, topics: frozenset[str]) -> bool:
        """Return whether an event for these topics is for this client; for none of them is for all."""
        return not topics or self.topics is None or not self.topics.isdisjoint(topics)

    def push(self, data: bytes) -> None:
        """Send this, once what came before is sent; who is too slow is let go."""
        if self._over:
            return
        # One event that waits for all is one text in memory: what adds up are those of slow clients.
        full = len(self._queue) >= self._feeders.most
        if full or (self._queue and not self._held.grow(len(data))):
            self._queue.clear()
            self._feeders.slow += 1
            self.end()
            return
        self._queue.append(data)
        self._wake()

    def end(self) -> None:
        """End the feed: no more will come."""
        self._over = True
        self._held.free()
        self._feeders.leave(self)
        self._wake()

    def body(self) -> Live:
        """Return the same as the body of a response."""
        return Live(self._chunks(), close=self._close, leave=self.end)

    async def _close(self) -> None:
        self.end()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def _chunks(self) -> AsyncIterator[bytes]:
        try:
            while True:
                if self._queue:
                    data = b"".join(self._queue)
                    self._queue.clear()
                    self._held.free()
                    yield data
                elif self._over:
                    return
                else:
                    await self._more()
        finally:
            self.end()

    async def _more(self) -> None:
        """Wait for the next event; a beat if none comes for long."""
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(self._feeders.beat):
                await self._waiter
        except TimeoutError:
            self._queue.append(BEAT)
        finally:
            self._waiter = None


class Feeders:
    """The feeds of one node, and the last events with their topics; it outlives the node."""

    def __init__(self) -> None:
        self.owner: object = None
        self.feeds: dict[EventFeed, None] = {}
        self.beat: float | None = 15.0
        self.most = 1000
        self.slow = 0
        self.sent = 0
        self.relayed = 0
        self._kept: deque[tuple[str, frozenset[str], bytes]] = deque(maxlen=0)
        # Ids of one run are not taken for those of another.
        self._era = token_hex(4)
        self._count = 0

    def keep(self, most: int) -> None:
        """Keep so many events for who comes back."""
        if self._kept.maxlen != most:
            self._kept = deque(self._kept, maxlen=most)

    @property
    def kept(self) -> int:
        """How many events are kept."""
        return len(self._kept)

    def number(self) -> str:
        """Return an id for the next event; "" if none is kept."""
        if not self._kept.maxlen:
            return ""
        self._count += 1
        return f"{self._era}-{self._count}"

    def open(self, topics: frozenset[str] | None, first: bytes, last: str) -> EventFeed:
        """Return a feed that begins with what was missed since the event `last`, if that is known."""
        feed = EventFeed(self, topics, first + (self._missed(topics, last) if last else b""))
        self.feeds[feed] = None
        return feed

    def leave(self, feed: EventFeed) -> None:
        """Count one feed less."""
        self.feeds.pop(feed, None)

    def send(self, data: bytes, topics: frozenset[str], identity: str) -> int:
        """Send an event to whom it concerns; how many that are."""
        self.sent += 1
        if identity and self._kept.maxlen:
            self._kept.append((identity, topics, data))
        feeds = [feed for feed in self.feeds if feed.wants(topics)]
        for feed in feeds:
            feed.push(data)
        return len(feeds)

    def end(self, topics: frozenset[str] | None = None) -> None:
        """End all feeds, or those that are for one of these topics, once what waits for them is sent."""
        for feed in list(self.feeds):
            if topics is None or not topics.isdisjoint(feed.topics or ()):
                feed.end()

    def _missed(self, topics: frozenset[str] | None, last: str) -> bytes:
        """Return what was sent after an event; all that is kept, if that event is not."""
        missed: Iterable[tuple[str, frozenset[str], bytes]] = self._kept
        for index, (identity, _, _) in enumerate(self._kept):
            if identity == last:
                missed = list(self._kept)[index + 1 :]
        return b"".join(
            data
            for _, about, data in missed
            if not about or topics is None or not topics.isdisjoint(about)
        )
