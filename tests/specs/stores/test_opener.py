"""An address leads to its store, and an unknown one says which are known."""

import asyncio
from pathlib import Path

import pytest

from heddle.schemas.errors import StoreError
from heddle.specs.model.store import Store
from heddle.specs.stores.folder.store import FolderStore
from heddle.specs.stores.memory import MemoryStore
from heddle.specs.stores.opener import Stores, open_store


def test_addresses_lead_to_their_stores(tmp_path: Path) -> None:
    stores = Stores()
    assert isinstance(stores.make("memory://"), MemoryStore)
    assert isinstance(stores.make(f"file://{tmp_path}"), FolderStore)
    assert isinstance(stores.make(tmp_path), FolderStore)
    assert stores.make("flows").url == "file://flows"
    assert stores.make("file://flows/a.yaml").url == "file://flows/a.yaml"


def test_a_store_is_opened_or_says_why_not(tmp_path: Path) -> None:
    async def story() -> None:
        store = await open_store(tmp_path)
        assert list(await store.specs()) == []
        await store.close()
        with pytest.raises(StoreError, match="nothing"):
            await open_store(tmp_path / "nothing")

    asyncio.run(story())


def test_an_unknown_scheme_names_the_known_ones() -> None:
    with pytest.raises(
        StoreError, match=r'"memori" \(known: file://, http://, .*memory://.*Did you mean "memory"'
    ):
        Stores().make("memori://")


def test_extensions_add_schemes_and_none_is_taken_twice() -> None:
    def other(url: str, namespace: str) -> Store:
        return MemoryStore(url=f"{url}#{namespace}")

    stores = Stores()
    stores.add("redis", other, "heddle-redis")
    assert stores.make("REDIS://host", namespace="web").url == "REDIS://host#web"
    with pytest.raises(ValueError, match=r"of mine is there already, from heddle-redis"):
        stores.add("redis", other, "mine")
    assert stores.known["redis"] == "heddle-redis"
