"""collect, debounce, throttle and breaker, as flows: when packets go on."""

import asyncio
from typing import Any

import pytest

from heddle.extensions.control import breaker, keys, throttle
from heddle.extensions.extension import NOTHING, Error, NodeError, node
from tests.clock import JUMPING, follow
from tests.support import change, degraded, running

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> Any:
    return JUMPING


@pytest.fixture(autouse=True)
def _one_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    follow(monkeypatch, breaker, keys, throttle)


class Sink:
    """A kind that keeps what it is given, for whoever waits for it."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[Any] = asyncio.Queue()
        self.go = asyncio.Event()
        self.go.set()

        @node("sink")
        async def sink(payload: Any) -> Any:
            self.queue.put_nowait(payload)
            await self.go.wait()
            return "sunk"

        self.kinds = [sink]

    async def next(self) -> Any:
        """Return the next payload that comes."""
        return await asyncio.wait_for(self.queue.get(), 60)


def into(sink: str, kind: str, *fields: str) -> str:
    """Return a node of this kind, with these fields, before a sink."""
    lines = "".join(f"  {field}\n" for field in fields)
    return f"- kind: {kind}\n  name: it\n{lines}  ports: {{out: {{name: end}}}}\n- {{kind: {sink}, name: end}}\n"


# -- collect --------------------------------------------------------------------------------------


async def test_a_window_goes_on_when_it_has_so_many_packets() -> None:
    sink = Sink()
    async with running(into("sink", "collect", "count: 3"), extensions=sink.kinds) as rt:
        for one in range(7):
            assert await rt.send("it", one) is NOTHING
        assert await sink.next() == [0, 1, 2]
        assert await sink.next() == [3, 4, 5]
        found = rt.table.get("it")
        assert found is not None
        assert found.node.snapshot()["held"] == 1


async def test_a_window_goes_on_when_its_time_is_over() -> None:
    sink = Sink()
    async with running(into("sink", "collect", "within: 10ms"), extensions=sink.kinds) as rt:
        for one in range(3):
            await rt.send("it", one)
        assert await sink.next() == [0, 1, 2]


async def test_each_key_has_its_window() -> None:
    sink = Sink()
    flow = into("sink", "collect", "count: 2", "key: self.k")
    async with running(flow, extensions=sink.kinds) as rt:
        for key in "abab":
            await rt.send("it", {"k": key})
        assert await sink.next() == [{"k": "a"}] * 2
        assert await sink.next() == [{"k": "b"}] * 2


async def test_past_the_limit_the_oldest_window_goes_on_or_packet_is_rejected() -> None:
    sink = Sink()
    fields = ("count: 10", "limit: 2", "key: self")
    async with running(into("sink", "collect", *fields), extensions=sink.kinds) as rt:
        for one in "abc":
            await rt.send("it", one)
        assert await sink.next() == ["a"]
    async with running(into("sink", "collect", *fields, "over: fail"), extensions=sink.kinds) as rt:
        for one in "ab":
            await rt.send("it", one)
        answer = await rt.send("it", "c")
        assert isinstance(answer, Error)
        assert answer.code == "busy"


async def test_too_many_windows_under_way_refuse_packets() -> None:
    sink = Sink()
    sink.go.clear()
    flow = into("sink", "collect", "count: 1", "pending: 1")
    async with running(flow, extensions=sink.kinds) as rt:
        assert await rt.send("it", 1) is NOTHING
        answer = await rt.send("it", 2)
        assert isinstance(answer, Error)
        assert answer.code == "busy"
        sink.go.set()
        await rt.table.wiring.generation.idle()
        assert await rt.send("it", 3) is NOTHING


async def test_a_changed_collect_hands_its_windows_on() -> None:
    sink = Sink()
    async with running(into("sink", "collect", "count: 10"), extensions=sink.kinds) as rt:
        await rt.send("it", 1)
        await change(rt, into("sink", "collect", "count: 3"))
        await rt.send("it", 2)
        assert sink.queue.empty()
        await rt.send("it", 3)
        assert await sink.next() == [1, 2, 3]


async def test_what_is_left_goes_on_when_the_runtime_stops() -> None:
    sink = Sink()
    flow = into("sink", "collect", "count: 10") + "- {kind: nop, name: other}"
    async with running(flow, extensions=sink.kinds) as rt:
        await rt.send("it", 1)
        await change(rt, "- {kind: snippet, name: other, language: text, code: x}")
        assert sink.queue.empty()
    assert sink.queue.get_nowait() == [1]


async def test_a_window_that_is_left_goes_on_over_the_newest_links() -> None:
    """The node it goes to was replaced after the last packet came."""
    sink = Sink()
    newer = """
- {kind: snippet, name: end, language: cel, code: "{'newer': self}", ports: {out: {name: more}}}
- {kind: sink, name: more}
"""
    async with running(into("sink", "collect", "count: 10"), extensions=sink.kinds) as rt:
        await rt.send("it", 1)
        await change(rt, newer)
    assert sink.queue.get_nowait() == {"newer": [1]}


async def test_a_rejected_change_leaves_the_windows_where_they_were() -> None:
    sink = Sink()
    flow = into("sink", "collect", "count: 2")
    rejected = flow.replace("count: 2", "count: 5").replace(
        "{out: {name: end}}", "{out: {name: end}, active: {name: no}}"
    )
    async with running(flow, extensions=sink.kinds) as rt:
        await rt.send("it", 1)
        await change(rt, rejected + "- {kind: throw, name: no}")
        assert rt.status().problems
        await rt.send("it", 2)
        assert await sink.next() == [1, 2]


async def test_a_window_that_fails_is_told() -> None:
    flow = (
        "- {kind: collect, name: it, count: 1, ports: {out: {name: no}}}\n- {kind: throw, name: no}"
    )
    async with running(flow) as rt:
        told = asyncio.ensure_future(rt.events.wait("collect failed"))
        await asyncio.sleep(0)
        await rt.send("it", "bang")
        event = await asyncio.wait_for(told, 60)
    assert "bang" in event.reason


async def test_a_collect_without_an_end_is_a_problem() -> None:
    async with running("- {kind: collect, name: it}") as rt:
        [problem] = rt.status().problems
    assert "neither count nor within" in str(problem)


# -- debounce -------------------------------------------------------------------------------------


async def test_the_last_packet_goes_on_once_it_is_quiet() -> None:
    sink = Sink()
    async with running(into("sink", "debounce", "wait: 20ms"), extensions=sink.kinds) as rt:
        for one in range(5):
            assert await rt.send("it", one) is NOTHING
        assert await sink.next() == 4
        assert sink.queue.empty()


async def test_it_goes_on_at_last_even_if_it_is_never_quiet() -> None:
    sink = Sink()
    flow = into("sink", "debounce", "wait: 1h", "longest: 20ms")
    async with running(flow, extensions=sink.kinds) as rt:
        await rt.send("it", 1)
        await rt.send("it", 2)
        assert await sink.next() == 2


async def test_the_first_packet_may_be_one_that_goes_on_and_is_answered() -> None:
    sink = Sink()
    flow = into("sink", "debounce", "wait: 1h", "edge: first", "key: self.k")
    async with running(flow, extensions=sink.kinds) as rt:
        assert await rt.send("it", {"k": 1}) == "sunk"
        assert await rt.send("it", {"k": 1}) is NOTHING
        assert await rt.send("it", {"k": 2}) == "sunk"


async def test_what_is_held_survives_a_change_and_a_stop() -> None:
    sink = Sink()
    async with running(into("sink", "debounce", "wait: 1h"), extensions=sink.kinds) as rt:
        await rt.send("it", 1)
        await change(rt, into("sink", "debounce", "wait: 2h"))
        assert sink.queue.empty()
        await rt.send("it", 2)
    assert sink.queue.get_nowait() == 2
    assert sink.queue.empty()


# -- throttle -------------------------------------------------------------------------------------


async def test_so_many_go_on_at_once_and_the_others_fail() -> None:
    flow = "- {kind: throttle, name: it, count: 3, per: 1h, over: fail, key: self.k}"
    async with running(flow) as rt:
        for _ in range(3):
            assert await rt.send("it", {"k": 1}) == {"k": 1}
        answer = await rt.send("it", {"k": 1})
        assert isinstance(answer, Error)
        assert answer.code == "busy"
        assert 1100 < answer.data["retry_after"] <= 1200
        assert await rt.send("it", {"k": 2}) == {"k": 2}


async def test_the_others_may_be_dropped() -> None:
    async with running("- {kind: throttle, name: it, count: 1, per: 1h, over: drop}") as rt:
        assert await rt.send("it", 1) == 1
        assert await rt.send("it", 2) is NOTHING


async def test_the_others_wait_in_the_order_they_came() -> None:
    async with running("- {kind: throttle, name: it, count: 100, burst: 1}") as rt:
        done: list[int] = []
        begun = asyncio.get_running_loop().time()

        async def one(number: int) -> None:
            done.append(await rt.send("it", number))

        await asyncio.gather(*(one(number) for number in range(6)))
        assert asyncio.get_running_loop().time() - begun == pytest.approx(0.05)
        assert done == list(range(6))


async def test_who_waits_no_longer_gives_its_turn_back_and_queue_is_bounded() -> None:
    async with running("- {kind: throttle, name: it, count: 1, per: 1h, queue: 1}") as rt:
        assert await rt.send("it", 1) == 1
        waiting = asyncio.ensure_future(rt.send("it", 2, timeout=0.02))
        await asyncio.sleep(0)
        rejected = await rt.send("it", 3)
        assert isinstance(rejected, Error)
        assert rejected.code == "busy"
        late = await waiting
        assert isinstance(late, Error)
        assert late.code == "timeout"
        again = asyncio.ensure_future(rt.send("it", 4, timeout=0.02))
        await asyncio.sleep(0)
        rejected = await rt.send("it", 5)
        assert isinstance(rejected, Error)
        # One hour, not two: the turn that was given up is taken by the next who waits.
        assert rejected.data["retry_after"] <= 7200
        await again


async def test_a_changed_throttle_goes_on_counting() -> None:
    async with running("- {kind: throttle, name: it, count: 1, per: 1h, over: drop}") as rt:
        assert await rt.send("it", 1) == 1
        await change(rt, "- {kind: throttle, name: it, count: 1, per: 2h, over: drop}")
        assert await rt.send("it", 2) is NOTHING


# -- breaker --------------------------------------------------------------------------------------


class Shaky:
    """A kind that fails while it is told to."""

    def __init__(self) -> None:
        self.fails = True
        self.asked = 0

        @node("shaky")
        def shaky(payload: Any) -> Any:
            self.asked += 1
            if self.fails:
                raise NodeError(Error("down", code=str(payload)))
            return "up"

        self.kinds = [shaky]


async def test_after_some_failures_it_answers_at_once_and_later_tries_again() -> None:
    shaky = Shaky()
    flow = into("shaky", "breaker", "failures: 2", "wait: 20ms")
    async with running(flow, extensions=shaky.kinds) as rt:
        for _ in range(2):
            assert (await rt.send("it")).message == "down"
        assert degraded(rt, "it") == "the breaker is open after 2 failures in a row"
        rejected = await rt.send("it")
        assert rejected.code == "busy"
        assert rejected.data["retry_after"] <= 0.02
        assert shaky.asked == 2
        await asyncio.sleep(0.025)
        assert (await rt.send("it")).message == "down"
        assert (await rt.send("it")).code == "busy"
        assert shaky.asked == 3
        shaky.fails = False
        await asyncio.sleep(0.025)
        assert await rt.send("it") == "up"
        assert await rt.send("it") == "up"
        assert not degraded(rt, "it")
        events = [event.event for event in rt.events.recent if event.symbol == "it"]
    assert [name for name in events if name.startswith("breaker")] == [
        "breaker open",
        "breaker open",
        "breaker closed",
    ]


async def test_a_good_answer_begins_count_anew_and_other_errors_count_as_good() -> None:
    shaky = Shaky()
    flow = into("shaky", "breaker", "failures: 2", "when: code == 'bad'")
    async with running(flow, extensions=shaky.kinds) as rt:
        for code in ("bad", "other", "bad", "other"):
            assert (await rt.send("it", code)).code == code
        for code in ("bad", "bad"):
            assert (await rt.send("it", code)).code == code
        assert (await rt.send("it", "other")).code == "busy"


async def test_only_so_many_packets_try_at_time_and_cancelled_one_shows_nothing() -> None:
    sink = Sink()
    sink.go.clear()
    shaky = Shaky()
    flow = """
- {kind: breaker, name: it, failures: 1, wait: 1ms, ports: {out: {name: way}}}
- {kind: if, name: way, when: self == 'slow', ports: {'out[0]': {name: end}, 'out[1]': {name: no}}}
- {kind: sink, name: end}
- {kind: shaky, name: no}
"""
    async with running(flow, extensions=[*sink.kinds, *shaky.kinds]) as rt:
        assert (await rt.send("it", "fast")).message == "down"
        await asyncio.sleep(0.002)
        trial = asyncio.ensure_future(rt.send("it", "slow", timeout=0.05))
        assert await sink.next() == "slow"
        assert (await rt.send("it", "fast")).code == "busy"
        assert (await trial).code == "timeout"
        shaky.fails = False
        await asyncio.sleep(0.002)
        assert await rt.send("it", "fast") == "up"


async def test_a_changed_breaker_stays_open() -> None:
    shaky = Shaky()
    async with running(into("shaky", "breaker", "failures: 1"), extensions=shaky.kinds) as rt:
        await rt.send("it")
        await change(rt, into("shaky", "breaker", "failures: 2"))
        assert (await rt.send("it")).code == "busy"
