"""The control kinds, as flows: what is sent, and what is answered."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from heddle.runtime.flow.errors import NOTHING, Error
from heddle.runtime.flow.stream import ByteStream
from tests.clock import JUMPING
from tests.support import change, running

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> Any:
    return JUMPING


def text(name: str, code: str | None = None) -> str:
    """Return a snippet that answers its own name, or this text."""
    return f"- {{kind: snippet, name: {name}, language: text, code: {code or name}}}\n"


# -- snippet ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("language", "code", "answer"),
    [
        ("text", "pong", "pong"),
        ("text", "42", "42"),
        ("json", '{"a": [1, 2.5, null]}', {"a": [1, 2.5, None]}),
        ("yaml", "a: [1, yes, on]", {"a": [1, "yes", "on"]}),
        ("cel", "self.n + 1", 42),
        ("python", "payload['n'] + 1", 42),
    ],
)
async def test_a_snippet_answers_what_its_code_gives(language: str, code: str, answer: Any) -> None:
    async with running(
        f"- kind: snippet\n  name: s\n  language: {language}\n  code: |-\n    {code}\n"
    ) as rt:
        assert await rt.send("s", {"n": 41}) == answer


async def test_a_failing_snippet_sends_its_error_to_the_error_port() -> None:
    flow = """
- kind: snippet
  name: s
  language: cel
  code: 1 / self
  ports:
    error: [{name: excuse, port: in}]
- {kind: snippet, name: excuse, language: cel, code: "'sorry: ' + string(self)"}
"""
    async with running(flow) as rt:
        assert await rt.send("s", 1) == 1
        answer = await rt.send("s", 0)
        assert answer.startswith("sorry: ")
        assert "zero" in answer


async def test_an_unknown_language_is_a_problem_with_the_nearest_name() -> None:
    async with running("- {kind: snippet, name: s, language: jsn, code: '1'}") as rt:
        [problem] = rt.status().problems
    assert problem.code == "unknown-language"
    assert 'Did you mean "json"?' in str(problem)
    assert problem.path == "s.language"


async def test_a_mistake_in_code_is_told_at_its_line() -> None:
    flow = "- kind: snippet\n  name: s\n  language: python\n  code: |\n    x = 1\n    def main(:\n"
    async with running(flow) as rt:
        [problem] = rt.status().problems
    assert problem.place.line == 6
    assert problem.path == "s.code"


# -- if and switch ----------------------------------------------------------------------------

IF = (
    """
- kind: if
  name: choose
  when: self > 10
  ports:
    out[0]: [{name: large, port: in}]
    out[1]: [{name: small, port: in}]
"""
    + text("large")
    + text("small")
)


async def test_if_goes_one_way_or_the_other() -> None:
    async with running(IF) as rt:
        assert await rt.send("choose", 11) == "large"
        assert await rt.send("choose", 10) == "small"
        assert await rt.send("choose", 10.5) == "large"


async def test_a_condition_that_fails_is_an_error_of_the_if() -> None:
    async with running(IF) as rt:
        answer = await rt.send("choose", {"no": "number"})
    assert isinstance(answer, Error)
    assert answer.symbol == "choose"


async def test_an_if_way_without_a_link_makes_the_packet_the_answer() -> None:
    async with running("- {kind: if, name: choose, when: self}") as rt:
        assert await rt.send("choose", None) is None
        assert await rt.send("choose", 3) == 3


SWITCH = (
    """
- kind: switch
  name: size
  matches:
    - {when: self > 100, port: 'out[2]'}
    - {when: self > 10, port: out}
  default: out[7]
  ports:
    out[2]: [{name: large, port: in}]
    out[0]: [{name: medium, port: in}]
    out[7]: [{name: small, port: in}]
"""
    + text("large")
    + text("medium")
    + text("small")
)


async def test_switch_takes_the_first_true_case_whatever_its_port_number() -> None:
    async with running(SWITCH) as rt:
        assert await rt.send("size", 101) == "large"
        assert await rt.send("size", 100) == "medium"
        assert await rt.send("size", 1) == "small"


async def test_a_switch_without_default_answers_with_the_packet() -> None:
    async with running("- {kind: switch, name: s, matches: [{when: self == 1, port: out}]}") as rt:
        assert await rt.send("s", 2) == 2


async def test_a_switch_port_that_is_none_is_a_problem() -> None:
    async with running(
        "- {kind: switch, name: s, matches: [{when: 'true', port: left}], default: error}"
    ) as rt:
        [problem] = rt.status().problems
    assert problem.path == "s.matches[0].port"
    assert "out[0], out[1]" in str(problem)


# -- pipe ---------------------------------------------------------------------------------------


async def test_a_pipe_gives_each_stage_the_answer_of_the_one_before() -> None:
    flow = """
- kind: pipe
  name: p
  ports:
    out[0]: [{name: add, port: in}]
    out[2]: [{name: double, port: in}]
- {kind: snippet, name: add, language: cel, code: self + 1}
- {kind: snippet, name: double, language: cel, code: self * 2}
"""
    async with running(flow) as rt:
        assert await rt.send("p", 4) == 10


async def test_a_pipe_sends_the_error_of_a_stage_to_its_error_port() -> None:
    flow = (
        """
- kind: pipe
  name: p
  ports:
    out[0]: [{name: boom, port: in}]
    out[1]: [{name: never, port: in}]
    error: [{name: excuse, port: in}]
- {kind: throw, name: boom}
"""
        + text("never")
        + text("excuse")
    )
    async with running(flow) as rt:
        assert await rt.send("p", "no") == "excuse"


async def test_a_stage_that_answers_nothing_ends_the_pipe() -> None:
    flow = """
- kind: pipe
  name: p
  ports:
    out[0]: [{name: drop, port: in}]
    out[1]: [{name: never, port: in}]
- {kind: nop, name: drop}
""" + text("never")
    async with running(flow) as rt:
        assert await rt.send("p", "x") is NOTHING


# -- try and throw --------------------------------------------------------------------------------


async def test_try_answers_what_its_error_port_answers() -> None:
    flow = """
- kind: try
  name: safely
  ports:
    out: [{name: boom, port: in}]
    error: [{name: excuse, port: in}]
- {kind: throw, name: boom}
- {kind: snippet, name: excuse, language: cel, code: "'caught ' + string(self)"}
"""
    async with running(flow) as rt:
        assert await rt.send("safely", "it") == "caught it"


async def test_try_without_an_error_port_answers_the_error() -> None:
    flow = (
        "- {kind: try, name: t, ports: {out: {name: boom, port: in}}}\n- {kind: throw, name: boom}"
    )
    async with running(flow) as rt:
        answer = await rt.send("t", "it")
    assert isinstance(answer, Error)
    assert (answer.message, answer.code, answer.symbol) == ("it", "thrown", "boom")


async def test_an_error_behind_a_try_leaves_a_debug_line() -> None:
    flow = (
        "- {kind: try, name: t, ports: {out: {name: boom}, error: {name: calm}}}\n"
        "- {kind: throw, name: boom}\n" + text("calm")
    )
    async with running(flow) as rt:
        assert await rt.send("t", "it") == "calm"
        (event,) = [each for each in rt.events.recent if each.event == "failure caught"]
    assert (event.level, event.symbol, event.reason) == ("debug", "t", "it at boom")


async def nobody() -> AsyncIterator[bytes]:
    yield b""


@pytest.mark.parametrize(
    ("thrown", "message"),
    [
        ("text", "text"),
        (["a", "b", "c"], "c: b: a"),
        (["a", None, "c"], "c: a"),
        (None, "thrown"),
        ({"code": 7}, '{"code":7}'),
        (b"raw", "raw"),
        (3, "3"),
        (ByteStream(nobody()), "a stream"),
    ],
)
async def test_throw_says_what_it_was_given(thrown: Any, message: str) -> None:
    async with running("- {kind: throw, name: t}") as rt:
        answer = await rt.send("t", thrown)
    assert isinstance(answer, Error)
    assert answer.message == message
    assert answer.data == thrown


async def test_an_error_is_thrown_on_as_it_is() -> None:
    error = Error("first", code="own")
    async with running("- {kind: throw, name: t}") as rt:
        assert await rt.send("t", error) is error


# -- nop, sleep, fork ---------------------------------------------------------------------------


async def test_nop_answers_nothing_and_is_left_out_of_joins() -> None:
    flow = """
- kind: if
  name: both
  when: 'true'
  ports:
    out: [{name: drop, port: in}, {name: one, port: in}]
- {kind: nop, name: drop}
""" + text("one")
    async with running(flow) as rt:
        assert await rt.send("drop") is NOTHING
        assert await rt.send("both") == "one"


async def test_sleep_waits_and_passes_the_packet_on() -> None:
    async with running("- {kind: sleep, name: s, interval: 20ms}") as rt:
        begun = asyncio.get_running_loop().time()
        assert await rt.send("s", "x") == "x"
        assert asyncio.get_running_loop().time() - begun == pytest.approx(0.02)


async def test_sleep_of_different_processes_overlaps() -> None:
    async with running("- {kind: sleep, name: s, interval: 100ms}") as rt:
        begun = asyncio.get_running_loop().time()
        await asyncio.gather(*(rt.send("s") for _ in range(50)))
        assert asyncio.get_running_loop().time() - begun == pytest.approx(0.1)


async def test_a_deadline_ends_a_sleep_at_once() -> None:
    async with running("- {kind: sleep, name: s, interval: 1h}") as rt:
        answer = await rt.send("s", timeout=0.01)
    assert isinstance(answer, Error)
    assert answer.code == "timeout"


async def test_sleep_without_time_is_a_problem() -> None:
    async with running("- {kind: sleep, name: s, interval: 0}") as rt:
        [problem] = rt.status().problems
    assert problem.path == "s.interval"


FORK = """
- kind: fork
  name: f
  ports:
    out: [{name: wait, port: in}]
    error: [{name: excuse, port: in}]
- kind: sleep
  name: wait
  interval: 5ms
  ports:
    out: [{name: last, port: in}]
- {kind: nop, name: excuse}
"""


async def test_fork_answers_before_its_child_has_ended() -> None:
    async with running(FORK + text("last")) as rt:
        watch = rt.agent.watch([rt.table.get("last").id], ["in"])  # type: ignore[union-attr]
        seen = asyncio.get_running_loop().create_future()
        watch._on_frame = lambda frame: seen.done() or seen.set_result(frame.payload)  # pyright: ignore[reportAttributeAccessIssue] - seen before it is kept
        assert await rt.send("f", "go") is NOTHING
        assert not seen.done()
        async with asyncio.timeout(60):
            assert await seen == "go"


async def test_a_parent_process_ends_after_its_forked_child() -> None:
    async with running(FORK + text("last")) as rt:
        await rt.send("f", "go")
        generation = rt.table.wiring.generation
        assert len(generation.processes) == 2
        async with asyncio.timeout(60):
            await generation.idle()
        assert not generation.processes


async def test_an_error_that_no_fork_handles_is_told() -> None:
    flow = (
        "- {kind: fork, name: f, ports: {out: {name: boom, port: in}}}\n- {kind: throw, name: boom}"
    )
    async with running(flow) as rt:
        told = asyncio.ensure_future(rt.events.wait("fork failed"))
        await asyncio.sleep(0)
        assert await rt.send("f", "bang") is NOTHING
        async with asyncio.timeout(60):
            event = await told
    assert event.symbol == "f"
    assert "bang" in event.reason


async def test_a_fork_without_a_link_leaks_nothing() -> None:
    async with running("- {kind: fork, name: f}") as rt:
        assert await rt.send("f", "x") is NOTHING
        assert not rt.table.wiring.generation.processes


async def test_an_edited_kind_is_live_with_the_next_packet() -> None:
    async with running(IF) as rt:
        before = rt.table.get("choose")
        await change(rt, text("large", "huge"))
        assert await rt.send("choose", 11) == "huge"
        assert rt.table.get("choose") is before


def chain_of_forks(length: int, last: str) -> str:
    """Forks in a row, each starting the process of the next."""
    forks = [
        f"- {{kind: fork, name: f{at}, ports: {{out: {{name: {f'f{at + 1}' if at + 1 < length else 'last'}}}}}}}\n"
        for at in range(length)
    ]
    return "".join(forks) + last


async def test_ten_thousand_forks_deep_end_one_after_the_other() -> None:
    flow = chain_of_forks(10_000, "- {kind: sleep, name: last, interval: 1ms}\n")
    async with running(flow) as rt:
        assert await rt.send("f0", 1) is NOTHING
        generation = rt.table.wiring.generation
        async with asyncio.timeout(60):
            await generation.idle()
        assert not generation.processes


async def test_ten_thousand_forks_deep_are_cancelled_together() -> None:
    flow = chain_of_forks(10_000, "- {kind: sleep, name: last, interval: 1h}\n")
    async with running(flow, drain=0.05) as rt:
        last = rt.table.get("last")
        assert last is not None
        arrived = asyncio.get_running_loop().create_future()
        rt.agent.watch([last.id], ["in"], on_frame=lambda frame: arrived.set_result(frame))
        assert await rt.send("f0", 1) is NOTHING
        async with asyncio.timeout(60):
            await arrived
        assert len(rt.processes) == 10_001
    assert not rt.processes
