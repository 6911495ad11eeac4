"""A Killer is a small process that ends this one when a call into C keeps even its signals out.

Python handles a signal between two steps of Python: a loop in C that holds the interpreter puts that
off for ever. The dump of faulthandler is written within the signal, by C alone. So it goes to a pipe,
and the process at its other end kills this one unless the event loop gives a sign of life.
"""

import faulthandler
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Final

from heddle.cli.shutdown import SIGNALS

_CHILD: Final = Path(__file__).with_name("killer_child.py")

GRACE: Final = 3.0
"""Seconds beyond the drain time: what can end the process in order has had its time."""


class Killer:
    """Kills this process if it was told to end and its event loop stands still for too long."""

    def __init__(self, drain: float, *, json: bool, namespace: str) -> None:
        """`drain` is in seconds; `json` and `namespace` are for the line in the log."""
        self._arguments = [str(drain + GRACE), "json" if json else "text", namespace]
        self._pipe: IO[bytes] | None = None

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watch meanwhile. It is entered after the handlers of signals are in place."""
        process = self._begin()
        try:
            yield
        finally:
            if process is not None and self._pipe is not None:
                for number in SIGNALS:
                    faulthandler.unregister(number)
                self._pipe.close()
                self._pipe = None
                with suppress(subprocess.TimeoutExpired):
                    process.wait(1.0)

    def note_alive(self) -> None:
        """Note that the event loop goes on."""
        if self._pipe is not None:
            with suppress(OSError):
                self._pipe.write(b".")

    def _begin(self) -> "subprocess.Popen[bytes] | None":
        if not hasattr(faulthandler, "register"):
            return None  # Windows has no such signals
        source, sink = os.pipe()
        try:
            process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_CHILD), str(source), *self._arguments],
                stdin=subprocess.DEVNULL,
                # Its line goes to the log, which is the standard output: nothing else is held open.
                stderr=subprocess.DEVNULL,
                pass_fds=[source],
                start_new_session=True,
            )
        except OSError:
            # Without it everything else ends this process as before.
            os.close(sink)
            return None
        finally:
            os.close(source)
        os.set_blocking(sink, False)
        self._pipe = open(sink, "wb", buffering=0)  # noqa: PTH123, SIM115 - closed when it ends
        for number in SIGNALS:
            faulthandler.register(number, self._pipe, all_threads=False, chain=True)
        return process
