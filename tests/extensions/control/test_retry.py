"""retry, as flows: how often, how long, and which Errors."""

import asyncio
from typing import Any

import pytest

from heddle.extensions.extension import Error, NodeError, node
from heddle.runtime.assembly.retry_rule import RetryRule
from tests.clock import JUMPING
from tests.support import running

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> Any:
    return JUMPING


def shaky(failures: int, error: Error | None = None) -> tuple[Any, list[Any]]:
    """Return a kind that fails so many times, and the payloads that it was given."""
    given: list[Any] = []

    @node("shaky")
    def act(payload: Any) -> Any:
        given.append(payload)
        if len(given) <= failures:
            raise NodeError(error or Error(f"failure {len(given)}", code="shaky"))
        return f"answer {len(given)}"

    return act, given


def retry(*fields: str) -> str:
    """Return a `retry` with these fields, before a kind that is shaky."""
    lines = "".join(f"  {field}\n" for field in fields)
    return f"""
- kind: retry
  name: again
{lines}  ports:
    out: [{{name: act, port: in}}]
- {{kind: shaky, name: act}}
"""


@pytest.mark.parametrize(
    ("fields", "attempts"),
    [((), 3), (("attempts: 5",), 5), (("threshold: 1",), 2), (("threshold: 0",), 1)],
)
async def test_it_is_tried_as_often_as_said_and_the_last_error_answers(
    fields: tuple[str, ...], attempts: int
) -> None:
    act, given = shaky(100)
    async with running(retry(*fields), extensions=[act]) as rt:
        answer = await rt.send("again", "p")
    assert isinstance(answer, Error)
    assert answer.message == f"failure {attempts}"
    assert given == ["p"] * attempts


async def test_the_first_good_answer_is_the_answer() -> None:
    act, given = shaky(2)
    async with running(retry(), extensions=[act]) as rt:
        assert await rt.send("again", "p") == "answer 3"
    assert len(given) == 3


async def test_only_matching_errors_are_worth_another_attempt() -> None:
    for when, attempts in (
        ("code == 'shaky'", 3),
        ("code == 'timeout'", 1),
        ("attempt < 2", 2),
        ("data.status == 503", 3),
        ("{language: python, code: \"'bu' in payload['message']\"}", 3),
    ):
        act, given = shaky(100, Error("busy", code="shaky", data={"status": 503}))
        async with running(retry(f"when: {when}"), extensions=[act]) as rt:
            assert isinstance(await rt.send("again"), Error)
        assert len(given) == attempts, when


async def test_what_is_given_up_goes_to_the_error_port() -> None:
    act, _ = shaky(100)
    flow = retry().replace("    out:", "    error: [{name: excuse, port: in}]\n    out:")
    flow += "- {kind: snippet, name: excuse, language: cel, code: \"'gave up: ' + string(self)\"}"
    async with running(flow, extensions=[act]) as rt:
        assert await rt.send("again") == "gave up: failure 3"


async def test_pauses_grow_up_to_the_longest_and_are_shortened_by_chance() -> None:
    error = Error("no")
    rule = RetryRule(most=9, delay=1.0, factor=2.0, longest=5.0)
    assert [rule.pause(error, made) for made in range(1, 10)] == [1, 2, 4, 5, 5, 5, 5, 5, None]
    shaken = RetryRule(most=5000, delay=1.0, factor=1000.0, longest=8.0, jitter=0.5)
    pauses = [shaken.pause(error, made) for made in range(100, 4000)]
    assert all(pause is not None and 4 <= pause <= 8 for pause in pauses)
    assert len(set(pauses)) > 100


async def test_it_waits_between_attempts() -> None:
    act, given = shaky(2)
    flow = retry("delay: 20ms", "jitter: 0")
    async with running(flow, extensions=[act]) as rt:
        begun = asyncio.get_running_loop().time()
        assert await rt.send("again") == "answer 3"
        assert asyncio.get_running_loop().time() - begun == pytest.approx(0.06)
    assert len(given) == 3


async def test_a_cancelled_process_waits_no_longer() -> None:
    tried = asyncio.Event()

    @node("shaky")
    def act(payload: Any) -> Any:
        tried.set()
        raise ValueError("no")

    async with running(retry("delay: 1h", "max_delay: 1h"), extensions=[act]) as rt:
        sent = asyncio.ensure_future(rt.send("again"))
        await asyncio.wait_for(tried.wait(), 60)
        [process] = rt.processes
        process.cancel(Error("enough", code="cancelled"))
        async with asyncio.timeout(60):
            answer = await sent
    assert isinstance(answer, Error)
    assert answer.message == "enough"


async def test_a_pause_past_the_deadline_is_not_begun() -> None:
    act, given = shaky(100)
    async with running(retry("delay: 10s"), extensions=[act]) as rt:
        begun = asyncio.get_running_loop().time()
        answer = await rt.send("again", timeout=5)
        assert asyncio.get_running_loop().time() - begun < 1
    assert isinstance(answer, Error)
    assert answer.message == "failure 1"
    assert len(given) == 1


async def test_attempts_and_threshold_together_are_a_problem() -> None:
    act, _ = shaky(0)
    async with running(retry("attempts: 3", "threshold: 2"), extensions=[act]) as rt:
        [problem] = rt.status().problems
    assert problem.path == "again.threshold"


async def test_without_a_pause_it_needs_no_task() -> None:
    act, _ = shaky(2)
    async with running(retry(), extensions=[act]) as rt:
        process = rt.start()
        found = rt.table.get("again")
        assert found is not None
        assert process.run(process.wiring.entry(found.id, "in"), 1) == "answer 3"
        process.end()
