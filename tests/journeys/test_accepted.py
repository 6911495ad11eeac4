"""A bad edit is no outage at the next start: told with real processes."""

import json
import os
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest

from tests.cli.support import Started, get, heddle, started
from tests.waiting import wait_until

LISTENER = """\
- kind: listener
  name: listener
  port: 0
  ports: {out: [{name: router, port: in}]}
- kind: router
  name: router
  routes:
    - {method: GET, path: /a, port: 'out[0]'}
    - {method: GET, path: /b, port: 'out[1]'}
    - {method: GET, path: /who, port: 'out[2]'}
  ports:
    out[0]: [{name: a, port: in}]
    out[1]: [{name: b, port: in}]
    out[2]: [{name: who, port: in}]
- {kind: snippet, name: a, language: text, code: a}
- kind: snippet
  name: who
  language: python
  code: |
    import os
    def main(payload):
        return str(os.getpid())
"""
LEAF = "- {kind: snippet, name: b, language: text, code: 'b{{ X }}', env: {X: {name: x}}}\n"
SECRET = "- {name: x, data: hunter2-hunter2, secret: true}\n"


def write(path: Path, text: str) -> None:
    """Write a file whole."""
    part = path.with_suffix(".part")
    part.write_text(text)
    part.rename(path)


@pytest.fixture
def flows(tmp_path: Path) -> Path:
    folder = tmp_path / "flows"
    folder.mkdir()
    for name, text in (("flow", LISTENER), ("leaf", LEAF), ("secret", SECRET)):
        write(folder / f"{name}.yaml", text)
    return folder


@contextmanager
def serving(
    flows: Path, *args: str, env: Mapping[str, str] | None = None
) -> Iterator[tuple[Started, int]]:
    """Serve a folder; the port of its listener, once everything is ready."""
    with started(*args, "--log-format", "json", cwd=flows.parent, env=env) as one:
        port = int(one.until("listening")["data"]["url"].rpartition(":")[2])
        one.until("all workers ready" if "--workers" in args else "runtime started")
        yield one, port


def pids(port: int) -> set[int]:
    return {int(get(port, "/who")) for _ in range(40)}


def status(flows: Path) -> tuple[int, dict[str, Any]]:
    """Return the exit code of `heddle status`, and the state of each symbol."""
    result = heddle("status", "--store", flows, "--json")
    return result.exit_code, json.loads(result.stdout)


def test_a_typo_survives_a_restart_degraded_and_goes_live_once_mended(flows: Path) -> None:
    with serving(flows, "--store", "flows") as (one, port):
        write(flows / "leaf.yaml", LEAF.replace("text", "tekst"))
        one.until("change rejected")
        assert get(port, "/b") == "bhunter2-hunter2"
        assert one.stop() == 0
    with serving(flows, "--store", "flows") as (one, port):
        assert (get(port, "/a"), get(port, "/b")) == ("a", "bhunter2-hunter2")
        event = next(each for each in one.told if each["event"] == "last accepted revision serves")
        assert event["level"] == "error"
        assert "leaf.yaml" in json.dumps(event)
        code, said = status(flows)
        assert code == 1
        assert {each["name"]: each["state"] for each in said["symbols"]}["b"] == "degraded"
        write(flows / "leaf.yaml", LEAF.replace("code: 'b", "code: 'better "))
        one.until("generation live")
        assert get(port, "/b") == "better hunter2-hunter2"
        wait_until(lambda: status(flows)[0] == 0)
        assert one.stop() == 0


def test_workers_that_are_killed_or_replaced_serve_what_was_accepted(flows: Path) -> None:
    with serving(flows, "--store", "flows", "--workers", "2") as (one, port):
        write(flows / "leaf.yaml", "- {kind: [\n")
        for _ in range(2):
            one.until("change rejected")
        before = pids(port)
        os.kill(min(before), signal.SIGKILL)
        one.until("last accepted revision serves")
        wait_until(lambda: len(pids(port)) == 2 and min(before) not in pids(port))
        assert {get(port, "/b") for _ in range(20)} == {"bhunter2-hunter2"}
        one.process.send_signal(signal.SIGHUP)
        one.until("workers replaced")
        assert not pids(port) & before
        assert {get(port, "/b") for _ in range(20)} == {"bhunter2-hunter2"}
        assert one.stop() == 0


def test_a_replacement_stops_at_the_first_worker_that_comes_up_with_less(flows: Path) -> None:
    with serving(flows, "--store", "flows", "--workers", "2") as (one, port):
        # A secret in clear was written down nowhere else: nobody who begins now can have it.
        (flows / "secret.yaml").unlink()
        for _ in range(2):
            one.until("change rejected")
        before = pids(port)
        one.process.send_signal(signal.SIGHUP)
        event = one.until("replacement stopped")
        assert event["level"] == "error"
        assert "listener waits, and was active before" in event["reason"]
        assert pids(port) == before
        assert get(port, "/b") == "bhunter2-hunter2"
        wait_until(lambda: "ReplacementStopped" in json.dumps(status(flows)[1]))
        assert status(flows)[0] == 1
        write(flows / "secret.yaml", SECRET)
        wait_until(lambda: {each["state"] for each in status(flows)[1]["symbols"]} == {"active"})
        one.process.send_signal(signal.SIGHUP)
        one.until("workers replaced")
        assert not pids(port) & before
        wait_until(lambda: status(flows)[0] == 0)
        assert one.stop() == 0


def test_a_worker_that_cannot_begin_at_all_replaces_nobody(flows: Path) -> None:
    extension = flows.parent / "ours.py"
    extension.write_text("def register(extension):\n    pass\n")
    args = ("--store", "flows", "--workers", "2", "--extension", "ours")
    with serving(flows, *args, env={"PYTHONPATH": str(flows.parent)}) as (one, port):
        before = pids(port)
        extension.write_text("import nowhere_at_all\n")
        one.process.send_signal(signal.SIGHUP)
        assert "a worker cannot begin" in one.until("replacement stopped")["reason"]
        assert pids(port) == before
        extension.write_text("def register(extension):\n    pass\n# again\n")
        one.process.send_signal(signal.SIGHUP)
        one.until("workers replaced")
        assert not pids(port) & before
        assert one.stop() == 0


def test_health_says_which_source_waits_that_was_active_before(flows: Path) -> None:
    toml = '[namespaces.default]\nstore = "flows"\nworkers = 1\n'
    (flows.parent / "heddle.toml").write_text(toml)
    args = ("--health-address", "127.0.0.1:0", "--log-format", "json")
    for well in (True, False):
        with started(*args, cwd=flows.parent, command="up") as one:
            health = int(one.until("all workers ready")["data"]["health"].rpartition(":")[2])
            if well:
                assert get(health, "/healthz") == "ok"
                (flows / "secret.yaml").unlink()
                one.until("change rejected")
                assert get(health, "/healthz") == "ok"
            else:
                with pytest.raises(HTTPError) as caught:
                    get(health, "/healthz")
                assert caught.value.code == 503
                said = caught.value.read().decode()
                assert "listener waits, and was active before" in said
                assert "leaf.yaml:1" in said
                assert get(health, "/livez") == "ok"
                write(flows / "secret.yaml", SECRET)
                one.until("generation live")
                wait_until(lambda port=health: _answers(port))
            assert one.stop() == 0


def _answers(port: int) -> bool:
    try:
        return get(port, "/healthz") == "ok"
    except HTTPError:
        return False


def test_what_changes_nothing_leaves_no_runtime_behind(flows: Path) -> None:
    leaf = flows / "leaf.yaml"
    with serving(flows, "--store", "flows") as (one, _):
        now = time.time()
        edits = {
            "touched": lambda: os.utime(leaf),
            "touched in the future": lambda: os.utime(leaf, (now + 60, now + 60)),
            "touched in the past": lambda: os.utime(leaf, (now - 60, now - 60)),
            "written anew": lambda: write(leaf, LEAF),
            "written in place": lambda: leaf.write_text(LEAF),
            "with a comment": lambda: write(leaf, "# why\n" + LEAF),
            "in another style": lambda: write(
                leaf, LEAF.replace("language: text, ", "language: 'text', ")
            ),
            "with another mode": lambda: leaf.chmod(0o600),
            "under another name": lambda: leaf.rename(flows / "renamed.yaml"),
            "back again": lambda: (flows / "renamed.yaml").rename(leaf),
            "in two files": lambda: _split(flows),
            "beside an empty file": lambda: (flows / "empty.yaml").write_text(""),
        }
        for edit in edits.values():
            edit()
            # It stays so: the first looks may come before the runtime has seen the edit.
            wait_until(lambda: all(status(flows)[0] == 0 for _ in range(4)))
        assert one.stop() == 0


def _split(flows: Path) -> None:
    """Have one entry in a file of its own; what the folder says is the same."""
    one = "- {kind: snippet, name: a, language: text, code: a}\n"
    write(flows / "flow.yaml", LISTENER.replace(one, ""))
    write(flows / "split.yaml", one)
