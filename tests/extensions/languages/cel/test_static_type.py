"""The static type of a CEL expression holds for whatever the expression gives."""

import base64
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from heddle.extensions.languages.cel.compiler import compile_program
from heddle.extensions.languages.cel.errors import EvaluationError
from heddle.extensions.languages.cel.static_type import type_of
from heddle.runtime.assembly.language import CompileError
from heddle.schemas.types.type_words import describe_schema
from tests.conformance.cel import FILES, Unpromised, case_of, cases
from tests.conformance.data import files
from tests.extensions.languages.cel import test_conformance
from tests.extensions.languages.cel.oracle import PAYLOAD, Texts

TESTS = [file for file in files("cel-spec", "*.textproto") if file.stem not in FILES]


def written(value: Any) -> Any:
    """Return a value as JSON has it: bytes as base64, whatever a key is as text."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, dict):
        return {str(key): written(item) for key, item in value.items()}
    return [written(item) for item in value] if isinstance(value, list) else value


def breaks_its_type(code: str, payload: Any) -> str:
    """Return how the result of a text differs from its static type; nothing if it does not, or fails."""
    try:
        result = compile_program(code)(payload)
    except (CompileError, EvaluationError):
        return ""
    schema = type_of(code)
    if Draft202012Validator(schema).is_valid(written(result)):
        return ""
    return f"{code} is {result!r}, not {describe_schema(schema)}"


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("self", "any"),
        ("'a' + self.b", "string"),
        ("self.x > 1 && self.y", "boolean"),
        ("size(self) + 1", "integer"),
        ("self.x * 2", "number"),
        ("self.items.map(i, i.net)", "array"),
        ("self.text.split(',').size()", "integer"),
        ("self.ok ? {'a': 1} : {'b': self.x}", "object with a or object with b"),
        ("self.ok ? 1 : self.x", "any"),
        ("math.greatest(1, 2)", "any"),
        ("b'abc'", "bytes"),
        ("null", "null"),
    ],
)
def test_what_shows_without_a_payload_is_known(code: str, words: str) -> None:
    assert describe_schema(type_of(code)) == words


def test_a_text_that_is_not_an_expression_has_no_type() -> None:
    with pytest.raises(CompileError):
        type_of("a b")
    assert type_of("(" * 30 + "1" + ")" * 30) == {"const": 1}
    assert describe_schema(type_of(" + ".join(["self.a"] * 500))) == "any"


@pytest.mark.parametrize("seed", range(200, 204))
def test_random_texts_give_what_their_type_says(seed: int) -> None:
    texts = Texts(seed)
    known = 0
    for _ in range(400):
        text = texts.text()
        known += type_of(text) != {}
        assert breaks_its_type(text, PAYLOAD) == ""
    assert known > 100


@pytest.mark.parametrize("file", TESTS, ids=lambda file: file.stem)
def test_the_tests_of_the_specification_give_what_their_type_says(file: Path) -> None:
    for name, test in cases(file):
        try:
            case = case_of(name, test)
        except Unpromised:
            continue
        assert breaks_its_type(case.code, case.payload) == "", name


def test_the_tables_of_the_language_give_what_their_type_says() -> None:
    tables = [table for table in vars(test_conformance).values() if isinstance(table, list)]
    codes = [row[0] for table in tables for row in table if isinstance(row, tuple)]
    assert len(codes) > 200
    assert [text for code in codes if (text := breaks_its_type(code, PAYLOAD))] == []
