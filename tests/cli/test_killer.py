"""The process that ends a runtime which nothing else can end is small, and gone with it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from heddle.cli.killer import Killer

pytestmark = pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="it looks into /proc")


def children() -> set[int]:
    return {int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()}


def test_killer_holds_the_log_and_its_pipe_alone() -> None:
    before = children()
    with Path(__file__).open() as held, Killer(1.0, json=True, namespace="default").watching():
        os.set_inheritable(held.fileno(), True)
        [child] = children() - before
        links = {str(each.readlink()) for each in Path(f"/proc/{child}/fd").iterdir()}
    assert __file__ not in links
    assert len([link for link in links if link.startswith("pipe:")]) <= 2
    assert child not in children(), "it has ended with what it watched"


def test_killer_does_not_outlive_a_process_that_is_killed() -> None:
    """The end of the pipe closes with the process, whatever ends it."""
    script = (
        "import time\n"
        "from heddle.cli.killer import Killer\n"
        "with Killer(1.0, json=True, namespace='default').watching():\n"
        "    print('watched', flush=True)\n"
        "    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"watched\n"
        process.kill()
        # The child holds the log, too: it ends here once that is gone.
        assert process.stdout.read() == b""
