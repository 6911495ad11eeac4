"""heddle run: run a workflow, recorded, and print its answer."""

from typing import TYPE_CHECKING, Any

import click

from heddle.cli.exit_codes import USAGE
from heddle.cli.group import ExampleCommand
from heddle.cli.options import (
    ENVIRONMENT,
    EXTENSION,
    JSON,
    NAMESPACE,
    SERVER,
    TOKEN,
    drain_option,
    options,
    settings_of,
)

if TYPE_CHECKING:
    from heddle.cli.runs.session import RunEnd
    from heddle.cli.runs.target import RunTarget
    from heddle.cli.settings import Settings

INPUT = click.option(
    "--input",
    "input_file",
    metavar="FILE",
    help="A JSON file with a map of inputs (`-`: standard input). KEY=VALUE comes over it.",
)
RUNS = click.option(
    "--runs",
    metavar="URL",
    help="The RunStore: a SQLite file or a folder.  [default: of the settings, or runs.sqlite in the "
    "state folder]",
)
LOCAL_STORE = click.option(
    "--store",
    metavar="URL",
    help="Where names of workflows are looked up: a folder, a file or an address.  "
    "[default: of the settings, or ./]",
)
DRAIN = drain_option("How long running tasks may go on after Ctrl-C.")


@click.command(
    cls=ExampleCommand,
    short_help="Run a workflow, and print its answer.",
    examples=[
        ("A workflow of the store, with an input", "heddle run report day=2026-11-30"),
        ("The only workflow of a file, or one of several", "heddle run flows/report.yaml:report"),
        ("A workflow in Python", "heddle run shop.flows:report day=2026-11-30"),
        (
            "Inputs from a file, the answer for a program",
            "heddle run report --input in.json --json",
        ),
        ("In the runtime behind an API", "heddle run report --server http://127.0.0.1:7878"),
    ],
    shapes=[
        (
            "--json",
            "{id, workflow, status, outputs?, error?: {code, message, symbol?, place?}, reason?, next?}",
        )
    ],
)
@click.argument("words", nargs=-1, metavar="[TARGET] [KEY=VALUE]...")
@options(INPUT, RUNS, LOCAL_STORE, SERVER, TOKEN, NAMESPACE, ENVIRONMENT, EXTENSION, DRAIN, JSON)
def command(
    words: tuple[str, ...],
    input_file: str | None,
    runs: str | None,
    as_json: bool,
    config: str | None,
    extensions: tuple[str, ...],
    **flags: object,
) -> None:
    """Run a workflow, and print its answer as JSON on standard output.

    TARGET is a file or a folder of specs, the name of a workflow in the store of the settings, or
    `module:workflow`. A file that exists comes first. FILE:NAME is one of several workflows. Without a
    TARGET, the only workflow of the store runs. Listeners and timers beside it do not begin.

    KEY=VALUE gives an input, converted to its declared type; lists and maps are JSON.

    The run is recorded: if this process is killed, `heddle runs resume --last` goes on where it stopped.
    Ctrl-C and SIGTERM suspend the run; running tasks get the time of --drain, and a second signal ends
    them at once. The last line is the command that resumes it. Progress is on standard error.

    With --server, TARGET is the name of a workflow there: its runtime runs it, and this command follows.
    Ctrl-C ends only that. For another namespace than that of the settings, give --namespace.

    The exit code is 0 if the run completed, 1 if it failed or an input is wrong, 5 if it is blocked (a
    person decides), 6 if it is suspended, 130 after Ctrl-C and 143 after SIGTERM.
    """
    from heddle.cli.runs.session import run_loop
    from heddle.cli.runs.target import SeveralWorkflowsError
    from heddle.cli.runs.values import read_input_file, split_arguments
    from heddle.cli.views.error_boundary import failure
    from heddle.cli.views.output import complain, print_json
    from heddle.cli.views.run_end import report_end

    text, texts = split_arguments(words)
    given = read_input_file(input_file) if input_file is not None else {}
    settings = settings_of(config, extensions, **flags)
    try:
        if flags.get("server") is not None:
            if runs is not None:
                raise click.UsageError("the RunStore is that of the server: leave out --runs")
            from heddle.cli.views.server_run_view import run_there

            code = run_there(settings, text, given, texts, as_json=as_json)
            raise click.exceptions.Exit(code)
        target, end = run_loop(_run(text, texts, given, settings, runs=runs, quiet=as_json))
    except SeveralWorkflowsError as several:
        if as_json:
            print_json(failure(f"{several} ({', '.join(several.names)})"))
        complain(str(several))
        for name in several.names:
            click.echo(f"  {name}", err=True)
        raise click.exceptions.Exit(USAGE) from None
    report_end(end, settings, target=target, as_json=as_json)
    raise click.exceptions.Exit(end.code)


async def _run(
    text: str | None,
    texts: dict[str, str],
    given: dict[str, Any],
    settings: "Settings",
    *,
    runs: str | None,
    quiet: bool,
) -> "tuple[RunTarget, RunEnd]":
    """Find the target, and run it. Raise HeddleError."""
    from heddle.cli.extensions import installed
    from heddle.cli.runs.places import address_for
    from heddle.cli.runs.session import RunSession
    from heddle.cli.runs.target import find_target
    from heddle.cli.views.apply_view import user_at_host
    from heddle.cli.views.run_progress import make_progress

    registry = installed(settings)
    target = await find_target(text, settings, registry)
    if not quiet:
        click.echo(target.line, err=True)
    session = RunSession(
        target,
        settings,
        registry,
        address=address_for(target, settings, runs),
        watcher=make_progress(quiet=quiet),
    )
    creator = settings.author or user_at_host()
    return target, await session.begin(given, texts, creator=creator)
