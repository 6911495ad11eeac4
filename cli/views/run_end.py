"""The end of a run, for people and for programs: the answer, the error with its place, and what to do next."""

from typing import TYPE_CHECKING, Any

import click

from heddle.cli.runs.task_places import TaskPlaces
from heddle.cli.views.run_texts import (
    error_text,
    json_text,
    resume_command,
    run_command,
    seconds_text,
)
from heddle.extensions.tasks.status import RunStatus

if TYPE_CHECKING:
    from heddle.cli.runs.session import RunEnd
    from heddle.cli.runs.target import RunTarget
    from heddle.cli.settings import Settings
    from heddle.extensions.extension import Error


def report_end(
    end: "RunEnd", settings: "Settings", *, target: "RunTarget | None", as_json: bool
) -> None:
    """Print the answer on standard output, and everything else on standard error."""
    if as_json:
        click.echo(json_text(end_data(end, settings, target)))
        return
    run = end.run
    if run.status is RunStatus.COMPLETED:
        duration = (
            ""
            if run.ended is None
            else f" in {seconds_text(run.ended - (run.began or run.created))}"
        )
        click.echo(f"completed{duration}", err=True)
        click.echo(json_text(run.output))
        return
    for line in _lines(end, settings, target):
        click.echo(line, err=True)


def _lines(end: "RunEnd", settings: "Settings", target: "RunTarget | None") -> list[str]:
    run, places = end.run, TaskPlaces(target)
    lines = []
    if end.unrecorded:
        lines.append(f"stopped, and that is not recorded: {end.unrecorded}")
        lines.append("what is recorded stays; go on once there is room:")
        lines.append(resume_command(run.id, end.address, settings))
    elif run.status is RunStatus.FAILED and run.error is not None:
        lines.append(f"failed: {error_text(run.error, places.of_error(run.error))}")
        lines += [f"  {error_text(each, places.of_error(each))}" for each in run.error.errors]
        lines.append(f"see what it did: {run_command('show', run.id, end.address, settings)}")
        lines.append(
            "try the failed tasks again: "
            + run_command("retry", run.id, end.address, settings, ["--resume"])
        )
    elif run.status is RunStatus.CANCELLED:
        lines.append(str(run.error) if run.error is not None else "the run was cancelled")
    elif run.status is RunStatus.BLOCKED:
        lines.append(f"blocked: {run.reason}")
        lines.append("a person decides with heddle runs retry, skip or complete, and then:")
    elif run.status is RunStatus.SUSPENDED:
        lines.append(f"suspended: {reason_text(run.reason)}")
    else:
        lines.append(f"another worker has the run: it is {run.status}")
    if run.status in (RunStatus.BLOCKED, RunStatus.SUSPENDED):
        lines.append(resume_command(run.id, end.address, settings))
    return lines


def reason_text(reason: str) -> str:
    """Return why a run is suspended, in words."""
    return {
        "drained": "its runtime was stopped; it goes on where it stopped",
        "decision": "a decision was made; it goes on with it",
    }.get(reason, reason)


def end_data(
    end: "RunEnd", settings: "Settings", target: "RunTarget | None" = None
) -> dict[str, Any]:
    """Return how a run ended as plain data: id, status, outputs."""
    run = end.run
    data: dict[str, Any] = {
        "id": str(run.id),
        "workflow": run.workflow,
        "status": str(run.status),
    }
    if run.status is RunStatus.COMPLETED:
        data["outputs"] = run.output
    if run.error is not None:
        data["error"] = error_data(run.error, TaskPlaces(target))
    if end.unrecorded or run.reason:
        data["reason"] = end.unrecorded or run.reason
    if end.unrecorded or run.status in (RunStatus.BLOCKED, RunStatus.SUSPENDED):
        data["next"] = resume_command(run.id, end.address, settings)
    return data


def error_data(error: "Error", places: TaskPlaces, *, place: str | None = None) -> dict[str, Any]:
    """Return an Error as plain data, with its place and those of the Errors that it joins.

    `place` is that of a task whose Error does not name it.
    """
    place = places.of_error(error) if place is None else place
    data: dict[str, Any] = {"code": error.code, "message": error.message}
    if error.symbol:
        data["symbol"] = error.symbol
    if place:
        data["place"] = place
    if error.errors:
        data["errors"] = [error_data(each, places) for each in error.errors]
    return data
