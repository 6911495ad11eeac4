"""Real processes follow a store over its API: one of them ticks, and another one once that is killed."""

import json
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.cli.supervisor.test_leases import FLOW, due
from tests.cli.support import Started, started

SYSTEM = ("-n", "system", "--system", "127.0.0.1:0", "--log-format", "json")


def begin(stack: ExitStack, store: str, folder: Path) -> Started:
    """Return a `heddle start` of this store."""
    words = ("--store", store, "--log-format", "json")
    one = stack.enter_context(started(*words, cwd=folder, env={"HEDDLE_LEASE": "1"}))
    one.until("runtime started")
    return one


@pytest.mark.parametrize("beside", [False, True], ids=["two behind the API", "one at the store"])
def test_a_killed_holder_behind_an_api_is_followed_without_double_ticks(
    tmp_path: Path, beside: bool
) -> None:
    flows = tmp_path / "flows"
    flows.mkdir()
    (flows / "flow.yaml").write_text(FLOW)
    with ExitStack() as stack:
        api = stack.enter_context(started("--store", str(flows), *SYSTEM, cwd=tmp_path))
        url = api.until("listening")["data"]["url"]
        first = begin(stack, url, tmp_path)
        second = begin(stack, str(flows) if beside else url, tmp_path)
        for _ in range(2):
            first.until("ticked")
        (path,) = (flows / ".heddle" / "leases").glob("*.lock")
        assert json.loads(path.read_text())["holder"]["pid"] == first.process.pid
        first.process.kill()
        gone = time.monotonic()
        second.until("lease taken")
        # The lease, one look, and a busy machine.
        assert time.monotonic() - gone < 1 + 5
        for _ in range(2):
            second.until("ticked")
        assert json.loads(path.read_text())["holder"]["pid"] == second.process.pid
        first.process.wait()
        assert second.stop() == 0
        every = due(first) + due(second)
        assert len(every) == len(set(every))
        assert json.loads(path.read_text())["holder"] is None
