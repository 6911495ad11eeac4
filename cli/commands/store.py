"""heddle store: how a store stands; its tables and who may do what in them."""

import asyncio
from typing import TYPE_CHECKING, Any

import click

from heddle.cli.exit_codes import CommandError
from heddle.cli.group import ExampleCommand
from heddle.cli.options import JSON, STORE, options, settings_of
from heddle.cli.settings import without_password

if TYPE_CHECKING:
    from heddle.cli.settings import Settings

SQL = click.option("--sql", is_flag=True, help="Print the SQL, and change nothing.")
SINCE = click.option(
    "--since",
    type=click.IntRange(0),
    metavar="VERSION",
    help="migrate --sql: from this version on, without asking the store; 0 is all of it.",
)
AS = click.option(
    "--as",
    "sort",
    type=click.Choice(["reader", "runtime", "writer"]),
    default="runtime",
    show_default=True,
    help="grant: what the role is to be.",
)


@click.command(
    cls=ExampleCommand,
    short_help="Show how a store stands; migrate its tables, grant rights in them.",
    examples=[
        ("How the store of the settings stands", "heddle store show"),
        ("Make or bring up the tables", "heddle store migrate --store postgresql://db/flows"),
        (
            "The SQL of that, for somebody who may run it",
            "heddle store migrate --sql --since 0 --store postgresql://db/flows",
        ),
        (
            "Let the role `shop` run a namespace, and no more",
            "heddle store grant shop --as runtime --store postgresql://owner@db/flows",
        ),
    ],
    shapes=[
        (
            "show --json",
            (
                "{url, revision, specs, values, runtimes, "
                "tables?: {schema, role, server, version, known}}"
            ),
        ),
        ("migrate --json", "{url, before, version}"),
        ("grant --json", "{url, role, as}"),
    ],
)
@click.argument("deed", type=click.Choice(["show", "migrate", "grant"]))
@click.argument("role", required=False)
@options(STORE, SQL, SINCE, AS, JSON)
def command(
    deed: str,
    role: str | None,
    sql: bool,
    since: int | None,
    sort: str,
    as_json: bool,
    config: str | None,
    **flags: object,
) -> None:
    """Show how a store stands, or tend the tables of one in PostgreSQL.

    `show` tells its newest revision, how much is in it and which runtimes follow it; of one in
    PostgreSQL also the version of its tables. Nothing is changed.

    `migrate` makes the tables, or brings them to the version that this Heddle knows. Opening the store
    does the same by itself if the role may; with migrate=off in the address only this command does.

    `grant` lets the ROLE of the database be a reader, a runtime or a writer (see docs/postgres.md).
    """
    if (deed == "grant") != (role is not None):
        raise click.UsageError("give a ROLE with grant, and only there")
    if since is not None and not (deed == "migrate" and sql):
        raise click.UsageError("--since goes with migrate --sql")
    if sql and deed == "show":
        raise click.UsageError("--sql goes with migrate or grant")
    settings = settings_of(config, (), **flags)
    if deed == "show":
        data = asyncio.run(_show(settings))
    else:
        _check(settings.store)
        if sql:
            text = asyncio.run(_sql(settings.store, role, sort, since))
            click.echo(text, nl=False)
            return
        data = asyncio.run(
            _migrate(settings.store) if role is None else _grant(settings, role, sort)
        )
    from heddle.cli.views.output import print_json

    if as_json:
        print_json(data)
        return
    _print_status(deed, data)


def _check(url: str) -> None:
    """CommandError for a store without tables."""
    if url.partition("://")[0].lower() not in ("postgresql", "postgres"):
        raise CommandError(
            f"{without_password(url)}: there are no tables to tend (expected: the address of a store in PostgreSQL, "
            "such as postgresql://host/database). Give one with --store"
        )


async def _show(settings: "Settings") -> dict[str, Any]:
    from heddle.cli.stores import opened
    from heddle.specs.model.report import ReportStore

    data: dict[str, Any] = {"url": settings.store}
    if settings.store.partition("://")[0].lower() in ("postgresql", "postgres"):
        from heddle.specs.stores.opener import needed

        stands = await needed("admin").look(settings.store)
        names = ("schema", "role", "server", "version", "known")
        data["url"] = stands.url
        tables = {name: getattr(stands, name) for name in names}
        if stands.version != stands.known:
            return {**data, "revision": 0, "specs": 0, "values": 0, "runtimes": 0, "tables": tables}
    else:
        tables = {}
    async with opened(settings) as store:
        data |= {
            "url": store.url,
            "revision": await store.newest(),
            "specs": len(await store.specs()),
            "values": len(await store.values()),
            "runtimes": len(await store.reports()) if isinstance(store, ReportStore) else 0,
        }
    return {**data, "tables": tables} if tables else data


async def _migrate(url: str) -> dict[str, Any]:
    from heddle.specs.stores.opener import needed

    stands, before = await needed("admin").bring_up(url)
    return {"url": stands.url, "before": before, "version": stands.version}


async def _grant(settings: "Settings", role: str, sort: str) -> dict[str, Any]:
    from heddle.specs.stores.opener import needed

    await needed("admin").grant(settings.store, role, sort)
    return {"url": needed("address").read_address(settings.store).shown, "role": role, "as": sort}


async def _sql(url: str, role: str | None, sort: str, since: int | None) -> str:
    """Return the SQL that would be run."""
    from heddle.specs.stores.opener import needed

    schema = needed("address").read_address(url).schema
    if role is not None:
        return str(needed("grants").grants(role, sort, schema))
    if since is None:
        since = (await needed("admin").look(url)).version
    if since >= needed("migrator").newest():
        return "-- there is nothing to migrate\n"
    return str(needed("migrator").script(schema, since))


def _print_status(deed: str, data: dict[str, Any]) -> None:
    """For people."""
    if deed == "migrate":
        if data["before"] == data["version"]:
            click.echo(f"{data['url']}: the tables have version {data['version']} already")
        else:
            text = f"from version {data['before']} to" if data["before"] else "made, in version"
            click.echo(f"{data['url']}: the tables were {text} {data['version']}")
    elif deed == "grant":
        click.echo(f"{data['url']}: {data['role']} may be a {data['as']} now")
    else:
        tables = data.get("tables")
        for name in ("url", "revision", "specs", "values", "runtimes"):
            click.echo(f"{name:<9} {data[name]}")
        if tables:
            behind = "" if tables["version"] == tables["known"] else f" (known: {tables['known']})"
            click.echo(
                f"{'tables':<9} version {tables['version']}{behind} in schema {tables['schema']}"
            )
            click.echo(f"{'server':<9} PostgreSQL {tables['server']}, as {tables['role']}")
