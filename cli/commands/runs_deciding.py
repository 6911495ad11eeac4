"""heddle runs resume, retry, skip, complete, cancel and prune: what people decide about runs."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import click

from heddle.cli.commands.run import DRAIN
from heddle.cli.commands.runs_looking import LAST, RUN, RUNS, look, named_run, read_age
from heddle.cli.exit_codes import CommandError
from heddle.cli.group import ExampleCommand
from heddle.cli.options import ENVIRONMENT, EXTENSION, JSON, options, settings_of

if TYPE_CHECKING:
    from heddle.cli.runs.session import RunEnd
    from heddle.cli.settings import Settings
    from heddle.extensions.tasks.run_stores.contract import RunRecord
    from heddle.extensions.tasks.run_stores.runs import Runs

TAKE = click.option(
    "--take",
    is_flag=True,
    help="Take the run from a worker that still has it, instead of waiting for its lease to end.",
)
TARGET = click.option(
    "--target",
    metavar="TARGET",
    help="The workflow, as for heddle run.  [default: where the run began]",
)
RESUME = click.option(
    "--resume", is_flag=True, help="Go on with the run here, at once, as heddle runs resume does."
)

END_SHAPE = "{id, workflow, status, outputs?, error?, reason?, next?} as of heddle run"
RUN_SHAPE = "{id, workflow, namespace, status, reason?, created, began?, ended?, creator?}"


# -- resume ----------------------------------------------------------------------------------------


@click.command(
    "resume",
    cls=ExampleCommand,
    short_help="Go on with a run where it stopped.",
    examples=[
        ("The newest run, after kill -9", "heddle runs resume --last"),
        ("A run that a worker on another machine has", "heddle runs resume 1a2b3c4d --take"),
    ],
    shapes=[("--json", END_SHAPE)],
)
@RUN
@options(LAST, TAKE, TARGET, RUNS, DRAIN, ENVIRONMENT, EXTENSION, JSON)
def resume(
    run: str | None,
    last: bool,
    take: bool,
    target: str | None,
    store: str | None,
    as_json: bool,
    config: str | None,
    extensions: tuple[str, ...],
    **flags: object,
) -> None:
    """Go on with a run in this process: what is recorded is not done again.

    The workflow is read from where the run began, as it is now. If the worker of the run is gone, it goes
    on at once; if another worker has it, this waits until its lease ends. Exit codes are those of heddle
    run.
    """
    settings = settings_of(config, extensions, **flags)
    text = named_run(run, last)

    async def identify(runs: "Runs", record: "RunRecord", address: str) -> "tuple[RunRecord, str]":
        return record, address

    record, address = look(text, settings, store, identify)
    raise click.exceptions.Exit(
        resume_here(record, address, settings, take=take, target=target, as_json=as_json)
    )


def resume_here(
    record: "RunRecord",
    address: str,
    settings: "Settings",
    *,
    take: bool = False,
    target: str | None = None,
    as_json: bool = False,
) -> int:
    """Go on with a run until it ends or is suspended, print how it was, and return the exit code."""
    from heddle.cli.runs.resume import resume_run, target_of
    from heddle.cli.runs.session import RunEnd, run_loop
    from heddle.cli.views.apply_view import user_at_host
    from heddle.cli.views.run_end import report_end
    from heddle.cli.views.run_progress import make_progress
    from heddle.extensions.tasks.status import SETTLED_RUN

    if record.status in SETTLED_RUN:
        if not as_json:
            click.echo(f"the run has ended already: it is {record.status}", err=True)
        end = RunEnd(run=record, address=address)
        report_end(end, settings, target=None, as_json=as_json)
        return end.code

    async def go_on() -> "RunEnd":
        run_target, own = await target_of(record, settings, target)
        if not as_json:
            click.echo(run_target.line, err=True)
        ended = await resume_run(
            record.id,
            address,
            run_target,
            own,
            watcher=make_progress(quiet=as_json),
            take=take,
            actor=settings.author or user_at_host(),
        )
        report_end(ended, settings, target=run_target, as_json=as_json)
        return ended

    return run_loop(go_on()).code


# -- decisions -------------------------------------------------------------------------------------


def decide(
    run: str | None,
    last: bool,
    config: str | None,
    store: str | None,
    as_json: bool,
    work: "Callable[[Runs, RunRecord, str], Awaitable[RunRecord]]",
    *,
    done: str,
    go_on: bool = False,
    flags: dict[str, Any] | None = None,
) -> None:
    """Do what a person has decided, and say what is next; `work` gets the name of that person.

    With `go_on`, the run is resumed here.
    """
    from heddle.cli.views.apply_view import user_at_host

    settings = settings_of(config, **(flags or {}))
    actor = settings.author or user_at_host()

    async def act(runs: "Runs", record: "RunRecord", address: str) -> "tuple[RunRecord, str, bool]":
        after = await work(runs, record, actor)
        waiting = await runs.store.requests(after.id)
        return after, address, bool(waiting)

    record, address, waits = look(named_run(run, last), settings, store, act, read_only=False)
    if go_on and record.status in ("suspended", "running", "blocked"):
        raise click.exceptions.Exit(resume_here(record, address, settings, as_json=as_json))
    _report(record, address, settings, done=done, waits=waits, as_json=as_json)


def _report(
    record: "RunRecord",
    address: str,
    settings: "Settings",
    *,
    done: str,
    waits: bool,
    as_json: bool,
) -> None:
    from heddle.cli.runs.places import short
    from heddle.cli.views.run_texts import json_text, resume_command
    from heddle.cli.views.run_view import run_data

    if as_json:
        click.echo(json_text(run_data(record)))
        return
    if waits:
        click.echo(f"asked for: the worker of the run {short(record.id)} has not acted on it yet")
        return
    click.echo(f"{done}: the run {short(record.id)} is {record.status}")
    if record.status in ("suspended", "blocked"):
        click.echo("a runtime that serves the workflow goes on with it, or this command:", err=True)
        click.echo(resume_command(record.id, address, settings), err=True)


@click.command(
    "retry",
    cls=ExampleCommand,
    short_help="Let failed tasks of a run be tried again.",
    examples=[
        ("All failed tasks of the newest run, at once", "heddle runs retry --last --resume"),
        ("One task", "heddle runs retry 1a2b3c4d load"),
    ],
    shapes=[("--json", RUN_SHAPE), ("--json --resume", END_SHAPE)],
)
@RUN
@click.argument("task", required=False)
@options(RESUME, LAST, RUNS, JSON)
def retry(
    run: str | None,
    task: str | None,
    resume: bool,
    last: bool,
    store: str | None,
    as_json: bool,
    config: str | None,
) -> None:
    """Let tasks that failed, were lost or were skipped be tried again: one TASK, or all of them.

    With a TASK, what it holds is tried again, too: the items of a `for_each`, the tasks of a workflow
    inside. So is a task of unknown outcome of a blocked run. Completed tasks stay completed.
    """
    if last and run is not None and task is None:
        run, task = None, run
    chosen = task

    async def work(runs: "Runs", record: "RunRecord", actor: str) -> "RunRecord":
        return await runs.retry(record.id, chosen or "", actor=actor)

    decide(run, last, config, store, as_json, work, done="to be tried again", go_on=resume)


@click.command(
    "skip",
    cls=ExampleCommand,
    short_help="Count a task of a run as skipped.",
    examples=[("A task that is not needed", "heddle runs skip 1a2b3c4d mail")],
    shapes=[("--json", RUN_SHAPE), ("--json --resume", END_SHAPE)],
)
@RUN
@click.argument("task", required=False)
@options(RESUME, LAST, RUNS, JSON)
def skip(
    run: str | None,
    task: str | None,
    resume: bool,
    last: bool,
    store: str | None,
    as_json: bool,
    config: str | None,
) -> None:
    """Count a TASK as skipped. Its dependents are skipped, too, unless their `join` says otherwise.

    The result of a skipped item of a `for_each` is null; with `on_error: skip`, it is left out.
    """
    run, name = _task_of(run, task, last)

    async def work(runs: "Runs", record: "RunRecord", actor: str) -> "RunRecord":
        return await runs.skip(record.id, name, actor=actor)

    decide(run, last, config, store, as_json, work, done=f"{name} is skipped", go_on=resume)


@click.command(
    "complete",
    cls=ExampleCommand,
    short_help="Count a task of a run as completed, with an output.",
    examples=[
        ("A task whose effect is known to have happened", "heddle runs complete 1a2b3c4d order"),
        ("With an output", "heddle runs complete --last rate --output 1.08"),
    ],
    shapes=[("--json", RUN_SHAPE), ("--json --resume", END_SHAPE)],
)
@RUN
@click.argument("task", required=False)
@click.option(
    "--output", metavar="JSON", default="null", help="Its output as JSON.  [default: null]"
)
@options(RESUME, LAST, RUNS, JSON)
def complete(
    run: str | None,
    task: str | None,
    output: str,
    resume: bool,
    last: bool,
    store: str | None,
    as_json: bool,
    config: str | None,
) -> None:
    """Count a TASK as completed with this output: its dependents go on with it."""
    run, name = _task_of(run, task, last)
    try:
        payload = json.loads(output)
    except ValueError as error:
        raise click.UsageError(
            f"--output: it is not JSON: {error} (a text stands in quotes: '\"text\"')"
        ) from error

    async def work(runs: "Runs", record: "RunRecord", actor: str) -> "RunRecord":
        return await runs.complete(record.id, name, payload, actor=actor)

    decide(run, last, config, store, as_json, work, done=f"{name} is completed", go_on=resume)


@click.command(
    "cancel",
    cls=ExampleCommand,
    short_help="Cancel a run for good.",
    examples=[("The newest run", "heddle runs cancel --last")],
    shapes=[("--json", RUN_SHAPE)],
)
@RUN
@options(LAST, RUNS, JSON)
def cancel(
    run: str | None, last: bool, store: str | None, as_json: bool, config: str | None
) -> None:
    """Cancel a run for good, and all that it has begun. Ctrl-C only suspends one."""

    async def work(runs: "Runs", record: "RunRecord", actor: str) -> "RunRecord":
        return await runs.cancel(record.id, actor=actor)

    decide(run, last, config, store, as_json, work, done="cancelled")


def _task_of(run: str | None, task: str | None, last: bool) -> tuple[str | None, str]:
    """Return the run and the task that the arguments name; with --last, the only one is the task."""
    if last and run is not None and task is None:
        run, task = None, run
    if task is None:
        raise click.UsageError("name a TASK of the run (heddle runs show lists them)")
    return run, task


# -- prune -----------------------------------------------------------------------------------------


@click.command(
    "prune",
    cls=ExampleCommand,
    short_help="Remove runs that ended long ago.",
    examples=[("Older than a month", "heddle runs prune --older 30d")],
    shapes=[("--json", "{removed: number}")],
)
@click.option(
    "--older",
    metavar="AGE",
    required=True,
    callback=read_age,
    help="Runs that ended longer ago than this: 12h, 30d, …",
)
@options(RUNS, JSON)
def prune(older: float, store: str | None, as_json: bool, config: str | None) -> None:
    """Remove completed, failed and cancelled runs that ended longer ago, with all that only they hold."""
    from heddle.cli.runs.places import known_addresses, open_book
    from heddle.cli.views.output import print_json

    addresses = known_addresses(settings_of(config), store)
    if not addresses:
        raise CommandError("there is no RunStore here (expected: one, with --runs)")

    async def remove() -> int:
        async with open_book(addresses) as book:
            return sum([await runs.prune(time.time() - older) for runs in book.stores.values()])

    removed = asyncio.run(remove())
    if as_json:
        print_json({"removed": removed})
    else:
        click.echo(f"removed {removed} run{'' if removed == 1 else 's'}")
