"""A document is what someone wrote in one text: read it, and know the line of everything in it.

One entry (a mapping), a list of entries, several `---` documents, YAML 1.2 or JSON. An entry with
`kind` is a Spec; an entry with `data` and no `kind` is a Value; anything else is a Problem. An
entry without an id gets one that is the same whenever it is read again: from its namespace and
name, or, where it has no name, from its file, its kind and its number among the nameless ones.
"""

import os
import sys
from collections.abc import Iterable, Sequence
from hashlib import sha1
from pathlib import Path as FilePath
from typing import Any, Literal, TypeAlias
from uuid import UUID

import msgspec

from heddle.specs import names
from heddle.specs.entry import data_of, found_type, sort_of, spec_of, value_of
from heddle.specs.problem import Place, Problem
from heddle.specs.spec import DEFAULT_NAMESPACE, Path, Spec, dotted
from heddle.specs.syntax import Fault, Parsed, Places, Source, parse, resolve
from heddle.specs.value import Value

SUFFIXES = (".yaml", ".yml", ".json")
"""The files of a folder that are read."""

Only: TypeAlias = Literal["specs", "values"] | None
"""What a text may hold: only Specs, only Values, or both."""

scalar = resolve
"""What a piece of text means when it stands unquoted in YAML 1.2: `8000` is a number."""


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What a text says. `whole` is false where some of it could not be read at all."""

    specs: tuple[Spec, ...] = ()
    values: tuple[Value, ...] = ()
    problems: tuple[Problem, ...] = ()
    whole: bool = True


def read_text(
    text: str | bytes,
    *,
    file: str = "",
    namespace: str = DEFAULT_NAMESPACE,
    only: Only = None,
    key: str | None = None,
) -> Reading:
    """Read a text; never raises for what it says: `problems` holds all that is wrong.

    `file` is what Problems call it. `namespace` is that of entries which name none. `key` is what
    ids of nameless entries are derived from (the file; without one, the text of the entry).
    An entry with a Problem is left out; the others are there.
    """
    if isinstance(text, bytes):
        decoded = _decode(text)
        if decoded is None:
            problem = Problem(
                code="syntax",
                found="bytes that are not UTF-8",
                wanted="UTF-8 (or UTF-16 with its mark)",
                place=Place(file),
            )
            return Reading(problems=(problem,), whole=False)
        text = decoded
    if text.startswith("\ufeff"):
        text = text[1:]
    parsed = parse(text)
    reader = _Reader(Source(text, file), namespace, only, file if key is None else key)
    return reader.read(parsed)


def read_path(
    path: str | os.PathLike[str],
    *,
    namespace: str = DEFAULT_NAMESPACE,
    only: Only = None,
) -> Reading:
    """Read a file, every `*.yaml`, `*.yml` and `*.json` of a folder, or standard input (`-`).

    What cannot be opened is a Problem. Names and ids are unique over everything that is read: the
    second one is a Problem that names both places.
    """
    if str(path) == "-":
        data = sys.stdin.buffer.read()
        return read_text(data, file="<stdin>", namespace=namespace, only=only, key="")
    root = FilePath(path)
    if not root.is_dir():
        return _read_file(root, os.path.normpath(path), namespace, only)
    readings = [
        _read_file(root / name, name, namespace, only) for name in files_below(os.fspath(path))
    ]
    return join(readings)


def _read_file(path: FilePath, key: str, namespace: str, only: Only) -> Reading:
    try:
        data = path.read_bytes()
    except OSError as error:
        return Reading(problems=(unreadable(str(path), error),), whole=False)
    key = key.replace(os.sep, "/")
    return read_text(data, file=str(path), namespace=namespace, only=only, key=key)


def unreadable(file: str, error: OSError) -> Problem:
    """The Problem of a file that cannot be opened."""
    reason = (error.strerror or str(error)).lower()
    return Problem(code="unreadable", found=f"cannot be read: {reason}", place=Place(file))


def is_spec_file(name: str) -> bool:
    """Whether a file of this name is read: by its suffix, and not hidden or an editor's own."""
    return name.endswith(SUFFIXES) and not name.startswith((".", "#", "~"))


def is_spec_folder(name: str) -> bool:
    """Whether a folder of this name is looked into."""
    return not name.startswith(".") and name not in ("__pycache__", "node_modules")


def files_below(root: str) -> list[str]:
    """The spec files below a folder, relative to it, sorted; links are followed, circles are not.

    OSError when the folder itself cannot be listed; folders below that cannot be are left out.
    """
    found: list[str] = []
    seen: set[tuple[int, int]] = set()

    def look(folder: str, prefix: str) -> None:
        status = os.stat(folder)
        if (status.st_dev, status.st_ino) in seen:
            return
        seen.add((status.st_dev, status.st_ino))
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.endswith(SUFFIXES):
                    if is_spec_file(entry.name) and not entry.is_dir():
                        found.append(prefix + entry.name)
                elif is_spec_folder(entry.name) and entry.is_dir():
                    try:
                        look(entry.path, f"{prefix}{entry.name}/")
                    except OSError:
                        continue

    look(root, "")
    found.sort()
    return found


def read_data(
    entries: Any,
    *,
    namespace: str = DEFAULT_NAMESPACE,
    only: Only = None,
    places: Places | None = None,
    key: str = "",
) -> Reading:
    """Read plain data, one entry or a list, as it comes from JSON over HTTP or from a field.

    `places` tells where the data stands, for a field of a Spec that holds Specs.
    """
    source = places.source if places is not None else Source("", "")
    reader = _Reader(source, namespace, only, key)
    reader.located = places is not None
    reader.document(entries, places.root if places is not None else ())
    return reader.done(whole=True)


def join(readings: Iterable[Reading]) -> Reading:
    """What several texts say together; the second use of an id or a name is a Problem."""
    specs: list[Spec] = []
    values: list[Value] = []
    problems: list[Problem] = []
    whole = True
    for reading in readings:
        specs.extend(reading.specs)
        values.extend(reading.values)
        problems.extend(reading.problems)
        whole = whole and reading.whole
    kept_specs, twice = unique(specs)
    kept_values, twice_values = unique(values)
    return Reading(
        specs=tuple(kept_specs),
        values=tuple(kept_values),
        problems=(*problems, *twice, *twice_values),
        whole=whole,
    )


def unique[T: (Spec, Value)](resources: Sequence[T]) -> tuple[Sequence[T], list[Problem]]:
    raise NotImplementedError


def _decode(data: bytes) -> str | None:
    wide = data[:2] in (b"\xff\xfe", b"\xfe\xff")
    try:
        return data.decode("utf-16" if wide else "utf-8")
    except UnicodeDecodeError:
        return None
