"""Runtimes say how they are in files; those that are gone say nothing, and leave nothing behind."""

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable
from pathlib import Path
from typing import TypeVar

import msgspec
import pytest

from heddle.schemas.errors import StoreError
from heddle.specs.model.names import new_id
from heddle.specs.model.report import Report
from heddle.specs.model.symbol_status import SymbolStatus
from heddle.specs.stores.folder.report_files import Noticeboard
from heddle.specs.stores.folder.store import FolderStore

T = TypeVar("T")


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


def report(runtime: str, *, pid: int, host: str = "", seen: float | None = None) -> Report:
    return Report(
        runtime=runtime,
        namespace="default",
        host=host or socket.gethostname(),
        pid=pid,
        seen=time.time() if seen is None else seen,
    )


def test_a_process_of_this_host_that_is_gone_is_cleared_away(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "pass"]) as gone:
        gone.wait()
    board = Noticeboard(str(tmp_path / "runtimes"))
    board.put(report("gone", pid=gone.pid))
    board.put(report("here", pid=os.getpid()))
    board.put(report("elsewhere", pid=gone.pid, host="another.example"))
    assert [each.runtime for each in board.all()] == ["elsewhere", "here"]
    assert names(Path(board.folder)) == ["elsewhere.json", "here.json"]


def test_what_is_late_or_broken_is_not_told(tmp_path: Path) -> None:
    board = Noticeboard(str(tmp_path))
    board.put(report("late", pid=os.getpid(), seen=time.time() - 1000))
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "other.txt").write_text("")
    assert list(board.all()) == []
    assert names(tmp_path) == ["broken.json", "other.txt"]


@pytest.mark.parametrize("name", ["../up", "a/b", "..", "ä b", "x.json"])
def test_any_name_of_a_runtime_is_a_file_of_the_folder(tmp_path: Path, name: str) -> None:
    board = Noticeboard(str(tmp_path / "runtimes"))
    board.put(report(name, pid=os.getpid()))
    assert [each.runtime for each in board.all()] == [name]
    assert [each.parent.name for each in tmp_path.rglob("*.json")] == ["runtimes"]
    board.drop(name)
    assert list(board.all()) == []


def test_a_report_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "runtimes").write_text("")
    with pytest.raises(StoreError, match=r"runtimes.*cannot be written"):
        Noticeboard(str(tmp_path / "runtimes")).put(report("r", pid=1))


def test_a_report_is_whole_at_every_moment(tmp_path: Path) -> None:
    board = Noticeboard(str(tmp_path))
    one = report("r", pid=os.getpid())
    board.put(one)
    board.put(msgspec.structs.replace(one, observed=5))
    assert [each.observed for each in board.all()] == [5]
    assert names(tmp_path) == ["r.json"]


def test_a_report_of_many_symbols_holds_the_loop_only_for_moments(tmp_path: Path) -> None:
    """Others have many turns while it is written, read and dropped."""
    many = tuple(
        SymbolStatus(id=new_id(), name=f"s{number}", state="rejected", reasons=("it is wrong",) * 9)
        for number in range(10_000)
    )

    async def story() -> None:
        turns = 0

        async def turn() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        async def in_turns(work: Awaitable[T]) -> T:
            before = turns
            result = await work
            assert turns > before + 10
            return result

        turning = asyncio.ensure_future(turn())
        store = FolderStore(tmp_path)
        await store.open()
        full = msgspec.structs.replace(report("ada", pid=os.getpid()), symbols=many)
        await in_turns(store.report(full))
        assert await in_turns(store.reports()) == [full]
        await store.withdraw("ada")
        assert await store.reports() == []
        await store.close()
        turning.cancel()

    asyncio.run(story())
