"""Isolated programs: what they see, what they give, and what becomes of their workers."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest

from heddle.extensions.languages.errors import ProgramError
from heddle.extensions.languages.javascript import JAVASCRIPT
from heddle.extensions.languages.python import LANGUAGE as PYTHON
from heddle.extensions.languages.workers.pool import BENCH, SIZE, pool_here
from heddle.runtime.assembly.language import CompileError, Language, OptionError, Options
from heddle.runtime.flow.errors import Error, NodeError
from tests.support import change, running

pytestmark = pytest.mark.anyio

Waiting = Callable[[Any], Awaitable[Any]]


class Isolated:
    """A program in a worker, closed at the end."""

    def __init__(self, code: str, language: Language = PYTHON, **options: Any) -> None:
        self.said: list[tuple[str, str]] = []
        told = Options(
            isolation="process",
            waits=True,
            output=lambda level, text: self.said.append((level, text)),
            **options,
        )
        self.program = language.program(code, told)

    async def __aenter__(self) -> "Isolated":
        return self

    async def __aexit__(self, *_: object) -> None:
        cast(Any, self.program).close()

    async def __call__(self, payload: Any = None) -> Any:
        return await cast(Waiting, self.program)(payload)


PAYLOADS: list[Any] = [
    None,
    [1, 2.5, "é", b"\xff", True, {"a": None}],
    {"n": 2**100, "m": [-(2**80)], 3: "x"},
    Error("sold out", code="sold", data={"left": [0]}),
    [Error("inside")],
    "x" * 3_000_000,
]


async def test_payloads_go_through_unchanged() -> None:
    async with Isolated("payload", timeout=30) as run:
        for payload in PAYLOADS:
            assert await run(payload) == payload
        with pytest.raises(ProgramError, match="holds object"):
            await run([object()])


async def test_results_must_be_data() -> None:
    async with Isolated("lambda: 1") as run:
        with pytest.raises(ProgramError, match="holds function"):
            await run()
        with pytest.raises(ProgramError, match="holds function"):
            await run()


async def test_statements_run_anew_for_each_packet() -> None:
    code = "calls = []\ndef main(payload):\n    calls.append(payload)\n    return len(calls)"
    async with Isolated(code) as run:
        assert [await run(n) for n in range(4)] == [1, 1, 1, 1]


async def test_failures_carry_their_line_and_errors_their_code() -> None:
    async with Isolated("def main(payload):\n    return payload['x']") as run:
        with pytest.raises(ProgramError, match=r"^line 2: KeyError: 'x'$"):
            await run({})
    code = (
        "from heddle.runtime.flow.errors import Error, NodeError\n"
        "def main(payload):\n    raise NodeError(Error('sold out', code='sold', data=payload))"
    )
    async with Isolated(code) as run:
        with pytest.raises(NodeError) as caught:
            await run([1])
        assert caught.value.error == Error("sold out", code="sold", data=[1])
    async with Isolated("print(int('x'))\ndef main(payload): pass") as run:
        with pytest.raises(ProgramError, match="line 1: ValueError"):
            await run()


async def test_what_is_printed_is_told() -> None:
    code = (
        "import sys\ndef main(payload):\n"
        "    print('one', payload)\n    print('two', file=sys.stderr)\n    sys.stdout.write('rest')"
    )
    async with Isolated(code) as run:
        await run(1)
        await run(2)
        assert run.said == [
            *[("info", "one 1"), ("warning", "two"), ("info", "rest")],
            *[("info", "one 2"), ("warning", "two"), ("info", "rest")],
        ]


async def test_secrets_of_the_environment_are_not_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_PASSWORD", "hunter2")
    async with Isolated("sorted(__import__('os').environ)") as run:
        assert "DATABASE_PASSWORD" not in await run()


async def test_standard_streams_lead_nowhere() -> None:
    code = "__import__('os').write(1, b'x' * 1000) + len(__import__('os').read(0, 10))"
    async with Isolated(code) as run:
        assert await run() == 1000


async def test_a_worker_that_died_is_replaced() -> None:
    async with (
        Isolated("__import__('os').getpid()") as run,
        Isolated("__import__('os')._exit(3)") as exit_,
    ):
        first = await run()
        with pytest.raises(ProgramError, match="exit code 3"):
            await exit_()
        second = await run()
        assert first != second


async def test_a_worker_that_was_killed_while_idle_costs_no_packet() -> None:
    import os
    import signal

    async with Isolated("__import__('os').getpid()") as run:
        first = await run()
        os.kill(first, signal.SIGKILL)
        await asyncio.to_thread(os.waitid, os.P_PID, first, os.WEXITED | os.WNOWAIT)
        assert await run() != first


async def test_packets_run_side_by_side_in_a_few_workers() -> None:
    code = "def main(payload):\n    import os, time\n    time.sleep(0.05)\n    return os.getpid()"
    async with Isolated(code, timeout=30) as run:
        found = await asyncio.gather(*(run(n) for n in range(SIZE * 3)))
        assert 2 <= len(set(found)) <= SIZE
        assert pool_here().workers <= SIZE


async def test_the_worker_of_a_cancelled_packet_is_ended() -> None:
    async with Isolated("__import__('time').sleep(payload)", timeout=60) as run:
        await run(0)
        task = asyncio.ensure_future(run(60))
        await asyncio.sleep(0)
        assert not pool_here()._idle
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert pool_here().workers == 0
        await run(0)


async def test_workers_end_with_the_last_program_that_needs_them() -> None:
    async with Isolated("payload") as one:
        async with Isolated("payload") as two:
            await one(1)
            await two(1)
        assert pool_here().workers == 1
        assert await one(2) == 2
    assert pool_here().workers == 0


def test_a_program_that_cannot_wait_is_isolated_as_well() -> None:
    # Programs of other stories may still hold the bench.
    before = BENCH._users
    program = PYTHON.program("payload + 1", Options(isolation="process"))
    loop = PYTHON.program(
        "[0 for _ in iter(int, 1) if _]", Options(isolation="process", timeout=0.2)
    )
    assert program(1) == 2
    with pytest.raises(TimeoutError):
        loop(1)
    assert program(2) == 3
    for each in (program, loop):
        cast(Any, each).close()
    assert BENCH._users == before
    assert before or BENCH._worker is None


REFUSED = [
    ("def main(payload):\n    return (", 2, "never closed"),
    ("x = 1", 0, "no main(payload)"),
]


@pytest.mark.parametrize(("code", "line", "said"), REFUSED)
def test_code_is_checked_before_anything_runs(code: str, line: int, said: str) -> None:
    with pytest.raises(CompileError) as caught:
        PYTHON.program(code, Options(isolation="process"))
    assert caught.value.line == line
    assert said in caught.value.message


def test_nothing_of_the_code_runs_in_this_process_to_check_it(tmp_path: Any) -> None:
    file = tmp_path / "touched"
    PYTHON.program(
        f"open({str(file)!r}, 'w')\ndef main(payload): pass", Options(isolation="process")
    )
    assert not file.exists()


def test_limits_without_isolation_are_rejected_for_python() -> None:
    for option in ({"timeout": 1.0}, {"memory": 1000}):
        with pytest.raises(OptionError) as caught:
            PYTHON.program("payload", Options(**option))  # type: ignore[arg-type]
        assert "isolation: process" in caught.value.hint


async def test_javascript_runs_in_a_worker_as_it_does_here() -> None:
    code = "export default (p) => { console.log(p.a); return { b: p.a, n: 2n ** 70n } }"
    async with Isolated(code, JAVASCRIPT, timeout=30) as run:
        assert await run({"a": b"x"}) == {"b": b"x", "n": 2**70}
        assert run.said == [("info", "[1 bytes]")]


FLOW = """
- kind: snippet
  name: add
  language: python
  isolation: process
  timeout: 20s
  memory: 32MiB
  code: payload + {n}
"""


async def test_a_flow_runs_isolated_and_a_reload_ends_what_it_replaced() -> None:
    async with running(FLOW.format(n=1)) as rt:
        assert await rt.send("add", 1) == 2
        await change(rt, FLOW.format(n=10))
        assert await rt.send("add", 1) == 11
        assert pool_here().workers == 1
    assert pool_here().workers == 0
