"""Helps for stories at the command line: one command at a time, or a `heddle start` that runs."""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from click.testing import CliRunner, Result

from heddle.cli.main import cli

PATIENCE = 120.0
"""Seconds until something that has to come counts as missing."""

PING = """\
- kind: listener
  name: listener
  port: '{{ .PORT }}'
  env:
    PORT: {data: '{{ .PORT }}'}
  ports:
    out:
      - {name: router, port: in}
- kind: router
  name: router
  routes:
    - {method: GET, path: /ping, port: 'out[0]'}
  ports:
    out[0]:
      - {name: pong, port: in}
- kind: snippet
  name: pong
  language: text
  code: pong
"""


def heddle(
    *args: str | Path, stdin: str | None = None, env: Mapping[str, str] | None = None
) -> Result:
    """Run one command to its end; nothing of this machine's settings reaches it."""
    clean = {name: None for name in os.environ if name.startswith("HEDDLE_")}
    runner = CliRunner(env={**clean, "NO_COLOR": "1", **(env or {})})
    result = runner.invoke(cli, [str(arg) for arg in args], input=stdin, prog_name="heddle")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def ran(*args: str | Path, stdin: str | None = None, env: Mapping[str, str] | None = None) -> str:
    """Return the output of a command that has to succeed."""
    result = heddle(*args, stdin=stdin, env=env)
    assert result.exit_code == 0, result.output
    return result.stdout


def ran_json(*args: str | Path, stdin: str | None = None) -> Any:
    """Return the JSON that a command prints, whether it succeeds or not."""
    return json.loads(heddle(*args, "--json", stdin=stdin).stdout)


class Started:
    """A `heddle start` in a process of its own, whose log is read as it comes."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.told: list[dict[str, Any]] = []
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def until(
        self, event: str, fits: Callable[[dict[str, Any]], bool] = lambda _: True
    ) -> dict[str, Any]:
        """Wait for the next event of that name that fits."""
        while True:
            line = self.line()
            told: dict[str, Any] = json.loads(line)
            self.told.append(told)
            if told["event"] == event and fits(told):
                return told

    def line(self) -> str:
        """Wait for the next line of the log."""
        line = self._lines.get(timeout=PATIENCE)
        if line is None:
            self.process.wait(PATIENCE)
            raise AssertionError(f"it ended with {self.process.returncode}: {self.errors()}")
        return line

    def port(self) -> int:
        """Wait until it listens and all is live; the port."""
        url: str = self.until("listening")["data"]["url"]
        self.until("runtime started")
        return int(url.rpartition(":")[2])

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and wait for the exit code."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)

    def errors(self) -> str:
        """Return what it said on standard error, once it has ended."""
        assert self.process.stderr is not None
        return self.process.stderr.read()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put(None)


@contextmanager
def started(
    *args: str | Path,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    command: str = "start",
    before: str = "",
) -> Iterator[Started]:
    """`heddle start`, or another command that runs on, with these arguments; it is gone when the block ends."""
    clean = {name: text for name, text in os.environ.items() if not name.startswith("HEDDLE_")}
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            f"{before}\nfrom heddle.cli.__main__ import main; main()",
            command,
            *map(str, args),
        ],
        cwd=cwd,
        env={**clean, **(env or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    one = Started(process)
    try:
        yield one
    finally:
        process.kill()
        process.wait(PATIENCE)
        one._reader.join(PATIENCE)
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        process.stderr.close()


def get(port: int, path: str = "/ping") -> str:
    """Return the body of a GET."""
    with urlopen(f"http://127.0.0.1:{port}{path}", timeout=PATIENCE) as response:
        body: bytes = response.read()
    return body.decode()
