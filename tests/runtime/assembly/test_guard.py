"""timeout, retry and concurrency on any Spec, told as flows."""

import asyncio
from typing import Any

import pytest

from heddle.extensions.extension import (
    IN,
    OUT,
    Build,
    Conversation,
    Error,
    Fields,
    Handler,
    Kind,
    Node,
    NodeError,
    Reader,
    Schema,
    node,
)
from tests.clock import JUMPING
from tests.support import change, running

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> Any:
    return JUMPING


class Work:
    """Kinds that count how many are inside, fail as told, and wait until they are let go."""

    def __init__(self, failures: int = 0) -> None:
        self.inside = self.most = self.begun = 0
        self.go = asyncio.Event()
        self.entered = asyncio.Event()

        @node("work")
        async def work(payload: Any) -> Any:
            self.begun += 1
            self.inside += 1
            self.most = max(self.most, self.inside)
            self.entered.set()
            try:
                await self.go.wait()
            finally:
                self.inside -= 1
            return payload

        @node("shaky")
        def shaky(payload: Any) -> Any:
            self.begun += 1
            if self.begun <= failures:
                raise NodeError(Error(f"failure {self.begun}", code="shaky"))
            return payload

        self.kinds = [work, shaky]


async def test_a_node_that_takes_too_long_is_stopped_with_an_error() -> None:
    flow = """
- kind: work
  name: slow
  timeout: 10ms
  ports:
    error: [{name: excuse, port: in}]
- {kind: snippet, name: excuse, language: cel, code: "'sorry: ' + string(self)"}
"""
    work = Work()
    async with running(flow, extensions=work.kinds) as rt, asyncio.timeout(60):
        assert await rt.send("slow") == "sorry: it took longer than 10ms"
        assert work.inside == 0


async def test_the_time_of_what_comes_behind_does_not_count() -> None:
    flow = """
- {kind: snippet, name: first, language: cel, code: self, timeout: 1m, retry: 2, ports: {out: {name: slow}}}
- {kind: sleep, name: slow, interval: 1h}
"""
    async with running(flow) as rt:
        assert await rt.send("first", 1) == 1


async def test_for_a_node_that_looks_at_answers_it_does() -> None:
    flow = """
- {kind: pipe, name: first, timeout: 10ms, ports: {out: {name: slow}}}
- {kind: sleep, name: slow, interval: 1h}
"""
    async with running(flow) as rt, asyncio.timeout(60):
        answer = await rt.send("first", 1)
        assert isinstance(answer, Error)
        assert (answer.code, answer.symbol) == ("timeout", "first")


async def test_a_plain_function_that_took_too_long_has_failed() -> None:
    async with running("- {kind: if, name: i, when: 'true', timeout: 1ns}") as rt:
        answer = await rt.send("i", 1)
    assert isinstance(answer, Error)
    assert (answer.code, answer.symbol) == ("timeout", "i")


@pytest.mark.parametrize(
    ("retry", "begun"),
    [
        ("3", 3),
        ("{attempts: 2}", 2),
        ("{when: code == 'other'}", 1),
        ("{attempts: 4, delay: 1ms}", 4),
        ("'{{ TIMES }}'", 5),
    ],
)
async def test_what_fails_is_tried_again(retry: str, begun: int) -> None:
    work = Work(failures=100)
    flow = f"- {{kind: shaky, name: s, retry: {retry}, env: {{TIMES: {{data: 5}}}}}}"
    async with running(flow, extensions=work.kinds) as rt:
        answer = await rt.send("s", 1)
    assert isinstance(answer, Error)
    assert answer.message == f"failure {begun}"
    assert answer.symbol == "s"
    assert work.begun == begun


async def test_what_comes_behind_is_not_tried_again() -> None:
    work = Work(failures=1)
    flow = "- {kind: shaky, name: s, retry: 3, ports: {out: {name: no}}}\n- {kind: throw, name: no}"
    async with running(flow, extensions=work.kinds) as rt:
        answer = await rt.send("s", "bang")
    assert isinstance(answer, Error)
    assert answer.message == "bang"
    assert work.begun == 2


async def test_each_attempt_has_the_whole_time() -> None:
    work = Work()
    flow = "- {kind: work, name: w, timeout: 10ms, retry: 3}"
    async with running(flow, extensions=work.kinds) as rt:
        answer = await rt.send("w")
    assert isinstance(answer, Error)
    assert answer.code == "timeout"
    assert work.begun == 3


async def test_only_so_many_processes_are_inside_and_the_others_wait_in_order() -> None:
    work = Work()
    flow = "- {kind: work, name: w, concurrency: 2}"
    async with running(flow, extensions=work.kinds) as rt:
        done: list[int] = []

        async def one(number: int) -> None:
            done.append(await rt.send("w", number))

        sent = [asyncio.ensure_future(one(number)) for number in range(6)]
        await asyncio.wait_for(work.entered.wait(), 60)
        await asyncio.sleep(0)
        [status] = rt.status().symbols
        assert status.node == {"inside": 2, "waiting": 4}
        work.go.set()
        await asyncio.gather(*sent)
    assert work.most == 2
    assert done == list(range(6))


async def test_more_than_may_wait_are_rejected() -> None:
    work = Work()
    flow = "- {kind: work, name: w, concurrency: {limit: 1, queue: 1}}"
    async with running(flow, extensions=work.kinds) as rt:
        sent = [asyncio.ensure_future(rt.send("w", number)) for number in range(3)]
        rejected = await sent[2]
        assert isinstance(rejected, Error)
        assert rejected.code == "busy"
        work.go.set()
        assert await asyncio.gather(*sent[:2]) == [0, 1]


async def test_who_waits_no_longer_leaves_the_queue_and_nobody_is_forgotten() -> None:
    work = Work()
    flow = "- {kind: work, name: w, concurrency: 1}"
    async with running(flow, extensions=work.kinds) as rt, asyncio.timeout(60):
        first = asyncio.ensure_future(rt.send("w", 1))
        await work.entered.wait()
        late = await rt.send("w", 2, timeout=0.01)
        assert isinstance(late, Error)
        third = asyncio.ensure_future(rt.send("w", 3))
        work.go.set()
        assert await asyncio.gather(first, third) == [1, 3]
        [status] = rt.status().symbols
        assert status.node == {"inside": 0, "waiting": 0}


async def test_a_process_that_is_inside_does_not_wait_for_itself() -> None:
    flow = """
- {kind: for, name: all, ports: {out: {name: again}}}
- {kind: pipe, name: again, concurrency: 1, ports: {out: {name: deeper}}}
- kind: if
  name: deeper
  when: self > 0
  ports:
    out[0]: [{name: less, port: in}]
- {kind: snippet, name: less, language: cel, code: self - 1, ports: {out: {name: pause}}}
- {kind: sleep, name: pause, interval: 1ms, ports: {out: {name: children}}}
- {kind: for, name: children, concurrency: 2, ports: {out: {name: again}}}
"""
    async with running(flow) as rt, asyncio.timeout(60):
        assert await rt.send("all", [3, 1]) == [0, 0]


async def test_a_changed_node_counts_who_is_still_inside_the_old_one() -> None:
    work = Work()
    async with running("- {kind: work, name: w, concurrency: 1}", extensions=work.kinds) as rt:
        first = asyncio.ensure_future(rt.send("w", 1))
        await asyncio.wait_for(work.entered.wait(), 60)
        await change(rt, "- {kind: work, name: w, concurrency: {limit: 1, queue: 0}}")
        rejected = await rt.send("w", 2)
        assert isinstance(rejected, Error)
        work.go.set()
        assert await first == 1
        assert await rt.send("w", 3) == 3


class Talk(Fields):
    """A conversation has no fields."""


class TalkNode(Node):
    """Answers the first packet and none after it."""

    def handler(self, port: str) -> Handler | None:
        return Conversation(self.talk) if port == "in" else None

    async def talk(self, reader: Reader) -> None:
        number = 0
        async for packet in reader:
            number += 1
            if number == 1:
                packet.answer("hello")


def compile_talk(fields: Talk, build: Build) -> Node:
    del fields, build
    return TalkNode()


TALK: Kind[Any] = Kind(
    Schema(kind="talk", fields=Talk, summary="Talks.", ins=(IN,), outs=(OUT,)), compile_talk
)


async def test_packets_of_a_conversation_have_their_limits_too() -> None:
    flow = """
- {kind: for, name: all, on_error: keep, ports: {out: {name: t}}}
- {kind: talk, name: t, timeout: 10ms}
"""
    async with running(flow, extensions=[TALK]) as rt, asyncio.timeout(60):
        first, second = await rt.send("all", [1, 2])
    assert first == "hello"
    assert second["error"]["code"] == "timeout"


@pytest.mark.parametrize(
    ("said", "path"),
    [
        ("timeout: soon", "s.timeout"),
        ("timeout: 0", "s.timeout"),
        ("retry: 0", "s.retry"),
        ("retry: {atempts: 3}", "s.retry.atempts"),
        ("retry: {when: '1 +'}", "s.retry.when"),
        ("concurrency: {queue: 3}", "s.concurrency.limit"),
    ],
)
async def test_what_is_wrong_with_them_is_a_problem_at_its_place(said: str, path: str) -> None:
    async with running(f"- {{kind: nop, name: s, {said}}}") as rt:
        [problem] = rt.status().problems
    assert problem.path == path


async def test_everything_wrong_is_told_together() -> None:
    async with running("- {kind: sleep, name: s, interval: soon, timeout: never}") as rt:
        problems = rt.status().problems
    assert [problem.path for problem in problems] == ["s.interval", "s.timeout"]


async def test_a_kind_that_takes_no_packets_has_none_of_them() -> None:
    async with running("- {kind: listener, name: l, port: 0, timeout: 5s}") as rt:
        [problem] = rt.status().problems
    assert problem.code == "unknown-field"


async def test_a_kind_means_its_own_field_by_its_name() -> None:
    async with running("- {kind: for, name: f, concurrency: 2, timeout: 5s}") as rt:
        assert await rt.send("f", [1, 2]) == [1, 2]


async def test_without_them_nothing_is_in_the_way() -> None:
    async with running("- {kind: snippet, name: s, language: cel, code: self}") as rt:
        symbol = rt.table.get("s")
        assert symbol is not None
        assert symbol.node.guard is None
        assert rt.table.wiring.handler((symbol.id, "in")) is symbol.node.handler("in")
