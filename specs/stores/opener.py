"""An address becomes a Store: `memory://`, a folder or a file, `postgresql://`, and what extensions add."""

import os
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, TypeAlias

from heddle.schemas.errors import StoreError
from heddle.schemas.link import DEFAULT_NAMESPACE
from heddle.schemas.suggestion import did_you_mean
from heddle.specs.model.store import Store

Opener: TypeAlias = Callable[[str, str], Store]
"""Makes a Store, not open yet, of an address and the namespace that it is opened for."""


class Stores:
    """The schemes of addresses, and the store that each of them opens."""

    def __init__(self) -> None:
        self._openers: dict[str, Opener] = {}
        self._owners: dict[str, str] = {}
        self.token_file = ""
        """The file of the token that lets us into an API; HEDDLE_TOKEN without it."""
        self.add("memory", _memory, "heddle")
        self.state_folder = ""
        """The state folder of a store in files; empty for the one that it has by itself."""
        self.run_store = ""
        """The address of the RunStore of durable runs; empty for the one in the state folder."""
        self.add("file", self._folder, "heddle")
        self.add("postgresql", _postgres, "heddle")
        self.add("postgres", _postgres, "heddle")
        self.add("http", self._remote, "heddle")
        self.add("https", self._remote, "heddle")

    def add(self, scheme: str, opener: Opener, owner: str = "") -> None:
        """Add a scheme such as `postgresql`; ValueError names both owners when it is there already."""
        if scheme in self._openers:
            first = self._owners[scheme] or "another extension"
            raise ValueError(
                f'the store scheme "{scheme}" of {owner or "an extension"} is there already, from {first}'
            )
        self._openers[scheme] = opener
        self._owners[scheme] = owner

    @property
    def known(self) -> Mapping[str, str]:
        """Every scheme, and whose it is."""
        return self._owners

    def make(self, url: str | os.PathLike[str], *, namespace: str = DEFAULT_NAMESPACE) -> Store:
        """Return the Store at this address, not open yet; a text without a scheme is a path.

        StoreError names the known schemes when this one is not among them.
        """
        address = os.fspath(url)
        scheme, mark, _ = address.partition("://")
        if not mark:
            return self._folder(address, namespace)
        opener = self._openers.get(scheme.lower())
        if opener is None:
            known = ", ".join(f"{each}://" for each in sorted(self._openers))
            near = did_you_mean(scheme, list(self._openers))
            raise StoreError(
                f'no store knows the address scheme "{scheme}" (known: {known}, or a path). {near}'.rstrip(
                    ". "
                )
            )
        return opener(address, namespace)

    def _remote(self, url: str, namespace: str) -> Store:
        from heddle.specs.stores.remote.store import RemoteStore, token_of

        del namespace
        return RemoteStore(url, token=token_of(os.environ, self.token_file))

    def _folder(self, url: str, namespace: str) -> Store:
        from heddle.specs.stores.folder.store import FolderStore

        path = url.removeprefix("file://") or "."
        # What a file says is the same for whoever looks at it.
        del namespace
        return FolderStore(path, state=self.state_folder)

    async def open(
        self, url: str | os.PathLike[str], *, namespace: str = DEFAULT_NAMESPACE
    ) -> Store:
        """Return the Store at this address, open; StoreError when it cannot be reached."""
        store = self.make(url, namespace=namespace)
        await store.open()
        return store


async def open_store(
    url: str | os.PathLike[str],
    *,
    namespace: str = DEFAULT_NAMESPACE,
    stores: Stores | None = None,
) -> Store:
    """Return the Store at this address, open; whoever opens it closes it.

    `memory://`, `file://flows`, `postgresql://host/database`, or just a path to a folder or a file; `stores` knows more schemes.
    """
    return await (stores or Stores()).open(url, namespace=namespace)


def _memory(url: str, namespace: str) -> Store:
    from heddle.specs.stores.memory import MemoryStore

    del namespace
    return MemoryStore(url=url)


def needed(module: str) -> Any:
    """Return a module of the store in PostgreSQL; raise StoreError if what it stands on is not installed."""
    try:
        return import_module(f"heddle.specs.stores.postgres.{module}")
    except ImportError as error:
        raise StoreError(
            f"a store in PostgreSQL needs psycopg, which cannot be imported: {error}. "
            "Try: pip install 'heddle-runtime[postgres]'"
        ) from error


def _postgres(url: str, namespace: str) -> Store:
    # Whoever opens it says at each request which namespace is meant.
    del namespace
    store: Store = needed("store").PostgresStore(url)
    return store
