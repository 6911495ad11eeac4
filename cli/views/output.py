"""Output goes to people or to programs: Problems with their lines, tables, YAML, and JSON."""

import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import click
import msgspec

from heddle.cli.complaint import complain
from heddle.schemas.problem import Problem
from heddle.specs.model.store import Resource

if TYPE_CHECKING:
    from rich.console import Console


def print_json(data: Any) -> None:
    """Print one JSON document: two spaces in, unicode as it is, UUIDs as text."""
    click.echo(msgspec.json.format(msgspec.json.encode(data), indent=2))


def print_problems(
    problems: Iterable[Problem],
    *,
    source: Callable[[str], str | None] | None = None,
    err: bool = True,
    strict: bool = False,
) -> None:
    """Problems like a compiler shows them; `source` gives the text of what is not a file.

    With `strict`, what could come later counts as an error.
    """
    from heddle.cli.views.problem_report import report

    color = colored(sys.stderr if err else sys.stdout)
    text = report(problems, source=source, color=color, strict=strict)
    if text:
        click.echo(text, err=err, color=color)


def colored(stream: Any) -> bool:
    """Return whether colours may be shown there: on a terminal, unless NO_COLOR is set."""
    import os

    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or bool(getattr(stream, "isatty", bool)())


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table without borders; on a terminal it fits the width, elsewhere nothing is cut."""
    heads = [column.upper() for column in columns]
    cells = [[_plain(cell) for cell in row] for row in rows]
    widths = [max(map(_width, column)) for column in zip(heads, *cells, strict=True)]
    if sys.stdout.isatty():
        from rich.console import Console

        console = Console(file=sys.stdout, highlight=False, markup=False)
        if sum(widths) + 2 * len(widths) > console.width:
            _print_cut(console, heads, cells)
            return
    first, *others = (_aligned(row, widths) for row in (heads, *cells))
    click.echo(click.style(first, bold=True), color=colored(sys.stdout))
    if others:
        click.echo("\n".join(others))


def _print_cut(console: "Console", heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table that is wider than the terminal: the longest columns are cut."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for head in heads:
        table.add_column(head, no_wrap=True, overflow="ellipsis")
    for row in rows:
        table.add_row(*row)
    console.print(table)


def _aligned(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = (cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True))
    return "  ".join(cells).rstrip()


def _width(cell: str) -> int:
    """Return how many columns of a terminal a text takes."""
    if cell.isascii():
        return len(cell)
    from rich.cells import cell_len

    return cell_len(cell)


def _plain(cell: str) -> str:
    """Text on one line, with nothing in it that moves the cursor."""
    return "".join(char if char.isprintable() else " " for char in cell)


def entry_of(resource: Resource, *, reveal: bool = False) -> dict[str, Any]:
    """Return a Spec or Value as it would be written, its id and namespace always; secrets are masked."""
    from heddle.specs.model.entry import data_of, shown_of

    data = data_of(resource, namespace="") if reveal else shown_of(resource, namespace="")
    return {"id": str(resource.id), **{k: v for k, v in data.items() if k != "id"}}


def to_yaml(entries: Iterable[dict[str, Any]]) -> str:
    """Entries as a YAML list in our own style; reading it gives the same data again."""
    from heddle.specs.yaml.layout import entry_text

    return "\n".join(map(entry_text, entries)) or "[]\n"


__all__ = [
    "colored",
    "complain",
    "entry_of",
    "print_json",
    "print_problems",
    "print_table",
    "to_yaml",
]
