"""heddle graph: specs and their links as a drawing."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from heddle.cli.exit_codes import FAILED
from heddle.cli.group import ExampleCommand
from heddle.cli.options import JSON, NAMESPACE, options, settings_of

if TYPE_CHECKING:
    from heddle.cli.settings import Settings
    from heddle.extensions.drawing import Picture
    from heddle.schemas.problem import Problem

FORMS = ("mermaid", "dot", "svg")
_SUFFIXES = {".mmd": "mermaid", ".mermaid": "mermaid", ".dot": "dot", ".gv": "dot", ".svg": "svg"}
_PICTURES = (".png", ".jpg", ".jpeg", ".gif", ".pdf", ".webp")

RUNS = click.option(
    "--runs",
    "store",
    metavar="URL",
    help="The RunStore of --run and --last.  [default: as for heddle runs]",
)
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
    cls=ExampleCommand,
    short_help="Draw specs and their links.",
    examples=[
        ("A picture that any browser shows", "heddle graph flows -o flows.svg"),
        ("For a README", "heddle graph flow.yaml --format mermaid --direction down"),
        ("Through Graphviz", "heddle graph flows --format dot | dot -Tpng > flows.png"),
        ("The tasks of a workflow", "heddle graph flows/report.yaml:report"),
        ("How its newest run stands", "heddle graph report --last -o run.svg"),
    ],
    shapes=[
        (
            "--json",
            "{nodes: [{id, name, kind, waiting}], links: [{from, port, to, in, label?}], problems?}",
        )
    ],
)
@click.argument("paths", nargs=-1, metavar="PATH... | WORKFLOW")
@click.option("--run", metavar="RUN", help="Draw a WORKFLOW with the status of this run.")
@click.option("--last", is_flag=True, help="Draw a WORKFLOW with the status of the newest run.")
@options(FORMAT, OUTPUT, DIRECTION, RUNS, NAMESPACE, JSON)
def command(
    paths: tuple[str, ...],
    form: str | None,
    output: str | None,
    direction: str,
    as_json: bool,
    run: str | None,
    last: bool,
    store: str | None,
    config: str | None,
    namespace: str | None,
) -> None:
    """Draw the specs of files and folders (`-`: standard input) as Mermaid, Graphviz DOT, or SVG.

    A WORKFLOW (FILE:NAME, a name in the store of the settings, or `module:workflow`) is drawn with its
    tasks; with --run or --last, each task shows how it stands in that run. A run alone names its
    workflow, too.

    An edge that leaves a router is labelled with its routes: `GET /tasks/{id}`. Targets that are not
    there are drawn as waiting. What cannot be read is told on standard error,
    the rest is drawn, and the exit code is 1. With --json, `from` and `to` are ids of nodes.
    """
    if as_json and form is not None:
        raise click.UsageError("give --json or --format, not both")
    from heddle.cli.commands.schema import write
    from heddle.cli.documents import Documents
    from heddle.cli.extensions import installed
    from heddle.cli.views.error_boundary import failure
    from heddle.cli.views.output import print_json, print_problems
    from heddle.cli.views.spec_picture import picture_of_specs

    settings = settings_of(config, namespace=namespace)
    if run is not None or last or (len(paths) == 1 and _is_workflow(paths[0])):
        drawn_workflow = _workflow(
            paths[0] if paths else None, settings, run=run, last=last, store=store
        )
        text = (
            _json(drawn_workflow, ())
            if as_json
            else _drawn(drawn_workflow, form, output, direction)
        )
        write(text, output)
        return
    if not paths:
        raise click.UsageError("name files or folders to draw, or a workflow")
    documents = Documents(paths)
    reading = documents.read(namespace=settings.namespace)
    print_problems(reading.problems, source=documents.source)
    if reading.problems and not reading.specs:
        if as_json:
            print_json(failure("there is nothing to draw", reading.problems))
        raise click.exceptions.Exit(FAILED)
    picture = picture_of_specs(reading.specs, installed(settings).scheme)
    if as_json:
        write(_json(picture, reading.problems), output)
    else:
        write(_drawn(picture, form, output, direction), output)
    if reading.problems:
        raise click.exceptions.Exit(FAILED)


def _is_workflow(text: str) -> bool:
    """Return whether a text names a workflow: it is not a file that is there."""
    from pathlib import Path

    return text != "-" and not Path(text).exists() and not text.endswith((".yaml", ".yml", ".json"))


def _workflow(
    text: str | None, settings: "Settings", *, run: str | None, last: bool, store: str | None
) -> "Picture":
    """Return the Picture of a workflow, as a run of it stands if one is named."""
    from heddle.cli.commands.runs_looking import look, named_run
    from heddle.cli.commands.tasks import find, outline
    from heddle.cli.exit_codes import CommandError
    from heddle.cli.views.run_view import read_page
    from heddle.cli.views.workflow_picture import picture_of, states_of

    if run is None and not last:
        target = find(text, settings)
        return picture_of(outline(target), target.namespace)
    page = look(named_run(run, last), settings, store, read_page(settings))
    record = page.view.run
    if text is not None and find(text, settings).name != record.workflow:
        raise CommandError(f"the run is one of the workflow {record.workflow}, and not of {text}")
    return picture_of(page.outline, record.namespace, states_of(page))


def _drawn(picture: "Picture", form: str | None, output: str | None, direction: str) -> str:
    """Return the Picture in the form that is asked for, or that the name of the file tells."""
    from pathlib import PurePath
    from typing import cast

    from heddle.extensions.drawing import Direction, Form, draw

    suffix = PurePath(output).suffix.lower() if output else ""
    named = _SUFFIXES.get(suffix)
    if form is None and suffix in _PICTURES:
        raise click.UsageError(
            f'"{output}" cannot be drawn as {suffix}: give a name that ends in .svg, or --format '
            "dot for Graphviz"
        )
    chosen = cast("Form", form or named or "mermaid")
    return draw(picture, chosen, cast("Direction", direction))


def _json(picture: "Picture", problems: "Iterable[Problem]") -> str:
    """Return the Picture for programs."""
    import msgspec

    from heddle.cli.views.problem_report import as_data

    nodes, problem_data = picture.nodes, [as_data(problem) for problem in problems]
    shown = {
        "nodes": [
            {"id": node.id, "name": node.label, "kind": node.kind, "waiting": node.waiting}
            for node in nodes
        ],
        "links": [
            {
                "from": nodes[edge.source].id,
                "port": edge.out,
                "to": nodes[edge.target].id,
                "in": edge.port,
                **({"label": label} if (label := nodes[edge.source].labels.get(edge.out)) else {}),
            }
            for edge in picture.edges
        ],
        **({"problems": problem_data} if problem_data else {}),
    }
    return msgspec.json.format(msgspec.json.encode(shown), indent=2).decode() + "\n"
