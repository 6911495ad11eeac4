"""Blanks are filled, typed, and everybody else's braces are left alone."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heddle.specs.binding.template import BlankError, BlankScope, blanks, failures, fill

NAMES: dict[str, Any] = {
    "PORT": 8000,
    "HOST": "localhost",
    "DB": {"url": "pg://x", "ports": [1, 2], "in": "keyword", "none": None},
    "flag": True,
    "nothing": None,
    "ratio": 2.0,
    "raw": b"\x00\x01",
}
SCOPE = BlankScope(names=NAMES, owner="env")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{{ .PORT }}", 8000),
        ("{{ PORT }}", 8000),
        ("{{.PORT}}", 8000),
        ("{{- .PORT -}}", 8000),
        ("{{ .DB }}", NAMES["DB"]),
        ("{{ .DB.url }}", "pg://x"),
        ("{{ DB.ports[1] }}", 2),
        ('{{ .DB["in"] }}', "keyword"),
        ("{{ .DB.in }}", "keyword"),
        ("{{ flag }}", True),
        ("{{ .nothing }}", None),
        ("{{ .ratio }}", 2.0),
        ("{{ .raw }}", b"\x00\x01"),
        ("{{ .PORT + 1 }}", 8001),
        ("{{ .HOST | upper }}", "LOCALHOST"),
        ("{{ .PORT | string }}", "8000"),
        ("{{ '8' ~ .PORT }}", "{{ '8' ~ .PORT }}"),
        ("{{ .MISSING | default(1) }}", 1),
        ("{{ MISSING | default('x') | upper }}", "X"),
        ("{{ .DB.missing.deep | default([1]) }}", [1]),
        ("{{ .DB.none | default(1) }}", None),
        ("{{ .PORT if .flag else .MISSING }}", 8000),
        ("{{ .MISSING is defined }}", False),
        ("{{ .PORT > 80 and .flag }}", True),
        ('{{ .X | default("}}") }}', "}}"),
        ('{{ .X | default({"a": {"b": 1}}) }}', {"a": {"b": 1}}),
        ("{{ .PORT - 0.5 }}", 7999.5),
    ],
)
def test_a_blank_that_is_the_whole_text_keeps_its_type(text: str, value: Any) -> None:
    filled = fill(text, SCOPE)
    assert filled == value
    assert type(filled) is type(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("http://{{ .HOST }}:{{ .PORT }}/", "http://localhost:8000/"),
        ("{{ flag }},{{ .nothing }},{{ .ratio }}", "true,null,2.0"),
        ("{{ .DB.ports }}!", "[1,2]!"),
        ("a {{- ' ' }} {{- .PORT -}} b", "a {{- ' ' }}8000b"),
        ("{{ .PORT }}\n", "8000\n"),
        ("${{ .HOST }}", "$localhost"),
        ('{"a":{{ .PORT }}}', '{"a":8000}'),
        ("{{{ .PORT }}}", "{8000}"),
    ],
)
def test_a_blank_inside_a_longer_text_becomes_text(text: str, value: str) -> None:
    assert fill(text, SCOPE) == value


@pytest.mark.parametrize(
    "text",
    [
        "{{ user.name }}",
        "{{#if PORT}}x{{/if}}",
        "{{> partial }}",
        "{{! PORT }}",
        "{{{ html }}}",
        "f({{a: 1}}, {{flag: 2}})",
        "${{ github.ref }}",
        "{{ render(PORT) }}",
        "{{ PORT: 1 }}",
        "{{ flag of thing }}",
        "{{ }}",
        "{{}}",
        "{{ 'text' }}",
        "{% if PORT %}x{% endif %}",
        "{{ .5 }}",
        "{{ . }}",
        "{{ port }}",
        "}} {{",
    ],
)
def test_braces_that_are_no_blank_stay_as_they_are(text: str) -> None:
    assert fill(text, SCOPE) == text
    assert blanks(text, frozenset(NAMES)) == ()


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("{% raw %}{{ .PORT }}{% endraw %}", "{{ .PORT }}"),
        ("a {%- raw -%} {{ X }} {% endraw %} {{ .PORT }}", "a  {{ X }}  8000"),
        ('{{ "{{ .PORT }}" }}', "{{ .PORT }}"),
        ("{{ '{{' }} .Values.x }}", "{{ .Values.x }}"),
        ('{{ "{% raw %}" }}', "{% raw %}"),
        ("{% raw %} never ended {{ user }}", "{% raw %} never ended {{ user }}"),
    ],
)
def test_what_looks_like_a_blank_can_be_kept(text: str, kept: str) -> None:
    assert fill(text, SCOPE) == kept


@pytest.mark.parametrize(
    ("text", "found", "hint"),
    [
        ("{{ .POTR }}", 'env has no "POTR"', 'Did you mean "PORT"?'),
        ("{{ SECRET_KEY }}", 'env has no "SECRET_KEY"', ""),
        ("{{ .DB.ulr }}", '"DB" has no "ulr"', 'Did you mean "url"?'),
        ("{{ .HOST.name }}", '"HOST" has no "name": it is not a mapping', ""),
        ("{{ .DB.ports[7] }}", '"DB.ports" has no "7"', ""),
        ("{{ .MISSING + 1 }}", 'env has no "MISSING"', ""),
        ("{{ .PORT | shout }}", "shout", "docs/specs.md"),
        ("{{ .PORT + }}", "", "docs/specs.md"),
        ("{{ .PORT", "does not end", ""),
        ("x {{ .raw }}", "binary data inside a text", ""),
        ("{{ .MISSING if .flag else 1 }}", 'env has no "MISSING"', ""),
    ],
)
def test_what_cannot_be_filled_says_why(text: str, found: str, hint: str) -> None:
    if found == "binary data inside a text":
        scope = BlankScope(names={"raw": b"\xff"}, owner="env")
    else:
        scope = SCOPE
    with pytest.raises(BlankError) as raised:
        fill(text, scope)
    assert found in raised.value.found
    assert hint in raised.value.hint


def test_all_blanks_that_cannot_be_filled_are_told() -> None:
    text = "{{ .A }} {{ .PORT }} {{ .B }} {{ .DB.c }}"
    assert [error.blank for error in failures(text, SCOPE)] == [
        "{{ .A }}",
        "{{ .B }}",
        "{{ .DB.c }}",
    ]


def test_a_name_that_failed_elsewhere_is_not_told_twice() -> None:
    scope = BlankScope(names={}, owner="env", failed=frozenset({"DB"}))
    with pytest.raises(BlankError) as raised:
        fill("{{ .DB.url | default(1) }}", scope)
    assert raised.value.quiet
    assert failures("{{ DB }} {{ .DB }}", scope) == []


def test_a_lone_dot_is_the_whole_where_there_is_one() -> None:
    scope = BlankScope(names={}, owner="the Value", whole="abc")
    assert fill("{{ . }}", scope) == "abc"
    assert fill("Bearer {{ . | upper }}", scope) == "Bearer ABC"


@pytest.mark.parametrize(
    "text",
    [
        "{{ .HOST.__class__ }}",
        "{{ .HOST.__class__.__mro__ }}",
        "{{ .HOST.format.__globals__ }}",
        "{{ .DB.keys() }}",
        "{{ .PORT | attr('__class__') }}",
    ],
)
def test_expressions_lead_to_data_and_never_into_python(text: str) -> None:
    try:
        filled = fill(text, SCOPE)
    except BlankError:
        return
    assert filled == list(NAMES["DB"])


def test_a_runaway_expression_is_stopped() -> None:
    with pytest.raises(BlankError):
        fill(
            "{{ .PORT + range(100000) | map('string') | join | length * range(10000000)[0] }}",
            SCOPE,
        )


# --- properties ---

WITHOUT_BLANKS = st.text("ab .:#/'\"-\n", max_size=20)
PIECES = st.sampled_from(
    [
        "{{ .PORT }}",
        "{{ PORT }}",
        "{{ .HOST }}",
        "{{ user }}",
        "{{#if}}",
        "{",
        "}",
        "x",
        " ",
        "$",
        '"',
        "'",
    ]
)


@given(WITHOUT_BLANKS)
def test_text_without_braces_is_itself(text: str) -> None:
    assert fill(text, SCOPE) is text


@given(st.text(max_size=60), st.dictionaries(st.sampled_from(["a", "b", "PORT"]), st.integers()))
def test_filling_gives_a_value_or_a_reason_for_any_text(text: str, names: dict[str, int]) -> None:
    scope = BlankScope(names=names, owner="env")
    written = "{{" + text + "}}" + text
    reasons = [error.found for error in failures(written, scope)]
    assert all(reasons)
    if not reasons:
        fill(written, scope)


@given(st.text(max_size=60).filter(lambda text: "endraw" not in text))
def test_raw_keeps_any_text(text: str) -> None:
    assert fill("{% raw %}" + text + "{% endraw %}.", SCOPE) == text + "."


@given(st.lists(PIECES, max_size=12))
def test_only_blanks_change(pieces: list[str]) -> None:
    text = "".join(pieces)
    values = {"{{ .PORT }}": "8000", "{{ PORT }}": "8000", "{{ .HOST }}": "localhost"}
    wanted = text
    for blank, value in values.items():
        wanted = wanted.replace(blank, value)
    assert str(fill(text, SCOPE)) == wanted


@given(st.recursive(st.none() | st.integers() | st.text(max_size=5), st.lists, max_leaves=5))
def test_a_bare_blank_gives_the_very_value(value: Any) -> None:
    assert fill("{{ .X }}", BlankScope(names={"X": value}, owner="env")) is value


@pytest.mark.parametrize(
    "text",
    [
        "{{ .X ~ ([1] * 100000000) }}",
        "{{ .L * 100000000 }}",
        "{{ .X | list * 100000000 }}",
        "{{ L * 100000000 }}",
        "{{ .L | tojson(100000) }}",
        "{{ .X ~ ('x' * 100000000) }}",
        "{{ .X ~ (range(100000) | join('x' * 10000)) }}",
        "{{ .X ~ 9 ** 9 ** 9 }}",
    ],
)
def test_no_expression_fills_the_memory(text: str) -> None:
    with pytest.raises(BlankError):
        fill(text, BlankScope(names={"X": "x", "L": [[1]] * 9000}, owner="env"))


def test_products_of_numbers_are_filled() -> None:
    scope = BlankScope(names={"PORT": 8000, "L": [1]}, owner="env")
    assert fill("{{ .PORT * 2 + 1 }}", scope) == 16001
    assert fill("{{ .L | tojson(2) }}", scope) == "[\n  1\n]"
