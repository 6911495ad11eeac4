"""heddle apply: put specs or values into a store."""

import asyncio
from typing import TYPE_CHECKING

import click

from heddle.cli.group import ExampleCommand
from heddle.cli.options import EXTENSION, JSON, NAMESPACE, STORE, options, settings_of
from heddle.cli.views.apply_view import (
    DRY_RUN,
    KEY,
    MESSAGE,
    SHAPE,
    TIMEOUT,
    WAIT,
    YES,
    ChangeOptions,
)

if TYPE_CHECKING:
    from heddle.cli.resource_files import Planner
    from heddle.cli.views.apply_view import ChangeOutcome

FILES = click.option(
    "-f",
    "--file",
    "--filename",
    "files",
    multiple=True,
    required=True,
    metavar="FILE",
    help="A file or a folder of documents; `-` is standard input. Repeatable.",
)
SORT = click.argument(
    "sort", type=click.Choice(["specs", "values", "all"]), default="all", required=False
)
PRUNE = click.option(
    "--prune",
    is_flag=True,
    help=(
        "Delete what the files do not name: specs in the namespaces of their specs, values in those "
        "of their values."
    ),
)
BASE = click.option(
    "--base",
    type=click.IntRange(min=0),
    metavar="REV",
    help="The revision that the files were made from: what others changed since is not lost.",
)

MERGE = click.option(
    "--merge",
    is_flag=True,
    help="Where others changed the same node meanwhile, put both changes together, if they fit.",
)


@click.command(
    cls=ExampleCommand,
    short_help="Put specs or values into a store.",
    examples=[
        ("A file into the store of the settings", "heddle apply -f flow.yaml"),
        (
            "What it would do to a database",
            "heddle apply specs -f flows --store postgresql://db/flows --dry-run",
        ),
        ("From another program", "generate | heddle apply -f - -n shop"),
        (
            "A folder is all there is: deploy it, say why, and wait until it is live",
            'heddle apply -f flows --prune --wait -m "a new price list"',
        ),
    ],
    shapes=[("--json", SHAPE)],
)
@SORT
@options(
    FILES,
    NAMESPACE,
    STORE,
    PRUNE,
    YES,
    BASE,
    MERGE,
    DRY_RUN,
    WAIT,
    TIMEOUT,
    MESSAGE,
    KEY,
    EXTENSION,
    JSON,
)
def command(
    sort: str,
    files: tuple[str, ...],
    prune: bool,
    yes: bool,
    base: int | None,
    merge: bool,
    dry_run: bool,
    wait: bool,
    timeout: float,
    message: str,
    key: str,
    as_json: bool,
    config: str | None,
    extensions: tuple[str, ...],
    **flags: object,
) -> None:
    """Create or update what the files name, as one change set: all of it or nothing.

    A document with an id is the one with that id; without, the one with its name in its namespace;
    with neither, it is new and gets an id. Everything is checked first, among what is stored
    already: with one problem anywhere, nothing is written. A new spec may wait for links and values
    that come later. A blank in a spec without an env stays as text: that is a hint, and no problem.
    What the files do not name stays as it is, unless --prune is given; then, on a
    terminal, what would be deleted is shown first, and you are asked.

    `specs` and `values` take files that hold nothing else, `all` takes both, and is what is meant
    where none of the three is said.

    Where somebody else changed one of these in the meantime (since --base, or since this command
    read it), nothing is written, and both changes are shown, by field and by port; --merge puts them
    together if they do not contradict each other. With --wait, the exit code is 1 where
    a runtime rejects the change, and the reason is told.
    """
    from heddle.cli.resource_files import Planner, ResourceFiles
    from heddle.cli.views.apply_view import end, outcome_data, print_outcome
    from heddle.cli.views.output import print_json, print_problems

    given = ResourceFiles(files, sort, settings_of(config, extensions, **flags))
    change_options = ChangeOptions(
        message=message, dry_run=dry_run, wait=wait, timeout=timeout, key=key
    )
    planner = Planner(given, prune=prune, base=base, merge=merge)
    outcome = asyncio.run(_apply(planner, change_options, confirm_first=prune and not yes))
    if as_json:
        print_json(outcome_data(outcome))
    else:
        print_outcome(outcome, source=given.documents.source, nothing=given.nothing)
        if outcome.applied.revision or outcome.dry_run:
            from heddle.specs.binding.unfilled import unfilled_blanks

            print_problems(unfilled_blanks(given.reading.specs), source=given.documents.source)
    end(outcome)


async def _apply(
    planner: "Planner", change_options: ChangeOptions, *, confirm_first: bool
) -> "ChangeOutcome":
    from heddle.cli.extensions import installed
    from heddle.cli.stores import opened
    from heddle.cli.views.apply_view import ChangeOutcome, confirm, made_before, make_it
    from heddle.runtime.changes.plan import ApplyResult

    settings = planner.given.settings
    registry = installed(settings)
    problems = planner.given.problems(registry)
    if problems:
        return ChangeOutcome(applied=ApplyResult(problems=tuple(problems)))
    async with opened(settings, registry) as store:
        made = await made_before(store, change_options)
        if made is not None:
            return made
        while True:
            planned = await planner.plan(store, registry)
            if confirm_first and not change_options.dry_run:
                confirm(planned)
            outcome = await make_it(store, planned, settings, change_options)
            if not planner.again(planned, outcome.applied):
                return outcome
