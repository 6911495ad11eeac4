"""heddle delete: take specs or values out of a store."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import click

from heddle.cli.exit_codes import FAILED, CommandError
from heddle.cli.group import ExampleCommand
from heddle.cli.options import EXTENSION, JSON, NAMESPACE, STORE, options, settings_of
from heddle.cli.views.apply_view import KEY, MESSAGE, TIMEOUT, WAIT, YES, ChangeOptions

if TYPE_CHECKING:
    from heddle.cli.settings import Settings
    from heddle.cli.views.apply_view import ChangeOutcome
    from heddle.specs.model.store import Resource, Store

FILES = click.option(
    "-f",
    "--file",
    "--filename",
    "files",
    multiple=True,
    metavar="FILE",
    help="A file or a folder of documents to delete; `-` is standard input. Repeatable.",
)
EVERYTHING = click.option(
    "--all",
    "everything",
    is_flag=True,
    help="Everything of that sort in the namespace; on a terminal it is shown first, and you are asked.",
)
IGNORE = click.option("--ignore-missing", is_flag=True, help="What is not there is no failure.")
DRY_RUN = click.option("--dry-run", is_flag=True, help="Tell, but delete nothing.")

EVERY = "*"
"""Stands for every name: no name may be that."""


@click.command(
    cls=ExampleCommand,
    short_help="Take specs or values out of a store.",
    examples=[
        ("By name", "heddle delete specs pong router"),
        ("All that a file names", "heddle delete specs -f flow.yaml --store flows"),
        ("A value of another namespace", "heddle delete values password -n shop"),
        ("A whole namespace", "heddle delete all --all -n shop"),
        (
            "Say why, and wait until no runtime has it any more",
            'heddle delete specs old -m "nobody asks for it" --wait',
        ),
    ],
    shapes=[
        (
            "--json",
            (
                "{ok, changes: [{action: deleted, type, id, namespace, name?, kind?}], missing: "
                "[text], problems?: [as of heddle check], revision?, conflicts?, runtimes?: [as "
                "of heddle apply]}"
            ),
        )
    ],
)
@click.argument("sort", type=click.Choice(["specs", "values", "all"]))
@click.argument("names", nargs=-1, metavar="[NAME]...")
@options(
    FILES,
    EVERYTHING,
    YES,
    NAMESPACE,
    STORE,
    IGNORE,
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
    names: tuple[str, ...],
    files: tuple[str, ...],
    everything: bool,
    yes: bool,
    ignore_missing: bool,
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
    """Delete by NAME (or id) in the namespace, or whatever the files name by id or name, or --all.

    Only the identity of a document counts, not what it says. What is there is deleted as one
    change; what is not there is said, and the exit code is 1 then. If something active leads to what
    goes, or a spec needs a value that goes, nothing is deleted: change it before, or delete it too.
    """
    if not names and not files and not everything:
        raise click.UsageError("give NAMEs, files (-f) or --all: without them nothing is deleted")
    if everything and (names or files):
        raise click.UsageError("give --all, or NAMEs and files, not both")
    from heddle.cli.complaint import complain
    from heddle.cli.views.apply_view import outcome_data, print_outcome
    from heddle.cli.views.output import print_json

    settings = settings_of(config, extensions, **flags)
    requested = [*((settings.namespace, name) for name in names), *_named(files, sort, settings)]
    change_options = ChangeOptions(
        message=message, dry_run=dry_run, wait=wait, timeout=timeout, key=key
    )
    if everything:
        requested = [(settings.namespace, EVERY)]
    outcome, missing = asyncio.run(
        _delete(settings, sort, requested, change_options, confirm_first=everything and not yes)
    )
    failed = bool(missing) and not ignore_missing
    ok = outcome.ok and not failed
    if as_json:
        data = {**outcome_data(outcome), "ok": ok, "missing": missing}
        if not data["problems"]:
            del data["problems"]
        print_json(data)
    else:
        print_outcome(outcome)
        for name in missing:
            text = f'there is no {sort[:-1] if sort != "all" else "spec or value"} "{name}" in {settings.shown}'
            if ignore_missing:
                click.echo(text, err=True)
            else:
                complain(text)
    if not ok:
        raise click.exceptions.Exit(FAILED)


def _named(files: Sequence[str], sort: str, settings: "Settings") -> Iterable[tuple[str, str]]:
    """Return the namespace, and the name or id, of everything that the files name."""
    if not files:
        return []
    from heddle.cli.resource_files import ResourceFiles
    from heddle.cli.views.output import print_problems
    from heddle.specs.model.names import named_id

    given = ResourceFiles(files, sort, settings)
    if given.reading.problems:
        print_problems(given.reading.problems, source=given.documents.source)
        raise CommandError("nothing was deleted: put the problems right first")
    unknown = given.anonymous
    requested: list[tuple[str, str]] = []
    for each in given.resources:
        if each.id in unknown:
            raise CommandError(
                f"{each.place()}: an entry with neither name nor id cannot be found in the store; "
                "nothing was deleted"
            )
        own = type(each).__name__.lower()
        derived = each.name is not None and each.id == named_id(own, each.namespace, each.name)
        requested.append((each.namespace, each.name if derived and each.name else str(each.id)))
    return requested


async def _delete(
    settings: "Settings",
    sort: str,
    requested: Sequence[tuple[str, str]],
    change_options: ChangeOptions,
    *,
    confirm_first: bool,
) -> "tuple[ChangeOutcome, list[str]]":
    """Return what became of it, and what is not there."""
    from heddle.cli.extensions import installed
    from heddle.cli.stores import opened
    from heddle.cli.views.apply_view import confirm, made_before, make_it
    from heddle.runtime.changes.plan import plan_delete

    async with opened(settings) as store:
        made = await made_before(store, change_options)
        if made is not None:
            return made, []
        mapping: dict[Resource, None] = {}
        missing: list[str] = []
        for namespace, name in dict.fromkeys(requested):
            here = [
                each
                for each in await _stored(store, sort, namespace)
                if name in (EVERY, each.name, str(each.id), each.label)
            ]
            mapping |= dict.fromkeys(here)
            if not here and name != EVERY:
                missing.append(name)
        planned = await plan_delete(store, mapping, installed(settings))
        if confirm_first and not change_options.dry_run:
            confirm(planned)
        return await make_it(store, planned, settings, change_options), missing


async def _stored(store: "Store", sort: str, namespace: str) -> "list[Resource]":
    resources: list[Resource] = []
    if sort != "values":
        resources += await store.specs(namespace)
    if sort != "specs":
        resources += await store.values(namespace)
    return resources
