"""Fields of text and code take scalars as they stand, and tell the very spot that is wrong."""

import pytest

from heddle.schemas.code import Code, Expression, LanguageName, Text
from heddle.schemas.field import FieldError


@pytest.mark.parametrize(
    ("written", "text"), [("pong", "pong"), (42, "42"), (1.5, "1.5"), (True, "true"), ("", "")]
)
def test_a_scalar_counts_as_its_text(written: object, text: str) -> None:
    assert Code.read(written) == Text.read(written) == text


@pytest.mark.parametrize("written", [None, [], {"a": 1}, b"x"])
def test_code_is_not_a_structure(written: object) -> None:
    with pytest.raises(FieldError):
        Code.read(written)


def test_an_expression_is_text_or_names_its_language() -> None:
    assert Expression.read("self.count > 3") == Expression("self.count > 3")
    assert Expression.read(True) == Expression("true")
    assert Expression.read({"language": "javascript", "code": 1}) == Expression("1", "javascript")
    assert Expression.read({"code": "x"}).language is None


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ({}, ("code",)),
        ({"code": "x", "lang": "cel"}, ("lang",)),
        ({"code": []}, ("code",)),
        ({"code": "x", "language": 5}, ("language",)),
        ([], ()),
        (None, ()),
    ],
)
def test_a_wrong_expression_names_the_key(written: object, path: tuple[str, ...]) -> None:
    with pytest.raises(FieldError) as caught:
        Expression.read(written)
    assert caught.value.path == path


def test_an_expression_writes_itself_back() -> None:
    for written in ("self > 1", {"language": "cel", "code": "self > 1"}):
        assert Expression.read(written).written() == written


def test_a_language_has_a_name() -> None:
    assert LanguageName.read("cel") == "cel"
    for written in ("", 3, None):
        with pytest.raises(FieldError):
            LanguageName.read(written)
