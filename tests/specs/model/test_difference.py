"""A Difference names each field and each port that differs, and nothing else."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heddle.schemas.link import Link
from heddle.specs.model.difference import ABSENT, difference
from heddle.specs.stores.contract_story import spec, value


def told(before: Any, after: Any) -> dict[str, tuple[Any, Any]]:
    return {each.at: (each.before, each.after) for each in difference(before, after).details}


def test_a_field_that_differs_is_named_with_both_sides() -> None:
    before = spec("a", "router", fields={"routes": [{"path": "/a", "port": "out[0]"}], "same": 1})
    after = spec("a", "router", fields={"routes": [{"path": "/b"}, {"path": "/c"}], "same": 1})
    assert told(before, after) == {
        "routes[0].path": ("/a", "/b"),
        "routes[0].port": ("out[0]", ABSENT),
        "routes[1]": (ABSENT, {"path": "/c"}),
    }
    assert difference(before, after).action == "updated"


def test_links_are_told_apart_by_their_targets_not_by_their_numbers() -> None:
    before = spec("a", ports={"out": (Link("x"), Link("y"))})
    after = spec("a", ports={"out": (Link("y"), Link("z")), "error": (Link("x"),)})
    assert told(before, after) == {
        "ports.out.x.in": ({"name": "x", "port": "in"}, ABSENT),
        "ports.out.z.in": (ABSENT, {"name": "z", "port": "in"}),
        "ports.error": (ABSENT, {"x.in": {"name": "x", "port": "in"}}),
    }


def test_another_order_of_links_is_a_difference() -> None:
    before = spec("a", ports={"out": (Link("x"), Link("y"), Link("x"))})
    after = spec("a", ports={"out": (Link("y"), Link("x"), Link("x"))})
    assert list(told(before, after)) == ["ports.out"]


def test_what_comes_and_what_goes_has_no_details() -> None:
    assert difference(None, spec("a")).action == "created"
    assert difference(value("a", 1), None).action == "deleted"
    assert difference(spec("a"), spec("a")).action == "unchanged"
    assert difference(spec("a"), spec("b", id=spec("a").id)).details


@pytest.mark.parametrize(("old", "new"), [(1, True), (0, False), ("1", 1), (None, ""), ([], {})])
def test_what_python_takes_for_equal_differs_all_the_same(old: Any, new: Any) -> None:
    assert told(spec("a", fields={"x": old}), spec("a", fields={"x": new})) == {"x": (old, new)}


_DATA = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from(["", "a", "b"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner),
    max_leaves=8,
)
_FIELDS = st.dictionaries(st.sampled_from(["f", "g", "h"]), _DATA)
_PORTS = st.dictionaries(
    st.sampled_from(["out", "error"]),
    st.lists(st.sampled_from([Link("x"), Link("y"), Link("x", None, "side")]), min_size=1).map(
        tuple
    ),
)


@given(_FIELDS, _FIELDS, _PORTS, _PORTS)
def test_there_are_details_just_where_two_specs_say_different_things(
    old: dict[str, Any], new: dict[str, Any], links: Any, relinked: Any
) -> None:
    before, after = spec("a", fields=old, ports=links), spec("a", fields=new, ports=relinked)
    same = repr((before.fields, before.ports)) == repr((after.fields, after.ports))
    if not difference(before, after).details:
        assert before == after
    if same:
        assert not difference(before, after).details
