"""The keys of the settings: the Keyring that a command seals and opens with."""

import os
from collections.abc import Mapping

import click

from heddle.cli.settings import Settings
from heddle.specs.keyring import Command, File, KeyPlace, Keyring, Variable


def keyring(settings: Settings, environ: Mapping[str, str] | None = None) -> Keyring:
    """The keys of HEDDLE_KEY first, then those of the file, then those of the command."""
    variable = Variable(environ=os.environ if environ is None else environ)
    places: list[KeyPlace] = [variable] if variable.read().strip() else []
    if settings.key_file:
        places.append(File(settings.key_file))
    if settings.key_command:
        places.append(Command(settings.key_command))
    return Keyring(places)


def warn_of(keys: Keyring) -> None:
    """Tell people, on standard error, what is wrong with the places of the keys."""
    for said in (*keys.warnings, *keys.troubles):
        click.echo(click.style("warning", fg="yellow", bold=True) + f": {said}", err=True)
