"""A Turn as rows of SQLite: one transaction, which begins with the fence.

Under the write lock of the file nobody else changes the epoch or the numbers of a run.
"""

import sqlite3
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import chain

import msgspec

from heddle.extensions.tasks.run_stores.attempt_output import LONGEST
from heddle.extensions.tasks.run_stores.contract import (
    BEGAN,
    LINK,
    PACK,
    STOPPED,
    EndedAttempt,
    Folded,
    OpenAttempt,
    RunTurn,
)
from heddle.extensions.tasks.scheduler.journal import FencedError

_encode_into = msgspec.msgpack.Encoder().encode_into

PACKED = 8
"""From so many completed attempts on, one row holds them all."""

BATCH = 20
"""Rows of one INSERT: more gain nothing, and SQLite allows 999 values in old builds."""

LINKED = (
    "INSERT INTO @history SELECT ?1, ?2, ?3, '" + LINK + "', '', '', ?4 "
    "WHERE EXISTS (SELECT 1 FROM @runs WHERE id = ?1 AND epoch = ?5)"
)
"""The fence and a turn in one statement. It does not write the row of the run: that would be one page more.

The write lock of the file stands for that of the row, and `claim` takes the numbers from the history.
"""


_LOG = "INSERT OR REPLACE INTO @logs VALUES (?, ?, ?, ?)"

_LOG_MORE = (
    "INSERT INTO @logs VALUES (?, ?, ?, ?) ON CONFLICT (run, task, number) DO UPDATE "
    f"SET data = substr(data || excluded.data, -{LONGEST})"
)


class TurnWriter:
    """Writes turns through one connection; `named` gives the tables their names."""

    def __init__(self, raw: sqlite3.Connection, named: Callable[[str], str]) -> None:
        self._raw = raw
        self._named = lru_cache(maxsize=256)(named)

    def write(self, turn: RunTurn) -> None:
        """Write a turn as one transaction; raise Fenced, or sqlite3.Error with nothing written."""
        raw = self._raw
        raw.execute("BEGIN IMMEDIATE")
        try:
            seq = self._write_rows(turn)
            raw.execute("COMMIT")
        except BaseException:
            if raw.in_transaction:
                raw.execute("ROLLBACK")
            raise
        turn.seq = seq

    def _write_rows(self, turn: RunTurn) -> int:
        """Write all rows; return the last number that is taken."""
        raw, run = self._raw, turn.run
        last = fence(raw, self._named, turn)
        seq = last - turn.transitions
        for key, data in turn.blobs:
            put_blob(raw, self._named, key, data, turn.at)
        folded = list(turn.folded)
        if turn.completed:
            folded += [
                (task, number, began, began_seq, ended, place, output)
                for place, (task, number, began, began_seq, ended, output) in enumerate(
                    turn.completed, seq + 1
                )
            ]
            seq += len(turn.completed)
        if folded:
            put_completed(raw, self._named, run, turn.at, folded)
        for entry in turn.ended:
            seq += 1
            self._write_ended(run, entry, seq)
        for status, attempts in turn.stopped:
            seq += len(attempts)
            put_stopped(raw, self._named, run, seq, turn.at, status, attempts)
        if turn.begun:
            seq += len(turn.begun)
            text = msgspec.json.encode(turn.begun).decode()
            raw.execute(
                self._named("INSERT INTO @history VALUES (?, ?, ?, ?, '', '', ?)"),
                (run, seq, turn.at, BEGAN, text),
            )
        if turn.fold_before:
            raw.execute(
                self._named(
                    f"DELETE FROM @history WHERE run = ? AND seq < ? AND event IN ('{LINK}', '{BEGAN}')"
                ),
                (run, turn.fold_before),
            )
        self._write_rest(run, turn, seq)
        return last

    def _write_rest(self, run: str, turn: RunTurn, seq: int) -> None:
        """Write what most turns do not have."""
        raw = self._raw
        if turn.history:
            raw.executemany(
                self._named("INSERT INTO @history VALUES (?, ?, ?, ?, ?, ?, ?)"),
                [(run, seq + place, *row) for place, row in enumerate(turn.history, 1)],
            )
        if turn.answered:
            raw.executemany(
                self._named("DELETE FROM @requests WHERE id = ?"),
                [(each,) for each in turn.answered],
            )
        if turn.logs:
            for log, more in turn.logs:
                raw.execute(
                    self._named(_LOG_MORE if more else _LOG),
                    (run, *log),
                )

    def _write_ended(self, run: str, entry: EndedAttempt, seq: int) -> None:
        self._raw.execute(
            self._named(
                "INSERT OR REPLACE INTO @attempts (run, task, number, status, began, began_seq, ended, ended_seq, "
                "output, blob, error, due, fallback) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
            ),
            (
                run,
                entry.task,
                entry.number,
                entry.status,
                entry.began,
                entry.began_seq,
                entry.ended,
                seq,
                entry.output,
                entry.blob,
                entry.error,
                entry.due,
                entry.by,
            ),
        )


def put_completed(
    raw: sqlite3.Connection,
    named: Callable[[str], str],
    run: str,
    at: float,
    rows: Sequence[Folded],
) -> None:
    """Record completed attempts: many of them as one row, which costs a tenth."""
    if len(rows) < PACKED:
        insert_completed(raw, named, run, rows)
        return
    data = bytearray()
    _encode_into(rows, data)
    # The number of an attempt is the key of no other row, but a link may end with it: below zero none does.
    seq = -rows[-1][5]
    raw.execute(
        named(f"INSERT INTO @history VALUES (?, ?, ?, '{PACK}', '', '', ?)"), (run, seq, at, data)
    )


def unpack_runs(raw: sqlite3.Connection, named: Callable[[str], str], most: int) -> int:
    """Give the attempts of so many settled runs rows of their own; return how many runs that were."""
    runs = raw.execute(
        named(
            f"SELECT DISTINCT h.run FROM @history h JOIN @runs r ON r.id = h.run WHERE h.event = '{PACK}' "
            "AND r.status IN ('completed', 'failed', 'cancelled') LIMIT ?"
        ),
        (most,),
    ).fetchall()
    for (run,) in runs:
        packs = raw.execute(
            named(f"SELECT detail FROM @history WHERE run = ? AND event = '{PACK}'"), (run,)
        ).fetchall()
        for (data,) in packs:
            rows = msgspec.msgpack.decode(data)
            insert_completed(raw, named, run, [(*row[:6], bytearray(row[6])) for row in rows])
        raw.execute(named(f"DELETE FROM @history WHERE run = ? AND event = '{PACK}'"), (run,))
    return len(runs)


def insert_completed(
    raw: sqlite3.Connection, named: Callable[[str], str], run: str, rows: Sequence[Folded]
) -> None:
    """Insert completed attempts, in the order of the table: that halves the cost."""
    rows = sorted(rows)
    full = len(rows) - len(rows) % BATCH
    many = named(_insert(BATCH))
    for start in range(0, full, BATCH):
        raw.execute(many, (run, *chain.from_iterable(rows[start : start + BATCH])))
    if full < len(rows):
        single = named(_insert(1))
        for row in rows[full:]:
            raw.execute(single, (run, *row))


def put_stopped(
    raw: sqlite3.Connection,
    named: Callable[[str], str],
    run: str,
    seq: int,
    at: float,
    status: str,
    attempts: Sequence[OpenAttempt],
) -> None:
    """Insert one row for attempts that ended together; `seq` is the number of the last one."""
    detail = msgspec.json.encode((status, attempts)).decode()
    raw.execute(
        named(f"INSERT INTO @history VALUES (?, ?, ?, '{STOPPED}', '', '', ?)"),
        (run, seq, at, detail),
    )


def fence(raw: sqlite3.Connection, named: Callable[[str], str], turn: RunTurn) -> int:
    """Take the numbers of a turn and write what it changes in the run; raise Fenced if it is lost."""
    change = turn.change
    columns = "".join(f", {name} = ?" for name in change)
    row = raw.execute(
        named(
            f"UPDATE @runs SET seq = max(seq, ?) + ?{columns} WHERE id = ? AND epoch = ? RETURNING seq"
        ),
        (turn.seq, turn.transitions, *change.values(), turn.run, turn.epoch),
    ).fetchone()
    if row is None:
        raise FencedError(turn.run)
    return int(row[0])


def put_blob(
    raw: sqlite3.Connection, named: Callable[[str], str], key: bytes, data: bytes, at: float
) -> None:
    """Keep a blob under its hash; the same content is kept once."""
    raw.execute(
        named(
            "INSERT INTO @blobs VALUES (?, ?, ?) ON CONFLICT (hash) DO UPDATE SET used = excluded.used"
        ),
        (key, data, at),
    )


@lru_cache(maxsize=4)
def _insert(count: int) -> str:
    """Return the INSERT of so many completed attempts of one run; `?1` is the run."""
    rows = ", ".join(
        "(?1, 'completed', " + ", ".join(f"?{2 + 7 * row + place}" for place in range(7)) + ")"
        for row in range(count)
    )
    return (
        "INSERT OR REPLACE INTO @attempts (run, status, task, number, began, began_seq, ended, ended_seq, output) "
        f"VALUES {rows}"
    )
