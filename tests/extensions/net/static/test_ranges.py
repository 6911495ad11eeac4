"""Which bytes a Range header asks for."""

import pytest

from heddle.extensions.net.static.ranges import Range, RangeError, ranges_of


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("bytes=0-9", [(0, 10)]),
        ("bytes=90-", [(90, 100)]),
        ("bytes=-10", [(90, 100)]),
        ("bytes=-1000", [(0, 100)]),
        ("bytes=90-1000", [(90, 100)]),
        ("Bytes = 0 - 0 , -1", [(0, 1), (99, 100)]),
        ("bytes=50-59,0-9", [(50, 60), (0, 10)]),
        ("bytes=0-9,10-19,15-29", [(0, 30)]),
        ("bytes=0-9,200-", [(0, 10)]),
        ("bytes=", None),
        ("bytes", None),
        ("lines=0-9", None),
        ("bytes=9-0", None),
        ("bytes=a-b", None),
        ("bytes=0-9;5-6", None),
        ("bytes=--5", None),
        ("bytes=" + "0-0," * 17, None),
        ("bytes=0-,0-", [(0, 100)]),
        ("bytes=1-,0-", None),
    ],
)
def test_a_range_is_taken_or_the_whole_file_is(header: str, found: list[Range] | None) -> None:
    assert ranges_of(header, 100) == found


@pytest.mark.parametrize("header", ["bytes=100-", "bytes=-0", "bytes=100-200,300-400"])
def test_a_range_without_a_byte_cannot_be_satisfied(header: str) -> None:
    with pytest.raises(RangeError):
        ranges_of(header, 100)


def test_an_empty_file_has_no_range() -> None:
    with pytest.raises(RangeError):
        ranges_of("bytes=0-", 0)


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("bytes=0-99999999999999999999", [(0, 100)]),
        ("bytes=-99999999999999999999", [(0, 100)]),
        ("bytes=5-" + "9" * 6000, [(5, 100)]),
        ("bytes=" + "0" * 6000 + "5-9", [(5, 10)]),
        ("bytes=5-" + "0" * 30 + "3", None),
    ],
)
def test_a_number_of_any_length_is_a_number(header: str, found: list[Range] | None) -> None:
    assert ranges_of(header, 100) == found


@pytest.mark.parametrize("digits", [20, 6000])
def test_a_position_far_behind_the_end_cannot_be_satisfied(digits: int) -> None:
    with pytest.raises(RangeError):
        ranges_of("bytes=" + "9" * digits + "-", 100)
