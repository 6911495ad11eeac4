"""A text becomes plain data by the core rules of YAML 1.2, and every mistake has its line."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from heddle.specs.model.accepted import AcceptedResource
from heddle.specs.model.limits import ReadLimits
from heddle.specs.model.spec import file_of
from heddle.specs.yaml import diagnose
from heddle.specs.yaml.diagnose import thorough
from heddle.specs.yaml.document import read_text
from heddle.specs.yaml.fast import FastSource, parse
from heddle.specs.yaml.parsed import ParsedText, resolve


def one(text: str) -> Any:
    parsed = parse(text)
    assert parsed.faults == []
    (document,) = parsed.documents
    return document


def faults(parsed: ParsedText) -> list[tuple[str, int, int]]:
    return [(fault.code, fault.line, fault.column) for fault in parsed.faults]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("True", True),
        ("FALSE", False),
        ("yes", "yes"),
        ("on", "on"),
        ("8000", 8000),
        ("+12", 12),
        ("012", 12),
        ("0o17", 15),
        ("0x1F", 31),
        ("0b11", "0b11"),
        ("1_000", "1_000"),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("1.", 1.0),
        ("-.inf", -math.inf),
        ("2024-01-01", "2024-01-01"),
        ("12:30:45", "12:30:45"),
        ("-", "-"),
        (".", "."),
        ("1.2.3", "1.2.3"),
        ("9" * 5000, "9" * 5000),
    ],
)
def test_scalars_mean_what_yaml_1_2_says(text: str, value: Any) -> None:
    assert resolve(text) == value
    assert type(resolve(text)) is type(value)


def test_keys_are_text_as_they_are_written() -> None:
    assert one("{200: a, true: b, ~: c, 1.10: d}") == {
        "200": "a",
        "true": "b",
        "~": "c",
        "1.10": "d",
    }


def test_anchors_aliases_and_merge_keys() -> None:
    text = """
base: &base {a: 1, b: 2}
more: &more {b: 3, c: 4}
both: {<<: [*base, *more], c: 5}
same: *base
"""
    document = one(text)
    assert document["both"] == {"c": 5, "a": 1, "b": 2}
    assert document["same"] == {"a": 1, "b": 2}


def test_what_the_quick_parser_rejects_wrongly_is_read() -> None:
    assert one("{path: /users/:id, port: 'out[0]'}") == {"path": "/users/:id", "port": "out[0]"}
    assert one("%YAML 1.2\n---\na: 1\n") == {"a": 1}
    assert one('{\n\t"a": "x\\/y"\n}') == {"a": "x/y"}


def test_tags_say_what_a_scalar_is() -> None:
    assert one("{a: !!str 5, b: !!int '5', c: !!float 5, d: !!binary aGk=}") == {
        "a": "5",
        "b": 5,
        "c": 5.0,
        "d": b"hi",
    }
    assert faults(parse("a: !secret x")) == [("unknown-tag", 1, 4)]
    assert faults(parse("a: !!int x")) == [("type", 1, 4)]


def test_a_key_that_is_written_twice_is_told_with_both_places() -> None:
    (fault,) = parse("a: 1\nb:\n  c: 1\n  c: 2\n").faults
    assert (fault.code, fault.line, fault.column, fault.path) == (
        "duplicate-key",
        4,
        3,
        (0, "b", "c"),
    )
    assert "first at 3:3" in fault.found


def test_json_tells_both_places_too() -> None:
    (fault,) = parse('[{"a": 1},\n\t{"b": {"c": 1,\n  "c": 2}}]').faults
    assert (fault.code, fault.line, fault.column) == ("duplicate-key", 3, 3)
    assert "first at 2:9" in fault.found
    assert fault.path == (0, 1, "b", "c")


@pytest.mark.parametrize(
    ("text", "line", "hint"),
    [
        ("a: 1\n\tb: 2\n", 2, "spaces"),
        ("a: [1, 2\nb: 3\n", 2, "bracket"),
        ("a: 'x\n", 1, "quote"),
        ("a: b: c\n", 1, "quotes"),
        ("a: @x\n", 1, "quotes"),
        ("a:\n  - 1\n - 2\n", 3, "indentation"),
        ("a: [\n", 1, "bracket"),
        ("ports: {out[0]: {name: x}}\n", 1, "in quotes between braces: 'out[0]'"),
        ("ports: {error: {name: x}, out[12] : {name: y}}\n", 1, "braces: 'out[12]'"),
    ],
)
def test_broken_syntax_has_a_line_and_a_hint(text: str, line: int, hint: str) -> None:
    parsed = parse(text)
    assert not parsed.whole
    (fault,) = parsed.faults
    assert fault.code == "syntax"
    assert fault.line == line
    assert hint in fault.hint


def test_what_stands_before_broken_syntax_is_read() -> None:
    parsed = parse("a: 1\n---\nb: [\n")
    assert parsed.documents == [{"a": 1}]
    assert not parsed.whole


@pytest.mark.parametrize("opening", ["[", "{a: ", "- "])
def test_absurd_nesting_is_a_fault(opening: str) -> None:
    parsed = parse(opening * 100_000)
    assert [fault.code for fault in parsed.faults] in (["too-deep"], ["syntax"])
    assert parse("[" * ReadLimits().depth + "]" * ReadLimits().depth).whole


def test_an_alias_explosion_is_a_fault() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    assert [fault.code for fault in parse("\n".join(lines)).faults] == ["too-large"]


def test_an_alias_to_nothing_and_one_inside_itself() -> None:
    assert faults(parse("a: *b")) == [("alias", 1, 4)]
    assert faults(parse("a: &a [*a]")) == [("alias", 1, 8)]


@pytest.mark.parametrize("text", ["a: \0", "a: \x07", "a: \ud800", '{"a": "\\ud800"}'])
def test_characters_that_cannot_be_are_faults(text: str) -> None:
    assert [fault.code for fault in parse(text).faults] == ["syntax"]


def test_a_blank_without_quotes_is_explained() -> None:
    (fault,) = parse("port: {{ .PORT }}").faults
    assert "in quotes" in fault.hint


def test_places_are_found_when_asked_for() -> None:
    source = FastSource("- kind: x\n  ports:\n    out[0]:\n      - {name: a, port: in}\n", "f.yaml")
    assert str(source.place((0, 0, "ports", "out[0]", 0, "port"))) == "f.yaml:4:19"
    assert str(source.place((0, 0, "ports", "out[1]"))) == "f.yaml:2:3"
    assert str(source.place(())) == "f.yaml"


def test_a_line_inside_a_code_block_is_found_in_the_file() -> None:
    text = "- code: |\n    one\n      two\n- code: 'x = 1'\n- code: >-\n    a\n    b\n"
    source = FastSource(text, "f.yaml")
    assert str(source.inside((0, 0, "code"), 2, 3)) == "f.yaml:3:7"
    assert str(source.inside((0, 1, "code"), 1, 5)) == "f.yaml:4:14"
    assert str(source.inside((0, 2, "code"), 2, 1)) == "f.yaml:5:9"


@pytest.mark.parametrize("end", ["", "\n\n", "\n# comment\n", "- code: more\n", "  beside: 1\n"])
def test_a_line_behind_a_code_block_is_the_end_of_its_last(end: str) -> None:
    source = FastSource(f"- code: |\n    one\n\n    two\n{end}", "f.yaml")
    assert str(source.inside((0, 0, "code"), 9, 1)) == "f.yaml:4:8"
    assert str(source.inside((0, 0, "code"), 3, 2)) == "f.yaml:4:6"


# --- properties ---

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
DATA = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


@given(DATA)
def test_every_json_text_is_read_as_json_reads_it(data: Any) -> None:
    assert one(json.dumps(data)) == data


@given(st.text("ab:-#'\"[]{},&*!|> \n1~<%@", max_size=40))
def test_both_passes_say_the_same_and_neither_breaks(text: str) -> None:
    quick, slow = parse(text), thorough(text)
    assert quick.documents == slow.documents
    assert quick.whole == slow.whole
    if quick.whole and quick.faults == []:
        assert slow.faults == []


@given(st.lists(st.sampled_from(["a", "1", "~", "x y", "'1'", '"b"', "true"]), max_size=6))
def test_what_we_read_ruamel_reads_too(items: list[str]) -> None:
    text = "".join(f"- {item}\n" for item in items) or "[]"
    assert one(text) == YAML(typ="safe").load(text)


def test_the_file_of_a_spec_takes_no_look_at_its_text(monkeypatch: pytest.MonkeyPatch) -> None:
    reading = read_text("- {kind: nop, name: a}\n- {kind: nop, name: b}\n", file="flow.yaml")

    def looked(text: str) -> ParsedText:
        raise AssertionError(f"{text!r} was read again")

    monkeypatch.setattr(diagnose, "thorough", looked)
    assert [file_of(spec.places) for spec in reading.specs] == ["flow.yaml", "flow.yaml"]
    assert [AcceptedResource.of(spec).file for spec in reading.specs] == ["flow.yaml", "flow.yaml"]
    assert file_of(None) == ""
