"""How rows of SQLite become records: runs, attempts, transitions, requests."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from heapq import merge
from typing import Any
from uuid import UUID

import msgspec

from heddle.extensions.extension import Error
from heddle.extensions.tasks.run_stores.contract import (
    AttemptRecord,
    Claim,
    Request,
    RunRecord,
)
from heddle.extensions.tasks.run_stores.payloads import error_of
from heddle.extensions.tasks.status import RunStatus, Transition

Named = Callable[[str], str]

RUN = (
    "SELECT r.id, r.namespace, r.workflow, r.status, r.created, r.definition, r.idempotency_key, r.reason, "
    "coalesce(r.input, i.data), coalesce(r.output, o.data), r.error, r.priority, r.parent, r.tags, r.creator, "
    "r.code, r.began, r.ended, r.deadline, r.wake, r.owner, r.epoch, r.lease, r.seq FROM @runs r "
    "LEFT JOIN @blobs i ON i.hash = r.input_blob LEFT JOIN @blobs o ON o.hash = r.output_blob"
)
_ATTEMPTS = (
    "SELECT a.task, a.number, a.status, a.began, a.began_seq, a.ended, a.ended_seq, a.due, a.worker, "
    "a.fallback, a.progress, a.note, coalesce(a.output, b.data), a.error FROM @attempts a "
    "LEFT JOIN @blobs b ON b.hash = a.blob WHERE a.run = ?"
)
_REQUESTS = "SELECT id, run, at, verb, task, actor, payload FROM @requests"

_decode = msgspec.json.decode


def read_run(row: Sequence[Any]) -> RunRecord:
    """Return the record of a row of RUN."""
    return RunRecord(
        id=UUID(row[0]),
        namespace=row[1],
        workflow=row[2],
        status=RunStatus(row[3]),
        created=row[4],
        definition=row[5],
        idempotency_key=row[6],
        reason=row[7],
        stored_input=row[8],
        stored_output=row[9],
        error=_error(row[10]),
        priority=row[11],
        parent=UUID(row[12]) if row[12] else None,
        tags=_decode(row[13]),
        creator=row[14],
        code=_decode(row[15]),
        began=row[16],
        ended=row[17],
        deadline=row[18],
        wake=row[19],
        owner=row[20],
        epoch=row[21],
        lease=row[22],
        seq=row[23],
    )


def find_run(raw: sqlite3.Connection, named: Named, run: UUID) -> RunRecord | None:
    """Return a run, or None."""
    row = raw.execute(named(f"{RUN} WHERE r.id = ?"), (str(run),)).fetchone()
    return None if row is None else read_run(row)


def list_attempts(raw: sqlite3.Connection, named: Named, run: UUID) -> list[AttemptRecord]:
    """Return all attempts of a run in the order in which they began."""
    attempts = [
        AttemptRecord(
            task=row[0],
            number=row[1],
            status=row[2],
            began=row[3],
            began_seq=row[4],
            ended=row[5],
            ended_seq=row[6],
            due=row[7],
            worker=row[8] or "",
            by=row[9] or "",
            progress=row[10],
            note=row[11] or "",
            stored_output=row[12],
            error=_error(row[13]),
        )
        for row in raw.execute(named(_ATTEMPTS), (str(run),))
    ]
    batches = raw.execute(
        named("SELECT seq, at, actor, detail FROM @history WHERE run = ? AND event = 'began'"),
        (str(run),),
    ).fetchall()
    if batches:
        attempts += _running(attempts, batches)
    attempts.sort(key=lambda each: each.began_seq or each.ended_seq or 0)
    return attempts


def _running(
    attempts: list[AttemptRecord], batches: Sequence[Sequence[Any]]
) -> Iterator[AttemptRecord]:
    """Yield the attempts of batches that have no row, as they have not ended."""
    ended = {(each.task, each.number) for each in attempts}
    for seq, at, actor, detail in batches:
        begun = _decode(detail)
        for place, (task, number) in enumerate(begun, seq - len(begun) + 1):
            if (task, number) not in ended:
                yield AttemptRecord(
                    task=task,
                    number=number,
                    status="running",
                    began=at,
                    began_seq=place,
                    worker=actor,
                )


def list_transitions(
    raw: sqlite3.Connection, named: Named, run: UUID, after: int = 0
) -> list[Transition]:
    """Return the transitions of a run in order: those of the history, and those that attempts tell."""
    told = _of_attempts(run, list_attempts(raw, named, run))
    kept = [
        Transition(
            run=run,
            seq=row[0],
            at=row[1],
            event=row[2],
            task=row[3],
            actor=row[4],
            detail=_decode(row[5]) if row[5] else {},
        )
        for row in raw.execute(
            named(
                "SELECT seq, at, event, task, actor, detail FROM @history WHERE run = ? AND event <> 'began' "
                "ORDER BY seq"
            ),
            (str(run),),
        )
    ]
    both = merge(sorted(told, key=lambda each: each.seq), kept, key=lambda each: each.seq)
    return [each for each in both if each.seq > after]


def _of_attempts(run: UUID, attempts: Sequence[AttemptRecord]) -> Iterator[Transition]:
    for each in attempts:
        if each.began_seq is not None and each.began is not None:
            yield Transition(
                run=run,
                seq=each.began_seq,
                at=each.began,
                event="running",
                task=each.task,
                number=each.number,
            )
        if each.ended_seq is not None and each.ended is not None:
            yield Transition(
                run=run,
                seq=each.ended_seq,
                at=each.ended,
                event="retrying" if each.due is not None else each.status,
                task=each.task,
                number=each.number,
                detail=_detail(each),
            )


def _detail(attempt: AttemptRecord) -> dict[str, Any]:
    detail: dict[str, Any] = {}
    if attempt.due is not None:
        detail["due"] = attempt.due
    if attempt.by:
        detail["by"] = attempt.by
    if attempt.error is not None:
        detail["code"], detail["message"] = attempt.error.code, attempt.error.message
    return detail


def list_requests(
    raw: sqlite3.Connection, named: Named, *, run: UUID | None = None, owner: str = ""
) -> list[Request]:
    """Return the requests for a run, or for all runs of an owner."""
    where, value = "run = ?", str(run)
    if run is None:
        where = "run IN (SELECT id FROM @runs WHERE owner = ? AND status = 'running')"
        value = owner
    return [
        Request(
            id=row[0],
            run=UUID(row[1]),
            at=row[2],
            verb=row[3],
            task=row[4],
            actor=row[5],
            payload=row[6],
        )
        for row in raw.execute(named(f"{_REQUESTS} WHERE {where} ORDER BY id"), (value,))
    ]


def load_claim(raw: sqlite3.Connection, named: Named, run: UUID) -> Claim | None:
    """Return what is recorded of a run, to go on with it."""
    record = find_run(raw, named, run)
    if record is None:
        return None
    history = [
        Transition(
            run=run,
            seq=row[0],
            at=row[1],
            event=row[2],
            task=row[3],
            actor=row[4],
            detail=_decode(row[5]) if row[5] else {},
        )
        for row in raw.execute(
            named(
                "SELECT seq, at, event, task, actor, detail FROM @history WHERE run = ? AND event <> 'began' "
                "AND task <> '' ORDER BY seq"
            ),
            (str(run),),
        )
    ]
    attempts = list_attempts(raw, named, run)
    return Claim(record, attempts, history, list_requests(raw, named, run=run))


def _error(text: str | None) -> Error | None:
    return None if text is None else error_of(_decode(text))
