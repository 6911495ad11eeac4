"""The folder store keeps every promise of a Store, and those that only files ask for."""

import asyncio
import os
import shutil
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from heddle.schemas.errors import ConflictError, SpecError, StoreError
from heddle.specs.files import debounce as settle
from heddle.specs.files import inotify
from heddle.specs.files import tree_scan as treescan
from heddle.specs.files.debounce import PathDebounce
from heddle.specs.files.tree_scan import TreeNotifier
from heddle.specs.model.names import named_id
from heddle.specs.model.report import Report
from heddle.specs.model.spec import Spec
from heddle.specs.model.store import ChangeSet, Delete, Put, Store
from heddle.specs.stores.contract import StoreContract, rejected
from heddle.specs.stores.contract_story import Watch, spec, value
from heddle.specs.stores.folder import store as folder_module
from heddle.specs.stores.folder.file_index import FileIndex
from heddle.specs.stores.folder.notifier import Notifier
from heddle.specs.stores.folder.spec_files import SpecFiles
from heddle.specs.stores.folder.store import FolderStore
from heddle.specs.stores.indexed_contract import IndexedContract
from heddle.specs.stores.keyed_contract import KeyedContract
from heddle.specs.stores.lease_contract import LeaseContract
from heddle.specs.stores.opener import open_store
from heddle.specs.stores.recording_contract import (
    AcceptanceContract,
    ReportContract,
    RevisionContract,
)

A, B = named_id("spec", "default", "a"), named_id("spec", "default", "b")


class TestFolderStore(
    IndexedContract,
    StoreContract,
    RevisionContract,
    KeyedContract,
    LeaseContract,
    ReportContract,
    AcceptanceContract,
):
    def make(self, folder: Path) -> Store:
        return FolderStore(folder)


class TestFileStore(
    IndexedContract,
    StoreContract,
    RevisionContract,
    KeyedContract,
    LeaseContract,
    ReportContract,
    AcceptanceContract,
):
    def make(self, folder: Path) -> Store:
        path = folder / "flow.yaml"
        path.touch()
        return FolderStore(path)


class TestJsonFileStore(StoreContract, RevisionContract, KeyedContract):
    def make(self, folder: Path) -> Store:
        path = folder / "flow.json"
        path.touch()
        return FolderStore(path)


Story = Callable[[FolderStore, Watch], Awaitable[None]]


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


@pytest.fixture(params=["inotify", "watchfiles", "polling"])
def flows(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with two files, watched in each of the ways there are."""
    if request.param == "inotify" and sys.platform != "linux":
        pytest.skip("only Linux has inotify")
    if request.param != "inotify":
        polling_too = request.param == "polling"

        def other(root: str, settling: PathDebounce, *, polling: bool | None = None) -> Notifier:
            del polling
            return TreeNotifier(root, settling, polling=polling_too)

        monkeypatch.setattr(folder_module, "notifier", other)
    path = tmp_path / "flows"
    path.mkdir()
    (path / "a.yaml").write_text("{kind: nop, name: a, v: 1}\n")
    (path / "b.yaml").write_text("{kind: nop, name: b, v: 1}\n")
    return path


async def field(store: Store, name: str) -> object:
    """Return the field `v` of a Spec; None if there is no such Spec."""
    for each in await store.specs():
        if each.name == name:
            return each.fields["v"]
    return None


def names(folder: Path) -> list[str]:
    """Return what is in a folder, for people."""
    return sorted(each.name for each in folder.iterdir() if each.name != ".heddle")


# --- what people and editors do to files ---


def move(old: Path, new: Path) -> None:
    old.rename(new)


def save_in_place(path: Path, text: str) -> None:
    path.write_text(text)


def save_by_renaming(path: Path, text: str) -> None:
    part = path.with_name(f".{path.name}.part")
    part.write_text(text)
    part.replace(path)


def save_like_vim(path: Path, text: str) -> None:
    (path.parent / "4913").touch()
    (path.parent / "4913").unlink()
    swap = path.with_name(f".{path.name}.swp")
    swap.write_text("swap")
    backup = path.with_name(path.name + "~")
    path.rename(backup)
    path.write_text(text)
    backup.unlink()
    swap.unlink()


def save_in_pieces(path: Path, text: str) -> None:
    with path.open("w") as file:
        for character in text:
            file.write(character)
            file.flush()


@pytest.mark.parametrize("save", [save_in_place, save_by_renaming, save_like_vim, save_in_pieces])
def test_a_saved_file_is_told_and_nothing_else(
    flows: Path, save: Callable[[Path, str], None]
) -> None:
    async def story(store: FolderStore, watch: Watch) -> None:
        for number in range(2, 5):
            save(flows / "a.yaml", f"{{kind: nop, name: a, v: {number}}}\n")
            changes = await watch.next()
            assert changes.specs == {A}
            assert changes.problems == ()
            assert await field(store, "a") == number

    run(flows, story)


@pytest.mark.parametrize("save", [save_in_place, save_by_renaming, save_like_vim])
def test_a_single_file_is_watched_however_it_is_saved(
    flows: Path, save: Callable[[Path, str], None]
) -> None:
    async def story(store: FolderStore, watch: Watch) -> None:
        for number in range(2, 5):
            save(flows / "a.yaml", f"{{kind: nop, name: a, v: {number}}}\n")
            assert (await watch.next()).specs == {A}
            assert await field(store, "a") == number
        assert await field(store, "b") is None

    run(flows / "a.yaml", story)


def test_a_new_file_and_a_removed_one(flows: Path) -> None:
    async def story(store: FolderStore, watch: Watch) -> None:
        (flows / "c.yaml").write_text("{kind: nop, name: c, v: 1}")
        await watch.until([named_id("spec", "default", "c")])
        (flows / "a.yaml").unlink()
        await watch.until([A])
        assert sorted(each.name or "" for each in await store.specs()) == ["b", "c"]

    run(flows, story)


def test_a_renamed_file_changes_nothing(flows: Path) -> None:
    async def story(store: FolderStore, watch: Watch) -> None:
        (before,) = await store.specs(ids=[A])
        (flows / "a.yaml").rename(flows / "z.yaml")
        (flows / "b.yaml").write_text("{kind: nop, name: b, v: 2}")
        told = await watch.until([B])
        assert all(A not in changes.specs for changes in told)
        (after,) = await store.specs(ids=[A])
        assert after == before
        assert after.revision == before.revision

    run(flows, story)


def test_folders_come_move_and_go(flows: Path) -> None:
    async def story(store: FolderStore, watch: Watch) -> None:
        deep = named_id("spec", "default", "deep")
        (flows / "x" / "y").mkdir(parents=True)
        (flows / "x" / "y" / "deep.yaml").write_text("{kind: nop, name: deep, v: 1}")
        await watch.until([deep])
        (flows / "x" / "y" / "deep.yaml").write_text("{kind: nop, name: deep, v: 2}")
        await watch.until([deep])
        assert await field(store, "deep") == 2
        shutil.rmtree(flows / "x")
        await watch.until([deep])
        assert await field(store, "deep") is None

    run(flows, story)


@pytest.mark.usefixtures("following")
def test_linked_files_and_folders_elsewhere_are_followed_if_asked(
    flows: Path, tmp_path: Path
) -> None:
    async def story(store: FolderStore, watch: Watch) -> None:
        far = tmp_path / "far"
        (far / "in").mkdir(parents=True)
        (far / "l.yaml").write_text("{kind: nop, name: l, v: 1}")
        (far / "in" / "m.yaml").write_text("{kind: nop, name: m, v: 1}")
        one, two = named_id("spec", "default", "l"), named_id("spec", "default", "m")
        (flows / "l.yaml").symlink_to(far / "l.yaml")
        await watch.until([one])
        (flows / "in").symlink_to(far / "in")
        await watch.until([two])
        save_by_renaming(far / "l.yaml", "{kind: nop, name: l, v: 2}")
        await watch.until([one])
        save_in_place(far / "in" / "m.yaml", "{kind: nop, name: m, v: 2}")
        await watch.until([two])
        assert await field(store, "l") == await field(store, "m") == 2

    run(flows, story)


@pytest.mark.parametrize("sort", ["file", "folder"])
def test_link_that_comes_to_lead_out_of_folder_is_followed_no_longer(
    flows: Path, tmp_path: Path, sort: str
) -> None:
    inside, far, link = flows / ".inside", tmp_path / "far", flows / "link"
    for number, folder in enumerate((inside, far)):
        folder.mkdir()
        (folder / "m.yaml").write_text(f"{{kind: nop, name: m, v: {number}}}")
    if sort == "file":
        inside, far, link = inside / "m.yaml", far / "m.yaml", flows / "m.yaml"
    one = named_id("spec", "default", "m")

    async def story(store: FolderStore, watch: Watch) -> None:
        assert await field(store, "m") == 0
        for target, found in ((far, None), (inside, 0)):
            (flows / ".next").symlink_to(target)
            (flows / ".next").replace(link)
            await watch.until([one])
            assert await field(store, "m") == found
            codes = [problem.code for problem in await store.problems()]
            assert codes == (["outside-link"] if found is None else [])

    link.symlink_to(inside)
    run(flows, story)


def test_a_link_that_is_swapped_is_a_change(flows: Path, tmp_path: Path) -> None:
    # A mounted Kubernetes ConfigMap: file -> ..data/file, and ..data is exchanged as a whole.
    async def story(store: FolderStore, watch: Watch) -> None:
        new = flows / "..new"
        new.mkdir()
        (new / "a.yaml").write_text("{kind: nop, name: a, v: 2}")
        (flows / "..data_tmp").symlink_to("..new")
        (flows / "..data_tmp").replace(flows / "..data")
        await watch.until([A])
        assert await field(store, "a") == 2

    old = flows / "..old"
    old.mkdir()
    (flows / "a.yaml").rename(old / "a.yaml")
    (flows / "..data").symlink_to("..old")
    (flows / "a.yaml").symlink_to("..data/a.yaml")
    run(flows, story)


def test_the_folder_itself_may_go_and_come_back(flows: Path) -> None:
    away = flows.with_name("away")

    async def story(store: FolderStore, watch: Watch) -> None:
        move(flows, away)
        (problem,) = (await watch.next()).problems
        assert "goes on running" in problem.hint
        assert await field(store, "a") == 1
        (away / "a.yaml").write_text("{kind: nop, name: a, v: 2}")
        move(away, flows)
        await watch.until([A])
        assert list(await store.problems()) == []
        (flows / "a.yaml").write_text("{kind: nop, name: a, v: 3}")
        await watch.until([A])
        assert await field(store, "a") == 3

    run(flows, story)


def test_files_of_editors_are_not_read(flows: Path) -> None:
    async def story(store: FolderStore, watch: Watch) -> None:
        for name in (".a.yaml.swp", "a.yaml~", "#a.yaml#", ".#a.yaml", "~a.yaml", "a.yaml.bak"):
            (flows / name).write_text("[broken")
        (flows / "b.yaml").write_text("{kind: nop, name: b, v: 2}")
        changes = await watch.next()
        assert changes.specs == {B}
        assert changes.problems == ()
        assert list(await store.problems()) == []

    run(flows, story)


# --- broken files ---


def test_a_pipe_that_is_named_like_a_file_is_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("{kind: nop, name: a}")
    files = SpecFiles(str(tmp_path))
    assert files.refresh(None) is not None
    os.mkfifo(tmp_path / "b.yaml")
    assert files.refresh(["b.yaml"]) is None
    assert files.problems == []


def test_a_broken_file_keeps_what_it_said(flows: Path) -> None:
    async def story(store: FolderStore, watch: Watch) -> None:
        (flows / "a.yaml").write_text("{kind: nop, name: a, v: 2")
        changes = await watch.next()
        assert changes.specs == frozenset()
        assert [problem.code for problem in changes.problems] == ["syntax"]
        assert await field(store, "a") == 1
        assert list(await store.problems()) == list(changes.problems)
        (flows / "a.yaml").write_text("{kind: nop, name: a, v: 2}")
        changes = await watch.next()
        assert changes.specs == {A}
        assert changes.problems == ()
        assert await field(store, "a") == 2
        assert list(await store.problems()) == []

    run(flows, story)


def test_half_of_an_edit_never_goes_live(flows: Path) -> None:
    async def story(store: FolderStore, watch: Watch) -> None:
        text = "- {kind: nop, name: a, v: 2}\n- {kind: nop, name: c, v: 2, ports: {out: [{prot: in}]}}\n"
        (flows / "a.yaml").write_text(text)
        changes = await watch.next()
        assert {problem.code for problem in changes.problems} == {"unknown-field", "missing"}
        assert await field(store, "a") == 1
        (flows / "a.yaml").write_text(text.replace("prot: in", "name: a"))
        await watch.until([A, named_id("spec", "default", "c")])

    run(flows, story)


def test_at_the_start_a_broken_file_gives_what_is_sound_in_it(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("- {kind: nop, name: a, v: 1}\n- {kind: nop, name: 5}\n")

    async def story(store: FolderStore, watch: Watch) -> None:
        assert await field(store, "a") == 1
        assert [problem.code for problem in await store.problems()] == ["type"]

    run(tmp_path, story)


def test_an_emptied_file_has_a_moment_to_be_filled(
    flows: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A machine that is busy with other things may need more than a moment.
    for module in (inotify, treescan):
        monkeypatch.setattr(module, "SLOW", 2.0)
    monkeypatch.setattr(settle, "LONGEST", 4.0)

    async def story(store: FolderStore, watch: Watch) -> None:
        (flows / "a.yaml").write_text("")
        # Longer than a finished file has to wait, whoever tells of it.
        await asyncio.sleep(0.2)
        assert await field(store, "a") == 1
        (flows / "a.yaml").write_text("{kind: nop, name: a, v: 2}")
        [changes] = await watch.until([A])
        assert not changes.problems
        assert await field(store, "a") == 2

    run(flows, story)


def test_the_file_that_had_a_name_first_keeps_it(flows: Path) -> None:
    async def story(store: FolderStore, watch: Watch) -> None:
        (flows / "0.yaml").write_text("{kind: if, name: a, v: 9}")
        changes = await watch.next()
        assert changes.specs == frozenset()
        (problem,) = changes.problems
        assert problem.place.file == str(flows / "0.yaml")
        assert str(flows / "a.yaml") in problem.found
        assert await field(store, "a") == 1
        (flows / "a.yaml").unlink()
        await watch.until([A])
        assert await field(store, "a") == 9
        assert list(await store.problems()) == []

    run(flows, story)


def test_two_files_may_exchange_what_they_say(flows: Path) -> None:
    async def story(store: FolderStore, watch: Watch) -> None:
        (flows / "a.yaml").write_text("{kind: nop, name: b, v: 2}")
        (flows / "b.yaml").write_text("{kind: nop, name: a, v: 2}")
        await watch.until([A, B])
        assert list(await store.problems()) == []
        assert await field(store, "a") == await field(store, "b") == 2

    run(flows, story)


def test_a_file_that_cannot_be_read_keeps_what_it_said(flows: Path) -> None:
    async def story(store: FolderStore, watch: Watch) -> None:
        part = flows / "part"
        part.symlink_to("a.yaml")
        move(part, flows / "a.yaml")  # a link to itself
        changes = await watch.next()
        assert [problem.code for problem in changes.problems] == ["unreadable"]
        assert await field(store, "a") == 1
        save_by_renaming(flows / "a.yaml", "{kind: nop, name: a, v: 2}")
        await watch.until([A])
        assert list(await store.problems()) == []

    run(flows, story)


# --- opening and reading ---


def test_a_folder_that_is_not_there_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no such file or directory"):
        asyncio.run(FolderStore(tmp_path / "nothing").open())


def test_without_a_watcher_every_read_sees_the_files_as_they_are(tmp_path: Path) -> None:
    async def story() -> None:
        store = FolderStore(tmp_path)
        await store.open()
        assert list(await store.specs()) == []
        for number in range(5):
            # The same size, within one tick of the clock of the file system.
            (tmp_path / "a.yaml").write_text(f"{{kind: nop, name: a, v: {number}}}")
            assert await field(store, "a") == number
        (tmp_path / "a.yaml").unlink()
        assert list(await store.specs()) == []
        await store.close()

    asyncio.run(story())


def test_only_the_changed_file_is_read_again(flows: Path) -> None:
    async def story(store: FolderStore, watch: Watch) -> None:
        (before,) = await store.specs(ids=[B])
        (flows / "a.yaml").write_text("{kind: nop, name: a, v: 2}")
        await watch.until([A])
        (after,) = await store.specs(ids=[B])
        assert after is before

    run(flows, story)


def test_a_spec_that_only_moved_keeps_its_revision_and_knows_its_line(tmp_path: Path) -> None:
    async def story() -> None:
        store = FolderStore(tmp_path)
        await store.open()
        (before,) = await store.specs()
        (tmp_path / "a.yaml").write_text("# more\n\n{kind: nop, name: a, v: 1}")
        (after,) = await store.specs()
        assert after.revision == before.revision
        assert (before.place().line, after.place().line) == (1, 3)
        await store.close()

    (tmp_path / "a.yaml").write_text("{kind: nop, name: a, v: 1}")
    asyncio.run(story())


def test_entries_without_a_namespace_belong_to_default_whoever_looks(tmp_path: Path) -> None:
    async def story() -> None:
        store = await open_store(tmp_path, namespace="web")
        assert await store.specs("web") == []
        await store.apply([Put(resource=spec("b", namespace="web"))])
        await store.apply([Put(resource=spec("b", namespace="web", fields={"v": 2}))])
        assert [each.name for each in await store.specs("web")] == ["b"]
        assert [each.name for each in await store.specs("default")] == ["a"]
        await store.close()
        assert (tmp_path / "web.yaml").read_text() == (
            "- kind: nop\n  name: b\n  namespace: web\n  v: 2\n"
        )

    (tmp_path / "a.yaml").write_text("{kind: nop, name: a}")
    asyncio.run(story())


def test_what_can_be_read_of_broken_file_is_told_with_its_problems(tmp_path: Path) -> None:
    async def story() -> None:
        store = FolderStore(tmp_path)
        await store.open()
        changes = store.watch()
        heard = asyncio.ensure_future(anext(changes))
        await asyncio.sleep(0)
        assert await store.invalid() == []
        (tmp_path / "a.yaml").write_text(
            "[{kind: nop, name: a, ports: 3}, {kind: nop, name: b, v: 2}]"
        )
        told = await heard
        assert [each.path for each in told.problems] == ["a.ports"]
        assert {each.name for each in told.invalid} == {"a", "b"}
        assert {each.name for each in await store.invalid("default")} == {"a", "b"}
        assert await store.invalid("other") == []
        assert [each.name for each in await store.specs()] == ["a"]
        await store.close()

    (tmp_path / "a.yaml").write_text("{kind: nop, name: a}")
    asyncio.run(story())


# --- writing ---


def applied(path: Path, *changes: Put | Delete) -> None:
    async def story() -> None:
        store = FolderStore(path)
        await store.open()
        try:
            await store.apply(changes)
        finally:
            await store.close()

    asyncio.run(story())


def test_a_change_goes_to_its_file_a_new_spec_to_its_namespace(flows: Path) -> None:
    before = (flows / "b.yaml").read_bytes()
    applied(
        flows, Put(resource=spec("a", fields={"v": 2})), Put(resource=spec("n", namespace="web"))
    )
    assert (flows / "a.yaml").read_text() == "{kind: nop, name: a, v: 2}\n"
    assert (flows / "b.yaml").read_bytes() == before
    assert (flows / "web.yaml").read_text() == "- kind: nop\n  name: n\n  namespace: web\n"


def test_a_file_that_holds_nothing_any_more_is_removed(flows: Path) -> None:
    applied(flows, Delete(type=Spec, id=A))
    assert names(flows) == ["b.yaml"]
    (flows / "b.yaml").write_text("# mine\n- {kind: nop, name: b}\n")
    applied(flows, Delete(type=Spec, id=B))
    assert (flows / "b.yaml").read_text() == "# mine\n"


def test_a_single_file_stays_however_empty(flows: Path) -> None:
    applied(flows / "a.yaml", Delete(type=Spec, id=A))
    assert (flows / "a.yaml").exists()
    applied(flows / "a.yaml", Put(resource=spec("new")))
    assert "name: new" in (flows / "a.yaml").read_text()


def test_the_mode_of_a_file_and_a_link_to_it_stay(flows: Path) -> None:
    far = flows / ".real" / "far.yaml"
    far.parent.mkdir()
    (flows / "a.yaml").rename(far)
    (flows / "a.yaml").symlink_to(far)
    far.chmod(0o640)
    applied(flows, Put(resource=spec("a", fields={"v": 2})))
    assert (flows / "a.yaml").is_symlink()
    assert "v: 2" in far.read_text()
    assert far.stat().st_mode & 0o777 == 0o640
    assert [each.name for each in far.parent.iterdir()] == ["far.yaml"]


@pytest.mark.usefixtures("following")
@pytest.mark.parametrize("link", ["file", "folder", "annotation", "dangling"])
def test_nothing_is_written_out_of_the_folder_through_a_link(
    flows: Path, tmp_path: Path, link: str
) -> None:
    far = tmp_path / "far"
    far.mkdir()
    text = (flows / "a.yaml").read_text()
    (far / "a.yaml").write_text(text)
    change = Put(resource=spec("a", fields={"v": 2}))
    if link == "file":
        (flows / "a.yaml").unlink()
        (flows / "a.yaml").symlink_to(far / "a.yaml")
    elif link == "folder":
        (flows / "a.yaml").unlink()
        (flows / "in").symlink_to(far)
    elif link == "dangling":
        (flows / "web.yaml").symlink_to(far / "new.yaml")
        change = Put(resource=spec("n", namespace="web"))
    else:
        (flows / "in").symlink_to(far)
        (far / "a.yaml").unlink()
        change = Put(resource=spec("n", annotations={"heddle/file": "in/x.yaml"}))

    async def story(store: FolderStore, watch: Watch) -> None:
        with pytest.raises(SpecError):
            await store.apply([change])

    run(flows, story)
    assert {each.name: each.read_text() for each in far.iterdir()} == (
        {} if link == "annotation" else {"a.yaml": text}
    )


ODD_FILES = (
    *("n.yaml/x.yaml", ".heddle/x.yaml", "a\0.yaml", "../x.yaml", "/tmp/x.yaml", "a//x.yaml"),
    *("./x.yaml", "con.yaml", "NUL.json", "sub/aux/x.yaml", "a:b.yaml", "a\\b.yaml", "x.txt", ""),
    *(
        "a.yaml/x.yaml",
        " x.yaml",
        "x /y.yaml",
        "n" * 300 + ".yaml",
        "d/" * 600 + "x.yaml",
        "\x1b.yaml",
    ),
)


@pytest.mark.parametrize("name", ODD_FILES)
def test_an_illegal_file_name_is_a_problem_with_its_place(flows: Path, name: str) -> None:
    before = sorted(str(each) for each in flows.parent.rglob("*.yaml"))

    async def story(store: FolderStore, watch: Watch) -> None:
        put = Put(resource=spec("n", annotations={"heddle/file": name}))
        with pytest.raises(SpecError) as caught:
            await store.apply([put])
        [problem] = caught.value.problems
        assert problem.path == "n.annotations.heddle/file"
        assert str(flows.parent) not in str(problem).replace("/tmp/x.yaml", "")

    run(flows, story)
    assert sorted(str(each) for each in flows.parent.rglob("*.yaml")) == before


@pytest.mark.parametrize("namespace", ["é" * 200, "con", "a" * 200])
def test_every_legal_namespace_has_a_file_that_can_be_written(flows: Path, namespace: str) -> None:
    applied(flows, Put(resource=spec("n", namespace=namespace)))

    async def story(store: FolderStore, watch: Watch) -> None:
        assert [each.name for each in await store.specs(namespace)] == ["n"]

    run(flows, story)


def test_several_files_are_written_or_none(flows: Path) -> None:
    text = (flows / "a.yaml").read_text()
    blocked = flows / "web.yaml"
    blocked.mkdir()

    async def story(store: FolderStore, watch: Watch) -> None:
        changes = [
            Put(resource=spec("a", fields={"v": 2})),
            Put(resource=spec("n", namespace="web")),
        ]
        with pytest.raises(SpecError):
            await store.apply(changes)
        assert await field(store, "a") == 1

    run(flows, story)
    assert (flows / "a.yaml").read_text() == text
    assert names(flows) == ["a.yaml", "b.yaml", "web.yaml"]


def test_a_broken_file_is_not_written_to(flows: Path) -> None:
    (flows / "a.yaml").write_text("- {kind: nop, name: a, v: 1}\n- {kind: 5}\n")

    async def story(store: FolderStore, watch: Watch) -> None:
        with pytest.raises(StoreError, match=r"a\.yaml.*put right first"):
            await store.apply([Put(resource=spec("a", fields={"v": 2}))])

    run(flows, story)


def test_a_revision_that_was_read_before_an_edit_on_disk_conflicts(flows: Path) -> None:
    async def story(store: FolderStore, watch: Watch) -> None:
        (read,) = await store.specs(ids=[A])
        (flows / "a.yaml").write_text("{kind: nop, name: a, v: 2}")
        mine = Put(resource=spec("a", fields={"v": 3}), revision=read.revision)
        assert await rejected(store, [mine], ConflictError)
        assert (flows / "a.yaml").read_text() == "{kind: nop, name: a, v: 2}"

    run(flows, story)


def test_what_the_store_writes_is_told_once(flows: Path) -> None:
    async def story(store: FolderStore, watch: Watch) -> None:
        told: list[ChangeSet] = []
        await store.apply([Put(resource=spec("a", fields={"v": 2})), Put(resource=value("v", 1))])
        told.append(await watch.next())
        # Whatever the file system tells about it would come before this one.
        (flows / "b.yaml").write_text("{kind: nop, name: b, v: 2}")
        told.append(await watch.next())
        assert [changes.specs for changes in told] == [{A}, {B}]

    run(flows, story)


def test_what_is_beside_the_specs_wakes_nobody(flows: Path) -> None:
    async def story(store: FolderStore, watch: Watch) -> None:
        await store.apply([Put(resource=spec("a", fields={"v": 2}))])
        await watch.next()
        report = Report(runtime="r", namespace="default", pid=os.getpid(), seen=time.time())
        await store.report(report)
        (flows / ".heddle" / "x.yaml").write_text("{kind: nop, name: hidden}")
        (flows / ".git").mkdir()
        (flows / ".git" / "y.yaml").write_text("[broken")
        await asyncio.sleep(0)
        # Whatever the file system tells about them would come before this one.
        (flows / "b.yaml").write_text("{kind: nop, name: b, v: 2}")
        changes = await watch.next()
        assert (changes.specs, changes.problems) == ({B}, ())
        assert await field(store, "hidden") is None

    run(flows, story)


def test_a_number_that_becomes_another_number_is_a_change(flows: Path) -> None:
    async def story(store: FolderStore, watch: Watch) -> None:
        for text, found in (("true", True), ("1.0", 1.0), ("1", 1)):
            (flows / "a.yaml").write_text(f"{{kind: nop, name: a, v: {text}}}")
            assert (await watch.next()).specs == {A}
            assert repr(await field(store, "a")) == repr(found)
        await store.apply([Put(resource=spec("a", fields={"v": True}))])
        assert "v: true" in (flows / "a.yaml").read_text()

    run(flows, story)


def test_an_annotation_names_the_file_of_a_new_spec(flows: Path) -> None:
    wish = {"heddle/file": "shop/orders.yaml"}
    applied(flows, Put(resource=spec("n", annotations=wish)))
    assert "name: n" in (flows / "shop" / "orders.yaml").read_text()
    # What is there stays where it is.
    applied(flows, Put(resource=spec("a", annotations=wish, fields={"v": 1})))
    assert "heddle/file" in (flows / "a.yaml").read_text()
    applied(flows / "b.yaml", Put(resource=spec("m", annotations=wish)))
    assert "name: m" in (flows / "b.yaml").read_text()


@pytest.mark.parametrize(
    "wish",
    ["../x.yaml", "/x.yaml", "x.txt", ".x.yaml", "a//b.yaml", ".git/x.yaml", "", "a\\..\\x.yaml"],
)
def test_an_annotation_does_not_lead_out_of_the_folder(flows: Path, wish: str) -> None:
    with pytest.raises(SpecError, match=r"n\.annotations.*cannot be written"):
        applied(flows, Put(resource=spec("n", annotations={"heddle/file": wish})))
    assert names(flows) == ["a.yaml", "b.yaml"]


def test_a_file_that_held_much_goes_beside_the_event_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a file held goes from every index: that takes as long as to read it, however small it is now."""
    path = tmp_path / "many.yaml"
    path.write_text("".join(f"- {{kind: nop, name: n{number}}}\n" for number in range(600)))
    threads: list[int] = []
    arrange = FileIndex.arrange

    def noted(self: FileIndex, *args: Any) -> Any:
        threads.append(threading.get_ident())
        return arrange(self, *args)

    async def story(store: FolderStore, watch: Watch) -> None:
        monkeypatch.setattr(FileIndex, "arrange", noted)
        path.write_text("{kind: nop, name: n1}\n")
        assert len((await watch.next()).specs) == 599
        assert threads
        assert threading.get_ident() not in threads

    run(tmp_path, story)
