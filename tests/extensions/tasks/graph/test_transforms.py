"""Each transform changes a value, says which type it makes, and fails in words."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heddle.extensions.extension import FieldError, NodeError
from heddle.extensions.tasks.graph.transforms import TRANSFORMS, Transform
from heddle.schemas.types.comparison import compare_types
from heddle.schemas.types.fit import Fit
from heddle.schemas.types.mistakes import list_mistakes

CASES: list[tuple[Any, Any, Any]] = [
    ({"id": "pick", "path": "a.b[1]"}, {"a": {"b": [1, 2]}}, 2),
    ({"id": "pick", "path": "[1].a"}, [{"a": 1}, {"a": 2}], 2),
    ({"id": "pick", "path": "[-1]"}, [1, 2], 2),
    ({"id": "pick", "path": '["a b"].c'}, {"a b": {"c": 3}}, 3),
    ({"id": "index", "index": -1}, [1, 2], 2),
    ({"id": "coalesce", "defaultValue": 0}, None, 0),
    ({"id": "coalesce", "defaultValue": 0}, 5, 5),
    ("uppercase", "aß", "ASS"),
    ("lowercase", "ÄB", "äb"),
    ({"id": "truncate", "max": 2}, "abc", "ab"),
    ({"id": "substring", "start": 1, "end": 3}, "abcd", "bc"),
    ({"id": "substring"}, "abcd", "abcd"),
    ("unixToIsoDate", 0, "1970-01-01T00:00:00.000Z"),
    ({"id": "unixToIsoDate", "unit": "ms"}, 1500, "1970-01-01T00:00:01.500Z"),
    ("isoDateToUnix", "1970-01-01T00:01:00Z", 60),
    ({"id": "isoDateToUnix", "params": {"unit": "ms"}}, "1970-01-01T00:00:00.5+00:00", 500),
    ("numberToString", 2.0, "2"),
    ("numberToString", 2.5, "2.5"),
    ("toBoolean", "No", False),
    ("toBoolean", "x", True),
    ("toBoolean", 0, False),
    ("stringify", {"a": [1, None]}, '{"a":[1,null]}'),
    ("parseJson", '{"a": 1}', {"a": 1}),
]


@pytest.mark.parametrize(("written", "value", "expected"), CASES)
def test_it_makes_of_a_value_what_it_says(written: Any, value: Any, expected: Any) -> None:
    transform = Transform.read(written)
    made = transform.apply(value)
    assert made == expected
    assert type(made) is type(expected)
    type_ = transform.makes(None)
    assert type_ is None or not list_mistakes(made, dict(type_))
    assert Transform.read(transform.written()) == transform


def test_there_are_the_thirteen() -> None:
    assert len(TRANSFORMS) == 13
    assert {Transform.read(written).id for written, _, _ in CASES} == set(TRANSFORMS)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("uppercase", 1),
        ({"id": "index", "index": 5}, [1]),
        ({"id": "index", "index": 0}, {}),
        ({"id": "pick", "path": "a"}, {}),
        ("unixToIsoDate", 1e30),
        ("isoDateToUnix", "yesterday"),
        ("numberToString", True),
        ("parseJson", "{"),
        ("stringify", object()),
    ],
)
def test_a_value_that_it_cannot_change_is_a_failure_in_words(written: Any, value: Any) -> None:
    with pytest.raises(NodeError) as failed:
        Transform.read(written).apply(value)
    assert failed.value.error.message
    assert "object at 0x" not in failed.value.error.message


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("upper", 'no transform "upper"'),
        ({"id": "truncate"}, "missing"),
        ({"id": "truncate", "max": "x"}, 'the text "x"'),
        ({"id": "truncate", "max": 1, "mx": 1}, 'truncate has no parameter "mx"'),
        ({"id": "unixToIsoDate", "unit": "h"}, 'the text "h"'),
        ({"id": "pick", "path": "a["}, '"a[" cannot be read from "[" on'),
        ({"path": "a"}, "a transform without id"),
        (3, "the number 3"),
    ],
)
def test_what_is_not_a_transform_is_a_problem(written: Any, found: str) -> None:
    with pytest.raises(FieldError) as failed:
        Transform.read(written)
    assert failed.value.found == found


def test_a_part_has_the_type_of_the_part() -> None:
    source = {"type": "object", "properties": {"a": {"type": "array", "items": {"type": "string"}}}}
    assert Transform.read({"id": "pick", "path": "a[0]"}).makes(source) == {"type": "string"}
    first = Transform.read({"id": "pick", "path": "[0].a"})
    assert first.makes({"type": "array", "items": source}) == source["properties"]["a"]
    assert (first.accepts, Transform.read({"id": "pick", "path": "a[0]"}).accepts) == (
        {"type": "array"},
        {"type": "object"},
    )
    assert Transform.read({"id": "index", "index": 2}).makes({"type": "array", "items": {}}) == {}


@given(st.text(max_size=20), st.integers(0, 10), st.integers(0, 10))
def test_texts_stay_texts(text: str, one: int, two: int) -> None:
    for written in (
        {"id": "truncate", "max": one},
        {"id": "substring", "start": one, "end": two},
        "uppercase",
        "lowercase",
    ):
        transform = Transform.read(written)
        assert isinstance(transform.apply(text), str)
        made = transform.makes({"type": "string"})
        assert made is not None
        assert compare_types(dict(made), {"type": "string"}) is Fit.FITS
