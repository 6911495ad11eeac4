"""heddle plan: what an apply would change, and what is wrong with it."""

import asyncio
from typing import TYPE_CHECKING

import click

from heddle.cli.commands.apply import BASE, FILES, MERGE, PRUNE, SORT
from heddle.cli.exit_codes import DIFFERENT, FAILED
from heddle.cli.group import ExampleCommand
from heddle.cli.options import EXTENSION, JSON, NAMESPACE, STORE, options, settings_of

if TYPE_CHECKING:
    from heddle.cli.resource_files import Planner
    from heddle.runtime.changes.plan import Plan


@click.command(
    cls=ExampleCommand,
    short_help="Show what an apply would change.",
    examples=[
        ("What a file would change in the store of the settings", "heddle plan -f flow.yaml"),
        ("Where a folder is all there is", "heddle plan -f flows --prune"),
        ("For programs", "heddle plan -f flows --store postgresql://db/flows --json"),
    ],
    shapes=[
        (
            "--json",
            (
                "{ok, changes: [{action: created|updated|unchanged|deleted, type: spec|value, id, "
                "namespace, name?, kind?, fields?: [{path, before?, after?}]}], "
                "problems: [as of heddle check], conflicts?: [as of heddle apply]}"
            ),
        )
    ],
)
@SORT
@options(FILES, NAMESPACE, STORE, PRUNE, BASE, MERGE, EXTENSION, JSON)
def command(
    sort: str,
    files: tuple[str, ...],
    prune: bool,
    base: int | None,
    merge: bool,
    as_json: bool,
    config: str | None,
    extensions: tuple[str, ...],
    **flags: object,
) -> None:
    """Show what `heddle apply` would change, node by node and port by port, and write nothing.

    It goes by the same rules, and finds the same problems. The exit code is 0 if nothing would
    change, 3 if something would, and 1 if there are problems or conflicts.
    """
    from heddle.cli.resource_files import Planner, ResourceFiles
    from heddle.cli.views.apply_view import ChangeOutcome, outcome_data, print_outcome
    from heddle.cli.views.diff_view import print_details, summary
    from heddle.cli.views.output import print_json
    from heddle.runtime.changes.plan import ApplyResult

    given = ResourceFiles(files, sort, settings_of(config, extensions, **flags))
    planned = asyncio.run(_plan(Planner(given, prune=prune, base=base, merge=merge)))
    stopped = bool(planned.problems or planned.clashes)
    applied = ApplyResult(
        differences=planned.differences, problems=planned.problems, clashes=planned.clashes
    )
    if as_json:
        print_json(outcome_data(ChangeOutcome(applied=applied)))
    else:
        print_details(planned.differences)
        if stopped:
            print_outcome(ChangeOutcome(applied=applied), source=given.documents.source)
        else:
            click.echo(summary(planned.differences))
    if stopped:
        raise click.exceptions.Exit(FAILED)
    if planned.changed:
        raise click.exceptions.Exit(DIFFERENT)


async def _plan(planner: "Planner") -> "Plan":
    from heddle.cli.extensions import installed
    from heddle.cli.stores import opened
    from heddle.runtime.changes.plan import Plan

    settings = planner.given.settings
    registry = installed(settings)
    problems = planner.given.problems(registry)
    if problems:
        return Plan(problems=tuple(problems))
    async with opened(settings, registry) as store:
        return await planner.plan(store, registry)
