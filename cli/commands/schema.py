"""heddle schema: the JSON Schema that editors complete and judge by."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from heddle.cli.exit_codes import CommandError
from heddle.cli.group import ExampleCommand
from heddle.cli.options import EXTENSION, JSON, options, settings_of

if TYPE_CHECKING:
    from heddle.schemas.schema import Completions, Schema

OPENAPI = click.option(
    "--openapi",
    is_flag=True,
    help="Print the description of the API of the system namespace instead (OpenAPI 3.1).",
)
OUTPUT = click.option("-o", "--output", metavar="FILE", help="Write to a file instead.")

FILES = click.option(
    "-f",
    "--files",
    multiple=True,
    metavar="PATH",
    help="Complete what these files and folders name, too: inputs of functions, names of tasks.",
)


@click.command(
    cls=ExampleCommand,
    short_help="Print the JSON Schema that editors complete by.",
    examples=[
        ("For whole files; then, as their first line:", "heddle schema -o heddle.schema.json"),
        ("", "  # yaml-language-server: $schema=heddle.schema.json"),
        (
            "With the inputs of the functions that workflows run, and the names of their tasks",
            "heddle schema --files flows -o heddle.schema.json",
        ),
        ("For the specs of one kind", "heddle schema router"),
        ("For clients of the API", "heddle schema --openapi -o openapi.json"),
    ],
)
@click.argument("kind", required=False)
@options(FILES, OPENAPI, OUTPUT, EXTENSION, JSON)
def command(
    kind: str | None,
    files: tuple[str, ...],
    openapi: bool,
    output: str | None,
    as_json: bool,
    config: str | None,
    extensions: tuple[str, ...],
) -> None:
    """Print the JSON Schema (draft-07) of a file of specs and values, or of one KIND.

    It knows every kind, field and language of the extensions that are installed. What it prints is JSON anyway;
    with --json, failures are, too. A kind that cannot be described is told and left out, and the
    exit code is 1.

    With --files, the functions that workflows in these files run are imported, so that an editor knows
    their inputs. What cannot be imported is told and left out.
    """
    from heddle.cli.extensions import installed
    from heddle.cli.views.kind_list import InvalidKind, complain_of, described, tried
    from heddle.schemas.export import file_schema, kind_schema, to_json
    from heddle.schemas.schema import Completions
    from heddle.schemas.suggestion import did_you_mean

    if files and (openapi or kind is not None):
        raise click.UsageError("--files completes whole files: leave out KIND and --openapi")
    if openapi:
        from heddle.extensions.manage.openapi import describe
        from heddle.extensions.manage.operations import OPERATIONS
        from heddle.extensions.manage.system import shipped

        if kind is not None:
            raise click.UsageError("give KIND or --openapi, not both")
        write(to_json(describe(shipped(), OPERATIONS)), output)
        return
    registry = installed(settings_of(config, extensions))
    scheme = registry.scheme
    languages = list(scheme.languages.known)
    if kind is None:
        sound, broken = described(registry, lambda schema: to_json(kind_schema(schema, languages)))
        known = _completions(sound, files) if files else Completions()
        write(to_json(file_schema(sound, languages, known)), output)
        for text in known.left_out:
            click.echo(f"left out: {text}", err=True)
        complain_of(broken)
        return
    if kind not in scheme.names:
        near = did_you_mean(kind, sorted(scheme.names), "kind")
        raise CommandError(f'no kind "{kind}". {near or "See heddle kinds"}')
    described_kind = tried(registry, kind, lambda schema: to_json(kind_schema(schema, languages)))
    if isinstance(described_kind, InvalidKind):
        raise CommandError(str(described_kind))
    write(to_json(kind_schema(described_kind, languages)), output)


def _completions(schemas: "list[Schema[Any]]", files: tuple[str, ...]) -> "Completions":
    """Return what the Specs in these files add."""
    from heddle.cli.documents import Documents
    from heddle.schemas.export import complete

    specs: dict[str, list[Mapping[str, Any]]] = {}
    for spec in Documents(files).read().specs:
        specs.setdefault(spec.kind, []).append(spec.fields)
    return complete(schemas, specs)


def write(text: str, output: str | None) -> None:
    """To a file, or to standard output."""
    if output is None or output == "-":
        click.echo(text, nl=False)
        return
    from pathlib import Path

    Path(output).write_text(text, encoding="utf-8")
