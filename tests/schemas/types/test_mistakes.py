"""Every mistake of a value is listed by its path."""

from typing import Any

import msgspec
import pytest

from heddle.schemas.types.effort import EffortError, at_most
from heddle.schemas.types.keywords import lister
from heddle.schemas.types.mistakes import MORE, MistakeList, list_mistakes


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


def test_an_expression_that_is_not_linear_is_an_error() -> None:
    with pytest.raises(ValueError, match="looks ahead, behind or back"):
        list_mistakes(1, {"items": {"pattern": "(?=a)b"}})


def test_a_list_that_is_not_whole_says_so() -> None:
    value = {"day": "2026-11-30", "rows": [{"net": "x"}] * 20}
    assert MORE not in list_mistakes(value, ROWS, most=20)
    value["rows"].append({"net": "x"})
    assert list_mistakes(value, ROWS, most=20)[-1] == MORE


def test_names_in_quotes_are_missing_by_their_names() -> None:
    [mistake] = list_mistakes({}, {"required": ['it\'s "so"']})
    assert mistake.path == ('it\'s "so"',)


def test_a_check_ends_when_its_time_is_over() -> None:
    numbers: list[int] = list(range(100_000))
    listing = MistakeList({"items": {"type": "integer"}})
    errors = lister()({"items": {"type": "integer"}}).iter_errors([*numbers, "x"])
    with at_most(0.01):
        assert listing.of(errors) == [MORE]
    with at_most(0.01), pytest.raises(EffortError):
        listing.of(lister()({"items": {"type": "integer"}}).iter_errors(numbers), cut=False)


@pytest.mark.parametrize(
    ("schema", "value", "places"),
    [
        ({"properties": {"a": {}}, "unevaluatedProperties": False}, {"a": 1, "b": 1}, [()]),
        (
            {"allOf": [{"properties": {"a": {}}}], "unevaluatedProperties": {"type": "string"}},
            {"a": 1, "b": 1, "c": "x"},
            [("b",)],
        ),
        ({"properties": {"a": False}}, {"a": 1}, [("a",)]),
        ({"prefixItems": [{}], "unevaluatedItems": False}, [1, 2, 3], [(1,), (2,)]),
        ({"contains": {"type": "string"}, "unevaluatedItems": False}, ["a", 2], [(1,)]),
    ],
)
def test_what_no_keyword_allows_is_a_mistake_at_its_path(
    schema: dict[str, Any], value: Any, places: list[Any]
) -> None:
    assert [each.path for each in list_mistakes(value, schema)] == places
