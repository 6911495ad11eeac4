"""A RunStore that cannot be written: the run waits and says so, and can be stopped and resumed."""

import signal
import subprocess
import sys
from pathlib import Path

from tests.cli.runs.support import Desk, id_in

GROW = """\
- kind: workflow
  name: grow
  tasks:
    - name: pages
      for_each: {over: page, concurrency: 2}
      inputs: {page: {value: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]}}
      do: {kind: snippet, language: python, code: '"x" * 40_000'}
    - name: count
      inputs: {pages: pages}
      do: {kind: snippet, language: cel, code: size(self.pages)}
"""

LIMITED = """\
import resource
import sys

from heddle.cli.main import main

resource.setrlimit(resource.RLIMIT_FSIZE, (250_000, 250_000))
sys.exit(main())
"""


def test_a_run_waiting_for_disk_space_says_so_and_stops(desk: Desk, tmp_path: Path) -> None:
    desk.write("grow.yaml", GROW)
    command = [sys.executable, "-c", LIMITED, "run", "grow.yaml", "--drain", "0.5"]
    with subprocess.Popen(command, text=True, stderr=subprocess.PIPE, cwd=desk.folder) as worker:
        assert worker.stderr is not None
        lines: list[str] = []
        try:
            for line in worker.stderr:
                lines.append(line)
                if line.startswith("run store full: "):
                    worker.send_signal(signal.SIGTERM)
            assert worker.wait(60) == 143
        finally:
            worker.kill()
    text = "".join(lines)
    assert "stopped, and that is not recorded: run store full: " in text
    assert lines[-1].strip().endswith(f"heddle runs resume {id_in(text)}")
    resumed = desk.do("runs", "resume", "--last")
    assert (resumed.exit_code, resumed.stdout.strip()) == (0, "16")
