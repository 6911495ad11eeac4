"""The language jinja: text and values, mistakes at their line, calm templates and the others."""

from typing import Any

import pytest

from heddle.extensions.languages.errors import ProgramError
from heddle.extensions.languages.jinja import LANGUAGE
from heddle.extensions.languages.jinja.output_bound import calm
from heddle.extensions.languages.jinja.parts import parts_of
from heddle.runtime.assembly.language import CompileError, Options, Program
from heddle.runtime.flow.errors import Error

ORDER: dict[str, Any] = {"name": "Ann", "n": 3, "lines": [{"p": 1.5}, {"p": 2.5}], "text": "<b>"}


def compiled(code: str, *, condition: bool = False) -> Program:
    return LANGUAGE.program(code, Options(condition=condition))


RENDERED = [
    ("Hello {{ name }}!", "Hello Ann!"),
    ("{{ payload.name }} {{ self.n }}\n", "Ann 3"),
    ("{% if n > 2 %}many{% else %}few{% endif %}", "many"),
    ("{% for line in lines %}{{ line.p }};{% endfor %}", "1.5;2.5;"),
    ("{% set twice = n * 2 %}{{ twice }} of {{ n }}", "6 of 3"),
    ("{{ text }} {{ text|e }}", "<b> &lt;b&gt;"),
    ("{# nothing #}plain", "plain"),
    ("{% raw %}{{ n }}{% endraw %}", "{{ n }}"),
    ("{{ '}}' }}{{ n }}", "}}3"),
    ("", ""),
]


@pytest.mark.parametrize(("code", "wanted"), RENDERED, ids=[row[0] for row in RENDERED])
def test_templates_give_text(code: str, wanted: str) -> None:
    program = compiled(code)
    try:
        assert program(ORDER) == wanted
    finally:
        getattr(program, "close", lambda: None)()


VALUES = [
    ("{{ n }}", 3),
    (" {{ n + 1 }}\n", 4),
    ("{{ lines }}", [{"p": 1.5}, {"p": 2.5}]),
    ("{{ lines|length > 1 }}", True),
    ("{{ {'n': n} }}", {"n": 3}),
    ("{{ none }}", None),
    ("{{ nope|default('-') }}", "-"),
    ("{{ name|upper }}", "ANN"),
]


@pytest.mark.parametrize(("code", "wanted"), VALUES, ids=[row[0] for row in VALUES])
def test_a_lone_expression_gives_its_value(code: str, wanted: Any) -> None:
    assert compiled(code)(ORDER) == wanted


CONDITIONS = [
    ("n > 2", True),
    ("{{ n > 5 }}", False),
    ("nope", False),
    ("lines", True),
    ("{% if n > 5 %}true{% endif %}", False),
    ("it is {{ n }}", True),
    ("{{ 'fal' }}se", False),
]


@pytest.mark.parametrize(("code", "wanted"), CONDITIONS, ids=[row[0] for row in CONDITIONS])
def test_conditions_may_do_without_braces(code: str, wanted: bool) -> None:
    assert bool(compiled(code, condition=True)(ORDER)) is wanted


@pytest.mark.parametrize(
    ("code", "line"),
    [("a\n\n{{ 1 + }}", 3), ("{% if %}", 1), ("\n{% for x in y %}", 2), ("{{ " + "(" * 9000, 1)],
)
def test_mistakes_are_told_at_their_line(code: str, line: int) -> None:
    with pytest.raises(CompileError) as caught:
        compiled(code)
    assert caught.value.line == line


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("Hi\n{{ nope }}", "line 2: undefined value: `nope`"),
        ("\n{{ payload.nope }}\n", "line 2: payload.nope is undefined"),
        ("{{ lines.x.y }}!", "line 1: undefined value"),
        ("\n\n{{ 1 / 0 }}", "line 3: invalid operation"),
    ],
)
def test_failures_carry_their_line(code: str, said: str) -> None:
    with pytest.raises(ProgramError) as caught:
        compiled(code)(ORDER)
    assert said in str(caught.value)


def test_an_error_as_payload_is_map_and_nothing_of_python_is_reached() -> None:
    error = Error("sold out", code="sold", data={"left": 0})
    assert compiled("{{ message }}/{{ code }}/{{ data.left }}")(error) == "sold out/sold/0"
    assert compiled("{{ payload.__class__|default('no way') }}")(ORDER) == "no way"
    assert compiled("{{ name.__class__|default('no way') }}")(ORDER) == "no way"


def test_a_template_cannot_change_the_payload() -> None:
    program = compiled("{{ lines.append(1) }}{{ payload.pop('n') }}")
    try:
        assert "3" in program(ORDER)
    finally:
        program.close()  # type: ignore[attr-defined]
    assert ORDER["n"] == 3
    assert len(ORDER["lines"]) == 2


CALM = [
    "Hello {{ name|upper }}, {{ n + 1 }} {{ price * 1.19 }} {{ (a ~ b)[0] }}",
    "{% if a is defined and not b %}{{ a|tojson }}{% elif c in d %}{{ d|join(', ') }}{% endif %}",
    "{{ n * 2 }}",
    "{{ 1.19 * price }}",
    "{{ a|default('-') }} {{ b[0].c['d'] if e else {'f': [1]} }}",
]
GROWING = [
    "{% for x in y %}{{ x }}{% endfor %}",
    "{% set a = b %}{{ a }}",
    "{% macro f() %}{% endmacro %}",
    "{{ 'x' * n }}",
    "{{ a * b * c }}",
    "{{ a * b }}",
    "{{ [1] * 100000000 }}",
    "{{ a|tojson(90000) }}",
    "{{ 2 ** n }}",
    "{{ a|replace('x', b) }}",
    "{{ a|join(b) }}",
    "{{ a|tojson|tojson }}",
    "{{ a|indent(1000) }}",
    "{{ a|format(b) }}",
    "{{ range(1000) }}",
    "{{ a.upper() }}",
    "{{ a['b']() }}",
    "{{ a }}" * 33,
    "{{ a",
    "{% include 'x' %}",
    "{{ a|list|join }}",
    "{{ a | \n join (b) }}",
    "{{ caller() }}",
]


def test_only_what_cannot_grow_is_calm() -> None:
    assert [code for code in CALM if not calm(parts_of(code))] == []
    assert [code for code in GROWING if calm(parts_of(code))] == []
