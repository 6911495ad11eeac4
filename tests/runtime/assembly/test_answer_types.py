"""heddle check hints at answers that a listener may read in another way than they are meant."""

import pytest

from heddle.cli.extensions import installed
from heddle.cli.options import settings_of
from heddle.runtime.assembly.check import check_specs
from heddle.runtime.assembly.graph_check import check_graph
from heddle.runtime.assembly.graph_codes import ANSWER_SHAPE
from heddle.schemas.problem import Problem
from heddle.specs.binding.bind import ValueSet
from heddle.specs.yaml.document import read_text

FLOW = """
- {kind: listener, name: web, port: 0%s, ports: {out: {name: way}}}
- kind: router
  name: way
  routes: [{method: GET, path: /, to: show}]
- {name: show, %s}
"""


def cel(code: str) -> str:
    return f'kind: snippet, language: cel, code: "{code}"'


def hints(text: str) -> list[Problem]:
    registry = installed(settings_of(None, ()))
    reading = read_text(text)
    assert not reading.problems
    checked = check_specs(reading.specs, ValueSet(reading.values), registry)
    problems = check_graph(
        checked.parts, registry.scheme.schema, type_of_code=registry.scheme.languages.type_of
    )
    return [problem for problem in problems if problem.code == ANSWER_SHAPE]


MIXED = [
    cel("self.ok ? {'body': self.x} : {'id': self.x}"),
    cel("self.ok ? {'status': self.x} : {'id': self.x, 'status': 1}"),
    "kind: validate, schema: {type: object, properties: {status: {}, id: {}}, additionalProperties: false}",
    "kind: validate, schema: {type: object, properties: {body: {}, id: {}}, required: [body]}",
]


@pytest.mark.parametrize("node", MIXED)
def test_maps_that_are_read_now_so_and_now_so_are_a_hint(node: str) -> None:
    [hint] = hints(FLOW % ("", node))
    assert hint.path == "show"
    assert "body, header and status" in hint.expected
    assert "answer: data" in hint.hint


@pytest.mark.parametrize("node", MIXED)
@pytest.mark.parametrize("answer", ["data", "response"])
def test_a_listener_that_does_not_guess_has_no_hint(node: str, answer: str) -> None:
    assert hints(FLOW % (f", answer: {answer}", node)) == []


@pytest.mark.parametrize(
    "node",
    [
        cel("{'status': self.x, 'body': self.y}"),
        cel("{'id': self.x, 'status': self.y}"),
        cel("self.ok ? {'status': 404} : 'found'"),
        cel("self.ok ? {'body': 1} : self.x"),
        cel("self.x"),
        "kind: respond, status: 201",
        "kind: validate, query: {limit: {type: integer}}",
        "kind: validate, schema: {type: object, properties: {body: {}}}",
    ],
)
def test_maps_that_are_all_read_alike_are_no_hint(node: str) -> None:
    assert hints(FLOW % ("", node)) == []


def test_a_node_whose_out_goes_on_is_not_the_answer() -> None:
    text = FLOW % ("", MIXED[0] + ", ports: {out: {name: end}}") + "- {name: end, " + cel("1") + "}"
    assert hints(text) == []
