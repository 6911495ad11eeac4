"""heddle diff: what tells two revisions of a store apart, or two files or folders."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from heddle.cli.commands.get import EVERYWHERE
from heddle.cli.exit_codes import DIFFERENT, CommandError
from heddle.cli.group import ExampleCommand
from heddle.cli.options import EXTENSION, JSON, NAMESPACE, STORE, options, settings_of

if TYPE_CHECKING:
    from heddle.cli.settings import Settings
    from heddle.specs.model.difference import Diff


@click.command(
    cls=ExampleCommand,
    short_help="Show what tells two revisions, files or folders apart.",
    examples=[
        ("What changed since revision 41", "heddle diff 41"),
        ("What the last change did", "heddle diff now~1 now"),
        ("Two folders", "heddle diff flows.old flows"),
    ],
    shapes=[("--json", "{same, changes: [as of heddle plan]}")],
)
@click.argument("first", metavar="A")
@click.argument("second", metavar="[B]", default="now", required=False)
@options(NAMESPACE, EVERYWHERE, STORE, EXTENSION, JSON)
def command(
    first: str,
    second: str,
    all_namespaces: bool,
    as_json: bool,
    config: str | None,
    extensions: tuple[str, ...],
    **flags: object,
) -> None:
    """Show what has to be done to come from A to B, node by node and port by port.

    A and B are two revisions of the store (a number, `now`, or `now~2` for two before it; B is `now`
    unless said otherwise), or two files or folders. Of revisions, only the namespace is compared.
    The order of nodes, comments and style are no differences. The exit code is 0 if both say the
    same, and 3 if they differ.
    """
    from heddle.cli.views.diff_view import as_change, print_details, summary
    from heddle.cli.views.output import print_json
    from heddle.cli.views.revision_view import is_term

    settings = settings_of(config, extensions, **flags)
    space = None if all_namespaces else settings.namespace
    if is_term(first) and is_term(second):
        diffs = asyncio.run(_between(settings, first, second, space))
    else:
        diffs = _of_files(first, second, settings)
    if as_json:
        print_json({"same": not diffs, "changes": [as_change(each) for each in diffs]})
    else:
        print_details(diffs)
        click.echo(summary(diffs) if diffs else "no difference")
    if diffs:
        raise click.exceptions.Exit(DIFFERENT)


async def _between(
    settings: "Settings", first: str, second: str, namespace: str | None
) -> "list[Diff]":
    from heddle.cli.stores import opened
    from heddle.cli.views.revision_view import number_of
    from heddle.runtime.changes.rollback import between

    async with opened(settings) as store:
        number = await number_of(store, first, namespace)
        other = await number_of(store, second, namespace)
        if number is None:
            number = await store.newest()
        return await between(store, number, other, namespace=namespace)


def _of_files(first: str, second: str, settings: "Settings") -> "list[Diff]":
    """Return what tells two files or folders apart."""
    from heddle.cli.documents import Documents
    from heddle.schemas.errors import SpecError
    from heddle.specs.merge.comparison import compared

    sides = []
    for path in (first, second):
        if not Path(path).exists():
            raise CommandError(
                f'"{path}" is neither a revision nor a file or folder (expected: two revisions, such '
                "as 41 and now~1, or two paths)"
            )
        documents = Documents([path])
        if documents.problems:
            raise SpecError(documents.problems)
        sides.append(documents.sheets(settings.namespace))
    return compared(*sides)
