"""heddle check compares what leaves by a port with what the next port accepts; it reports no guess."""

from typing import Any

import msgspec
import pytest

from heddle import Extension, node
from heddle.cli.extensions import installed
from heddle.cli.options import settings_of
from heddle.runtime.assembly.check import check_specs
from heddle.runtime.assembly.extension import Registry
from heddle.runtime.assembly.graph_check import check_graph
from heddle.runtime.assembly.graph_codes import LINK_TYPE
from heddle.schemas.problem import Problem
from heddle.specs.binding.bind import ValueSet
from heddle.specs.yaml.document import ReadText, read_text
from tests.runtime.assembly.test_graph_check import _corpus


class Order(msgspec.Struct):
    net: float


@node("double")
def double(payload: float) -> float:
    return payload * 2


@node("label")
def label(payload: Order) -> str:
    return f"{payload.net} EUR"


@node("total")
def total(payload: list[float]) -> float:
    return sum(payload)


@pytest.fixture(scope="module")
def registry() -> Registry:
    made = installed(settings_of(None, ()))

    def register(extension: Extension) -> None:
        for kind in (double, label, total):
            extension.kind(kind)

    made.add(register)
    return made


def check(registry: Registry, reading: ReadText) -> list[Problem]:
    """Return the Problems of types, across the links of some Specs."""
    checked = check_specs(reading.specs, ValueSet(reading.values), registry)
    problems = check_graph(
        checked.parts, registry.scheme.schema, type_of_code=registry.scheme.languages.type_of
    )
    return [problem for problem in problems if problem.code == LINK_TYPE]


def joined(source: str, target: str, port: str = "out") -> ReadText:
    """Return a node `a` of these fields that is linked to a node `b` of this kind."""
    text = f"- {{name: a, {source}, ports: {{{port}: {{name: b}}}}}}\n- {{name: b, {target}}}\n"
    reading = read_text(text)
    assert not reading.problems
    return reading


def cel(code: str) -> str:
    return f'kind: snippet, language: cel, code: "{code}"'


@pytest.mark.parametrize(
    ("source", "target", "sent", "accepted"),
    [
        (cel("'a' + self.b"), "kind: double", "string", "number"),
        (cel("self.x > 1"), "kind: double", "boolean", "number"),
        (cel("[1, 2]"), "kind: label", "array of 1 and 2", "Order"),
        (cel("{'gross': 1}"), "kind: label", "object with gross", "Order"),
        (cel("{'net': 'much'}"), "kind: label", "object with net", "Order"),
        (cel("self.ok ? 'yes' : null"), "kind: double", '"yes" or null', "number"),
        ("kind: snippet, language: text, code: pong", "kind: double", '"pong"', "number"),
        (
            "kind: snippet, language: json, code: '[\"a\"]'",
            "kind: total",
            '["a"]',
            "array of number",
        ),
        ("kind: label", "kind: double", "string", "number"),
        ("kind: double", "kind: total", "number", "array of number"),
        ("kind: timer, interval: 1s", "kind: label", "tick", "Order"),
        ("kind: csv, op: format", "kind: double", "string", "number"),
        ("kind: csv", "kind: label", "array of array or object", "Order"),
        ("kind: merge", "kind: double", "array", "number"),
        (cel("1"), "kind: csv, op: format", "1", "array or object"),
        ("kind: validate, schema: {type: string}", "kind: double", "string", "number"),
        (
            "kind: validate, schema: {$ref: '#/$defs/a', $defs: {a: {type: boolean}}}",
            "kind: double",
            "boolean",
            "number",
        ),
        (
            "kind: validate, schema: {type: boolean, default: [1]}",
            "kind: double",
            "boolean or [1]",
            "number",
        ),
        (
            "kind: validate, query: {net: {type: string}}, body: {type: object}",
            "kind: double",
            "object with body and query",
            "number",
        ),
        (
            "kind: validate, schema: {required: [net], properties: {net: {type: string}}, type: object}",
            "kind: label",
            "object with net",
            "Order",
        ),
    ],
)
def test_a_link_that_cannot_fit_is_an_error_with_both_types(
    registry: Registry, source: str, target: str, sent: str, accepted: str
) -> None:
    (problem,) = check(registry, joined(source, target))
    assert problem.found == f'"a" sends {sent} by "out"'
    assert problem.expected == f'{accepted}, as "b" accepts at "in"'
    assert problem.path == "a.ports.out"
    assert problem.place.line == 1


@pytest.mark.parametrize(
    ("source", "target"),
    [
        (cel("self"), "kind: double"),
        (cel("self.x * 2"), "kind: double"),
        (cel("self.ok ? 1 : 'x'"), "kind: double"),
        (cel("{'net': 1, 'more': 2}"), "kind: label"),
        (cel("{'net': self.x}"), "kind: label"),
        (cel("[]"), "kind: total"),
        (cel("self.map(x, x)"), "kind: total"),
        (cel("1"), "kind: log, event: x"),
        ("kind: snippet, language: python, code: 'return 1'", "kind: label"),
        ("kind: snippet, language: json, code: '{\"net\": 1.5}'", "kind: label"),
        ("kind: if, when: self.x", "kind: double"),
        (cel("not an expression"), "kind: double"),
        ("kind: validate, schema: {minimum: 1}", "kind: double"),
        ("kind: validate, schema: {type: string, default: 1}", "kind: double"),
        ("kind: validate, schema: {type: [number, string]}", "kind: double"),
        ("kind: validate, schema: {$ref: 'https://a.b/c', type: string}", "kind: double"),
        ("kind: validate, body: {$ref: '#/$defs/a', $defs: {a: {type: string}}}", "kind: log"),
        ("kind: validate, query: {items: {type: array}}", "kind: double"),
    ],
)
def test_nothing_is_reported_that_may_work(registry: Registry, source: str, target: str) -> None:
    assert check(registry, joined(source, target)) == []


HERE = "tests.runtime.assembly.test_link_types"


def sums(rows: list[float], limit: int = 3) -> Order:
    return Order(sum(rows[:limit]))


def half(net: float) -> float:
    return net / 2


TWO_INPUTS = (
    "kind: workflow, inputs: {n: {type: integer}, day: {type: string}}, "
    "tasks: [{name: x, run: 'json:dumps', inputs: {obj: in.n}}], outputs: {x: x, y: in.day}"
)


@pytest.mark.parametrize(
    ("source", "target", "fits"),
    [
        (cel("{'rows': [1.5]}"), f"kind: task, run: '{HERE}:sums'", True),
        (cel("{'rows': 'many'}"), f"kind: task, run: '{HERE}:sums'", False),
        (cel("{'row': [1.5]}"), f"kind: task, run: '{HERE}:sums'", False),
        (cel("[1.5]"), f"kind: task, run: '{HERE}:sums'", False),
        (cel("1.5"), f"kind: task, run: '{HERE}:half'", True),
        (cel("{'net': 1.5}"), f"kind: task, run: '{HERE}:half'", True),
        (cel("'much'"), f"kind: task, run: '{HERE}:half'", False),
        (f"kind: task, run: '{HERE}:sums'", "kind: label", True),
        (f"kind: task, run: '{HERE}:sums'", "kind: double", False),
        (cel("{'n': 1, 'day': 'x', 'more': 2}"), TWO_INPUTS, True),
        (cel("{'n': '1', 'day': self.day}"), TWO_INPUTS, True),
        (cel("{'n': 1}"), TWO_INPUTS, False),
        (cel("{'n': [], 'day': 'x'}"), TWO_INPUTS, False),
        (TWO_INPUTS, "kind: label", False),
    ],
)
def test_tasks_and_workflows_know_what_they_take_and_give(
    registry: Registry, source: str, target: str, fits: bool
) -> None:
    assert (check(registry, joined(source, target)) == []) is fits


def test_a_field_of_what_a_function_returns_leaves_with_its_type(registry: Registry) -> None:
    source = f"kind: task, run: '{HERE}:sums'"
    assert check(registry, joined(source, "kind: double", port="net")) == []
    assert check(registry, joined(source, "kind: label", port="net")) != []


def test_a_list_that_fits_only_empty_is_reported_as_that(registry: Registry) -> None:
    @node("names")
    def names(payload: Any) -> list[str]:
        return []

    other = installed(settings_of(None, ()))
    other.add(names)
    other.add(total)
    (problem,) = check(other, joined("kind: names", "kind: total"))
    assert problem.found == '"a" sends array of string by "out"'
    assert problem.hint.startswith("Nothing fits but what is empty.")


def test_the_errors_of_a_node_are_not_what_it_sends(registry: Registry) -> None:
    assert check(registry, joined(cel("'a'"), "kind: double", port="error")) == []


def test_open_blanks_keep_a_type_unknown(registry: Registry) -> None:
    text = """
- kind: snippet
  name: a
  language: text
  code: "{{ .WORD }}"
  env: {WORD: {data: "{{ .WORD }}"}}
  ports: {out: {name: b}}
- {kind: double, name: b}
"""
    assert check(registry, read_text(text)) == []


def test_what_stands_in_a_block_is_checked_too(registry: Registry) -> None:
    text = """
- kind: block
  name: outer
  specs:
    - {kind: snippet, name: word, language: text, code: pong, ports: {out: {name: two}}}
    - {kind: double, name: two}
  inbounds: {in: {name: word}}
"""
    (problem,) = check(registry, read_text(text))
    assert problem.place.line == 5


def test_no_flow_that_we_ship_or_show_is_reported(registry: Registry) -> None:
    corpus = _corpus(registry)
    assert len(corpus) > 100
    reported = {place: check(registry, reading) for place, reading in corpus.items()}
    assert {place: problems for place, problems in reported.items() if problems} == {}
