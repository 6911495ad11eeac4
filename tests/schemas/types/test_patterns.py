"""Expressions of JSON Schema are searched for in linear time, and mean what ECMAScript says."""

import pytest

from heddle.schemas.types.patterns import PatternError, search_of


@pytest.mark.parametrize(
    ("pattern", "fitting", "other"),
    [
        (r"^é$", "é", "e"),
        (r"^\u{1F600}$", "😀", "x"),
        (r"^\ud83d\ude00+$", "😀😀", "x"),
        (r"^[\u00e0-\u00ff]{1,3000}$", "é" * 3000, "é" * 3001),
        (r"^\p{Letter}$", "ß", "1"),
        (r"^\p{Script=Greek}$", "λ", "l"),
        (r"^\\p{L}$", r"\p" + "{L}", "a"),
        (r"^\cA$", "\x01", "A"),
        (r"^.{1,5000}$", "x" * 5000, "x" * 5001),
        (r"^a{2000}$", "a" * 2000, "a" * 1999),
        (r"^[^\]]{1500,}?$", "a" * 1500, "a" * 1499),
        (r"^\d+$", "1", "١"),
        (r"a$", "a", "a\n"),
        (r"^.$", "\ud800", ""),
    ],
)
def test_an_expression_means_what_ecmascript_says(pattern: str, fitting: str, other: str) -> None:
    assert search_of(pattern)(fitting)
    assert not search_of(pattern)(other)


@pytest.mark.parametrize(
    "pattern", ["(?=a)", "(?!a)", "(?<=a)", "(?<!a)", r"(a)\1", "(?>a)", r"(?<n>a)\k<n>"]
)
def test_what_cannot_be_linear_is_rejected_with_a_hint(pattern: str) -> None:
    with pytest.raises(PatternError, match="looks ahead, behind or back") as caught:
        search_of(pattern)
    assert "allOf" in caught.value.hint


@pytest.mark.parametrize("pattern", ["(", "[a", "*", "a{1001}", "^a{10001}$", r"\x{d800000}"])
def test_what_is_not_an_expression_is_rejected(pattern: str) -> None:
    with pytest.raises(PatternError, match="cannot be read"):
        search_of(pattern)


def test_a_repetition_that_is_long_has_a_hint() -> None:
    with pytest.raises(PatternError) as caught:
        search_of("x.{2000}")
    assert "maxLength" in caught.value.hint
