"""How a Turn becomes rows of SQLite: one transaction, which begins with the fence.

Under the write lock of the file nobody else changes the epoch or the numbers of a run.
"""

import sqlite3
from collections.abc import Callable
from functools import lru_cache
from itertools import chain

import msgspec

from heddle.extensions.tasks.run_stores.contract import MANY, EndedAttempt, Turn
from heddle.extensions.tasks.scheduler.journal import Fenced

BATCH = 20
"""Rows of one INSERT: more gain nothing, and SQLite allows 999 values in old builds."""

ONE = """
CREATE TEMP VIEW @one_turn AS SELECT '' AS run, 0 AS epoch, '' AS task, 0 AS number, 0.0 AS ended, 0 AS ended_seq,
    x'' AS output, '' AS next, 0 AS next_number, 0.0 AS began, 0 AS began_seq;
CREATE TEMP TRIGGER @one_turn_written INSTEAD OF INSERT ON @one_turn BEGIN
    SELECT RAISE(ROLLBACK, 'fenced')
        WHERE NOT EXISTS (SELECT 1 FROM @runs WHERE id = new.run AND epoch = new.epoch);
    UPDATE @attempts SET status = 'completed', ended = new.ended, ended_seq = new.ended_seq, output = new.output
        WHERE run = new.run AND task = new.task AND number = new.number;
    INSERT INTO @attempts (run, task, number, status, began, began_seq, worker)
        SELECT new.run, new.next, new.next_number, 'running', new.began, new.began_seq, '{owner}'
        WHERE new.next <> '';
END;
"""
"""The turn of a chain as one statement: three calls of Python less for each task.

It does not write the row of the run: its numbers follow from those of the attempts, which `claim` reads.
"""


class TurnWriter:
    """Writes turns through one connection; `named` gives the tables their names."""

    def __init__(
        self, raw: sqlite3.Connection, named: Callable[[str], str], owner: str, *, quick: bool
    ) -> None:
        """With `quick`, the turn of a chain is one statement; a connection has one such writer."""
        self._raw = raw
        self._named = lru_cache(maxsize=256)(named)
        self._owner = owner
        self._quick = quick
        self._one = named(
            "INSERT INTO @one_turn VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)"
        )
        if quick:
            raw.executescript(named(ONE).replace("{owner}", owner.replace("'", "''")))

    def write(self, turn: Turn) -> None:
        """Write a turn as one transaction; raise Fenced, or sqlite3.Error with nothing written."""
        if self._quick and turn.alone and self._write_one(turn):
            return
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

    def _write_one(self, turn: Turn) -> bool:
        """Write a turn in which one attempt completed and at most one begins; False if it is another."""
        ended, begun = turn.ended, turn.begun
        if len(ended) != 1 or len(begun) > 1 or turn.completed or turn.history or turn.change:
            return False
        one = ended[0]
        if one.status != "completed" or not one.row or one.blob or one.by or turn.answered:
            return False
        if turn.logs:
            return False
        task, number = begun[0] if begun else ("", 0)
        seq = turn.seq
        try:
            self._raw.execute(
                self._one,
                (
                    turn.run,
                    turn.epoch,
                    one.task,
                    one.number,
                    one.ended,
                    seq + 1,
                    one.output,
                    task,
                    number,
                    turn.at,
                    seq + 2,
                ),
            )
        except sqlite3.IntegrityError as error:
            if str(error) == "fenced":
                raise Fenced(turn.run) from None
            raise
        turn.seq = seq + turn.transitions
        return True

    def _write_rows(self, turn: Turn) -> int:
        """Write all rows; return the last number that is taken."""
        raw, run = self._raw, turn.run
        last = fence(raw, self._named, turn)
        seq = last - turn.transitions
        for key, data in turn.blobs:
            put_blob(raw, self._named, key, data, turn.at)
        if turn.completed:
            self._insert_completed(run, turn, seq)
            seq += len(turn.completed)
        for one in turn.ended:
            seq += 1
            self._write_ended(run, one, seq)
        if turn.begun:
            self._write_begun(run, turn, seq)
            seq += len(turn.begun)
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
            raw.executemany(
                self._named("INSERT OR REPLACE INTO @logs VALUES (?, ?, ?, ?)"),
                [(run, *log) for log in turn.logs],
            )
        return last

    def _insert_completed(self, run: str, turn: Turn, seq: int) -> None:
        """Insert attempts that have no row yet, in the order of the table: that halves the cost."""
        rows = [
            (task, number, began, began_seq, ended, place, output)
            for place, (task, number, began, began_seq, ended, output) in enumerate(
                turn.completed, seq + 1
            )
        ]
        rows.sort()
        full = len(rows) - len(rows) % BATCH
        many = self._named(_insert(BATCH))
        for start in range(0, full, BATCH):
            self._raw.execute(many, (run, *chain.from_iterable(rows[start : start + BATCH])))
        if full < len(rows):
            single = self._named(_insert(1))
            for row in rows[full:]:
                self._raw.execute(single, (run, *row))

    def _write_ended(self, run: str, one: EndedAttempt, seq: int) -> None:
        values = (one.status, one.ended, seq, one.output, one.blob, one.error, one.due, one.by)
        if one.row:
            self._raw.execute(
                self._named(
                    "UPDATE @attempts SET status = ?, ended = ?, ended_seq = ?, output = ?, blob = ?, "
                    "error = ?, due = ?, fallback = ? WHERE run = ? AND task = ? AND number = ?"
                ),
                (*values, run, one.task, one.number),
            )
            return
        self._raw.execute(
            self._named(
                "INSERT OR REPLACE INTO @attempts (status, ended, ended_seq, output, blob, error, due, fallback, run, task, "
                "number, began, began_seq, worker) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
            ),
            (*values, run, one.task, one.number, one.began, one.began_seq, self._owner),
        )

    def _write_begun(self, run: str, turn: Turn, seq: int) -> None:
        if len(turn.begun) >= MANY:
            self._raw.execute(
                self._named("INSERT INTO @history VALUES (?, ?, ?, 'began', '', ?, ?)"),
                (
                    run,
                    seq + len(turn.begun),
                    turn.at,
                    self._owner,
                    msgspec.json.encode(turn.begun).decode(),
                ),
            )
            return
        self._raw.executemany(
            self._named(
                "INSERT INTO @attempts (run, task, number, status, began, began_seq, worker) "
                "VALUES (?, ?, ?, 'running', ?, ?, ?)"
            ),
            [
                (run, task, number, turn.at, place, self._owner)
                for place, (task, number) in enumerate(turn.begun, seq + 1)
            ],
        )


def fence(raw: sqlite3.Connection, named: Callable[[str], str], turn: Turn) -> int:
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
        raise Fenced(turn.run)
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
        "INSERT INTO @attempts (run, status, task, number, began, began_seq, ended, ended_seq, output) "
        f"VALUES {rows}"
    )
