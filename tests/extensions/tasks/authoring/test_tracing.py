"""A workflow in Python is the same Spec as in YAML; a task alone is its function."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from heddle import SpecError, read_text
from heddle.extensions.tasks.authoring.auto_connect import AutoConnectError
from heddle.extensions.tasks.authoring.options import RetryPolicy, TaskPriority
from heddle.extensions.tasks.authoring.output import broadcast, cel, through
from heddle.extensions.tasks.authoring.registry import TaskRegistry
from heddle.extensions.tasks.authoring.task import task
from heddle.extensions.tasks.authoring.workflow import Workflow
from heddle.extensions.tasks.authoring.workflow_decorator import workflow
from heddle.schemas.types.signature import SignatureError

HERE = "tests.extensions.tasks.authoring.test_tracing"


class Order(msgspec.Struct):
    net: float


class Total(msgspec.Struct):
    euros: float
    count: int = 0


@task
def load(day: str, limit: int = 10) -> list[Order]:
    """Load the orders of a day."""
    return [Order(float(limit))]


@task(retry=3, timeout="10s", priority=TaskPriority.HIGH)
def total(rows: list[Order]) -> Total:
    return Total(sum(row.net for row in rows), len(rows))


@task()
async def text(total: float, day: str) -> str:
    return f"{day}: {total}"


@task
def lines(text: str) -> Iterator[str]:
    yield from text.split()


@task
async def ticks() -> AsyncIterator[int]:
    yield 1


@workflow(inputs={"day": str}, max_parallel=2, help="A report of a day.")
def report(day: Any) -> Any:
    rows = load(day)
    return text(total=total(rows).euros, day=day)


REPORT = f"""
- kind: workflow
  name: report
  help: A report of a day.
  max_parallel: 2
  inputs: {{day: {{type: string}}}}
  tasks:
    - {{name: load, run: '{HERE}:load', inputs: {{day: in.day}}}}
    - {{name: total, run: '{HERE}:total', inputs: {{rows: load}}, retry: 3, timeout: 10s, priority: high}}
    - {{name: text, run: '{HERE}:text', inputs: {{total: total.euros, day: in.day}}}}
"""


def only(made: Workflow) -> dict[str, Any]:
    """Return the fields of the only Spec of a workflow."""
    (spec,) = made.specs()
    return dict(spec.fields)


def test_a_traced_workflow_is_the_same_spec_as_in_yaml() -> None:
    assert list(report.specs()) == list(read_text(REPORT).specs)


def test_two_builds_give_the_same_specs() -> None:
    assert report.specs() == report.specs()

    def body(day: str) -> Any:
        return text(total=total(load(day, 3)).euros, day=day)

    assert workflow(name="x")(body).specs() == workflow(name="x")(body).specs()


def test_the_specs_do_not_depend_on_the_order_of_sets() -> None:
    code = (
        "from heddle import yaml_of_workflow, task\n"
        f"from {HERE} import load, text, total, report\n"
        "from heddle import workflow\n"
        "@workflow\n"
        "def many(day: str):\n"
        "    rows = load.configure(name='rows', tags={'a', 'b', 'c', 'd'})(day)\n"
        "    load >> [total, total.configure(name='again')] >> total.configure(name='last')\n"
        "    return {'rows': rows}\n"
        "print(yaml_of_workflow(many))\n"
        "print(yaml_of_workflow(report))"
    )
    built = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            cwd=Path(__file__).parents[4],
            env={**os.environ, "PYTHONHASHSEED": str(seed)},
        ).stdout
        for seed in range(4)
    }
    assert len(built) == 1


def test_outside_a_workflow_a_task_is_its_function() -> None:
    assert load("2026-11-30") == [Order(10.0)]
    assert total([Order(1.5), Order(2)]) == Total(3.5, 2)
    assert list(lines("a b")) == ["a", "b"]
    assert asyncio.run(text(1.0, "today")) == "today: 1.0"
    assert load.__name__ == "load"  # pyright: ignore[reportAttributeAccessIssue] - the mistake is the test
    assert load.__doc__ == "Load the orders of a day."
    assert (text.is_async(), load.is_async()) == (True, False)


def test_a_problem_of_a_task_is_placed_at_its_line_of_python() -> None:
    (spec,) = report.specs()
    place = spec.place(("tasks", 1, "inputs", "rows"))
    assert place.file == __file__
    line = Path(__file__).read_text().splitlines()[place.line - 1]
    assert "total(rows)" in line


def test_literals_expressions_and_parts_are_inputs() -> None:
    @task
    def collect(a: Any, b: Any, c: Any, d: Any, e: Any, f: Any) -> Any: ...

    @workflow
    def all_sorts(day: str) -> Any:
        rows = load(day)
        return {
            "done": collect(
                a=[1, Order(2.0)],
                b=rows[0].net,
                c=cel("load.size() + 1"),
                d=[rows, {"net": rows[0].net}, "x"],
                e=broadcast(rows),  # pyright: ignore[reportArgumentType] - the mistake is the test
                f=through(rows, {"pick": "[0]"}),  # pyright: ignore[reportArgumentType] - the mistake is the test
            )
        }

    fields = only(all_sorts)
    assert fields["tasks"][1]["inputs"] == {
        "a": {"value": [1, {"net": 2.0}]},
        "b": "load[0].net",
        "c": {"language": "cel", "code": "load.size() + 1"},
        "d": {"language": "cel", "code": '[load, {"net": load[0].net}, "x"]'},
        "e": {"from": "load", "broadcast": True},
        "f": {"from": "load", "through": [{"pick": "[0]"}]},
    }
    assert fields["outputs"] == {"done": "collect"}


@pytest.mark.parametrize(
    ("body", "error", "words"),
    [
        (
            lambda day: total(load(day)).euro,  # pyright: ignore[reportAttributeAccessIssue] - the mistake is the test
            AttributeError,
            "no part 'euro'.*Did you mean \"euros\"",
        ),
        (lambda day: total(lines=load(day)), TypeError, 'total has no input "lines"'),  # pyright: ignore[reportCallIssue] - the mistake is the test
        (lambda day: total(load(day), load(day)), TypeError, "1 inputs by position"),  # pyright: ignore[reportCallIssue] - the mistake is the test
        (lambda day: load(day, day=day), TypeError, 'the input "day" twice'),  # pyright: ignore[reportCallIssue] - the mistake is the test
        (lambda day: 1 if load(day) else 2, TypeError, "cannot be tested"),
        (lambda day: load(f"on {day}"), TypeError, "cannot be written as text"),
        (
            lambda day: [row.net for row in load(day)],
            TypeError,
            "cannot be iterated over.*for_each",
        ),
        (lambda day: total(load(day)).euros > 5, TypeError, "cannot be compared"),
        (lambda day: total(load(day)).euros + 5, TypeError, "cannot be computed with"),
        (lambda day: day == "x", TypeError, "cannot be compared"),
        (
            lambda day: load(day=object()),  # pyright: ignore[reportArgumentType] - the mistake is the test
            TypeError,
            "load: the input day: object cannot be written",
        ),
        (lambda day: load(day=[day]), TypeError, "in.day is an input of the workflow"),  # pyright: ignore[reportArgumentType] - the mistake is the test
        (lambda day: 5, TypeError, "is 5, not the output of a task"),
    ],
)
def test_a_mistake_in_a_body_is_explained_where_it_is(body: Any, error: Any, words: str) -> None:
    made = workflow(name="wrong", inputs={"day": str})(body)
    with pytest.raises(error, match=words):
        made.specs()
    with pytest.raises(error, match=words):
        made.specs()


def test_arrows_set_the_order_and_types_carry_the_data() -> None:
    @task
    def show(total: Total) -> str: ...  # type: ignore[empty-body]

    @task
    def clean() -> None: ...

    @workflow
    def chain(day: str) -> Any:
        load >> total >> show >> clean

    tasks = {each["name"]: each for each in only(chain)["tasks"]}
    assert tasks["load"]["inputs"] == {"day": "in.day"}
    assert tasks["total"]["inputs"] == {"rows": "load"}
    assert tasks["show"]["inputs"] == {"total": "total"}
    assert "after" not in tasks["show"]
    assert tasks["clean"]["after"] == ["show"]


def test_nothing_is_guessed_and_what_was_tried_is_listed() -> None:
    @task
    def note(words: str, euros: float) -> str: ...  # type: ignore[empty-body]

    @workflow
    def chain(day: str) -> Any:
        load >> total >> note

    with pytest.raises(AutoConnectError, match="nothing fills the input words") as raised:
        chain.specs()
    assert "total.euros (number): does not fit" in str(raised.value)

    @task
    def one() -> Total: ...  # type: ignore[empty-body]

    @task
    def two() -> Total: ...  # type: ignore[empty-body]

    @task
    def take(sum: Total) -> str: ...  # type: ignore[empty-body]  # noqa: A002

    @workflow
    def unclear() -> Any:
        [one, two] >> take

    with pytest.raises(
        AutoConnectError, match=r"could be filled by one \(Total\) and two \(Total\)"
    ):
        unclear.specs()


def test_a_workflow_grows_by_methods() -> None:
    made = Workflow("report", max_parallel=2, help="A report of a day.")
    day = made.input("day", str)
    rows = made.add(load, {"day": day})
    sums = made.add(total).set_inputs({"rows": rows.output})
    made.add(text, {"day": day}, name="text")
    made.connect(sums, "euros", made.get("text"), "total")
    written = only(made)
    assert {each["name"]: each["inputs"] for each in written["tasks"]} == {
        each["name"]: each["inputs"] for each in only(report)["tasks"]
    }


def test_specs_of_any_kind_and_workflows_are_tasks() -> None:
    get = task(name="get", inputs={"url": str}, do={"kind": "http", "method": "GET"})

    @workflow
    def page(url: str) -> Any:
        return {"words": lines(text=get(url=url).body)}

    @workflow
    def site(urls: list[str]) -> Any:
        return {"pages": page(url=urls[0])}

    fields = only(site)
    assert fields["tasks"][0]["name"] == "page"
    inner = fields["tasks"][0]["do"]
    assert inner["kind"] == "workflow"
    assert inner["tasks"][0]["do"] == {"kind": "http", "method": "GET"}
    assert inner["outputs"] == {"words": "lines"}
    assert fields["tasks"][0]["inputs"] == {"url": "in.urls[0]"}
    with pytest.raises(TypeError, match="not a Python function"):
        get(url="x")


def test_options_are_written_as_in_yaml() -> None:
    made = task(name="x", retry=RetryPolicy(max_retries=2, min_delay=0.2, jitter=0), timeout=1.5)(
        load.function  # pyright: ignore[reportArgumentType] - the mistake is the test
    )
    assert made.options["retry"] == {
        "attempts": 3,
        "delay": "200ms",
        "factor": 2.0,
        "max_delay": "30s",
        "jitter": 0,
    }
    assert made.options["timeout"] == "1.5s"
    again = made.configure(timeout=None, retry=5, tags=("a", "b"))
    assert (again.options["retry"], again.options["tags"]) == (5, ["a", "b"])
    assert made.options["retry"] != 5
    with pytest.raises(TypeError, match=r'no option "retrys"\. Did you mean "retry"'):
        task(retrys=3)


@task
def early(later: "Later") -> "list[Later]":
    return [later]


class Later(msgspec.Struct):
    n: int


def test_a_hint_may_name_a_class_that_is_defined_further_down() -> None:
    @workflow
    def one(later: Later) -> Any:
        return {"n": early(later)[0].n}

    assert only(one)["outputs"] == {"n": "early[0].n"}
    assert [each.hint for each in early.inputs] == [Later]


def test_a_fallback_is_a_value_or_tasks() -> None:
    def fallback(value: Any) -> Any:
        return load.configure(fallback=value).options["fallback"]

    assert fallback(4.9) == {"value": 4.9}
    assert fallback({"value": [1]}) == {"value": [1]}
    assert fallback([1, 2]) == {"value": [1, 2]}
    assert fallback({"net": 1}) == {"value": {"net": 1}}
    assert fallback([]) == {"value": []}
    assert fallback(total) == [{"name": "total", "run": f"{HERE}:total"}]
    assert [each["name"] for each in fallback([total, text])] == ["total", "text"]
    assert fallback([{"name": "a", "run": "x:y"}]) == [{"name": "a", "run": "x:y"}]
    assert load.configure(when=cel("self.day != ''")).options["when"] == {
        "language": "cel",
        "code": "self.day != ''",
    }


def test_names_are_checked_at_once() -> None:
    with pytest.raises(ValueError, match="lambda needs name"):
        task(lambda x: x)
    with pytest.raises(ValueError, match='"run" is reserved'):
        task(name="run")(load.function)  # pyright: ignore[reportArgumentType] - the mistake is the test
    with pytest.raises(SignatureError, match="cannot be a task"):

        @task
        def bad(x: int, /) -> None: ...

    made = Workflow("w")
    made.add(load, {"day": "x"}, name="a")
    with pytest.raises(
        ValueError, match=r'has a task "a" already \(added at .*test_tracing.py:\d+\)'
    ):
        made.add(load, {"day": "y"}, name="a")
    assert len(made.tasks) == 1
    with pytest.raises(KeyError, match='no task "b"'):
        made.get("b")
    made.input("d")
    with pytest.raises(ValueError, match='the input "d" already'):
        made.input("d")


def test_a_second_registration_of_a_name_is_rejected() -> None:
    @task(namespace="tests.shop")
    def price(net: float) -> float:
        return net * 1.2

    try:
        assert price.registered_name == "tests.shop.price"
        assert TaskRegistry.get("tests.shop", "price") is price.function
        assert TaskRegistry.get_executor("tests.shop.price") is price.function
        assert price.target == {"uses": "tests.shop.price"}
        with pytest.raises(ValueError, match=r'"tests.shop.price" is registered already'):
            task(name="price", namespace="tests.shop")(load.function)  # pyright: ignore[reportArgumentType] - the mistake is the test
        assert TaskRegistry.get("tests.shop", "price") is price.function
        task(name="price", namespace="tests.shop", override=True)(load.function)  # pyright: ignore[reportArgumentType] - the mistake is the test
        assert TaskRegistry.get("tests.shop", "price") is load.function
        with pytest.raises(KeyError, match="No such namespace nowhere"):
            TaskRegistry.get("nowhere", "price")
        with pytest.raises(KeyError, match="No task executor registered for other"):
            TaskRegistry.get("tests.shop", "other")
    finally:
        TaskRegistry.unregister("tests.shop", "price")


def test_a_workflow_that_is_not_one_is_rejected() -> None:
    from heddle.extensions.tasks.authoring.round_trip import workflow_of_spec

    (spec,) = read_text("{kind: snippet, name: x, language: text, code: hi}").specs
    with pytest.raises(SpecError, match="the kind snippet"):
        workflow_of_spec(spec)
