"""The known facts about the tasks of a run that goes on: completed outputs, tries, and decisions of people."""

from collections.abc import Callable, Sequence
from typing import Final

from heddle.extensions.extension import Error
from heddle.extensions.tasks.graph.task_graph import walk_outward
from heddle.extensions.tasks.run_stores.contract import AttemptRecord, RunClaim
from heddle.extensions.tasks.run_stores.payloads import decode_payload
from heddle.extensions.tasks.scheduler.journal import CRASHED, Recorded
from heddle.extensions.tasks.status import TaskStatus, Transition

LOSSES: Final = 3
"""Lost attempts after which a task fails with the code `crashed`, whatever its `retry` says."""

_STOPPED_FIRST: Final = Recorded(status=TaskStatus.PENDING, attempts=1)

_COMPLETED, _FAILED, _PENDING = TaskStatus.COMPLETED, TaskStatus.FAILED, TaskStatus.PENDING


class Known:
    """The content of a claim: `recorded` by task path, the paths already `skipped`, those to decide.

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


class Decisions:
    """The decisions of people about the tasks of a run. The last decision about a task holds.

    A retry is one of a task and of all that it holds: items, and the tasks of a workflow inside. `noted`
    are the tasks whose skip is in the history and still holds, whoever skipped them.
    """

    def __init__(self) -> None:
        self.noted: set[str] = set()
        self._retried: dict[str, int] = {}
        self._skipped: dict[str, int] = {}
        self._reopened: dict[str, int] = {}

    def take(self, transition: Transition) -> None:
        """Take the next transition of the history."""
        task, seq = transition.task, transition.seq
        if transition.event == "retry":
            self._retried[task] = seq
            # What holds a task that is tried again has to run for it.
            self._reopened.update(dict.fromkeys(walk_outward(task), seq))
            # What was skipped for lack of an input may get it now.
            self.noted.clear()
        elif transition.event == "skipped":
            self.noted.add(task)
            if transition.actor:
                self._skipped[task] = seq
        elif transition.event == "decided":
            self._skipped.pop(task, None)
            self.noted.clear()

    def retry_of(self, task: str) -> int:
        """Return the number of the last retry of a task, or of what holds it; 0 if there was none."""
        retried = self._retried
        return max(retried.get("*", 0), *(retried.get(path, 0) for path in walk_outward(task)))

    def reopened_at(self, task: str) -> int:
        """Return the number of the last decision by which a task may run again; 0 if there was none.

        That is a retry of it, of what holds it, or of something that it holds.
        """
        return max(self.retry_of(task), self._reopened.get(task, 0))

    def skipped(self) -> list[str]:
        """Return the tasks that a person skipped, and about which nothing was decided after that."""
        return [task for task, seq in self._skipped.items() if seq > self.reopened_at(task)]


def read_decisions(history: Sequence[Transition]) -> Decisions:
    """Return what was decided in the history of a run."""
    decisions = Decisions()
    for transition in history:
        decisions.take(transition)
    decisions.noted.update(decisions.skipped())
    return decisions


def read_claim(
    claim: RunClaim, is_idempotent: Callable[[str], bool], *, losses: int = LOSSES
) -> Known:
    """Return what a claim tells of each task."""
    known = Known()
    decisions = read_decisions(claim.history)
    known.skipped = decisions.noted
    recorded = known.recorded = {
        task: Recorded(
            status=_COMPLETED,
            output=None if data is None else decode_payload(data),
            attempts=number,
            by=by or "",
        )
        for task, number, data, by in claim.completed
    }
    failed: dict[str, list[AttemptRecord]] = {}
    for attempt in claim.attempts:
        if attempt.status == "cancelled" and attempt.number == 1:
            # It was stopped before its code was called; it has no earlier attempt.
            recorded.setdefault(attempt.task, _STOPPED_FIRST)
        else:
            failed.setdefault(attempt.task, []).append(attempt)
    recorded |= {task: Recorded(status=TaskStatus.SKIPPED) for task in decisions.skipped()}
    for task, attempts in failed.items():
        if recorded.get(task, _STOPPED_FIRST) is _STOPPED_FIRST:
            since = decisions.retry_of(task)
            recorded[task] = _judge(known, attempts, since, is_idempotent, losses)
    return known


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
