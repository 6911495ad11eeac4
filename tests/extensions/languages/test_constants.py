"""The languages text, json and yaml: one value, read once, with the place of a mistake."""

from itertools import pairwise

import pytest

from heddle.extensions.languages.constants import JSON, TEXT, YAML
from heddle.runtime.assembly.language import CompileError, Language
from heddle.specs.yaml.fast import parse


def test_text_is_itself() -> None:
    assert TEXT.compile("pong\n")({"any": "payload"}) == "pong\n"
    assert TEXT.compile("")(None) == ""


def test_json_is_read_once() -> None:
    program = JSON.compile('{"a": [1, 2.5, null, true, "é"]}')
    assert program(None) == {"a": [1, 2.5, None, True, "é"]}
    assert program(None) is program(1)


def test_yaml_is_version_1_2() -> None:
    text = "a: yes\nb: 0o14\nc: 012\nd: [1, 2.5, ~, true]\ne: 2024-05-01\n? 7\n: seven\n"
    assert YAML.compile(text)(None) == {
        "a": "yes",
        "b": 12,
        "c": 12,
        "d": [1, 2.5, None, True],
        "e": "2024-05-01",
        "7": "seven",
    }
    assert YAML.compile("")(None) is None
    assert YAML.compile("&x [1, 2]")(None) == [1, 2]
    assert YAML.compile("a: &x {b: 1}\nc: *x\nd: {<<: *x, e: 2}")(None)["d"] == {"b": 1, "e": 2}


def test_constants_say_that_they_are() -> None:
    assert all(language.constant for language in (TEXT, JSON, YAML))


REFUSED: list[tuple[Language, str, int, int, str]] = [
    (JSON, '{"a": 1,\n "é": x}', 2, 7, "invalid character"),
    (JSON, "[1,", 1, 4, "truncated"),
    (JSON, "", 1, 1, "truncated"),
    (JSON, "NaN", 1, 1, "invalid character"),
    (JSON, "[" * 5000, 0, 0, "nested too deeply"),
    (JSON, r'["\ud800"]', 1, 3, "half of a surrogate pair"),
    (JSON, "\ufeff[1,]", 1, 4, "trailing comma"),
    (YAML, "a: [1\nb: 2", 2, 2, "expected ',' or ']'"),
    (YAML, "a: 1\na: 2", 2, 1, '"a" is written twice'),
    (YAML, "a: *nope", 1, 4, "has no anchor before it"),
    (YAML, "a: !!python/object:os.x 1", 1, 4, "the tag !!python/object:os.x"),
    (YAML, "&a [*a]", 1, 5, "stands inside what it means"),
    (YAML, "---\n1\n---\n2", 0, 0, "2 documents"),
    (YAML, "!!set {a, b}", 1, 1, "the tag !!set"),
    (YAML, "? [a, b]\n: 1", 1, 3, "a list as a key"),
    (YAML, "%YAML 1.3\n---\na: 1", 1, 1, "incompatible"),
    (YAML, "[" * 1500, 1, 101, "levels of nesting"),
]


@pytest.mark.parametrize(("language", "code", "line", "column", "said"), REFUSED)
def test_mistake_is_rejected_with_its_place(
    language: Language, code: str, line: int, column: int, said: str
) -> None:
    with pytest.raises(CompileError) as caught:
        language.compile(code)
    assert said in caught.value.message
    assert (caught.value.line, caught.value.column) == (line, column)


def test_aliases_cannot_make_much_out_of_little() -> None:
    names = "abcdefgh"
    lines = ["a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    for before, name in pairwise(names):
        lines.append(f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]")
    with pytest.raises(CompileError, match="nodes once aliases"):
        YAML.compile("\n".join(lines))


SAME = [
    "a:\t1\n",
    "a: {path: /users/:id, port: x}\n",
    "- &a 1\n- &a 2\n- *a\n",
    "%YAML 1.1\n---\na: yes\nb: 1.e5\n",
    "%YAML 1.2\n---\na: {path: /users/:id}\n",
    "- =\n- 0b1\n- 1_000\n- 2001-01-01\n- !!binary aGk=\n",
    '{"a": "\\ud83e\\uddf5"}',
]


@pytest.mark.parametrize("text", SAME)
@pytest.mark.filterwarnings("error")
def test_the_language_reads_what_spec_files_hold(text: str) -> None:
    parsed = parse(text)
    assert parsed.faults == []
    (value,) = parsed.documents
    assert YAML.compile(text)(None) == value
