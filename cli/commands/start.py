"""heddle start: run the specs of a folder, a file or a store, until it is told to stop."""

from typing import TYPE_CHECKING

import click

from heddle.cli.group import ExampleCommand
from heddle.cli.options import (
    ENVIRONMENT,
    EXTENSION,
    NAMESPACE,
    STORE,
    drain_option,
    options,
    settings_of,
)

if TYPE_CHECKING:
    from heddle.cli.settings import Settings

DRAIN = drain_option("How long requests in flight may go on when it stops or reloads.")
SPECS = click.option(
    "--from-specs",
    multiple=True,
    metavar="FILE",
    help="Specs to put into the store first; `-` is standard input. Repeatable.",
)
VALUES = click.option(
    "--from-values",
    multiple=True,
    metavar="FILE",
    help="Values to put into the store first. Repeatable.",
)
WORKERS = click.option(
    "--workers",
    type=click.IntRange(min=0),
    metavar="N",
    help="How many processes share the work; 0 is one for each processor.  [default: 1]",
)
FORMAT = click.option(
    "--log-format",
    type=click.Choice(["auto", "text", "json"]),
    help="How events are told.  [default: auto, which is text on a terminal and json elsewhere]",
)
DEV = click.option(
    "--dev",
    is_flag=True,
    help="Follow Python files, too: a save begins a new worker, which takes over.",
)
LAG = click.option(
    "--lag",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="How long it goes on after SIGTERM while /readyz already says no.  [default: 0]",
)
ADDRESS = click.option(
    "--health-address",
    metavar="HOST:PORT",
    help="Answer probes there: /livez, /readyz, /startupz, /healthz, and / with all that is known.",
)
LEVEL = click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    help="The least level that is told.  [default: info]",
)

SYSTEM = click.option(
    "--system",
    metavar="HOST:PORT",
    help="Serve the API there that manages the store and this runtime.",
)


@click.command(
    cls=ExampleCommand,
    short_help="Run the specs of a folder, a file or a store.",
    examples=[
        ("One file; save a change in it, and the next request shows it", "heddle start flow.yaml"),
        ("A folder, with a blank filled", "heddle start flows -e PORT=8000"),
        ("Specs of another program", "render-specs | heddle start -"),
        ("On every processor", "heddle start flows --workers 0"),
        ("While you write extensions or tasks in Python", "heddle start flows --dev"),
        ("With the API beside it", "heddle start flows --system 127.0.0.1:7878"),
        ("The API alone", "heddle start -n system --store postgresql://db/flows"),
        ("Specs from files, kept in memory only", "heddle start --from-specs flow.yaml"),
        (
            "A database, for programs that read the log",
            "heddle start --store postgresql://db/flows --log-format json",
        ),
    ],
    shapes=[
        (
            "--log-format json",
            (
                "{time, level, event, namespace?, symbol?, generation?, reason?, data?, "
                "problems?, detail?} a line"
            ),
        )
    ],
)
@click.argument("path", required=False)
@options(
    STORE,
    SPECS,
    VALUES,
    NAMESPACE,
    ENVIRONMENT,
    EXTENSION,
    FORMAT,
    LEVEL,
    DRAIN,
    LAG,
    WORKERS,
    DEV,
    ADDRESS,
    SYSTEM,
)
def command(
    path: str | None,
    store: str | None,
    from_specs: tuple[str, ...],
    from_values: tuple[str, ...],
    config: str | None,
    extensions: tuple[str, ...],
    health_address: str | None,
    dev: bool,
    **flags: object,
) -> None:
    """Run specs, and follow every change of them.

    PATH is a folder or a file of specs, the address of a store, or `-` for specs on standard input
    (kept in memory only). Without one, the store of the settings runs, or else the working
    directory. What is wrong is told with its line, and the rest runs; put it right, and it is taken
    up at once.

    SIGINT (Ctrl-C) and SIGTERM stop it: nothing new begins, what is in flight is answered, and the
    exit code is 0. A second signal stops it at once, with 130.

    With --dev, a saved Python file (an extension, a function of a workflow) is taken up, too: a new worker
    begins beside the one that runs, takes over its sockets, and the other answers what it has begun. If
    the new one cannot begin, the other goes on. It needs a store that both of them read.

    With --health-address, probes are answered there. SIGTERM makes /readyz say no at once; --lag seconds
    later nothing new begins, so that a load balancer has had the time to look elsewhere. [up] address of
    the settings is for several workers. Under systemd, Type=notify and WatchdogSec work as they are.

    With --workers, several processes follow the store and share the sockets of its listeners. SIGHUP
    replaces them, one after the other, and no connection is refused meanwhile.

    With --system, the namespace `system` runs beside it, in the same process: the API by which specs,
    values and runtimes are managed over HTTP. `-n system` runs that alone. An address that others can
    reach takes at least one token: see heddle token.
    """
    # One function: the options of a command are its parameters; the body only hands them on.
    if path == "-":
        path, from_specs = None, ("-", *from_specs)
    if path is not None and store is not None:
        raise click.UsageError("give PATH or --store, not both")
    if path is not None and flags.get("server") is not None:
        raise click.UsageError("give PATH or --server, not both")
    settings = settings_of(
        config,
        extensions,
        store=path if path is not None else store,
        health_address=health_address,
        **flags,
    )
    if settings.system:
        from heddle.cli.system import address

        address(settings.system)
    if settings.workers != 1 or dev:
        from heddle.cli.supervisor.namespaces import run_several

        if settings.system:
            raise click.UsageError(
                "--system is served by one process, beside one runtime; "
                "with several workers, run heddle start -n system as well"
            )
        if from_specs or from_values:
            raise click.UsageError(
                "several workers, and --dev, need a store that all of them read; "
                "put the files there first, with heddle apply"
            )
        run_several([settings], settings, _code(settings) if dev else ())
        return
    from heddle.cli.serve import Serve

    Serve(settings, from_specs, from_values, health=health_address or "").run()


def _code(settings: "Settings") -> list[str]:
    """Return the folders of the code that is followed."""
    import os

    from heddle.cli.extensions import reachable
    from heddle.cli.supervisor.code_watch import code_folders

    # Bytecode is told apart by the second and the size: a quick save of the same size would not be seen.
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    reachable(settings.extensions, settings.folder)
    return code_folders(settings)
