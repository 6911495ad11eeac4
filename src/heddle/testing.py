"""Test kits for authors of stores: subclass one in a test module, and say how your store is made.

from heddle.testing import StoreContract

class TestMyStore(StoreContract):
    def make(self, folder: Path) -> Store:
        return MyStore(...)
"""

from heddle.specs.stores.contract import StoreContract
from heddle.specs.stores.contract_story import Watch, spec, value
from heddle.specs.stores.indexed_contract import IndexedContract
from heddle.specs.stores.keyed_contract import KeyedContract
from heddle.specs.stores.lease_contract import LeaseContract
from heddle.specs.stores.recording_contract import (
    AcceptanceContract,
    RevisionContract,
    ReportContract,
    ResumableContract,
)

__all__ = [
    "AcceptanceContract",
    "IndexedContract",
    "KeyedContract",
    "LeaseContract",
    "RevisionContract",
    "ReportContract",
    "ResumableContract",
    "StoreContract",
    "Watch",
    "spec",
    "value",
]
