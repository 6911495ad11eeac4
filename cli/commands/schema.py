"""heddle schema: the JSON Schema that editors complete and judge by."""

import click

from heddle.cli.failure import CommandError
from heddle.cli.group import Command
from heddle.cli.options import EXTENSION, options, settings_of

OUTPUT = click.option("-o", "--output", metavar="FILE", help="Write to a file instead.")


@click.command(
    cls=Command,
    short_help="Print the JSON Schema that editors complete by.",
    examples=[
        ("For whole files; then, as their first line:", "heddle schema -o heddle.schema.json"),
        ("", "  # yaml-language-server: $schema=heddle.schema.json"),
        ("For the specs of one kind", "heddle schema router"),
    ],
)
@click.argument("kind", required=False)
@options(OUTPUT, EXTENSION)
def command(
    kind: str | None, output: str | None, config: str | None, extensions: tuple[str, ...]
) -> None:
    """Print the JSON Schema (draft-07) of a file of specs and values, or of one KIND.

    It knows every kind, field and language of the extensions that are installed.
    """
    from heddle.cli.extensions import installed
    from heddle.schemas.export import file_schema, kind_schema, to_json
    from heddle.specs.problem import did_you_mean

    scheme = installed(settings_of(config, extensions)).scheme
    languages = list(scheme.languages.known)
    if kind is None:
        schema = file_schema([each.schema for each in scheme.kinds.values()], languages)
    else:
        found = scheme.schema(kind)
        if found is None:
            near = did_you_mean(kind, list(scheme.kinds))
            raise CommandError(f'no kind "{kind}". {near or "See heddle kinds"}')
        schema = kind_schema(found, languages)
    write(to_json(schema), output)


def write(text: str, output: str | None) -> None:
    """To a file, or to standard output."""
    if output is None or output == "-":
        click.echo(text, nl=False)
        return
    from pathlib import Path

    Path(output).write_text(text, encoding="utf-8")
