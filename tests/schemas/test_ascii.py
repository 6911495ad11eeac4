"""Words of protocols are compared as ASCII: no other character is taken for one of theirs."""

import sys

import pytest

from heddle.schemas.ascii import capital, elements, is_number, lower, trim, upper

KELVIN, LONG_S, DOTLESS, DOTTED = "\u212a", "\u017f", "\u0131", "\u0130"


def test_only_ascii_letters_change_their_case() -> None:
    assert lower("Chun" + KELVIN + "ED") == "chun" + KELVIN + "ed"
    assert upper("po" + LONG_S + "t" + DOTLESS) == "PO" + LONG_S + "T" + DOTLESS
    assert capital(DOTTED + "X") == DOTTED + "x"
    assert (lower("ABC-z"), upper("abc-Z"), capital("etAG")) == ("abc-z", "ABC-Z", "Etag")


def test_no_other_character_becomes_an_ascii_letter() -> None:
    for number in range(0x80, sys.maxunicode + 1):
        if not 0xD800 <= number < 0xE000:
            char = chr(number)
            assert lower(char) == upper(char) == char


@pytest.mark.parametrize("space", ["\u00a0", "\u2003", "\u3000", "\x1f", "\x85", "\n"])
def test_only_spaces_and_tabs_are_trimmed(space: str) -> None:
    assert trim(f" \t{space}a{space}\t ") == f"{space}a{space}"
    assert elements(f"a , ,\tb,{space}c") == ["a", "b", f"{space}c"]


def test_only_ascii_digits_are_numbers() -> None:
    assert is_number("0123456789")
    assert not any(is_number(text) for text in ("", "１２", "²", "-1", "1.0", "٣"))
