"""cache, dedupe and session, as flows: what is kept, for whom, and how long."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from heddle.extensions.control import keys
from heddle.extensions.extension import NOTHING, ByteStream, Error, node
from heddle.runtime.flow.finish import finish
from tests.clock import JUMPING, follow
from tests.support import change, running

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> Any:
    return JUMPING


@pytest.fixture(autouse=True)
def _one_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    follow(monkeypatch, keys)


class Counted:
    """A kind that counts what it was asked, and may be held back until it is let go."""

    def __init__(self, answer: Any = None, *, held: bool = False) -> None:
        self.given: list[Any] = []
        self.go = asyncio.Event()
        self.asked = asyncio.Event()
        if not held:
            self.go.set()

        @node("count")
        def count(payload: Any) -> Any:
            self.given.append(payload)
            return answer(payload) if callable(answer) else len(self.given)

        @node("wait")
        async def wait(payload: Any) -> Any:
            self.given.append(payload)
            number = len(self.given)
            self.asked.set()
            await self.go.wait()
            return answer(payload) if callable(answer) else number

        self.kinds = [count, wait]


def cache(kind: str = "count", *fields: str) -> str:
    """Return a cache before a kind that counts."""
    lines = "".join(f"  {field}\n" for field in fields)
    return f"""
- kind: cache
  name: kept
{lines}  ports:
    out: [{{name: ask, port: in}}]
- {{kind: {kind}, name: ask}}
"""


async def test_an_answer_is_kept_for_its_key() -> None:
    counted = Counted()
    async with running(cache("count", "key: self.id"), extensions=counted.kinds) as rt:
        assert await rt.send("kept", {"id": 1, "at": 5}) == 1
        assert await rt.send("kept", {"id": 1, "at": 6}) == 1
        assert await rt.send("kept", {"id": 2}) == 2
        node_ = rt.table.get("kept")
        assert node_ is not None
        assert node_.node.snapshot() == {"hits": 1, "misses": 2, "kept": 2}


async def test_one_and_its_text_are_different_keys() -> None:
    counted = Counted()
    async with running(cache(), extensions=counted.kinds) as rt:
        answers = [await rt.send("kept", one) for one in (1, "1", 1.0, True, None, [1], ["1"], 1)]
    assert answers == [1, 2, 3, 4, 5, 6, 7, 1]


async def test_an_answer_that_is_not_worth_keeping_is_asked_for_again() -> None:
    counted = Counted()
    async with running(cache("count", "keep: self > 2"), extensions=counted.kinds) as rt:
        assert [await rt.send("kept", "x") for _ in range(5)] == [1, 2, 3, 3, 3]


async def test_those_who_wait_for_an_answer_not_worth_keeping_ask_themselves() -> None:
    counted = Counted(held=True)
    async with running(cache("wait", "keep: self > 1"), extensions=counted.kinds) as rt:
        asked = [asyncio.ensure_future(rt.send("kept", "x")) for _ in range(3)]
        await counted.asked.wait()
        counted.go.set()
        assert sorted(await asyncio.gather(*asked)) == [1, 2, 2]


async def test_an_answer_that_cannot_be_judged_is_an_error() -> None:
    counted = Counted()
    async with running(cache("count", "keep: self.status == 200"), extensions=counted.kinds) as rt:
        assert "status" in str(await rt.send("kept", "x"))


async def test_an_answer_is_asked_for_anew_when_its_time_is_over() -> None:
    counted = Counted()
    async with running(cache("count", "ttl: 20ms"), extensions=counted.kinds) as rt:
        assert await rt.send("kept", "x") == 1
        await asyncio.sleep(0.025)
        assert await rt.send("kept", "x") == 2


async def test_only_so_many_answers_are_kept() -> None:
    counted = Counted()
    async with running(cache("count", "size: 2"), extensions=counted.kinds) as rt:
        for one in ("a", "b", "a", "c"):
            await rt.send("kept", one)
        assert await rt.send("kept", "a") == 1
        assert await rt.send("kept", "b") == 4


async def test_many_who_want_the_same_ask_once() -> None:
    counted = Counted(held=True)
    async with running(cache("wait"), extensions=counted.kinds) as rt:
        asked = [asyncio.ensure_future(rt.send("kept", "x")) for _ in range(20)]
        await asyncio.wait_for(counted.asked.wait(), 60)
        counted.go.set()
        assert await asyncio.gather(*asked) == [1] * 20
    assert len(counted.given) == 1


async def test_when_the_one_who_asks_is_cancelled_the_next_asks() -> None:
    counted = Counted(held=True)
    async with running(cache("wait"), extensions=counted.kinds) as rt:
        first = asyncio.ensure_future(rt.send("kept", "x"))
        await asyncio.wait_for(counted.asked.wait(), 60)
        others = [asyncio.ensure_future(rt.send("kept", "x")) for _ in range(3)]
        await asyncio.sleep(0)
        counted.asked.clear()
        next(iter(rt.processes)).cancel()
        answer = await first
        assert isinstance(answer, Error)
        await asyncio.wait_for(counted.asked.wait(), 60)
        counted.go.set()
        assert await asyncio.gather(*others) == [2, 2, 2]


async def test_errors_and_nothing_are_not_kept() -> None:
    for answer in (Error("no"), NOTHING):
        counted = Counted(lambda _, answer=answer: answer)
        async with running(cache(), extensions=counted.kinds) as rt:
            assert await rt.send("kept", 1) == answer
            assert await rt.send("kept", 1) == answer
        assert len(counted.given) == 2


async def test_a_stream_is_never_kept() -> None:
    async def nothing() -> AsyncIterator[bytes]:
        yield b"x"

    counted = Counted(lambda _: {"body": ByteStream(nothing())})
    async with running(cache(), extensions=counted.kinds) as rt:
        first, second = await rt.send("kept", 1), await rt.send("kept", 1)
        assert first["body"] is not second["body"]


async def test_what_is_forgotten_is_asked_for_anew() -> None:
    counted = Counted()
    async with running(cache(), extensions=counted.kinds) as rt:
        assert await rt.send("kept", "x") == 1
        assert await rt.send("kept", "x", port="forget") is NOTHING
        assert await rt.send("kept", "x") == 2


async def test_answer_that_was_forgotten_while_it_was_asked_for_is_not_kept() -> None:
    counted = Counted(held=True)
    async with running(cache("wait"), extensions=counted.kinds) as rt:
        old = asyncio.ensure_future(rt.send("kept", "x"))
        await counted.asked.wait()
        await rt.send("kept", "x", port="forget")
        counted.go.set()
        assert await old == 1
        assert await rt.send("kept", "x") == 2
        assert await rt.send("kept", "x") == 2


async def test_a_question_within_its_own_question_does_not_wait_for_itself() -> None:
    flow = """
- kind: cache
  name: kept
  key: "'same'"
  ports:
    out: [{name: deeper, port: in}]
- kind: if
  name: deeper
  when: self > 0
  ports:
    out[0]: [{name: less, port: in}]
- kind: snippet
  name: less
  language: cel
  code: self - 1
  ports:
    out: [{name: pause, port: in}]
- {kind: sleep, name: pause, interval: 1ms, ports: {out: {name: kept}}}
"""
    async with running(flow) as rt, asyncio.timeout(60):
        assert await rt.send("kept", 3) == 0


async def test_a_cache_that_changes_keeps_its_answers() -> None:
    counted = Counted()
    async with running(cache(), extensions=counted.kinds) as rt:
        assert await rt.send("kept", "x") == 1
        before = rt.table.get("kept")
        await change(rt, cache("count", "ttl: 1h"))
        assert rt.table.get("kept") is not before
        assert await rt.send("kept", "x") == 1


# -- dedupe ---------------------------------------------------------------------------------------

ONCE = """
- kind: dedupe
  name: once
  key: self.id
  ports:
    out: [{name: work, port: in}]
- kind: snippet
  name: work
  language: cel
  code: 10 / self.n
"""


REFUSED = """
- {kind: throw, name: bad}
"""


async def test_a_change_that_is_rejected_leaves_a_cache_its_room() -> None:
    counted = Counted()
    async with running(cache("count", "size: 3"), extensions=counted.kinds) as rt:
        assert [await rt.send("kept", key) for key in "abc"] == [1, 2, 3]
        bad = cache("count", "size: 1").replace(
            "  ports:\n", "  ports:\n    active: {name: bad}\n", 1
        )
        await change(rt, bad + REFUSED)
        assert rt.events.recent[-1].event == "change rejected"
        assert await rt.send("kept", "d") == 4
        assert [await rt.send("kept", key) for key in "bcd"] == [2, 3, 4]


@pytest.mark.parametrize(
    ("spec", "narrow", "answers"),
    [
        ("kind: dedupe, name: it, size: 3", ("size: 3", "size: 1"), [NOTHING, NOTHING]),
        (
            "kind: throttle, name: it, count: 1, per: 1h, over: drop, key: self, keys: 3",
            ("keys: 3", "keys: 1"),
            [NOTHING, NOTHING],
        ),
    ],
)
async def test_a_change_that_is_rejected_leaves_all_keys_known(
    spec: str, narrow: tuple[str, str], answers: list[Any]
) -> None:
    flow = (
        "- {"
        + spec
        + ", ports: {out: {name: out}}}\n- {kind: snippet, name: out, language: cel, code: self}\n"
    )
    async with running(flow) as rt:
        assert [await rt.send("it", key) for key in "ab"] == ["a", "b"]
        bad = flow.replace(*narrow).replace("ports: {", "ports: {active: {name: bad}, ", 1)
        await change(rt, bad + REFUSED)
        assert rt.events.recent[-1].event == "change rejected"
        assert await rt.send("it", "c") == "c"
        assert [await rt.send("it", key) for key in "bc"] == answers


async def test_the_second_packet_of_a_key_is_answered_nothing_not_echoed() -> None:
    async with running(ONCE) as rt:
        assert await rt.send("once", {"id": "a", "n": 5}) == 2
        assert await rt.send("once", {"id": "a", "n": 5}) is NOTHING
        assert await rt.send("once", {"id": "b", "n": 2}) == 5


async def test_who_failed_may_try_again() -> None:
    async with running(ONCE) as rt:
        assert isinstance(await rt.send("once", {"id": "a", "n": 0}), Error)
        assert await rt.send("once", {"id": "a", "n": 5}) == 2
        assert await rt.send("once", {"id": "a", "n": 5}) is NOTHING


async def test_duplicates_may_go_their_own_way() -> None:
    flow = ONCE.replace("    out:", "    out[1]: [{name: again, port: in}]\n    out:")
    flow += "- {kind: snippet, name: again, language: cel, code: \"'again ' + self.id\"}"
    async with running(flow) as rt:
        assert await rt.send("once", {"id": "a", "n": 5}) == 2
        assert await rt.send("once", {"id": "a", "n": 5}) == "again a"


async def test_a_duplicate_that_comes_meanwhile_is_one_and_a_changed_dedupe_remembers() -> None:
    counted = Counted(held=True)
    flow = "- {kind: dedupe, name: once, ports: {out: {name: work}}}\n- {kind: wait, name: work}"
    async with running(flow, extensions=counted.kinds) as rt:
        first = asyncio.ensure_future(rt.send("once", "x"))
        await asyncio.wait_for(counted.asked.wait(), 60)
        assert await rt.send("once", "x") is NOTHING
        counted.go.set()
        assert await first == 1
        await change(rt, "- {kind: dedupe, name: once, size: 7, ports: {out: {name: work}}}")
        assert await rt.send("once", "x") is NOTHING
        assert await rt.send("once", "y") == 2


async def test_keys_are_forgotten_when_their_time_is_over() -> None:
    async with running("- {kind: dedupe, name: once, ttl: 20ms}") as rt:
        assert await rt.send("once", "x") == "x"
        assert await rt.send("once", "x") is NOTHING
        await asyncio.sleep(0.025)
        assert await rt.send("once", "x") == "x"


# -- session --------------------------------------------------------------------------------------

RECALL = """
- kind: session
  name: keep
  set: {user: self.user, twice: self.n * 2}
  ports:
    out: [{name: strip, port: in}]
- {kind: snippet, name: strip, language: cel, code: "{'n': self.n}", ports: {out: {name: recall}}}
- {kind: session, name: recall, get: [user, twice, nobody], add: true}
"""


async def test_what_a_process_keeps_is_there_for_its_later_packets() -> None:
    async with running(RECALL) as rt:
        assert await rt.send("keep", {"user": "ada", "n": 4}) == {"n": 4, "user": "ada", "twice": 8}


async def test_another_process_sees_nothing_of_it() -> None:
    async with running(RECALL) as rt:
        await rt.send("keep", {"user": "ada", "n": 4})
        assert await rt.send("recall", {}) == {}


async def test_a_run_keeps_it_for_its_children_and_a_process_for_itself() -> None:
    for scope, seen in (("run", {"user": "ada", "twice": 2}), ("process", {})):
        flow = RECALL.replace("name: keep", f"name: keep\n  scope: {scope}")
        async with running(flow) as rt:
            connection = rt.start()
            keep, recall = rt.table.get("keep"), rt.table.get("recall")
            assert keep is not None
            assert recall is not None
            for entry, payload, answer in (
                (keep, {"user": "ada", "n": 1}, {"n": 1, "user": "ada", "twice": 2}),
                (recall, {}, seen),
            ):
                message = connection.fork()
                sent = message.run(message.wiring.entry(entry.id, "in"), payload)
                assert await finish(message, sent) == answer
            connection.end()


async def test_a_failing_expression_keeps_nothing() -> None:
    flow = """
- {kind: session, name: keep, set: {a: '1', b: 1 / self}, ports: {error: {name: recall}}}
- {kind: session, name: recall, get: [a, b]}
"""
    async with running(flow) as rt:
        assert await rt.send("keep", 0) == {}


async def test_forgotten_names_are_gone() -> None:
    flow = """
- {kind: session, name: keep, set: {a: self}, ports: {out: {name: forget}}}
- {kind: session, name: forget, remove: [a], get: [a]}
"""
    async with running(flow) as rt:
        assert await rt.send("keep", 5) == {}


async def test_a_session_that_does_nothing_is_a_problem() -> None:
    async with running("- {kind: session, name: s}") as rt:
        assert len(rt.status().problems) == 1
