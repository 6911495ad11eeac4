"""A Shift begins the new, swaps, and retires the old; what cannot begin is undone."""

import asyncio
import weakref
from collections import Counter
from collections.abc import Awaitable, Iterable
from typing import Any

import pytest

from heddle.runtime.assembly.codec import Kind
from heddle.runtime.assembly.extension import Extension, ExtensionSource
from heddle.runtime.assembly.kind import node
from heddle.runtime.assembly.rollout import ShiftError, _message
from heddle.runtime.assembly.symbol import Symbol
from heddle.runtime.flow.contracts import Process
from heddle.runtime.flow.errors import Error
from heddle.runtime.flow.finish import finish
from heddle.runtime.runtime import Runtime
from heddle.schemas import pieces
from tests.runtime.worlds import World, linked, node_of, put, remove, step, told, world
from tests.waiting import until

pytestmark = pytest.mark.anyio


def quiet(here: World, extra: Iterable[ExtensionSource] = (), **options: Any) -> dict[str, Any]:
    """Return a runtime that is told of changes by the story alone."""
    return {"kinds": [*here.kinds(), *extra], "watch": False, **options}


def begin(rt: Runtime, name: str, payload: Any = "") -> tuple[Process, "asyncio.Future[Any]"]:
    """Return a process that has sent a packet to a symbol, and its answer."""
    process = rt.start()
    found = rt.table.get(name)
    assert found is not None
    answer = process.run(process.wiring.entry(found.id, "in"), payload)
    return process, asyncio.ensure_future(finish(process, answer))


# -- beginning -------------------------------------------------------------------------------------


async def test_nodes_begin_targets_first_and_end_sources_first() -> None:
    here = World()
    async with world([step("a", "b"), step("b", "c"), step("c")], **quiet(here)):
        assert here.log == ["cc: open", "bb: open", "aa: open"]
        here.log.clear()
    assert here.log == [
        *("aa: pause", "bb: pause", "cc: pause"),
        *("aa: close", "bb: close", "cc: close"),
    ]


async def test_a_successor_adopts_before_it_opens_and_the_old_one_goes_after() -> None:
    here = World()
    async with world([step("a")], **quiet(here)) as rt:
        here.log.clear()
        await put(rt, step("a", add="2"))
        await until(lambda: "aa: close" in here.log)
        assert here.log == ["a2: adopt aa", "a2: open", "aa: pause", "aa: close"]


async def test_what_cannot_begin_is_undone_and_the_old_goes_on() -> None:
    here = World()
    async with world([step("a", "b"), step("b")], **quiet(here)) as rt:
        old, number = node_of(rt, "b"), rt.table.wiring.generation.number
        here.log.clear()
        loaded = await put(rt, step("c"), step("b", "c", add="2", open="fail"))
        assert [problem.code for problem in loaded.problems] == ["begin"]
        assert str(loaded.problems[0]).startswith("b.yaml:1:1 b: cannot begin: Address")
        assert here.log == [
            *("cc: open", "b2: adopt bb", "b2: open"),
            *("b2: disown bb", "b2: pause", "b2: close", "cc: pause", "cc: close"),
        ]
        assert node_of(rt, "b") is old
        assert not old.lent
        assert old.closed == 0
        assert rt.table.wiring.generation.number == number
        assert await rt.send("a", "") == "ab"


@pytest.mark.parametrize("way", ["fail", "exit", "hang"])
async def test_whatever_opening_does_the_old_goes_on(way: str) -> None:
    here = World()
    async with world([step("a")], **quiet(here, lifecycle=0.05)) as rt:
        assert (await put(rt, step("a", open=way))).rejected
        assert await rt.send("a", "") == "a"
        (rejected,) = told(rt, "change rejected")
        assert rejected.problems[0].path == "a"


def test_what_the_system_says_is_told_without_its_number() -> None:
    assert _message(OSError(98, "cannot listen on :80: in use")) == "cannot listen on :80: in use"
    assert _message(FileNotFoundError(2, "No such file", "a.pem")) == "No such file: 'a.pem'"


async def test_what_cannot_adopt_gives_back_and_is_rejected() -> None:
    here = World()
    async with world([step("a")], **quiet(here)) as rt:
        here.log.clear()
        assert (await put(rt, step("a", add="2", adopt="fail"))).rejected
        assert here.log == ["a2: adopt aa", "a2: disown aa"]
        assert not node_of(rt, "a").lent


async def test_a_node_that_was_undone_does_not_begin_again() -> None:
    here = World()
    async with world([step("a", "b")], **quiet(here)) as rt:
        waiting = node_of(rt, "a")
        assert (await put(rt, step("b"), step("x", open="fail"))).rejected
        undone = waiting.closed
        await put(rt, step("b"), step("x"))
        assert undone == waiting.closed
        if undone:
            assert node_of(rt, "a") is not waiting
        assert await rt.send("a", "") == "ab"


async def test_starting_with_what_cannot_begin_is_an_error_and_closes_the_rest() -> None:
    here = World()
    with pytest.raises(ShiftError, match="cannot begin"):
        async with world([step("a"), step("b", "a", open="fail")], **quiet(here)):
            pytest.fail("it began")
    assert here.log.count("aa: open") == here.log.count("aa: close") == 1


async def test_a_start_that_is_given_up_closes_what_it_opened() -> None:
    here = World()
    specs = [step("a"), step("b", "a", open="gate")]

    async def starts() -> None:
        async with world(specs, **quiet(here)):
            pytest.fail("it began")

    starting = asyncio.ensure_future(starts())
    await until(lambda: "bb: open" in here.log)
    starting.cancel()
    await asyncio.wait([starting])
    assert starting.cancelled()
    assert here.log.count("aa: close") == here.log.count("bb: close") == 1


# -- lifecycle flows -------------------------------------------------------------------------------


def noting(here: World) -> Kind[Any]:
    """Return a kind that writes down every Spec that it is sent."""

    @node("note")
    def note(payload: Any, *, what: str, answer: str = "") -> Any:
        here.log.append(f"{what} of {payload['name']}")
        if answer == "fail":
            raise ValueError(f"{what} says no")
        return payload

    return note


LIFE = {"init": "i", "active": "b", "deactive": "d", "deinit": "e"}


def notes(**answers: str) -> list[Any]:
    words = {"i": "init", "b": "active", "d": "deactive", "e": "deinit"}
    return [
        linked("note", name, what=word, answer=answers.get(word, ""))
        for name, word in words.items()
    ]


async def test_lifecycle_flows_are_sent_the_spec_in_order() -> None:
    here = World()
    specs = [*notes(), step("s", LIFE)]
    async with world(specs, **quiet(here, [noting(here)])) as rt:
        assert here.log == ["init of s", "ss: open", "active of s"]
        here.log.clear()
        await put(rt, step("s", LIFE, add="2"))
        await until(lambda: "ss: close" in here.log)
        assert here.log == [
            *("s2: adopt ss", "init of s", "s2: open", "active of s"),
            *("ss: pause", "deactive of s", "deinit of s", "ss: close"),
        ]


@pytest.mark.parametrize("port", ["init", "active"])
async def test_a_lifecycle_flow_that_answers_an_error_rejects_the_change(port: str) -> None:
    here = World()
    async with world([*notes(**{port: "fail"})], **quiet(here, [noting(here)])) as rt:
        loaded = await put(rt, step("s", LIFE))
        assert f"cannot begin (its {port} flow): {port} says no" in str(loaded.problems[0])
        assert loaded.problems[0].path == f"s.ports.{port}"
        assert rt.table.get("s") is None
        ends = [line for line in here.log if line.startswith("de")]
        assert ends == (["deinit of s"] if port == "active" else [])


@pytest.mark.parametrize("port", ["deactive", "deinit"])
async def test_a_flow_that_fails_at_end_is_told_and_holds_nothing_up(port: str) -> None:
    here = World()
    specs = [*notes(**{port: "fail"}), step("s", LIFE)]
    async with world(specs, **quiet(here, [noting(here)])) as rt:
        await remove(rt, step("s"))
        await until(lambda: "ss: close" in here.log)
        (failed,) = told(rt, f"{port} flow failed")
        assert (failed.symbol, failed.level) == ("s", "warning")


async def test_a_lifecycle_flow_that_does_not_answer_is_cut_short() -> None:
    here = World()
    specs = [step("slow", waits=True)]
    async with world(specs, **quiet(here, lifecycle=0.05)) as rt:
        loaded = await put(rt, step("s", {"init": "slow"}))
        assert "its init flow): the process passed its deadline" in str(loaded.problems[0])
        assert not rt.processes


# -- hooks -----------------------------------------------------------------------------------------


async def test_load_hooks_run_before_opening_and_unload_hooks_before_closing() -> None:
    here = World()

    def register(extension: Extension) -> None:
        for name in ("first", "second"):
            extension.hook(
                load=lambda one, name=name: here.log.append(f"{name} load {one.label}"),  # type: ignore[misc]
                unload=lambda one, name=name: here.log.append(f"{name} unload {one.label}"),  # type: ignore[misc]
            )

    async with world([step("a")], **quiet(here, [register])):
        assert here.log == ["first load a", "second load a", "aa: open"]
        here.log.clear()
    assert here.log == ["aa: pause", "second unload a", "first unload a", "aa: close"]


async def test_a_load_hook_that_fails_rejects_the_change() -> None:
    here = World()

    def load(one: Symbol) -> None:
        if one.label == "bad":
            raise ValueError("not here")

    def register(extension: Extension) -> None:
        extension.hook(load=load, unload=lambda one: here.log.append(f"unload {one.label}"))

    async with world([step("a")], **quiet(here, [register])) as rt:
        here.log.clear()
        assert "not here" in str((await put(rt, step("c"), step("bad", "c"))).problems[0])
        assert here.log == ["cc: open", "unload bad", "cc: pause", "unload c", "cc: close"]


async def test_an_unload_hook_that_fails_is_told() -> None:
    here = World()

    def unload(_: Symbol) -> None:
        raise SystemExit("no")

    async with world(
        [step("a")], **quiet(here, [lambda extension: extension.hook(unload=unload)])
    ) as rt:
        await remove(rt, step("a"))
        await until(lambda: "aa: close" in here.log)
        assert len(told(rt, "unload hook failed")) == 1


# -- draining --------------------------------------------------------------------------------------


async def test_an_old_node_closes_once_after_the_last_process_of_its_generations() -> None:
    here = World()
    specs = [step("a", "b"), step("b", waits=True), step("other")]
    async with world(specs, **quiet(here)) as rt:
        old = node_of(rt, "b")
        _, first = begin(rt, "a")
        await put(rt, step("other", add="2"))
        _, second = begin(rt, "a")
        await put(rt, step("b", waits=True, add="new"))
        _, third = begin(rt, "a")
        assert len(rt.processes) == 3
        assert old.closed == 0
        here.gate.set()
        assert [await one for one in (first, second, third)] == ["ab", "ab", "anew"]
        await until(lambda: old.closed == 1)
    assert old.closed == 1


async def test_a_process_keeps_the_wiring_it_began_with() -> None:
    here = World()
    async with world([step("g", "x", waits=True), step("x")], **quiet(here)) as rt:
        _, before = begin(rt, "g")
        await put(rt, step("g", "y", waits=True), step("y"))
        await remove(rt, step("x"))
        _, after = begin(rt, "g")
        here.gate.set()
        assert [await before, await after] == ["gx", "gy"]


async def test_at_the_drain_deadline_processes_are_cut_and_old_nodes_close() -> None:
    here = World()
    async with world([step("a", waits=True)], **quiet(here, drain=0.05)) as rt:
        old = node_of(rt, "a")
        _, answer = begin(rt, "a")
        await put(rt, step("a", add="2"))
        error = await answer
        assert isinstance(error, Error)
        assert error.code == "dropped"
        await until(lambda: old.closed == 1)
        (cut,) = told(rt, "process cut")
        assert cut.reason == "it still ran 0.05 s after its generation was replaced"
        assert (cut.symbol, cut.generation) == ("runtime", 1)


async def test_a_newer_generation_has_its_own_time_to_drain() -> None:
    here = World()
    specs = [step("a", waits=True), step("b", waits=True)]
    async with world(specs, **quiet(here, drain=0.3)) as rt:
        _, first = begin(rt, "a")
        await put(rt, step("a", waits=True, add="2"))
        await asyncio.sleep(0.2)
        _, second = begin(rt, "b")
        await put(rt, step("b", waits=True, add="2"))
        assert (await first).code == "dropped"
        await asyncio.sleep(0)
        assert not second.done()
        here.gate.set()
        assert await second == "b"


async def test_a_change_that_retires_nothing_cuts_nobody() -> None:
    here = World()
    async with world([step("a", waits=True)], **quiet(here, drain=0.02)) as rt:
        process, answer = begin(rt, "a")
        await put(rt, step("b"))
        await asyncio.sleep(0.1)
        assert process in rt.processes
        here.gate.set()
        assert await answer == "a"


async def test_a_process_that_nobody_ends_is_ended_at_the_deadline() -> None:
    here, ended = World(), list[Any]()
    async with world([step("a")], **quiet(here, drain=0.02)) as rt:
        forgotten = rt.start()
        forgotten.on_exit(ended.append)
        old = node_of(rt, "a")
        await put(rt, step("a", add="2"))
        await until(lambda: old.closed == 1)
    assert [error.code for error in ended] == ["dropped"]


async def test_process_that_does_not_end_though_it_was_cut_holds_nothing_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("heddle.runtime.assembly.rollout.GRACE", 0.05)
    here, let_go = World(), asyncio.Event()
    async with world([step("a")], **quiet(here, drain=0.02)) as rt:

        async def hangs(_: Error | None) -> None:
            await let_go.wait()

        stuck = rt.start()
        stuck.on_exit(hangs)
        old = node_of(rt, "a")
        await put(rt, step("a", add="2"))
        await until(lambda: old.closed == 1)
        assert len(told(rt, "process stuck")) == 1
        let_go.set()
        ended = stuck.end()
        if isinstance(ended, Awaitable):
            await ended


@pytest.mark.parametrize("way", ["fail", "hang"])
async def test_whatever_closing_does_the_rest_goes_on(way: str) -> None:
    here = World()
    async with world([step("a", close=way), step("b")], **quiet(here, lifecycle=0.05)) as rt:
        await remove(rt, step("a"))
        await until(lambda: bool(told(rt, "close failed")))
        await remove(rt, step("b"))
        await until(lambda: "bb: close" in here.log)


async def test_retired_symbols_are_told_with_the_reason() -> None:
    here = World()
    async with world([step("a"), step("b")], **quiet(here)) as rt:
        await put(rt, step("a", add="2"))
        await remove(rt, step("b"))
        assert [(one.symbol, one.reason) for one in told(rt, "symbol retired")] == [
            ("a", "replaced"),
            ("b", "removed"),
        ]


async def test_what_retires_is_freed_in_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """To free ten thousand symbols at once, with the wiring that held them, would hold up requests."""
    turn = 0
    freed: list[int] = []

    async def tick() -> None:
        nonlocal turn
        while True:
            turn += 1
            await asyncio.sleep(0)

    here = World()
    names = [f"{first}{second}" for first in "bcdef" for second in "ghij"]
    steps = [step(name) for name in names]
    async with world([step("a"), *steps], **quiet(here)) as rt:
        for name in names:
            weakref.finalize(node_of(rt, name), lambda: freed.append(turn))
        monkeypatch.setattr(pieces, "SLICE", -1.0)
        ticking = asyncio.create_task(tick())
        try:
            await remove(rt, *steps)
            await until(lambda: len(freed) == len(names))
        finally:
            ticking.cancel()
    assert max(Counter(freed).values()) == 1
