"""The row of stalls waits for what is really live, and a change that fails has no figure."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks import namespace, probe
from benchmarks.probe import Probed, beside
from benchmarks.rows import stalls
from benchmarks.server import Heddle, fetched, free_port, heddle

MANY = 150


def live(subject: Heddle, api: int) -> int:
    """Return how many symbols of the namespace are active."""
    answer = fetched(api, "/v1/namespaces/default/status")
    assert answer is not None
    status: dict[str, Any] = json.loads(answer[1])
    return sum(symbol["state"] == "active" for symbol in status["symbols"])


@pytest.fixture
def store(tmp_path: Path) -> Path:
    folder = tmp_path / "store"
    folder.mkdir()
    namespace.write(folder, namespace.PER_FILE)
    return folder


@pytest.mark.parametrize("what", ["saved", "moved", "applied"])
def test_change_is_over_once_all_of_it_is_live_and_removed(store: Path, what: str) -> None:
    api = free_port()
    with heddle(store, "--system", f"127.0.0.1:{api}") as subject:
        works: dict[str, Callable[[], None]] = {
            "saved": stalls._saving(subject, store, MANY),
            "moved": stalls._filing(subject, store, MANY),
            "applied": stalls._applying(subject, api, store, MANY),
        }
        before = live(subject, api)
        for _ in range(2):
            works[what]()
            assert live(subject, api) == before
            assert [path.name for path in store.glob("[!.]*")] == ["flow000.yaml"]


def test_change_that_fails_has_no_figure(store: Path) -> None:
    """A thread that ends with an exception is not a change that has come to its end."""

    def fail() -> None:
        raise ValueError("rejected")

    with heddle(store) as subject, pytest.raises(ValueError, match="rejected"):
        stalls.while_done(subject.port, fail)


def test_rounds_end_in_time_on_a_busy_machine() -> None:
    disturbed = Probed(slowest=probe.CALM + 1, median=1.0, count=10)
    calm = Probed(slowest=1.0, median=1.0, count=10)

    def rounds(floor: Probed, seconds: float) -> int:
        return beside("it", lambda: floor, lambda: calm, rounds=3, seconds=seconds).rounds

    assert rounds(calm, 60.0) == 3
    assert rounds(disturbed, 60.0) == 6
    assert rounds(calm, 0.0) == 1
    assert rounds(disturbed, 0.0) == 1
