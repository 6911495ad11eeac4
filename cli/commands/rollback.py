"""heddle rollback: make a namespace say what it said at an older revision."""

import asyncio
from typing import TYPE_CHECKING

import click

from heddle.cli.commands.get import EVERYWHERE
from heddle.cli.group import ExampleCommand
from heddle.cli.options import EXTENSION, JSON, NAMESPACE, STORE, options, settings_of
from heddle.cli.views.apply_view import DRY_RUN, KEY, MESSAGE, SHAPE, TIMEOUT, WAIT, ChangeOptions

if TYPE_CHECKING:
    from heddle.cli.settings import Settings
    from heddle.cli.views.apply_view import ChangeOutcome


@click.command(
    cls=ExampleCommand,
    short_help="Bring a store back to what it said at an older revision.",
    examples=[
        (
            "Undo all that came after revision 41, and wait until it is live",
            "heddle rollback 41 --wait",
        ),
        ("Undo the newest change", 'heddle rollback now~1 -m "orders failed"'),
        ("What that would change", "heddle rollback 41 --dry-run"),
    ],
    shapes=[("--json", SHAPE)],
)
@click.argument("revision", metavar="REV")
@options(NAMESPACE, EVERYWHERE, STORE, DRY_RUN, WAIT, TIMEOUT, MESSAGE, KEY, EXTENSION, JSON)
def command(
    revision: str,
    all_namespaces: bool,
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
    """Make a new revision that undoes all that came after REV in the namespace.

    Nothing of the past is lost: a rollback can be rolled back. REV is a number, or `now~2` for what
    was two revisions ago. It is checked first, as an apply is: what can run no more is a problem,
    and nothing is written then.
    """
    from heddle.cli.views.apply_view import end, outcome_data, print_outcome
    from heddle.cli.views.diff_view import print_details, summary
    from heddle.cli.views.output import print_json

    settings = settings_of(config, extensions, **flags)
    space = None if all_namespaces else settings.namespace
    message = message or f"roll back to revision {revision}"
    change_options = ChangeOptions(
        message=message, dry_run=dry_run, wait=wait, timeout=timeout, key=key
    )
    outcome = asyncio.run(_roll_back(settings, revision, space, change_options))
    changed = outcome.applied.changed
    if as_json:
        print_json(outcome_data(outcome))
    elif dry_run and outcome.ok:
        print_details(changed)
        click.echo(summary(changed))
    else:
        print_outcome(outcome, nothing=f"nothing to roll back: it is as it was at {revision}")
    end(outcome)


async def _roll_back(
    settings: "Settings", term: str, namespace: str | None, change_options: ChangeOptions
) -> "ChangeOutcome":
    import msgspec

    from heddle.cli.extensions import installed
    from heddle.cli.stores import opened
    from heddle.cli.views.apply_view import made_before, make_it
    from heddle.cli.views.revision_view import number_of
    from heddle.runtime.changes.rollback import plan_rollback

    registry = installed(settings)
    async with opened(settings, registry) as store:
        made = await made_before(store, change_options)
        if made is not None:
            return made
        number = await number_of(store, term, namespace)
        if number is None:
            number = await store.newest()
        if change_options.message == f"roll back to revision {term}":
            # `now~1` would mean something else to whoever reads it later.
            change_options = msgspec.structs.replace(
                change_options, message=f"roll back to revision {number}"
            )
        planned = await plan_rollback(store, number, registry, namespace=namespace)
        return await make_it(store, planned, settings, change_options)
