"""A TreeNotifier goes on looking, whatever fails on the way."""

import asyncio
from pathlib import Path

import pytest

from heddle.specs.files import tree_scan
from heddle.specs.files.debounce import PathDebounce
from heddle.specs.files.notices import EVERYTHING
from heddle.specs.files.tree_scan import Tree, TreeNotifier
from tests.waiting import until

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("polling", [True, False])
@pytest.mark.parametrize("error", [OSError("away"), ValueError("a defect"), MemoryError()])
async def test_a_failed_look_is_reported_unless_it_passes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, polling: bool, error: Exception
) -> None:
    monkeypatch.setattr(tree_scan, "POLL", 0.01)
    monkeypatch.setattr(tree_scan, "REST", 0.01)
    scan, failed = tree_scan.scan, asyncio.Event()
    loop = asyncio.get_running_loop()
    paths: set[str] = set()

    def fail(root: str) -> Tree:
        loop.call_soon_threadsafe(failed.set)
        raise error

    settling = PathDebounce(paths.update)
    notifier = TreeNotifier(str(tmp_path), settling, polling=polling)
    notifier.open()
    try:
        monkeypatch.setattr(tree_scan, "scan", fail)
        await failed.wait()
        monkeypatch.setattr(tree_scan, "scan", scan)
        if not isinstance(error, OSError):
            await until(lambda: EVERYTHING in paths)
        (tmp_path / "a.yaml").write_text("{kind: nop, name: a}")
        await until(lambda: paths & {EVERYTHING, str(tmp_path / "a.yaml")} - {EVERYTHING})
    finally:
        notifier.close()
        settling.close()
