"""A folder store follows what its path leads to: links swapped anywhere, folders moved away and back."""

import asyncio
import shutil
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from heddle.specs.model.report import Report
from heddle.specs.model.store import ChangeSet, Store
from heddle.specs.stores.folder.store import FolderStore


def write(folder: Path, value: int) -> Path:
    """Return a folder with one spec in it, made as far as it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "flow.yaml").write_text(f"{{kind: nop, name: a, v: {value}}}\n")
    return folder


def swap(link: Path, target: str) -> None:
    """Have a link lead elsewhere from one moment to the next."""
    new = link.with_name(f".{link.name}.new")
    new.symlink_to(target)
    new.replace(link)


@pytest.fixture(params=["native", "polling"])
def polling(request: pytest.FixtureRequest) -> bool:
    if request.param == "native" and sys.platform != "linux":
        pytest.skip("only Linux has inotify")
    return bool(request.param == "polling")


class Followed:
    """A store that is followed, and the values that were live in it, in order."""

    def __init__(self, path: Path, *, polling: bool) -> None:
        self.store = FolderStore(path, polling=polling)
        self.told: list[ChangeSet] = []
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Followed":
        await self.store.open()
        self._task = asyncio.create_task(self._follow())
        await asyncio.sleep(0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self.store.close()

    async def _follow(self) -> None:
        async for changes in self.store.watch():
            self.told.append(changes)
            self._changed.set()

    async def until(self, value: int | None) -> None:
        """Wait until the spec says this."""
        async with asyncio.timeout(30):
            while await said(self.store) != value:
                self._changed.clear()
                await self._changed.wait()

    async def problem(self, words: str) -> None:
        """Wait until the store says that something is wrong; what it held stays."""
        before = await said(self.store)
        async with asyncio.timeout(30):
            while not any(words in str(each) for each in await self.store.problems()):
                self._changed.clear()
                await self._changed.wait()
        assert await said(self.store) == before is not None


async def said(store: Store) -> object:
    for each in await store.specs():
        if each.name == "a":
            return each.fields["v"]
    return None


def run(path: Path, polling: bool, story: Callable[[Followed], Awaitable[None]]) -> None:
    async def tell() -> None:
        async with Followed(path, polling=polling) as followed:
            await story(followed)

    asyncio.run(tell())


def test_a_store_that_is_a_link_follows_the_link(tmp_path: Path, polling: bool) -> None:
    one, two = write(tmp_path / "r1", 1), write(tmp_path / "r2", 2)
    (tmp_path / "current").symlink_to("r1")

    async def story(followed: Followed) -> None:
        swap(tmp_path / "current", "r2")
        await followed.until(2)
        write(two, 3)
        await followed.until(3)
        write(tmp_path / "current", 4)
        await followed.until(4)
        swap(tmp_path / "current", str(one))
        await followed.until(1)
        write(one, 5)
        await followed.until(5)

    run(tmp_path / "current", polling, story)


def test_a_link_inside_the_path_is_followed(tmp_path: Path, polling: bool) -> None:
    write(tmp_path / "r1" / "flows", 1)
    two = write(tmp_path / "r2" / "flows", 2)
    (tmp_path / "chain").symlink_to("r1")
    (tmp_path / "current").symlink_to("chain")

    async def story(followed: Followed) -> None:
        swap(tmp_path / "chain", "r2")
        await followed.until(2)
        write(two, 3)
        await followed.until(3)
        (tmp_path / "current").unlink()
        await followed.problem("gone")
        (tmp_path / "current").symlink_to("current")
        (tmp_path / "current").unlink()
        (tmp_path / "current").symlink_to("r1")
        await followed.until(1)

    run(tmp_path / "current" / "flows", polling, story)


@pytest.mark.usefixtures("following")
def test_links_that_specs_lead_through_are_followed(tmp_path: Path, polling: bool) -> None:
    write(tmp_path / "r1", 1)
    two = write(tmp_path / "r2", 2)
    (tmp_path / "current").symlink_to("r1")
    flows = tmp_path / "flows"
    flows.mkdir()
    (flows / "a.yaml").symlink_to("../current/flow.yaml")

    async def story(followed: Followed) -> None:
        swap(tmp_path / "current", "r2")
        await followed.until(2)
        write(two, 3)
        await followed.until(3)

    run(flows, polling, story)


def test_a_single_file_out_of_a_config_map_follows_every_swap(
    tmp_path: Path, polling: bool
) -> None:
    def mount(value: int) -> None:
        # As Kubernetes does: flow.yaml -> ..data/flow.yaml, and ..data is swapped.
        write(tmp_path / f"..{value}", value)
        swap(tmp_path / "..data", f"..{value}")
        shutil.rmtree(tmp_path / f"..{value - 1}", ignore_errors=True)

    async def story(followed: Followed) -> None:
        for value in range(2, 30 if not polling else 8):
            mount(value)
            await followed.until(value)

    mount(1)
    (tmp_path / "flow.yaml").symlink_to("..data/flow.yaml")
    run(tmp_path / "flow.yaml", polling, story)


def test_a_folder_above_may_be_moved_away_and_back(tmp_path: Path, polling: bool) -> None:
    flows = write(tmp_path / "top" / "flows", 1)

    async def story(followed: Followed) -> None:
        (tmp_path / "top").rename(tmp_path / "away")
        await followed.problem("gone")
        write(tmp_path / "away" / "flows", 2)
        (tmp_path / "away").rename(tmp_path / "top")
        await followed.until(2)
        write(flows, 3)
        await followed.until(3)

    run(flows, polling, story)


def test_a_removed_folder_keeps_what_it_held_until_another_is_there(
    tmp_path: Path, polling: bool
) -> None:
    flows = write(tmp_path / "flows", 1)

    async def story(followed: Followed) -> None:
        shutil.rmtree(flows)
        await followed.problem("gone")
        write(tmp_path / "new", 2)
        (tmp_path / "new").rename(flows)
        await followed.until(2)
        assert await followed.store.problems() == []
        write(flows, 3)
        await followed.until(3)

    run(flows, polling, story)


def test_an_empty_folder_in_the_place_of_another_removes_nothing(
    tmp_path: Path, polling: bool
) -> None:
    flows = write(tmp_path / "flows", 1)

    async def story(followed: Followed) -> None:
        flows.rename(tmp_path / "away")
        flows.mkdir()
        await followed.problem("another folder is there, which is empty")
        write(flows, 2)
        await followed.until(2)

    run(flows, polling, story)


def test_an_empty_folder_made_at_once_removes_nothing(tmp_path: Path, polling: bool) -> None:
    flows = write(tmp_path / "flows", 1)
    report = Report(runtime="r", namespace="default", host="h", pid=0, seen=0.0)

    async def story(followed: Followed) -> None:
        if polling:
            # Without events the state folder shows that it is another one of the same number.
            await followed.store.report(report)
        shutil.rmtree(flows)
        flows.mkdir()
        await followed.problem("another folder is there, which is empty")
        write(flows, 2)
        await followed.until(2)
        assert await followed.store.problems() == []

    run(flows, polling, story)


def test_specs_that_are_deleted_one_by_one_are_gone(tmp_path: Path, polling: bool) -> None:
    flows = write(tmp_path / "flows", 1)

    async def story(followed: Followed) -> None:
        (flows / "flow.yaml").unlink()
        await followed.until(None)
        assert await followed.store.problems() == []

    run(flows, polling, story)


def test_a_folder_that_is_filled_slowly_is_taken_as_a_whole(tmp_path: Path, polling: bool) -> None:
    flows = write(tmp_path / "flows", 1)
    (flows / "b.yaml").write_text("{kind: nop, name: b}\n")
    gone: list[ChangeSet] = []

    async def story(followed: Followed) -> None:
        flows.rename(tmp_path / "away")
        write(flows, 2)
        # As a copy over a slow network does it.
        await asyncio.sleep(0.15)
        (flows / "b.yaml").write_text("{kind: nop, name: b}\n")
        await followed.until(2)
        assert {each.name for each in await followed.store.specs()} == {"a", "b"}
        gone.extend(each for each in followed.told if len(each.specs) > 1)

    run(flows, polling, story)
    assert gone == []


def test_a_single_file_may_be_moved_away_and_back(tmp_path: Path, polling: bool) -> None:
    file = write(tmp_path / "flows", 1) / "flow.yaml"

    async def story(followed: Followed) -> None:
        file.rename(tmp_path / "away.yaml")
        await followed.problem("the file is gone")
        (tmp_path / "away.yaml").write_text("{kind: nop, name: a, v: 2}\n")
        (tmp_path / "away.yaml").rename(file)
        await followed.until(2)
        file.write_text("{kind: nop, name: a, v: 3}\n")
        await followed.until(3)

    run(file, polling, story)


def test_swaps_leave_no_watches_and_no_descriptors_behind(tmp_path: Path) -> None:
    if sys.platform != "linux":
        pytest.skip("only Linux has inotify")
    write(tmp_path / "r0", 0)
    write(tmp_path / "r1", 1)
    (tmp_path / "current").symlink_to("r0")

    def held() -> tuple[int, int]:
        """Return how many descriptors there are, and how many watches."""
        watches = 0
        for entry in Path("/proc/self/fdinfo").iterdir():
            try:
                text = entry.read_text()
            except OSError:
                continue
            watches += text.count("inotify wd:")
        return len(list(Path("/proc/self/fd").iterdir())), watches

    async def story(followed: Followed) -> None:
        swap(tmp_path / "current", "r1")
        await followed.until(1)
        before = held()
        for number in range(1000):
            swap(tmp_path / "current", f"r{number % 2}")
            await asyncio.sleep(0)
            if number % 100 == 99:
                await followed.until(1)
        assert held() == before

    run(tmp_path / "current", False, story)


def test_a_relative_path_means_where_it_led_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, polling: bool
) -> None:
    work = tmp_path / "work"
    write(work / "flows", 1)
    monkeypatch.chdir(work)

    async def story(followed: Followed) -> None:
        work.rename(tmp_path / "away")
        await followed.problem("gone")
        write(tmp_path / "work" / "flows", 2)
        await followed.until(2)

    run(Path("flows"), polling, story)
