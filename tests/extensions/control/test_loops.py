"""while and reduce, as flows."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from heddle.runtime.flow.errors import NOTHING, Error
from heddle.runtime.flow.stream import ByteStream
from tests.clock import JUMPING
from tests.support import running

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> Any:
    return JUMPING


def loop(*fields: str, code: str = "self * 2") -> str:
    """Return a `while` with these fields, round a snippet."""
    lines = "".join(f"  {field}\n" for field in fields)
    return f"""
- kind: while
  name: round
{lines}  ports:
    out[0]: [{{name: body, port: in}}]
- {{kind: snippet, name: body, language: cel, code: "{code}"}}
"""


async def test_each_answer_is_the_next_packet_until_the_condition_is_false() -> None:
    async with running(loop("when: self < 100")) as rt:
        assert await rt.send("round", 3) == 192 // 1
        assert await rt.send("round", 500) == 500


async def test_the_end_goes_to_the_second_port() -> None:
    flow = loop("when: self < 4").replace("    out[0]", "    out[1]: {name: end}\n    out[0]")
    flow += "- {kind: snippet, name: end, language: cel, code: \"{'end': self}\"}"
    async with running(flow) as rt:
        assert await rt.send("round", 1) == {"end": 4}


async def test_the_first_round_may_be_gone_unasked() -> None:
    async with running(loop("when: self < 4", "first: true")) as rt:
        assert await rt.send("round", 100) == 200


async def test_a_condition_that_always_holds_ends_at_the_limit() -> None:
    async with running(loop("when: 'true'", "limit: 5", code="self + 1")) as rt:
        answer = await rt.send("round", 0)
    assert isinstance(answer, Error)
    assert (answer.code, answer.data, answer.symbol) == ("limit", 5, "round")


async def test_an_error_of_a_round_ends_it() -> None:
    flow = loop("when: 'true'", code="10 / self").replace(
        "    out[0]", "    error: {name: excuse}\n    out[0]"
    )
    flow += "- {kind: snippet, name: excuse, language: text, code: sorry}"
    async with running(flow) as rt:
        assert await rt.send("round", 0) == "sorry"


async def test_a_round_that_answers_nothing_ends_it() -> None:
    flow = "- {kind: while, name: w, when: 'true', ports: {out: {name: n}}}\n- {kind: nop, name: n}"
    async with running(flow) as rt:
        assert await rt.send("w", 0) is NOTHING


async def test_rounds_may_be_paced_and_a_cancelled_process_waits_no_longer() -> None:
    async with running(loop("when: self < 4", "interval: 20ms", code="self + 1")) as rt:
        begun = asyncio.get_running_loop().time()
        assert await rt.send("round", 0) == 4
        assert asyncio.get_running_loop().time() - begun == pytest.approx(0.06)
    async with running(loop("when: self < 4", "interval: 1h", code="self + 1")) as rt:
        answer = await rt.send("round", 0, timeout=0.02)
        assert isinstance(answer, Error)
        assert answer.code == "timeout"


@pytest.mark.parametrize(
    ("fields", "payload", "answer"),
    [
        ("initial: 0\n  each: total + value", [1, 2, 3], 6),
        ("each: total + value", [1, 2, 3], 6),
        ("each: total + value", {"a": 1, "b": 2}, 3),
        ("initial: ''\n  each: total + key + string(value) + string(index)", {"a": 5}, "a50"),
        ("initial: 0\n  each: total + value", [], 0),
        ("each: total + value", [], None),
        ("initial: 1\n  each: total + value", 41, 42),
        ("initial: []\n  each: '[value] + total'", [1, 2], [2, 1]),
    ],
)
async def test_reduce_comes_to_one_value(fields: str, payload: Any, answer: Any) -> None:
    async with running(f"- kind: reduce\n  name: r\n  {fields}\n") as rt:
        assert await rt.send("r", payload) == answer


BY_FLOW = """
- kind: reduce
  name: r
  initial: 10
  ports:
    out[0]: [{name: step, port: in}]
    out[1]: [{name: end, port: in}]
- kind: if
  name: step
  when: value == 2
  ports:
    out[0]: [{name: skip, port: in}]
    out[1]: [{name: minus, port: in}]
- {kind: nop, name: skip}
- {kind: snippet, name: minus, language: cel, code: total - 6 / value}
- {kind: snippet, name: end, language: cel, code: "{'end': self}"}
"""


async def test_a_flow_may_make_the_totals() -> None:
    """What a step answers with NOTHING leaves the total as it is."""
    async with running(BY_FLOW) as rt:
        assert await rt.send("r", [1, 2, 3]) == {"end": 2}
        answer = await rt.send("r", [1, 0, 3])
    assert isinstance(answer, Error)
    assert answer.symbol == "minus"


async def test_reduce_takes_the_items_out_of_the_packet() -> None:
    async with running("- {kind: reduce, name: r, items: self.rows, each: total + value}") as rt:
        assert await rt.send("r", {"rows": [1, 2, 3]}) == 6


async def test_reduce_takes_a_stream_line_by_line() -> None:
    async def give() -> AsyncIterator[bytes]:
        for chunk in (b"1\n2", b"0\n", b"3"):
            await asyncio.sleep(0)
            yield chunk

    async with running("- kind: reduce\n  name: r\n  initial: 0\n  each: total + int(value)") as rt:
        assert await rt.send("r", ByteStream(give())) == 24


@pytest.mark.parametrize(
    "more",
    [
        "",
        "  each: total\n  ports: {out: {name: n}}\n",
        "  each: total\n  ports: {'out[3]': {name: n}}\n",
    ],
)
async def test_a_reduce_that_cannot_work_is_a_problem(more: str) -> None:
    async with running(f"- kind: reduce\n  name: r\n{more}\n- {{kind: nop, name: n}}") as rt:
        assert len(rt.status().problems) == 1
