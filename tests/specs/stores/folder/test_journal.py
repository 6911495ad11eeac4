"""What is applied to a folder is recorded, and so is what was edited by hand; nothing of it hinders."""

import asyncio
import json
import multiprocessing
import os
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from heddle.schemas.errors import NotFoundError, StoreError
from heddle.specs.model.mask import MASK
from heddle.specs.model.record import recorded
from heddle.specs.model.revision import Note, Revision, RevisionChange, since
from heddle.specs.model.spec import Spec
from heddle.specs.model.store import Delete, Put
from heddle.specs.model.value import Value
from heddle.specs.stores.contract_story import AWKWARD, Watch, spec, value
from heddle.specs.stores.folder.journal import Journal
from heddle.specs.stores.folder.recorder import Recorder
from heddle.specs.stores.folder.store import FolderStore

Story = Callable[[FolderStore], Awaitable[Any]]


def told(path: Path, story: Story) -> Any:
    """Return what a story with an open store comes to."""

    async def tell() -> Any:
        store = FolderStore(path)
        await store.open()
        try:
            return await story(store)
        finally:
            await store.close()

    return asyncio.run(tell())


def apply(path: Path, *changes: Put | Delete, message: str = "") -> None:
    told(path, lambda store: store.apply(changes, Note("ada", message)))


def history(path: Path) -> list[Revision]:
    found: list[Revision] = told(path, lambda store: store.history())
    return found


def summary(path: Path) -> list[tuple[str, list[tuple[Any, Any]]]]:
    """Message and the fields `v` before and after of each Revision, the oldest first."""

    def field(one: Spec | Value | None) -> Any:
        return one.fields.get("v") if isinstance(one, Spec) else one and one.data

    return [
        (each.message, [(field(turn.before), field(turn.after)) for turn in each.turns])
        for each in reversed(history(path))
    ]


def save(path: Path, text: str, when: int | None = None) -> None:
    path.write_text(text)
    if when is not None:
        os.utime(path, ns=(when, when))


# --- edits by hand ---


def test_what_was_edited_by_hand_is_recorded_with_the_next_apply(tmp_path: Path) -> None:
    save(tmp_path / "a.yaml", "{kind: nop, name: a, v: 1}")
    apply(tmp_path, Put(resource=spec("b", fields={"v": 1})), message="first")
    save(tmp_path / "a.yaml", "{kind: nop, name: a, v: 2}")
    apply(tmp_path, Put(resource=spec("b", fields={"v": 2})), message="second")
    assert summary(tmp_path) == [
        ("first", [(None, 1)]),
        ("edited by hand", [(1, 2)]),
        ("second", [(1, 2)]),
    ]
    by_hand = history(tmp_path)[1]
    assert by_hand.author == ""
    assert by_hand.number == (tmp_path / "a.yaml").stat().st_mtime_ns // 1000
    assert by_hand.time == pytest.approx((tmp_path / "a.yaml").stat().st_mtime, abs=0.001)


def test_what_was_edited_by_hand_is_noticed_when_history_is_asked_for(tmp_path: Path) -> None:
    save(tmp_path / "a.yaml", "{kind: nop, name: a, v: 1}")
    apply(tmp_path, Put(resource=spec("b", fields={"v": 1})), message="first")
    save(tmp_path / "a.yaml", "{kind: nop, name: a, v: 2}")
    assert len(summary(tmp_path)) == 2
    save(tmp_path / "a.yaml", "{kind: nop, name: a, v: true}")
    (tmp_path / "default.yaml").unlink()
    assert summary(tmp_path) == [
        ("first", [(None, 1)]),
        ("edited by hand", [(1, 2)]),
        ("edited by hand", [(2, True), (1, None)]),
    ]
    (tmp_path / "a.yaml").unlink()
    assert summary(tmp_path)[3:] == [("edited by hand", [(True, None)])]
    numbers = [each.number for each in reversed(history(tmp_path))]
    assert numbers == sorted(set(numbers))


def test_edits_while_the_store_is_watched_are_noticed_too(tmp_path: Path) -> None:
    async def story(store: FolderStore) -> None:
        watch = await Watch.begin(store)
        await store.apply([Put(resource=spec("a", fields={"v": 1}))], Note("ada", "first"))
        await watch.next()
        save(tmp_path / "default.yaml", "{kind: nop, name: a, v: 2}")
        await watch.next()
        (found,) = await store.specs()
        last, _ = await store.history()
        assert (last.message, last.number) == ("edited by hand", found.revision)
        assert await store.newest() == last.number
        await watch.stop()

    told(tmp_path, story)


def test_a_resource_has_the_number_of_the_revision_that_changed_it_last(tmp_path: Path) -> None:
    apply(tmp_path, Put(resource=spec("a")), Put(resource=spec("b", namespace="web")))
    save(tmp_path / "default.yaml", "{kind: nop, name: a, v: 2}")
    save(tmp_path / "web.yaml", "{kind: nop, name: b, namespace: web, v: 2}")

    async def story(store: FolderStore) -> None:
        numbers = {each.number for each in await store.history(limit=2)}
        assert numbers == {each.revision for each in await store.specs()}

    told(tmp_path, story)


def test_a_file_that_cannot_be_read_is_no_deletion(tmp_path: Path) -> None:
    apply(tmp_path, Put(resource=spec("a", fields={"v": 1})), message="first")
    save(tmp_path / "default.yaml", "{kind: nop, name: a, v: 2")
    assert len(history(tmp_path)) == 1
    save(tmp_path / "default.yaml", "{kind: nop, name: a, v: 2}")
    assert summary(tmp_path)[1:] == [("edited by hand", [(1, 2)])]


def test_a_folder_without_a_history_has_only_the_revision_of_its_files(tmp_path: Path) -> None:
    save(tmp_path / "default.yaml", "{kind: nop, name: a}")

    async def story(store: FolderStore) -> None:
        newest = await store.newest()
        assert (await store.revision(newest)).turns == ()
        for number in (1, 99, newest - 1, newest + 1):
            with pytest.raises(NotFoundError):
                await store.revision(number)

    told(tmp_path, story)


def test_comments_and_moves_are_no_revision(tmp_path: Path) -> None:
    apply(tmp_path, Put(resource=spec("a", fields={"v": 1})), message="first")
    path = tmp_path / "default.yaml"
    save(path, f"# mine\n{path.read_text()}")
    path.rename(tmp_path / "other.yaml")
    assert len(history(tmp_path)) == 1

    async def story(store: FolderStore) -> None:
        # What `heddle get` shows as its revision can be asked for all the same.
        assert (await store.revision(await store.newest())).turns == ()
        with pytest.raises(NotFoundError):
            await store.revision(await store.newest() + 1)

    told(tmp_path, story)


def test_times_in_the_future_do_not_stop_the_numbers(tmp_path: Path) -> None:
    future = 4_000_000_000_000_000_000
    save(tmp_path / "a.yaml", "{kind: nop, name: a, v: 1}", future)

    async def story(store: FolderStore) -> None:
        await store.apply([Put(resource=spec("b"))])
        await store.apply([Delete(type=Spec, id=spec("b").id)])
        last, first = await store.history()
        assert future // 1000 < first.number < last.number == await store.newest()

    told(tmp_path, story)
    # Who only sees the files comes to the same.
    assert told(tmp_path, lambda store: store.newest()) >= future // 1000


# --- what is recorded ---


def test_awkward_data_is_recorded_as_it_is(tmp_path: Path) -> None:
    odd = {**AWKWARD, "bytes": b"\0\xff", "deep": [{"x": b"1"}], "inf": float("inf"), "big": 2**80}
    one, two = spec("a", fields=odd), value("v", odd)
    apply(tmp_path, Put(resource=one), Put(resource=two))
    (revision,) = history(tmp_path)
    assert [turn.after for turn in revision.turns] == [one, two]
    assert len(history(tmp_path)) == 1


def test_a_secret_in_clear_is_not_written_down(tmp_path: Path) -> None:
    secret = value("db", {"url": "db/app", "password": "hunter2"}, secret=True)
    apply(tmp_path, Put(resource=secret), message="first")
    apply(tmp_path, Put(resource=value("db", {"url": "x", "password": "hunter3"}, secret=True)))
    apply(tmp_path, Delete(type=Value, id=secret.id))
    hidden = b"".join(
        each.read_bytes() for each in (tmp_path / ".heddle").rglob("*") if each.is_file()
    )
    assert b"hunter" not in hidden
    gone, changed, first = history(tmp_path)
    assert first.turns[0].after == recorded(secret)
    assert [turn.resource.name for turn in changed.turns] == ["db"]
    assert gone.turns[0].before == value("db", {"url": MASK, "password": MASK}, secret=True)


def test_rolling_back_leaves_a_secret_in_clear_as_it_is(tmp_path: Path) -> None:
    apply(tmp_path, Put(resource=value("db", "hunter2", secret=True)))
    first = history(tmp_path)[0].number
    apply(tmp_path, Put(resource=value("db", "hunter3", secret=True)))
    assert told(tmp_path, lambda store: since(store, first)) == []


def test_a_sealed_secret_is_recorded_as_it_is_sealed(tmp_path: Path) -> None:
    from heddle.specs.secrets.keyring import Keyring
    from heddle.specs.secrets.seal import new_key

    sealed = Keyring.of(new_key()).seal(value("db", "hunter2", secret=True))
    apply(tmp_path, Put(resource=sealed))
    assert history(tmp_path)[0].turns[0].after == sealed


# --- it never hinders ---


def journal(path: Path) -> Path:
    return path / ".heddle" / "history.jsonl"


def test_nothing_is_made_or_read_before_something_is_applied(tmp_path: Path) -> None:
    save(tmp_path / "a.yaml", "{kind: nop, name: a}")
    assert history(tmp_path) == []
    told(tmp_path, lambda store: store.specs())
    assert [each.name for each in tmp_path.iterdir()] == ["a.yaml"]
    apply(tmp_path, Put(resource=spec("b")))
    assert (tmp_path / ".heddle" / ".gitignore").read_text() == "*\n"
    journal(tmp_path).write_text("[broken\n")
    assert told(tmp_path, lambda store: store.problems()) == []


def test_a_broken_line_is_told_and_left_out(tmp_path: Path) -> None:
    for number in range(1, 4):
        apply(tmp_path, Put(resource=spec("a", fields={"v": number})), message=str(number))
    lines = journal(tmp_path).read_text().splitlines()
    lines[2] = lines[2][:40]
    lines.insert(3, '{"number":1,"turns":[{"before":null,"after":{"spec":{"kind":5}}}]}')
    journal(tmp_path).write_text("\n".join(lines))

    async def story(store: FolderStore) -> None:
        assert [each.message for each in await store.history()] == ["3", "1"]
        places = [(each.place.file, each.place.line) for each in await store.problems()]
        assert places == [(str(journal(tmp_path)), 3), (str(journal(tmp_path)), 4)]

    told(tmp_path, story)
    apply(tmp_path, Put(resource=spec("a", fields={"v": 4})), message="4")
    assert [each[0] for each in summary(tmp_path)] == ["1", "3", "4"]


def test_the_journal_may_be_deleted(tmp_path: Path) -> None:
    async def story(store: FolderStore) -> None:
        await store.apply([Put(resource=spec("a", fields={"v": 1}))])
        journal(tmp_path).unlink()
        assert list(await store.history()) == []
        await store.apply([Put(resource=spec("a", fields={"v": 2}))], Note("", "again"))
        assert [each.message for each in await store.history()] == ["again"]

    told(tmp_path, story)


def test_a_line_that_was_never_finished_does_not_spoil_the_next(tmp_path: Path) -> None:
    apply(tmp_path, Put(resource=spec("a", fields={"v": 1})), message="1")
    with journal(tmp_path).open("a") as file:
        file.write('{"number":17,"ti')
    apply(tmp_path, Put(resource=spec("a", fields={"v": 2})), message="2")
    assert [each[0] for each in summary(tmp_path)] == ["1", "2"]


def test_where_nothing_can_be_recorded_it_is_applied_all_the_same(tmp_path: Path) -> None:
    (tmp_path / ".heddle").write_text("no folder")

    async def story(store: FolderStore) -> None:
        await store.apply([Put(resource=spec("a", fields={"v": 1}))])
        assert list(await store.history()) == []
        assert [each.name for each in await store.specs()] == ["a"]

    told(tmp_path, story)


def test_what_could_not_be_recorded_is_noticed_later(tmp_path: Path) -> None:
    apply(tmp_path, Put(resource=spec("a", fields={"v": 1})), message="1")
    kept = journal(tmp_path).read_bytes()
    apply(tmp_path, Put(resource=spec("a", fields={"v": 2})), message="2")
    journal(tmp_path).write_bytes(kept)
    assert summary(tmp_path) == [("1", [(None, 1)]), ("edited by hand", [(1, 2)])]


def test_it_stays_below_its_size_and_forgets_the_oldest(tmp_path: Path) -> None:
    path = tmp_path / ".heddle" / "history.jsonl"
    path.parent.mkdir()
    kept = Journal(str(path), limit=4000)
    kept.begin([spec("base", fields={"v": 0})])
    for number in range(1, 200):
        one = spec(f"n{number % 3}", fields={"v": number})
        before = kept.state().get((Spec, one.id))
        kept.append(
            Revision(number=number, time=0.0, turns=(RevisionChange(before=before, after=one),))
        )
        assert path.stat().st_size < 6000
    found = kept.history(limit=1000)
    assert 3 < len(found) < 20
    assert [each.number for each in found] == list(range(199, 199 - len(found), -1))
    again = Journal(str(path))
    assert dict(again.state()) == dict(kept.state())
    assert {each.name for each in again.state().values()} == {"base", "n0", "n1", "n2"}
    assert again.newest == 199


def test_a_huge_revision_is_kept_however_small_the_limit(tmp_path: Path) -> None:
    kept = Journal(str(tmp_path / "history.jsonl"), limit=100)
    kept.begin([])
    turns = tuple(RevisionChange(after=spec(f"n{number}")) for number in range(50))
    kept.append(Revision(number=1, time=0.0, turns=turns))
    kept.append(Revision(number=2, time=0.0, turns=turns))
    assert [each.number for each in kept.history()] == [2]


# --- several writers ---


def _write(path: str, name: str, count: int) -> None:
    async def story() -> None:
        store = FolderStore(path)
        await store.open()
        for number in range(count):
            await store.apply(
                [Put(resource=spec(name, fields={"v": number}))], Note(name, str(number))
            )
        await store.close()

    asyncio.run(story())


def test_two_processes_and_every_change_is_recorded_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write, args=(str(tmp_path), name, 10)) for name in "ab"]
    for each in writers:
        each.start()
    for each in writers:
        each.join()
    assert [each.exitcode for each in writers] == [0, 0]
    found = told(tmp_path, lambda store: store.history(limit=1000))
    by_author = {
        name: [each.message for each in reversed(found) if each.author == name] for name in "ab"
    }
    assert by_author == {name: [str(number) for number in range(10)] for name in "ab"}
    assert len(found) == 20
    assert all(len(each.turns) == 1 for each in found)


def test_two_tasks_of_one_process_do_not_wait_for_ever(tmp_path: Path) -> None:
    async def story(store: FolderStore) -> None:
        other = FolderStore(tmp_path)
        await other.open()
        puts = [Put(resource=spec(f"n{number}")) for number in range(10)]
        stores = [store, other]
        await asyncio.gather(*(stores[n % 2].apply([put]) for n, put in enumerate(puts)))
        assert len(await store.specs()) == len(await other.history()) == 10
        await other.close()

    told(tmp_path, story)


def test_files_of_one_folder_have_histories_of_their_own(tmp_path: Path) -> None:
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).touch()
        apply(tmp_path / name, Put(resource=spec(name[0])), message=name)
    assert [each.message for each in history(tmp_path / "a.yaml")] == ["a.yaml"]
    assert (tmp_path / ".heddle" / "b.yaml.history.jsonl").exists()
    assert history(tmp_path) == []


def test_the_lines_can_be_read_by_other_programs(tmp_path: Path) -> None:
    apply(tmp_path, Put(resource=spec("a", fields={"v": 1})), message="first")
    base, line = map(json.loads, journal(tmp_path).read_text().splitlines())
    assert base == {"base": []}
    assert (line["author"], line["message"]) == ("ada", "first")
    (turn,) = line["turns"]
    assert turn["before"] is None
    assert turn["after"]["spec"]["v"] == 1


def test_a_closed_store_has_no_history(tmp_path: Path) -> None:
    async def story(store: FolderStore) -> None:
        await store.close()
        with pytest.raises(StoreError):
            await store.history()

    told(tmp_path, story)


@pytest.mark.parametrize("large", [True, False])
def test_large_history_is_read_in_a_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, large: bool
) -> None:
    """The event loop would stand still meanwhile: a runtime asks of itself whether it missed anything."""
    threads: list[int] = []
    reading = Journal.history

    def read(journal: Journal, *args: Any, **options: Any) -> Any:
        threads.append(threading.get_ident())
        return reading(journal, *args, **options)

    monkeypatch.setattr(Journal, "history", read)
    many = [
        Put(resource=spec(f"s{number}", fields={"v": "x" * 100}))
        for number in range(1000 if large else 1)
    ]

    async def tell(store: FolderStore) -> tuple[int, int]:
        await store.apply([Put(resource=spec("first"))])
        await store.apply(many)
        return len(await store.history()), threading.get_ident()

    (tmp_path / "specs").mkdir()
    count, loop = told(tmp_path / "specs", tell)
    assert count == 2
    assert [thread != loop for thread in threads] == [large]


def test_edits_by_hand_of_many_files_are_recorded_in_a_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[int] = []
    beginning = Recorder.begin

    def begin(recorder: Recorder) -> bool:
        threads.append(threading.get_ident())
        return beginning(recorder)

    monkeypatch.setattr(Recorder, "begin", begin)

    async def tell(store: FolderStore) -> tuple[int, int]:
        await store.apply([Put(resource=spec("first"))])
        threads.clear()
        text = "".join(f"- {{kind: nop, name: n{number}}}\n" for number in range(100))
        (tmp_path / "specs" / "more.yaml").write_text(text)
        return len((await store.history())[0].turns), threading.get_ident()

    (tmp_path / "specs").mkdir()
    count, loop = told(tmp_path / "specs", tell)
    assert count == 100
    assert threads
    assert loop not in threads
