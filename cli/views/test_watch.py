"""Running the tests again whenever a file is saved."""

import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from threading import Event, Thread
from typing import Final

import click

SUFFIXES: Final = (".yaml", ".yml", ".json", ".toml", ".py")
"""The files whose change runs the tests again."""

LOOK: Final = 0.5
"""Seconds after which it is looked whether the folders that are followed are still there."""

_MAIN: Final = "from heddle.cli.__main__ import main; main()"


class Contents:
    """The contents of the files below folders, as they were seen last.

    A file that is written as it was is not a change: a golden file that a round of tests writes again
    does not begin the next one.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = folders
        self._seen: dict[Path, bytes | None] = {}
        self.look()

    def look(self) -> bool:
        """Look at every file, and at those that were there; return whether one is not as it was seen last."""
        return self.differ([*self._seen, *self._files()])

    def _files(self) -> Iterator[Path]:
        for folder in self._folders:
            for above, below, names in os.walk(folder):
                below[:] = [name for name in below if not _is_hidden(name)]
                yield from (Path(above, name) for name in names)

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


def _present(folders: Sequence[Path]) -> dict[Path, int]:
    """Return the folders that are there, each with what tells it from another one of its name."""
    present: dict[Path, int] = {}
    for folder in folders:
        with suppress(OSError):
            present[folder] = folder.stat().st_ino
    return present


def _changed(folders: Sequence[Path], contents: Contents, stop: Event) -> Iterator[bool]:
    """Yield now and then whether a file differs, until a folder is gone, or is another one of its name."""
    from watchfiles import Change, watch

    present = _present(folders)
    if not present:
        yield contents.look()
        return
    first = True
    for changes in watch(
        *present,
        watch_filter=None,
        stop_event=stop,
        raise_interrupt=False,
        rust_timeout=int(LOOK * 1000),
        yield_on_timeout=True,
    ):
        # What was saved before the folders were followed is seen by looking at all of it.
        yield contents.look() if first else contents.differ(Path(path) for _, path in changes)
        first = False
        removed = {Path(path) for change, path in changes if change is Change.deleted}
        if not removed.isdisjoint(folders) or _present(folders) != present:
            return


def watch_tests(paths: Sequence[str], words: Sequence[str]) -> int:
    """Run `heddle` with these words at once, and again after each save below these paths, until Ctrl-C.

    Each round is a process of its own, so modules of Python are read anew. Return the last exit code.
    """
    places = {Path(path).resolve() for path in paths}
    # A file that an editor replaces is watched by its folder.
    folders = sorted({each if each.is_dir() else each.parent for each in places})
    contents = Contents(folders)
    saves: SimpleQueue[None] = SimpleQueue()
    stop = Event()

    def follow() -> None:
        while not stop.is_set():
            for changed in _changed(folders, contents, stop):
                if changed:
                    saves.put(None)
            stop.wait(LOOK)

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
