"""The commands of docs/postgres.md print what the page shows, of a store in a real database."""

from pathlib import Path
from uuid import uuid4

import pytest

from tests.cli.support import heddle
from tests.docs.fences import ROOT, fences
from tests.docs.test_blocks import commands, settled
from tests.postgres import server
from tests.specs.stores.postgres.databases import dropped, in_schema

PAGE = ROOT / "docs" / "postgres.md"


def test_the_page_tells_what_happens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    schema = f"t{uuid4().hex[:20]}"
    url = in_schema(server(), schema)
    shown = heddle("store", "show", "--json", "--store", url).stdout
    ours = shown.partition('"url": "')[2].partition('"')[0]
    try:
        with settled(PAGE, tmp_path, monkeypatch):
            for one in fences(PAGE):
                if "database" not in one.words:
                    continue
                [words] = commands(one)
                result = heddle(*(url if "://" in word else word for word in words))
                said = result.output.replace(ours, "postgresql://db/flows").replace(
                    schema, "heddle"
                )
                assert said.strip() == one.code.partition("\n")[2].strip(), one.place
    finally:
        dropped(schema)
