"""heddle delete: take specs or values out of a store."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import click

from heddle.cli.failure import FAILED, CommandError
from heddle.cli.group import Command
from heddle.cli.options import EXTENSION, JSON, NAMESPACE, STORE, options, settings_of

if TYPE_CHECKING:
    from heddle.cli.settings import Settings
    from heddle.runtime.applying import Deed
    from heddle.specs.document import Only
    from heddle.specs.store import Resource, Store

FILES = click.option(
    "-f",
    "--file",
    "--filename",
    "files",
    multiple=True,
    metavar="FILE",
    help="A file or a folder of documents to delete; `-` is standard input. Repeatable.",
)
IGNORE = click.option("--ignore-missing", is_flag=True, help="What is not there is no failure.")
DRY_RUN = click.option("--dry-run", is_flag=True, help="Tell, but delete nothing.")


@click.command(
    cls=Command,
    short_help="Take specs or values out of a store.",
    examples=[
        ("By name", "heddle delete specs pong router"),
        ("All that a file names", "heddle delete specs -f flow.yaml --store flows"),
        ("A value of another namespace", "heddle delete values password -n shop"),
    ],
    shapes=[
        (
            "--json",
            "{ok, changes: [{what: deleted, type, id, namespace, name?, kind?}], missing: [text]}",
        )
    ],
)
@click.argument("sort", type=click.Choice(["specs", "values", "all"]))
@click.argument("names", nargs=-1, metavar="[NAME]...")
@options(FILES, NAMESPACE, STORE, IGNORE, DRY_RUN, EXTENSION, JSON)
def command(
    sort: str,
    names: tuple[str, ...],
    files: tuple[str, ...],
    ignore_missing: bool,
    dry_run: bool,
    as_json: bool,
    config: str | None,
    extensions: tuple[str, ...],
    **flags: object,
) -> None:
    """Delete by NAME (or id) in the namespace, or whatever the files name by id or name.

    Only the identity of a document counts, not what it says. What is there is deleted as one
    change; what is not there is said, and the exit code is 1 then.
    """
    if not names and not files:
        raise click.UsageError("give NAMEs or files (-f): without them nothing is deleted")
    from heddle.cli.commands.apply import as_change, tell
    from heddle.cli.output import print_json
    from heddle.cli.rescue import complain

    settings = settings_of(config, extensions, **flags)
    wanted = [*((settings.namespace, name) for name in names), *_named(files, sort, settings)]
    deeds, missing = asyncio.run(_delete(settings, sort, wanted, dry_run))
    failed = bool(missing) and not ignore_missing
    if as_json:
        changes = [as_change(deed) for deed in deeds]
        print_json({"ok": not failed, "changes": changes, "missing": missing})
    else:
        tell(deeds, would=dry_run)
        for name in missing:
            told = f'there is no {sort[:-1] if sort != "all" else "spec or value"} "{name}" in {settings.store}'
            if ignore_missing:
                click.echo(told, err=True)
            else:
                complain(told)
    if failed:
        raise click.exceptions.Exit(FAILED)


def _named(files: Sequence[str], sort: str, settings: "Settings") -> Iterable[tuple[str, str]]:
    """The namespace, and the name or id, of everything that the files name."""
    if not files:
        return []
    from heddle.cli.commands.apply import anonymous, resources
    from heddle.cli.documents import Documents
    from heddle.cli.output import print_problems
    from heddle.specs.names import named_id

    documents = Documents(files)
    only: Only = "specs" if sort == "specs" else "values" if sort == "values" else None
    reading = documents.read(namespace=settings.namespace, only=only)
    if reading.problems:
        print_problems(reading.problems, source=documents.source)
        raise CommandError("nothing was deleted: put the problems right first")
    unknown = anonymous(documents, reading, settings.namespace, only)
    wanted: list[tuple[str, str]] = []
    for each in resources(reading):
        if each.id in unknown:
            raise CommandError(
                f"{each.place()}: an entry with neither name nor id cannot be found in the store; "
                "nothing was deleted"
            )
        own = type(each).__name__.lower()
        derived = each.name is not None and each.id == named_id(own, each.namespace, each.name)
        wanted.append((each.namespace, each.name if derived and each.name else str(each.id)))
    return wanted


async def _delete(
    settings: "Settings", sort: str, wanted: Sequence[tuple[str, str]], dry_run: bool
) -> "tuple[list[Deed], list[str]]":
    from heddle.cli.stores import opened
    from heddle.runtime.applying import Deed
    from heddle.specs.store import Delete

    async with opened(settings) as store:
        found: dict[Resource, None] = {}
        missing: list[str] = []
        for namespace, name in dict.fromkeys(wanted):
            here = [
                each
                for each in await _stored(store, sort, namespace)
                if name in (each.name, str(each.id), each.label)
            ]
            found |= dict.fromkeys(here)
            if not here:
                missing.append(name)
        if found and not dry_run:
            await store.apply(
                [Delete(type=type(each), id=each.id, revision=each.revision) for each in found]
            )
        return [Deed("deleted", each) for each in found], missing


async def _stored(store: "Store", sort: str, namespace: str) -> "list[Resource]":
    found: list[Resource] = []
    if sort != "values":
        found += await store.specs(namespace)
    if sort != "specs":
        found += await store.values(namespace)
    return found
