"""A folder store reads what its limits allow, says what it leaves out, and holds nobody up."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from heddle.schemas.problem import Problem
from heddle.specs.model.limits import ReadLimits, limits, use_limits
from heddle.specs.model.names import named_id
from heddle.specs.model.store import Put
from heddle.specs.stores.contract_story import Watch
from heddle.specs.stores.folder.store import FolderStore

Story = Callable[[FolderStore, Watch], Awaitable[None]]


@pytest.fixture(autouse=True)
def limited() -> Iterator[None]:
    """Whatever limits a test sets hold for that test alone."""
    before = limits()
    yield
    use_limits(before)


def run(path: Path, story: Story) -> None:
    """Run a story with an open, watched store."""

    async def tell() -> None:
        store = FolderStore(path)
        await store.open()
        watch = await Watch.begin(store)
        try:
            await story(store, watch)
        finally:
            await watch.stop()
            await store.close()

    asyncio.run(tell())


async def told(
    store: FolderStore, wanted: Callable[[Sequence[Problem]], bool]
) -> Sequence[Problem]:
    """Return the Problems of a store, once they are as wanted."""
    async with asyncio.timeout(20):
        while not wanted(problems := await store.problems()):  # noqa: ASYNC110 - files tell nobody
            await asyncio.sleep(0.01)
    return problems


async def turns(work: Awaitable[object]) -> int:
    """Return how often the event loop had its turn while something was awaited."""
    count = 0
    task = asyncio.ensure_future(work)
    while not task.done():
        await asyncio.sleep(0.001)
        count += 1
    await task
    return count


def test_links_that_lead_out_of_the_folder_are_told_and_not_followed(tmp_path: Path) -> None:
    flows, far = tmp_path / "flows", tmp_path / "far"
    (far / "in").mkdir(parents=True)
    flows.mkdir()
    (far / "l.yaml").write_text("{kind: nop, name: l}")
    (far / "in" / "m.yaml").write_text("{kind: nop, name: m}")
    (flows / "l.yaml").symlink_to(far / "l.yaml")
    (flows / "in").symlink_to(far / "in")
    (flows / "gone.yaml").symlink_to(far / "gone.yaml")

    async def story(store: FolderStore, watch: Watch) -> None:
        assert await store.specs() == []
        links = [(each.code, each.place.file) for each in await store.problems()]
        assert sorted(links) == [
            ("outside-link", str(flows / name)) for name in ("gone.yaml", "in", "l.yaml")
        ]
        (flows / "n.yaml").write_text("{kind: nop, name: n}")
        await watch.until([named_id("spec", "default", "n")])
        for name in ("gone.yaml", "in", "l.yaml"):
            (flows / name).unlink()
        (flows / "n.yaml").write_text("{kind: nop, name: n, v: 2}")
        await watch.until([named_id("spec", "default", "n")])
        await told(store, lambda problems: not problems)

    run(flows, story)


def test_links_inside_the_folder_and_to_the_folder_are_followed(tmp_path: Path) -> None:
    real = tmp_path / "releases" / "1"
    (real / "..data").mkdir(parents=True)
    (real / "..data" / "a.yaml").write_text("{kind: nop, name: a}")
    (real / "a.yaml").symlink_to("..data/a.yaml")
    (real / "sub").mkdir()
    (real / "sub" / "b.yaml").write_text("{kind: nop, name: b}")
    (real / "again").symlink_to("sub")
    (real / "loop").symlink_to(".")
    (real / "self").symlink_to("self")
    (real / "self.yaml").symlink_to("self.yaml")
    (tmp_path / "current").symlink_to("releases")

    async def story(store: FolderStore, _: Watch) -> None:
        assert {each.name for each in await store.specs()} == {"a", "b"}
        assert [each.code for each in await store.problems()] == ["unreadable"]

    run(tmp_path / "current" / "1", story)


def test_a_folder_with_too_many_files_keeps_what_it_held(tmp_path: Path) -> None:
    use_limits(ReadLimits(files=3))
    (tmp_path / "a.yaml").write_text("{kind: nop, name: a}")

    async def story(store: FolderStore, watch: Watch) -> None:
        for number in range(4):
            (tmp_path / f"n{number}.yaml").write_text(f"{{kind: nop, name: n{number}}}")
        more = tmp_path / "more"
        more.mkdir()
        await told(store, lambda problems: "too-many-files" in {each.code for each in problems})
        assert "a" in {each.name for each in await store.specs()}
        for number in range(4):
            (tmp_path / f"n{number}.yaml").unlink()
        more.rmdir()
        await told(store, lambda problems: not problems)
        assert {each.name for each in await store.specs()} == {"a"}

    run(tmp_path, story)


def test_a_file_that_is_too_large_keeps_what_it_said(tmp_path: Path) -> None:
    use_limits(ReadLimits(file=1000))
    path = tmp_path / "a.yaml"
    path.write_text("{kind: nop, name: a}")

    async def story(store: FolderStore, watch: Watch) -> None:
        path.write_text("{kind: nop, name: a, v: 2}\n" + "# more\n" * 1000)
        problems = await told(store, bool)
        assert str(problems[0]).endswith(
            "7,027 bytes (expected: at most 1,000). "
            "Split it into several; the setting is [limits] file"
        )
        assert [each.fields for each in await store.specs()] == [{}]
        path.write_text("{kind: nop, name: a, v: 3}")
        await watch.until([named_id("spec", "default", "a")])
        assert [each.fields for each in await store.specs()] == [{"v": 3}]
        assert await store.problems() == []

    run(tmp_path, story)


def test_a_large_file_is_read_while_the_loop_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("{kind: nop, name: a}")
    many = "".join(f"- {{kind: nop, name: n{n}, v: [1, 2, 3]}}\n" for n in range(8000))

    async def story(store: FolderStore, watch: Watch) -> None:
        path.write_text(many)
        last = named_id("spec", "default", "n7999")
        assert await turns(watch.until([last])) > 20
        specs = await store.specs()
        assert len(specs) == 8000
        assert specs[0].place(("v", 2)).line > 0
        path.write_text(many + "- {kind: nop, name: [}\n")
        problems = await told(store, bool)
        assert problems[0].place.line == 8001
        assert len(await store.specs()) == 8000

    run(tmp_path, story)


def test_thousands_of_new_files_are_read_while_the_loop_goes_on(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("{kind: nop, name: a}")
    side = tmp_path.parent / "side"
    side.mkdir()
    for number in range(3000):
        (side / f"n{number}.yaml").write_text(f"{{kind: nop, name: n{number}}}")

    async def story(store: FolderStore, watch: Watch) -> None:
        side.rename(tmp_path / "side")
        last = named_id("spec", "default", "n2999")
        assert await turns(watch.until([last])) > 20
        assert len(await store.specs()) == 3001

    run(tmp_path, story)


def test_a_change_is_written_beside_thousands_without_a_look_at_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(1000):
        (tmp_path / f"n{number}.yaml").write_text(f"{{kind: nop, name: n{number}}}")
    looked: set[str] = set()
    stat = os.stat

    def noted(path: Any, *args: Any, **more: Any) -> os.stat_result:
        looked.add(os.fspath(path) if not isinstance(path, int) else str(path))
        return stat(path, *args, **more)

    async def story(store: FolderStore, _: Watch) -> None:
        [spec] = [each for each in await store.specs() if each.name == "n7"]
        changed = msgspec.structs.replace(spec, annotations={"a": "b"})
        await store.apply([Put(resource=changed)])
        monkeypatch.setattr(os, "stat", noted)
        for number in range(3):
            changed = msgspec.structs.replace(spec, annotations={"a": str(number)})
            await store.apply([Put(resource=changed)])
        monkeypatch.undo()
        files = {path for path in looked if path.endswith(".yaml")}
        assert files, "somebody looked at the file that was written"
        assert len(files) <= 3

    run(tmp_path, story)
