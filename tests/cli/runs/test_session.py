"""A RunSession shows its run until it ends, however that is."""

import asyncio
from pathlib import Path
from uuid import UUID

import pytest

from heddle.cli.extensions import installed
from heddle.cli.runs.places import address_for
from heddle.cli.runs.session import RunSession
from heddle.cli.runs.target import find_target
from heddle.cli.settings import Settings
from heddle.extensions.tasks.run_stores.runs import Runs, open_runs
from heddle.extensions.tasks.status import Transition
from tests.extensions.tasks import durable_tasks
from tests.waiting import until

HELD = """\
- kind: workflow
  name: held
  tasks:
    - {name: wait, run: 'tests.extensions.tasks.durable_tasks:wait', inputs: {name: {value: a}}}
"""


class Watcher:
    """Counts what is shown."""

    def __init__(self) -> None:
        self.open = False
        self.waited = False

    def begin(self, run: UUID, address: str, tasks: tuple[str, ...], done: frozenset[str]) -> None:
        """Begin to draw."""
        self.open = True

    def take(self, transition: Transition) -> None:
        """Draw nothing."""

    def wait(self, owner: str, seconds: float) -> None:
        """Begin to draw who has the run."""
        self.open = self.waited = True

    def end(self) -> None:
        """Draw nothing more."""
        self.open = False


@pytest.mark.parametrize("fails", [False, True])
def test_nothing_is_drawn_after_it_has_waited_for_another_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: bool
) -> None:
    """The other worker ends the run, or the RunStore fails meanwhile."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home"))
    (tmp_path / "held.yaml").write_text(HELD)
    durable_tasks.done.clear()
    durable_tasks.gates.clear()

    async def session(watcher: Watcher) -> RunSession:
        settings = Settings()
        registry = installed(settings)
        target = await find_target("held.yaml", settings, registry)
        address = address_for(target, settings, None)
        return RunSession(target, settings, registry, address=address, watcher=watcher)

    async def work() -> None:
        begun = asyncio.ensure_future((await session(Watcher())).begin({}, creator="ada"))
        await until(lambda: "a" in durable_tasks.gates)
        async with open_runs(str(tmp_path / ".heddle" / "runs.sqlite")) as runs:
            [run] = await runs.list()
        watcher = Watcher()
        waiting = asyncio.ensure_future((await session(watcher)).resume(run.id))
        await until(lambda: watcher.waited)
        if fails:

            async def fail(_runs: Runs, _run: UUID) -> None:
                raise OSError("the disk is gone")

            monkeypatch.setattr(Runs, "holder", fail)
            with pytest.raises(OSError, match="the disk is gone"):
                await waiting
            monkeypatch.undo()
        durable_tasks.gates["a"].set()
        assert (await begun).code == 0
        if not fails:
            assert (await waiting).code == 0
        assert not watcher.open

    asyncio.run(work())
