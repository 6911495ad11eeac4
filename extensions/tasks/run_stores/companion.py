"""The end of an attempt, written inside the transaction of the attempt: both last, or neither does.

So what an attempt does in the database of the RunStore happens exactly once, whenever it is killed.
"""

import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from heddle.extensions.extension import NOTHING, Answer, Error, NodeError
from heddle.extensions.tasks.run_stores.payloads import (
    BLOB,
    UnstorablePartError,
    content_hash,
    encode_payload,
)

Execute = Callable[[str, list[Any]], Awaitable[Any]]


class CompanionJournal(Protocol):
    """The part of a run's journal that a companion needs: `path` and `prefix` are those of the RunStore."""

    epoch: int
    fenced: bool
    path: str
    prefix: str
    run_id: str

    @property
    def seq(self) -> int:
        """The last number that is known to be taken."""
        ...

    def enter_companion(self) -> None:
        """Know that somebody else takes a number of the run now."""
        ...

    def leave_companion(self, key: tuple[str, int], seq: int, *, committed: bool) -> None:
        """Know whether the end of an attempt is recorded, and its number."""
        ...

    def began(self, key: tuple[str, int]) -> tuple[float, int] | None:
        """Return when an attempt without a row began, and its number."""
        ...


class AttemptCompanion:
    """Records the end of one attempt in the transaction of its Process; `answer` is its output."""

    def __init__(self, journal: CompanionJournal, path: str, number: int) -> None:
        self.answer: Answer = NOTHING
        self._journal = journal
        self._key = (path, number)
        self._seq = 0
        self._entered = False

    def serves(self, database: str) -> bool:
        """Return whether a database is the file of the RunStore, whatever its path is written like."""
        name, mark, path = database.partition(":")
        if name != "sqlite" or not mark or not self._journal.path:
            return False
        with suppress(OSError):
            return Path(path).samefile(self._journal.path)
        return False

    async def write(self, execute: Execute) -> None:
        """Write the fence, then the end of the attempt. NodeError rolls the transaction back."""
        journal, (path, number) = self._journal, self._key
        try:
            data = encode_payload(self.answer)
        except UnstorablePartError as error:
            raise NodeError(Error(str(error), code="unstorable", symbol=path)) from None
        journal.enter_companion()
        self._entered = True
        prefix, run = journal.prefix, journal.run_id
        rows = await execute(
            f"UPDATE {prefix}runs SET seq = max(seq, ?) + 1 WHERE id = ? AND epoch = ? RETURNING seq",
            [journal.seq, run, journal.epoch],
        )
        if not rows:
            journal.fenced = True
            raise NodeError(Error("another owner has taken the run", code="fenced"))
        self._seq = int(rows[0]["seq"])
        now, blob = time.time(), None
        if len(data) >= BLOB:
            blob = content_hash(data)
            await execute(
                f"INSERT INTO {prefix}blobs VALUES (?, ?, ?) ON CONFLICT (hash) DO NOTHING",
                [blob, data, now],
            )
        began, began_seq = journal.began(self._key) or (None, None)
        await execute(
            f"INSERT INTO {prefix}attempts (run, task, number, status, began, began_seq, ended, ended_seq, "
            "output, blob) VALUES (?, ?, ?, 'completed', ?, ?, ?, ?, ?, ?) ON CONFLICT (run, task, number) "
            "DO UPDATE SET status = 'completed', ended = excluded.ended, ended_seq = excluded.ended_seq, "
            "output = excluded.output, blob = excluded.blob",
            [run, path, number, began, began_seq, now, self._seq, None if blob else data, blob],
        )

    def ended(self, committed: bool) -> None:
        """Know whether the transaction lasts."""
        if self._entered:
            self._entered = False
            self._journal.leave_companion(self._key, self._seq, committed=committed)
