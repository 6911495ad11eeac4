"""Following a store in PostgreSQL: notifications say that something changed, the log says what.

One connection listens for all watches of an open store. It reads the log once whenever it has come
to the server, so nothing is missed while it was away, and again if the number in a notification is
not the one after the last.
"""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from uuid import UUID

import msgspec

from heddle.schemas.errors import StoreError
from heddle.specs.model.store import ChangeSet
from heddle.specs.stores.broadcast import ChangeFeed
from heddle.specs.stores.postgres.connections import Connections, unreachable
from heddle.specs.stores.postgres.pool import Connection
from heddle.specs.stores.postgres.queries import Queries

PAUSE = 0.05
LONGEST = 2.0
"""Seconds before a lost server is tried again: at first, and at most."""

QUIET = 20.0
"""Seconds without a word after which we ask whether the server is still there."""

MOST = 1000
"""So many revisions can be caught up with one by one; after more, everything is to be looked at."""


class RescanError(StoreError):
    """Raised when changes cannot be listed key by key: everything is to be looked at."""


class ChangedKey(msgspec.Struct, frozen=True):
    """One key that a revision changed, in a namespace; `former` is the one before, if it moved."""

    sort: str
    id: UUID
    namespace: str
    former: str | None = None


class ChangeListener:
    """Hears what changes from the first watch on, until it is closed."""

    def __init__(self, connections: Connections, queries: Queries) -> None:
        self._connections = connections
        self._queries = queries
        self._feeds: dict[str | None, ChangeFeed] = {}
        self._task: asyncio.Task[None] | None = None
        self._known = 0
        self._seen = 0
        self._mark: tuple[int, UUID | None] = (0, None)
        self._away = False
        self._there = asyncio.Event()

    def reached(self) -> None:
        """Note that the server answers: if we lost it, it is tried at once."""
        if self._away:
            self._there.set()

    def note_revision(self, number: int) -> None:
        """Note that this revision is kept: a watch that begins later need not tell it."""
        self._known = max(self._known, number)

    def watch(self, namespace: str | None) -> AsyncIterator[ChangeSet]:
        """Return what changes from the first `anext` on. It ends with a StoreError when the server is lost.

        One that begins while the server is away waits for it. What was missed is told then.
        """
        return self._watch(namespace)

    async def _watch(self, namespace: str | None) -> AsyncIterator[ChangeSet]:
        since = self._known
        if self._task is None:
            self._seen = since
            self._task = asyncio.create_task(self._run())
        feed = self._feeds.setdefault(namespace, ChangeFeed())
        try:
            async for changes in feed.watch():
                # Without keys it is a wake-up after the server was away.
                if changes.revision > since or not (changes.specs or changes.values):
                    yield changes
        finally:
            if not feed.watched and self._feeds.get(namespace) is feed:
                del self._feeds[namespace]

    async def close(self) -> None:
        """Hear nothing more; every watch ends."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        for feed in self._feeds.values():
            feed.end()

    # --- the server ---

    async def _run(self) -> None:
        pause = PAUSE
        while True:
            try:
                connection = await self._connections.connect()
                try:
                    await connection.execute(self._queries.listen)
                    await self._arrive(connection)
                    pause = PAUSE
                    while True:
                        await self._hear(connection)
                finally:
                    await connection.close()
            except StoreError as error:
                self._lose(error)
            except Exception as error:
                # Whatever it is: watches must not fall silent.
                self._lose(unreachable(self._connections.address, error))
            with suppress(TimeoutError):
                await asyncio.wait_for(self._there.wait(), pause * random.uniform(0.5, 1))
            self._there.clear()
            pause = min(pause * 2, LONGEST)

    def _lose(self, error: StoreError) -> None:
        """Tell everybody once that the server is away, and whenever they have to look anew."""
        if not self._away or isinstance(error, RescanError):
            self._away = True
            for feed in self._feeds.values():
                feed.end(error)

    async def _arrive(self, connection: Connection) -> None:
        """See what happened before this connection listened."""
        await self._check_past(connection)
        reconnected, self._away = self._away, False
        await self._catch_up(connection)
        if reconnected:
            self._publish_all(ChangeSet(origin=self._origin, revision=self._seen))

    async def _check_past(self, connection: Connection) -> None:
        """Raise RescanError if the database was restored to an older state."""
        number, key = self._mark
        rows = await connection.execute(self._queries.where, [number])
        now, newest, before = await rows.fetchone() or (0, None, None)
        if now < self._seen or (key is not None and before is not None and before != key):
            self._seen, self._known, self._mark = now, now, (now, newest)
            raise RescanError(
                f"the store {self._origin} was restored to an older state: it is read again"
            )
        self._mark = (now, newest)

    async def _hear(self, connection: Connection) -> None:
        """Wait for the next notifications, and pass them on."""
        notices = [notify async for notify in connection.notifies(timeout=QUIET, stop_after=1)]
        for notice in notices:
            if not self._read(notice.payload):
                await self._catch_up(connection)
        if not notices:
            async with asyncio.timeout(QUIET):
                await self._arrive(connection)

    def _read(self, payload: str) -> bool:
        """Tell what a notification says; whether it said all up to its revision."""
        value = json.loads(payload)
        number = value["revision"]
        if number <= self._seen:
            return True
        if number != self._seen + 1 or "keys" not in value:
            return False
        self._publish(
            [(number, [ChangedKey(row[0], UUID(row[1]), *row[2:]) for row in value["keys"]])]
        )
        return True

    # --- the log ---

    async def _catch_up(self, connection: Connection) -> None:
        """Tell everything after what was told."""
        number, entries = await read_since(connection, queries=self._queries, number=self._seen)
        if len(entries) > MOST:
            self._see(number)
            raise RescanError(
                f"the store {self._origin} went on by {len(entries)} revisions: it is looked at anew"
            )
        self._publish(entries)
        self._see(number)

    def _publish(self, entries: "Sequence[tuple[int, list[ChangedKey]]]") -> None:
        """Tell these revisions to the watches that they concern; the others hear the number."""
        for number, keys in entries:
            for namespace, feed in self._feeds.items():
                feed.publish(change_set(keys, namespace, self._origin, number))
            self._see(number)

    def _publish_all(self, changes: ChangeSet) -> None:
        for feed in self._feeds.values():
            feed.publish(changes)

    def _see(self, number: int) -> None:
        self._seen = max(self._seen, number)
        self.note_revision(number)

    @property
    def _origin(self) -> str:
        return self._connections.address.shown


async def read_since(
    connection: Connection, *, queries: Queries, number: int
) -> "tuple[int, list[tuple[int, list[ChangedKey]]]]":
    """Return the newest revision, and the keys of every one after this number, oldest first."""
    rows = await (await connection.execute(queries.since, [number])).fetchall()
    keys: dict[int, list[ChangedKey]] = {}
    for _, revision, sort, id_, namespace, former in rows:
        if revision is not None:
            keys.setdefault(revision, []).append(ChangedKey(sort, id_, namespace, former))
    return (rows[0][0] if rows else number), list(keys.items())


def change_set(
    keys: "Sequence[ChangedKey]", namespace: str | None, origin: str, number: int
) -> ChangeSet:
    """Return where to look in a namespace (None: in all)."""
    visible = [key for key in keys if namespace is None or namespace in (key.namespace, key.former)]
    return ChangeSet(
        specs=frozenset(key.id for key in visible if key.sort == "spec"),
        values=frozenset(key.id for key in visible if key.sort == "value"),
        origin=origin,
        revision=number,
    )
