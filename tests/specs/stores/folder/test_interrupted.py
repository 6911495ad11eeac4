"""Whatever fails or ends in the midst of a write: files, index and history agree afterwards."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from errno import EACCES
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from heddle.schemas.errors import HeddleError, StoreError
from heddle.specs.model.revision import Note
from heddle.specs.model.spec import Spec
from heddle.specs.model.store import Delete, Put
from heddle.specs.stores.contract_story import spec
from heddle.specs.stores.folder import store as folder_store
from heddle.specs.stores.folder.recorder import BY_HAND
from heddle.specs.stores.folder.spec_target import SpecTarget
from heddle.specs.stores.folder.store import FolderStore
from tests.specs.stores.folder.failing_calls import (
    before_call,
    check_sound,
    code_of,
    failing,
    leftovers,
    no_process,
)

MOST = 400
"""More calls than any of these writes makes."""

Story = Callable[[FolderStore], Awaitable[Any]]


def put(version: int) -> list[Put]:
    """Return a change set of three files."""
    return [
        Put(
            resource=spec(
                f"s{number}",
                fields={"v": version},
                annotations={"heddle/file": f"f{number}.yaml"},
            )
        )
        for number in range(3)
    ]


def clear() -> list[Delete]:
    """Return the change set that removes all of it."""
    return [Delete(type=Spec, id=each.resource.id) for each in put(0)]


def with_store(path: Path, story: Story) -> Any:
    """Return what a story with an open store comes to."""

    async def tell() -> Any:
        store = FolderStore(path)
        await store.open()
        try:
            return await story(store)
        finally:
            await store.close()

    return asyncio.run(tell())


def fail_each_call(tmp_path: Path, story: Callable[..., Any], *, least: int) -> None:
    """Let the first call of a story fail, then the second, and so on, each in a folder of its own."""
    for number in range(MOST):
        path = tmp_path / str(number)
        path.mkdir()
        calls = with_store(path, partial(story, path=path, number=number))
        if len(calls) <= number:
            assert number > least
            return
    raise AssertionError("there is no end of calls")


async def versions(path: Path, store: FolderStore | None = None) -> set[Any]:
    """Return the versions in a folder that is sound."""
    return {getattr(each, "fields", {})["v"] for each in (await check_sound(path, store)).values()}


@pytest.mark.parametrize("last", [None, MOST])
@pytest.mark.parametrize("changes", [lambda: put(2), clear])
def test_each_call_of_an_apply_may_fail(
    tmp_path: Path, changes: Callable[[], list[Any]], last: int | None
) -> None:
    """All of the change set is made, or nothing; the next one is recorded as if nothing had been.

    Also if nothing works any more from then on, for a while.
    """

    async def story(store: FolderStore, path: Path, number: int) -> list[Any]:
        await store.apply(put(1), Note("ada", "first"))
        failed = False
        with failing(number, path, last=last) as calls:
            try:
                await store.apply(changes(), Note("ada", "second"))
            except HeddleError:
                failed = True
        there = await versions(path, store)
        done = {2} if len(changes()) and isinstance(changes()[0], Put) else set()
        assert there in ({1}, done), calls
        assert last is not None or (there == {1}) == failed, calls
        assert not leftovers(path), calls
        await store.apply(put(3), Note("ada", "third"))
        assert await versions(path, store) == {3}
        return calls

    fail_each_call(tmp_path, story, least=10)


@pytest.mark.parametrize("changes", [lambda: put(2), clear])
def test_process_may_end_between_any_two_calls_of_an_apply(
    tmp_path: Path, changes: Callable[[], list[Any]]
) -> None:
    """All of the change set is made, or nothing, and who made it is in the history."""

    async def begin(store: FolderStore) -> None:
        await store.apply(put(1), Note("ada", "first"))

    async def die(store: FolderStore) -> None:
        with failing(number, path, no_process):
            await store.apply(changes(), Note("bob", "second"))

    async def check(store: FolderStore) -> None:
        there = await versions(path, store)
        (newest, *_) = await store.history()
        done: set[int] = {2} if isinstance(changes()[0], Put) else set()
        assert (there, newest.message, newest.author) in (
            ({1}, "first", "ada"),
            (done, "second", "bob"),
        )
        assert not leftovers(path)
        await store.apply(put(3), Note("ada", "third"))
        assert await versions(path, store) == {3}

    for number in range(MOST):
        path = tmp_path / str(number)
        path.mkdir()
        with_store(path, begin)
        code = code_of(partial(with_store, path, die))
        with_store(path, check)
        if not code:
            assert number > 10
            return
    raise AssertionError("there is no end of calls")


@pytest.mark.parametrize("last", [None, MOST])
def test_edit_by_hand_is_recorded_once_whichever_call_fails(
    tmp_path: Path, last: int | None
) -> None:
    """A history that cannot be written for a moment loses nothing of what happened meanwhile."""

    async def story(store: FolderStore, path: Path, number: int) -> list[Any]:
        await store.apply(put(1), Note("ada", "first"))
        for each in range(3):
            file = path / f"f{each}.yaml"
            status = file.stat()
            file.write_text(file.read_text().replace("v: 1", "v: 2"))
            # Three Revisions, as each has a time of its own.
            when = status.st_mtime_ns + 1_000_000 * (each + 1)
            os.utime(file, ns=(when, when))
        with failing(number, path, last=last) as calls, suppress(HeddleError):
            await store.history()
        # Before another store is opened here, which would notice them itself.
        edits = [each for each in await store.history() if each.message == BY_HAND]
        assert [len(each.turns) for each in edits] == [1, 1, 1], calls
        assert await versions(path, store) == {2}
        await store.apply(put(3), Note("ada", "third"))
        assert await versions(path, store) == {3}
        return calls

    fail_each_call(tmp_path, story, least=5)


def test_a_link_that_appears_while_a_file_is_read_is_not_followed(
    tmp_path: Path,
) -> None:
    """What stands outside of the folder never counts, even if it is swapped back at once."""
    for number in range(MOST):
        path, other = tmp_path / str(number) / "specs", tmp_path / str(number) / "other"
        other.mkdir(parents=True)
        (path / "inner").mkdir(parents=True)
        for folder, text in ((path / "inner", "inside"), (other, "outside")):
            (folder / "a.yaml").write_text(f"{{kind: nop, name: {text}}}\n")

        def swap(path: Path = path, other: Path = other) -> None:
            (path / "inner").rename(path.parent / "away")
            (path / "inner").symlink_to(other)

        def back(path: Path = path) -> None:
            if (path / "inner").is_symlink():
                (path / "inner").unlink()
                (path.parent / "away").rename(path / "inner")

        async def story(store: FolderStore) -> set[str | None]:
            return {each.name for each in await store.specs()}

        with before_call(number, swap) as calls, before_call(number + 1, back):
            assert with_store(path, story) <= {"inside"}, calls
        if len(calls) <= number:
            assert number > 2
            return
    raise AssertionError("there is no end of calls")


def test_change_set_that_cannot_be_finished_is_a_problem_until_it_can(tmp_path: Path) -> None:
    """What is there is served all the same; nothing is written in between."""

    async def see(store: FolderStore) -> None:
        (problem,) = await store.problems()
        assert (problem.code, "cannot be finished" in problem.found) == ("unfinished", True)
        assert {each.name for each in await store.specs()} == {"s0", "s1", "s2"}
        with pytest.raises(StoreError, match="an earlier change set cannot be finished"):
            await store.apply(put(3))

    def fail(target: SpecTarget, part: str | None) -> None:
        raise PermissionError(EACCES, "permission denied", target.path)

    half_written(tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SpecTarget, "place", fail)
        with_store(tmp_path, see)
    assert asyncio.run(versions(tmp_path)) == {2}
    assert not leftovers(tmp_path)


def half_written(path: Path) -> None:
    """Leave a change set behind whose process ended after the first of three files."""

    async def begin(store: FolderStore) -> None:
        await store.apply(put(1), Note("ada", "first"))

    async def end(store: FolderStore) -> None:
        place = SpecTarget.place
        placed: list[str | None] = []

        def end_at_second(target: SpecTarget, part: str | None) -> None:
            placed.append(part)
            if len(placed) > 1:
                no_process()
            place(target, part)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(SpecTarget, "place", end_at_second)
            await store.apply(put(2), Note("bob", "second"))

    with_store(path, begin)
    assert code_of(partial(with_store, path, end)) == 9


def cannot_be_finished(path: Path) -> None:
    """Have a folder in the place of what is to become the second file."""
    half_written(path)
    (part,) = path.glob(".heddle-*-1.part")
    part.unlink()
    part.mkdir()


def cannot_be_locked(path: Path) -> None:
    """Have a folder in the place of the file of the lock."""
    half_written(path)
    (path / ".heddle" / "history.jsonl.lock").unlink()
    (path / ".heddle" / "history.jsonl.lock").mkdir()


hindrances = pytest.mark.parametrize("hinder", [cannot_be_finished, cannot_be_locked])


@hindrances
def test_unfinished_change_is_no_problem_once_its_log_is_removed(
    tmp_path: Path, hinder: Callable[[Path], None]
) -> None:
    """The hint says to remove the log: who does is believed, without a restart."""

    async def story(store: FolderStore) -> None:
        (problem,) = await store.problems()
        assert problem.code == "unfinished"
        log = tmp_path / ".heddle" / "writing.jsonl"
        assert str(log) in problem.hint
        log.unlink()
        assert await store.problems() == []

    hinder(tmp_path)
    with_store(tmp_path, story)


@hindrances
def test_watcher_hears_once_of_an_unfinished_change_and_of_its_end(
    tmp_path: Path, hinder: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is tried again, each pause longer than the one before, and said once."""
    monkeypatch.setattr(folder_store, "AGAIN", 0.01)
    tries: list[float] = []
    enough = asyncio.Event()
    attempt = FolderStore._finish

    async def noted(store: FolderStore, alone: bool) -> None:
        tries.append(asyncio.get_running_loop().time())
        if len(tries) == 8:
            enough.set()
        await attempt(store, alone)

    async def story(store: FolderStore) -> None:
        changes = store.watch()
        first = asyncio.ensure_future(anext(changes))
        tries.clear()
        monkeypatch.setattr(FolderStore, "_finish", noted)
        await asyncio.wait_for(enough.wait(), 30)
        pauses = [after - before for before, after in pairwise(tries)]
        assert pauses[-1] > 3 * pauses[0]
        assert not first.done()
        (tmp_path / ".heddle" / "writing.jsonl").unlink()
        told = await asyncio.wait_for(first, 30)
        assert (told.problems, told.specs) == ((), frozenset())
        assert await store.problems() == []

    hinder(tmp_path)
    with_store(tmp_path, story)
