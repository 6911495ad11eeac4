"""Health is what is not well in a runtime, and since when."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import pytest

from heddle.runtime.assembly.extension import registry
from heddle.runtime.flow.node import Action, Handler, Node
from heddle.runtime.runtime import Runtime
from heddle.specs.model.store import Put
from heddle.specs.model.symbol_status import CONDITIONS, Condition
from tests.runtime.changing import FLOW, looked, read, store_of
from tests.runtime.worlds import World, kind_of, put, remove, step, told, world
from tests.waiting import until

pytestmark = pytest.mark.anyio


def conditions(rt: Runtime, name: str) -> Mapping[str, Condition]:
    (one,) = (each for each in rt.status().symbols if each.name == name)
    assert tuple(each.type for each in one.conditions) == CONDITIONS
    return {each.type: each for each in one.conditions}


def true(rt: Runtime, name: str) -> set[str]:
    return {sort for sort, each in conditions(rt, name).items() if each.status}


def overall(rt: Runtime) -> Mapping[str, Condition]:
    return {each.type: each for each in rt.status().conditions}


def quiet() -> Any:
    return {"kinds": World().kinds(), "watch": False}


def puts(text: str) -> list[Put]:
    return [Put(resource=each) for each in read(text)]


WELL = {"Valid", "Compiled", "Linked", "Active"}


async def test_symbol_that_is_well_has_all_that_it_should_since_it_began() -> None:
    before = time.time()
    async with world([step("a", "b"), step("b")], **quiet()) as rt:
        assert true(rt, "a") == true(rt, "b") == WELL
        since = conditions(rt, "a")["Active"].since
        assert before <= since <= time.time()
        assert conditions(rt, "a")["Active"].since == since
        assert {sort for sort, each in overall(rt).items() if each.status} == WELL
        assert rt.report().symbols == ()


async def test_a_rejected_revision_leaves_the_old_one_active_and_degraded() -> None:
    async with world([step("a", "b"), step("b")], **quiet()) as rt:
        good = conditions(rt, "b")["Active"].since
        loaded = await put(rt, step("b", colour="red"))
        assert loaded.rejected
        found = conditions(rt, "b")
        assert true(rt, "b") == {"Compiled", "Linked", "Active", "Degraded"}
        assert (found["Valid"].reason, found["Active"].since) == ("UnknownField", good)
        degraded = found["Degraded"]
        assert degraded.reason == "Rejected"
        assert degraded.message.startswith("revision 2 was rejected, revision 1 goes on running:")
        assert degraded.since >= good
        (status,) = (each for each in rt.status().symbols if each.name == "b")
        assert (status.revision, status.observed) == (2, 1)
        assert true(rt, "a") == WELL
        assert overall(rt)["Degraded"].message == "b rejected"
        (report,) = rt.report().symbols
        assert (report.name, report.revision, report.observed) == ("b", 2, 1)
        assert (rt.report().observed, rt.report().rejected) == (2, 1)
        await put(rt, step("b", add="2"))
        await until(lambda: true(rt, "b") == WELL)
        assert conditions(rt, "b")["Degraded"].since >= degraded.since
        assert rt.report().symbols == ()


async def test_compiled_names_mistakes_in_code_and_linked_those_in_ports() -> None:
    async with store_of(FLOW) as store, Runtime(store=store) as rt:
        wrong = "{kind: snippet, name: pong, language: cel, code: 'self +'}"
        await store.apply(puts(wrong))
        await looked(rt, 2)
        compiled = conditions(rt, "pong")["Compiled"]
        assert (compiled.status, compiled.reason) == (False, "Code")
        assert compiled.place.startswith("flow.yaml:1:")
        assert conditions(rt, "pong")["Valid"].status
        await store.apply(puts("{kind: pipe, name: start, ports: {out: {name: pong, port: inn}}}"))
        await looked(rt, 3)
        linked = conditions(rt, "start")["Linked"]
        assert (linked.status, linked.reason) == (False, "UnknownPort")


async def test_who_waits_says_for_what_and_at_which_link() -> None:
    early = "{kind: pipe, name: a, ports: {out: [{name: nobody, port: in}]}}"
    async with store_of(early) as store, Runtime(store=store) as rt:
        found = conditions(rt, "a")
        assert true(rt, "a") == {"Valid", "Compiled"}
        assert found["Linked"].reason == "TargetMissing"
        assert found["Linked"].place.startswith("flow.yaml:1:")
        assert found["Active"].message == 'waits for "nobody", linked at ports.out'
        assert overall(rt)["Linked"].message.startswith("a: waits for")
        report = rt.report()
        assert (report.waiting, report.rejected, len(report.symbols)) == (1, 0, 1)
        assert report.symbols[0].state == "waiting"
        assert not report.symbols[0].rejected


async def test_what_cannot_begin_at_all_is_rejected_and_not_active() -> None:
    async with world([step("a")], **quiet()) as rt:
        await put(rt, step("new", open="fail"))
        found = conditions(rt, "new")
        assert true(rt, "new") == {"Valid", "Compiled", "Linked"}
        assert "Address already in use" in found["Active"].message
        (report,) = rt.report().symbols
        assert (report.rejected, report.revision, report.observed) == (True, 2, 0)


async def test_what_is_held_up_by_somebody_else_says_by_whom() -> None:
    async with world([step("a"), step("b")], **quiet()) as rt:
        await put(rt, step("a", add="2"), step("b", colour="red"))
        held = conditions(rt, "a")["Degraded"]
        assert conditions(rt, "a")["Valid"].status
        assert held.reason == "HeldUp"
        assert "b.colour" in held.message


async def test_a_deletion_that_was_rejected_is_told() -> None:
    async with world([step("a", "b"), step("b")], **quiet()) as rt:
        await remove(rt, step("b"))
        degraded = conditions(rt, "b")["Degraded"]
        assert degraded.message.startswith("its deletion was rejected, revision 1 goes on running")
        report = {each.name: each for each in rt.report().symbols}["b"]
        assert (report.revision, report.observed) == (0, 1)


async def test_what_still_drains_is_told_until_it_is_closed() -> None:
    here = World()
    async with world(
        [step("a", "b"), step("b", waits=True)], kinds=here.kinds(), watch=False
    ) as rt:
        inside = asyncio.ensure_future(rt.send("a", ""))
        await asyncio.sleep(0)
        await put(rt, step("b", add="2"))
        assert true(rt, "b") == {*WELL, "Draining"}
        (report,) = rt.report().symbols
        assert not report.rejected
        assert report.state != "waiting"
        here.gate.set()
        await inside
        await until(lambda: not rt.report().symbols)
        assert true(rt, "b") == WELL


class Sick(Node):
    """A node that can say what is wrong with it."""

    wrong = ""

    def handler(self, port: str) -> Handler | None:
        return Action(lambda payload: payload) if port == "in" else None

    def degraded(self) -> str:
        if self.wrong == "raise":
            raise ValueError("no idea")
        return self.wrong


async def test_a_node_says_itself_what_is_wrong_with_it() -> None:
    node = Sick()
    found = registry()
    found.scheme.add(kind_of("sick", lambda: node), "test")
    well = "{kind: nop, name: well}"
    async with store_of(well) as store, Runtime(store=store, kinds=found) as rt:
        await store.apply(puts("{kind: sick, name: s}"))
        await looked(rt, 2)
        assert rt.report().symbols == ()
        node.wrong = "the database is gone"
        assert true(rt, "s") == {*WELL, "Degraded"}
        degraded = conditions(rt, "s")["Degraded"]
        assert (degraded.reason, degraded.message) == ("Degraded", "the database is gone")
        (report,) = rt.report().symbols
        assert not report.rejected
        node.wrong = "raise"
        assert "no idea" in conditions(rt, "s")["Degraded"].message
        node.wrong = ""
        assert true(rt, "s") == WELL


async def test_secrets_stay_masked_in_what_is_told() -> None:
    text = (
        "- {name: word, data: hunter22, secret: true}\n"
        "- kind: snippet\n  name: s\n  language: text\n  code: '{{ W }}'\n"
        "  env: {W: {name: word}}\n"
    )
    async with store_of(text) as store, Runtime(store=store) as rt:
        await store.apply(puts("{kind: snippet, name: s, language: text, code: x, hunter22: 1}"))
        await looked(rt, 2)
        assert "hunter22" not in str(rt.status().conditions)
        assert told(rt, "change rejected")


async def test_a_report_costs_what_is_wrong_and_not_what_there_is() -> None:
    many = "".join(f"- {{kind: nop, name: n{number}}}\n" for number in range(300))
    async with store_of(many) as store, Runtime(store=store) as rt:
        await store.apply(puts("{kind: nop, name: n7, colour: red}"))
        await looked(rt, 2)
        report = rt.report()
        assert [each.name for each in report.symbols] == ["n7"]
        assert (report.active, report.rejected) == (300, 1)
