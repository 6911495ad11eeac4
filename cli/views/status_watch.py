"""Watching how a namespace stands: a picture that is redrawn on a terminal, lines elsewhere."""

import asyncio
import sys
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import click

from heddle.cli.settings import Settings
from heddle.cli.stores import opened
from heddle.cli.views.status_view import (
    COLORS,
    headline,
    runtimes_of,
    state_of,
    status_data,
    symbols_of,
)
from heddle.runtime.status.namespace_status import NamespaceStatus, namespace_status

if TYPE_CHECKING:
    from rich.console import RenderableType

EVERY = 0.5
"""Seconds between two looks."""


async def watch_status(settings: Settings, names: tuple[str, ...], *, as_json: bool) -> None:
    """Show every change until it is interrupted."""
    from heddle.cli.views.status_view import require_reports

    async with opened(settings) as store:
        require_reports(store)
        looks = looked(store, settings.namespace, names)
        if as_json or not sys.stdout.isatty():
            await print_status_changes(looks, names, as_json=as_json)
        else:
            await _draw(looks)


async def looked(
    store: Any, namespace: str, names: tuple[str, ...]
) -> AsyncIterator[NamespaceStatus]:
    """Yield how it stands, again and again."""
    while True:
        yield await namespace_status(store, namespace, names=names)
        await asyncio.sleep(EVERY)


async def print_status_changes(
    looks: AsyncIterator[NamespaceStatus], names: tuple[str, ...], *, as_json: bool
) -> None:
    """Print a line for each runtime and symbol whose state has changed; as JSON, the whole of it."""
    import msgspec

    before: dict[str, str] = {}
    async for status in looks:
        now = lines_of(status)
        changed = [line for key, line in now.items() if before.get(key) != line]
        gone = [key for key in before if key not in now]
        if as_json and (changed or gone or not before):
            click.echo(msgspec.json.encode(status_data(status, names)).decode())
        elif not as_json:
            for line in (*changed, *(f"{key}  gone" for key in gone)):
                click.echo(line)
        before = now
        sys.stdout.flush()


def lines_of(status: NamespaceStatus) -> dict[str, str]:
    """Return each runtime and symbol with its state, a line each."""
    lines = {}
    for runtime in status.runtimes:
        state, why = state_of(runtime)
        lines[f"runtime {runtime.host}:{runtime.pid}"] = f"{state}  {why or ''}"
    for each in status.symbols:
        text = str(each.why or "")
        lines[f"symbol {each.label}"] = f"{each.state}  revision {each.revision}  {text}"
    if not status.runtimes:
        lines["no runtime"] = f"follows the namespace {status.namespace}"
    return {key: f"{key}  {line}".rstrip() for key, line in lines.items()}


async def _draw(looks: AsyncIterator[NamespaceStatus]) -> None:
    from rich.console import Console
    from rich.live import Live

    console = Console(highlight=False, markup=False)
    with Live(console=console, auto_refresh=False, screen=False) as live:
        async for status in looks:
            live.update(picture(status), refresh=True)


def picture(status: NamespaceStatus) -> "RenderableType":
    """Return how it stands, as rich draws it."""
    from rich.console import Group
    from rich.text import Text

    parts: list[Any] = [Text(headline(status))]
    # A terminal shows so many lines and no more: the worst come first.
    for head, rows in (runtimes_of(status), symbols_of(status, worst_first=True)):
        if rows:
            parts += [Text(""), _table(head, rows)]
    parts += [Text(str(problem), style="red") for problem in status.problems]
    return Group(*parts)


def _table(head: list[str], rows: list[list[str]]) -> "RenderableType":
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in head:
        table.add_column(column.upper(), no_wrap=column != "why", overflow="ellipsis")
    colors = {str(state): color for state, color in COLORS.items()}
    colors |= {"well": "green", "ill": "red", "idle": "dim"}
    for row in rows:
        table.add_row(
            *(
                Text(cell, style=colors.get(cell, "") if name == "state" else "")
                for name, cell in zip(head, row, strict=True)
            )
        )
    return table
