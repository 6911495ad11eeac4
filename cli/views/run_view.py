"""A run as `heddle runs show` prints it: tasks, attempts, times, errors with their place, critical path."""

import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from heddle.cli.runs.places import near, short
from heddle.cli.runs.task_places import TaskPlaces
from heddle.cli.views.output import colored, print_table
from heddle.cli.views.run_end import error_data, reason_text
from heddle.cli.views.run_progress import is_inner, outer
from heddle.cli.views.run_texts import error_text, json_text, moment_text, run_command, seconds_text
from heddle.extensions.tasks.graph.analysis import critical_path
from heddle.extensions.tasks.graph.outline import Outline, outline_of_definition
from heddle.extensions.tasks.status import RunStatus, Transition

if TYPE_CHECKING:
    from heddle.cli.runs.target import RunTarget
    from heddle.cli.settings import Settings
    from heddle.extensions.tasks.run_stores.contract import AttemptRecord, RunRecord
    from heddle.extensions.tasks.run_stores.runs import Runs, RunView, TaskView

COLORS = {
    "completed": "green",
    "running": "cyan",
    "failed": "red",
    "cancelled": "red",
    "blocked": "red",
    "suspended": "yellow",
    "skipped": "yellow",
    "pending": "bright_black",
}

_SETTLED_WELL = frozenset({"completed", "skipped"})


def run_data(run: "RunRecord") -> dict[str, Any]:
    """Return a run as plain data, without its payloads; times are seconds since 1970."""
    data: dict[str, Any] = {
        "id": str(run.id),
        "workflow": run.workflow,
        "namespace": run.namespace,
        "status": str(run.status),
        "reason": run.reason,
        "created": run.created,
        "began": run.began,
        "ended": run.ended,
        "creator": run.creator,
    }
    return {name: value for name, value in data.items() if value not in (None, "")}


def run_row(run: "RunRecord") -> tuple[str, ...]:
    """Return a run as a row of a table: id, workflow, status, began, time, reason."""
    began = run.began or run.created
    until = run.ended or (time.time() if run.status is RunStatus.RUNNING else None)
    duration = "" if until is None else seconds_text(until - began)
    return (
        short(run.id),
        run.workflow,
        str(run.status),
        moment_text(run.created),
        duration,
        reason_text(run.reason),
    )


class RunPage:
    """One run, and how it is shown. `target` is its workflow as its source is now, if that is there."""

    def __init__(
        self,
        view: "RunView",
        address: str,
        settings: "Settings",
        *,
        definition: bytes | None,
        target: "RunTarget | None",
    ) -> None:
        self.view = view
        self.address = address
        self.settings = settings
        self.target = target
        self.places = TaskPlaces(target)
        self.outline: Outline = outline_of_definition(definition or b"[]", view.run.workflow)
        self.spans = task_spans(view.attempts)
        inner = [each for each in view.tasks if is_inner(each.task)]
        self.inside = Counter(outer(each.task) for each in inner)
        self.done_inside = Counter(outer(each.task) for each in inner if each.status == "completed")

    def critical(self) -> tuple[Sequence[str], float]:
        """Return the chain of tasks that took longest, and its seconds; empty if nothing has run."""
        seconds = {name: end - begin for name, (begin, end) in self.spans.items()}
        if not self.outline.names or not seconds:
            return (), 0.0
        names, total = critical_path(self.outline, seconds)
        return [name for name in names if name in seconds], total

    # -- for programs ------------------------------------------------------------------------------

    def data(self) -> dict[str, Any]:
        """Return it as plain data; payloads are redacted."""
        run, redacted = self.view.run, self.settings.redactor.redacted
        names, seconds = self.critical()
        data: dict[str, Any] = {**run_data(run), "inputs": redacted(run.input)}
        if run.status is RunStatus.COMPLETED:
            data["outputs"] = redacted(run.output)
        if run.error is not None:
            data["error"] = error_data(run.error, self.places)
        data["tasks"] = [self._task_data(task) for task in self.view.tasks]
        data["critical_path"] = {"tasks": list(names), "seconds": round(seconds, 6)}
        data["store"] = near(self.address)
        return data

    def _task_data(self, task: "TaskView") -> dict[str, Any]:
        data: dict[str, Any] = {
            "task": task.task,
            "status": task.status,
            "attempts": task.attempts,
            "began": task.began,
            "ended": task.ended,
            "seconds": self.seconds_of(task),
            "due": task.due,
            "by": task.by,
            "reason": task.reason,
            "place": self.places.of_task(task.task),
        }
        if task.error is not None:
            data["error"] = error_data(task.error, self.places, place="")
        return {name: value for name, value in data.items() if value not in (None, "")}

    # -- for people --------------------------------------------------------------------------------

    def print(self, *, payloads: bool = False, items: bool = False) -> None:
        """Print it."""
        run, color = self.view.run, colored(sys.stdout)
        status = click.style(str(run.status), fg=COLORS.get(str(run.status)), bold=True)
        click.echo(f"{run.workflow}  {status}  {short(run.id)}", color=color)
        for name, value in self._head():
            click.echo(f"  {name:<9} {value}")
        if payloads:
            redacted = self.settings.redactor.redacted
            click.echo(f"  inputs    {_indented(redacted(run.input))}")
            if run.status is RunStatus.COMPLETED:
                click.echo(f"  outputs   {_indented(redacted(run.output))}")
        click.echo("")
        shown, hidden = self._shown(items=items)
        print_table(
            ["task", "status", "attempts", "began", "time", "note"],
            [self._row(task) for task in shown],
        )
        if hidden:
            click.echo(f"and {hidden} items and inner tasks (--items shows them)")
        self._print_errors()
        names, seconds = self.critical()
        if names:
            click.echo(f"\ncritical path: {' → '.join(names)}  {seconds_text(seconds)}")
        self._print_next()

    def _head(self) -> list[tuple[str, str]]:
        run = self.view.run
        head = [("id", str(run.id))]
        began = run.began or run.created
        until = run.ended or (time.time() if run.status is RunStatus.RUNNING else None)
        duration = f", {seconds_text(until - began)}" if until is not None else ""
        head.append(("began", f"{moment_text(began)}{duration}"))
        if run.reason:
            head.append(("reason", reason_text(run.reason)))
        if self.view.owner_gone:
            head.append(("worker", "is gone: the run can be resumed at once"))
        if self.target is not None:
            head.append(("workflow", f"{self.target.origin} {self.target.source}"))
        head.append(("recorded", near(self.address)))
        return head

    def _shown(self, *, items: bool) -> "tuple[list[TaskView], int]":
        tasks = list(self.view.tasks)
        if items:
            return tasks, 0
        shown = [
            task
            for task in tasks
            if not is_inner(task.task) or task.status not in (*_SETTLED_WELL, "pending")
        ]
        return shown, len(tasks) - len(shown)

    def _row(self, task: "TaskView") -> tuple[str, ...]:
        notes = [task.note, f"by {task.by}" if task.by else "", task.reason]
        inside = self.inside[task.task]
        if inside:
            notes.append(f"{self.done_inside[task.task]} of {inside} inside completed")
        if task.due is not None and task.status == "pending":
            notes.append(f"again at {moment_text(task.due)}")
        began = task.began or self.spans.get(task.task, (None, None))[0]
        seconds = self.seconds_of(task)
        return (
            task.task,
            task.status,
            str(task.attempts or ""),
            moment_text(began),
            "" if seconds is None else seconds_text(seconds),
            "; ".join(note for note in notes if note),
        )

    def seconds_of(self, task: "TaskView") -> float | None:
        """Return how long a task took, or has been running; None if that is not known."""
        if task.began is not None:
            if task.ended is not None:
                return max(task.ended - task.began, 0.0)
            running = task.status == "running" and not self.view.owner_gone
            return max(time.time() - task.began, 0.0) if running else None
        span = self.spans.get(task.task)
        return None if span is None else span[1] - span[0]

    def _print_errors(self) -> None:
        run = self.view.run
        errors = [
            (task, task.error)
            for task in self.view.tasks
            if task.error is not None and task.status in ("failed", "pending", "running")
        ]
        if errors:
            click.echo("\nerrors:")
        for task, error in errors:
            place = self.places.of_task(task.task)
            click.echo(f"  {task.task}: {error_text(error, place)}")
        if run.error is not None and not errors:
            click.echo(f"\nerror: {error_text(run.error, self.places.of_error(run.error))}")

    def _print_next(self) -> None:
        run = self.view.run
        verb: tuple[str, list[str]] | None = None
        if run.status is RunStatus.SUSPENDED or self.view.owner_gone:
            verb = ("resume", [])
        elif run.status is RunStatus.FAILED:
            verb = ("retry", ["--resume"])
        elif run.status is RunStatus.BLOCKED:
            click.echo("\na person decides with heddle runs retry, skip or complete")
        if verb is not None:
            click.echo(f"\n{run_command(verb[0], run.id, self.address, self.settings, verb[1])}")


def task_spans(attempts: "Sequence[AttemptRecord]") -> Mapping[str, tuple[float, float]]:
    """Return for each task of the workflow when its first attempt began and its last one ended."""
    spans: dict[str, tuple[float, float]] = {}
    for attempt in attempts:
        if attempt.began is None:
            continue
        end = attempt.ended if attempt.ended is not None else attempt.began
        name = outer(attempt.task)
        first, last = spans.get(name, (attempt.began, end))
        spans[name] = (min(first, attempt.began), max(last, end))
    return spans


def event_line(transition: Transition) -> str:
    """Return a transition on one line: `  12  20:13:01  completed  load  attempt 2`."""
    parts = [
        f"{transition.seq:>5}",
        moment_text(transition.at),
        f"{transition.event:<11}",
        transition.task or "(the run)",
    ]
    if transition.number > 1:
        parts.append(f"attempt {transition.number}")
    if transition.actor:
        parts.append(f"by {transition.actor}")
    detail = transition.detail
    error = detail.get("error")
    message = detail.get("message") or (error.get("message") if isinstance(error, dict) else "")
    text = message or detail.get("reason") or ""
    if text:
        parts.append(str(text).partition("\n")[0])
    return "  ".join(parts)


def _indented(payload: Any) -> str:
    return json_text(payload).replace("\n", "\n            ")


def read_page(
    settings: "Settings",
) -> "Callable[[Runs, RunRecord, str], Awaitable[RunPage]]":
    """Return what reads the page of a run from its open RunStore."""

    async def read(runs: "Runs", record: "RunRecord", address: str) -> RunPage:
        from heddle.cli.runs.resume import try_target

        view = await runs.show(record.id)
        definition = None
        if record.definition is not None:
            definition = await runs.store.definition(record.definition)
        return RunPage(
            view,
            address,
            settings,
            definition=None if definition is None else definition.specs,
            target=await try_target(record, settings),
        )

    return read
