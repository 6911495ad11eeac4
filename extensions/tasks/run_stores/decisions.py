"""Decisions of people about the tasks of a run: the next owner of the run applies them, and records who."""

from heddle.extensions.tasks.run_stores.contract import Request, RunClaim
from heddle.extensions.tasks.run_stores.durable_journal import DurableJournal
from heddle.extensions.tasks.status import TaskStatus

VERBS = frozenset({"cancel", "retry", "skip", "complete", "priority"})
"""The verbs of requests about a run."""


def apply_requests(journal: DurableJournal, claim: RunClaim) -> None:
    """Report what the requests of a claim change, all but a cancellation; the caller commits."""
    numbers: dict[str, int] = {each[0]: each[1] for each in claim.completed}
    for attempt in claim.attempts:
        numbers[attempt.task] = max(numbers.get(attempt.task, 0), attempt.number)
    for request in claim.requests:
        if request.verb == "cancel":
            continue
        _apply(journal, request, numbers)
        journal.answer_requests(request.id)


def _apply(journal: DurableJournal, request: Request, numbers: dict[str, int]) -> None:
    task, actor = request.task, request.actor
    if request.verb == "skip":
        journal.note(str(TaskStatus.SKIPPED), task=task, actor=actor or "somebody")
    elif request.verb == "retry":
        journal.note("retry", task=task or "*", actor=actor)
    elif request.verb == "complete":
        numbers[task] = numbers.get(task, 0) + 1
        journal.complete(task, numbers[task], request.payload or b"\xc0")
        journal.note("decided", task=task, actor=actor, detail={"verb": request.verb})
    elif request.verb == "priority":
        journal.prioritize(int.from_bytes(request.payload or b"\x01", "big", signed=True), actor)
