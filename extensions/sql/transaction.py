"""A Transaction is what one process does on one source: one for all its `sql` nodes together.

It begins with the first statement, commits when the process ends well, before its answer is sent,
and rolls back otherwise. A child of the process has its own.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from typing import Any

from heddle.extensions.extension import Error, NodeError, Process
from heddle.extensions.sql.database import Isolation, Row, SqlConnection, StatementResult
from heddle.extensions.sql.errors import UnreachableError, rejected
from heddle.extensions.sql.pool import SqlPool
from heddle.extensions.sql.statement import Statement, statement


class Transaction:
    """One connection, lent for the rest of a process."""

    def __init__(
        self, process: Process, pool: SqlPool, connection: SqlConnection, isolation: Isolation
    ) -> None:
        self.isolation = isolation
        self._process = process
        self._wrote = False
        self._pool = pool
        self._connection = connection
        self._turn = asyncio.Lock()
        self._over = False

    async def run(
        self, statement: Statement, sets: Sequence[list[Any]], *, most: int, apart: bool
    ) -> StatementResult:
        """Run a statement; nodes of one process that ask at the same time take turns."""
        async with self._turn:
            self._check()
            self._wrote = self._wrote or not statement.reads
            return await self._connection.run(statement, sets, most=most, apart=apart)

    async def stream(
        self, statement: Statement, values: list[Any], *, size: int
    ) -> AsyncIterator[list[Row]]:
        """Yield the rows of a statement, at most `size` at a time; the process has to live as long."""
        self._wrote = self._wrote or not statement.reads
        rows = self._connection.stream(statement, values, size=size)
        while True:
            async with self._turn:
                self._check()
                batch = await anext(rows, None)
            if batch is None:
                return
            yield batch

    def _check(self) -> None:
        if self._over:
            raise rejected("the transaction is over: its process has ended")

    async def end(self, error: Error | None) -> None:
        """Commit if the process ended well, roll back otherwise; raise NodeError if it cannot commit."""
        async with self._turn:
            self._over = True
            try:
                if error is None:
                    await self._commit()
                else:
                    await self._connection.rollback()
            finally:
                self._pool.release(self._connection)

    async def _commit(self) -> None:
        # What only reads needs no companion: it has no effect that could happen twice.
        companions = [
            each
            for each in (self._process.companions if self._wrote else ())
            if each.serves(self._pool.database.name)
        ]
        committed = False
        try:
            for companion in companions:
                await companion.write(self._execute)
            await self._connection.commit()
            committed = True
        except BaseException:
            await self._connection.rollback()
            raise
        finally:
            for companion in companions:
                companion.ended(committed)

    async def _execute(self, sql: str, values: list[Any]) -> list[Row] | None:
        """Run a statement of a companion, in this transaction."""
        made = statement(sql, self._pool.database.dialect)
        result = await self._connection.run(made, [made.bind(values)], most=1)
        return result.rows


async def transaction_of(
    process: Process, pool: SqlPool, isolation: Isolation, *, writes: bool, wait: float
) -> Transaction:
    """Return the Transaction of this process on this source, begun if there is none.

    NodeError if the one there is keeps it less apart than is asked for now.
    """

    async def begin() -> Transaction:
        connection = await _begun(pool, isolation, writes, wait)
        transaction = Transaction(process, pool, connection, isolation)
        try:
            process.on_exit(transaction.end)
        except ValueError:
            await transaction.end(process.reason or Error("the process has ended", code="dropped"))
            raise
        return transaction

    transaction = await process.local(pool, begin)
    if isolation.rank > transaction.isolation.rank:
        raise rejected(
            f"this process has begun a transaction that is {transaction.isolation}, and this node wants "
            f"{isolation}: say so at the first sql node that a process comes to"
        )
    return transaction


async def _begun(pool: SqlPool, isolation: Isolation, writes: bool, wait: float) -> SqlConnection:
    """Return a connection with a transaction begun; one that was lost meanwhile is given up for another.

    Nothing was done yet, so nothing is done twice.
    """
    loop = asyncio.get_running_loop()
    until = loop.time() + wait
    while True:
        connection = await pool.acquire(max(0.0, until - loop.time()))
        try:
            await connection.begin(isolation, writes=writes, wait=wait)
        except BaseException as error:
            lost = bool(connection.lost)
            if not lost:
                with suppress(NodeError):
                    await connection.rollback()
            pool.release(connection)
            if not lost or not isinstance(error, NodeError):
                raise
            if loop.time() >= until:
                raise UnreachableError(f"{pool.database.name} was lost: {error}") from error
            continue
        return connection
