"""A child process of Python that runs one of our modules, and a socket to it."""

import os
import socket
import subprocess
import sys
from typing import Final

_KEPT: Final = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "PYTHONHOME", "VIRTUAL_ENV")
"""The environment of a child: nothing that could be a secret."""


def start_child(module: str) -> tuple[subprocess.Popen[bytes], socket.socket]:
    """Start a module in a process of its own; return the process, and our end of a socket to it.

    The number of the child's end is its only argument.
    """
    ours, theirs = socket.socketpair()
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
    environment["PYTHONPATH"] = os.pathsep.join(path or os.getcwd() for path in sys.path)  # noqa: PTH109
    try:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", module, str(theirs.fileno())],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            start_new_session=True,
        )
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
    return process, ours
