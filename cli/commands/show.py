"""heddle show: one revision with all that it changed, or one spec or value with its past."""

import asyncio
from typing import TYPE_CHECKING

import click

from heddle.cli.exit_codes import FAILED, CommandError
from heddle.cli.group import ExampleCommand
from heddle.cli.name_completion import complete_names
from heddle.cli.options import EXTENSION, JSON, NAMESPACE, STORE, options, settings_of

if TYPE_CHECKING:
    from heddle.cli.settings import Settings
    from heddle.specs.model.revision import Revision
    from heddle.specs.model.store import Resource, Store

PAST = 5
"""So many of the revisions that changed a spec or a value are shown with it."""


@click.command(
    cls=ExampleCommand,
    short_help="Show one revision, or one spec or value with its past.",
    examples=[
        ("What a revision changed", "heddle show 41"),
        ("The one before the newest", "heddle show now~1"),
        ("What the router is, and who made it so", "heddle show router"),
    ],
    shapes=[
        ("REV --json", "{revision, time, author, message, changes: [as of heddle plan]}"),
        (
            "NAME --json",
            "[{type: spec|value, revision, entry: {as of heddle get}, history: [as of heddle history]}]",
        ),
    ],
)
@click.argument("subject", metavar="REV|NAME", shell_complete=complete_names)
@options(NAMESPACE, STORE, EXTENSION, JSON)
def command(
    subject: str,
    as_json: bool,
    config: str | None,
    extensions: tuple[str, ...],
    **flags: object,
) -> None:
    """Show a revision: who made it, when, why, and what it changed, field by field and port by port.

    REV is a number, `now`, or `now~2` for two before it; a revision is shown whole, whichever
    namespaces it changed. Anything else is the NAME or the id of a spec or a value of the namespace:
    it is shown as YAML, with the revisions that changed it last. Secrets are masked.
    """
    from heddle.cli.views.revision_view import is_term

    settings = settings_of(config, extensions, **flags)
    if is_term(subject):
        _print_revision(asyncio.run(_revision(settings, subject)), as_json)
        return
    entries = asyncio.run(_named(settings, subject))
    if as_json:
        from heddle.cli.views.output import print_json

        print_json([_as_data(resource, past) for resource, past in entries])
    elif entries:
        for resource, past in entries:
            _print_named(resource, past)
    else:
        from heddle.cli.complaint import complain

        complain(
            f'there is no spec or value "{subject}" in the namespace {settings.namespace} of '
            f"{settings.shown}"
        )
    if not entries:
        raise click.exceptions.Exit(FAILED)


async def _revision(settings: "Settings", term: str) -> "Revision":
    from heddle.cli.stores import opened
    from heddle.cli.views.revision_view import number_of
    from heddle.runtime.changes.plan import recording

    async with opened(settings) as store:
        number = await number_of(store, term, settings.namespace)
        kept = recording(store)
        if number is not None:
            return await kept.revision(number)
        page = await kept.history(settings.namespace, limit=1)
        if not page:
            raise CommandError(f"the namespace {settings.namespace} has no revisions yet")
        return await kept.revision(page[0].number)


async def _named(settings: "Settings", name: str) -> "list[tuple[Resource, list[Revision]]]":
    from heddle.cli.stores import opened

    async with opened(settings) as store:
        here: list[Resource] = list(await store.specs(settings.namespace))
        here += await store.values(settings.namespace)
        return [
            (each, await _past(store, each))
            for each in here
            if name in (each.name, each.label, str(each.id))
        ]


async def _past(store: "Store", resource: "Resource") -> "list[Revision]":
    """Return the revisions that changed it last; none if the store keeps none."""
    from heddle.cli.views.revision_view import changing
    from heddle.specs.model.revision import RevisionStore

    if not isinstance(store, RevisionStore):
        return []
    return await changing(store, resource.namespace, [str(resource.id)], PAST)


def _print_revision(revision: "Revision", as_json: bool) -> None:
    from heddle.cli.views.diff_view import print_details
    from heddle.cli.views.output import print_json
    from heddle.cli.views.revision_view import as_revision, print_head
    from heddle.specs.model.difference import differences

    if as_json:
        print_json(as_revision(revision))
        return
    print_head(revision)
    click.echo()
    print_details(differences(revision.turns))


def _print_named(resource: "Resource", past: "list[Revision]") -> None:
    from heddle.cli.views.output import entry_of, to_yaml
    from heddle.cli.views.revision_view import when

    click.echo(
        f"# {type(resource).__name__.lower()} {resource.label}, revision {resource.revision}"
    )
    for each in past:
        why = f": {each.message.splitlines()[0]}" if each.message else ""
        author = f" by {each.author}" if each.author else ""
        click.echo(f"# revision {each.number}, {when(each.time)}{author}{why}")
    click.echo(to_yaml([entry_of(resource)]), nl=False)


def _as_data(resource: "Resource", past: "list[Revision]") -> dict[str, object]:
    from heddle.cli.views.output import entry_of
    from heddle.cli.views.revision_view import as_revision

    return {
        "type": type(resource).__name__.lower(),
        "revision": resource.revision,
        "entry": entry_of(resource),
        "history": [as_revision(each) for each in past],
    }
