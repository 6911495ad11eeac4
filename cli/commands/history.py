"""heddle history: who changed what in a store, when, and why."""

import asyncio
from typing import TYPE_CHECKING

import click

from heddle.cli.commands.get import EVERYWHERE
from heddle.cli.exit_codes import FAILED
from heddle.cli.group import ExampleCommand
from heddle.cli.name_completion import complete_names
from heddle.cli.options import EXTENSION, JSON, NAMESPACE, STORE, options, settings_of
from heddle.cli.views.revision_view import SHAPE

if TYPE_CHECKING:
    from heddle.cli.settings import Settings
    from heddle.specs.model.revision import Revision

LIMIT = click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    metavar="COUNT",
    help="How many revisions to show, the newest first.",
)


@click.command(
    cls=ExampleCommand,
    short_help="Show who changed what in a store, when, and why.",
    examples=[
        ("The newest revisions of the namespace", "heddle history"),
        ("Who changed the router", "heddle history router --limit 5"),
        ("Of every namespace, for programs", "heddle history -A --json"),
    ],
    shapes=[("--json", f"[{SHAPE}]")],
)
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=complete_names)
@options(NAMESPACE, EVERYWHERE, LIMIT, STORE, EXTENSION, JSON)
def command(
    names: tuple[str, ...],
    all_namespaces: bool,
    limit: int,
    as_json: bool,
    config: str | None,
    extensions: tuple[str, ...],
    **flags: object,
) -> None:
    """Show the revisions of a store, the newest first; with NAMEs (or ids), those that changed them.

    A revision is one change set: all that one apply, one saved file or one request changed. `+` is
    what it created, `~` what it updated, `-` what it deleted. `heddle show REV` tells all of it. The
    exit code is 1 if a NAME was never there.
    """
    from heddle.cli.complaint import complain
    from heddle.cli.views.output import print_json, print_table
    from heddle.cli.views.revision_view import as_revision, row_of

    settings = settings_of(config, extensions, **flags)
    space = None if all_namespaces else settings.namespace
    revisions = asyncio.run(_read(settings, space, names, limit))
    if as_json:
        print_json([as_revision(each) for each in revisions])
    elif revisions:
        print_table(["revision", "when", "author", "changed", "why"], map(row_of, revisions))
    else:
        text = ", ".join(f'"{name}"' for name in names) or "anything"
        where = f" in the namespace {space}" if space is not None else ""
        message = f"no revision of {settings.shown} changed {text}{where}"
        if not names:
            # A store that is new has no past: that is not an error.
            click.echo(message, err=True)
            return
        complain(message)
    if not revisions and names:
        raise click.exceptions.Exit(FAILED)


async def _read(
    settings: "Settings", namespace: str | None, names: tuple[str, ...], limit: int
) -> "list[Revision]":
    from heddle.cli.stores import opened
    from heddle.cli.views.revision_view import changing
    from heddle.runtime.changes.plan import recording

    async with opened(settings) as store:
        return await changing(recording(store), namespace, names, limit)
