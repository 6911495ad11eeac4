"""The store that `get`, `apply` and `delete` work on."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from heddle.cli.exit_codes import CommandError
from heddle.cli.settings import Settings
from heddle.schemas.suggestion import did_you_mean
from heddle.specs.model.store import Store
from heddle.specs.stores.opener import Stores

if TYPE_CHECKING:
    from heddle.runtime.assembly.extension import Registry


@asynccontextmanager
async def opened(settings: Settings, registry: "Registry | None" = None) -> AsyncIterator[Store]:
    """Open the store of the settings until the block ends; raise CommandError if that is not possible.

    Extensions are loaded only for an address that we do not know ourselves.
    """
    url = settings.store
    scheme, mark, _ = url.partition("://")
    if mark and scheme.lower() == "memory":
        raise CommandError(
            f"{url}: what is in memory is gone when this command ends (expected: a folder, a file "
            "or the address of a store). Give one with --store"
        )
    check_path(url)
    stores = registry.stores if registry is not None else _stores(settings)
    store = await stores.open(url, namespace=settings.namespace)
    try:
        yield store
    finally:
        await store.close()


def _stores(settings: Settings) -> Stores:
    """Return the stores that are known: our own, or, if that does not do, those of extensions."""
    own = Stores()
    own.token_file = settings.token_file
    own.state_folder = settings.state_folder
    own.run_store = settings.run_store
    scheme, mark, _ = settings.store.partition("://")
    if not mark or scheme.lower() in own.known:
        return own
    from heddle.cli.extensions import installed

    return installed(settings).stores


def check_path(store: str) -> None:
    """CommandError if a store is a path, and there is nothing."""
    path = Path(store.removeprefix("file://") or ".")
    if "://" in str(store.removeprefix("file://")) or path.exists():
        return
    near = did_you_mean(path.name, _beside(path))
    raise CommandError(
        f"{path}: there is no such file or folder (expected: specs in YAML or JSON). {near}".rstrip(
            ". "
        )
    )


def _beside(path: Path) -> list[str]:
    try:
        return [each.name for each in path.parent.iterdir()]
    except OSError:
        return []
