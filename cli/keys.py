"""The keys of the settings: the Keyring that a command seals and opens with."""

import os
from collections.abc import Mapping
from pathlib import Path

import click

from heddle.cli.exit_codes import CommandError
from heddle.cli.settings import Settings
from heddle.specs.secrets.keyring import CommandKeys, KeyFile, KeyPlace, Keyring, Variable, keys_in
from heddle.specs.secrets.seal import Key


def keyring(settings: Settings, environ: Mapping[str, str] | None = None) -> Keyring:
    """Return the keys of HEDDLE_KEY first, then those of the file, then those of the command."""
    variable = Variable(environ=os.environ if environ is None else environ)
    places: list[KeyPlace] = [variable] if variable.read().strip() else []
    if settings.key_file:
        places.append(KeyFile(settings.key_file))
    if settings.key_command:
        places.append(CommandKeys(settings.key_command))
    return Keyring(places)


def warn_of(keys: Keyring) -> None:
    """Tell people, on standard error, what is wrong with the places of the keys."""
    for text in (*keys.warnings, *keys.failures):
        click.echo(click.style("warning", fg="yellow", bold=True) + f": {text}", err=True)


def put_first(key: Key, file: str) -> None:
    """Write a key into a file, before those that are there; a new file is for its owner's eyes only.

    CommandError if the file is none of keys, or cannot be written.
    """
    path = Path(file).expanduser()
    try:
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        if before.strip():
            keys_in(before)
        path.parent.mkdir(parents=True, exist_ok=True)
        mode = path.stat().st_mode & 0o777 if before else 0o600
        part = path.with_name(f".{path.name}.{os.getpid()}.part")
        # Made with its mode, not changed to it: nobody may read it in between.
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(handle, "w", encoding="utf-8") as writing:
            writing.write(f"{key.text}  # {key.id}\n{before}")
            writing.flush()
            os.fsync(writing.fileno())
        part.replace(path)
    except ValueError as error:
        raise CommandError(f"{file} is not a file of keys: {error}") from None
    except OSError as error:
        raise CommandError(f"{file}: {(error.strerror or str(error)).lower()}") from error
