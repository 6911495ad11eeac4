"""Running the tests again whenever a file is saved."""

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from queue import SimpleQueue
from threading import Event, Thread
from typing import Final

import click

SUFFIXES: Final = (".yaml", ".yml", ".json", ".toml", ".py")
"""The files whose change runs the tests again."""

_MAIN: Final = "from heddle.cli.__main__ import main; main()"


def watch_tests(paths: Sequence[str], words: Sequence[str]) -> int:
    """Run `heddle` with these words at once, and again after each save below these paths, until Ctrl-C.

    Each round is a process of its own, so modules of Python are read anew. Return the last exit code.
    """
    from watchfiles import Change, watch

    def counts(_change: Change, path: str) -> bool:
        parts = Path(path).parts
        hidden = any(part.startswith(".") or part == "__pycache__" for part in parts[-8:])
        return path.endswith(SUFFIXES) and not hidden

    folders = sorted({str(Path(path).resolve()) for path in paths})
    # A file that an editor replaces is watched by its folder.
    folders = sorted({each if Path(each).is_dir() else str(Path(each).parent) for each in folders})
    saves: SimpleQueue[None] = SimpleQueue()
    stop = Event()

    def follow() -> None:
        for _ in watch(*folders, watch_filter=counts, stop_event=stop, raise_interrupt=False):
            saves.put(None)

    # It follows before the first round reads: what is saved meanwhile is a change.
    Thread(target=follow, daemon=True).start()
    code = 0
    try:
        code = _run(words)
        while True:
            click.echo("waiting for a save; Ctrl-C ends it")
            saves.get()
            if sys.stdout.isatty():
                click.clear()
            click.echo(f"{time.strftime('%H:%M:%S')}  a file has changed")
            code = _run(words)
    except KeyboardInterrupt:
        # It is how this ends, so it is not an error.
        click.echo()
    finally:
        stop.set()
    return code


def _run(words: Sequence[str]) -> int:
    sys.stdout.flush()
    return subprocess.run([sys.executable, "-c", _MAIN, *words], check=False).returncode
