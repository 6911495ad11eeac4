"""Clients may hold every file descriptor: no edit is lost, and the log says what happened."""

import json
import resource
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.support import Started, get, started

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits of another process")

LIMIT = 160


def flow(code: str) -> str:
    return (
        "- {kind: listener, name: front, port: 0, host: 127.0.0.1, ports: {out: [{name: leaf}]}}\n"
        f"- {{kind: snippet, name: leaf, language: text, code: {code}}}\n"
    )


@contextmanager
def exhausted(one: Started, port: int) -> Iterator[None]:
    """Idle clients hold all descriptors of a process until the block ends."""
    resource.prlimit(one.process.pid, resource.RLIMIT_NOFILE, (LIMIT, LIMIT))
    clients = [socket.create_connection(("127.0.0.1", port), 5) for _ in range(2 * LIMIT)]
    try:
        held = Path(f"/proc/{one.process.pid}/fd")
        while len(list(held.iterdir())) < LIMIT:  # the loop may have turned some away
            clients.append(socket.create_connection(("127.0.0.1", port), 5))
        yield
    finally:
        for client in clients:
            client.close()


def test_an_edit_goes_live_though_no_descriptor_is_free(tmp_path: Path) -> None:
    (tmp_path / "flow.yaml").write_text(flow("v0"))
    with started(tmp_path, cwd=tmp_path) as one:
        port = one.port()
        with exhausted(one, port):
            (tmp_path / "flow.yaml").write_text(flow("v1"))
            one.until("generation live")
        assert "acceptance not kept" not in [event["event"] for event in one.told]
        assert get(port, "/") == "v1"
        assert one.stop() == 0
        assert "Traceback" not in one.errors()


@pytest.mark.parametrize("form", ["json", "text"])
def test_what_is_wrong_with_an_edit_is_logged_all_the_same(tmp_path: Path, form: str) -> None:
    (tmp_path / "flow.yaml").write_text(flow("v0"))
    with started(tmp_path, "--log-format", form, cwd=tmp_path) as one:
        port = one.port() if form == "json" else _port(one)
        with exhausted(one, port):
            (tmp_path / "flow.yaml").write_text(flow("[v1"))
            while "change rejected" not in one.line():
                pass
        assert one.stop() == 0
        assert "Traceback" not in one.errors()


def test_a_listener_that_could_not_begin_begins_once_descriptors_are_free(tmp_path: Path) -> None:
    (tmp_path / "flow.yaml").write_text(flow("v0"))
    with started(tmp_path, cwd=tmp_path) as one:
        port = one.port()
        with exhausted(one, port):
            more = flow("v1").replace("front", "second").splitlines()[0]
            (tmp_path / "more.yaml").write_text(more + "\n")
            # A descriptor that is given back meanwhile may be enough: then it begins at once.
            while (event := _event(one)) not in ("change rejected", "generation live"):
                pass
        if event == "change rejected":
            one.until("generation live")
        assert one.stop() == 0
        assert "Traceback" not in one.errors()


def _event(one: Started) -> str:
    event: str = json.loads(one.line())["event"]
    return event


def _port(one: Started) -> int:
    while "url=http" not in (line := one.line()):
        pass
    port = int(line.partition("url=http://")[2].partition(":")[2].split()[0].strip('"/'))
    while "runtime started" not in one.line():
        pass
    return port


def test_a_value_whose_file_changes_goes_live_though_no_descriptor_is_free(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("v0")
    (tmp_path / "flow.yaml").write_text(
        flow("'{{ .V }}', env: {V: {name: v}}")
        + f"- {{name: v, from: {{file: {tmp_path / 'secret'}}}}}\n"
    )
    with started(tmp_path, cwd=tmp_path) as one:
        port = one.port()
        assert get(port, "/") == "v0"
        with exhausted(one, port):
            (tmp_path / "secret").write_text("v1")
            one.until("generation live")
        assert get(port, "/") == "v1"
        assert one.stop() == 0
        assert "Traceback" not in one.errors()
