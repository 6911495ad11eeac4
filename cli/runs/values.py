"""The inputs of a run as the command line gives them: `KEY=VALUE`, and a JSON file."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from heddle.cli.exit_codes import CommandError
from heddle.schemas.data_type import describe_type


def split_arguments(words: Sequence[str]) -> tuple[str | None, dict[str, str]]:
    """Return the TARGET, if there is one, and the values by key. Raise UsageError.

    The first word is the TARGET if it holds no `=`, or a file has that name.
    """
    target: str | None = None
    rest = list(words)
    if rest and ("=" not in rest[0] or Path(rest[0]).exists()):
        target = rest.pop(0)
    values: dict[str, str] = {}
    for word in rest:
        key, mark, value = word.partition("=")
        if not mark or not key:
            raise click.UsageError(
                f'"{word}" is not KEY=VALUE (expected: an input of the workflow, such as day=2026-11-30)'
            )
        if key in values:
            raise click.UsageError(f'the input "{key}" is given twice')
        values[key] = value
    return target, values


def read_input_file(path: str) -> dict[str, Any]:
    """Return the map in a JSON file (`-`: standard input). Raise CommandError."""
    name = "standard input" if path == "-" else path
    try:
        data = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
        decoded = json.loads(data)
    except OSError as error:
        raise CommandError(f"{name}: {error.strerror or error}") from error
    except ValueError as error:
        raise CommandError(f"{name}: it is not JSON: {error}") from error
    if not isinstance(decoded, dict):
        raise CommandError(
            f"{name}: found {describe_type(decoded)} (expected: a map of the inputs)"
        )
    return decoded
