"""heddle get: the specs or values of a store."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from heddle.cli.exit_codes import FAILED
from heddle.cli.group import ExampleCommand
from heddle.cli.options import EXTENSION, JSON, NAMESPACE, STORE, options, settings_of

if TYPE_CHECKING:
    from heddle.cli.settings import Settings
    from heddle.schemas.problem import Problem
    from heddle.specs.model.store import Resource
    from heddle.specs.model.value import Value

YAML = click.option(
    "--yaml",
    "as_yaml",
    is_flag=True,
    help="Print YAML that `apply` takes again, with its revision (see `apply --base`).",
)
REVEAL = click.option(
    "--reveal",
    is_flag=True,
    help="Show secrets: what is sealed is opened with the keys of the settings, what comes from "
    "outside is read here.",
)
EVERYWHERE = click.option("-A", "--all-namespaces", is_flag=True, help="Of every namespace.")


@click.command(
    cls=ExampleCommand,
    short_help="Show the specs or values of a store.",
    examples=[
        ("The specs of the store of the settings", "heddle get specs"),
        ("Two of them as YAML", "heddle get specs listener router --store flows --yaml"),
        ("The values of another namespace; secrets are masked", "heddle get values -n shop --json"),
        ("A secret, with the key at hand", "heddle get values password --reveal"),
    ],
    shapes=[
        (
            "specs --json",
            "[{id, kind, namespace, name?, annotations?, env?, ports?, …the kind's own}]",
        ),
        (
            "values --json",
            "[{id, namespace, name?, annotations?, data | sealed | from, secret?}]",
        ),
        ("values --json --reveal", "[{id, namespace, name?, annotations?, data, secret?}]"),
    ],
)
@click.argument("sort", type=click.Choice(["specs", "values"]))
@click.argument("names", nargs=-1, metavar="[NAME]...")
@options(NAMESPACE, EVERYWHERE, STORE, EXTENSION, JSON, YAML, REVEAL)
def command(
    sort: str,
    names: tuple[str, ...],
    all_namespaces: bool,
    as_json: bool,
    as_yaml: bool,
    reveal: bool,
    config: str | None,
    extensions: tuple[str, ...],
    **flags: object,
) -> None:
    """Show what a store holds: all of it, or what has these names or ids.

    Secrets are masked, and what is sealed is shown as that; --reveal shows them to whoever has the
    key, and of an API (--server) to whoever has a token with the role admin.

    The exit code is 1 when a NAME is not there, a file of the store cannot be read, or a value
    cannot be revealed.
    """
    if as_json and as_yaml:
        raise click.UsageError("give --json or --yaml, not both")
    if reveal and sort != "values":
        raise click.UsageError("--reveal is for values: specs hold no secrets")
    from heddle.cli.complaint import complain
    from heddle.cli.views.output import entry_of, print_json, print_problems, print_table, to_yaml

    settings = settings_of(config, extensions, **flags)
    resources, problems, revision = asyncio.run(
        _read(settings, sort, None if all_namespaces else settings.namespace, reveal)
    )
    resources = sorted(resources, key=lambda each: (each.namespace, each.name or "~", str(each.id)))
    shown = [
        each
        for each in resources
        if not names or {each.label, each.name, str(each.id)} & set(names)
    ]
    closed: Sequence[Problem] = ()
    if reveal:
        shown, closed = _revealed(settings, shown)
    entries = [entry_of(each, reveal=reveal) for each in shown]
    if as_json:
        print_json(entries)
    elif as_yaml:
        if revision:
            # What `heddle apply --base` wants to know.
            click.echo(f"# revision {revision}")
        click.echo(to_yaml(entries), nl=False)
    elif shown:
        columns = ("name", *(("namespace",) if all_namespaces else ()), *_COLUMNS[sort])
        print_table(columns, [_row(each, columns, reveal) for each in shown])
    elif not names and not closed:
        where = "" if all_namespaces else f" in the namespace {settings.namespace}"
        click.echo(f"no {sort}{where} of {settings.shown}", err=True)
    print_problems([*problems, *closed])
    missing = missing_names(names, resources)
    for name, hint in missing:
        complain(f'there is no {sort[:-1]} "{name}" in {settings.shown}. {hint}'.rstrip(". "))
    if missing or problems or closed:
        raise click.exceptions.Exit(FAILED)


def missing_names(names: Sequence[str], resources: "Sequence[Resource]") -> list[tuple[str, str]]:
    """Return the names that nothing has, each with the nearest one that there is."""
    from heddle.schemas.suggestion import did_you_mean

    known = {word for each in resources for word in (each.label, each.name, str(each.id)) if word}
    near = [each.label for each in resources]
    return [(name, did_you_mean(name, near)) for name in names if name not in known]


async def _read(
    settings: "Settings", sort: str, namespace: str | None, reveal: bool
) -> "tuple[Sequence[Resource], Sequence[Problem], int]":
    """Return what there is, what cannot be read, and the revision of it, if the store keeps those."""
    from heddle.cli.stores import opened
    from heddle.specs.model.revision import RevisionStore
    from heddle.specs.model.store import SecretStore

    async with opened(settings) as store:
        revision = await store.newest() if isinstance(store, RevisionStore) else 0
        resources: Sequence[Resource]
        if sort == "specs":
            resources = await store.specs(namespace)
        elif reveal and isinstance(store, SecretStore):
            resources = await store.revealed(namespace)
        else:
            resources = await store.values(namespace)
        return resources, await store.problems(), revision


_COLUMNS = {"specs": ("kind", "links", "place", "id"), "values": ("data", "place", "id")}


def _row(resource: "Resource", columns: Sequence[str], reveal: bool = False) -> list[str]:
    from heddle.specs.model.spec import Spec

    cells = {
        "name": resource.name or "-",
        "namespace": resource.namespace,
        "id": str(resource.id),
        "place": str(resource.place()) if resource.places is not None else "-",
    }
    if isinstance(resource, Spec):
        targets = [link.target for links in resource.ports.values() for link in links]
        cells["kind"] = resource.kind
        cells["links"] = ", ".join(dict.fromkeys(targets)) or "-"
    else:
        cells["data"] = _shown(resource, reveal)
    return [cells[column] for column in columns]


def _shown(value: "Value", reveal: bool) -> str:
    """Return what a Value says of its data, on one line; secrets are masked, or revealed whole."""
    import msgspec

    from heddle.specs.model.mask import MASK, covered
    from heddle.specs.model.sealed_text import sealed_by

    if value.sealed:
        return f"{MASK} (sealed with {sealed_by(value.sealed)})"
    if value.source is not None:
        return f"from {value.source.name}"
    text = msgspec.json.encode(
        covered(value.data) if value.secret and not reveal else value.data
    ).decode()
    return text if len(text) <= 60 or reveal else f"{text[:59]}…"


def _revealed(
    settings: "Settings", values: "Sequence[Resource]"
) -> "tuple[list[Resource], list[Problem]]":
    """Return the same Values with their data in clear, and the Problems of those that cannot be opened."""
    import msgspec

    from heddle.cli.keys import keyring, warn_of
    from heddle.schemas.errors import SecretError
    from heddle.specs.model.value import Value
    from heddle.specs.secrets.vault import Vault

    vault = Vault(keyring(settings))
    warn_of(vault.keys)
    shown: list[Resource] = []
    closed: list[Problem] = []
    for value in values:
        if not isinstance(value, Value):
            continue
        try:
            data = vault.open(value)
        except SecretError as error:
            closed += error.problems
        else:
            shown.append(msgspec.structs.replace(value, data=data, sealed="", source=None))
    return shown, closed
