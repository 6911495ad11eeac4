"""heddle runs list, show, logs and events: what was recorded of runs."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from heddle.cli.group import ExampleCommand
from heddle.cli.options import JSON, NAMESPACE, options, settings_of

if TYPE_CHECKING:
    from heddle.cli.settings import Settings
    from heddle.extensions.tasks.run_stores.contract import RunRecord
    from heddle.extensions.tasks.run_stores.runs import Runs

T = TypeVar("T")

STATUSES = ("queued", "running", "suspended", "blocked", "completed", "failed", "cancelled")

RUN = click.argument("run", required=False)
LAST = click.option("--last", is_flag=True, help="The newest run.")
RUNS = click.option(
    "--runs",
    "store",
    metavar="URL",
    help="The RunStore.  [default: of the settings, and those that heddle run has used from here]",
)


def named_run(run: str | None, last: bool) -> str:
    """Return the text that names a run. Raise UsageError unless exactly one does."""
    if last and run is not None:
        raise click.UsageError("give RUN or --last, not both")
    if last:
        return "last"
    if run is None:
        raise click.UsageError(
            "name a run: give its id (any unique part of at least 6 digits), or --last"
        )
    return run


def look(
    text: str,
    settings: "Settings",
    store: str | None,
    work: "Callable[[Runs, RunRecord, str], Awaitable[T]]",
    *,
    read_only: bool = True,
) -> T:
    """Do something with a run in its open RunStore; `work` gets its address, too. Raise NoRun.

    The RunStore can be written only if `read_only` is false.
    """
    return asyncio.run(_look(text, settings, store, work, read_only=read_only))


async def _look(
    text: str,
    settings: "Settings",
    store: str | None,
    work: "Callable[[Runs, RunRecord, str], Awaitable[T]]",
    *,
    read_only: bool,
) -> T:
    from heddle.cli.runs.places import known_addresses, open_book
    from heddle.cli.runs.resume import find_in

    async with open_book(known_addresses(settings, store), read_only=read_only) as book:
        address, record = await find_in(book, text)
        return await work(book.stores[address], record, address)


# -- list ------------------------------------------------------------------------------------------


def read_age(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
    """Return seconds of a text such as `2h`."""
    from heddle.schemas.units import Interval

    if value is None:
        return None
    try:
        return float(Interval.read(value))
    except ValueError as error:
        raise click.BadParameter(
            f'"{value}" is not a time such as 30m, 12h or 7d', ctx, param
        ) from error


@click.command(
    "list",
    cls=ExampleCommand,
    short_help="List runs, newest first.",
    examples=[
        ("The newest", "heddle runs list"),
        ("What needs a person", "heddle runs list --status blocked --status failed"),
        ("Of one workflow, since yesterday", "heddle runs list --workflow report --since 24h"),
    ],
    shapes=[
        (
            "--json",
            "[{id, workflow, namespace, status, reason?, created, began?, ended?, creator?, store}]",
        )
    ],
)
@click.option(
    "--status",
    type=click.Choice(STATUSES),
    multiple=True,
    help="Only runs of this status. Repeatable.",
)
@click.option("--workflow", metavar="NAME", help="Only runs of this workflow.")
@click.option(
    "--since", metavar="AGE", callback=read_age, help="Only runs of the last 30m, 12h, 7d, …"
)
@click.option(
    "--limit", type=click.IntRange(min=1), default=20, show_default=True, help="How many at most."
)
@options(RUNS, NAMESPACE, JSON)
def list_runs(
    status: tuple[str, ...],
    workflow: str | None,
    since: float | None,
    limit: int,
    store: str | None,
    namespace: str | None,
    as_json: bool,
    config: str | None,
) -> None:
    """List runs, newest first. Ids are shown by their last digits; all commands accept them."""
    from heddle.cli.runs.places import known_addresses, near, open_book
    from heddle.cli.views.output import print_table
    from heddle.cli.views.run_texts import json_text
    from heddle.cli.views.run_view import run_data, run_row

    settings = settings_of(config)
    addresses = known_addresses(settings, store)

    async def read() -> "list[tuple[RunRecord, str]]":
        async with open_book(addresses, read_only=True) as book:
            runs = [
                (run, address)
                for address, held in book.stores.items()
                for run in await held.list(
                    namespace=namespace,
                    workflow=workflow,
                    status=status,
                    since=None if since is None else time.time() - since,
                    limit=limit,
                )
            ]
        return sorted(runs, key=lambda pair: pair[0].created, reverse=True)[:limit]

    entries = asyncio.run(read())
    if as_json:
        click.echo(
            json_text([{**run_data(run), "store": near(address)} for run, address in entries])
        )
        return
    if not entries:
        places = ", ".join(near(each) for each in addresses)
        click.echo(f"no runs in {places}" if places else "no runs yet: begin one with heddle run")
        return
    columns = ["id", "workflow", "status", "began", "time", "reason"]
    print_table(columns, [run_row(run) for run, _ in entries])


# -- show ------------------------------------------------------------------------------------------


@click.command(
    "show",
    cls=ExampleCommand,
    short_help="Show a run: tasks, attempts, times, errors, critical path.",
    examples=[
        ("The newest run", "heddle runs show --last"),
        ("With its inputs and outputs", "heddle runs show 1a2b3c4d --payloads"),
    ],
    shapes=[
        (
            "--json",
            (
                "{id, workflow, status, reason?, created, began?, ended?, inputs?, outputs?, error?, "
                "tasks: [{task, status, attempts, began?, ended?, seconds?, error?, place?, reason?}], "
                "critical_path: {tasks: [text], seconds}}"
            ),
        )
    ],
)
@RUN
@click.option("--payloads", is_flag=True, help="Show inputs and outputs, too; secrets are hidden.")
@click.option(
    "--items", is_flag=True, help="Show the items of for_each, and the tasks inside others."
)
@options(LAST, RUNS, JSON)
def show_run(
    run: str | None,
    last: bool,
    payloads: bool,
    items: bool,
    store: str | None,
    as_json: bool,
    config: str | None,
) -> None:
    """Show a run: its status, its tasks with their attempts and times, errors with their place.

    The critical path is the chain of tasks that took longest. Items of a for_each that are not settled
    or failed are always shown.
    """
    from heddle.cli.views.run_texts import json_text
    from heddle.cli.views.run_view import read_page

    settings = settings_of(config)
    page = look(named_run(run, last), settings, store, read_page(settings))
    if as_json:
        click.echo(json_text(page.data()))
    else:
        page.print(payloads=payloads, items=items)


# -- logs ------------------------------------------------------------------------------------------


@click.command(
    "logs",
    cls=ExampleCommand,
    short_help="Show what the tasks of a run printed and logged.",
    examples=[
        ("Of the newest run", "heddle runs logs --last"),
        ("Of one task", "heddle runs logs 1a2b3c4d load"),
    ],
    shapes=[("--json", "[{task, attempt, text}]")],
)
@RUN
@click.argument("task", required=False)
@click.option("--attempt", type=click.IntRange(min=1), help="Of this attempt only.")
@options(LAST, RUNS, JSON)
def show_logs(
    run: str | None,
    task: str | None,
    attempt: int | None,
    last: bool,
    store: str | None,
    as_json: bool,
    config: str | None,
) -> None:
    """Show what attempts printed and logged, task by task: up to 1 MB of each, of which the tail is kept.

    With --last, the only argument is the TASK.
    """
    from heddle.cli.views.output import colored
    from heddle.cli.views.run_texts import json_text

    if last and run is not None and task is None:
        run, task = None, run
    settings = settings_of(config)

    async def read(runs: "Runs", record: "RunRecord", _: str) -> Sequence[tuple[str, int, str]]:
        if task is not None:
            await runs.check_task(record, task)
        return await runs.logs(record.id, task or "", attempt or 0)

    logs = look(named_run(run, last), settings, store, read)
    if as_json:
        click.echo(
            json_text([{"task": each[0], "attempt": each[1], "text": each[2]} for each in logs])
        )
        return
    import sys

    color = colored(sys.stdout)
    for path, number, text in logs:
        title = path if number == 1 else f"{path}, attempt {number}"
        click.echo(click.style(f"{title}:", bold=True), color=color)
        click.echo("".join(f"  {line}\n" for line in text.splitlines()), nl=False)
    if not logs:
        click.echo("nothing was printed", err=True)


# -- events ----------------------------------------------------------------------------------------


@click.command(
    "events",
    cls=ExampleCommand,
    short_help="Show the transitions of a run, in order and without gaps.",
    examples=[
        ("Of the newest run", "heddle runs events --last"),
        ("As they come, for a program", "heddle runs events 1a2b3c4d --follow --json"),
    ],
    shapes=[("--json", "{run, seq, at, event, task?, number?, actor?, detail?} a line")],
)
@RUN
@click.option(
    "--after", type=click.IntRange(min=0), default=0, help="Only those above this number."
)
@click.option(
    "--follow", is_flag=True, help="Go on as they come, until the run rests or has ended."
)
@options(LAST, RUNS, JSON)
def show_events(
    run: str | None,
    last: bool,
    after: int,
    follow: bool,
    store: str | None,
    as_json: bool,
    config: str | None,
) -> None:
    """Show every transition of a run and its tasks. They are numbered from 1, without gaps."""
    import msgspec

    from heddle.cli.views.run_view import event_line

    settings = settings_of(config)

    async def read(runs: "Runs", record: "RunRecord", _: str) -> None:
        if follow:
            async for transition in runs.follow(record.id, after):
                show(transition)
            return
        for transition in await runs.events(record.id, after):
            show(transition)

    def show(transition: Any) -> None:
        if as_json:
            click.echo(msgspec.json.encode(transition, enc_hook=str).decode())
        else:
            click.echo(event_line(transition))

    look(named_run(run, last), settings, store, read)
