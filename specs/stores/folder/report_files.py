"""A Noticeboard keeps the Reports of runtimes as files of a folder, one each, whole at every moment.

    {"runtime": ..., "seen": ...}   the Report, without its symbols
    {"id": ..., "state": ...}       a line for each of its symbols

It works in a thread: a disk may be slow, and a Report may name many symbols.
"""

# Paths are text here, as the folder store has them.
# ruff: noqa: PTH102, PTH105, PTH108, PTH112, PTH118, PTH208

import os
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final
from urllib.parse import quote

import msgspec

from heddle.schemas.errors import StoreError
from heddle.specs.files.spare import SPARE
from heddle.specs.model.report import Report
from heddle.specs.model.symbol_status import SymbolStatus
from heddle.specs.stores.folder.state_folder import FOLDER_MODE, write_private

_SUFFIX = ".json"

SOME: Final = 50
"""Symbols that are encoded at once."""

SIZE: Final = 32 * 1024
"""Bytes that are decoded at once, about."""

_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(SymbolStatus)


class Noticeboard:
    """The Reports below one folder. What is left of runtimes that are gone is cleared away.

    The folder is made inside of the state folder, which is never made here.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def put(self, report: Report) -> None:
        """Keep this Report in the place of the one before; raise StoreError if it cannot be written."""
        path = self._path(report.runtime)
        part = f"{path}.part"
        try:
            SPARE.attempt(lambda: self._write(part, report))
            os.replace(part, path)
        except OSError as error:
            with suppress(OSError):
                os.unlink(part)
            raise StoreError(
                f"{path} cannot be written: {(error.strerror or str(error)).lower()}"
            ) from error

    def _write(self, part: str, report: Report) -> None:
        if not os.path.isdir(self.folder):
            # Another runtime may begin at this moment.
            with suppress(FileExistsError):
                os.mkdir(self.folder, FOLDER_MODE)
        # In pieces: an encoder holds all threads of Python until it is done.
        head = msgspec.structs.replace(report, symbols=())
        write_private(part, _ENCODER.encode(head) + b"\n", more=_lines(report.symbols))

    def drop(self, runtime: str) -> None:
        """Take the Report of a runtime away; nothing if there is none."""
        with suppress(OSError):
            os.unlink(self._path(runtime))

    def all(self, namespace: str | None = None) -> Sequence[Report]:
        """Return the Reports of a namespace (None: of all) whose runtimes are not gone."""
        try:
            names = sorted(SPARE.attempt(lambda: os.listdir(self.folder)))
        except OSError:
            return []
        now, host = time.time(), socket.gethostname()
        reports: list[Report] = []
        for name in names:
            path = os.path.join(self.folder, name)
            report = _read(path) if name.endswith(_SUFFIX) else None
            if report is None:
                continue
            if report.late(now) or (report.host == host and not _alive(report.pid)):
                with suppress(OSError):
                    os.unlink(path)
            elif namespace in (None, report.namespace):
                reports.append(report)
        return reports

    def _path(self, runtime: str) -> str:
        name = quote(runtime, safe="").replace(".", "%2E")
        return os.path.join(self.folder, name + _SUFFIX)


def _read(path: str) -> Report | None:
    """Return a Report; None if the file is gone, or is none."""
    try:
        return SPARE.attempt(lambda: _read_lines(path))
    except (OSError, msgspec.DecodeError):
        return None


def _read_lines(path: str) -> Report:
    symbols: list[SymbolStatus] = []
    with Path(path).open("rb") as file:
        report = msgspec.json.decode(file.readline(), type=Report)
        while lines := file.readlines(SIZE):
            symbols += _DECODER.decode_lines(b"".join(lines))
    return msgspec.structs.replace(report, symbols=tuple(symbols)) if symbols else report


def _lines(symbols: Sequence[SymbolStatus]) -> Iterator[bytes]:
    """Yield the lines of these symbols, some at a time."""
    for first in range(0, len(symbols), SOME):
        yield _ENCODER.encode_lines(symbols[first : first + SOME])


def _alive(pid: int) -> bool:
    """Return whether there is a process of this number; 0 is that nobody knows."""
    if pid <= 0 or os.name != "posix":
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
