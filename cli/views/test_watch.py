"""Running the tests again whenever a file is saved."""

import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from queue import SimpleQueue
from threading import Event, Thread
from typing import Final

import click

SUFFIXES: Final = (".yaml", ".yml", ".json", ".toml", ".py")
"""The files whose change runs the tests again."""

_MAIN: Final = "from heddle.cli.__main__ import main; main()"


class Contents:
    """The contents of the files below folders, as they were seen last.

    A file that is written as it was is not a change: a golden file that a round of tests writes again
    does not begin the next one.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = folders
        self._seen: dict[Path, bytes | None] = {}
        for folder in folders:
            for above, below, names in os.walk(folder):
                below[:] = [name for name in below if not _is_hidden(name)]
                self.differ(Path(above, name) for name in names)

    def differ(self, paths: Iterable[Path]) -> bool:
        """Note the files as they are now; return whether one of them is not as it was seen last."""
        differs = False
        for path in paths:
            if self._counts(path):
                digest = _digest(path)
                differs |= digest != self._seen.get(path)
                self._seen[path] = digest
        return differs

    def _counts(self, path: Path) -> bool:
        """Return whether the tests may depend on a file. Only below the folder does a hidden name matter."""
        if path.suffix not in SUFFIXES:
            return False
        return any(
            path.is_relative_to(folder) and not any(map(_is_hidden, path.relative_to(folder).parts))
            for folder in self._folders
        )


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name == "__pycache__"


def _digest(path: Path) -> bytes | None:
    """Return what tells the contents of a file apart; None if there is none."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "blake2b").digest()
    except OSError:
        return None


def watch_tests(paths: Sequence[str], words: Sequence[str]) -> int:
    """Run `heddle` with these words at once, and again after each save below these paths, until Ctrl-C.

    Each round is a process of its own, so modules of Python are read anew. Return the last exit code.
    """
    from watchfiles import watch

    places = {Path(path).resolve() for path in paths}
    # A file that an editor replaces is watched by its folder.
    folders = sorted({each if each.is_dir() else each.parent for each in places})
    contents = Contents(folders)
    saves: SimpleQueue[None] = SimpleQueue()
    stop = Event()

    def follow() -> None:
        for changes in watch(*folders, watch_filter=None, stop_event=stop, raise_interrupt=False):
            if contents.differ(Path(path) for _, path in changes):
                saves.put(None)

    # It follows before the first round reads: what is saved meanwhile is a change.
    Thread(target=follow, daemon=True).start()
    code = 0
    try:
        code = _run(words)
        while True:
            click.echo("waiting for a save; Ctrl-C ends it")
            saves.get()
            # One round answers all that was saved before it.
            while not saves.empty():
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
