"""Every mistake of a value is listed by its path."""

from typing import Any

import msgspec
import pytest

from heddle.schemas.types.mistakes import list_mistakes


class Row(msgspec.Struct):
    net: float
    count: int = 0


ROWS: dict[str, Any] = {
    "type": "object",
    "properties": {
        "rows": {"type": "array", "items": {"$ref": "#/$defs/Row"}},
        "day": {"type": "string", "minLength": 8},
        "limit": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
    },
    "required": ["day"],
    "additionalProperties": False,
    "$defs": msgspec.json.schema(Row)["$defs"],
}


def test_a_valid_value_has_no_mistakes() -> None:
    assert list_mistakes({"day": "2026-11-30", "rows": [{"net": 1}], "limit": None}, ROWS) == []


def test_all_mistakes_are_listed_together() -> None:
    value = {"rows": [{"net": "x"}, {"count": 1.5}], "limit": "many", "extra": 1}
    assert [str(each) for each in list_mistakes(value, ROWS)] == [
        "the value: unknown property extra (expected: one of rows, day and limit)",
        "day: missing (expected: string)",
        'limit: the text "many" (expected: integer or null)',
        'rows[0].net: the text "x" (expected: number)',
        "rows[1].count: the number 1.5 (expected: integer)",
        "rows[1].net: missing (expected: number)",
    ]
    assert [str(each) for each in list_mistakes({"day": "x"}, ROWS)] == [
        'day: the text "x" (expected: string, min length 8)'
    ]


def test_the_list_ends_somewhere() -> None:
    value = {"day": "2026-11-30", "rows": [{"net": "x"}] * 500}
    assert len(list_mistakes(value, ROWS, most=20)) == 20


def test_a_schema_that_is_not_valid_is_an_error() -> None:
    with pytest.raises(ValueError, match="the schema is not valid"):
        list_mistakes(1, {"type": "nonsense"})
