"""Segments of routes: which texts a parameter takes, and what is wrong with a path."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heddle.extensions.net.http.path import segments_of
from heddle.extensions.net.route_segment import (
    RouteSegmentError,
    parse_path,
    read_integer,
    read_number,
    read_uuid,
    template_of,
)
from heddle.extensions.net.routes import Routes


@given(st.integers(-(2**63), 2**63 - 1))
def test_every_integer_of_64_bits_is_read_as_it_is_written(value: int) -> None:
    assert read_integer(str(value)) == value


@pytest.mark.parametrize(
    "text",
    ["", "-", "007", "+7", "-0", "1.0", "1e3", " 1", "1 ", "٣", "9223372036854775808", "1" * 5000],
)
def test_another_spelling_is_not_an_integer(text: str) -> None:
    assert read_integer(text) is None


@given(st.decimals(-(10**15), 10**15, places=3, allow_nan=False))
def test_decimals_are_numbers(value: object) -> None:
    assert read_number(str(value)) == float(str(value))


@pytest.mark.parametrize("text", ["", "nan", "inf", "1.", ".5", "1e5", "0x1", "1_0"])
def test_another_spelling_is_not_a_number(text: str) -> None:
    assert read_number(text) is None


@given(st.uuids())
def test_a_uuid_has_small_letters_whatever_came(value: UUID) -> None:
    assert read_uuid(str(value).upper()) == str(value)
    assert read_uuid(value.hex) is None
    assert read_uuid(f"{{{value}}}") is None


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/{", '"{" has a brace alone'),
        ("/a}", '"a}" has a brace alone'),
        ("/{}", '"{}" has no name'),
        ("/{1}", '"{1}" has no name'),
        ("/{a:int}", '"int" is not a type of a parameter'),
        ("/{a}{b}", '"{a}{b}" has two parameters'),
        ("/:a{b}", '":a{b}" has two parameters'),
        ("/:", '":" has a colon without a name'),
        ("/x{a:path}", '"x{a:path}" has text beside a path'),
        ("/{a:path}/b", '"{a:path}" takes the rest of the path'),
    ],
)
def test_what_is_wrong_with_a_path_is_named(path: str, found: str) -> None:
    with pytest.raises(RouteSegmentError) as caught:
        parse_path(path)
    assert str(caught.value) == found
    assert caught.value.expected


def test_templates_are_those_of_openapi() -> None:
    assert template_of("/tasks/{id:integer}/v:part") == "/tasks/{id}/v{part}"
    assert template_of("/files/*") == "/files/{path}"
    assert template_of(r"/a\:b/\{c\}/x{d}\}") == "/a:b/%7Bc%7D/x{d}%7D"
    assert template_of("/") == "/"


SEGMENTS = st.sampled_from(
    ["a", "{x}", "{x:integer}", "{x:uuid}", "v{x:integer}", "{x}.json", "v:x", "{x:number}"]
)


@given(
    st.lists(st.lists(SEGMENTS, min_size=1, max_size=3), min_size=1, max_size=8),
    st.lists(st.sampled_from(["a", "7", "v7", "b.json", "7.json", "1.5", "v", str(UUID(int=1))])),
)
def test_a_tree_of_routes_finds_what_the_routes_find_one_by_one(
    paths: list[list[str]], segments: list[str]
) -> None:
    texts = ["/" + "/".join(path) for path in paths]
    whole: Routes[str] = Routes()
    alone = {}
    for text in texts:
        whole.add("GET", text, text)
        alone[text] = Routes[str]()
        alone[text].add("GET", text, text)
    fitting = {text for text, routes in alone.items() if routes.find("GET", segments)}
    end = whole.find("GET", segments)
    assert (end is not None) == bool(fitting)
    if end is not None:
        text, params = end
        assert text in fitting
        assert alone[text].find("GET", segments) == (text, params)
        assert ("GET" in whole.methods(segments)) is True


def test_the_more_literal_and_the_more_precise_route_wins() -> None:
    routes: Routes[str] = Routes()
    for path in ("/{x:path}", "/{x}", "/{x:integer}", "/v{x}", "/{x:number}", "/{x}.json", "/new"):
        assert routes.add("GET", path, path)
    for text, path in {
        "new": "/new",
        "v1": "/v{x}",
        "1.json": "/{x}.json",
        "7": "/{x:integer}",
        "7.5": "/{x:number}",
        "b": "/{x}",
        "b/c": "/{x:path}",
    }.items():
        end = routes.find("GET", segments_of(f"/{text}"))
        assert end is not None
        assert end[0] == path
    assert routes.add("GET", "/{y:integer}", "the same under another name") is False
