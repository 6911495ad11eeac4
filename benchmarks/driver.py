"""A Driver is this program's end of the load: it starts it on a core of its own, and commands it."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks.machine import cores, launch
from benchmarks.paths import ROOT
from benchmarks.server import MissingProgramError, Server


class Driver:
    """Commands one load."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def open(
        self,
        target: str,
        server: Server,
        connections: int,
        request: str,
        expect: Any,
        upgrade: str = "",
    ) -> None:
        """Connect to a server, to send this request and expect that answer.

        With a path to `upgrade` at they are messages of WebSockets.
        """
        self.do(
            "open",
            target,
            port=server.port,
            connections=connections,
            request=request,
            expect=expect,
            upgrade=upgrade,
        )

    def drive(self, target: str, seconds: float, into: str = "") -> dict[str, Any]:
        """Keep all connections of a server busy for so long; what that came to (see `Tally.data`)."""
        self.do("start", target, into=into or target)
        time.sleep(seconds)
        return self.do("stop", target)

    def do(self, do: str, target: str = "", **rest: Any) -> dict[str, Any]:
        """Give one command and wait for its answer; Missing if it failed."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(json.dumps({"do": do, "target": target, **rest}) + "\n")
        stdin.flush()
        line = stdout.readline()
        if not line:
            raise MissingProgramError(f"the load ended with {self._process.wait(5)}")
        told: dict[str, Any] = json.loads(line)
        if "error" in told:
            raise MissingProgramError(f"the load failed to {do} {target}: {told['error']}")
        return told


@contextmanager
def driver() -> Iterator[Driver]:
    """Provide a load that waits for commands."""
    argv = [sys.executable, "-m", "benchmarks.load"]
    process = launch(argv, cores()[1], cwd=ROOT)
    try:
        yield Driver(process)
    finally:
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
        try:
            process.wait(5.0)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
