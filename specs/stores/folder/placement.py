"""Placement says which files of a folder may be written: those inside it, under names that every system takes."""

# Paths are text here, as the folder store has them.
# ruff: noqa: PTH112, PTH118, PTH120

import os
from hashlib import sha256

from heddle.specs.files.spec_names import SUFFIXES, is_spec_file, is_spec_folder

LONGEST_NAME = 220
"""Bytes of one name; file systems take 255, and what is written beside a file has a longer name."""

LONGEST_PATH = 1000
"""Bytes of a path below the folder."""

_STEM = 200
"""Bytes that the name of a file may take from that of its namespace."""

_DEVICES = frozenset(
    {"con", "prn", "aux", "nul", "conin$", "conout$"}
    | {f"{word}{number}" for word in ("com", "lpt") for number in "0123456789¹²³"}
)


def is_reserved(name: str) -> bool:
    """Return whether Windows keeps this name for a device, whatever its suffix."""
    return name.partition(".")[0].strip().lower() in _DEVICES


def illegal(path: str) -> str:
    """Return why no file of a folder may be called that; empty if one may."""
    if not path.isprintable() or _bytes(path) < 0:
        return "it holds characters that no name of a file should have"
    if _bytes(path) > LONGEST_PATH:
        return f"it is longer than {LONGEST_PATH} bytes"
    *folders, name = path.split("/")
    for part in (*folders, name):
        if not part or part != part.strip() or part.endswith("."):
            return f'"{part}" is not a name below the folder'
        if _bytes(part) > LONGEST_NAME:
            return f'"{part[:20]}…" is longer than {LONGEST_NAME} bytes'
        if any(sign in part for sign in '\\:*?"<>|'):
            return f'"{part}" holds one of \\ : * ? " < > |'
        if is_reserved(part):
            return f'"{part}" is the name of a device on Windows'
    for part in folders:
        if not is_spec_folder(part) or part.endswith(SUFFIXES):
            return f'"{part}" is not a folder in which specs are looked for'
    return "" if is_spec_file(name) else f'"{name}" is not the name of a spec file'


def outside(root: str, name: str) -> str:
    """Return why writing this file below the folder would go wrong; empty if it would not.

    A link inside the folder may be followed if it leads to a place inside the folder.
    """
    path = os.path.join(root, name)
    real, home = os.path.realpath(path), os.path.realpath(root)
    if os.path.commonpath([real, home]) != home or real == home:
        return "it leads out of the folder, through a link"
    folder = os.path.dirname(path)
    while len(folder) > len(root) and not os.path.isdir(folder):
        if os.path.lexists(folder):
            return f'"{os.path.relpath(folder, root)}" is not a folder'
        folder = os.path.dirname(folder)
    return "it is a folder" if os.path.isdir(path) else ""


def _bytes(text: str) -> int:
    """Return how many bytes the text has in UTF-8; -1 if it cannot be written in it."""
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        return -1


def home_of(namespace: str) -> str:
    """Return the file of a folder that a new Spec or Value of this namespace goes to."""
    stem = namespace.replace("/", "-")
    if len(stem.encode()) > _STEM or is_reserved(f"{stem}.yaml"):
        # A file system takes 255 bytes, and Windows keeps some names for itself.
        stem = f"{stem.encode()[:_STEM].decode(errors='ignore')}-{sha256(namespace.encode()).hexdigest()[:8]}"
    return f"{stem}.yaml"
