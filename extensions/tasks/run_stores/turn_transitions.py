"""The transitions that a recorded turn holds, for those who watch a run while it goes on."""

from collections.abc import Iterator
from uuid import UUID

import msgspec

from heddle.extensions.tasks.run_stores.contract import RunTurn
from heddle.extensions.tasks.status import Transition


def list_transitions_of(run: UUID, turn: RunTurn) -> Iterator[Transition]:
    """Yield the transitions of a turn in order; its `seq` is the number of the last one."""
    seq = turn.seq - turn.transitions
    for task, number, _, _, ended, _ in turn.completed:
        seq += 1
        yield Transition(run=run, seq=seq, at=ended, event="completed", task=task, number=number)
    for entry in turn.ended:
        seq += 1
        detail = {} if entry.due is None else {"due": entry.due}
        if entry.error is not None:
            error = msgspec.json.decode(entry.error)
            detail |= {"code": error["code"], "message": error["message"]}
        yield Transition(
            run=run,
            seq=seq,
            at=entry.ended,
            event="retrying" if entry.due is not None else entry.status,
            task=entry.task,
            number=entry.number,
            detail=detail,
        )
    for status, attempts in turn.stopped:
        for task, number, _, _ in attempts:
            seq += 1
            yield Transition(run=run, seq=seq, at=turn.at, event=status, task=task, number=number)
    for task, number in turn.begun:
        seq += 1
        yield Transition(run=run, seq=seq, at=turn.at, event="running", task=task, number=number)
    for row in turn.history:
        seq += 1
        yield Transition(
            run=run,
            seq=seq,
            at=row.at,
            event=row.event,
            task=row.task,
            actor=row.actor,
            detail=msgspec.json.decode(row.detail) if row.detail else {},
        )
