"""Functions whose time would grow with the square are ours, and say what SQLite's own say."""

from typing import Any

import apsw
import pytest

from heddle.extensions.sql.internal import bounded
from heddle.extensions.sql.internal.bounded import LONGEST, PATTERN

SAME = [
    "instr('hello', 'l')",
    "instr('hello', '')",
    "instr('hello', 'x')",
    "instr(x'00ff00', x'ff')",
    "instr('äöb', 'b')",
    "instr(12.5, '.')",
    "instr(NULL, 1)",
    "replace('aXbX', 'X', '--')",
    "replace('abc', '', 'x')",
    "replace(1.0, '0', 7)",
    "replace('abc', NULL, 'x')",
    "trim('xyhixy', 'yx')",
    "ltrim('xyhixy', 'yx')",
    "rtrim('xyhixy', 'yx')",
    "trim('  a  ')",
    "trim('xx', '')",
    "trim('xx', NULL)",
    "unhex('AB-cd', '-')",
    "unhex('A-B', '-')",
    "unhex('AB CD', '-')",
    "unhex('ABC', '-')",
    "unhex(NULL, '-')",
]


def one(connection: apsw.Connection, text: str) -> Any:
    [(found,)] = connection.execute(f"SELECT {text}")
    return found


@pytest.fixture
def raw() -> apsw.Connection:
    connection = apsw.Connection(":memory:")
    bounded.bind(connection)
    return connection


@pytest.mark.parametrize("text", SAME)
def test_it_says_what_sqlite_says(raw: apsw.Connection, text: str) -> None:
    assert one(raw, text) == one(apsw.Connection(":memory:"), text)


@pytest.mark.parametrize(
    "text",
    [
        # Each of these takes SQLite's own function from many minutes up to days.
        "instr(zeroblob(16000000), zeroblob(8000000) || x'01')",
        "length(replace(hex(zeroblob(8000000)), hex(zeroblob(4000000)) || '1', '')) - 16000000",
        "length(trim(hex(zeroblob(8000000)), hex(zeroblob(4000000)) || '1'))",
    ],
)
def test_what_is_long_does_not_take_long(raw: apsw.Connection, text: str) -> None:
    assert one(raw, text) == 0


def test_nothing_becomes_longer_than_it_may(raw: apsw.Connection) -> None:
    with pytest.raises(apsw.TooBigError):
        one(raw, "replace(hex(zeroblob(4000000)), '0', hex(zeroblob(1000)))")
    with pytest.raises(apsw.TooBigError):
        one(raw, f"zeroblob({LONGEST + 1})")
    with pytest.raises(apsw.SQLError, match="too complex"):
        one(raw, f"'a' LIKE hex(zeroblob({PATTERN}))")
