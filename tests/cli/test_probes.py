"""Probes say the truth while a process begins, serves, replaces its workers, and drains; systemd is told, too."""

import json
import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

import pytest

from heddle.cli.process_health import ProcessHealth
from heddle.cli.systemd import ServiceManager
from tests.cli.support import PATIENCE, Started, get, started
from tests.waiting import wait_until

FLOW = """\
- {kind: listener, name: listener, port: 0, ports: {out: router}}
- kind: router
  name: router
  routes:
    - {method: GET, path: /ping, to: pong}
    - {method: GET, path: /slow, to: slow}
- {kind: snippet, name: pong, language: text, code: pong}
- {kind: sleep, name: slow, interval: 2s, ports: {out: pong}}
"""
PROBES = ("/livez", "/startupz", "/readyz", "/healthz")
JSON = ("--log-format", "json", "--health-address", "127.0.0.1:0")


def probe(port: int, path: str) -> tuple[int, str]:
    """Return the status and the body of a probe."""
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def statuses(port: int) -> list[int]:
    return [probe(port, path)[0] for path in PROBES]


def ports(run: Started, event: str) -> tuple[int, int]:
    """Wait until everything serves; return the port of the flow and that of the probes."""
    url = run.until("listening")["data"]["url"]
    health = run.until(event)["data"]["health"]
    return int(url.rpartition(":")[2]), int(health.rpartition(":")[2])


@contextmanager
def slow_request(port: int) -> Iterator[socket.socket]:
    """Send a request that takes a while, and wait until it is under way."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as sock:
        sock.sendall(b"GET /slow HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        yield sock


@pytest.fixture(autouse=True)
def flow(tmp_path: Path) -> None:
    """Write the flow of these tests."""
    (tmp_path / "flow.yaml").write_text(FLOW)


def test_readiness_ends_at_once_and_the_listener_after_the_lag(tmp_path: Path) -> None:
    with started("flow.yaml", *JSON, "--lag", "600", cwd=tmp_path) as run:
        port, health = ports(run, "runtime started")
        assert statuses(health) == [200, 200, 200, 200]
        run.process.send_signal(signal.SIGTERM)
        wait_until(lambda: probe(health, "/readyz")[0] == 503)
        assert probe(health, "/readyz") == (503, "not ok: stopping: SIGTERM")
        assert statuses(health) == [200, 200, 503, 503]
        # Who has not heard of it yet is served.
        assert get(port) == "pong"
        assert run.stop() == 130


def test_a_person_who_stops_it_does_not_wait_for_the_lag(tmp_path: Path) -> None:
    (tmp_path / "heddle.toml").write_text("lag = 600\n")
    with started("flow.yaml", *JSON, cwd=tmp_path) as run:
        ports(run, "runtime started")
        assert run.stop(signal.SIGINT) == 0


def test_probes_answer_while_a_request_drains(tmp_path: Path) -> None:
    with started("flow.yaml", *JSON, cwd=tmp_path) as run:
        port, health = ports(run, "runtime started")
        with slow_request(port) as sock:
            run.process.send_signal(signal.SIGTERM)
            run.until("runtime stopping", lambda event: event["data"]["processes"] == 1)
            assert statuses(health) == [200, 200, 503, 503]
            assert b"pong" in b"".join(iter(lambda: sock.recv(4096), b""))
        assert run.process.wait(PATIENCE) == 0


@pytest.mark.parametrize("workers", [1, 2])
def test_probes_of_workers_follow_the_lag_and_the_start(tmp_path: Path, workers: int) -> None:
    (tmp_path / "gate.py").write_text(
        "import pathlib, time\n"
        "while not pathlib.Path('open').exists(): time.sleep(0.02)\n"
        "def register(extension): pass\n"
    )
    toml = (
        f'[namespaces.default]\nstore = "flow.yaml"\nworkers = {workers}\nextensions = ["gate"]\n'
    )
    (tmp_path / "heddle.toml").write_text("lag = 600\n" + toml)
    with socket.create_server(("127.0.0.1", 0)) as free:
        health = free.getsockname()[1]
    address = ("--log-format", "json", "--health-address", f"127.0.0.1:{health}")
    with started(*address, cwd=tmp_path, command="up") as run:
        wait_until(lambda: _answers(health))
        assert statuses(health) == [200, 503, 503, 503]
        assert probe(health, "/startupz")[1] == "not ok: starting"
        (tmp_path / "open").touch()
        port, _ = ports(run, "all workers ready")
        assert statuses(health) == [200, 200, 200, 200]
        run.process.send_signal(signal.SIGTERM)
        wait_until(lambda: statuses(health) == [200, 200, 503, 503])
        assert get(port) == "pong"
        assert run.stop() == 130


def _answers(port: int) -> bool:
    try:
        return probe(port, "/livez")[0] == 200
    except OSError:
        return False


def test_readiness_holds_while_one_of_two_workers_is_replaced(tmp_path: Path) -> None:
    with started("flow.yaml", *JSON, "--workers", "2", cwd=tmp_path) as run:
        port, health = ports(run, "all workers ready")
        before = _pids(health)
        with slow_request(port):
            run.process.send_signal(signal.SIGHUP)
            results: list[list[int]] = []
            wait_until(lambda: (results.append(statuses(health)), _pids(health))[1] - before)
        run.until("workers replaced")
        assert {tuple(each[:3]) for each in results} == {(200, 200, 200)}
        assert 503 in {each[3] for each in results}
        assert statuses(health) == [200, 200, 200, 200]
        assert not _pids(health) & before
        assert run.stop() == 0


def _pids(port: int) -> set[int]:
    [namespace] = json.loads(probe(port, "/")[1])["namespaces"]
    return {worker["pid"] for worker in namespace["workers"]}


def test_a_worker_that_ends_is_missing_from_health_and_readiness_follows(tmp_path: Path) -> None:
    with started("flow.yaml", *JSON, "--workers", "2", cwd=tmp_path) as run:
        _, health = ports(run, "all workers ready")
        before = _pids(health)
        for pid in before:
            os.kill(pid, signal.SIGSTOP)
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: probe(health, "/readyz")[0] == 503)
        wait_until(lambda: probe(health, "/healthz") == (200, "ok"))
        assert probe(health, "/readyz")[0] == 200
        assert run.stop() == 0


def test_other_methods_and_paths_are_rejected(tmp_path: Path) -> None:
    with started("flow.yaml", *JSON, cwd=tmp_path) as run:
        _, health = ports(run, "runtime started")
        assert probe(health, "/nothing")[0] == 404
        connection = HTTPConnection("127.0.0.1", health, timeout=PATIENCE)
        connection.request("POST", "/readyz")
        assert connection.getresponse().status == 405
        connection.close()


def test_before_the_start_a_process_is_neither_started_nor_ready() -> None:
    state = ProcessHealth("shop", "").state()
    assert (state["started"], state["ready"], state["reasons"]) == (False, False, ["starting"])


# --- systemd ---


class Manager:
    """The socket of systemd, and what came in there."""

    def __init__(self, address: str) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(address)
        self.messages: list[dict[str, str]] = []
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        while data := self.sock.recv(4096):
            lines = data.decode().split("\n")
            self.messages.append(dict(line.split("=", 1) for line in lines))

    def has(self, key: str) -> bool:
        return any(key in message for message in self.messages)

    def named(self, *keys: str) -> list[str]:
        """Return which of these came, in order."""
        return [key for message in list(self.messages) for key in keys if key in message]


@pytest.mark.parametrize("workers", ["1", "2"])
def test_systemd_hears_of_ready_and_stopping_and_of_life(tmp_path: Path, workers: str) -> None:
    manager = Manager(str(tmp_path / "notify"))
    env = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "100000"}
    with started("flow.yaml", *JSON, "--workers", workers, cwd=tmp_path, env=env) as run:
        wait_until(lambda: manager.has("READY"))
        wait_until(lambda: len(manager.named("WATCHDOG")) > 3)
        assert run.stop() == 0
    wait_until(lambda: manager.has("STOPPING"))
    assert manager.named("READY", "STOPPING") == ["READY", "STOPPING"]
    [end] = [message for message in manager.messages if "STOPPING" in message]
    assert end["STATUS"] == "stopping: SIGTERM"


def test_systemd_hears_when_a_reload_begins_and_ends(tmp_path: Path) -> None:
    manager = Manager(str(tmp_path / "notify"))
    env = {"NOTIFY_SOCKET": str(tmp_path / "notify")}
    with started("flow.yaml", *JSON, "--workers", "2", cwd=tmp_path, env=env) as run:
        ports(run, "all workers ready")
        run.process.send_signal(signal.SIGHUP)
        run.until("workers replaced")
        wait_until(lambda: manager.named("READY", "RELOADING") == ["READY", "RELOADING", "READY"])
        [reload] = [message for message in manager.messages if "RELOADING" in message]
        assert int(reload["MONOTONIC_USEC"]) > 0
        assert not manager.has("WATCHDOG")
        assert run.stop() == 0


def test_an_abstract_address_of_systemd_is_reached() -> None:
    name = f"heddle-test-{os.getpid()}"
    manager = Manager(f"\0{name}")
    ServiceManager({"NOTIFY_SOCKET": f"@{name}"}).ready("one\nline")
    wait_until(lambda: manager.messages == [{"READY": "1", "STATUS": "one line"}])
    assert manager.messages


def test_a_watchdog_of_another_process_is_not_fed() -> None:
    environ = {"NOTIFY_SOCKET": "/nowhere", "WATCHDOG_USEC": "10", "WATCHDOG_PID": "1"}
    assert ServiceManager(environ).interval == 0
    assert ServiceManager({**environ, "WATCHDOG_PID": str(os.getpid())}).interval == 5e-6
    assert ServiceManager({"WATCHDOG_USEC": "10"}).interval == 0
    # Nobody is there: that ends nothing.
    ServiceManager(environ).ready("gone")
