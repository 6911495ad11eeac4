"""A Hub keeps the connections of one node, and the rooms they are in; it outlives the node."""

import asyncio
from collections.abc import Iterable, Iterator
from typing import Any

from heddle.extensions.extension import Error, NodeError, Payload
from heddle.extensions.net.ws.connection import Ear, Talk
from heddle.extensions.net.ws.message import Message, close_of, message_of

_KEYS = frozenset({"to", "room", "all", "except", "data", "join", "leave", "close"})


class Hub:
    """The clients that are connected, by room. `owner` is the node that hears them now."""

    def __init__(self, owner: Ear) -> None:
        self.owner = owner
        self.talks: dict[str, Talk] = {}
        self.rooms: dict[str, set[Talk]] = {}
        self.count = 0
        self._empty: asyncio.Event | None = None

    def opened(self, talk: Talk) -> bool:
        """Note that a connection has begun."""
        return self.owner.opened(talk)

    def on_message(self, talk: Talk, message: Message) -> bool:
        """Take a message that has come."""
        return self.owner.on_message(talk, message)

    def lost(self, talk: Talk) -> None:
        """Note that a connection broke off."""
        self.owner.lost(talk)

    def closed(self, talk: Talk, code: int, reason: str) -> None:
        """Note that a connection is over."""
        self.owner.closed(talk, code, reason)

    def enter(self, talk: Talk) -> None:
        """Add a connection that has opened."""
        self.talks[talk.id] = talk
        self.count += 1

    def leave(self, talk: Talk) -> None:
        """Remove a connection that has closed, from its rooms as well."""
        self.talks.pop(talk.id, None)
        self.part(talk, list(talk.rooms))
        if not self.talks and self._empty is not None:
            self._empty.set()

    async def close(self, seconds: float) -> None:
        """Wait until everyone has left; who is still there after so many seconds is cut."""
        if not self.talks:
            return
        self._empty = asyncio.Event()
        try:
            await asyncio.wait_for(self._empty.wait(), seconds)
        except TimeoutError:
            for talk in list(self.talks.values()):
                self.owner.lost(talk)
                talk.cut()
            await self._empty.wait()

    def join(self, talk: Talk, rooms: Iterable[str]) -> None:
        """Let a connection into rooms."""
        if talk.id not in self.talks:
            return
        for room in rooms:
            talk.rooms.add(room)
            self.rooms.setdefault(room, set()).add(talk)

    def part(self, talk: Talk, rooms: Iterable[str]) -> None:
        """Let a connection out of rooms; a room without anybody is none."""
        for room in rooms:
            talk.rooms.discard(room)
            inside = self.rooms.get(room)
            if inside is not None:
                inside.discard(talk)
                if not inside:
                    del self.rooms[room]

    def carry_out(self, order: Payload, here: str | None) -> int:
        """Do what a packet asks for; how many connections it was for.

        `{to, room, all, except, data, join, leave, close}`: `to` (an id or several), `room` (one or
        several) or `all` say for whom; without them it is `here`. Anything that is no such map is
        the data itself. Raise NodeError if it is for nobody that can be known, or cannot be sent.
        """
        if not isinstance(order, dict) or not order or not order.keys() <= _KEYS:
            order = {"data": order}
        message = message_of(order["data"]) if "data" in order else None
        close = close_of(order["close"]) if order.get("close") else None
        joins, leaves = texts(order, "join"), texts(order, "leave")
        talks = list(self._recipients(order, here))
        for talk in talks:
            self.join(talk, joins)
            self.part(talk, leaves)
            if message is not None:
                talk.send(message)
            if close is not None:
                talk.close(*close)
        return len(talks)

    def _recipients(self, order: dict[str, Any], here: str | None) -> Iterator[Talk]:
        """For whom it is, each once."""
        mapping: dict[Talk, None] = {}
        if order.get("all"):
            mapping = dict.fromkeys(self.talks.values())
        elif "to" in order or "room" in order:
            for text in texts(order, "to"):
                if text in self.talks:
                    mapping[self.talks[text]] = None
            for room in texts(order, "room"):
                mapping.update(dict.fromkeys(self.rooms.get(room, ())))
        elif here is None:
            raise NodeError(
                Error(
                    "it says for nobody (expected: to, room or all, outside the flow of a message)",
                    code="request",
                )
            )
        elif here in self.talks:
            mapping[self.talks[here]] = None
        without = set(texts(order, "except"))
        for talk in mapping:
            if talk.id not in without:
                yield talk


def texts(order: dict[str, Any], key: str) -> list[str]:
    """Return a text or a list of texts; raise NodeError if it is neither."""
    value = order.get(key)
    if value is None:
        return []
    many = value if isinstance(value, list) else [value]
    if not all(isinstance(value, str) for value in many):
        raise NodeError(Error(f"{key} is not text, nor a list of texts", code="request"))
    return many
