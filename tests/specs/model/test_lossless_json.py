"""Data as JSON that loses nothing."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heddle.specs.model.lossless_json import MarkError, marked, unmarked

KEYS = st.sampled_from(["a", "$bytes", "$float", "$map", "$other", ""]) | st.text(max_size=5)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=20,
)


def same(one: Any, other: Any) -> bool:
    """Return whether two pieces of data are the same, NaN included."""
    if isinstance(one, float) and isinstance(other, float):
        return one == other or (math.isnan(one) and math.isnan(other))
    if isinstance(one, dict) and isinstance(other, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and bool(one == other)


@given(PLAIN)
def test_what_goes_through_json_is_the_same_again(data: Any) -> None:
    text = json.dumps(marked(data), allow_nan=False)
    assert same(unmarked(json.loads(text)), data)


def test_what_json_can_say_is_not_marked() -> None:
    data = {"a": [1, None, {"$other": 1}, {"$bytes": 1, "more": 2}], "b": 0.5}
    assert marked(data) == data


@pytest.mark.parametrize(
    "data",
    [{"$bytes": 1}, {"$bytes": "%"}, {"$float": "one"}, {"$float": 1}, {"$map": []}, [{"$map": 1}]],
)
def test_a_mark_that_says_nothing_is_told(data: Any) -> None:
    with pytest.raises(MarkError, match=r"^\$"):
        unmarked(data)
