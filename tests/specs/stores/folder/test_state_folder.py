"""The state folder: where it is, that only its owner sees it, and that no later write makes it."""

import asyncio
import os
import stat
from pathlib import Path

import pytest

from heddle.schemas.errors import StoreError
from heddle.specs.model.report import Report
from heddle.specs.model.store import Put
from heddle.specs.stores.contract_story import spec
from heddle.specs.stores.folder.state_folder import state_of
from heddle.specs.stores.folder.store import FolderStore


def report() -> Report:
    return Report(runtime="r1", namespace="default", host="h", pid=0, seen=0.0)


def modes(folder: Path) -> set[tuple[bool, int]]:
    """Return the modes of a folder and all that is in it."""
    return {
        (each.is_dir(), stat.S_IMODE(each.stat().st_mode)) for each in (folder, *folder.rglob("*"))
    }


def flows(tmp_path: Path) -> Path:
    path = tmp_path / "flows"
    path.mkdir()
    (path / "a.yaml").write_text("{kind: nop, name: a, v: 1}\n")
    return path


def test_only_the_owner_sees_what_is_in_it(tmp_path: Path) -> None:
    path = flows(tmp_path)
    (path / ".heddle").mkdir(mode=0o755)

    async def story() -> None:
        store = FolderStore(path)
        await store.open()
        await store.report(report())
        await store.apply([Put(resource=spec("b"))])
        await store.close()

    asyncio.run(story())
    assert (path / ".heddle" / "history.jsonl").exists()
    assert modes(path / ".heddle") == {(True, 0o700), (False, 0o600)}


def test_reading_a_store_makes_no_state_folder(tmp_path: Path) -> None:
    path = flows(tmp_path)

    async def story() -> None:
        store = FolderStore(path)
        await store.open()
        await store.specs()
        await store.history()
        await store.reports()
        await store.close()

    asyncio.run(story())
    assert [each.name for each in path.iterdir()] == ["a.yaml"]


@pytest.mark.parametrize("first", ["report", "apply", "nothing"])
def test_no_write_brings_a_moved_folder_back(tmp_path: Path, first: str) -> None:
    path = flows(tmp_path)

    async def story() -> None:
        store = FolderStore(path)
        await store.open()
        if first == "report":
            await store.report(report())
        elif first == "apply":
            await store.apply([Put(resource=spec("b"))])
        path.rename(tmp_path / "away")
        with pytest.raises(StoreError):
            await store.report(report())
        with pytest.raises(StoreError, match="gone"):
            await store.apply([Put(resource=spec("c"))])
        await store.history()
        await store.withdraw("r1")
        await store.close()

    asyncio.run(story())
    assert not path.exists()


def test_a_state_folder_that_was_removed_is_not_made_by_later_write(tmp_path: Path) -> None:
    path = flows(tmp_path)

    async def story() -> None:
        store = FolderStore(path)
        await store.open()
        await store.report(report())
        (path / ".heddle").rename(tmp_path / "state")
        with pytest.raises(StoreError, match="no such file"):
            await store.report(report())
        await store.apply([Put(resource=spec("b"))])
        assert not (path / ".heddle").exists()
        await store.close()
        store = FolderStore(path)
        await store.open()
        await store.report(report())
        await store.close()

    asyncio.run(story())
    assert (path / ".heddle").is_dir()


def test_it_is_beside_the_specs_if_that_can_be_written(tmp_path: Path) -> None:
    found = state_of(str(tmp_path))
    assert (found.path, found.beside) == (str(tmp_path / ".heddle"), True)
    single = state_of(str(tmp_path / "flow.yaml"), single=True)
    assert single.path == str(tmp_path / ".heddle")


def test_it_is_in_the_home_of_the_user_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Root may write everywhere: what a read-only file system says is said in its place.
    monkeypatch.setattr(os, "access", lambda path, mode: not str(path).startswith("/mnt/flows"))
    home = {"XDG_STATE_HOME": str(tmp_path / "state")}
    one, two = (state_of(path, environ=home) for path in ("/mnt/flows", "/mnt/flows2/../flows/x"))
    assert Path(one.path).parent == tmp_path / "state" / "heddle" == Path(two.path).parent
    assert one.path != two.path
    assert one.prepare()
    assert one.there
    assert modes(Path(one.path)) == {(True, 0o700), (False, 0o600)}


def test_one_that_cannot_be_made_says_why_and_hinders_nothing(tmp_path: Path) -> None:
    path = flows(tmp_path)
    (tmp_path / "file").write_text("no folder")

    async def story() -> None:
        store = FolderStore(path, state=str(tmp_path / "file" / "state"))
        await store.open()
        with pytest.raises(StoreError, match="state folder cannot be written"):
            await store.report(report())
        await store.apply([Put(resource=spec("b"))])
        assert store.state.reason
        await store.close()

    asyncio.run(story())
    assert (path / "default.yaml").exists()
    assert sorted(each.name for each in path.iterdir()) == ["a.yaml", "default.yaml"]


def test_stores_that_are_given_one_folder_do_not_mix(tmp_path: Path) -> None:
    folder = str(tmp_path / "state")
    one = state_of(str(tmp_path / "one"), folder=folder)
    assert one.prepare()
    assert one.path == folder
    two = state_of(str(tmp_path / "two"), folder=folder)
    assert two.prepare()
    assert Path(two.path).parent == Path(folder)
    assert state_of(str(tmp_path / "one"), folder=folder).path == folder
    assert state_of(str(tmp_path / "two"), folder=folder).path == two.path


def test_stores_that_begin_at_the_same_moment_do_not_mix(tmp_path: Path) -> None:
    folder = str(tmp_path / "state")
    one = state_of(str(tmp_path / "one"), folder=folder)
    two = state_of(str(tmp_path / "two"), folder=folder)
    same = state_of(str(tmp_path / "one"), folder=folder)
    assert one.path == two.path == same.path
    assert one.prepare()
    assert two.prepare()
    assert same.prepare()
    assert one.path == same.path != two.path == state_of(str(tmp_path / "two"), folder=folder).path


def test_a_folder_in_the_place_of_another_gets_a_state_folder(tmp_path: Path) -> None:
    path = flows(tmp_path)

    async def story() -> None:
        store = FolderStore(path)
        await store.open()
        await store.report(report())
        path.rename(tmp_path / "away")
        flows(tmp_path)
        await store.specs()
        await store.report(report())
        assert [each.name for each in (path / ".heddle" / "runtimes").iterdir()] == ["r1.json"]
        await store.close()

    asyncio.run(story())
