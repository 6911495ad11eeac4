"""The RunStore in a SQLite file, and in memory: the embedded default, without any set-up.

Small transactions run in the thread of the event loop (about 15 µs), which never waits for a lock: if
somebody else writes, and for everything large, the writer's thread does it.
"""

# One file: the contract has many methods, each of which only says in which thread its statements
# run. The statements stand in the files beside it.

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, TypeVar
from uuid import UUID

from heddle.extensions.tasks.run_stores.contract import (
    AttemptRecord,
    NewRun,
    Request,
    RunClaim,
    RunDefinition,
    RunLog,
    RunRecord,
    RunStoreError,
    RunStoreFull,
    RunTurn,
)
from heddle.extensions.tasks.run_stores.owner_locks import (
    OwnerLock,
    forget_gone,
    is_gone,
    list_owners,
)
from heddle.extensions.tasks.run_stores.sqlite_claim import (
    claim_run,
    find_claimable,
    has_runs,
    insert_run,
)
from heddle.extensions.tasks.run_stores.sqlite_file import (
    RunStoreMigration,
    SqliteFile,
    is_busy,
    is_full,
)
from heddle.extensions.tasks.run_stores.sqlite_rows import (
    RUN,
    find_run,
    list_attempts,
    list_requests,
    list_transitions,
    load_claim,
    read_run,
)
from heddle.extensions.tasks.run_stores.sqlite_turn import LINKED, TurnWriter, unpack_runs
from heddle.extensions.tasks.scheduler.journal import FencedError
from heddle.extensions.tasks.status import RunStatus, Transition
from heddle.specs.model.names import new_id

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]

ON_LOOP: Final = 64 * 1024
"""The largest transaction, in bytes, that the thread of the event loop may write."""

WAL: Final = 32 * 1024 * 1024
"""Bytes of the write-ahead log after which the writer's thread makes a checkpoint."""

PATIENCE: Final = 10.0
"""Seconds that a command waits for a lock of the file; the turn of a run waits as long as it takes."""

UNPACK: Final = 20
"""Runs that are tidied in one transaction."""

PIECE: Final = 256 * 1024
"""Bytes that a piece of a removal adds to the write-ahead log, about."""

RETRY: Final = 1.0
"""Seconds after which a full disk is tried again."""


class SqliteRunStore:
    """Runs in a SQLite file; with the path "" in memory, for as long as it is open.

    `lease` is how many seconds a run belongs to this worker unless that is renewed. `sync` is `normal`
    (what is recorded survives kill -9) or `full` (and a loss of power). `trace` is called with each
    statement before it runs. With `read_only` no byte of the file changes, and what would write raises
    RunStoreError.
    """

    def __init__(
        self,
        path: str | Path = "",
        *,
        lease: float = 30.0,
        sync: str = "normal",
        migrations: Sequence[RunStoreMigration] | None = None,
        trace: Callable[[str], None] | None = None,
        read_only: bool = False,
    ) -> None:
        self.lease = lease
        self._read_only = read_only
        self._stamp: tuple[int, ...] = ()
        self.owner = str(new_id())
        self.url = f"sqlite:{path}" if path else "memory://"
        self._file = SqliteFile(str(path), sync=sync, migrations=migrations, trace=trace)
        self._on_loop: sqlite3.Connection | None = None
        self._in_thread: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None
        self._threads: ThreadPoolExecutor | None = None
        self._readers: ThreadPoolExecutor | None = None
        self._turns: TurnWriter | None = None
        self._later: TurnWriter | None = None
        self._lock: OwnerLock | None = None
        self._written = 0
        self._linked = ""
        self._condition = ""
        self._requests = 0

    # -- opening and closing -----------------------------------------------------------------------

    @property
    def path(self) -> str:
        """The path of the file; empty in memory."""
        return self._file.path

    @property
    def owners(self) -> Path:
        """The folder of the owner locks, beside the file."""
        return Path(self.path).parent / "owners"

    @property
    def condition(self) -> str:
        """`run store full` and the reason, while nothing can be written; empty otherwise."""
        return self._condition

    @property
    def prefix(self) -> str:
        """The prefix of the names of the tables."""
        return self._file.prefix

    async def open(self) -> None:
        """Open, make or migrate the file. Raise RunStoreError; a newer file is not touched."""
        if self.path and self._read_only:
            self._readers = ThreadPoolExecutor(1, "heddle-runs-reader")
            try:
                await asyncio.get_running_loop().run_in_executor(self._readers, self._open_reader)
            except BaseException:
                await self.close()
                raise
            return
        if not self.path:
            self._on_loop = self._file.prepare()
            self._turns = TurnWriter(self._on_loop, self._file.named)
        else:
            self._threads = ThreadPoolExecutor(1, "heddle-runs-writer")
            self._readers = ThreadPoolExecutor(1, "heddle-runs-reader")
            try:
                await asyncio.get_running_loop().run_in_executor(self._threads, self._open)
            except BaseException:
                await self.close()
                raise
        self._linked = self._file.named(LINKED)

    async def adjust(self, *, lease: float, sync: str) -> None:
        """Go by other settings from now on; the leases that are given have the old length."""
        self.lease = lease
        if sync == self._file.sync:
            return
        self._file.sync = sync
        if self._on_loop is not None:
            self._on_loop.execute(f"PRAGMA synchronous = {sync}")
        if self._threads is not None:
            await self._in_writer(self._adjust_writer)

    def _adjust_writer(self) -> None:
        if self._in_thread is not None:
            self._in_thread.execute(f"PRAGMA synchronous = {self._file.sync}")

    def _open_reader(self) -> None:
        self._file.check_newer()
        self._renew_reader()

    def _renew_reader(self) -> None:
        """Look at the file anew if somebody has written since: as it was, nobody was to write."""
        stamp = self._file.stamp()
        if self._reader is None or stamp != self._stamp:
            self._close_reader()
            self._reader = self._file.look()
            self._stamp = stamp

    def _open(self) -> None:
        # Each further connection to the file makes every commit a little slower: the others come
        # when they are needed.
        self._file.prepare().close()
        self._on_loop = self._file.connect(wait=0.0)
        self._turns = TurnWriter(self._on_loop, self._file.named)
        try:
            self._lock = OwnerLock(self.owners, self.owner)
            self._lock.take()
        except OSError as error:
            raise RunStoreFull(
                f"{self.owners} cannot be written: {(error.strerror or str(error)).lower()}"
            ) from error

    def _writer(self) -> sqlite3.Connection:
        """Return the connection of the writer's thread, for use in there."""
        if self._in_thread is None:
            if self._threads is None:
                raise self._closed()
            self._in_thread = self._file.connect(wait=PATIENCE)
            self._later = TurnWriter(self._in_thread, self._file.named)
        return self._in_thread

    async def close(self) -> None:
        """Close it: the write-ahead log is written back, and the owner lock is free."""
        if self._linked:
            await self.tidy()
        threads, self._threads = self._threads, None
        readers, self._readers = self._readers, None
        if self._on_loop is not None:
            self._on_loop.close()
            self._on_loop = None
        for pool, close in ((readers, self._close_reader), (threads, self._close_writer)):
            if pool is not None:
                await asyncio.get_running_loop().run_in_executor(pool, close)
                pool.shutdown(wait=True)

    def _close_reader(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def _close_writer(self) -> None:
        lock, self._lock = self._lock, None
        keep = lock is not None
        # A file that could not be opened, such as one of a newer version, is not touched.
        if self._turns is not None:
            with suppress(sqlite3.Error, RunStoreError):
                raw = self._in_thread or self._file.connect(wait=1.0)
                raw.execute("PRAGMA busy_timeout = 1000")
                keep = has_runs(raw, self._file.named, self.owner)
                raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
                raw.close()
        self._in_thread = self._turns = None
        if lock is not None:
            # Runs whose suspension could not be recorded may be taken at once.
            lock.free(keep=keep)

    def _closed(self) -> RunStoreError:
        """Return why it cannot be used: it is closed, or was opened to be read."""
        why = "was opened only to be read" if self._readers is not None else "is closed"
        return RunStoreError(f"{self.url} {why}")

    # -- by the owner ------------------------------------------------------------------------------

    def commit(self, turn: RunTurn) -> Awaitable[None] | None:
        """Record a turn; None if that is done already. Raise FencedError if the run has another owner."""
        raw, turns = self._on_loop, self._turns
        if raw is None or turns is None:
            raise self._closed()
        if self.path and (turn.size > ON_LOOP or self._file.sync == "full" or self._condition):
            return self._commit_later(turn)
        try:
            turns.write(turn)
        except sqlite3.Error as error:
            if self.path and (is_busy(error) or is_full(error)):
                return self._commit_later(turn)
            raise self._file.failure(error) from error
        self._count(turn.size)
        return None

    async def _commit_later(self, turn: RunTurn) -> None:
        """Record a turn in the writer's thread, as soon as that is possible."""
        while True:
            try:
                await self._in_writer(lambda: self._write_later(turn))
            except RunStoreFull as error:
                self._condition = f"run store full: {error}"
                await asyncio.sleep(RETRY)
            except sqlite3.Error as error:
                if not is_busy(error):
                    raise self._file.failure(error) from error
            else:
                self._condition = ""
                self._count(turn.size)
                return

    def _write_later(self, turn: RunTurn) -> None:
        self._writer()
        if self._later is None:
            raise self._closed()
        try:
            self._later.write(turn)
        except sqlite3.Error as error:
            if is_full(error):
                raise self._file.failure(error) from error
            raise

    def _count(self, size: int) -> None:
        """Count what goes to the write-ahead log: about two pages for a small turn."""
        self._written += 8192 + size * 2
        if self._written > WAL and self._threads is not None:
            self._written = 0
            self._threads.submit(self._checkpoint)

    def _checkpoint(self) -> None:
        """Write the log back, then let the next commit begin at its start: to extend it costs more.

        Under load a passive checkpoint never catches up. The other kind holds the write lock for the few
        pages that are left, and gives up soon if somebody still reads old ones.
        """
        with suppress(sqlite3.Error, RunStoreError):
            raw = self._writer()
            raw.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
            raw.execute("PRAGMA busy_timeout = 20")
            try:
                raw.execute("PRAGMA wal_checkpoint(RESTART)").fetchall()
            finally:
                raw.execute(f"PRAGMA busy_timeout = {int(PATIENCE * 1000)}")

    def link(self, run: str, epoch: int, seq: int, at: float, data: bytearray) -> bool:
        """Record a small turn as one row; False if `commit` has to do it. Raise FencedError."""
        raw = self._on_loop
        if raw is None or self._condition or self._file.sync == "full":
            return False
        try:
            done = raw.execute(self._linked, (run, seq, at, data, epoch))
        except sqlite3.Error:
            return False
        if not done.rowcount:
            raise FencedError(run)
        self._written += 8192
        if self._written > WAL:
            self._count(0)
        return True

    async def begin(self, run: NewRun, at: float) -> tuple[RunRecord, bool]:
        """Record a run, or return the one that has its idempotency key, and False."""

        def work(raw: sqlite3.Connection) -> tuple[RunRecord, bool]:
            return insert_run(raw, self._file.named, run, at, self.owner, self.lease)

        return await self._write(work)

    async def claim(
        self, run: UUID, at: float, *, take: bool = False, again: bool = False
    ) -> RunClaim | None:
        """Take a run that nobody works on; None if somebody does."""

        def work(raw: sqlite3.Connection) -> RunClaim | None:
            return claim_run(
                raw,
                self._file.named,
                run,
                at=at,
                owner=self.owner,
                lease=self.lease,
                gone=self.is_gone,
                take=take,
                again=again,
            )

        return await self._write(work)

    async def load(self, run: UUID) -> RunClaim | None:
        """Return what is recorded of a run, without a claim."""
        return await self._read(
            lambda raw: _snapshot(raw, lambda: load_claim(raw, self._file.named, run))
        )

    def is_gone(self, owner: str) -> bool:
        """Return whether an owner is known to be gone: a run in memory has no owner but us."""
        return owner != self.owner and bool(self.path) and is_gone(self.owners, owner)

    def renew(self, at: float) -> None:
        """Extend the leases of all runs of this owner; any thread may call it.

        Raise RunStoreError if the file cannot be written within a quarter of the lease.
        """
        raw = self._file.connect(wait=max(self.lease / 4, 0.1)) if self.path else self._on_loop
        if raw is None:
            return
        try:
            raw.execute(
                self._file.named(
                    "UPDATE @runs SET lease = ? WHERE owner = ? AND status = 'running'"
                ),
                (at + self.lease, self.owner),
            )
        except sqlite3.Error as error:
            raise self._file.failure(error) from error
        finally:
            if raw is not self._on_loop:
                raw.close()

    async def claimable(
        self,
        namespace: str,
        at: float,
        *,
        workflows: Collection[str] | None = None,
        without: Collection[UUID] = (),
    ) -> Sequence[RunRecord]:
        """Return the runs of a namespace that are to go on, the most urgent first."""

        def work(raw: sqlite3.Connection) -> list[RunRecord]:
            gone = self._find_gone(raw)
            return find_claimable(
                raw,
                self._file.named,
                namespace,
                at=at,
                owner=self.owner,
                gone=gone,
                workflows=workflows,
                without=without,
            )

        return await self._read(work)

    def _find_gone(self, raw: sqlite3.Connection) -> list[str]:
        """Return the owners that are gone and have runs; the files of the others are removed."""
        if not self.path:
            return []
        gone = [each for each in list_owners(self.owners) if self.is_gone(each)]
        having = [each for each in gone if has_runs(raw, self._file.named, each)]
        for each in gone:
            if each not in having:
                forget_gone(self.owners, each)
        return having

    async def requests(self, run: UUID | None = None) -> Sequence[Request]:
        """Return what others want of a run, or of all runs of this owner; oldest first."""
        return await self._read(
            lambda raw: list_requests(raw, self._file.named, run=run, owner=self.owner)
        )

    def changes(self) -> int:
        """Return a number that is another one after somebody else has written; it never waits."""
        raw = self._on_loop
        version = 0 if raw is None else int(raw.execute("PRAGMA data_version").fetchone()[0])
        return version + self._requests

    # -- by anyone ---------------------------------------------------------------------------------

    async def request(
        self,
        run: UUID,
        verb: str,
        at: float,
        *,
        task: str = "",
        actor: str = "",
        payload: bytes | None = None,
    ) -> Request:
        """Ask the owner of a run for something, and wake the run."""

        def work(raw: sqlite3.Connection) -> Request:
            row = raw.execute(
                self._file.named(
                    "INSERT INTO @requests (run, at, verb, task, actor, payload) VALUES (?, ?, ?, ?, ?, ?) "
                    "RETURNING id"
                ),
                (str(run), at, verb, task, actor, payload),
            ).fetchone()
            raw.execute(
                self._file.named(
                    "UPDATE @runs SET wake = ? WHERE id = ? AND status IN ('queued', 'suspended')"
                ),
                (at, str(run)),
            )
            return Request(
                id=row[0], run=run, at=at, verb=verb, task=task, actor=actor, payload=payload
            )

        request = await self._write(work)
        self._requests += 1
        return request

    async def find(
        self,
        *,
        namespace: str | None = None,
        workflow: str | None = None,
        status: Sequence[RunStatus] = (),
        since: float | None = None,
        limit: int = 100,
    ) -> Sequence[RunRecord]:
        """Return runs, newest first."""
        tests, values = ["1"], list[Any]()
        for column, value in (("r.namespace = ?", namespace), ("r.workflow = ?", workflow)):
            if value is not None:
                tests.append(column)
                values.append(value)
        if status:
            tests.append(f"r.status IN ({', '.join('?' for _ in status)})")
            values += [str(each) for each in status]
        if since is not None:
            tests.append("r.created >= ?")
            values.append(since)
        sql = f"{RUN} WHERE {' AND '.join(tests)} ORDER BY r.created DESC, r.id DESC LIMIT ?"

        def work(raw: sqlite3.Connection) -> list[RunRecord]:
            rows = raw.execute(self._file.named(sql), (*values, limit)).fetchall()
            return [read_run(row) for row in rows]

        return await self._read(work)

    async def get(self, run: UUID) -> RunRecord | None:
        """Return a run, or None."""
        return await self._read(lambda raw: find_run(raw, self._file.named, run))

    async def matching(self, text: str) -> Sequence[UUID]:
        """Return the ids of runs that contain this text, newest first; at most 20."""
        sql = self._file.named(
            "SELECT id FROM @runs WHERE instr(id, ?) OR instr(replace(id, '-', ''), ?) ORDER BY created DESC LIMIT 20"
        )
        return await self._read(
            lambda raw: [UUID(row[0]) for row in raw.execute(sql, (text.lower(), text.lower()))]
        )

    async def attempts(self, run: UUID) -> Sequence[AttemptRecord]:
        """Return all attempts of a run in the order in which they began."""
        return await self._read(lambda raw: list_attempts(raw, self._file.named, run))

    async def transitions(self, run: UUID, after: int = 0) -> Sequence[Transition]:
        """Return the transitions of a run with numbers above `after`, without gaps."""
        return await self._read(
            lambda raw: _snapshot(raw, lambda: list_transitions(raw, self._file.named, run, after))
        )

    async def logs(self, run: UUID, task: str = "", number: int = 0) -> Sequence[RunLog]:
        """Return what the attempts of a run printed; of one task, or one attempt, if named."""
        sql = self._file.named(
            "SELECT task, number, data FROM @logs WHERE run = ? AND (? = '' OR task = ?) AND (? = 0 OR number = ?) "
            "ORDER BY rowid"
        )
        return await self._read(
            lambda raw: [
                RunLog(*row) for row in raw.execute(sql, (str(run), task, task, number, number))
            ]
        )

    async def definition(self, key: bytes) -> RunDefinition | None:
        """Return the Definition of this content hash, or None."""
        sql = self._file.named("SELECT specs FROM @definitions WHERE hash = ?")

        def work(raw: sqlite3.Connection) -> RunDefinition | None:
            row = raw.execute(sql, (key,)).fetchone()
            return None if row is None else RunDefinition(key, row[0].encode())

        return await self._read(work)

    async def tidy(self) -> None:
        """Give the attempts of settled runs rows of their own, a few runs at a time."""
        while self._on_loop is not None:
            try:
                count = await self._in_transaction(
                    lambda raw: unpack_runs(raw, self._file.named, UNPACK)
                )
            except RunStoreError:
                return
            if count < UNPACK:
                return

    async def prune(
        self, before: float, *, namespace: str | None = None, rows: int | None = None
    ) -> int:
        """Remove settled runs that ended before, and what only they needed; return how many runs.

        `rows` are how many go in one piece.
        """
        from heddle.extensions.tasks.run_stores.sqlite_prune import ROWS, prune_piece

        removed = 0
        while True:
            piece = await self._in_transaction(
                lambda raw: prune_piece(raw, self._file.named, before, namespace, rows=rows or ROWS)
            )
            removed += piece.runs
            if piece.is_last:
                return removed
            self._count(PIECE)
            # The turns of runs that go on, and the loop, come in between.
            await asyncio.sleep(0)

    async def tick(self, timer: str, at: float | None = None) -> float | None:
        """Return the last recorded tick of a timer; with `at`, record that one if it is later."""

        def work(raw: sqlite3.Connection) -> float | None:
            if at is not None:
                raw.execute(
                    self._file.named(
                        "INSERT INTO @ticks VALUES (?, ?) ON CONFLICT (timer) DO UPDATE "
                        "SET at = max(at, excluded.at)"
                    ),
                    (timer, at),
                )
            row = raw.execute(
                self._file.named("SELECT at FROM @ticks WHERE timer = ?"), (timer,)
            ).fetchone()
            return None if row is None else float(row[0])

        return await (self._read(work) if at is None else self._write(work))

    # -- how it is done ----------------------------------------------------------------------------

    async def _write(self, work: Work[T]) -> T:
        """Run a small transaction on the loop, or in the writer's thread if somebody else writes."""
        if self._on_loop is None:
            raise self._closed()
        if not self.path or (self._file.sync != "full" and not self._condition):
            try:
                return _transaction(self._on_loop, work)
            except sqlite3.Error as error:
                if not self.path or not is_busy(error):
                    raise self._file.failure(error) from error
        return await self._in_transaction(work)

    async def _in_transaction(self, work: Work[T]) -> T:
        """Run a transaction in the writer's thread; it waits for a lock for PATIENCE seconds."""
        if not self.path:
            return await self._write(work)

        def do() -> T:
            try:
                return _transaction(self._writer(), work)
            except sqlite3.Error as error:
                raise self._file.failure(error) from error

        return await self._in_writer(do)

    async def _in_writer(self, do: Callable[[], T]) -> T:
        if self._threads is None:
            raise self._closed()
        return await asyncio.get_running_loop().run_in_executor(self._threads, do)

    async def _read(self, work: Work[T]) -> T:
        """Run statements that only read in the reader's thread."""
        if not self.path:
            if self._on_loop is None:
                raise self._closed()
            return work(self._on_loop)
        if self._readers is None:
            raise self._closed()

        def do() -> T:
            if self._read_only:
                self._renew_reader()
            elif self._reader is None:
                self._reader = self._file.connect(wait=PATIENCE)
            if self._reader is None:
                raise self._closed()
            try:
                return work(self._reader)
            except sqlite3.Error as error:
                raise self._file.failure(error) from error

        return await asyncio.get_running_loop().run_in_executor(self._readers, do)


def _snapshot(raw: sqlite3.Connection, read: Callable[[], T]) -> T:
    """Run several statements on one state of the file."""
    if raw.in_transaction:
        return read()
    raw.execute("BEGIN")
    try:
        return read()
    finally:
        raw.execute("COMMIT")


def _transaction(raw: sqlite3.Connection, work: Work[T]) -> T:
    """Run work as one transaction that has the write lock from its beginning."""
    raw.execute("BEGIN IMMEDIATE")
    try:
        result = work(raw)
        raw.execute("COMMIT")
    except BaseException:
        if raw.in_transaction:
            raw.execute("ROLLBACK")
        raise
    return result
