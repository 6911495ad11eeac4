"""A run-store gives its database settings, which count once its change is live, and are the same for all that name it."""

import socket
import time
from pathlib import Path

import pytest

from heddle.extensions.tasks.run_stores.durable_journal import DurableJournal
from heddle.extensions.tasks.run_stores.kit import commit, new_run
from heddle.extensions.tasks.run_stores.sqlite import SqliteRunStore
from heddle.extensions.tasks.status import RunStatus
from heddle.runtime.assembly.check import check_specs
from heddle.runtime.runtime import Runtime
from heddle.specs.binding.bind import ValueSet
from heddle.specs.model.spec import Spec
from tests.extensions.tasks.test_durable import node_of, story
from tests.runtime.changing import everything, read
from tests.support import change, stored

FLOW = """\
- {kind: run-store, name: main, url: 'URL', lease: 30s}
- kind: workflow
  name: plain
  durable: main
  inputs: {day: {type: string}}
  tasks:
    - {name: only, inputs: {day: in.day}, do: {kind: snippet, language: cel, code: self.day}}
"""


def problems(first: str, second: str) -> list[tuple[str, str]]:
    """Return what a check says of two run-stores with these fields."""
    text = f"- {{kind: run-store, name: a, {first}}}\n- {{kind: run-store, name: b, {second}}}\n"
    specs = [each for each in read(text) if isinstance(each, Spec)]
    return [
        (each.code, each.path) for each in check_specs(specs, ValueSet(), everything()).problems
    ]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("url: runs.sqlite, keep: 1d", "url: runs.sqlite"),
        ("url: runs.sqlite, keep: 1d", "url: ./x/../runs.sqlite, keep: 2d"),
        ("url: runs.sqlite, lease: 10s", "url: 'sqlite:runs.sqlite', lease: 20s"),
        ("url: 'memory://', losses: 1", "url: 'memory://', losses: 2"),
    ],
)
def test_two_run_stores_of_one_database_have_the_same_settings(first: str, second: str) -> None:
    assert problems(first, second) == [("in-use", "b.url")]
    assert problems(first, first) == []
    # Written otherwise, they are the same.
    assert problems("url: a.sqlite, keep: 1d", "url: ./a.sqlite, keep: 24h, lease: 30s") == []
    assert problems("url: a.sqlite, keep: 1d", "url: b.sqlite, keep: 2d") == []


async def old_run(path: Path) -> SqliteRunStore:
    """Return an open RunStore with a run that ended a minute ago."""
    store = SqliteRunStore(path)
    await store.open()
    run, _ = await store.begin(new_run(), time.time() - 61)
    journal = DurableJournal(store, run)
    journal.finish(RunStatus.COMPLETED, 1)
    await commit(journal)
    store._on_loop.execute("UPDATE runs SET ended = ended - 60")  # type: ignore[union-attr]
    return store


def test_a_rejected_change_leaves_the_settings_of_a_run_store(tmp_path: Path) -> None:
    """No run is removed by a change that never was live, and the old lease stays."""

    async def work() -> None:
        path = tmp_path / "runs.sqlite"
        other = await old_run(path)
        text = FLOW.replace("URL", str(path))
        with socket.create_server(("127.0.0.1", 0)) as taken:
            listener = (
                f"- {{kind: listener, name: web, host: 127.0.0.1, port: {taken.getsockname()[1]}, "
                "ports: {out: [{name: plain, port: in}]}}\n"
            )
            async with Runtime(store=stored(text)) as runtime:
                service = await node_of(runtime, "plain").durable.serve()
                await change(runtime, text.replace("lease: 30s", "lease: 9s, keep: 1s") + listener)
                assert "change rejected" in [each.event for each in runtime.events.recent]
                assert await runtime.send("plain", {"day": "monday"}) == "monday"
                assert (service.store.lease, service._keep, service._pruning) == (30.0, None, None)
                assert len(await other.find()) == 2
            # Neither is any by a start that cannot be.
            with pytest.raises(Exception, match=r"address|in use"):
                await start(text.replace("lease: 30s", "lease: 9s, keep: 1s") + listener)
        assert len(await other.find()) == 2
        await other.close()

    async def start(text: str) -> None:
        async with Runtime(store=stored(text)):
            raise AssertionError("it started")

    story(work())
