"""Leases in PostgreSQL: a row each. Those that are asked for at the same time go in one statement."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import msgspec

from heddle.specs.model.lease import Holder, uptime
from heddle.specs.stores.postgres.pool import Connection
from heddle.specs.stores.postgres.queries import Queries

Run: TypeAlias = Callable[[Callable[[Connection], Awaitable[Any]]], Awaitable[Any]]
"""Does work on a connection; raise StoreError if it cannot be done."""


class Row(msgspec.Struct, frozen=True):
    """The row of one lease."""

    name: str
    epoch: int
    runtime: str
    host: str
    pid: int
    mark: float | None


class Wish(msgspec.Struct, frozen=True):
    """One lease that is asked for, and who waits for the answer."""

    name: str
    ttl: float
    mark: float | None
    holder: Holder
    answer: asyncio.Future[Row]


class Leases:
    """Takes the leases of one open store, all that are wanted at one moment together."""

    def __init__(self, run: Run, queries: Queries) -> None:
        self.run = run
        self.queries = queries
        self._wishes: list[Wish] = []
        self._asking: set[asyncio.Task[None]] = set()

    async def take(self, name: str, ttl: float, mark: float | None, holder: Holder) -> Row:
        """Return what the table says after this holder has tried to take a lease."""
        answer: asyncio.Future[Row] = asyncio.get_running_loop().create_future()
        self._wishes.append(Wish(name, ttl, mark, holder, answer))
        if len(self._wishes) == 1:
            task = asyncio.ensure_future(self._renew())
            self._asking.add(task)
            task.add_done_callback(self._asking.discard)
        return await answer

    async def close(self) -> None:
        """Ask no more; who waits for an answer waits no more."""
        for task in tuple(self._asking):
            task.cancel()
        await asyncio.gather(*self._asking, return_exceptions=True)

    async def _renew(self) -> None:
        # Whoever wants a lease in this turn of the loop is asked for in the same statement.
        await asyncio.sleep(0)
        wishes, self._wishes = self._wishes, []
        try:
            rows = await self.run(lambda connection: self._taken(connection, wishes))
            for wish in wishes:
                if not wish.answer.done():
                    wish.answer.set_result(rows[wish.name])
        except BaseException as error:
            for wish in wishes:
                if not wish.answer.done() and isinstance(error, Exception):
                    wish.answer.set_exception(error)
                wish.answer.cancel()
            if not isinstance(error, Exception):
                raise

    async def _taken(self, connection: Connection, wishes: list[Wish]) -> dict[str, Row]:
        names = [wish.name for wish in wishes]
        given = {
            "names": names,
            "ttls": [wish.ttl for wish in wishes],
            "marks": [wish.mark for wish in wishes],
            "runtimes": [wish.holder.runtime for wish in wishes],
            "hosts": [wish.holder.host for wish in wishes],
            "pids": [wish.holder.pid for wish in wishes],
        }
        await connection.execute(self.queries.take, given)
        rows = await (await connection.execute(self.queries.held, [names])).fetchall()
        return {row[0]: Row(*row) for row in rows}


class RowLease:
    """One lease, as one runtime sees it."""

    exact = False

    def __init__(self, leases: Leases, name: str, ttl: float, holder: Holder) -> None:
        self.mark: float | None = None
        self.expires = 0.0
        self.holder: Holder | None = None
        self._leases = leases
        self._name = name
        self._ttl = ttl
        self._us = holder
        self._epoch = 0

    async def take(self, mark: float | None = None) -> bool:
        """Take the row if it is free or ours."""
        # Before it is sent: the server counts from later on.
        expires = uptime() + self._ttl
        row = await self._leases.take(self._name, self._ttl, mark, self._us)
        ours = row.runtime == self._us.runtime
        if row.runtime:
            self.holder = Holder(runtime=row.runtime, host=row.host, pid=row.pid)
        self.mark = row.mark
        self._epoch = row.epoch if ours else 0
        self.expires = expires if ours else 0.0
        return ours

    async def record(self, mark: float) -> bool:
        """Write the mark into the row, if it is still that of our epoch."""
        given = {**self._given, "mark": mark}

        async def work(connection: Connection) -> bool:
            rows = await connection.execute(self._leases.queries.record, given)
            return await rows.fetchone() is not None

        done = bool(await self._leases.run(work))
        if done:
            self.mark = mark
        return done

    async def release(self, mark: float | None = None) -> None:
        """Let the row go, if it is ours."""
        given = {**self._given, "mark": mark}
        self.expires, self._epoch = 0.0, 0

        async def work(connection: Connection) -> None:
            await connection.execute(self._leases.queries.release, given)
            await connection.execute(self._leases.queries.sweep_leases)

        await self._leases.run(work)

    @property
    def _given(self) -> dict[str, Any]:
        return {"name": self._name, "runtime": self._us.runtime, "epoch": self._epoch}
