"""CSV files of all sorts mean what their JSON says."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from heddle.specs.model.json_text import decode
from tests.conformance.data import files, needed
from tests.support import running

WRONG = {"location_coordinates": "its JSON has another phone number than its CSV"}
TESTS = [file for file in files("csv-spectrum", "csvs/*.csv") if file.stem not in WRONG]


def meant(file: Path) -> tuple[bytes, list[Any]]:
    """Return the text of a file, and the rows that it means."""
    said = decode((file.parent.parent / "json" / f"{file.stem}.json").read_bytes())
    return file.read_bytes(), said if isinstance(said, list) else [said]


@pytest.mark.anyio
@pytest.mark.parametrize("file", TESTS, ids=lambda file: file.stem)
async def test_a_file_means_what_its_json_says(file: Path) -> None:
    data, wanted = meant(file)
    async with running("- {kind: csv, name: t}\n- {kind: csv, name: f, op: format}\n") as rt:
        rows = await rt.send("t", data)
        assert msgspec.to_builtins(rows) == wanted
        assert await rt.send("t", await rt.send("f", rows)) == wanted


def test_the_files_are_here() -> None:
    assert len(list(needed("csv-spectrum").glob("csvs/*.csv"))) > 10
