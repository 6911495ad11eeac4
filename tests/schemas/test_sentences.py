"""Sentences of others inside our messages: names keep their capital letters."""

import pytest

from heddle.schemas.sentences import lower_first


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Bad minute", "bad minute"),
        ("A quote is open", "a quote is open"),
        ("Can't decode", "can't decode"),
        ("JSON is malformed", "JSON is malformed"),
        ("UTF-8 is expected", "UTF-8 is expected"),
        ("TypeError at line 2", "TypeError at line 2"),
        ("I cannot", "I cannot"),
        ("", ""),
    ],
)
def test_only_a_plain_first_word_is_made_small(text: str, expected: str) -> None:
    assert lower_first(text) == expected
