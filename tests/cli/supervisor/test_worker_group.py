"""A crew whose workers cannot begin says so, and ends when it is told to."""

import asyncio
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from heddle.cli.settings import Settings
from heddle.cli.supervisor.worker_group import WorkerGroup

pytestmark = pytest.mark.anyio


class Told:
    """What a crew has told."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str]] = []
        self.came = asyncio.Event()

    def __call__(self, event: str, *, reason: str = "", **_: Any) -> None:
        self.events.append((event, reason))
        self.came.set()


def crew(folder: Path, size: int, told: Told) -> WorkerGroup:
    (folder / "flow.yaml").write_text("- {kind: snippet, name: a, language: text, code: b}\n")
    settings = Settings(store=str(folder))
    return WorkerGroup(settings, size, report=told, write=lambda *_: None, text=True, color=False)


async def test_without_a_process_for_the_first_worker_it_does_not_begin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Told()
    monkeypatch.setattr(sys, "executable", str(tmp_path / "nowhere"))
    one = crew(tmp_path, 2, told)
    assert not await one.start()
    assert told.events == [("worker not begun", "No such file or directory")]
    await one.stop()


async def test_a_worker_is_tried_again_once_there_is_a_process_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Told()
    one = crew(tmp_path, 1, told)
    assert await one.start()
    real = sys.executable
    monkeypatch.setattr(sys, "executable", str(tmp_path / "nowhere"))
    one.signal(signal.SIGKILL)
    async with asyncio.timeout(20):
        while ("worker not begun", "No such file or directory") not in told.events:
            told.came.clear()
            await told.came.wait()
        monkeypatch.setattr(sys, "executable", real)
        await one._until_ready(0)
    assert one.state()["ok"]
    # Whatever pause it is in, it does not wait for its end.
    await asyncio.wait_for(one.stop(), 20)


async def test_it_stops_while_its_first_worker_still_begins(tmp_path: Path) -> None:
    told = Told()
    one = crew(tmp_path, 1, told)
    worker = await one._begin(0)
    await asyncio.wait_for(one.stop(), 20)
    assert worker.over.done()
