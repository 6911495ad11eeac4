"""The language python: expressions, main(payload), and errors that know their line."""

from typing import Any

import pytest

from heddle.extensions.languages.python import LANGUAGE, PythonError
from heddle.runtime.assembly.language import CompileError, Options
from heddle.runtime.flow.errors import Error, NodeError
from heddle.runtime.flow.stream import Stream

pytestmark = pytest.mark.anyio


def run(code: str, payload: Any = None) -> Any:
    return LANGUAGE.compile(code)(payload)


def test_expression_sees_the_payload() -> None:
    assert run("payload['a'] + 1", {"a": 1}) == 2
    assert run("  {'n': len(payload)}\n", [1, 2]) == {"n": 2}
    assert run("[x for x in payload if all(y <= x for y in payload)]", [1, 3, 2]) == [3]


def test_main_is_called_with_the_payload() -> None:
    code = "import math\n\nROOT = 2\n\ndef main(payload):\n    return math.pow(payload, 1 / ROOT)\n"
    assert run(code, 9) == 3.0


def test_statements_around_main_run_once() -> None:
    program = LANGUAGE.compile(
        "calls = []\ndef main(payload):\n    calls.append(payload)\n    return len(calls)"
    )
    assert [program(None), program(None)] == [1, 2]


def test_each_compilation_has_a_namespace_of_its_own() -> None:
    code = "calls = []\ndef main(payload):\n    calls.append(1)\n    return len(calls)"
    first, second = LANGUAGE.compile(code), LANGUAGE.compile(code)
    first(None)
    assert second(None) == 1


def test_main_may_take_more_if_it_need_not() -> None:
    assert run("def main(payload, times=2):\n    return payload * times", 4) == 8
    assert run("class main:\n    def __new__(cls, payload):\n        return payload + 1", 4) == 5


REFUSED = [
    ("def main(payload):\n    return (", 2, "was never closed"),
    ("x = 1\nx = = 2\n", 2, "invalid syntax"),
    ("  def main(payload): pass\n x", 1, "unexpected indent"),
    ("", 0, "no main(payload)"),
    ("total = payload + 1", 1, "NameError"),
    ("def mian(payload): pass", 0, "no main(payload)"),
    ("main = 3", 0, "main is int"),
    ("\ndef main(): pass", 2, "does not take one payload"),
    ("def main(a, b): pass", 1, "does not take one payload"),
    ("async def main(payload): pass", 1, "async"),
    ("def main(payload):\n    yield 1", 1, "yields"),
    ("import sys\n\nsys.exit(3)", 3, "SystemExit"),
    ("import no_such_module_here", 1, "ModuleNotFoundError"),
    ("a\x00b", 0, "null"),
]


@pytest.mark.parametrize(("code", "line", "said"), REFUSED, ids=[row[2] for row in REFUSED])
def test_code_that_cannot_serve_is_rejected(code: str, line: int, said: str) -> None:
    with pytest.raises(CompileError) as caught:
        LANGUAGE.compile(code)
    assert said in caught.value.message
    assert line in (0, caught.value.line)


def test_syntax_error_knows_its_column() -> None:
    with pytest.raises(CompileError) as caught:
        LANGUAGE.compile("def main(payload):\n    return payload +* 2")
    assert (caught.value.line, caught.value.column) == (2, 21)


def test_failure_carries_the_line_inside_the_code() -> None:
    code = "def main(payload):\n    found = helper(payload)\n    return found\n\ndef helper(payload):\n    return payload['x']"
    with pytest.raises(PythonError) as caught:
        run(code, {})
    assert str(caught.value) == "line 6: KeyError: 'x'"
    assert isinstance(caught.value.__cause__, KeyError)
    with pytest.raises(PythonError, match=r"line 1: ZeroDivisionError: division by zero"):
        run("1 / payload", 0)


def test_failure_inside_a_library_shows_the_line_that_called_it() -> None:
    with pytest.raises(PythonError, match=r"^line 3: JSONDecodeError"):
        run("import json\ndef main(payload):\n    return json.loads(payload)", "{")


def test_exit_fails_the_packet_and_not_the_process() -> None:
    with pytest.raises(PythonError, match="SystemExit: 3"):
        run("exit(3)")


def test_error_of_its_own_making_passes_untouched() -> None:
    code = (
        "from heddle.runtime.flow.errors import Error, NodeError\n"
        "def main(payload):\n    raise NodeError(Error('sold out', code='sold'))"
    )
    with pytest.raises(NodeError) as caught:
        run(code)
    assert caught.value.error == Error("sold out", code="sold")


# -- streams ----------------------------------------------------------------------------------------


def streaming(code: str) -> Any:
    """Return a program that may yield."""
    return LANGUAGE.program(code, Options(waits=True))


async def test_what_main_yields_is_a_stream() -> None:
    stream = streaming("def main(payload):\n    yield payload\n    yield payload + 1")(1)
    assert isinstance(stream, Stream)
    assert [item async for item in stream] == [1, 2]


async def test_an_async_main_reads_a_stream_and_makes_another() -> None:
    code = "async def main(payload):\n    async for item in payload:\n        yield item * 2"
    program = streaming(code)
    doubled = program(program(streaming("def main(payload):\n    yield from payload")([1, 2])))
    assert [item async for item in doubled] == [4, 8]


async def test_main_that_is_left_early_runs_its_finally() -> None:
    code = """
def main(payload):
    try:
        while True:
            yield len(payload)
    finally:
        payload.append("left")
"""
    seen: list[str] = []
    stream = streaming(code)(seen)
    async for item in stream:
        assert item == 0
        break
    await stream.aclose()
    assert seen == ["left"]


async def test_what_main_raises_between_two_items_names_its_line() -> None:
    stream = streaming("def main(payload):\n    yield 1\n    yield 1 / 0")(None)
    items = aiter(stream)
    assert await anext(items) == 1
    with pytest.raises(NodeError, match="line 3: ZeroDivisionError"):
        await anext(items)


@pytest.mark.parametrize(
    ("code", "options", "message"),
    [
        ("def main(payload):\n    yield 1", Options(), "one value is expected"),
        ("async def main(payload):\n    return 1", Options(waits=True), "cannot wait"),
        (
            "def main(payload):\n    if payload:\n        yield 1",
            Options(waits=True, isolation="process"),
            "a worker hands one value back",
        ),
    ],
)
def test_main_that_cannot_yield_is_rejected(code: str, options: Options, message: str) -> None:
    with pytest.raises(CompileError, match=message):
        LANGUAGE.program(code, options)
