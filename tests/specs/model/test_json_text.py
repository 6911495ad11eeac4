"""JSON texts: a byte order mark is left out, and faults are named truly."""

from typing import Any

import msgspec
import pytest

from heddle.specs.model.json_text import decode

MARK = "\ufeff"


@pytest.mark.parametrize("text", ['{"a": 1}', "[1]", '"x"', " 1"])
def test_a_byte_order_mark_is_left_out(text: str) -> None:
    assert decode(MARK + text) == decode((MARK + text).encode()) == msgspec.json.decode(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (r'"\ud800"', "half of a surrogate pair (byte 1)"),
        (r'{"a": "\uD83D x"}', "half of a surrogate pair (byte 7)"),
        (r'"\udc00"', "half of a surrogate pair (byte 1)"),
        (r'"\ud83d\ude00\ud83d"', "half of a surrogate pair (byte 13)"),
        ('"\ud800"', "half of a surrogate pair (byte 1)"),
        (r'"\\ud83d', "truncated"),
        ('"abc', "truncated"),
        (MARK + "[1,]", "(byte 6)"),
        (MARK + MARK + "1", "(byte 3)"),
        ("", "truncated"),
    ],
)
def test_faults_are_named_truly(text: str, said: str) -> None:
    with pytest.raises(msgspec.DecodeError) as caught:
        decode(text)
    assert said in str(caught.value)


def test_a_type_is_checked_behind_the_mark() -> None:
    class Point(msgspec.Struct):
        x: int

    assert decode(MARK + '{"x": 1}', Point) == Point(1)
    with pytest.raises(msgspec.ValidationError, match="Expected `int`"):
        decode('{"x": "a"}', Point)


def test_pairs_are_characters() -> None:
    value: Any = decode(rb'"\ud83d\ude00"')
    assert value == "😀"
