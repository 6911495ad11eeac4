"""Port names are read strictly, and one port has one name."""

import pytest

from heddle.schemas.port import ERROR, Port, canonical, find_port, parse_port

OUT = Port("out", indexed=True)


@pytest.mark.parametrize(
    ("name", "parsed"),
    [
        ("out", ("out", None)),
        ("out[0]", ("out", 0)),
        ("out[12]", ("out", 12)),
        ("my-port", ("my-port", None)),
    ],
)
def test_a_port_name_may_have_an_index(name: str, parsed: tuple[str, int | None]) -> None:
    assert parse_port(name) == parsed


@pytest.mark.parametrize(
    "name",
    [
        "",
        "[0]",
        "xout[1]y",
        "out[",
        "out[-1]",
        "out[01]",
        "out[1][2]",
        "out[1]\n",
        " out",
        "out[１]",
    ],
)
def test_anything_else_is_no_port_name(name: str) -> None:
    assert parse_port(name) is None


def test_the_first_of_an_indexed_port_has_two_spellings_and_one_name() -> None:
    assert canonical("out") == canonical("out[0]") == "out"
    assert canonical("out[1]") == "out[1]"
    assert find_port((OUT, ERROR), "out") is find_port((OUT, ERROR), "out[0]") is OUT


def test_only_indexed_ports_take_an_index() -> None:
    assert find_port((OUT, ERROR), "out[7]") is OUT
    assert find_port((OUT, ERROR), "error") is ERROR
    assert find_port((OUT, ERROR), "error[0]") is None
    assert find_port((OUT, ERROR), "nope") is None
