"""heddle status: how a namespace stands in every runtime that follows it."""

import asyncio
from typing import TYPE_CHECKING

import click

from heddle.cli.exit_codes import FAILED, UNFOLLOWED
from heddle.cli.group import ExampleCommand
from heddle.cli.name_completion import complete_names
from heddle.cli.options import EXTENSION, JSON, NAMESPACE, STORE, options, settings_of

if TYPE_CHECKING:
    from heddle.cli.settings import Settings
    from heddle.runtime.status.namespace_status import NamespaceStatus

WATCH = click.option(
    "-w",
    "--watch",
    is_flag=True,
    help="Go on, and show every change; elsewhere than on a terminal, one line for each.",
)


@click.command(
    cls=ExampleCommand,
    short_help="Show how a namespace stands in its runtimes.",
    examples=[
        ("The namespace of the settings", "heddle status"),
        ("Whether two symbols are live, for a script", "heddle status router pong > /dev/null"),
        ("Follow a database as it changes", "heddle status --store postgresql://db/flows --watch"),
    ],
    shapes=[
        (
            "--json",
            (
                "{ok, namespace, store, revision, runtimes: [{runtime, host, pid, version, started, "
                "seen, generation, observed, active, waiting, rejected, processes, buffers, conditions}], "
                "symbols: [{id, name?, kind, state: "
                "rejected|degraded|waiting|behind|draining|active|idle, revision, place?, holder?, runtimes: "
                "[{runtime, state, observed, conditions?}]}], problems: [as of heddle check]}; with "
                "--watch, one such document a line"
            ),
        ),
        ("of conditions", "[{type, status, reason?, message?, place?, since?}]"),
    ],
)
@click.argument("names", nargs=-1, metavar="[SYMBOL]...", shell_complete=complete_names)
@options(NAMESPACE, STORE, WATCH, EXTENSION, JSON)
def command(
    names: tuple[str, ...],
    watch: bool,
    as_json: bool,
    config: str | None,
    extensions: tuple[str, ...],
    **flags: object,
) -> None:
    """Show what each runtime that follows the namespace says of itself, and of each symbol.

    A symbol is `active`; or `rejected`: a runtime does not take it up; `degraded`: it runs, but not
    as the store has it, or says itself that something is wrong; `waiting`: what it leads to is not
    there; `behind`: a runtime has not looked at it yet; `draining`: an older one still ends; `idle`:
    no runtime follows. Of several runtimes, the worst counts. If one acts for all others, as with
    a timer, it is named.

    The exit code is 0 if all is well, 1 if something is rejected, degraded, waiting or behind,
    or cannot be read, and 4 if no runtime follows the namespace. With SYMBOLs, only those count.
    """
    settings = settings_of(config, extensions, **flags)
    if watch:
        from heddle.cli.views.status_watch import watch_status

        asyncio.run(watch_status(settings, names, as_json=as_json))
        return
    status = asyncio.run(_look(settings, names))
    if as_json:
        from heddle.cli.views.output import print_json
        from heddle.cli.views.status_view import status_data

        print_json(status_data(status, names))
    else:
        from heddle.cli.views.status_view import print_status

        print_status(status)
    code = exit_code(status, names, verbose=not as_json)
    if code:
        raise click.exceptions.Exit(code)


async def _look(settings: "Settings", names: tuple[str, ...]) -> "NamespaceStatus":
    from heddle.cli.stores import opened
    from heddle.cli.views.status_view import require_reports
    from heddle.runtime.status.namespace_status import namespace_status

    async with opened(settings) as store:
        require_reports(store)
        return await namespace_status(store, settings.namespace, names=names)


def exit_code(status: "NamespaceStatus", names: tuple[str, ...], *, verbose: bool) -> int:
    """Return what the state comes to as an exit code; what is missing is told, if wanted."""
    from heddle.cli.complaint import complain

    known = {name for each in status.symbols for name in (each.name, each.label, str(each.id))}
    missing = [name for name in names if name not in known]
    for name in missing:
        if verbose:
            complain(f'there is no symbol "{name}" in the namespace {status.namespace}')
    if missing:
        return FAILED
    if not status.followed:
        return UNFOLLOWED
    return 0 if (status.symbols_well if names else status.well) else FAILED
