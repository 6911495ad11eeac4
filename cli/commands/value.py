"""heddle value: set a value without showing it to anybody."""

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from heddle.cli.exit_codes import CommandError
from heddle.cli.group import CommandFamily, ExampleCommand
from heddle.cli.options import EXTENSION, JSON, NAMESPACE, STORE, options, settings_of
from heddle.cli.views.apply_view import DRY_RUN, KEY, MESSAGE, SHAPE, TIMEOUT, WAIT, ChangeOptions

if TYPE_CHECKING:
    from heddle.cli.settings import Settings
    from heddle.cli.views.apply_view import ChangeOutcome
    from heddle.specs.model.value import Value

FILE = click.option(
    "-f",
    "--file",
    "file",
    metavar="FILE",
    help="Where its data stands; `-` is standard input.  [default: a prompt that shows nothing]",
)
VARIABLE = click.option(
    "--env", "variable", metavar="NAME", help="The variable of the environment that holds it."
)
FORMAT = click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "yaml", "bytes"]),
    default="text",
    show_default=True,
    help="How it is read; of text the line break at its end is left out.",
)
SECRET = click.option(
    "--secret",
    is_flag=True,
    help="Mask it wherever people look.  [default: as it was; a new one is]",
)
PLAIN = click.option("--plain", is_flag=True, help="It is not a secret: everybody may see it.")


@click.group(
    cls=CommandFamily,
    short_help="Set a value without showing it to anybody.",
    examples=[
        (
            "A password; you are asked for it, and what you type is not shown",
            "heddle value set password",
        ),
        ("Text for a file that others may read", "heddle value seal password < password.txt"),
    ],
)
def command() -> None:
    """Values are settings and secrets that specs ask for by name; see also get, apply and delete.

    What a value holds never stands on a command line: other users and the shell's history would see it.
    """


@command.command(
    "set",
    cls=ExampleCommand,
    short_help="Create or update one value.",
    examples=[
        ("You are asked for it, and what you type is not shown", "heddle value set password"),
        ("From another program", "vault kv get -field=key secret/tls | heddle value set tls -f -"),
        ("Several at once, by name", "heddle value set database -f database.json --format json"),
        ("Nothing secret", "heddle value set greeting --plain -f greeting.txt"),
    ],
    shapes=[("--json", SHAPE)],
)
@click.argument("name")
@options(
    FILE,
    VARIABLE,
    FORMAT,
    SECRET,
    PLAIN,
    NAMESPACE,
    STORE,
    DRY_RUN,
    MESSAGE,
    KEY,
    WAIT,
    TIMEOUT,
    EXTENSION,
    JSON,
)
def set_(
    name: str,
    file: str | None,
    variable: str | None,
    form: str,
    secret: bool,
    plain: bool,
    dry_run: bool,
    message: str,
    key: str,
    wait: bool,
    timeout: float,
    as_json: bool,
    config: str | None,
    extensions: tuple[str, ...],
    **flags: object,
) -> None:
    """Create the value NAME, or change what it holds; its annotations stay.

    A secret is sealed with the first key, if there are keys: see heddle key. The same data again
    is not a change.
    """
    from heddle.cli.views.apply_view import end, outcome_data, print_outcome
    from heddle.cli.views.output import print_json

    if secret and plain:
        raise click.UsageError("give --secret or --plain, not both")
    settings = settings_of(config, extensions, **flags)
    _legal(name)
    data = _data(file, variable, form)
    change_options = ChangeOptions(
        message=message, dry_run=dry_run, wait=wait, timeout=timeout, key=key
    )
    hidden = True if secret else False if plain else None
    outcome = asyncio.run(_set(settings, name, data, hidden, change_options))
    if as_json:
        print_json(outcome_data(outcome))
    else:
        print_outcome(outcome)
    end(outcome)


@command.command(
    "seal",
    cls=ExampleCommand,
    short_help="Print a value sealed, for a file.",
    examples=[
        (
            "An entry for a file of values",
            "heddle value seal password < password.txt >> values.yaml",
        ),
    ],
    shapes=[("--json", "{name, namespace?, sealed}")],
)
@click.argument("name")
@options(FILE, VARIABLE, FORMAT, NAMESPACE, JSON)
def seal(
    name: str,
    file: str | None,
    variable: str | None,
    form: str,
    namespace: str | None,
    as_json: bool,
    config: str | None,
) -> None:
    """Print the entry of the value NAME, sealed with the first key. No store is touched.

    It opens under this name and in this namespace only.
    """
    from heddle.cli.keys import keyring, warn_of
    from heddle.cli.views.output import print_json, to_yaml
    from heddle.specs.model.entry import data_of
    from heddle.specs.model.names import named_id
    from heddle.specs.model.value import Value

    settings = settings_of(config, namespace=namespace)
    _legal(name)
    keys = keyring(settings)
    warn_of(keys)
    space = settings.namespace
    value = Value(
        id=named_id("value", space, name),
        namespace=space,
        name=name,
        data=_data(file, variable, form),
        secret=True,
    )
    entry = data_of(keys.seal(value))
    if as_json:
        print_json(entry)
    else:
        click.echo(to_yaml([entry]), nl=False)


def _legal(name: str) -> None:
    from heddle.specs.model.names import NAME_RULE, legal_name

    if not legal_name(name):
        raise click.UsageError(f'"{name}" cannot be the name of a value (expected: {NAME_RULE})')


def _data(file: str | None, variable: str | None, form: str) -> Any:
    """Return what the value is to hold; CommandError, which repeats nothing of it, if it cannot be read."""
    from heddle.specs.secrets.value_source import decode_content

    if file is not None and variable is not None:
        raise click.UsageError("give --file or --env, not both")
    try:
        return decode_content(_bytes(file, variable), form)
    except ValueError as error:
        raise CommandError(
            f"what {_named(file, variable)} holds cannot be taken: {error}"
        ) from None


def _named(file: str | None, variable: str | None) -> str:
    if variable is not None:
        return f"the variable {variable}"
    return "standard input" if file in (None, "-") else f"the file {file}"


def _bytes(file: str | None, variable: str | None) -> bytes:
    import os

    if variable is not None:
        if variable not in os.environ:
            raise CommandError(f"the variable {variable} is not set")
        return os.environ[variable].encode(errors="surrogateescape")
    if file is not None and file != "-":
        return Path(file).read_bytes()
    if file is None and sys.stdin.isatty():
        text: str = click.prompt("value", hide_input=True, confirmation_prompt=True, err=True)
        return text.encode()
    stream: Any = sys.stdin
    read: bytes = stream.buffer.read()
    if not read:
        # Where nobody sits, an input that was forgotten would empty the secret.
        raise CommandError(
            "standard input is empty (expected: what the value is to hold). Pipe it in, give --file or "
            "--env, or ask on a terminal; --file /dev/null makes it empty"
        )
    return read


async def _set(
    settings: "Settings", name: str, data: Any, secret: bool | None, change_options: ChangeOptions
) -> "ChangeOutcome":
    from heddle.cli.extensions import installed
    from heddle.cli.keys import warn_of
    from heddle.cli.stores import opened
    from heddle.cli.views.apply_view import made_before, make_it
    from heddle.runtime.changes.apply import plan_apply

    registry = installed(settings)
    warn_of(registry.keys)
    async with opened(settings, registry) as store:
        made = await made_before(store, change_options)
        if made is not None:
            return made
        values = await store.values(settings.namespace)
        old = next((each for each in values if each.name == name), None)
        new = _changed(settings.namespace, name, old, data, secret)
        planned = await plan_apply(store, [new], registry)
        return await make_it(store, planned, settings, change_options)


def _changed(
    namespace: str, name: str, old: "Value | None", data: Any, secret: bool | None
) -> "Value":
    """Return the Value as it is to be: what nobody gave stays."""
    import msgspec

    from heddle.specs.model.names import named_id
    from heddle.specs.model.value import Value

    if old is None:
        return Value(
            id=named_id("value", namespace, name),
            namespace=namespace,
            name=name,
            data=data,
            secret=secret is not False,
        )
    kept = old.secret if secret is None else secret
    return msgspec.structs.replace(old, data=data, sealed="", source=None, secret=kept, places=None)
