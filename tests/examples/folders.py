"""A copy of an example's folder, which a test works in as a reader would."""

import os
import shutil
import socket
from pathlib import Path
from typing import Any

import pytest

from heddle.runtime.runtime import Runtime
from tests.examples.promises import EXAMPLES


def settled(example: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Copy the example and work there: what it writes is gone with the folder."""
    here = folder / example
    shutil.copytree(EXAMPLES / example, here)
    monkeypatch.chdir(here)
    for name in [name for name in os.environ if name.startswith("HEDDLE_")]:
        monkeypatch.delenv(name)
    return here


def started(namespace: str = "default", **environment: Any) -> Runtime:
    """Return what `heddle start` runs in the folder of an example, with PORT a free port."""
    return Runtime(store=".", namespace=namespace, environment={"PORT": 0, **environment})


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port
