"""What is known of the tasks of a run that goes on: completed outputs, tries, and what people decided."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from heddle.extensions.extension import Error
from heddle.extensions.tasks.run_stores.contract import AttemptRecord, RunClaim
from heddle.extensions.tasks.run_stores.payloads import decode_payload
from heddle.extensions.tasks.scheduler.journal import CRASHED, Recorded
from heddle.extensions.tasks.status import TaskStatus, Transition

LOSSES: Final = 3
"""Lost attempts after which a task fails with the code `crashed`, whatever its `retry` says."""

_STOPPED_FIRST: Final = Recorded(status=TaskStatus.PENDING, attempts=1)

_COMPLETED, _FAILED, _PENDING = TaskStatus.COMPLETED, TaskStatus.FAILED, TaskStatus.PENDING


class Known:
    """What a claim tells: `recorded` by task path, the paths already `skipped`, those to decide.

    `crashed` are tasks that were lost too often: they fail. `suspects` would be with one loss more: each
    begins alone, so that only the task that kills its worker is lost again. `unknown` are tasks that may have had their
    effect when they were lost, and are not to be tried again: a person decides.
    """

    def __init__(self) -> None:
        self.recorded: dict[str, Recorded] = {}
        self.skipped: set[str] = set()
        self.crashed: list[str] = []
        self.suspects: set[str] = set()
        self.unknown: list[str] = []


def read_claim(
    claim: RunClaim, is_idempotent: Callable[[str], bool], *, losses: int = LOSSES
) -> Known:
    """Return what a claim tells of each task."""
    known = Known()
    decided = _decisions(claim.history, known)
    recorded = known.recorded = {
        task: Recorded(
            status=_COMPLETED,
            output=None if data is None else decode_payload(data),
            attempts=number,
            by=by or "",
        )
        for task, number, data, by in claim.completed
    }
    troubled: dict[str, list[AttemptRecord]] = {}
    for attempt in claim.attempts:
        if attempt.status == "cancelled" and attempt.number == 1:
            # It was stopped before its code was called; it has no earlier attempt.
            recorded.setdefault(attempt.task, _STOPPED_FIRST)
        else:
            troubled.setdefault(attempt.task, []).append(attempt)
    recorded |= _skipped_by_person(claim.history)
    for task, attempts in troubled.items():
        if recorded.get(task, _STOPPED_FIRST) is _STOPPED_FIRST:
            since = max(decided.get(task, 0), decided.get("*", 0))
            recorded[task] = _judge(known, attempts, since, is_idempotent, losses)
    return known


def _decisions(history: Sequence[Transition], known: Known) -> Mapping[str, int]:
    """Return the number of the last retry of each task, "*" for all; note which skips are told."""
    retried: dict[str, int] = {}
    for transition in history:
        if transition.event == "retry":
            retried[transition.task] = transition.seq
            # What was skipped for lack of an input may get it now.
            known.skipped.clear()
        elif transition.event == "skipped":
            known.skipped.add(transition.task)
    return retried


def _skipped_by_person(history: Sequence[Transition]) -> dict[str, Recorded]:
    """Return the tasks that somebody decided to skip, or whose retry was decided after that."""
    skipped: dict[str, Recorded] = {}
    for transition in history:
        if transition.event == "skipped" and transition.actor:
            skipped[transition.task] = Recorded(status=TaskStatus.SKIPPED)
        elif transition.event == "retry":
            skipped.pop(transition.task, None)
    return skipped


def _judge(
    known: Known,
    attempts: Sequence[AttemptRecord],
    since: int,
    is_idempotent: Callable[[str], bool],
    losses: int,
) -> Recorded:
    """Return what is known of a task without a completed attempt; `since` is its last retry."""
    last = attempts[-1]
    counted = [each for each in attempts if (each.ended_seq or 0) > since]
    lost = [each for each in counted if each.status == "lost"]
    tries = sum(each.status in ("failed", "lost") for each in counted)
    task = last.task
    if len(lost) >= losses:
        known.crashed.append(task)
        message = f"its worker died {len(lost)} times while the task was running"
        return Recorded(
            status=_FAILED,
            error=Error(message, code=CRASHED, symbol=task),
            attempts=last.number,
            tries=tries,
        )
    if len(lost) == losses - 1:
        known.suspects.add(task)
    unsure = [each for each in counted if each.status in ("lost", "interrupted")]
    if unsure and unsure[-1] is last and not is_idempotent(task):
        known.unknown.append(task)
    if counted and last.status == "failed" and last.due is None:
        return Recorded(status=_FAILED, error=last.error, attempts=last.number, tries=tries)
    return Recorded(
        status=_PENDING,
        attempts=last.number,
        tries=tries,
        due=last.due if counted else None,
        error=last.error,
    )
