"""test and assert: flows that are tried out, and what is said of those that fail."""

import asyncio
import re
from typing import Any

import pytest

from heddle.extensions.testing.runner import FAILED, LEFT_OUT, PASSED, Result, Runner
from heddle.runtime.assembly.kind import node
from heddle.runtime.flow.errors import Error
from tests.support import running

pytestmark = pytest.mark.anyio


def trial(name: str, target: str, check: str = "", more: str = "") -> str:
    """Return a test of the flow that begins at `target`."""
    checks = f"\n    out[1]: [{{name: {check}, port: in}}]" if check else ""
    return (
        f"- kind: test\n  name: {name}\n{more}"
        f"  ports:\n    out[0]: [{{name: {target}, port: in}}]{checks}\n"
    )


PONG = "- {kind: snippet, name: pong, language: text, code: pong}\n"
REPLY = """
- kind: snippet
  name: reply
  language: json
  code: '{"status": 404, "body": {"error": "no such order"}}'
"""


async def results(*texts: str, pattern: str = "", limit: float = 5.0, **given: Any) -> list[Result]:
    """Return how the tests in these texts end."""
    async with running(*texts, **given) as rt:
        return await Runner(rt, re.compile(pattern), limit=limit).run()


async def message(expect: str, flow: str = REPLY, target: str = "reply") -> str:
    """Return what a failing assert says."""
    check = f"- {{kind: assert, name: check, expect: {expect!r}}}\n"
    [one] = await results(flow, trial("t", target, "check"), check)
    assert one.result == FAILED
    return one.message


async def test_a_test_passes_when_nothing_answers_an_error() -> None:
    [one] = await results(PONG, trial("t", "pong"))
    assert (one.name, one.result, one.message) == ("default/t", PASSED, "")


async def test_an_error_fails_a_test_with_its_message_and_where_it_arose() -> None:
    flow = "- {kind: snippet, name: broken, language: cel, code: 1 / 0}\n"
    [one] = await results(flow, trial("t", "broken"))
    assert one.result == FAILED
    assert one.message.startswith("broken: ")
    assert "zero" in one.message


async def test_an_assert_checks_the_answer() -> None:
    check = "- {kind: assert, name: check, expect: self == 'pong'}\n"
    [one] = await results(PONG, trial("t", "pong", "check"), check)
    assert one.result == PASSED


async def test_a_failing_comparison_says_what_was_expected_and_what_was_found() -> None:
    said = await message("self.status == 200")
    assert said.startswith("check: expected self.status == 200, found 404; payload: {")
    assert '"no such order"' in said


async def test_of_several_conditions_the_first_that_does_not_hold_is_named() -> None:
    said = await message("self.status > 100 && self.body.error == 'none' && self.status < 300")
    assert "expected self.body.error == 'none', found \"no such order\"" in said


async def test_a_computed_expectation_is_shown_with_its_value() -> None:
    said = await message("self.status == size(self.body.error) * 10")
    assert "expected self.status == size(self.body.error) * 10, which is 130, found 404" in said


async def test_a_condition_that_is_no_comparison_is_shown_with_the_payload() -> None:
    said = await message("has(self.header)")
    assert "expected has(self.header), found {" in said


async def test_a_condition_that_cannot_be_taken_apart_is_shown_as_a_whole() -> None:
    said = await message("self.status == 200 || self.status == 204")
    assert "expected self.status == 200 || self.status == 204, found {" in said


async def test_marks_inside_quotes_and_brackets_are_no_comparisons() -> None:
    said = await message("[1 == 1, self.body.error == 'a && b'][1]")
    assert "found {" in said
    said = await message("self.body.error == 'a == \\'b\\' && c'")
    assert 'found "no such order"' in said


async def test_a_condition_that_fails_says_why_and_on_what() -> None:
    said = await message("self.nothing.here == 1")
    assert "expected self.nothing.here == 1, but that fails: " in said
    assert '"status":404' in said.replace(" ", "")


async def test_an_assert_in_another_language_is_explained_too() -> None:
    check = (
        "- kind: assert\n  name: check\n"
        "  expect: {language: python, code: \"payload['status'] in (200, 204)\"}\n"
    )
    [one] = await results(REPLY, trial("t", "reply", "check"), check)
    assert "expected payload['status'] in (200, 204), which is [200,204], found 404" in one.message


async def test_an_assert_that_is_sent_something_else_says_what_it_wants() -> None:
    async with running("- {kind: assert, name: check, expect: self}\n") as rt:
        answer = await rt.send("check", {"status": 200})
    assert isinstance(answer, Error)
    assert answer.code == "assert"
    assert "an assert is given [payload, index]" in answer.message


# -- targets ----------------------------------------------------------------------------------

CHAIN = """
- {kind: snippet, name: first, language: json, code: '1', ports: {out: [{name: second, port: in}]}}
- {kind: snippet, name: second, language: cel, code: self + 1, ports: {out: [{name: third, port: in}]}}
- {kind: snippet, name: third, language: cel, code: self * 10}
"""


async def aimed(target: str, expect: str, flow: str = CHAIN, begin: str = "first") -> Result:
    """Return how a test ends whose assert looks at a port."""
    check = f"- {{kind: assert, name: check, expect: {expect}, target: {target}}}\n"
    [one] = await results(flow, trial("t", begin, "check"), check)
    return one


@pytest.mark.parametrize(
    ("target", "expect"),
    [
        ("{name: first, port: in}", "self == null"),
        ("{name: first, port: out}", "self == 1"),
        ("{name: second, port: in}", "self == 1"),
        ("{name: second, port: 'out[0]'}", "self == 2"),
        ("{name: third, port: out}", "self == 20"),
    ],
)
async def test_a_target_shows_what_went_through_a_port(target: str, expect: str) -> None:
    one = await aimed(target, expect)
    assert (one.result, one.message) == (PASSED, "")


async def test_a_target_is_found_by_id() -> None:
    spec = "0197a2b4-0000-7000-8000-000000000001"
    flow = f"- {{kind: snippet, id: {spec}, language: text, name: pong, code: pong}}\n"
    one = await aimed(f"{{id: {spec}, port: out}}", "self == 'pong'", flow, "pong")
    assert one.result == PASSED


async def test_a_target_that_no_packet_came_to_tells_way_that_was_taken() -> None:
    one = await aimed("{name: first, port: error}", "true")
    assert one.result == FAILED
    assert "expected a packet at first.error, found none; packets came to: " in one.message
    assert "t.out, first.in, first.out, second.in" in one.message


async def test_the_nth_packet_of_a_port_can_be_looked_at() -> None:
    flow = """
- {kind: pipe, name: twice, ports: {'out[0]': [{name: more, port: in}], 'out[1]': [{name: more, port: in}]}}
- {kind: snippet, name: more, language: cel, code: "self == null ? 1 : self + 1"}
"""
    one = await aimed("{name: more, port: in, nth: 2}", "self == 1", flow, "twice")
    assert (one.result, one.message) == (PASSED, "")
    one = await aimed("{name: more, port: in, nth: 3}", "true", flow, "twice")
    assert "expected packet 3 at more.in, found none" in one.message


async def test_a_chain_of_asserts_walks_forward_through_the_frames() -> None:
    checks = """
- {kind: assert, name: a, expect: self == 1, target: {name: first, port: out}, ports: {out: [{name: b, port: in}]}}
- {kind: assert, name: b, expect: self == 2, target: {name: second, port: out}, ports: {out: [{name: c, port: in}]}}
- {kind: assert, name: c, expect: self == 1, target: {name: second, port: in}}
"""
    [one] = await results(CHAIN, trial("t", "first", "a"), checks)
    assert one.result == FAILED
    assert one.message.startswith("c: expected a packet at second.in after the frame ")


async def test_frames_of_forked_work_belong_to_the_test() -> None:
    flow = """
- {kind: pipe, name: both, ports: {'out[0]': [{name: aside, port: in}], 'out[1]': [{name: wait, port: in}]}}
- {kind: fork, name: aside, ports: {out: [{name: work, port: in}]}}
- {kind: snippet, name: work, language: text, code: done}
- {kind: snippet, name: wait, language: text, code: waited}
"""
    one = await aimed("{name: work, port: out}", "self == 'done'", flow, "both")
    assert (one.result, one.message) == (PASSED, "")


async def test_a_target_outside_of_a_test_says_so() -> None:
    check = "- {kind: assert, name: check, expect: self, target: {name: check, port: in}}\n"
    async with running(check) as rt:
        answer = await rt.send("check", [1, -1])
    assert isinstance(answer, Error)
    assert "a target can be looked at in tests only" in answer.message


async def test_nothing_is_observed_where_no_assert_looks_and_nothing_after_the_tests() -> None:
    check = "- {kind: assert, name: check, expect: self == 20, target: {name: third, port: out}}\n"
    for text, watched in ((CHAIN, False), (CHAIN + check, True)):
        async with running(text, trial("t", "first")) as rt:
            before = rt.table.wiring
            assert [one.result for one in await Runner(rt).run()] == [PASSED]
            assert (rt.table.wiring is not before) == watched
            assert not rt.agent._watches


# -- limits and what does not run ---------------------------------------------------------------


async def test_a_flow_that_never_answers_fails_at_the_time_limit() -> None:
    flow = "- {kind: sleep, name: slow, interval: 1h}\n"
    [one] = await results(flow, trial("t", "slow"), limit=0.05)
    assert one.result == FAILED
    assert one.message == "expected an answer within 0.05 s, found none"
    assert one.seconds < 2


async def test_a_test_may_set_its_own_limit() -> None:
    flow = "- {kind: sleep, name: slow, interval: 1h}\n"
    [one] = await results(flow, trial("t", "slow", more="  limit: 20ms\n"), limit=60)
    assert one.message == "expected an answer within 0.02 s, found none"


async def test_the_tests_after_one_that_failed_are_run() -> None:
    flow = "- {kind: sleep, name: slow, interval: 1h}\n"
    found = await results(flow, PONG, trial("a", "slow"), trial("b", "pong"), limit=0.05)
    assert [one.result for one in found] == [FAILED, PASSED]


async def test_an_inactive_test_is_reported_with_the_reason() -> None:
    [one] = await results(trial("t", "nobody"))
    assert one.result == LEFT_OUT
    assert one.message == 'waits for "nobody", linked at ports.out'


async def test_a_rejected_test_is_reported_with_the_problem() -> None:
    [one] = await results("- {kind: test, name: t, limti: 1s}\n")
    assert one.result == LEFT_OUT
    assert "limti" in one.message


async def test_a_pattern_is_found_anywhere_in_namespace_and_name() -> None:
    texts = (PONG, trial("orders_get", "pong"), trial("orders_put", "pong"), trial("x", "pong"))
    found = await results(*texts, pattern="fault/orders_.et")
    assert [one.name for one in found] == ["default/orders_get"]


async def test_a_flow_that_answers_nothing_passes_with_a_remark() -> None:
    check = "- {kind: assert, name: check, expect: false}\n"
    [one] = await results("- {kind: nop, name: quiet}\n", trial("t", "quiet", "check"), check)
    assert one.result == PASSED
    assert "nothing was checked" in one.remark


async def test_secrets_are_masked_in_what_a_test_says() -> None:
    flow = """
- {name: key, data: s3cr3t-key, secret: true}
- {kind: snippet, name: s, language: text, code: '{{ .KEY }}', env: {KEY: {name: key}}}
- {kind: assert, name: check, expect: self == ''}
"""
    [one] = await results(flow, trial("t", "s", "check"))
    assert one.result == FAILED
    assert "s3cr3t-key" not in one.message


async def test_a_test_whose_runner_is_cancelled_ends_its_process() -> None:
    begun = asyncio.Event()

    @node("hang")
    async def hang(payload: Any) -> Any:
        begun.set()
        await asyncio.Event().wait()

    async with running("- {kind: hang, name: slow}", trial("t", "slow"), extensions=[hang]) as rt:
        run = asyncio.ensure_future(Runner(rt).run())
        await begun.wait()
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
        async with asyncio.timeout(60):
            await rt.table.wiring.generation.idle()


@pytest.mark.parametrize("kind", ["assert", "test"])
async def test_the_example_of_the_page_passes(kind: str) -> None:
    from heddle.runtime.assembly.extension import registry

    schema = registry().scheme.schema(kind)
    assert schema is not None
    assert [one.result for one in await results(schema.example)] == [PASSED]


FLOW = """
- kind: workflow
  name: report
  DURABLE
  tasks:
    - {name: load, run: 'tests.extensions.tasks.work:fail', inputs: {message: {value: not mocked}}, retry: {attempts: 2, delay: 0s}}
    - {name: text, do: {kind: snippet, language: cel, code: "size(self.rows)"}, inputs: {rows: load}}
- kind: assert
  name: is_two
  expect: self == 2
"""


def mocked(mocks: str) -> str:
    """Return a test of the workflow with these mocks."""
    return trial("t", "report", "is_two", f"  mocks: {mocks}\n")


@pytest.mark.parametrize("durable", ["", "durable: true"])
async def test_a_task_is_mocked_by_its_name(durable: str) -> None:
    flow = FLOW.replace("DURABLE", durable)
    [one] = await results(flow, mocked("{report/load: {answer: [a, b]}}"))
    assert (one.result, one.message) == (PASSED, "")
    [one] = await results(flow, mocked("{report/load: {answer: [a]}}"))
    assert (one.result, "found 1" in one.message) == (FAILED, True)
    [one] = await results(flow, mocked("{report/load: {fail: no connection, code: timeout}}"))
    assert (one.result, one.message) == (FAILED, "report/load: no connection")


async def test_a_task_that_fails_by_a_mock_has_its_fallback() -> None:
    flow = FLOW.replace("DURABLE", "").replace(
        "retry: {attempts: 2, delay: 0s}", "fallback: {value: [a, b]}"
    )
    [one] = await results(flow, mocked("{report/load: {fail: no connection}}"))
    assert (one.result, one.message) == (PASSED, "")


async def test_a_mocked_node_leads_on_to_what_it_is_linked_to() -> None:
    flow = """
- {kind: snippet, name: first, language: cel, code: 1 / 0, ports: {out: [{name: second, port: in}]}}
- {kind: snippet, name: second, language: cel, code: self + 1}
- {kind: assert, name: is_two, expect: self == 2}
"""
    [one] = await results(flow, trial("t", "first", "is_two", "  mocks: {first: {answer: 1}}\n"))
    assert (one.result, one.message) == (PASSED, "")


async def test_mocks_hold_for_one_test_alone() -> None:
    flow = FLOW.replace("DURABLE", "")
    first, second = await results(
        flow,
        mocked("{report/load: {answer: [a, b]}}").replace("name: t\n", "name: t1\n"),
        trial("t2", "report", "is_two"),
    )
    assert first.result == PASSED
    assert (second.result, second.message) == (FAILED, "report/load: not mocked")


async def test_a_mock_of_a_node_that_is_not_there_names_the_nearest() -> None:
    [one] = await results(FLOW.replace("DURABLE", ""), mocked("{report/laod: {answer: 1}}"))
    assert one.result == FAILED
    assert 'there is no node "report/laod"' in one.message
    assert 'Did you mean "report/load"?' in one.message


@pytest.mark.parametrize(
    ("mock", "found"),
    [
        ("{}", "neither answer, fail nor with"),
        ("{answer: 1, fail: no}", "answer and fail"),
    ],
)
async def test_a_mock_answers_or_fails(mock: str, found: str) -> None:
    [one] = await results(FLOW.replace("DURABLE", ""), mocked(f"{{report/load: {mock}}}"))
    assert one.result == LEFT_OUT
    assert found in one.message
