"""Records from rows of SQLite: runs, attempts, transitions, requests."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from heapq import merge
from typing import Any
from uuid import UUID

import msgspec

from heddle.extensions.extension import Error
from heddle.extensions.tasks.run_stores.contract import (
    BEGAN,
    LINK,
    PACK,
    STOPPED,
    AttemptRecord,
    Output,
    Request,
    RunClaim,
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
    attempts = _read_attempts(raw, named, run, "")
    attempts += _expand({(each.task, each.number) for each in attempts}, _batches(raw, named, run))
    attempts.sort(key=_in_order)
    return attempts


def _in_order(attempt: AttemptRecord) -> int:
    return attempt.began_seq or attempt.ended_seq or 0


def _read_attempts(
    raw: sqlite3.Connection, named: Named, run: UUID, test: str
) -> list[AttemptRecord]:
    return [
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
        for row in raw.execute(named(_ATTEMPTS + test), (str(run),))
    ]


Batch = tuple[int, float, str, Any]
"""A row of the history that tells of attempts: number, time, event, detail."""


def _batches(raw: sqlite3.Connection, named: Named, run: UUID) -> list[Batch]:
    return raw.execute(
        named(
            "SELECT seq, at, event, detail FROM @history WHERE run = ? "
            f"AND event IN ('{BEGAN}', '{LINK}', '{PACK}', '{STOPPED}') ORDER BY seq"
        ),
        (str(run),),
    ).fetchall()


def _expand(ended: set[tuple[str, int]], batches: Sequence[Batch]) -> list[AttemptRecord]:
    """Return the attempts that have no row: those of links, and those that have not ended or were stopped.

    `ended` are those that have one.
    """
    added: list[AttemptRecord] = []
    running: dict[tuple[str, int], tuple[int, float]] = {}
    for seq, at, event, detail in batches:
        if event == PACK:
            for row in msgspec.msgpack.decode(detail):
                _add_completed(added, ended, row)
            continue
        if event == STOPPED:
            status, stopped = _decode(detail)
            for place, (task, number, began, began_seq) in _numbered(stopped, seq):
                running.pop((task, number), None)
                added.append(
                    AttemptRecord(
                        task=task,
                        number=number,
                        status=status,
                        began=began,
                        began_seq=began_seq,
                        ended=at,
                        ended_seq=place,
                    )
                )
            continue
        begun = _decode(detail) if event == BEGAN else _read_link(added, ended, seq, detail)
        for place, (task, number) in _numbered(begun, seq):
            if (task, number) not in ended:
                running[task, number] = place, at
    added += [
        AttemptRecord(task=task, number=number, status="running", began=at, began_seq=place)
        for (task, number), (place, at) in running.items()
        if (task, number) not in ended
    ]
    return added


def _numbered(items: Any, last: int) -> Iterator[tuple[int, Any]]:
    """Yield items with the numbers of their transitions, of which this is the last one."""
    return enumerate(items, last - len(items) + 1)


def _read_link(
    added: list[AttemptRecord], ended: set[tuple[str, int]], seq: int, detail: bytes
) -> Any:
    """Add what completed in a link, unless it is folded; return what began in it."""
    completed, begun = msgspec.msgpack.decode(detail)
    for place, row in _numbered(completed, seq - len(begun)):
        task, number, began, began_seq, at, output = row
        _add_completed(added, ended, (task, number, began, began_seq, at, place, output))
    return begun


def _add_completed(
    added: list[AttemptRecord], ended: set[tuple[str, int]], row: Sequence[Any]
) -> None:
    """Add a completed attempt, unless it has a row."""
    task, number, began, began_seq, at, ended_seq, output = row
    if (task, number) in ended:
        return
    ended.add((task, number))
    added.append(
        AttemptRecord(
            task=task,
            number=number,
            status="completed",
            began=began,
            began_seq=began_seq,
            ended=at,
            ended_seq=ended_seq,
            stored_output=output,
        )
    )


def list_transitions(
    raw: sqlite3.Connection, named: Named, run: UUID, after: int = 0
) -> list[Transition]:
    """Return the transitions of a run in order: those of the history, and those that attempts tell."""
    transitions = _of_attempts(run, list_attempts(raw, named, run))
    kept = _read_history(raw, named, run, "")
    both = merge(sorted(transitions, key=lambda each: each.seq), kept, key=lambda each: each.seq)
    return [each for each in both if each.seq > after]


def _read_history(raw: sqlite3.Connection, named: Named, run: UUID, test: str) -> list[Transition]:
    """Return the transitions that no attempt tells."""
    rows = raw.execute(
        named(
            "SELECT seq, at, event, task, actor, detail FROM @history WHERE run = ? "
            f"AND event NOT IN ('{BEGAN}', '{LINK}', '{PACK}', '{STOPPED}') {test} ORDER BY seq"
        ),
        (str(run),),
    )
    return [
        Transition(
            run=run,
            seq=row[0],
            at=row[1],
            event=row[2],
            task=row[3],
            actor=row[4],
            detail=_decode(row[5]) if row[5] else {},
        )
        for row in rows
    ]


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


def load_claim(raw: sqlite3.Connection, named: Named, run: UUID) -> RunClaim | None:
    """Return what is recorded of a run, to go on with it."""
    record = find_run(raw, named, run)
    if record is None:
        return None
    completed, attempts, unfolded = load_tasks(raw, named, run)
    completed += [(each.task, each.number, each.stored_output, None) for each in unfolded]
    history = _read_history(raw, named, run, "AND task <> ''")
    return RunClaim(record, completed, attempts, history, list_requests(raw, named, run=run))


def load_tasks(
    raw: sqlite3.Connection, named: Named, run: UUID
) -> tuple[list[Output], list[AttemptRecord], list[AttemptRecord]]:
    """Return the outputs that have rows, the attempts that did not complete, and those of links that did."""
    completed: list[Output] = raw.execute(
        named(
            "SELECT a.task, a.number, coalesce(a.output, b.data), a.fallback FROM @attempts a "
            "LEFT JOIN @blobs b ON b.hash = a.blob WHERE a.run = ? AND a.status = 'completed'"
        ),
        (str(run),),
    ).fetchall()
    attempts = _read_attempts(raw, named, run, " AND a.status <> 'completed'")
    batches = _batches(raw, named, run)
    for batch in batches:
        if batch[2] == PACK:
            # Most of a run: no record is made of them.
            completed += [
                (row[0], row[1], row[6], None) for row in msgspec.msgpack.decode(batch[3])
            ]
    rest = [batch for batch in batches if batch[2] != PACK]
    ended: set[tuple[str, int]] = set()
    if any(batch[2] != STOPPED for batch in rest):
        ended = {(each[0], each[1]) for each in completed}
        ended |= {(each.task, each.number) for each in attempts}
    added = _expand(ended, rest)
    attempts += [each for each in added if each.status != "completed"]
    attempts.sort(key=_in_order)
    return completed, attempts, [each for each in added if each.status == "completed"]


def _error(text: str | None) -> Error | None:
    return None if text is None else error_of(_decode(text))
