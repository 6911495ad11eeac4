"""A process whose event loop is held says who holds it, and ends when it is to; with real processes."""

import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from tests.cli.support import PATIENCE, Started, get, started

FLOW = """\
- kind: listener
  name: listener
  port: 0
  ports:
    out:
      - {name: router, port: in}
- kind: router
  name: router
  routes:
    - {method: GET, path: /ping, port: 'out[0]'}
    - {method: GET, path: /busy, port: 'out[1]'}
  ports:
    out[0]: {name: pong, port: in}
    out[1]: {name: busy, port: in}
- {kind: snippet, name: pong, language: text, code: pong}
"""
HELD = {
    "loop": (3, "def main(payload):\n    while True:\n        pass"),
    "caught loop": (
        0,
        (
            "def main(payload):\n    while True:\n        try:\n            while True:\n"
            "                pass\n        except Exception:\n            pass"
        ),
    ),
    "sleep": (3, "import time\ndef main(payload):\n    time.sleep(1000)"),
    "lock": (
        4,
        (
            "from threading import Lock\ndef main(payload):\n    lock = Lock()\n"
            "    return [lock.acquire(), lock.acquire()]"
        ),
    ),
    "comprehension": (2, "def main(payload):\n    return [0 for _ in iter(int, 1)]"),
}
STUBBORN = """\
def main(payload):
    while True:
        try:
            while True:
                pass
        except BaseException:
            pass
"""
LOOPS = {"uvloop": "", "asyncio": "import sys; sys.modules['uvloop'] = None"}


def busy(code: str) -> str:
    body = code.replace("\n", "\n    ")
    return f"{FLOW}- kind: snippet\n  name: busy\n  language: python\n  code: |\n    {body}\n"


class Held:
    """A running process, and a request that holds its loop."""

    def __init__(self, one: Started, port: int) -> None:
        self.one = one
        self.port = port
        self.answer: Any = None
        self.asking = threading.Thread(target=self._ask)
        self.asking.start()

    def _ask(self) -> None:
        try:
            with urlopen(f"http://127.0.0.1:{self.port}/busy", timeout=PATIENCE) as answer:
                self.answer = answer.read()
        except HTTPError as error:
            self.answer = error.code
        except OSError as error:
            self.answer = error


@contextmanager
def holding(folder: Path, text: str, *args: str, loop: str = "uvloop") -> Iterator[Held]:
    (folder / "flow.yaml").write_text(text)
    with started("flow.yaml", *args, cwd=folder, before=LOOPS[loop]) as one:
        held = Held(one, one.port())
        try:
            yield held
        finally:
            one.process.kill()
            held.asking.join(PATIENCE)


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("name", HELD)
def test_the_node_and_the_line_that_hold_the_loop_are_logged(
    tmp_path: Path, name: str, loop: str
) -> None:
    line, code = HELD[name]
    with holding(tmp_path, busy(code), "--drain", "2", loop=loop) as held:
        told = held.one.until("loop blocked")
        assert told["symbol"] == "busy"
        assert told["level"] == "warning"
        assert told["reason"].startswith("flow.yaml:16 snippet busy, line ")
        assert not line or f"line {line}:" in told["reason"] or name == "loop"
        began = time.monotonic()
        assert held.one.stop() == 0
        assert time.monotonic() - began < 2 + 10
        held.asking.join(PATIENCE)
        assert held.answer == 500


def test_what_else_is_in_flight_is_still_answered(tmp_path: Path) -> None:
    with holding(tmp_path, busy(HELD["loop"][1]), "--drain", "2") as held:
        held.one.until("loop blocked")
        with socket.create_connection(("127.0.0.1", held.port)) as other:
            other.sendall(b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n")
            held.one.process.send_signal(signal.SIGINT)
            assert held.one.process.wait(PATIENCE) == 0
            assert other.recv(1024).startswith((b"HTTP/1.1 200", b""))


def test_code_that_nothing_interrupts_ends_with_its_process(tmp_path: Path) -> None:
    with holding(tmp_path, busy(STUBBORN), "--drain", "1") as held:
        held.one.until("loop blocked")
        began = time.monotonic()
        assert held.one.stop() == 130
        assert time.monotonic() - began < 1 + 10
        assert held.one.until("runtime cut")["level"] == "error"


IN_C = "import itertools\ndef main(payload):\n    return sum(itertools.repeat(1))"


@pytest.mark.parametrize("loop", LOOPS)
def test_a_loop_in_c_that_keeps_signals_out_ends_with_its_process(
    tmp_path: Path, loop: str
) -> None:
    with holding(tmp_path, busy(IN_C), "--drain", "0.5", loop=loop) as held:
        # Nothing can be logged: it is held once it does not answer any more.
        with pytest.raises(OSError, match="timed out"):  # noqa: PT012 - the first that is not answered
            while True:
                with urlopen(f"http://127.0.0.1:{held.port}/ping", timeout=1):
                    pass
        began = time.monotonic()
        assert held.one.stop() == -signal.SIGKILL
        assert time.monotonic() - began < 0.5 + 3 + 10
        told = held.one.until("runtime cut")
        assert "a call into C held the event loop" in told["reason"]
        assert "<python busy>" in told["detail"]


def test_a_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    with holding(tmp_path, busy(STUBBORN)) as held:
        held.one.until("loop blocked")
        # Two of one number might be one; of these, both count, in any order.
        held.one.process.send_signal(signal.SIGTERM)
        assert held.one.stop(signal.SIGINT) == 130


def test_a_loop_that_goes_on_is_reported(tmp_path: Path) -> None:
    code = "import time\ndef main(payload):\n    time.sleep(1.6)\n    return 'late'"
    with holding(tmp_path, busy(code)) as held:
        held.one.until("loop blocked")
        assert held.one.until("loop free")["data"]["seconds"] > 1
        assert get(held.port, "/ping") == "pong"
        assert held.one.stop() == 0


def test_code_that_never_compiles_is_named_and_ends(tmp_path: Path) -> None:
    (tmp_path / "flow.yaml").write_text(busy("while True: pass\ndef main(payload): return 1"))
    with started("flow.yaml", "--drain", "2", cwd=tmp_path) as one:
        told = one.until("loop blocked")
        assert told["symbol"] == "busy"
        assert "line 1" in told["reason"]
        one.stop()
        assert one.process.returncode is not None


def test_an_expression_of_another_kind_is_named(tmp_path: Path) -> None:
    text = f"""{FLOW}- kind: while
  name: busy
  when: {{language: python, code: '[0 for _ in iter(int, 1)]'}}
  ports:
    out[0]: {{name: pong, port: in}}
"""
    with holding(tmp_path, text, "--drain", "2") as held:
        assert "flow.yaml:16 while busy, line 1" in held.one.until("loop blocked")["reason"]
        assert held.one.stop() == 0


def test_a_kind_of_an_extension_is_named_with_its_file(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "import time\n"
        "from heddle.extensions.extension import Extension, node\n\n\n"
        '@node("slow", summary="Sleeps.")\n'
        "def slow(payload: object) -> object:\n"
        "    time.sleep(1000)\n"
        "    return payload\n\n\n"
        "def register(extension: Extension) -> None:\n"
        "    extension.kind(slow)\n"
    )
    text = f"{FLOW}- {{kind: slow, name: busy}}\n"
    with holding(tmp_path, text, "-x", "mine", "--drain", "2") as held:
        told = held.one.until("loop blocked")
        assert told["symbol"] == "busy"
        assert "mine.py:7 in slow" in told["reason"]
        assert held.one.stop() == 0


def test_the_watchdog_can_be_turned_off(tmp_path: Path) -> None:
    (tmp_path / "heddle.toml").write_text("watchdog = false\n")
    code = "import time\ndef main(payload):\n    time.sleep(1.6)\n    return 'late'"
    with holding(tmp_path, busy(code)) as held:
        held.asking.join(PATIENCE)
        assert held.one.stop() == 0
        held.one.until("runtime stopped")
        assert all(told["event"] != "loop blocked" for told in held.one.told)
