"""`>>` and `<<` return exactly the values of their table, and a wrong operand changes nothing."""

from collections.abc import Callable
from typing import Any

import pytest

from heddle.extensions.tasks.authoring.operators import tasks
from heddle.extensions.tasks.authoring.task import Task, task
from heddle.extensions.tasks.authoring.workflow import Workflow
from heddle.extensions.tasks.authoring.workflow_decorator import workflow
from heddle.extensions.tasks.graph.cycle_error import CycleError


def work() -> int:
    return 1


def some(*names: str) -> list[Task[[], int]]:
    """Return new tasks of these names."""
    return [task(name=name)(work) for name in names]


def edges(*given: Task[Any, Any]) -> set[tuple[str, str]]:
    """Return the edges between tasks, by name."""
    return {(one.name, child.name) for one in given for child in one.children}


def test_both_operators_return_the_right_operand() -> None:
    a, b, c, d = some("a", "b", "c", "d")
    both = [b, c]
    assert (a >> b) is b
    assert (a >> both) is both
    assert (both >> d) is d
    assert edges(a, b, c, d) == {("a", "b"), ("a", "c"), ("b", "d"), ("c", "d")}

    e, f, g, h = some("e", "f", "g", "h")
    back = [g, h]
    assert (e << f) is f
    assert (f << back) is back
    assert edges(e, f, g, h) == {("f", "e"), ("g", "f"), ("h", "f")}


def test_a_list_on_the_left_gives_the_task() -> None:
    a, b, c = some("a", "b", "c")
    assert ([a, b] << c) is c
    assert edges(a, b, c) == {("c", "a"), ("c", "b")}


def test_a_diamond_is_one_expression() -> None:
    a, b, c, d = some("a", "b", "c", "d")
    assert (a >> [b, c] >> d) is d
    assert edges(a, b, c, d) == {("a", "b"), ("a", "c"), ("b", "d"), ("c", "d")}
    assert repr(d) == "<Task: d (parents: [b, c], children: [])>"


def test_a_chain_of_backward_arrows_reads_from_left_to_right() -> None:
    e, f, g = some("e", "f", "g")
    assert (e << f << g) is g
    assert edges(e, f, g) == {("f", "e"), ("g", "f")}


def test_every_sequence_is_accepted_and_returned_itself() -> None:
    a, b, c = some("a", "b", "c")
    pair = (b, c)
    assert (a >> pair) is pair
    empty: list[Any] = []
    assert (a >> empty) is empty
    assert edges(a, b, c) == {("a", "b"), ("a", "c")}


def test_two_lists_need_a_group() -> None:
    a, b, c, d = some("a", "b", "c", "d")
    with pytest.raises(TypeError, match=r"unsupported operand type\(s\) for >>: 'list' and 'list'"):
        [a] >> [b]  # type: ignore[operator]  # noqa: B018
    right = tasks(c, d)
    assert (tasks(a, b) >> right) is right
    assert ([a, b] >> right) is right
    assert edges(a, b, c, d) == {("a", "c"), ("a", "d"), ("b", "c"), ("b", "d")}
    assert list(right) == [c, d]


@pytest.mark.parametrize(
    "wrong",
    [
        lambda a, b: a >> "b",
        lambda a, b: a >> [b, "c"],
        lambda a, b: a << None,
        lambda a, b: a >> {b},
        lambda a, b: a >> [[b]],
        lambda a, b: 5 >> a,
        lambda a, b: [b, 5] >> a,
        lambda a, b: tasks(a, "b"),  # pyright: ignore[reportArgumentType] - the mistake is the test
        lambda a, b: a >> work,
    ],
)
def test_a_wrong_operand_is_rejected_and_changes_nothing(wrong: Callable[..., Any]) -> None:
    a, b = some("a", "b")
    with pytest.raises(TypeError, match="is not a task"):
        wrong(a, b)
    assert edges(a, b) == set()
    assert a.parents == set()


def test_a_task_does_not_come_before_itself() -> None:
    (a,) = some("a")
    with pytest.raises(CycleError, match='"a" would come after itself'):
        a >> a
    assert edges(a) == set()


def test_a_cycle_is_rejected_at_once_with_its_path() -> None:
    a, b, c, d = some("a", "b", "c", "d")
    a >> b >> c
    with pytest.raises(CycleError, match="c → a → b → c") as raised:
        c >> [d, a]
    assert raised.value.path == ("c", "a", "b", "c")
    assert edges(a, b, c, d) == {("a", "b"), ("b", "c")}
    with pytest.raises(CycleError):
        [a, b] >> a
    assert edges(a, b, c, d) == {("a", "b"), ("b", "c")}


def test_an_edge_between_workflows_is_rejected_with_both_names() -> None:
    first, second = Workflow("first"), Workflow("second")
    a, b = first.task(name="a")(work), second.task(name="b")(work)
    with pytest.raises(ValueError, match='"a" and "b" are tasks of different workflows'):
        a >> b
    assert edges(a, b) == set()


def test_the_methods_do_what_the_operators_do() -> None:
    a, b, c, d = some("a", "b", "c", "d")
    a.add_children([b, c])
    d.add_parents([b, c])
    assert edges(a, b, c, d) == {("a", "b"), ("a", "c"), ("b", "d"), ("c", "d")}
    assert d.parents == {b, c}


def test_operators_in_a_workflow_order_its_tasks_and_no_others() -> None:
    a, b, c, d = some("a", "b", "c", "d")

    @workflow
    def diamond() -> None:
        both = [b, c]
        assert (a >> both) is both
        assert (both >> d) is d

    after = {each["name"]: each.get("after") for each in diamond.specs()[0].fields["tasks"]}
    assert after == {"a": None, "b": ["a"], "c": ["a"], "d": ["b", "c"]}
    assert edges(a, b, c, d) == set()


def test_calls_are_operands_too() -> None:
    a, b = some("a", "b")

    @workflow
    def twice() -> None:
        first, second = a(), a()
        assert (first >> second) is second  # type: ignore[operator]
        second >> b  # type: ignore[operator]

    after = {each["name"]: each.get("after") for each in twice.specs()[0].fields["tasks"]}
    assert after == {"a": None, "a_2": ["a"], "b": ["a_2"]}


def test_a_workflow_takes_along_what_its_tasks_are_joined_to() -> None:
    a, b, c = some("a", "b", "c")
    a >> b >> c
    made = Workflow("chain", [b])
    assert {each.name for each in made.tasks} == {"a", "b", "c"}
    after = {each["name"]: each.get("after") for each in made.specs()[0].fields["tasks"]}
    assert after == {"a": None, "b": ["a"], "c": ["b"]}


def test_a_task_beside_an_operator_is_its_only_call() -> None:
    a, b = some("a", "b")

    @workflow
    def once() -> None:
        a()
        a >> b

    after = {each["name"]: each.get("after") for each in once.specs()[0].fields["tasks"]}
    assert after == {"a": None, "b": ["a"]}

    @workflow
    def twice() -> None:
        a()
        a()
        a >> b

    with pytest.raises(ValueError, match=r"a is called 2 times in workflow twice \(a and a_2\)"):
        twice.specs()
