"""heddle graph: specs and their links as a drawing."""

import click

from heddle.cli.failure import FAILED
from heddle.cli.group import Command
from heddle.cli.options import NAMESPACE, options, settings_of

FORMS = ("mermaid", "dot", "svg")
_SUFFIXES = {".mmd": "mermaid", ".mermaid": "mermaid", ".dot": "dot", ".gv": "dot", ".svg": "svg"}

FORMAT = click.option(
    "--format",
    "form",
    type=click.Choice(FORMS),
    help="What to write.  [default: by the name of FILE, or mermaid]",
)
OUTPUT = click.option("-o", "--output", metavar="FILE", help="Write to a file instead.")
DIRECTION = click.option(
    "--direction",
    type=click.Choice(["right", "down"]),
    default="right",
    show_default=True,
    help="Where the flow goes.",
)


@click.command(
    cls=Command,
    short_help="Draw specs and their links.",
    examples=[
        ("A picture that any browser shows", "heddle graph flows -o flows.svg"),
        ("For a README", "heddle graph flow.yaml --format mermaid --direction down"),
        ("Through Graphviz", "heddle graph flows --format dot | dot -Tpng > flows.png"),
    ],
)
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@options(FORMAT, OUTPUT, DIRECTION, NAMESPACE)
def command(
    paths: tuple[str, ...],
    form: str | None,
    output: str | None,
    direction: str,
    config: str | None,
    namespace: str | None,
) -> None:
    """Draw the specs of files and folders (`-`: standard input) as Mermaid, Graphviz DOT, or SVG.

    Targets that are not there are drawn as waiting. What cannot be read is told on standard error,
    the rest is drawn, and the exit code is 1.
    """
    from pathlib import PurePath
    from typing import cast

    from heddle.cli.commands.schema import write
    from heddle.cli.documents import Documents
    from heddle.cli.drawing import Direction, Form, Picture, draw
    from heddle.cli.output import print_problems

    settings = settings_of(config, namespace=namespace)
    documents = Documents(paths)
    reading = documents.read(namespace=settings.namespace)
    print_problems(reading.problems, source=documents.source)
    named = _SUFFIXES.get(PurePath(output).suffix.lower()) if output else None
    wanted = cast("Form", form or named or "mermaid")
    write(draw(Picture.of(reading.specs), wanted, cast("Direction", direction)), output)
    if reading.problems:
        raise click.exceptions.Exit(FAILED)
