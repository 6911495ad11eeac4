"""heddle up: run the namespaces that heddle.toml lists, each in processes of its own."""

import click

from heddle.cli.commands.start import ADDRESS, DRAIN, FORMAT, LAG, LEVEL
from heddle.cli.group import ExampleCommand
from heddle.cli.options import ENVIRONMENT, EXTENSION, options, settings_of

HEALTH = click.option(
    "--health",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="Kill a process of which nothing was heard for so long; 0 is never.  [default: 30]",
)


@click.command(
    cls=ExampleCommand,
    short_help="Run several namespaces, each in processes of its own.",
    examples=[
        ("All that heddle.toml lists", "heddle up"),
        ("Two of them", "heddle up shop billing"),
        ("With a place where a load balancer may ask", "heddle up --health-address :7880"),
    ],
    shapes=[
        (
            "GET / at the health address",
            (
                "{ok, started, ready, reasons: [text], namespaces: [{namespace, ok, restarts, "
                "workers: [{worker, pid, ready, draining, seconds, silent}]}]}"
            ),
        )
    ],
)
@click.argument("names", nargs=-1, metavar="[NAMESPACE]...")
@options(ENVIRONMENT, EXTENSION, FORMAT, LEVEL, DRAIN, LAG, HEALTH, ADDRESS)
def command(
    names: tuple[str, ...],
    config: str | None,
    extensions: tuple[str, ...],
    **flags: object,
) -> None:
    """Run the namespaces that the settings list, or only those that are named.

    Each has a table [namespaces.NAME] with its store and the number of its workers. A process that
    ends is begun again, with growing pauses; one that hangs is killed first. There is one log for all.

    SIGINT (Ctrl-C) and SIGTERM stop all of them in order; a second signal at once, with 130. SIGHUP
    replaces the processes, one after the other: new code and new settings of the environment, and no
    connection is refused meanwhile.
    """
    from heddle.cli.supervisor.namespaces import namespaces_of, run_several

    settings = settings_of(config, extensions, **flags)
    run_several(namespaces_of(settings, names), settings)
