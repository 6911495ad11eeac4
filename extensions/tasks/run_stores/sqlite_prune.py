"""The removal of runs from a RunStore in SQLite, with all that only they needed: in pieces, each a small transaction.

A run disappears at once: its row becomes one of `removed`. What it had goes after that, a number of rows
at a time; if that is interrupted, the next removal goes on with it.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from heddle.extensions.tasks.run_stores.sqlite_rows import Named

RUNS: Final = 100
"""Runs that disappear in one piece."""

ROWS: Final = 1000
"""Rows of runs that go in one piece."""

_KEYS = {
    "attempts": "task, number",
    "history": "seq",
    "requests": "id",
    "logs": "task, number",
    "gates": "task",
    "jobs": "id",
}
"""The columns that tell the rows of one run apart."""

_USES = (
    "SELECT 1 FROM @attempts WHERE blob = ?1",
    "SELECT 1 FROM @runs WHERE input_blob = ?1",
    "SELECT 1 FROM @runs WHERE output_blob = ?1",
    "SELECT 1 FROM @outputs WHERE blob = ?1",
)


class PrunePiece(NamedTuple):
    """The result of one piece: how many runs disappeared, and whether nothing is left to do."""

    runs: int
    is_last: bool


def prune_piece(
    raw: sqlite3.Connection,
    named: Named,
    before: float,
    namespace: str | None = None,
    *,
    rows: int = ROWS,
) -> PrunePiece:
    """Do the next piece, of about so many rows, of removing the settled runs that ended before a time."""
    row = raw.execute(named("SELECT run FROM @removed LIMIT 1")).fetchone()
    if row is None:
        runs = _hide_runs(raw, named, before, namespace)
        return PrunePiece(runs, is_last=not runs)
    left = rows
    while row is not None and left > 0:
        left = _remove_rows(raw, named, row[0], left)
        row = raw.execute(named("SELECT run FROM @removed LIMIT 1")).fetchone()
    return PrunePiece(0, is_last=False)


def _hide_runs(raw: sqlite3.Connection, named: Named, before: float, namespace: str | None) -> int:
    """Let the next runs disappear; return how many."""
    rows = raw.execute(
        named(
            "SELECT id, input_blob, output_blob, definition FROM @runs WHERE "
            "status IN ('completed', 'failed', 'cancelled') AND ended < ?1 "
            f"AND (?2 IS NULL OR namespace = ?2) LIMIT {RUNS}"
        ),
        (before, namespace),
    ).fetchall()
    runs = [(row[0],) for row in rows]
    raw.executemany(named("INSERT INTO @removed VALUES (?) ON CONFLICT DO NOTHING"), runs)
    raw.executemany(named("DELETE FROM @runs WHERE id = ?"), runs)
    _remove_blobs(raw, named, (key for row in rows for key in row[1:3]))
    for key in {row[3] for row in rows if row[3] is not None}:
        raw.execute(
            named(
                "DELETE FROM @definitions WHERE hash = ?1 "
                "AND NOT EXISTS (SELECT 1 FROM @runs WHERE definition = ?1)"
            ),
            (key,),
        )
    return len(rows)


def _remove_rows(raw: sqlite3.Connection, named: Named, run: str, most: int) -> int:
    """Remove up to so many rows of a run that has disappeared; return how many more may go."""
    for table, keys in _KEYS.items():
        columns = f"{keys}, blob" if table == "attempts" else keys
        rows: Sequence[Sequence[Any]] = raw.execute(
            named(f"SELECT {columns} FROM @{table} WHERE run = ? LIMIT ?"), (run, most)
        ).fetchall()
        if not rows:
            continue
        count = keys.count(",") + 1
        tests = " AND ".join(f"{each.strip()} = ?" for each in keys.split(","))
        raw.executemany(
            named(f"DELETE FROM @{table} WHERE run = ? AND {tests}"),
            [(run, *row[:count]) for row in rows],
        )
        if table == "attempts":
            _remove_blobs(raw, named, (row[count] for row in rows))
        most -= len(rows)
        if most <= 0:
            return 0
    raw.execute(named("DELETE FROM @removed WHERE run = ?"), (run,))
    return most - 1


def _remove_blobs(raw: sqlite3.Connection, named: Named, keys: Iterable[bytes | None]) -> None:
    """Remove blobs that nothing uses any more."""
    for key in {each for each in keys if each is not None}:
        if not any(raw.execute(named(sql), (key,)).fetchone() for sql in _USES):
            raw.execute(named("DELETE FROM @blobs WHERE hash = ?"), (key,))
