"""heddle start --dev: saved Python code is taken up by a worker that takes over, and no request is lost."""

import socket
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from heddle.cli.settings import load_settings
from heddle.cli.supervisor.code_watch import SourceFilter, code_folders
from tests.cli.supervisor.test_workers import Hammer, ready
from tests.cli.support import PATIENCE, Started, get, heddle, started
from tests.waiting import wait_until

FLOW = """\
- {kind: listener, name: listener, port: 0, ports: {out: router}}
- kind: router
  name: router
  routes: [{method: GET, path: /ping, to: word}, {method: GET, path: /slow, to: slow}]
- {kind: word, name: word}
- {kind: sleep, name: slow, interval: 3s, ports: {out: word}}
"""
CODE = """\
from heddle import Extension, node


@node("word", summary="Says a word.", category="test", example="{kind: word, name: word}\\n")
def word(payload: object) -> str:
    return "%s"


def register(extension: Extension) -> None:
    extension.kind(word)
"""


@pytest.fixture(autouse=True)
def service(tmp_path: Path) -> None:
    """Write a flow and the extension that it needs."""
    (tmp_path / "flow.yaml").write_text(FLOW)
    (tmp_path / "heddle.toml").write_text('extensions = ["words"]\n')
    save(tmp_path, "old")


def save(folder: Path, word: str) -> None:
    (folder / "words.py").write_text(CODE % word)


def dev(folder: Path) -> AbstractContextManager[Started]:
    return started("flow.yaml", "--dev", "--log-format", "json", cwd=folder)


def test_saved_code_answers_and_no_request_is_lost(tmp_path: Path) -> None:
    with dev(tmp_path) as run:
        port = ready(run)
        with Hammer(port) as hammer:
            for word in ("new", "two"):
                save(tmp_path, word)
                assert run.until("code changed")["reason"] == "words.py"
                run.until("workers replaced")
                assert get(port) == word
        assert hammer.failures == []
        assert list(dict.fromkeys(hammer.answers)) == ["old", "new", "two"]
        assert run.stop() == 0


def test_what_is_in_flight_ends_while_new_code_answers(tmp_path: Path) -> None:
    with dev(tmp_path) as run:
        port = ready(run)
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as sock:
            sock.sendall(b"GET /slow HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            save(tmp_path, "new")
            wait_until(lambda: get(port) == "new")
            assert b"old" in b"".join(iter(lambda: sock.recv(4096), b""))
        run.until("workers replaced")
        assert run.stop() == 0


def test_code_that_cannot_begin_leaves_the_old_one_running(tmp_path: Path) -> None:
    with dev(tmp_path) as run:
        port = ready(run)
        (tmp_path / "words.py").write_text("def register(:\n")
        assert "cannot begin" in run.until("replacement stopped")["reason"]
        assert get(port) == "old"
        save(tmp_path, "new")
        run.until("workers replaced")
        assert get(port) == "new"
        assert run.stop() == 0


def test_only_folders_of_the_project_are_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "flows").mkdir()
    settings = load_settings({"store": "flows", "extensions": ("click", "nowhere")}, environ={})
    assert code_folders(settings) == [str(tmp_path)]
    assert SourceFilter.ignore_dirs[-2:] == ("venv", ".heddle")


def test_dev_needs_a_store_that_two_workers_read() -> None:
    result = heddle("start", "--dev", "-", stdin=FLOW)
    assert result.exit_code == 2
    assert "need a store that all of them read" in result.output
