"""Workers share the sockets of their namespace, and are kept running; told with real processes."""

import json
import os
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.cli.support import PATIENCE, Started, get, heddle, started
from tests.waiting import wait_until

WHO = """\
- kind: listener
  name: listener
  port: {port}
  ports:
    out:
      - {{name: router, port: in}}
- kind: router
  name: router
  routes:
    - {{method: GET, path: /ping, port: 'out[0]'}}
    - {{method: GET, path: /hang, port: 'out[1]'}}
  ports:
    out[0]: {{name: who, port: in}}
    out[1]: {{name: hang, port: in}}
- kind: snippet
  name: who
  language: python
  code: |
    import os
    def main(payload):
        return "{word} " + str(os.getpid())
- kind: snippet
  name: hang
  language: python
  code: |
    def main(payload):
        while True:
            pass
"""


def write(folder: Path, word: str = "old", port: int = 0, more: str = "") -> Path:
    file = folder / "flow.yaml"
    part = folder / ".flow.part"
    part.write_text(WHO.format(word=word, port=port) + more)
    part.rename(file)
    return file


def ready(one: Started) -> int:
    """Wait until every worker is ready; the port."""
    url: str = one.until("listening")["data"]["url"]
    one.until("all workers ready")
    return int(url.rpartition(":")[2])


def pids(port: int, count: int = 60) -> Counter[str]:
    """Return who answers so many connections."""
    return Counter(get(port).split()[1] for _ in range(count))


class Hammer:
    """Asks again and again, each time on a connection of its own, and counts what went wrong."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._end = threading.Event()
        self.answers: list[str] = []
        self.failures: list[str] = []
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self._end.is_set():
            try:
                self.answers.append(get(self._port))
            except OSError as error:
                self.failures.append(repr(error))

    def __enter__(self) -> "Hammer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join(PATIENCE)


def test_workers_share_the_address_and_all_of_them_answer(tmp_path: Path) -> None:
    write(tmp_path)
    with started("flow.yaml", "--workers", "3", "--log-format", "json", cwd=tmp_path) as one:
        port = ready(one)
        answering = pids(port, 200)
        assert len(answering) == 3, answering
        assert {told["worker"] for told in one.told if told["event"] == "listening"} <= {0, 1, 2}
        assert one.stop() == 0
        assert all(not alive(int(pid)) for pid in answering)


def test_a_change_is_live_in_all_of_them_one_after_the_other(tmp_path: Path) -> None:
    write(tmp_path)
    with started("flow.yaml", "--workers", "2", "--log-format", "json", cwd=tmp_path) as one:
        port = ready(one)
        with Hammer(port) as hammer:
            write(tmp_path, "new")
            changed = [one.until("generation live")["worker"] for _ in range(2)]
            assert sorted(changed) == [0, 1]
            seen = {get(port).split()[0] for _ in range(30)}
        assert seen == {"new"}
        assert hammer.failures == []
        assert one.stop() == 0


def test_a_new_address_is_shared_and_the_old_one_is_given_up(tmp_path: Path) -> None:
    write(tmp_path)
    with started("flow.yaml", "--workers", "2", "--log-format", "json", cwd=tmp_path) as one:
        old = ready(one)
        with socket.create_server(("127.0.0.1", 0)) as free:
            new = free.getsockname()[1]
        write(tmp_path, "new", port=new)
        for _ in range(2):
            one.until("generation live")
        assert len(pids(new, 100)) == 2
        wait_until(lambda: rejected(old))
        assert one.stop() == 0


def test_who_dies_is_replaced_and_nobody_is_rejected_meanwhile(tmp_path: Path) -> None:
    write(tmp_path)
    with started("flow.yaml", "--workers", "1", cwd=tmp_path) as plain:
        assert plain.port()  # one worker is no team: no supervisor
    with started("flow.yaml", "--workers", "2", "--log-format", "json", cwd=tmp_path) as one:
        port = ready(one)
        victims = list(pids(port, 100))
        assert len(victims) == 2
        for pid in victims:
            os.kill(int(pid), signal.SIGKILL)
        # Nobody is left to accept: this connection waits in the queue of the socket.
        word, pid = get(port).split()
        assert (word, pid in victims) == ("old", False)
        ended = [one.until("worker ended") for _ in range(2)]
        assert all("SIGKILL" in told["reason"] for told in ended)
        assert one.stop() == 0


def test_a_hangup_replaces_all_of_them_under_load(tmp_path: Path) -> None:
    write(tmp_path)
    with started("flow.yaml", "--workers", "2", "--log-format", "json", cwd=tmp_path) as one:
        port = ready(one)
        before = set(pids(port, 100))
        with Hammer(port) as hammer:
            one.process.send_signal(signal.SIGHUP)
            one.until("workers replaced")
            after = set(pids(port, 100))
        assert hammer.failures == []
        assert hammer.answers
        assert len(after) == 2
        assert not after & before
        assert one.stop() == 0


def test_who_hangs_is_killed_and_replaced(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "heddle.toml").write_text("[up]\nhealth = 1.5\n")
    with started("flow.yaml", "--workers", "2", "--log-format", "json", cwd=tmp_path) as one:
        port = ready(one)
        with socket.create_connection(("127.0.0.1", port)) as stuck:
            stuck.sendall(b"GET /hang HTTP/1.1\r\nHost: x\r\n\r\n")
            hung = one.until("worker hung")
            one.until("worker ended", lambda told: told["data"]["worker"] == hung["data"]["worker"])
        wait_until(lambda: len(pids(port, 60)) == 2)
        assert one.stop() == 0


def test_who_takes_long_to_begin_is_not_taken_for_hung(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "slow.py").write_text(
        "import time\ntime.sleep(1.5)\ndef register(extension):\n    pass\n"
    )
    (tmp_path / "heddle.toml").write_text('extensions = ["slow"]\n[up]\nhealth = 1\n')
    with started("flow.yaml", "--workers", "2", "--log-format", "json", cwd=tmp_path) as one:
        ready(one)
        assert "worker hung" not in {told["event"] for told in one.told}
        assert one.stop() == 0


def test_node_that_hangs_a_worker_is_named_and_a_stop_ends_it(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "heddle.toml").write_text("drain = 1\n[up]\nhealth = 4\n")
    with started("flow.yaml", "--workers", "2", "--log-format", "json", cwd=tmp_path) as one:
        port = ready(one)
        with socket.create_connection(("127.0.0.1", port)) as stuck:
            stuck.sendall(b"GET /hang HTTP/1.1\r\nHost: x\r\n\r\n")
            blocked = one.until("loop blocked")
            assert blocked["symbol"] == "hang"
            hung = one.until("worker hung")
            assert "snippet hang, line " in hung["reason"]
            assert one.until("worker ended")["reason"] == "it was killed: it hung"
        wait_until(lambda: len(pids(port, 60)) == 2)
        with socket.create_connection(("127.0.0.1", port)) as stuck:
            stuck.sendall(b"GET /hang HTTP/1.1\r\nHost: x\r\n\r\n")
            one.until("loop blocked")
            began = time.monotonic()
            assert one.stop() == 0
            assert time.monotonic() - began < 1 + 10


def test_what_happens_once_happens_in_one_of_them(tmp_path: Path) -> None:
    write(
        tmp_path,
        more="""
- {kind: timer, name: tick, interval: 50ms, ports: {out: {name: tell, port: in}}}
- {kind: log, name: tell, event: ticked}
""",
    )
    with started("flow.yaml", "--workers", "2", "--log-format", "json", cwd=tmp_path) as one:
        ready(one)
        ticks = [one.until("ticked") for _ in range(6)]
        assert {told["worker"] for told in ticks} == {0}
        assert one.stop() == 0


def test_no_worker_outlives_its_supervisor(tmp_path: Path) -> None:
    write(tmp_path)
    with started("flow.yaml", "--workers", "2", "--log-format", "json", cwd=tmp_path) as one:
        answering = [int(pid) for pid in pids(ready(one), 60)]
        one.process.kill()
        wait_until(lambda: not any(alive(pid) for pid in answering))


def test_what_cannot_begin_is_told_and_ends_it(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        write(tmp_path, port=port)
        with started("flow.yaml", "--workers", "2", cwd=tmp_path) as one:
            assert one.process.wait(PATIENCE) == 1
            said = one.errors()
    assert f"cannot listen on 127.0.0.1:{port}" in said
    assert "Traceback" not in said


def test_workers_need_a_store_that_all_of_them_read(tmp_path: Path) -> None:
    file = write(tmp_path)
    for args in (("--from-specs", file), ("-",), ("--store", "memory://")):
        result = heddle("start", "--workers", "2", *args)
        assert result.exit_code in (1, 2)
        assert "expected" in result.output or "need a store" in result.output


def test_text_says_who_has_said_it(tmp_path: Path) -> None:
    write(tmp_path)
    with started("flow.yaml", "--workers", "2", "--log-format", "text", cwd=tmp_path) as one:
        lines: list[str] = []
        while not lines or "all workers ready" not in lines[-1]:
            lines.append(one.line())
        assert any(line.startswith("0 ") and "runtime started" in line for line in lines)
        assert any(line.startswith("1 ") and "runtime started" in line for line in lines)
        assert sum("try:" in line for line in lines) == 1
        assert one.stop() == 0


# --- several namespaces ---


@contextmanager
def up(folder: Path, toml: str, *args: str) -> Iterator[Started]:
    (folder / "heddle.toml").write_text(toml)
    with started(*args, "--log-format", "json", cwd=folder, command="up") as one:
        yield one


def two_namespaces(folder: Path) -> str:
    for name in ("shop", "billing"):
        text = WHO.format(word=name, port=0)
        namespaced = text.replace("- kind:", f"- namespace: {name}\n  kind:")
        (folder / f"{name}.yaml").write_text(namespaced)
    return """
        [namespaces.shop]
        store = "shop.yaml"
        workers = 2
        [namespaces.billing]
        store = "billing.yaml"
        """


def test_up_runs_every_namespace_that_is_listed(tmp_path: Path) -> None:
    with up(tmp_path, two_namespaces(tmp_path), "--health-address", "127.0.0.1:0") as one:
        told = one.until("all workers ready")
        assert told["data"]["namespaces"] == ["shop", "billing"]
        assert told["data"]["workers"] == 3
        health = int(told["data"]["health"].rpartition(":")[2])
        ports = {
            each["namespace"]: int(each["data"]["url"].rpartition(":")[2])
            for each in one.told
            if each["event"] == "listening"
        }
        assert get(ports["shop"]).split()[0] == "shop"
        assert get(ports["billing"]).split()[0] == "billing"
        assert get(health, "/healthz") == "ok"
        state: dict[str, Any] = json.loads(get(health, "/"))
        assert [(each["namespace"], len(each["workers"])) for each in state["namespaces"]] == [
            ("shop", 2),
            ("billing", 1),
        ]
        assert one.stop() == 0


def test_up_runs_those_that_are_named(tmp_path: Path) -> None:
    with up(tmp_path, two_namespaces(tmp_path), "billing") as one:
        assert one.until("all workers ready")["data"]["namespaces"] == ["billing"]
        assert one.stop(signal.SIGINT) == 0


@pytest.mark.parametrize(
    ("toml", "args", "told"),
    [
        ("", [], "no namespaces are listed"),
        ("[namespaces.shop]\nstore = 'flow.yaml'", ["shp"], 'Did you mean "shop"?'),
        ("[namespaces.shop]\nstor = 'flow.yaml'", [], 'unknown key "stor"'),
        ("[namespaces.shop]\nworkers = -1", [], "heddle.toml:2 namespaces.shop.workers"),
        ("[namespaces]\nshop = 1", [], "expected: a table"),
        ("[namespaces.shop]\nstore = 'nowhere'", [], "there is no such file or folder"),
        ("[namespaces.'a b']\nstore = 'flow.yaml'", [], 'the name "a b"'),
    ],
)
def test_mistakes_in_the_settings_are_told_before_anything_runs(
    tmp_path: Path, toml: str, args: list[str], told: str
) -> None:
    write(tmp_path)
    (tmp_path / "heddle.toml").write_text(toml)
    result = heddle("up", *args, "--config", tmp_path / "heddle.toml")
    assert result.exit_code == 1
    assert told in result.output


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().split(")")[1].split()[0] != "Z"


def rejected(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), PATIENCE).close()
    except ConnectionRefusedError:
        return True
    return False


def apart(one: int, two: int, hosts: tuple[str, str], word: str) -> str:
    """Two listeners, each in front of a snippet that answers its name and a word."""
    return "".join(
        f"- kind: listener\n  name: {name}\n  port: {port}\n  host: '{host}'\n"
        f"  ports: {{out: {{name: say-{name}, port: in}}}}\n"
        f"- {{kind: snippet, name: say-{name}, language: text, code: {name} {word}}}\n"
        for name, port, host in (("a", one, hosts[0]), ("b", two, hosts[1]))
    )


ALL = "0.0.0.0"
HERE = "127.0.0.1"


def test_workers_swap_addresses_and_widen_hosts_and_refuse_nobody(tmp_path: Path) -> None:
    spare = [socket.create_server((HERE, 0)) for _ in range(2)]
    one, two = (int(sock.getsockname()[1]) for sock in spare)
    for sock in spare:
        sock.close()
    file, part = tmp_path / "flow.yaml", tmp_path / ".flow.part"
    file.write_text(apart(one, two, (HERE, HERE), "0"))
    steps = [
        (two, one, (HERE, HERE)),
        (two, one, (ALL, "")),
        (one, two, ("", HERE)),
        (one, two, (HERE, ALL)),
        (two, one, (HERE, HERE)),
    ]
    with started("flow.yaml", "--workers", "2", "--log-format", "json", cwd=tmp_path) as run:
        run.until("all workers ready")
        with Hammer(one) as first, Hammer(two) as second:
            for number, (left, right, hosts) in enumerate(steps, 1):
                part.write_text(apart(left, right, hosts, str(number)))
                part.rename(file)
                changed = [run.until("generation live")["worker"] for _ in range(2)]
                assert sorted(changed) == [0, 1], number
                assert {get(left) for _ in range(20)} == {f"a {number}"}
                assert {get(right) for _ in range(20)} == {f"b {number}"}
        assert (first.failures, second.failures) == ([], [])
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.2", one), 5)
        assert run.stop() == 0
