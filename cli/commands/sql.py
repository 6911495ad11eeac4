"""heddle sql: ask a store, and what its runtimes say, in SQL."""

import asyncio
from typing import TYPE_CHECKING, Any

import click

from heddle.cli.exit_codes import CommandError
from heddle.cli.group import ExampleCommand
from heddle.cli.options import EXTENSION, JSON, NAMESPACE, STORE, options, settings_of

if TYPE_CHECKING:
    from heddle.cli.settings import Settings

ARGS = click.option(
    "-p",
    "--param",
    "params",
    multiple=True,
    metavar="[NAME=]VALUE",
    help="What a placeholder stands for: ?, or :NAME. JSON if it is some, else text. Repeatable.",
)
WRITE = click.option(
    "--write", is_flag=True, help="Allow INSERT, UPDATE and DELETE of specs and values."
)
TABLES = click.option("--tables", is_flag=True, help="Show the tables and their columns instead.")


@click.command(
    cls=ExampleCommand,
    short_help="Ask in SQL what a store holds and how it runs.",
    examples=[
        (
            "What is not active",
            "heddle sql \"SELECT name, reasons FROM symbols WHERE state <> 'active'\"",
        ),
        ("Who leads to pong", "heddle sql 'SELECT source FROM links WHERE target = ?' -p pong"),
        (
            "Change many specs at once, checked, as one change set",
            "heddle sql --write \"UPDATE specs SET fields = json_set(fields, '$.interval', '5s')\"",
        ),
        ("The tables", "heddle sql --tables"),
    ],
    shapes=[
        ("--json", "[{column: value, …}], or {affected, id} where nothing was asked for"),
        ("--tables --json", "[{table, help, writable, columns: [{name, type, help}]}]"),
    ],
)
@click.argument("statement", required=False)
@options(ARGS, NAMESPACE, STORE, WRITE, TABLES, EXTENSION, JSON)
def command(
    statement: str | None,
    params: tuple[str, ...],
    write: bool,
    tables: bool,
    as_json: bool,
    config: str | None,
    extensions: tuple[str, ...],
    **flags: object,
) -> None:
    """Run one STATEMENT over the specs and values of a store, and over what its runtimes say.

    Without -n every namespace is seen. Processes, frames and events live in a runtime: with --server
    those of the runtimes beside the API are seen, too, as they are to a `sql` with `driver: internal` in
    a flow. What --write changes is one change set: checked first, all of it or nothing.
    """
    from heddle.cli.views.output import print_json, print_table

    settings = settings_of(config, extensions, **flags)
    if tables:
        _print_tables(as_json)
        return
    if not statement:
        raise click.UsageError("give a STATEMENT, or --tables to see what there is to ask")
    namespace = settings.namespace if flags.get("namespace") is not None else None
    value = asyncio.run(_run(settings, namespace, statement, _args(params), write))
    if as_json:
        print_json(value)
    elif isinstance(value, dict):
        click.echo(f"{value['affected']} changed")
    elif value:
        names = list(value[0])
        print_table(names, [[_cell(row[name]) for name in names] for row in value])
    else:
        click.echo("no rows", err=True)


async def _run(
    settings: "Settings", namespace: str | None, text: str, args: Any, write: bool
) -> Any:
    from heddle.cli.extensions import installed
    from heddle.cli.stores import opened
    from heddle.cli.views.apply_view import note_of
    from heddle.runtime.flow.errors import NodeError
    from heddle.runtime.managed import ManagedStores
    from heddle.specs.stores.remote.store import RemoteStore

    try:
        from heddle.extensions.sql.internal.run_sql import run_sql
    except ImportError as error:
        raise CommandError(
            f"what SQL needs is not installed: {error}. Try: pip install 'heddle-runtime[internal]'"
        ) from error
    registry = installed(settings)
    async with opened(settings, registry) as store:
        if isinstance(store, RemoteStore) and not write and namespace is None:
            # Where the API is there are runtimes, too: what lives in them is seen from there.
            return await store.query(text, args)
        only = [namespace] if namespace is not None else None
        managed = ManagedStores(store, registry, namespaces=only)
        try:
            return await run_sql(
                managed, text, args, writes=write, author=note_of(settings, "").author
            )
        except NodeError as failure:
            hint = " Try --write" if failure.error.code == "read-only" and not write else ""
            raise CommandError(f"{failure}{hint}") from failure


def _args(params: tuple[str, ...]) -> Any:
    """Return the values of placeholders: a map if they have names, a list if they have none."""
    import re

    named = [re.fullmatch(r"([A-Za-z_]\w*)=(.*)", each, re.DOTALL) for each in params]
    if params and all(named):
        return {match[1]: _value(match[2]) for match in named if match is not None}
    return [_value(each) for each in params]


def _value(text: str) -> Any:
    import msgspec

    from heddle.specs.model.json_text import decode

    try:
        return decode(text)
    except msgspec.DecodeError:
        return text


def _cell(value: Any) -> str:
    import msgspec

    if value is None:
        return "-"
    text = value if isinstance(value, str) else msgspec.json.encode(value, enc_hook=str).decode()
    return text if len(text) <= 60 else f"{text[:59]}…"


def _print_tables(as_json: bool) -> None:
    import msgspec

    from heddle.cli.views.output import print_json
    from heddle.extensions.sql.internal.database import TABLES as INTERNAL

    if as_json:
        print_json(
            [
                {
                    "table": table.name,
                    "help": table.help,
                    "writable": table.writable,
                    "columns": msgspec.to_builtins(table.columns),
                }
                for table in INTERNAL.values()
            ]
        )
        return
    for table in INTERNAL.values():
        click.echo(f"{table.name}  {table.help}")
        for column in table.columns:
            click.echo(f"  {column.name:<14} {column.type:<8} {column.help}")
        click.echo()
