"""What Python takes for equal is not always the same: types of numbers count, the order of keys does not."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heddle.schemas.link import Link
from heddle.specs.model.spec import Binding, Spec
from heddle.specs.model.strict_eq import identical
from heddle.specs.stores.contract_story import AWKWARD, spec, value

PAIRS = [(1, True), (0, False), (1, 1.0), (1.0, True), (2**70, float(2**70))]


@pytest.mark.parametrize(("one", "other"), PAIRS)
@pytest.mark.parametrize(
    "around", [lambda x: x, lambda x: [x], lambda x: {"a": {"b": [0, x]}}, lambda x: (b"", x)]
)
def test_numbers_of_another_type_are_something_else(one: Any, other: Any, around: Any) -> None:
    assert one == other
    assert not identical(around(one), around(other))
    assert identical(around(one), around(copy.deepcopy(one)))


def test_the_order_of_keys_does_not_count() -> None:
    assert identical({"a": 1, "b": [2**80]}, {"b": [2**80], "a": 1})
    assert identical({"a": 1, "b": 2}, {"b": 2, "a": 1})
    assert not identical({"a": 1, "b": 2}, {"b": 2, "a": True})


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_a_spec_or_a_value_that_says_it_otherwise_is_another(one: Any, other: Any) -> None:
    assert spec("a", fields={"x": one}) != spec("a", fields={"x": other})
    assert value("a", [one]) != value("a", [other])
    asked = [spec("a", env={"X": Binding(data={"deep": each})}) for each in (one, other, one)]
    assert asked[0] != asked[1]
    assert asked[0] == asked[2]


def test_equal_specs_are_equal_whatever_they_hold() -> None:
    def made() -> Spec:
        return spec("a", fields=copy.deepcopy(AWKWARD), ports={"out": (Link("b"),)})

    assert made() == made()


_DATA: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner),
    max_leaves=8,
)


def said(data: Any) -> Any:
    """Return the data with the type of each leaf written beside it."""
    if isinstance(data, dict):
        return {key: said(item) for key, item in data.items()}
    if isinstance(data, list):
        return [said(item) for item in data]
    return type(data).__name__, data


@given(_DATA, _DATA)
def test_identical_is_equal_with_types(one: Any, other: Any) -> None:
    assert identical(one, other) == (said(one) == said(other))
    assert identical(one, copy.deepcopy(one))
