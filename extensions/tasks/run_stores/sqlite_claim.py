"""The owner of a run in SQLite: the run is inserted with one, or claimed from one that is gone."""

import sqlite3
from collections.abc import Callable, Collection
from typing import Any
from uuid import UUID

import msgspec

from heddle.extensions.tasks.run_stores.contract import (
    AGEING,
    BEGAN,
    LINK,
    MOST_CLAIMABLE,
    NewRun,
    RunClaim,
    RunRecord,
)
from heddle.extensions.tasks.run_stores.payloads import content_hash, encode_payload
from heddle.extensions.tasks.run_stores.sqlite_rows import (
    Named,
    find_run,
    load_claim,
    load_tasks,
)
from heddle.extensions.tasks.run_stores.sqlite_turn import put_blob, put_completed, put_stopped
from heddle.extensions.tasks.status import SETTLED_RUN, RunStatus

INLINE = 2048
"""Bytes up to which the input of a run stands in its row: the row is written again and again."""


def insert_run(
    raw: sqlite3.Connection, named: Named, run: NewRun, at: float, owner: str, lease: float
) -> tuple[RunRecord, bool]:
    """Insert a run, with its Definition and its first transition; or return the one with its key."""
    running = run.status is RunStatus.RUNNING
    stored = encode_payload(run.input)
    apart = content_hash(stored) if len(stored) > INLINE else None
    row = {
        "id": str(run.id),
        "namespace": run.namespace,
        "workflow": run.workflow,
        "definition": run.definition.hash if run.definition else None,
        "idempotency_key": run.idempotency_key,
        "status": str(run.status),
        "input": None if apart else stored,
        "input_blob": apart,
        "priority": run.priority,
        "parent": str(run.parent) if run.parent else None,
        "tags": _json(run.tags),
        "creator": run.creator,
        "code": _json(run.code),
        "created": at,
        "began": at if running else None,
        "deadline": run.deadline,
        "wake": None if running else at,
        "owner": owner if running else "",
        "epoch": 1 if running else 0,
        "lease": at + lease if running else None,
        "seq": 1,
    }
    done = raw.execute(
        named(
            f"INSERT INTO @runs ({', '.join(row)}) VALUES ({', '.join('?' for _ in row)}) "
            "ON CONFLICT DO NOTHING"
        ),
        tuple(row.values()),
    )
    if not done.rowcount:
        return _existing(raw, named, run), False
    if apart is not None:
        put_blob(raw, named, apart, stored, at)
    if run.definition is not None and not _is_known(raw, named, run.definition.hash):
        raw.execute(
            named("INSERT INTO @definitions VALUES (?, ?) ON CONFLICT DO NOTHING"),
            (run.definition.hash, run.definition.specs.decode()),
        )
    put_history(raw, named, str(run.id), 1, at, str(run.status), actor=run.creator)
    record = find_run(raw, named, run.id)
    if record is None:
        raise sqlite3.IntegrityError("the row that was inserted is not there")
    return record, True


def _is_known(raw: sqlite3.Connection, named: Named, key: bytes) -> bool:
    sql = named("SELECT 1 FROM @definitions WHERE hash = ?")
    return raw.execute(sql, (key,)).fetchone() is not None


def _existing(raw: sqlite3.Connection, named: Named, run: NewRun) -> RunRecord:
    row = raw.execute(
        named("SELECT id FROM @runs WHERE namespace = ? AND workflow = ? AND idempotency_key = ?"),
        (run.namespace, run.workflow, run.idempotency_key),
    ).fetchone()
    record = find_run(raw, named, UUID(row[0]) if row else run.id)
    if record is None:
        raise sqlite3.IntegrityError(f"the run {run.id} could not be inserted")
    return record


def claim_run(
    raw: sqlite3.Connection,
    named: Named,
    run: UUID,
    *,
    at: float,
    owner: str,
    lease: float,
    gone: Callable[[str], bool],
    take: bool,
    again: bool,
) -> RunClaim | None:
    """Give a run to a new owner, and mark as lost what the old one was at; None if it has an owner.

    Attempts that began after the last commit of the old owner were never recorded: they are not lost.
    """
    record = find_run(raw, named, run)
    if record is None:
        return None
    if record.status in SETTLED_RUN and not (again and record.status is RunStatus.FAILED):
        return None
    held = record.status is RunStatus.RUNNING and (record.lease or 0.0) > at
    if held and not take and not gone(record.owner):
        return None
    seq = _settle_attempts(raw, named, run, at, last_number(raw, named, record)) + 1
    detail = {"from": str(record.status), "owner": owner}
    if record.reason:
        detail["reason"] = record.reason
    put_history(raw, named, str(run), seq, at, "resumed", detail=detail)
    raw.execute(
        named(
            "UPDATE @runs SET status = 'running', reason = '', owner = ?, lease = ?, epoch = epoch + 1, "
            "seq = ?, wake = NULL, began = coalesce(began, ?), ended = NULL, error = NULL WHERE id = ?"
        ),
        (owner, at + lease, seq, at, str(run)),
    )
    return load_claim(raw, named, run)


def _settle_attempts(raw: sqlite3.Connection, named: Named, run: UUID, at: float, seq: int) -> int:
    """Fold what the old owner left, and mark as lost what it was at; return the last number then.

    One row lists all attempts that are lost; the rows by which they began are not needed any more.
    """
    text = str(run)
    begun = raw.execute(
        named(f"SELECT 1 FROM @history WHERE run = ? AND event IN ('{BEGAN}', '{LINK}') LIMIT 1"),
        (text,),
    ).fetchone()
    if begun is None:
        return seq
    _, attempts, unfolded = load_tasks(raw, named, run)
    if unfolded:
        rows = [
            (
                each.task,
                each.number,
                each.began or at,
                each.began_seq or 0,
                each.ended or at,
                each.ended_seq or 0,
                bytearray(each.stored_output or b""),
            )
            for each in unfolded
        ]
        put_completed(raw, named, text, at, rows)
    lost = [
        (each.task, each.number, each.began, each.began_seq)
        for each in attempts
        if each.status == "running"
    ]
    raw.execute(
        named(f"DELETE FROM @history WHERE run = ? AND event IN ('{BEGAN}', '{LINK}')"), (text,)
    )
    if lost:
        seq += len(lost)
        put_stopped(raw, named, text, seq, at, "lost", lost)
    return seq


def last_number(raw: sqlite3.Connection, named: Named, record: RunRecord) -> int:
    """Return the last number of a run: that of its row may be behind those of its links."""
    row = raw.execute(
        named("SELECT max(seq) FROM @history WHERE run = ?"), (str(record.id),)
    ).fetchone()
    return max(record.seq, int(row[0] or 0))


def find_claimable(
    raw: sqlite3.Connection,
    named: Named,
    namespace: str,
    *,
    at: float,
    owner: str,
    gone: Collection[str],
    workflows: Collection[str] | None,
    without: Collection[UUID],
) -> list[RunRecord]:
    """Return the runs that are to go on, the most urgent first; `gone` are owners that are known to be gone.

    Each part looks through an index that holds only what waits or runs, never through settled runs; and
    only the ids are sorted, not the inputs.
    """
    # "+namespace": the index of namespaces holds all runs, those that are settled, too.
    kinds, names = "", list[str]()
    if workflows is not None:
        names = list(workflows)
        kinds = f" AND workflow IN ({_marks(names)})"
    most = MOST_CLAIMABLE + len(without)
    tail = f"{kinds} ORDER BY urgency, id LIMIT {most}"
    waits = "status IN ('queued', 'suspended') AND +namespace = ?"
    parts: list[tuple[str, list[Any]]] = [
        (f"{_URGENCY} WHERE {waits} AND wake <= ?{tail}", [namespace, at]),
        (
            f"{_URGENCY} WHERE id IN (SELECT run FROM @requests) AND {waits} AND wake IS NULL{tail}",
            [namespace],
        ),
        (
            f"{_URGENCY} WHERE status = 'running' AND lease < ? AND +namespace = ? AND owner <> ?{tail}",
            [at, namespace, owner],
        ),
    ]
    if gone:
        parts.append(
            (
                f"{_URGENCY} WHERE status = 'running' AND lease >= ? AND +namespace = ? AND owner IN ({_marks(gone)}){tail}",
                [at, namespace, *gone],
            )
        )
    skipped = {str(each) for each in without}
    urgent: list[tuple[float, str]] = []
    for sql, values in parts:
        urgent += [
            (row[1], row[0])
            for row in raw.execute(named(sql), (*values, *names))
            if row[0] not in skipped
        ]
    urgent.sort()
    runs = (find_run(raw, named, UUID(run)) for _, run in urgent[:MOST_CLAIMABLE])
    return [run for run in runs if run is not None]


_URGENCY = f"SELECT id, coalesce(wake, created) - priority * {AGEING} AS urgency FROM @runs"


def _marks(values: Collection[Any]) -> str:
    return ", ".join("?" for _ in values)


def has_runs(raw: sqlite3.Connection, named: Named, owner: str) -> bool:
    """Return whether runs are recorded as those of an owner."""
    row = raw.execute(
        named("SELECT 1 FROM @runs WHERE status = 'running' AND owner = ? LIMIT 1"), (owner,)
    ).fetchone()
    return row is not None


def put_history(
    raw: sqlite3.Connection,
    named: Named,
    run: str,
    seq: int,
    at: float,
    event: str,
    *,
    actor: str = "",
    detail: dict[str, Any] | None = None,
) -> None:
    """Insert one transition of a run."""
    raw.execute(
        named("INSERT INTO @history VALUES (?, ?, ?, ?, '', ?, ?)"),
        (run, seq, at, event, actor, _json(detail) if detail else ""),
    )


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
