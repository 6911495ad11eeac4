"""The PostgreSQL store keeps every promise of a Store, of one that records and of one that reports."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from heddle.specs.model.store import Store
from heddle.specs.stores.contract import StoreContract
from heddle.specs.stores.indexed_contract import IndexedContract
from heddle.specs.stores.keyed_contract import KeyedContract
from heddle.specs.stores.postgres.store import PostgresStore
from heddle.specs.stores.recording_contract import (
    AcceptanceContract,
    ReportContract,
    ResumableContract,
    RevisionContract,
)
from tests.specs.stores.postgres.databases import dropped, url_in


class TestPostgresStore(
    IndexedContract,
    StoreContract,
    RevisionContract,
    KeyedContract,
    ResumableContract,
    ReportContract,
    AcceptanceContract,
):
    lasting = True

    @pytest.fixture(autouse=True)
    def schema(self) -> Iterator[None]:
        self.schemas: set[str] = set()
        yield
        for schema in self.schemas:
            dropped(schema)

    def make(self, folder: Path) -> Store:
        url, schema = url_in(folder)
        self.schemas.add(schema)
        return PostgresStore(url)
