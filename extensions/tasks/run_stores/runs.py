"""Runs: what people and commands do with the runs of a RunStore, by its address.

    async with open_runs("runs.sqlite") as runs:
        run = await runs.find_id("last")
        print(await runs.show(run))
        await runs.skip(run, "order", actor="ada")

Verbs never write the state of a run that somebody works on: they leave a request for its owner. If
nobody works on the run, they take it, apply the decision, and let go of it.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final
from uuid import UUID

import msgspec

from heddle.extensions.extension import Error
from heddle.extensions.tasks.run_stores.contract import (
    AttemptRecord,
    NoRun,
    RunRecord,
    RunStore,
    RunStoreError,
)
from heddle.extensions.tasks.run_stores.decisions import apply_requests
from heddle.extensions.tasks.run_stores.durable_journal import DurableJournal
from heddle.extensions.tasks.run_stores.opener import open_run_store
from heddle.extensions.tasks.run_stores.payloads import encode_payload
from heddle.extensions.tasks.run_stores.recorded import read_decisions
from heddle.extensions.tasks.status import SETTLED_RUN, RunStatus, Transition
from heddle.schemas.suggestion import did_you_mean

LOOK: Final = 0.1
"""Seconds between two looks at whether the owner of a run has acted on a request."""


class TaskView(msgspec.Struct, frozen=True, kw_only=True):
    """One task path of a run, as people see it: its last attempt, and how many there were.

    `status` is a text of TaskStatus; times are seconds since 1970; `reason` tells why it is skipped, and
    by whom. `by` names the fallback that gave the output.
    """

    task: str
    status: str
    attempts: int = 0
    began: float | None = None
    ended: float | None = None
    due: float | None = None
    error: Error | None = None
    progress: float | None = None
    note: str = ""
    by: str = ""
    reason: str = ""


class RunView(msgspec.Struct, frozen=True, kw_only=True):
    """A run and its tasks: those of its Definition in their order, then items and nested tasks.

    `owner_gone` tells that the worker of a running run is known to be gone: it can be resumed at once.
    """

    run: RunRecord
    tasks: Sequence[TaskView]
    attempts: Sequence[AttemptRecord]
    owner_gone: bool = False


class RunHolder(msgspec.Struct, frozen=True, kw_only=True):
    """The owner of a run, and the seconds until its lease ends unless it is renewed."""

    owner: str
    left: float


class Runs:
    """The runs of one open RunStore."""

    def __init__(self, store: RunStore) -> None:
        self.store = store

    # -- looking -----------------------------------------------------------------------------------

    async def list(
        self,
        *,
        namespace: str | None = None,
        workflow: str | None = None,
        status: Sequence[RunStatus | str] = (),
        since: float | None = None,
        limit: int = 100,
    ) -> Sequence[RunRecord]:
        """Return runs, newest first; `since` is in seconds since 1970. May wait."""
        return await self.store.find(
            namespace=namespace,
            workflow=workflow,
            status=[RunStatus(each) for each in status],
            since=since,
            limit=limit,
        )

    async def find_id(self, text: str) -> UUID:
        """Return the run that a text names: `last`, an id, or any unique part of at least 6 digits.

        Raise NoRun; its `candidates` hold the runs if there are several.
        """
        if text == "last":
            newest = await self.store.find(limit=1)
            if not newest:
                raise NoRun(f"{self.store.url} has no run yet")
            return newest[0].id
        if len(text.replace("-", "")) < 6:
            raise NoRun(f'"{text}" is too short (expected: at least 6 digits of the id of a run)')
        matching = await self.store.matching(text)
        if len(matching) == 1:
            return matching[0]
        if matching:
            raise NoRun(f'"{text}" is part of the ids of {len(matching)} runs', matching)
        recent = [str(each.id)[-8:] for each in await self.store.find(limit=50)]
        hint = did_you_mean(text[-8:], recent)
        raise NoRun(f'{self.store.url} has no run "{text}". {hint}'.rstrip(". "))

    async def get(self, run: UUID) -> RunRecord:
        """Return a run. Raise NoRun."""
        record = await self.store.get(run)
        if record is None:
            raise NoRun(f"{self.store.url} has no run {run}")
        return record

    async def show(self, run: UUID) -> RunView:
        """Return a run with its tasks. Raise NoRun."""
        claim = await self.store.load(run)
        if claim is None:
            raise NoRun(f"{self.store.url} has no run {run}")
        names = await self.task_names(claim.run)
        attempts = await self.store.attempts(run)
        running = claim.run.status is RunStatus.RUNNING
        return RunView(
            run=claim.run,
            tasks=view_tasks(claim.run, names, attempts, claim.history),
            attempts=attempts,
            owner_gone=running and self.store.is_gone(claim.run.owner),
        )

    async def task_names(self, run: RunRecord) -> Sequence[str]:
        """Return the names of the tasks of a run's Definition, in order; empty if it has none."""
        definition = None if run.definition is None else await self.store.definition(run.definition)
        return () if definition is None else read_task_names(definition.specs, run.workflow)

    async def events(self, run: UUID, after: int = 0) -> Sequence[Transition]:
        """Return the transitions of a run with numbers above `after`: one sequence without gaps."""
        return await self.store.transitions(run, after)

    async def follow(self, run: UUID, after: int = 0) -> AsyncIterator[Transition]:
        """Yield the transitions of a run as they are recorded, until it is settled, blocked or suspended."""
        while True:
            record = await self.get(run)
            for transition in await self.store.transitions(run, after):
                after = transition.seq
                yield transition
            if record.status not in (RunStatus.RUNNING, RunStatus.QUEUED):
                return
            await asyncio.sleep(LOOK)

    async def logs(
        self, run: UUID, task: str = "", number: int = 0
    ) -> Sequence[tuple[str, int, str]]:
        """Return what attempts printed and logged: task path, number of the attempt, text."""
        return await self.store.logs(run, task, number)

    async def holder(self, run: UUID) -> RunHolder | None:
        """Return who works on a run, or None if anybody may go on with it."""
        record = await self.get(run)
        left = (record.lease or 0.0) - time.time()
        if record.status is not RunStatus.RUNNING or left <= 0:
            return None
        if self.store.is_gone(record.owner):
            return None
        return RunHolder(owner=record.owner, left=left)

    # -- deciding ----------------------------------------------------------------------------------

    async def cancel(self, run: UUID, *, actor: str = "", wait: float = 10.0) -> RunRecord:
        """Cancel a run for good, and all that it has begun; return it as it is then.

        If somebody works on it, wait up to `wait` seconds for them to act; the request stays anyway.
        """
        return await self._decide(run, "cancel", "", actor, None, wait)

    async def retry(
        self, run: UUID, task: str = "", *, actor: str = "", wait: float = 10.0
    ) -> RunRecord:
        """Let failed, lost or skipped tasks of a run be tried again: one of them, or all."""
        return await self._decide(run, "retry", task, actor, None, wait)

    async def skip(self, run: UUID, task: str, *, actor: str = "", wait: float = 10.0) -> RunRecord:
        """Count a task as skipped; its dependents are skipped, too, unless their `join` says otherwise."""
        return await self._decide(run, "skip", task, actor, None, wait)

    async def complete(
        self, run: UUID, task: str, output: Any, *, actor: str = "", wait: float = 10.0
    ) -> RunRecord:
        """Count a task as completed with this output. Raise UnstorablePartError."""
        return await self._decide(run, "complete", task, actor, encode_payload(output), wait)

    async def prioritize(
        self, run: UUID, priority: int, *, actor: str = "", wait: float = 10.0
    ) -> RunRecord:
        """Give a run another priority."""
        payload = priority.to_bytes(8, "big", signed=True)
        return await self._decide(run, "priority", "", actor, payload, wait)

    async def prune(self, before: float, *, namespace: str | None = None) -> int:
        """Remove settled runs that ended before this time (seconds since 1970); return how many."""
        return await self.store.prune(before, namespace=namespace)

    async def _decide(
        self, run: UUID, verb: str, task: str, actor: str, payload: bytes | None, wait: float
    ) -> RunRecord:
        record = await self.get(run)
        if record.status in SETTLED_RUN and (
            verb in ("cancel", "priority") or record.status is not RunStatus.FAILED
        ):
            raise RunStoreError(f"the run {str(run)[-8:]} is {record.status} already")
        if task:
            await self.check_task(record, task)
        now = time.time()
        request = await self.store.request(run, verb, now, task=task, actor=actor, payload=payload)
        again = record.status is RunStatus.FAILED
        claim = await self.store.claim(run, now, again=again)
        if claim is None:
            return await self._wait_done(run, request.id, wait)
        journal = DurableJournal(self.store, claim.run)
        if verb == "cancel":
            by = f" by {actor}" if actor else ""
            journal.answer_requests(*(each.id for each in claim.requests))
            journal.finish(
                RunStatus.CANCELLED,
                Error(f"the run was cancelled{by}", code="cancelled"),
                actor=actor,
            )
        else:
            apply_requests(journal, claim)
            journal.suspend("decision", wake=now)
        waits = journal.commit()
        if waits is not None:
            await waits
        return await self.get(run)

    async def _wait_done(self, run: UUID, request: int, wait: float) -> RunRecord:
        """Wait until the owner of a run has acted on a request."""
        until = time.monotonic() + wait
        while time.monotonic() < until:
            if all(each.id != request for each in await self.store.requests(run)):
                break
            await asyncio.sleep(LOOK)
        return await self.get(run)

    async def check_task(self, run: RunRecord, task: str) -> None:
        """Raise NoRun with the nearest name if a run has no such task."""
        names = [*await self.task_names(run)]
        names += [each.task for each in await self.store.attempts(run.id)]
        if names and task not in names:
            hint = did_you_mean(task, sorted(set(names)))
            raise NoRun(
                f'the run {str(run.id)[-8:]} of "{run.workflow}" has no task "{task}". {hint}'.rstrip(
                    ". "
                )
            )


@asynccontextmanager
async def open_runs(url: str, *, read_only: bool = False) -> AsyncIterator[Runs]:
    """Open the RunStore at this address until the block ends. Raise RunStoreError.

    With `read_only` no byte of it changes, and decisions raise RunStoreError.
    """
    store = await open_run_store(url, read_only=read_only)
    try:
        yield Runs(store)
    finally:
        await store.close()


def view_tasks(
    run: RunRecord,
    names: Sequence[str],
    attempts: Sequence[AttemptRecord],
    history: Sequence[Transition],
) -> "list[TaskView]":
    """Return each task path once: its status is that of its last attempt, or of what was decided."""
    views = {name: TaskView(task=name, status="pending") for name in names}
    for attempt in attempts:
        status = attempt.status
        if status in ("lost", "interrupted") or attempt.due is not None:
            status = "pending"
        views[attempt.task] = TaskView(
            task=attempt.task,
            status=status,
            attempts=attempt.number,
            began=attempt.began,
            ended=attempt.ended,
            due=attempt.due,
            error=attempt.error,
            progress=attempt.progress,
            note=attempt.note,
            by=attempt.by,
        )
    seen = {each.task: each.ended_seq or each.began_seq or 0 for each in attempts}
    for transition in history:
        if transition.event in ("skipped", "cancelled", "failed"):
            _settle(views, seen, transition)
    decisions = read_decisions(history)
    for name, view in views.items():
        open_again = decisions.reopened_at(name) > seen.get(name, 0)
        if open_again and view.status in ("failed", "skipped", "cancelled"):
            views[name] = msgspec.structs.replace(view, status="pending", reason="")
    if run.status in (RunStatus.CANCELLED, RunStatus.FAILED):
        for name, view in views.items():
            if view.status == "pending" and not view.attempts:
                views[name] = msgspec.structs.replace(view, reason=f"the run {run.status}")
    return list(views.values())


def _settle(views: dict[str, TaskView], seen: dict[str, int], transition: Transition) -> None:
    """Show a task as settled without an attempt, if nothing came after that."""
    task = transition.task
    if seen.get(task, 0) > transition.seq:
        return
    seen[task] = transition.seq
    reason = str(transition.detail.get("reason", ""))
    if transition.actor:
        reason = f"by {transition.actor}"
    view = views.get(task) or TaskView(task=task, status="pending")
    views[task] = msgspec.structs.replace(view, status=transition.event, reason=reason)


def read_task_names(specs: bytes, workflow: str) -> tuple[str, ...]:
    """Return the names of the tasks of a workflow in a Definition: one Spec, or a list of them."""
    try:
        decoded = msgspec.json.decode(specs)
    except msgspec.DecodeError:
        return ()
    held = decoded if isinstance(decoded, list) else [decoded]
    flows = [
        each for each in held if isinstance(each, dict) and isinstance(each.get("tasks"), list)
    ]
    for flow in flows:
        if flow.get("name") == workflow or len(flows) == 1:
            return tuple(
                str(task["name"])
                for task in flow["tasks"]
                if isinstance(task, dict) and "name" in task
            )
    return ()
