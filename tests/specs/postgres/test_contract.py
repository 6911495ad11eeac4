"""The PostgreSQL store keeps every promise of a Store, of one that records and of one that reports."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from heddle.specs.contract import StoreContract
from heddle.specs.postgres.store import PostgresStore
from heddle.specs.recording_contract import (
    AcceptingContract,
    RecordingContract,
    ReportingContract,
    ResumingContract,
)
from heddle.specs.store import Store
from tests.specs.postgres.databases import dropped, url_in


class TestPostgresStore(
    StoreContract, RecordingContract, ResumingContract, ReportingContract, AcceptingContract
):
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
