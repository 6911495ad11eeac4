"""Python, Spec, YAML, Spec, Python: whatever a workflow says, nothing is lost on the way."""

from typing import Any, cast

from hypothesis import given, settings
from hypothesis import strategies as st

from heddle import read_text
from heddle.extensions.tasks.authoring.output import Output, broadcast, cel, through
from heddle.extensions.tasks.authoring.round_trip import workflow_of_spec, yaml_of_workflow
from heddle.extensions.tasks.authoring.task import Task, task
from heddle.extensions.tasks.authoring.workflow import Workflow
from heddle.specs.model.entry import data_of

NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_-]{0,7}", fullmatch=True).filter(
    lambda name: name not in ("in", "run")
)
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=12)
DATA = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS
    | st.sampled_from(
        ["yes", "1.0", "null", "{{ .X }}", "a: b", "# no", "'", '"', "~", "2026-11-30"]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


@task
def work(**inputs: Any) -> Any:
    return inputs


SPEC: Task[..., Any] = task(
    name="spec", do={"kind": "snippet", "language": "cel", "code": "self", "ports": {}}
)

OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "retry": st.integers(1, 9) | st.just({"attempts": 3, "delay": "1s", "when": "code == 'x'"}),
        "timeout": st.sampled_from(["10s", 2.5, "1m30s"]),
        "priority": st.sampled_from(["low", "high", 7]),
        "when": st.sampled_from(["self.x > 1", {"language": "python", "code": "True"}]),
        "join": st.sampled_from(["any", "settled", 2]),
        "on_error": st.sampled_from(["stop", "finish", "ignore"]),
        "fallback": DATA.map(lambda value: {"value": value}),
        "idempotent": st.booleans(),
        "tags": st.lists(TEXTS, max_size=3),
        "help": TEXTS,
        "for_each": st.sampled_from(["x", ["x", "y"], {"over": "x", "concurrency": 3}]),
    },
)

WORKFLOW_OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "max_parallel": st.integers(1, 50),
        "on_error": st.sampled_from(["stop", "finish"]),
        "timeout": st.sampled_from(["1h", 30]),
        "durable": st.booleans() | st.just("main"),
        "schedule": st.just({"cron": "0 6 * * mon-fri", "with": {"day": "x"}}),
        "help": TEXTS,
    },
)


@st.composite
def workflows(draw: st.DrawFn) -> Workflow:
    """Return a random workflow, built by the methods and operators of Python."""
    made = Workflow(draw(NAMES), **cast(dict[str, Any], draw(WORKFLOW_OPTIONS)))
    outputs: list[Output] = []
    for name in draw(st.lists(NAMES, unique=True, max_size=3)):
        hint = draw(st.sampled_from([str, int, Any, list[int], int | None, {"type": "array"}]))
        given_default = draw(st.booleans()) and not isinstance(hint, dict)
        more: dict[str, Any] = {"default": draw(DATA)} if given_default else {}
        outputs.append(made.input(name, hint, **more))
    calls: list[Any] = []
    for name in draw(st.lists(NAMES, unique=True, min_size=1, max_size=6)):
        inputs = {key: draw(values(outputs)) for key in draw(st.lists(NAMES, max_size=3))}
        after = draw(st.lists(st.sampled_from(calls), max_size=2)) if calls else []
        work_of = draw(st.sampled_from([work, SPEC]))
        call = made.add(work_of, inputs, name=name, after=after, **draw(OPTIONS))
        calls.append(call)
        outputs += [call.output, call.output["a part"]["b"][3]]
    for name in draw(st.lists(NAMES, unique=True, max_size=2)):
        made.output(name, draw(st.sampled_from(calls)))
    return made


def values(outputs: list[Output]) -> st.SearchStrategy[Any]:
    """Return anything that an input may be given."""
    plain: st.SearchStrategy[Any] = DATA | TEXTS.map(lambda code: cel(code))
    if not outputs:
        return plain
    any_output = st.sampled_from(outputs)
    return (
        plain
        | any_output
        | any_output.map(broadcast)
        | any_output.map(lambda output: through(output, "unwrap", {"pick": "a"}))
    )


@given(workflows())
@settings(max_examples=150, deadline=None)
def test_python_to_spec_to_yaml_to_spec_to_python_is_lossless(made: Workflow) -> None:
    specs = made.specs()
    assert made.specs() == specs, "two builds give the same Specs"
    written = yaml_of_workflow(made)
    read = read_text(written)
    assert not read.problems
    assert tuple(read.specs) == specs
    again = workflow_of_spec(read.specs[0])
    assert again.specs() == specs
    assert yaml_of_workflow(again) == written
    assert [data_of(spec) for spec in again.specs()] == [data_of(spec) for spec in specs]


def test_what_a_spec_says_beside_its_tasks_comes_back() -> None:
    text = """
- kind: workflow
  name: "odd one: 2"
  id: 0190a3f0-0000-7000-8000-000000000001
  namespace: other
  annotations: {team: shop}
  inputs: {}
  tasks:
    - {name: a, run: 'x:y', inputs: {}, after: []}
    - {name: b, uses: x.y, when: 'self.a', unknown: {kept: true}, outputs: {rows: {type: array}}}
  outputs: {b: b.rows, c: {from: a, through: [unwrap]}}
  unknown: [1]
  env: {DAY: {data: '{{ .DAY }}'}}
  ports: {out: [{name: next}], event: [{name: log, port: in}]}
- kind: workflow
  name: small
  uses: odd
  with: {table: orders}
"""
    specs = read_text(text, namespace="other").specs
    assert len(specs) == 2
    for spec in specs:
        assert workflow_of_spec(spec).specs() == (spec,)
