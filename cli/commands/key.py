"""heddle key: make, show and replace the keys that seal secrets."""

import asyncio
from typing import TYPE_CHECKING

import click

from heddle.cli.exit_codes import FAILED, CommandError
from heddle.cli.group import CommandFamily, ExampleCommand
from heddle.cli.options import JSON, NAMESPACE, STORE, options, settings_of
from heddle.cli.views.apply_view import DRY_RUN, MESSAGE, SHAPE, TIMEOUT, WAIT, ChangeOptions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from heddle.cli.settings import Settings
    from heddle.cli.views.apply_view import ChangeOutcome
    from heddle.specs.model.value import Value
    from heddle.specs.secrets.keyring import Keyring

OUTPUT = click.option(
    "-o",
    "--output",
    metavar="FILE",
    help="The file that gets it; `-` is standard output.  [default: key_file of the settings]",
)
CLEAR = click.option(
    "--clear", is_flag=True, help="Seal the secrets that stand in clear in the store, too."
)
EVERYWHERE = click.option("-A", "--all-namespaces", is_flag=True, help="Of every namespace.")


@click.group(
    cls=CommandFamily,
    short_help="Make, show and replace the keys that seal secrets.",
    examples=[
        (
            "A new key into the key file of the settings, before those that are there",
            "heddle key new",
        ),
        ("Which keys there are, and what they have sealed", "heddle key list"),
        ("Seal everything anew with the first of them", "heddle key rotate --all-namespaces"),
    ],
)
def command() -> None:
    """Keys seal secret values, so that a store, its backups and its history are of no use without them.

    They come from the variable HEDDLE_KEY, from the file `key_file`, and from what `key_command` of
    [secrets] in heddle.toml prints, in this order. The first of them seals, and all of them open.
    """


@command.command(
    "new",
    cls=ExampleCommand,
    short_help="Make a key.",
    examples=[
        ("Into the key file of the settings", "heddle key new"),
        ("Into a file of its own, which only its owner can read", "heddle key new -o keys.txt"),
        ("Into a keeper of secrets", "heddle key new -o - | vault kv put secret/heddle key=-"),
    ],
    shapes=[("--json", "{id, file}, or {id, key} where it goes to standard output")],
)
@options(OUTPUT, JSON)
def new(output: str | None, as_json: bool, config: str | None) -> None:
    """Make a key from the random source of the system.

    In a file it comes before the keys that are there, so it is the one that seals from now on; the
    others go on to open what they have sealed. Keep it: what a lost key has sealed is lost.
    """
    from heddle.cli.views.output import print_json
    from heddle.specs.secrets.seal import new_key

    file = output or settings_of(config).key_file or "-"
    key = new_key()
    if file == "-":
        print_json({"id": key.id, "key": key.text}) if as_json else click.echo(key.text)
        return
    from heddle.cli.keys import put_first

    put_first(key, file)
    if as_json:
        print_json({"id": key.id, "file": file})
    else:
        click.echo(f"{key.id} is the first key of {file}")


@command.command(
    "list",
    cls=ExampleCommand,
    short_help="Show which keys there are.",
    examples=[
        ("The keys, and how many values of the store each has sealed", "heddle key list"),
        ("For programs", "heddle key list --store postgresql://db/flows --json"),
    ],
    shapes=[
        (
            "--json",
            "{keys: [{id, place?, seals, opens, values?: number}], clear?: number, failures: [text]}",
        )
    ],
)
@options(STORE, JSON)
def list_(as_json: bool, config: str | None, **flags: object) -> None:
    """Show the ids of the keys, where they come from, and how many values of the store each has sealed.

    What a key is, is not shown. A key that sealed values, and that is not here, is told, and the
    exit code is 1.
    """
    from heddle.cli.keys import keyring, warn_of
    from heddle.cli.views.output import print_json, print_table
    from heddle.runtime.changes.key_rotation import counts_of

    settings = settings_of(config, (), **flags)
    keys = keyring(settings)
    values = asyncio.run(_values(settings, None)) if settings.given else None
    counts = counts_of(values or ())
    places = {held.key.id: held.place for held in keys.held}
    missing = [id_ for id_ in counts if id_ and id_ not in places]
    rows: list[dict[str, object]] = [
        {
            "id": id_,
            "place": places.get(id_),
            "seals": id_ == keys.ids[0] if keys.ids else False,
            "opens": id_ in places,
            "values": counts[id_] if values is not None else None,
        }
        for id_ in (*keys.ids, *missing)
    ]
    clear = {"clear": counts[""]} if values is not None else {}
    if as_json:
        shown = [{k: v for k, v in row.items() if v is not None} for row in rows]
        print_json({"keys": shown, **clear, "failures": keys.failures})
    else:
        warn_of(keys)
        if rows:
            columns = ("key", "does", "from", *(("values",) if values is not None else ()))
            print_table(columns, [_row(row)[: len(columns)] for row in rows])
        else:
            click.echo(
                "no keys: secrets are kept as they are written. See heddle key new", err=True
            )
        if counts[""]:
            click.echo(f"{counts['']} in clear: heddle key rotate --clear seals them", err=True)
    if missing:
        raise click.exceptions.Exit(FAILED)


def _row(row: "dict[str, object]") -> list[str]:
    does = "seals, opens" if row["seals"] else "opens" if row["opens"] else "is missing"
    return [str(row["id"]), does, str(row["place"] or "-"), str(row["values"])]


@command.command(
    "rotate",
    cls=ExampleCommand,
    short_help="Seal everything anew with the first key.",
    examples=[
        ("What it would do", "heddle key rotate --dry-run"),
        (
            "A database with all its namespaces",
            "heddle key rotate -A --store postgresql://db/flows",
        ),
        ("Seal what was written before there was a key", "heddle key rotate --clear"),
    ],
    shapes=[("--json", SHAPE)],
)
@options(NAMESPACE, EVERYWHERE, STORE, CLEAR, DRY_RUN, MESSAGE, WAIT, TIMEOUT, JSON)
def rotate(
    all_namespaces: bool,
    clear: bool,
    dry_run: bool,
    message: str,
    wait: bool,
    timeout: float,
    as_json: bool,
    config: str | None,
    **flags: object,
) -> None:
    """Seal every sealed value of the namespace anew with the first key, as one change set.

    All of it or nothing: a value that no key opens is told, and nothing is written. What the values
    say stays the same, so runtimes reload nothing. Once `heddle key list` shows no value more for an
    old key, it is needed for the history only.
    """
    from heddle.cli.keys import keyring, warn_of
    from heddle.cli.views.apply_view import end, outcome_data, print_outcome
    from heddle.cli.views.output import print_json

    settings = settings_of(config, (), **flags)
    keys = keyring(settings)
    warn_of(keys)
    if not keys.ids:
        why = "; ".join(keys.failures) or "none is given"
        raise CommandError(f"there is no key to seal with: {why}. Try heddle key new")
    change_options = ChangeOptions(
        message=message or f"sealed with the key {keys.ids[0]}",
        dry_run=dry_run,
        wait=wait,
        timeout=timeout,
    )
    space = None if all_namespaces else settings.namespace
    outcome = asyncio.run(_rotate(settings, keys, space, clear, change_options))
    if as_json:
        print_json(outcome_data(outcome))
    else:
        where = "" if all_namespaces else f" in the namespace {settings.namespace}"
        nothing = f"nothing to rotate: no value is sealed{where} of {settings.shown}"
        print_outcome(outcome, nothing=nothing)
    end(outcome)


async def _rotate(
    settings: "Settings",
    keys: "Keyring",
    namespace: str | None,
    clear: bool,
    change_options: ChangeOptions,
) -> "ChangeOutcome":
    from heddle.cli.stores import opened
    from heddle.cli.views.apply_view import make_it
    from heddle.runtime.changes.key_rotation import plan_rotation

    async with opened(settings) as store:
        planned = await plan_rotation(store, keys, namespace, clear=clear)
        return await make_it(store, planned, settings, change_options)


async def _values(settings: "Settings", namespace: str | None) -> "Sequence[Value]":
    from heddle.cli.stores import opened

    async with opened(settings) as store:
        return await store.values(namespace)
