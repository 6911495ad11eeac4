"""What `heddle schema` gives flags nothing that is shipped: no example, and no flow of a page."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner
from ruamel.yaml import YAML

from heddle.cli.main import cli
from tests.docs.fences import ROOT, Fence, every

EXAMPLES = sorted(path for path in (ROOT / "examples").rglob("*.yaml"))
BLOCKS = [one for one in every("yaml") if "problem" not in one.words]
KINDS_OF_PAGES = frozenset({"shout", "count-words"})
"""Kinds that the Python of a page, or of an example, makes."""


@cache
def validator() -> jsonschema.Draft7Validator:
    """Return the validator of what `heddle schema` prints."""
    result = CliRunner().invoke(cli, ["schema"], prog_name="heddle")
    assert result.exit_code == 0, result.output
    return jsonschema.Draft7Validator(json.loads(result.output))


def flags(text: str) -> list[str]:
    """Return what an editor would say about a text."""
    reader: Any = YAML(typ="safe", pure=True)
    reader.version = (1, 2)
    found: list[str] = []
    for document in reader.load_all(text):
        entries = document if isinstance(document, list) else [document]
        known = [
            entry
            for entry in entries
            if not isinstance(entry, dict) or entry.get("kind") not in KINDS_OF_PAGES
        ]
        errors = validator().iter_errors(known) if known and document is not None else ()
        found += [f"{error.json_path}: {error.message[:200]}" for error in errors]
    return found


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_shipped_example_is_flagged(file: Path) -> None:
    assert flags(file.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("one", BLOCKS, ids=lambda one: one.place)
def test_no_flow_of_a_page_is_flagged(one: Fence) -> None:
    assert flags(one.code) == []


def test_what_is_wrong_is_flagged() -> None:
    assert flags("- {kind: listener, nome: x}")
