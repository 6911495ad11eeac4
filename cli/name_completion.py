"""The completions of a shell besides commands and flags: the names in a store that stands on this disk."""

import asyncio

import click
from click.shell_completion import CompletionItem


def complete_names(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Return the names of specs and values that begin so; none if the store is not a folder or a file.

    Nobody wants to wait for a database at the Tab key.
    """
    del param
    from heddle.cli.settings import load_settings
    from heddle.schemas.errors import HeddleError

    flags = {name: ctx.params.get(name) for name in ("namespace", "store")}
    try:
        settings = load_settings(flags, config=ctx.params.get("config"))
        if "://" in settings.store.removeprefix("file://"):
            return []
        return asyncio.run(_names(settings.store, settings.namespace, incomplete))
    except (HeddleError, OSError):
        return []


async def _names(url: str, namespace: str, incomplete: str) -> list[CompletionItem]:
    from heddle.specs.stores.opener import open_store

    store = await open_store(url)
    try:
        specs = [(spec.name, spec.kind) for spec in await store.specs(namespace)]
        values = [(value.name, "value") for value in await store.values(namespace)]
    finally:
        await store.close()
    return [
        CompletionItem(name, help=kind)
        for name, kind in sorted((name, kind) for name, kind in (*specs, *values) if name)
        if name.startswith(incomplete)
    ]
