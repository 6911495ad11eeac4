"""heddle apply: put specs or values into a store."""

import asyncio
from typing import TYPE_CHECKING
from uuid import UUID

import click

from heddle.cli.failure import FAILED
from heddle.cli.group import Command
from heddle.cli.options import EXTENSION, JSON, NAMESPACE, STORE, options, settings_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from heddle.cli.documents import Documents
    from heddle.cli.settings import Settings
    from heddle.runtime.applying import Applied, Deed
    from heddle.specs.document import Only, Reading
    from heddle.specs.problem import Problem
    from heddle.specs.store import Resource

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
DRY_RUN = click.option("--dry-run", is_flag=True, help="Check and tell, but write nothing.")


@click.command(
    cls=Command,
    short_help="Put specs or values into a store.",
    examples=[
        ("A file into the store of the settings", "heddle apply specs -f flow.yaml"),
        (
            "What it would do to a database",
            "heddle apply specs -f flows --store postgresql://db/flows --dry-run",
        ),
        ("From another program", "generate | heddle apply all -f - -n shop"),
    ],
    shapes=[
        (
            "--json",
            (
                "{ok, changes: [{what: created|updated|unchanged, type: spec|value, id, namespace, "
                "name?, kind?}], problems: [as of heddle check]}"
            ),
        )
    ],
)
@click.argument("sort", type=click.Choice(["specs", "values", "all"]))
@options(FILES, NAMESPACE, STORE, DRY_RUN, EXTENSION, JSON)
def command(
    sort: str,
    files: tuple[str, ...],
    dry_run: bool,
    as_json: bool,
    config: str | None,
    extensions: tuple[str, ...],
    **flags: object,
) -> None:
    """Create or update what the files name, and touch nothing else.

    A document with an id is the one with that id; without, the one with its name in its namespace;
    with neither, it is new and gets an id. Everything is checked first, among what is stored
    already: with one problem anywhere, nothing is written. Links and values that are not there may
    come later.

    `specs` and `values` take files that hold nothing else, `all` takes both.
    """
    from heddle.cli.documents import Documents
    from heddle.cli.output import print_json, print_problems
    from heddle.schemas.report import as_data

    settings = settings_of(config, extensions, **flags)
    documents = Documents(files)
    only: Only = "specs" if sort == "specs" else "values" if sort == "values" else None
    reading = documents.read(namespace=settings.namespace, only=only)
    deeds: Sequence[Deed] = ()
    problems: Sequence[Problem] = reading.problems
    if problems:
        problems = _all_problems(settings, reading)
    else:
        applied = asyncio.run(_apply(settings, documents, reading, only, dry_run))
        deeds, problems = applied.deeds, applied.problems
    if as_json:
        print_json(
            {
                "ok": not problems,
                "changes": [as_change(deed) for deed in deeds],
                "problems": [as_data(problem) for problem in problems],
            }
        )
    else:
        print_problems(problems, source=documents.source)
        tell(deeds, would=dry_run)
        if problems:
            click.echo("nothing was written: put the problems right first", err=True)
        elif not deeds:
            click.echo(
                f"nothing to apply: {', '.join(documents.files) or 'no files'} hold nothing",
                err=True,
            )
    if problems:
        raise click.exceptions.Exit(FAILED)


def _all_problems(settings: "Settings", reading: "Reading") -> "Sequence[Problem]":
    """The Problems of reading, and those of what could be read."""
    from heddle.cli.extensions import installed
    from heddle.runtime.checking import check_specs
    from heddle.schemas.check import in_order
    from heddle.specs.bind import Values

    checked = check_specs(
        reading.specs,
        Values(reading.values),
        installed(settings),
        spoiled=reading.spoiled,
        environment=settings.environment,
        later=True,
    )
    return in_order([*reading.problems, *checked.problems])


async def _apply(
    settings: "Settings",
    documents: "Documents",
    reading: "Reading",
    only: "Only",
    dry_run: bool,
) -> "Applied":
    from heddle.cli.extensions import installed
    from heddle.cli.stores import opened
    from heddle.runtime.applying import apply_into

    registry = installed(settings)
    async with opened(settings, registry) as store:
        return await apply_into(
            store,
            resources(reading),
            registry,
            anonymous=anonymous(documents, reading, settings.namespace, only),
            dry_run=dry_run,
        )


def anonymous(
    documents: "Documents", reading: "Reading", namespace: str, only: "Only"
) -> frozenset[UUID]:
    """The ids that no document says: read under another key, they come out otherwise."""
    nameless = {each.id for each in resources(reading) if each.name is None}
    if not nameless:
        return frozenset()
    again = documents.read(namespace=namespace, only=only, key="another key/")
    return frozenset(nameless - {each.id for each in resources(again)})


def resources(reading: "Reading") -> "list[Resource]":
    """Everything that was read."""
    return [*reading.specs, *reading.values]


def tell(deeds: "Sequence[Deed]", *, would: bool = False) -> None:
    """`created  spec pong`, one line each."""
    for deed in deeds:
        what = f"would be {deed.what}" if would and deed.what != "unchanged" else deed.what
        one = deed.resource
        sort = type(one).__name__.lower()
        where = "" if one.namespace == "default" else f" in {one.namespace}"
        click.echo(f"{what:<{18 if would else 9}}  {sort} {one.label}{where}")


def as_change(deed: "Deed") -> dict[str, object]:
    """A deed as plain data."""
    one = deed.resource
    said = {
        "what": deed.what,
        "type": type(one).__name__.lower(),
        "id": str(one.id),
        "namespace": one.namespace,
        "name": one.name,
        "kind": getattr(one, "kind", None),
    }
    return {name: value for name, value in said.items() if value is not None}
