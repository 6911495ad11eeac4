"""The folder store keeps every promise of a Store, and those that only files ask for."""

from pathlib import Path

from heddle.specs.contract import StoreContract
from heddle.specs.folder import FolderStore
from heddle.specs.store import Store


class TestFolderStore(StoreContract):
    def make(self, folder: Path) -> Store:
        return FolderStore(folder)


class TestFileStore(StoreContract):
    def make(self, folder: Path) -> Store:
        path = folder / "flow.yaml"
        path.touch()
        return FolderStore(path)


class TestJsonFileStore(StoreContract):
    def make(self, folder: Path) -> Store:
        path = folder / "flow.json"
        path.touch()
        return FolderStore(path)
