"""The keys of a `store`: in the memory of the runtime, or in a table of a database."""

import re
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec

from heddle.extensions.extension import Error, NodeError, Stream
from heddle.extensions.sql.database import StatementResult
from heddle.extensions.sql.errors import rejected
from heddle.extensions.sql.statement import Statement, statement
from heddle.runtime.flow.materialize import encode_with

TABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}(\.[A-Za-z_][A-Za-z0-9_]{0,62})?", re.ASCII)

PURGE = 60.0
"""Seconds between two times that what has expired is removed."""

TRIES = 100
"""How often a change is tried that others are faster with."""


class Memory:
    """Keys in memory, at most so many; what has expired makes room for what is new."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[Any, float | None]] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: str, now: float) -> tuple[Any] | None:
        """Return the value of a key, in a tuple; None if there is none."""
        kept = self._kept.get(key)
        if kept is None:
            return None
        value, expires = kept
        if expires is not None and expires <= now:
            del self._kept[key]
            return None
        return (value,)

    def put(self, key: str, value: Any, expires: float | None, now: float, most: int) -> None:
        """Keep a value; NodeError (`full`) if there is no room for another key."""
        if isinstance(value, Stream | Error):
            raise rejected(f"a {type(value).__name__} cannot be kept")
        if key not in self._kept and most and len(self._kept) >= most:
            self._kept = {
                key: kept for key, kept in self._kept.items() if kept[1] is None or kept[1] > now
            }
            if len(self._kept) >= most:
                raise NodeError(Error(f"{most} keys are kept already", code="full"))
        self._kept[key] = value, expires

    def delete(self, key: str, now: float) -> bool:
        """Forget a key; whether it was there."""
        there = self.get(key, now) is not None
        self._kept.pop(key, None)
        return there


Run = Callable[[Statement, Sequence[Any]], Awaitable[StatementResult]]
"""Runs a statement with these values, wherever the store has it run."""


class KeyTable:
    """Keys in a table, which is made when it is needed first.

    Values are msgpack, so that bytes stay bytes. Changes that depend on what is there are made by
    comparing and swapping: no lock is held between two statements.
    """

    def __init__(self, name: str, dialect: str, space: str) -> None:
        self._space = space
        blob = "BYTEA" if dialect == "postgres" else "BLOB"
        real = "DOUBLE PRECISION" if dialect == "postgres" else "REAL"
        live = "(expires IS NULL OR expires > :now)"
        where = "space = :space AND name = :key"

        def make(text: str) -> Statement:
            return statement(text, dialect)

        self._create = make(
            f"CREATE TABLE IF NOT EXISTS {name} (space VARCHAR(200) NOT NULL, "
            f"name VARCHAR(1000) NOT NULL, value {blob} NOT NULL, expires {real}, "
            "PRIMARY KEY (space, name))"
        )
        self._get = make(f"SELECT value FROM {name} WHERE {where} AND {live}")
        self._put = make(
            f"INSERT INTO {name} (space, name, value, expires) VALUES (:space, :key, :new, :expires) "
            "ON CONFLICT (space, name) DO UPDATE SET value = excluded.value, expires = excluded.expires"
        )
        self._add = make(
            f"INSERT INTO {name} (space, name, value, expires) VALUES (:space, :key, :new, :expires) "
            "ON CONFLICT (space, name) DO UPDATE SET value = excluded.value, "
            f"expires = excluded.expires WHERE {name.rpartition('.')[2]}.expires <= :now"
        )
        self._swap = make(
            f"UPDATE {name} SET value = :new, expires = :expires WHERE {where} AND value = :old "
            f"AND {live}"
        )
        self._delete = make(f"DELETE FROM {name} WHERE {where} AND {live}")
        self._purge = make(f"DELETE FROM {name} WHERE space = :space AND expires <= :now")
        self._purged = 0.0
        self.made = False

    async def ready(self, run: Run, *, lasts: bool) -> None:
        """Make the table where it is not there yet; `lasts` says that this cannot be undone."""
        if self.made:
            return
        try:
            await run(self._create, [])
        except NodeError:
            if not lasts:
                raise
            # Others may have made it at the same time: PostgreSQL fails then, whatever is asked.
            await run(self._create, [])
        self.made = lasts

    async def _run(self, run: Run, query: Statement, **named: Any) -> StatementResult:
        return await run(query, query.bind({"space": self._space, **named}))

    async def get(self, run: Run, key: str, now: float) -> bytes | None:
        """Return the value of a key as it is kept; None if there is none."""
        result = await self._run(run, self._get, key=key, now=now)
        return bytes(result.rows[0]["value"]) if result.rows else None

    async def put(self, run: Run, key: str, new: bytes, expires: float | None, now: float) -> None:
        """Keep a value, whatever was there."""
        await self._run(run, self._put, key=key, new=new, expires=expires)
        if now - self._purged > PURGE:
            self._purged = now
            await self._run(run, self._purge, now=now)

    async def swap(
        self, run: Run, key: str, old: bytes | None, new: bytes, expires: float | None, now: float
    ) -> bool:
        """Keep a value if that is there which was seen (None: nothing); whether it was."""
        if old is None:
            done = await self._run(run, self._add, key=key, new=new, expires=expires, now=now)
        else:
            done = await self._run(
                run, self._swap, key=key, old=old, new=new, expires=expires, now=now
            )
        return done.affected > 0

    async def delete(self, run: Run, key: str, now: float) -> bool:
        """Forget a key; whether it was there."""
        return (await self._run(run, self._delete, key=key, now=now)).affected > 0


def packed(value: Any) -> bytes:
    """Return a value as it is kept in a table."""
    try:
        return encode_with(msgspec.msgpack.encode, value)
    except (TypeError, ValueError, OverflowError) as error:
        raise rejected(f"the value cannot be kept: {error}") from error


def unpacked(data: bytes) -> Any:
    """Return the value that is kept there."""
    return msgspec.msgpack.decode(data)


wall = time.time
"""The clock by which keys expire: seconds since 1970."""
