"""JSON Schema: the official suite of draft 2020-12 goes through the node, with both libraries."""

import json
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from heddle.extensions.net.validation import schema_validator
from heddle.extensions.net.validation.formats import FORMATS
from heddle.extensions.net.validation.validate_node import ValidateNode
from heddle.runtime.assembly.extension import Registry, registry
from heddle.runtime.flow.errors import NodeError
from heddle.runtime.flow.node import Action
from heddle.specs.model.spec import Spec
from tests.conformance.data import files, needed

SUITE = files("json-schema-test-suite", "draft2020-12/*.json")
FORMAT_SUITE = [
    file
    for file in files("json-schema-test-suite", "draft2020-12/optional/format/*.json")
    if file.stem in FORMATS
]

_IDNA = "validation of A-label (punycode) host names"
"""Names of hosts are checked as ASCII: whether an A-label is one that IDNA 2008 allows is not looked at."""


@pytest.fixture(params=["jsonschema-rs", "jsonschema"])
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Decide by one of the two libraries."""
    assert schema_validator.rust is not None
    if request.param == "jsonschema":
        monkeypatch.setattr(schema_validator, "rust", None)
    return str(request.param)


@cache
def remotes() -> dict[str, Any]:
    """Return the schemas that the suite expects at http://localhost:1234, by URI."""
    root = needed("json-schema-test-suite") / "remotes"
    return {
        f"http://localhost:1234/{file.relative_to(root).as_posix()}": json.loads(file.read_bytes())
        for file in root.rglob("*.json")
    }


@cache
def kinds() -> Registry:
    return registry([])


def fits(action: Action, value: Any) -> bool:
    """Return whether the node sends a value on; what it rejects has mistakes."""
    try:
        action.fn(value)
    except NodeError as error:
        if error.error.code != "invalid" or not error.error.data:
            raise
        return False
    return True


def verdicts(file: Path, *, formats: bool) -> list[str]:
    """Return the tests of a file that the node does not decide as they say."""
    wrong: list[str] = []
    for case in json.loads(file.read_bytes()):
        fields = {"schema": case["schema"], "schemas": remotes(), "formats": formats}
        spec = Spec(id=UUID(int=1), kind="validate", name="it", fields=fields)
        node = kinds().scheme.compile(spec)
        assert isinstance(node, ValidateNode)
        action = node.handler("in")
        assert isinstance(action, Action)
        for test in case["tests"]:
            valid = fits(action, test["data"])
            if valid != test["valid"] and not (case["description"] == _IDNA and valid):
                wrong.append(f"{case['description']}: {test['description']}")
    return wrong


@pytest.mark.parametrize("file", SUITE, ids=lambda file: file.stem)
def test_the_node_decides_as_the_suite_says(file: Path, engine: str) -> None:
    assert verdicts(file, formats=False) == []


@pytest.mark.parametrize("file", FORMAT_SUITE, ids=lambda file: file.stem)
def test_formats_are_checked_as_the_suite_says(file: Path, engine: str) -> None:
    assert verdicts(file, formats=True) == []


def test_the_suite_is_here() -> None:
    needed("json-schema-test-suite")
    assert len(SUITE) > 40
    assert len(FORMAT_SUITE) == len(FORMATS)
