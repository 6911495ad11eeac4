"""How runs leave a RunStore in SQLite, with all that only they needed."""

import sqlite3

from heddle.extensions.tasks.run_stores.sqlite_rows import Named

_OWN = ("attempts", "history", "requests", "logs", "gates", "jobs")

_UNUSED = (
    (
        "DELETE FROM @blobs WHERE hash NOT IN (SELECT blob FROM @attempts WHERE blob IS NOT NULL) "
        "AND hash NOT IN (SELECT blob FROM @outputs WHERE blob IS NOT NULL) "
        "AND hash NOT IN (SELECT input_blob FROM @runs WHERE input_blob IS NOT NULL) "
        "AND hash NOT IN (SELECT output_blob FROM @runs WHERE output_blob IS NOT NULL)"
    ),
    (
        "DELETE FROM @definitions WHERE hash NOT IN "
        "(SELECT definition FROM @runs WHERE definition IS NOT NULL)"
    ),
)


def prune_runs(
    raw: sqlite3.Connection, named: Named, before: float, namespace: str | None = None
) -> int:
    """Remove settled runs that ended before a time; return how many."""
    runs = [
        row[0]
        for row in raw.execute(
            named(
                "SELECT id FROM @runs WHERE status IN ('completed', 'failed', 'cancelled') AND ended < ?1 "
                "AND (?2 IS NULL OR namespace = ?2)"
            ),
            (before, namespace),
        )
    ]
    for table in _OWN:
        raw.executemany(named(f"DELETE FROM @{table} WHERE run = ?"), [(each,) for each in runs])
    raw.executemany(named("DELETE FROM @runs WHERE id = ?"), [(each,) for each in runs])
    if runs:
        for statement in _UNUSED:
            raw.execute(named(statement))
    return len(runs)
