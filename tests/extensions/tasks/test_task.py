"""The kind task: a Python function as an ordinary node."""

from typing import Any

import pytest

from heddle.extensions.extension import Error
from heddle.extensions.tasks.functions import register_function, unregister_function
from tests.extensions.tasks.work import AT, double
from tests.support import running

pytestmark = pytest.mark.anyio

TYPED = "tests.extensions.tasks.graph.typed"


async def send(flow: str, payload: Any) -> Any:
    """Send a packet to the first node of a flow."""
    async with running(flow) as rt:
        assert not rt.status().problems, [str(one) for one in rt.status().problems]
        return await rt.send("it", payload)


@pytest.mark.parametrize(
    ("function", "payload", "expected"),
    [
        ("add", {"a": 1, "b": 2}, 3),
        ("double", {"x": 4}, 8),
        ("double", 4, 8),
        ("double_later", 4, 8),
        ("numbers", {}, [0, 1, 2]),
        ("pieces", {"count": 2}, [0, 1]),
        ("pieces_later", 2, [0, 1]),
        ("note", {"anything": [1]}, {"anything": [1]}),
    ],
)
async def test_it_is_sent_a_record_or_the_value_of_its_only_parameter(
    function: str, payload: Any, expected: Any
) -> None:
    assert await send(f"- {{kind: task, name: it, run: '{AT}:{function}'}}", payload) == expected


@pytest.mark.parametrize(
    ("function", "payload", "message"),
    [
        ("add", {"a": 1}, f"{AT}:add lacks the inputs b"),
        (
            "add",
            {"a": 1, "c": 2},
            f'{AT}:add has no input "c" (it has: a, b)',
        ),
        ("add", 3, f"{AT}:add is called with a map of its inputs (it has: a, b)"),
        ("double", {"x": "two"}, "the input x does not fit: Expected `int`, got `str`"),
    ],
)
async def test_what_does_not_fit_is_an_error_in_words(
    function: str, payload: Any, message: str
) -> None:
    error = await send(f"- {{kind: task, name: it, run: '{AT}:{function}'}}", payload)
    assert isinstance(error, Error)
    assert error.message == message


async def test_classes_are_built_of_plain_data_and_written_back() -> None:
    flow = (
        f"- {{kind: task, name: it, run: '{TYPED}:person', ports: {{out: [{{name: greet}}]}}}}\n"
        f"- {{kind: task, name: greet, run: '{TYPED}:greet'}}\n"
    )
    assert await send(flow, {}) == "Person Ada"


async def test_each_field_of_a_result_has_a_port_of_its_name() -> None:
    flow = (
        f"- {{kind: task, name: it, run: '{TYPED}:person', ports: {{name: [{{name: up}}], age: [{{name: next}}]}}}}\n"
        "- {kind: snippet, name: up, language: cel, code: self + '!'}\n"
        "- {kind: snippet, name: next, language: cel, code: self + 1}\n"
    )
    assert await send(flow, {}) == ["Ada!", 37]


async def test_a_registered_function_is_used_by_its_name() -> None:
    register_function("tests.double", double)
    try:
        assert await send("- {kind: task, name: it, uses: tests.double}", 2) == 4
        with pytest.raises(ValueError, match="is registered already"):
            register_function("tests.double", lambda x: x)
        with pytest.raises(ValueError, match="is not a name such as"):
            register_function("double", double)
    finally:
        unregister_function("tests.double")
    async with running("- {kind: task, name: it, uses: tests.double}") as rt:
        (problem,) = rt.status().problems
        assert (problem.code, problem.path) == ("unknown-function", "it.uses")
