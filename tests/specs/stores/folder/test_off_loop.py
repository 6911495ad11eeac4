"""What a folder store does in threads is done to its end, one after the other, and is published."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from heddle.schemas import pieces
from heddle.specs.model.accepted import AcceptedResource
from heddle.specs.model.names import named_id
from heddle.specs.model.store import ChangeSet, Put
from heddle.specs.stores.contract_story import Watch, spec
from heddle.specs.stores.folder.accepted_file import AcceptedFile
from heddle.specs.stores.folder.off_loop import Aside
from heddle.specs.stores.folder.spec_files import SpecFiles
from heddle.specs.stores.folder.store import FolderStore
from tests.waiting import PATIENCE, until

pytestmark = pytest.mark.anyio

MANY = 40
"""More changes than are made on the event loop."""


class Gate:
    """Stops threads at one place of a method until it is opened."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, owner: type, name: str) -> None:
        self.reached = threading.Event()
        self._opened = threading.Event()
        self._loop = threading.get_ident()
        work: Callable[..., Any] = getattr(owner, name)

        def stop(*args: Any, **options: Any) -> Any:
            done = work(*args, **options)
            if threading.get_ident() != self._loop:
                self.reached.set()
                assert self._opened.wait(PATIENCE)
            return done

        monkeypatch.setattr(owner, name, stop)

    def open(self) -> None:
        self._opened.set()


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[FolderStore]:
    """Provide an open store."""
    store = FolderStore(path)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


async def cancel_at(gate: Gate, task: "asyncio.Task[Any]") -> None:
    """Cancel a task whose thread stands at the gate, more than once, and let the thread go on."""
    await until(gate.reached.is_set)
    for _ in range(3):
        task.cancel()
        await asyncio.sleep(0)
    assert not task.done()
    gate.open()
    with suppress(asyncio.CancelledError):
        await task
    assert task.cancelled()


def write_many(path: Path, version: int) -> None:
    """Write more files than are read on the event loop."""
    for number in range(MANY):
        (path / f"f{number}.yaml").write_text(f"{{kind: nop, name: s{number}, v: {version}}}\n")


IDS = frozenset(named_id("spec", "default", f"s{number}") for number in range(MANY))


async def test_change_set_of_a_cancelled_apply_is_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The files are written by then: who watches has to hear of it."""
    gate = Gate(monkeypatch, SpecFiles, "refresh")
    async with opened(tmp_path) as store:
        watch = await Watch.begin(store)
        puts = [Put(resource=spec(f"s{number}")) for number in range(MANY)]
        await cancel_at(gate, asyncio.ensure_future(store.apply(puts)))
        await watch.until(IDS)
        await watch.stop()


async def test_change_set_of_a_cancelled_look_is_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_many(tmp_path, 1)
    text = "".join(f"- {{data: 1, name: v{number}}}\n" for number in range(MANY))
    (tmp_path / "default.yaml").write_text(text)
    async with opened(tmp_path) as store:
        watch = await Watch.begin(store)
        monkeypatch.setattr(SpecFiles, "long", lambda *_: True)
        gate = Gate(monkeypatch, SpecFiles, "refresh")
        (tmp_path / "default.yaml").write_text(text.replace("data: 1", "data: 2"))
        await cancel_at(gate, asyncio.ensure_future(store.look("default")))
        values = {named_id("value", "default", f"v{number}") for number in range(MANY)}
        await watch.until(values)
        await watch.stop()


async def test_turn_lasts_until_the_thread_ends_however_often_it_is_cancelled() -> None:
    begun, end = threading.Event(), threading.Event()
    order: list[str] = []

    def work() -> None:
        begun.set()
        end.wait(PATIENCE)
        order.append("first")

    aside = Aside(lambda: order.append("published"))
    first = asyncio.ensure_future(aside.do(work, long=True))
    await until(begun.is_set)
    second = asyncio.ensure_future(aside.do(lambda: order.append("second"), long=False))
    for _ in range(3):
        first.cancel()
        await asyncio.sleep(0)
    assert not aside.free
    end.set()
    await second
    assert first.cancelled()
    assert order == ["first", "published", "second", "published"]


async def test_index_is_not_changed_while_mentions_are_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thread that reads files fits its findings into the same index."""
    monkeypatch.setattr(pieces, "SLICE", 1e-6)
    for number in range(MANY):
        (tmp_path / f"f{number}.yaml").write_text(
            f"{{kind: nop, name: s{number}, ports: {{out: [{{name: end, port: in}}]}}}}\n"
        )
    async with opened(tmp_path) as store:
        watch = await Watch.begin(store)
        order: list[str] = []
        refresh = SpecFiles.refresh

        def read(files: SpecFiles, names: Iterable[str] | None, **options: Any) -> ChangeSet | None:
            order.append("read")
            return refresh(files, names, **options)

        monkeypatch.setattr(SpecFiles, "refresh", read)

        async def look() -> int:
            specs = await store.mentioning("default", ["end"])
            order.append("looked")
            return len(specs)

        looking = asyncio.ensure_future(look())
        for _ in range(3):
            await asyncio.sleep(0)
        assert not looking.done()
        await store.apply([Put(resource=spec(f"t{number}")) for number in range(MANY)])
        assert await looking == MANY
        assert order[0] == "looked"
        await watch.stop()


async def test_watch_that_begins_while_a_thread_reads_waits_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_many(tmp_path, 1)
    async with opened(tmp_path) as store:
        monkeypatch.setattr(SpecFiles, "many", True)
        gate = Gate(monkeypatch, SpecFiles, "refresh")
        write_many(tmp_path, 2)
        reading = asyncio.ensure_future(store.specs())
        await until(gate.reached.is_set)
        watch = await Watch.begin(store)
        (tmp_path / "f0.yaml").write_text("{kind: nop, name: s0, v: 3}\n")
        gate.open()
        await reading
        await watch.until(IDS)
        (changed,) = await store.named("default", ["s0"])
        await until(lambda: field_of(store, "s0", 3))
        assert changed.name == "s0"
        await watch.stop()


async def field_of(store: FolderStore, name: str, number: int) -> bool:
    """Return whether the field `v` of a Spec has this number."""
    return any(
        getattr(each, "fields", {}).get("v") == number
        for each in await store.named("default", [name])
    )


async def test_lock_of_a_cancelled_acceptance_lasts_until_its_file_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(monkeypatch, AcceptedFile, "write")
    async with opened(tmp_path) as store:
        await store.apply([Put(resource=spec("a"))])
        (resource,) = await store.specs()
        record = AcceptedResource.of(resource, active=True)
        await cancel_at(gate, asyncio.ensure_future(store.accept("default", [record])))
        assert (await store.accepted("default")).items == (record,)


@pytest.mark.parametrize("many", [False, True])
async def test_a_look_that_fails_is_a_problem_and_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, many: bool
) -> None:
    """Whether it is made on the event loop or in a thread: what was read by then is not lost."""
    write_many(tmp_path, 1)
    saving = SpecFiles.saving
    failing = True

    def fail(files: SpecFiles, name: str) -> bool:
        # The last but one of the files in the order of names: others were read by then.
        if failing and name == "f8.yaml":
            raise ValueError("a defect")
        return saving(files, name)

    async with opened(tmp_path) as store:
        watch = await Watch.begin(store)
        if many:
            monkeypatch.setattr(SpecFiles, "long", lambda *_: True)
        monkeypatch.setattr(SpecFiles, "saving", fail)
        for number in (0, 8):
            (tmp_path / f"f{number}.yaml").write_text(f"{{kind: nop, name: s{number}, v: 2}}\n")
        changes = await watch.next()
        (problem,) = changes.problems
        assert "a defect" in problem.found
        assert problem in await store.problems()
        failing = False
        await watch.until(named_id("spec", "default", f"s{number}") for number in (0, 8))
        await until(lambda: field_of(store, "s0", 2))
        await until(lambda: no_problems(store))
        await watch.stop()


async def no_problems(store: FolderStore) -> bool:
    """Return whether a store has no Problems."""
    return not await store.problems()
