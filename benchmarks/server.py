"""A Server is a program that is measured: it runs on a core of its own and is gone afterwards."""

import http.client
import json
import os
import queue
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from benchmarks.machine import cores, cpu_seconds, launch
from benchmarks.paths import ROOT

PATIENCE = 60.0
"""Seconds until something that has to come counts as missing."""

HEDDLE = (sys.executable, "-c", "from heddle.cli.__main__ import main; main()")
"""The command `heddle`, of this very interpreter."""


class MissingProgramError(Exception):
    """What had to come has not; the message says what."""


class Server:
    """A program that listens, and the processor time that it uses."""

    def __init__(self, process: "subprocess.Popen[str]", port: int) -> None:
        self.process = process
        self.port = port

    def cpu(self) -> float:
        """Return the processor time that it has used up to now, in seconds; 0 if that cannot be known."""
        return cpu_seconds(self.process.pid) or 0.0


class Log:
    """The lines that a program writes, each with the time at which it was heard."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._lines: queue.Queue[tuple[float, str] | None] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def line(self) -> tuple[float, str]:
        """Return the next line; Missing if none comes any more."""
        try:
            heard = self._lines.get(timeout=PATIENCE)
        except queue.Empty:
            raise MissingProgramError(f"nothing was told for {PATIENCE:g} s") from None
        if heard is None:
            raise MissingProgramError("the program has ended")
        return heard

    def close(self) -> None:
        """Let go of it, once the program has ended."""
        self._reader.join()
        self._stream.close()

    def _read(self) -> None:
        for line in self._stream:
            self._lines.put((time.perf_counter(), line))
        self._lines.put(None)


class Heddle(Server):
    """`heddle start`; all is live once this is made."""

    def __init__(self, process: "subprocess.Popen[str]", log: Log) -> None:
        self._log = log
        url: str = self.until("listening")[1]["data"]["url"]
        super().__init__(process, int(url.rpartition(":")[2]))
        self.until("runtime started")

    def until(self, event: str) -> tuple[float, dict[str, Any]]:
        """Wait for the next event of that name: when it was heard, and what it says.

        Missing if none comes, or where it tells of a mistake first.
        """
        while True:
            heard, line = self._log.line()
            told: dict[str, Any] = json.loads(line)
            if told["event"] == event:
                return heard, told
            if told["level"] == "error":
                raise MissingProgramError(f"heddle told {line.strip()}")


@contextmanager
def heddle(store: str | Path, *args: str, pinned: bool = True) -> Iterator[Heddle]:
    """`heddle start` on a store, with PORT a free port; all is live when the block begins.

    It stays on one core, unless it is not `pinned`.
    """
    argv = [*HEDDLE, "start", os.fspath(store), "--log-format", "json", "-e", "PORT=0", *args]
    with _telling(launch(argv, cores()[0] if pinned else None)) as (process, log):
        yield Heddle(process, log)


@contextmanager
def talker(name: str, *args: str) -> Iterator[Log]:
    """Provide a program of `benchmarks.servers` that does not listen: what it tells, while it runs."""
    argv = [sys.executable, "-m", f"benchmarks.servers.{name}", *args]
    with _telling(launch(argv, cores()[0], cwd=ROOT)) as (_, log):
        yield log


@contextmanager
def module(name: str, *args: str, core: int = 0) -> Iterator[Server]:
    """Provide a program of `benchmarks.servers` on a free port; it listens when the block begins.

    It runs on the core of the servers, or on that of the load with `core` 1.
    """
    port = free_port()
    argv = [sys.executable, "-m", f"benchmarks.servers.{name}", str(port), *args]
    process = launch(argv, cores()[core], cwd=ROOT)
    assert process.stdout is not None
    with process.stdout, _running(process):
        wait_until(lambda: _listens(port), f"{name} listens", process)
        yield Server(process, port)


@contextmanager
def _telling(process: "subprocess.Popen[str]") -> Iterator[tuple["subprocess.Popen[str]", Log]]:
    """Run it until the block ends, and read its log to the end."""
    assert process.stdout is not None
    log = Log(process.stdout)
    try:
        with _running(process):
            yield process, log
    finally:
        log.close()


@contextmanager
def _running(process: "subprocess.Popen[str]") -> Iterator[None]:
    """Run it until the block ends."""
    try:
        yield
    finally:
        ended(process)


def ended(process: "subprocess.Popen[str]") -> None:
    """End a program, and wait until it is gone."""
    process.terminate()
    try:
        process.wait(10.0)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdin is not None:
        process.stdin.close()


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def wait_until(
    holds: Callable[[], bool], what: str, process: "subprocess.Popen[Any]", pause: float = 0.001
) -> None:
    """Look again and again, until this holds; Missing if it never does, or the process ends."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        if process.poll() is not None:
            raise MissingProgramError(f"it ended with {process.returncode} before {what}")
        if time.monotonic() > deadline:
            raise MissingProgramError(f"waited {PATIENCE:g} s until {what}")
        time.sleep(pause)


def fetched(port: int, path: str) -> tuple[int, str] | None:
    """Status and body of a GET on a connection of its own; None if nobody listens."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10.0)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read().decode()
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1.0).close()
    except OSError:
        return False
    return True
