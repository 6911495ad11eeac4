"""heddle openapi: the OpenAPI document of specs, without running them."""

from typing import TYPE_CHECKING, NoReturn

import click

from heddle.cli.exit_codes import FAILED
from heddle.cli.group import ExampleCommand
from heddle.cli.options import ENVIRONMENT, EXTENSION, NAMESPACE, options, settings_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from heddle.schemas.problem import Problem

TITLE = click.option("--title", default="API", show_default=True, help="The title of the API.")
VERSION = click.option(
    "--api-version", default="1", show_default=True, help="The version of the API."
)
LISTENER = click.option(
    "--listener", help="The listener whose routes are described.  [default: all]"
)
OUTPUT = click.option("-o", "--output", metavar="FILE", help="Write to a file instead.")


def _leave(problems: "Sequence[Problem]") -> NoReturn:
    """Write nothing: a document of nothing would take the place of a good one."""
    from heddle.cli.complaint import complain

    if not problems:
        complain("there is no spec to describe (expected: a flow with a listener)")
    raise click.exceptions.Exit(FAILED)


@click.command(
    cls=ExampleCommand,
    short_help="Print the OpenAPI document of specs.",
    examples=[
        ("The API of a folder", "heddle openapi flows --title Tasks --api-version 1.0"),
        ("For another tool", "heddle openapi flow.yaml -o openapi.json"),
    ],
)
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@options(TITLE, VERSION, LISTENER, OUTPUT, ENVIRONMENT, NAMESPACE, EXTENSION)
def command(
    paths: tuple[str, ...],
    title: str,
    api_version: str,
    listener: str | None,
    output: str | None,
    config: str | None,
    extensions: tuple[str, ...],
    **flags: object,
) -> None:
    """Read files and folders (`-`: standard input), and print their routes as OpenAPI 3.1 in JSON.

    It is what the kind `openapi` serves: made of routes, of `validate`, `auth` and `respond` nodes, and of the
    annotations of the nodes that routes lead to. What cannot be read or used is printed on standard error, the
    rest is described, and the exit code is 1; without any spec, nothing is written. Secrets are masked.
    """
    import msgspec

    from heddle.cli.commands.schema import write
    from heddle.cli.complaint import complain
    from heddle.cli.documents import Documents
    from heddle.cli.extensions import installed, reachable_specs
    from heddle.cli.views.output import print_problems
    from heddle.extensions.net.openapi.document import describe_flow
    from heddle.runtime.assembly.check import check_specs
    from heddle.runtime.events.events import mask
    from heddle.specs.binding.bind import ValueSet

    settings = settings_of(config, extensions, **flags)
    registry = installed(settings)
    reachable_specs(paths)
    documents = Documents(paths)
    reading = documents.read(namespace=settings.namespace)
    checked = check_specs(
        reading.specs,
        ValueSet(reading.values),
        registry,
        partial=reading.invalid,
        environment=settings.environment,
    )
    problems = [*reading.problems, *checked.problems]
    print_problems(problems, source=documents.source)
    if not (reading.specs or reading.invalid):
        _leave(problems)
    described = describe_flow(
        [part.spec for part in checked.parts],
        registry.scheme,
        title=title,
        version=api_version,
        listener=listener,
    )
    # Blanks are filled: what is printed may be shown to anybody.
    document = mask(described.document, checked.secrets)
    write(msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n", output)
    if not problems:
        for problem in described.problems:
            complain(str(mask(problem, checked.secrets)))
    if problems or described.problems:
        raise click.exceptions.Exit(FAILED)
