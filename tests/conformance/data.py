"""Where the public conformance data is: outside of the project, which holds no copy of it."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def folder(name: str) -> Path | None:
    """Return a folder of the data; None if it is not here."""
    place = os.environ.get("HEDDLE_CONFORMANCE")
    data = Path(place) if place else ROOT.parent / "shared" / "data"
    found = data / name
    return found if found.is_dir() else None


def files(name: str, pattern: str) -> list[Path]:
    """Return the files of a folder of the data, in order; none if it is not here."""
    found = folder(name)
    return sorted(found.glob(pattern)) if found is not None else []


def needed(name: str) -> Path:
    """Return a folder of the data; skip the test without it, except in CI, if that fails it."""
    found = folder(name)
    if found is not None:
        return found
    reason = f"{name} is not here: HEDDLE_CONFORMANCE names the folder of the conformance data"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
