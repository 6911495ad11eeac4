"""A Body says a Spec or a Value in JSON, whatever is in it."""

import datetime
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heddle.schemas.errors import SpecError, StoreError
from heddle.specs.model.body import body_of, kept, resource_of
from heddle.specs.model.spec import Spec
from heddle.specs.model.value import Value
from heddle.specs.stores.contract_story import AWKWARD, spec, value

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
TAGS = st.sampled_from(["!!binary", "!!float", "!!map", "!!", "!!x"])
DATA: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(TEXT | TAGS, inner),
    max_leaves=20,
)


@given(DATA)
def test_whatever_data_there_is_comes_back_as_it_was(data: Any) -> None:
    read = resource_of("value", body_of(value("v", data)))
    assert isinstance(read, Value)
    assert read.data == data
    assert repr(read.data) == repr(data)


@given(st.dictionaries(TEXT.filter(lambda key: key not in Spec.__struct_fields__), DATA))
def test_fields_come_back_in_their_order(fields: dict[str, Any]) -> None:
    read = resource_of("spec", body_of(spec("s", fields=fields)), 7)
    assert isinstance(read, Spec)
    assert (read, read.revision) == (spec("s", fields=fields), 7)
    assert list(read.fields) == list(fields)


def test_numbers_that_json_does_not_have_are_kept() -> None:
    read = resource_of("value", body_of(value("v", [math.inf, -math.inf, math.nan, -0.0, 2**80])))
    assert isinstance(read, Value)
    assert read.data[:2] == [math.inf, -math.inf]
    assert math.isnan(read.data[2])
    assert (str(read.data[3]), read.data[4]) == ("-0.0", 2**80)


def test_what_is_kept_is_what_will_be_read() -> None:
    made, body = kept(spec("s", fields={"pair": (1, 2), **AWKWARD}))
    assert made == resource_of("spec", body)
    assert made == spec("s", fields={"pair": [1, 2], **AWKWARD})


@pytest.mark.parametrize(
    ("resource", "told"),
    [
        (
            value("v", {"at": [datetime.date(2024, 1, 1)]}),
            r"v\.data\.at\[0\] is a date \(expected: text",
        ),
        (value("v", "\ud800"), "half of a character pair"),
        (spec("two\nlines"), "cannot be kept"),
        (spec("s", fields={"id": "x"}), "cannot be kept"),
    ],
)
def test_what_cannot_be_kept_is_rejected_before_it_is_written(resource: Any, told: str) -> None:
    with pytest.raises(StoreError, match=told):
        kept(resource)


def test_what_no_heddle_wrote_is_told() -> None:
    with pytest.raises(SpecError, match="no kind"):
        resource_of("spec", '{"name": "x"}')
