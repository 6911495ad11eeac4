"""Checking never raises: whatever stands at any place of a Spec, it gives Problems."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heddle.runtime.assembly.check import check_partial, check_specs
from heddle.runtime.assembly.extension import registry
from heddle.schemas.problem import DEFECT
from heddle.specs.binding.bind import ValueSet
from heddle.specs.yaml.document import ReadText, read_data, read_text
from heddle.specs.yaml.fast import parse
from tests.fuzz.mutation import few

REGISTRY = registry([])
KINDS = sorted(REGISTRY.scheme.names)

COMMON = {
    "env": {"HOST": {"data": "db"}, "PORT": {"name": "port", "data": "{{ .n }}"}},
    "ports": {"out": [{"name": "next", "port": "in"}], "error": {"id": "x"}},
    "annotations": {"team": "web", "heddle/file": "a.yaml"},
    "name": "n",
    "namespace": "default",
    "id": "01890a5d-ac96-774b-bcce-b302099a8057",
    "timeout": "1s",
    "retry": {"times": 3},
    "concurrency": 2,
    "queue": 3,
}
ODD = [
    *(
        "a{{ .HOST }}b{{ HOST | upper }}",
        "{{ HOST + 1 }}{{ .PORT }}",
        "http://{{ .env.HOST }}/",
        "{{ . }}",
    ),
    *(
        None,
        True,
        0,
        -1,
        2**70,
        1e308,
        float("nan"),
        "",
        "x",
        "\0",
        "\ud800",
        "{{ .HOST }}",
        "{{ .A | x }}",
    ),
    *(
        "{{",
        "1h",
        "a" * 300,
        b"\xff",
        [],
        {},
        [None],
        [[]],
        {"": None},
        {"a": {"b": {"c": [1]}}},
        [{"name": "x"}],
    ),
    *(
        {"data": 1},
        {"name": 1},
        {"id": "x"},
        {"specs": [{"kind": "log"}]},
        {"kind": "log"},
        {"HOST": "db"},
        ["out"],
    ),
    *(
        {"uses": "n"},
        {"code": "1 +", "language": "cel"},
        [0, "a", {}],
        {"0": 1},
        "out[99999999999999999999]",
    ),
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


def _entries(kind: str) -> list[dict[str, Any]]:
    schema = REGISTRY.scheme.schema(kind)
    documents = parse(schema.example).documents if schema is not None else []
    entries = [
        each
        for document in documents
        for each in (document if isinstance(document, list) else [document])
    ]
    return [each for each in entries if isinstance(each, dict)] or [{"kind": kind, "name": "n"}]


def _places(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    if isinstance(data, dict):
        for key, value in data.items():
            found += _places(value, (*path, key))
    elif isinstance(data, list):
        for number, value in enumerate(data):
            found += _places(value, (*path, number))
    return found


def _put(data: Any, path: tuple[Any, ...], value: Any) -> None:
    for step in path[:-1]:
        data = data[step]
    data[path[-1]] = value


def checked(reading: ReadText) -> None:
    """Check what was read in every way; a Problem that says Heddle itself failed is none."""
    values = ValueSet(reading.values)
    found = check_specs(reading.specs, values, REGISTRY, partial=reading.invalid).problems
    found += check_partial(reading.invalid, reading.specs, values, REGISTRY.scheme, {})
    check_specs(
        [*reading.specs, *reading.invalid], values, REGISTRY, strict_env=True, only=frozenset()
    )
    for problem in (*reading.problems, *found):
        assert str(problem)
        assert problem.code not in (DEFECT, "codec"), problem


@pytest.mark.parametrize("kind", KINDS)
def test_any_value_at_any_place_of_a_kind_is_judged(kind: str) -> None:
    entries = _entries(kind)

    @few
    @given(st.data())
    def judged(data: st.DataObject) -> None:
        changed = copy.deepcopy(entries)
        for entry in changed:
            for key in data.draw(st.lists(st.sampled_from(sorted(COMMON)), max_size=2)):
                entry.setdefault(key, copy.deepcopy(COMMON[key]))
        for _ in range(data.draw(st.integers(1, 3))):
            path = data.draw(st.sampled_from(_places(changed)))
            if len(path) > 1 or isinstance(path[0], int):  # pyright: ignore[reportGeneralTypeIssues] - no path is empty
                value = data.draw(st.sampled_from(ODD) | JSON)
                _put(changed, path, copy.deepcopy(value))
        checked(read_data(changed))

    judged()


SHAPES = [
    "env: {HOST: db}",
    "env: {HOST: }",
    "env: [HOST]",
    "env: HOST",
    "env: 5",
    "env: {HOST: [db]}",
    "env: {HOST: [{data: 1}, {data: 2}]}",
    "env: {HOST: {data: x, extra: 1}}",
    "env: {HOST: {name: 5}}",
    "env: {HOST: {id: 5}}",
    "env: {5: {data: 1}}",
    "env: {'': {data: 1}}",
    "env: {HOST: {}}",
    "ports: [out]",
    "ports: out",
    "ports: {out: next}",
    "ports: {out: [next, 5, null, []]}",
    "ports: {out: {name: [a]}}",
    "ports: {out: {name: a, port: 5}}",
    "ports: {out: {id: 5}}",
    "annotations: [a]",
    "annotations: a",
    "annotations: {a: [1]}",
    "name: 5",
    "name: [a]",
    "name: ''",
    "namespace: 5",
    "namespace: {a: 1}",
    "id: 5",
    "id: {}",
    "kind: 5",
    "kind: [log]",
]


@pytest.mark.parametrize("shape", SHAPES)
def test_every_malformed_common_field_is_a_problem(shape: str) -> None:
    text = ""
    for blank in ("{{ .HOST }}", "postgresql://{{ HOST }}:{{ .HOST | lower }}/x"):
        text = f"- kind: snippet\n  name: a\n  language: text\n  code: '{blank}'\n  {shape}\n"
        reading = read_text(text, file="a.yaml")
        assert reading.problems
        checked(reading)
    inner = "".join(f"  {line}\n" for line in text.splitlines())
    outer = read_text(f"- kind: block\n  name: b\n  env: {{HOST: {{data: x}}}}\n  specs:\n{inner}")
    checked(outer)
