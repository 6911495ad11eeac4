"""Connections to the database: a few that are shared, tried again if the server was away."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from traceback import clear_frames
from typing import TypeVar

import psycopg
from psycopg import errors

from heddle.schemas.errors import StoreError
from heddle.specs.stores.postgres.address import Address
from heddle.specs.stores.postgres.pool import (
    ConnectError,
    Connection,
    ConnectionPool,
    PoolBusyError,
    PoolClosedError,
)
from heddle.specs.stores.postgres.queries import Queries

T = TypeVar("T")

# psycopg logs each attempt that fails. Who wants to read that sets up logging; to the others we say
# it ourselves, once, in an error.
logging.getLogger("psycopg").addHandler(logging.NullHandler())

PAUSE = 0.02
LONGEST = 1.0
"""Seconds before work is tried again after the server was lost: at first, and at most."""

INSIST = 12
"""How many times `wait` a change set is looked up that may have been made, while the server answers."""

_AGAIN = (errors.SerializationFailure, errors.DeadlockDetected)
_HELD = (errors.LockNotAvailable, errors.QueryCanceled)
_LOST = ("08", "57P01", "57P02", "57P03", "57P05", "25P03")
"""The states of a server that is away, goes down or comes up, or that ended an idle connection."""


class Connections:
    """The connections of one open store. Whoever opens it closes it."""

    def __init__(self, address: Address, queries: Queries) -> None:
        self.address = address
        self._queries = queries
        options = address.options
        self._pool = ConnectionPool(self._connected, options.pool_min, options.pool_max)

    async def close(self) -> None:
        """Close every connection; what still runs on one ends with a StoreError."""
        await self._pool.close()

    async def connect(self) -> Connection:
        """Return a connection of the caller's own, who closes it; StoreError says why there is none."""
        try:
            return await self._connected()
        except (psycopg.Error, OSError) as error:
            raise unreachable(self.address, error) from None

    async def _connected(self) -> Connection:
        """Return a new connection that is ready for use."""
        try:
            connection: Connection = await psycopg.AsyncConnection.connect(
                self.address.conninfo, autocommit=True
            )
        except BaseException as error:
            # What is half open lives on in the frames of the error, until somebody collects garbage.
            clear_frames(error.__traceback__)
            raise
        try:
            await self._settle(connection)
        except BaseException:
            await connection.close()
            raise
        return connection

    async def run(
        self,
        work: Callable[[Connection], Awaitable[T]],
        *,
        wait: float | None = None,
        unsure: Callable[[], bool] = bool,
    ) -> T:
        """Do work on a connection and give what it returns; raise StoreError if it cannot be done.

        It is done again if the server was lost on the way, until `wait` (seconds, the address
        says how many) is over, and where it got into the way of somebody else's: work must bear to be begun twice.
        While it is `unsure` whether it was done, the time counts anew whenever the server answers:
        it is there, and can say so in a moment.
        """
        loop = asyncio.get_running_loop()
        patience = self.address.options.wait if wait is None else wait
        end = loop.time() + patience
        last = loop.time() + patience * INSIST
        pause = PAUSE
        while True:
            answered = False
            try:
                async with self._pool.connection(max(end - loop.time(), PAUSE)) as connection:
                    answered = True
                    return await work(connection)
            except PoolBusyError:
                raise self._busy() from None
            except PoolClosedError:
                raise not_open(self.address) from None
            except ConnectError as error:
                if loop.time() + pause >= end:
                    raise unreachable(self.address, error.cause) from None
            except psycopg.Error as error:
                # While it is unsure, whoever stands in the way may be our own first attempt.
                again = (*_AGAIN, *_HELD) if unsure() else _AGAIN
                if not (isinstance(error, again) or lost(error)):
                    raise failed(self.address, error) from None
                if unsure() and answered:
                    end, pause = min(loop.time() + patience, last), PAUSE
                if loop.time() + pause >= end:
                    raise unreachable(self.address, error) from None
                await self._pool.forget()
            # Not all at once, when a server comes back.
            await asyncio.sleep(pause * random.uniform(0.5, 1))
            pause = min(pause * 2, LONGEST)

    def _busy(self) -> StoreError:
        options = self.address.options
        return StoreError(
            f"the store {self.address.shown}: no connection came free within {options.wait:g} s "
            f"(all {options.pool_max} are in use). Try a greater pool_max in its address"
        )

    async def _settle(self, connection: Connection) -> None:
        """Prepare a new connection."""
        options = self.address.options
        # Fresh eyes for each statement: what is read after the lock was waited for must be seen.
        await connection.set_isolation_level(psycopg.IsolationLevel.READ_COMMITTED)
        milliseconds = {
            "statement": str(int(options.statement_timeout * 1000)),
            "lock": str(int(options.wait * 1000)),
            "idle": str(int(options.statement_timeout * 1000)),
        }
        await connection.execute(self._queries.settle, milliseconds)


def lost(error: psycopg.Error) -> bool:
    """Return whether the server is not there any more, or not yet: the same may work in a moment."""
    state = error.sqlstate or ""
    if state:
        return state.startswith(_LOST)
    return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)


def not_open(address: Address) -> StoreError:
    """Return the StoreError for a store that is closed."""
    return StoreError(f"the store {address.shown} is not open")


def unreachable(address: Address, error: Exception) -> StoreError:
    """Return the StoreError for a server that cannot be reached."""
    return StoreError(f"the store {address.shown} cannot be reached: {reason(error)}")


def reason(error: Exception) -> str:
    """Return what an error says, on one line. Never its details: they hold what was in the row."""
    if isinstance(error, psycopg.Error) and error.diag.message_primary:
        return error.diag.message_primary
    # What is indented is advice for whoever runs a server for the first time.
    lines = [line.strip() for line in str(error).splitlines() if line[:1] not in ("\t", "")]
    return "; ".join(lines) or type(error).__name__


def failed(address: Address, error: psycopg.Error) -> StoreError:
    """Return the StoreError for a statement that failed."""
    text = reason(error)
    if isinstance(error, errors.InsufficientPrivilege):
        return StoreError(
            f"the store {address.shown} does not let this role do it: {text}. "
            f"Its owner may grant it: heddle store grant --help"
        )
    if isinstance(error, errors.LockNotAvailable):
        return StoreError(
            f"the store {address.shown} is held by another writer for more than "
            f"{address.options.wait:g} s: {text}"
        )
    return StoreError(f"the store {address.shown} could not do it: {text}")
