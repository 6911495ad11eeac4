"""A reference is read and written the same way, and takes the part that it names."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heddle.extensions.extension import NodeError
from heddle.extensions.tasks.graph.reference import (
    Reference,
    ReferenceSyntaxError,
    getter,
    parse_reference,
)

NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_-]{0,8}", fullmatch=True)
STEPS = st.one_of(
    NAMES, st.integers(-99, 99), st.text(alphabet="ab c.[]'é", min_size=1, max_size=5)
)


@given(source=NAMES, path=st.lists(STEPS, max_size=4))
def test_what_is_written_is_read_back(source: str, path: list[str | int]) -> None:
    reference = Reference(source, tuple(path))
    assert parse_reference(str(reference)) == reference


@pytest.mark.parametrize("text", ["", "1a", ".a", "a.", "a[", "a[x]", "a..b", "a b", 'a["b]'])
def test_a_text_that_is_no_reference_says_where_it_goes_wrong(text: str) -> None:
    with pytest.raises(ReferenceSyntaxError):
        parse_reference(text)


def test_it_knows_inputs_the_run_and_errors() -> None:
    assert parse_reference("in.day").of_input
    assert parse_reference("run.id").of_run
    assert parse_reference("load.error.message").of_error
    assert not parse_reference("in.error").of_error


@given(
    value=st.recursive(
        st.integers(),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
        ),
        max_leaves=10,
    ),
    path=st.lists(st.one_of(st.sampled_from("abc"), st.integers(-3, 3)), min_size=1, max_size=3),
)
def test_a_getter_goes_the_way_of_the_path_or_fails(value: Any, path: list[str | int]) -> None:
    expected: Any = value
    there = True
    for step in path:
        fits = isinstance(expected, list) if isinstance(step, int) else isinstance(expected, dict)
        try:
            expected = expected[step] if fits else expected.nothing
        except (LookupError, AttributeError):
            there = False
            break
    get = getter(path, "x")
    assert get is not None
    if there:
        assert get(value) == expected
    else:
        with pytest.raises(NodeError) as failed:
            get(value)
        assert failed.value.error.code == "missing"
