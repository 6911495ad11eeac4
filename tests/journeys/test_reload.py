"""Reload, as an operator sees it: what goes live, what is rejected, what is rebuilt, and what is kept."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from heddle.extensions.extension import Action, Fields, Host, Kind, Node, Process, Schema
from heddle.runtime.assembly.rollout import ShiftError
from heddle.runtime.flow.errors import Error
from heddle.runtime.runtime import NoSymbolError, Runtime
from heddle.schemas.port import IN, OUT
from heddle.specs.model.spec import Spec
from heddle.specs.model.store import Delete, Put
from heddle.specs.model.value import Value
from heddle.specs.yaml.document import read_text
from tests.support import change, running, stored

pytestmark = pytest.mark.anyio


def text(name: str, code: str, *, to: str = "") -> str:
    """Return a snippet with a constant answer, linked to another symbol or to none."""
    ports = f", ports: {{out: {{name: {to}}}}}" if to else ""
    return f"- {{kind: snippet, name: {name}, language: text, code: {code}{ports}}}\n"


async def apply(rt: Runtime, *changes: Put | Delete) -> Any:
    """Apply changes to the store, and wait until they are live or rejected."""
    told = asyncio.ensure_future(rt.events.wait("generation live", "change rejected"))
    await asyncio.sleep(0)
    await rt.store.apply(changes)
    async with asyncio.timeout(60):
        return await told


def delete(rt: Runtime, name: str) -> Delete:
    """Return the deletion of a symbol's Spec."""
    symbol = rt.table.get(name)
    assert symbol is not None
    return Delete(type=Spec, id=symbol.id)


# -- a node that tells what happens to it -----------------------------------------------------------


class Said(Fields):
    """What a witness says; another saying makes another node."""

    says: str = ""
    fails: bool = False


class Witness(Node):
    """Notes its whole life in a list that the test holds."""

    def __init__(self, life: list[str], fields: Said, gate: asyncio.Event) -> None:
        self.life, self.fields, self.gate = life, fields, gate
        self.entered = asyncio.Event()
        self.closed = asyncio.Event()

    def note(self, what: str) -> None:
        self.life.append(f"{what} {self.fields.says}")

    def handler(self, port: str) -> Action | None:
        return Action(self._act, waits=True) if port == "in" else None

    async def _act(self, payload: Any) -> Any:
        self.entered.set()
        await self.gate.wait()
        return f"{self.fields.says}: {payload}"

    def adopt(self, predecessor: Node) -> None:
        assert isinstance(predecessor, Witness)
        self.note(f"adopts {predecessor.fields.says} as")

    def disown(self, predecessor: Node) -> None:
        assert isinstance(predecessor, Witness)
        self.note(f"disowns {predecessor.fields.says} as")

    async def open(self, host: Host) -> None:
        self.note("opens")
        if self.fields.fails:
            raise OSError(98, "address already in use")

    async def pause(self) -> None:
        self.note("pauses")

    async def close(self) -> None:
        self.note("closes")
        self.closed.set()


def witness(life: list[str], gate: asyncio.Event | None = None) -> Kind[Said]:
    """Return the kind `witness`, whose nodes note their lives in this list."""
    open_gate = asyncio.Event()
    open_gate.set()
    schema = Schema(kind="witness", fields=Said, summary="Notes.", ins=(IN,), outs=(OUT,))
    return Kind(schema, lambda fields, build: Witness(life, fields, gate or open_gate))


# -- starting --------------------------------------------------------------------------------------


async def test_a_start_runs_what_is_fit_and_tells_what_is_not() -> None:
    async with running(text("good", "yes") + "- {kind: snipet, name: bad}\n") as rt:
        assert await rt.send("good") == "yes"
        status = {symbol.name: symbol for symbol in rt.status().symbols}
        assert status["good"].state == "active"
        assert status["bad"].state == "rejected"
        assert 'Did you mean "snippet"?' in status["bad"].reasons[0]
        with pytest.raises(NoSymbolError, match="bad"):
            await rt.send("bad")


async def test_what_waits_says_for_whom() -> None:
    async with running(text("a", "x", to="b") + text("b", "x", to="c")) as rt:
        status = {symbol.name: symbol for symbol in rt.status().symbols}
        assert status["b"].reasons == ('waits for "c", linked at ports.out',)
        assert status["a"].reasons == ('"b" is not active, linked at ports.out',)
        with pytest.raises(NoSymbolError, match='waits for "c"'):
            await rt.send("b")
        await change(rt, text("c", "last"))
        assert await rt.send("a") == "last"


async def test_a_link_to_port_that_is_not_there_names_ports_that_are() -> None:
    async with running(
        "- {kind: snippet, name: a, language: text, code: x, ports: {out: {name: b, port: inn}}}\n"
        + text("b", "y")
    ) as rt:
        [problem] = rt.status().problems
        assert '"b" has no port "inn" (it has: in). Did you mean "in"?' in str(problem)
        assert await rt.send("b") == "y"


async def test_a_ring_comes_in_as_a_whole() -> None:
    ring = text("a", "x", to="b") + text("b", "x", to="c")
    async with running(ring) as rt:
        assert not any(rt.table.active(symbol) for symbol in rt.table.all())
        await change(rt, "- {kind: if, name: c, when: 'false', ports: {out: {name: a}}}")
        assert all(rt.table.active(symbol) for symbol in rt.table.all())
        assert await rt.send("a") == "x"


# -- changing ----------------------------------------------------------------------------------------


async def test_a_bad_edit_keeps_the_old_node_and_is_explained() -> None:
    async with running(text("a", "old")) as rt:
        before = rt.table.get("a")
        await change(rt, "- {kind: snippet, name: a, language: txt, code: new}")
        rejected = rt.events.recent[-1]
        assert (rejected.event, rejected.generation) == ("change rejected", 1)
        assert 'Did you mean "text"?' in str(rejected.problems[0])
        assert rt.table.get("a") is before
        assert await rt.send("a") == "old"
        assert any("rejected" in reason for one in rt.status().symbols for reason in one.reasons)
        await change(rt, text("a", "mended"))
        assert await rt.send("a") == "mended"
        assert rt.status().problems == ()


async def test_a_change_set_goes_live_as_a_whole_or_not_at_all() -> None:
    async with running(text("a", "old") + text("b", "old")) as rt:
        await change(
            rt, text("a", "new") + "- {kind: snippet, name: b, language: cel, code: '1 +'}"
        )
        assert await rt.send("a") == "old"
        await change(rt, text("b", "new"))
        assert [await rt.send("a"), await rt.send("b")] == ["new", "new"]


async def test_a_mistake_holds_up_nothing_but_itself() -> None:
    async with running(text("a", "old") + text("b", "old")) as rt:
        await change(rt, "- {kind: snippet, name: a, language: nope, code: new}")
        await change(rt, text("b", "new"))
        assert await rt.send("a") == "old"
        assert await rt.send("b") == "new"


@pytest.mark.parametrize("mistake", ["langauge: text", "language: [", "<<: 1"])
async def test_a_mistake_that_is_taken_back_is_told_to_be_gone(
    mistake: str, tmp_path: Path
) -> None:
    path = tmp_path / "flow.yaml"
    good = "kind: snippet\nname: a\nlanguage: text\ncode: x\n"
    path.write_text(good)
    async with Runtime(store=str(path)) as rt:
        rejected = asyncio.ensure_future(rt.events.wait("change rejected"))
        gone = asyncio.ensure_future(rt.events.wait("problems gone"))
        await asyncio.sleep(0)
        path.write_text(good.replace("language: text", mistake))
        async with asyncio.timeout(60):
            await rejected
            assert not gone.done()
            path.write_text(good)
            event = await gone
        assert event.reason == "generation 1 runs, and the store says the same"
        assert not rt.status().problems
        assert await rt.send("a") == "x"


async def test_a_rejected_half_goes_live_when_the_other_half_comes() -> None:
    async with running(text("a", "x", to="b") + text("b", "old")) as rt:
        await change(rt, text("a", "x", to="elsewhere"))
        assert rt.events.recent[-1].event == "change rejected"
        assert await rt.send("a") == "old"
        await change(rt, text("elsewhere", "found"))
        assert await rt.send("a") == "found"


async def test_deleting_what_is_linked_is_rejected_and_deleting_both_is_not() -> None:
    async with running(text("a", "x", to="b") + text("b", "still")) as rt:
        event = await apply(rt, delete(rt, "b"))
        assert event.event == "change rejected"
        assert 'there is no "b"' in str(event.problems[0])
        assert "a is active and would stop" in str(event.problems[0])
        assert await rt.send("a") == "still"
        event = await apply(rt, delete(rt, "a"))
        assert event.event == "generation live"
        assert len(rt.table) == 0


async def test_a_rename_with_its_links_is_one_change() -> None:
    async with running(text("a", "x", to="b") + text("b", "same")) as rt:
        new = read_text(text("a", "x", to="c") + text("c", "renamed")).specs
        event = await apply(rt, delete(rt, "b"), *(Put(resource=one) for one in new))
        assert event.event == "generation live"
        assert await rt.send("a") == "renamed"
        assert rt.table.get("b") is None


async def test_only_what_changed_is_rebuilt() -> None:
    life: list[str] = []
    flow = "- {{kind: witness, name: {0}, says: {0}, ports: {{out: {{name: leaf}}}}}}\n"
    everyone = "".join(flow.format(name) for name in ("one", "two")) + text("leaf", "old")
    async with running(everyone, extensions=[witness(life)]) as rt:
        assert sorted(life) == ["opens one", "opens two"]
        await change(rt, text("leaf", "new"))
        assert sorted(life) == ["opens one", "opens two"]
        assert await rt.send("one") == "new"
        life.clear()
    assert sorted(life) == ["closes one", "closes two", "pauses one", "pauses two"]


async def test_an_unchanged_spec_that_moved_keeps_its_node_at_its_new_place() -> None:
    async with running(text("a", "same")) as rt:
        before = rt.table.get("a")
        assert before is not None
        moved = read_text("# a comment\n\n" + text("a", "same"), file="flow.yaml").specs
        await change(rt, text("b", "new"))
        await rt.store.apply([Put(resource=one) for one in moved])
        await change(rt, text("b", "newer"))
        assert rt.table.get("a") is before


async def test_a_process_finishes_on_the_wiring_it_began_with() -> None:
    life: list[str] = []
    gate = asyncio.Event()
    flow = "- {kind: witness, name: w, says: w, ports: {out: {name: leaf}}}\n"
    async with running(flow + text("leaf", "old"), extensions=[witness(life, gate)]) as rt:
        asked = asyncio.ensure_future(rt.send("w"))
        node = rt.table.get("w").node  # type: ignore[union-attr]
        assert isinstance(node, Witness)
        await node.entered.wait()
        await change(rt, text("leaf", "new"))
        gate.set()
        assert await asked == "old"
        assert await rt.send("w") == "new"


async def test_an_old_node_closes_once_its_last_process_has_ended() -> None:
    life: list[str] = []
    gate = asyncio.Event()
    flow = "- {{kind: witness, name: w, says: {}}}\n"
    async with running(flow.format("old"), extensions=[witness(life, gate)]) as rt:
        asked = asyncio.ensure_future(rt.send("w", "x"))
        node = rt.table.get("w").node  # type: ignore[union-attr]
        assert isinstance(node, Witness)
        await node.entered.wait()
        await change(rt, flow.format("new"))
        assert life == ["opens old", "adopts old as new", "opens new", "pauses old"]
        gate.set()
        assert await asked == "old: x"
        async with asyncio.timeout(60):
            await node.closed.wait()
        assert life.count("closes old") == 1
        assert await rt.send("w", "y") == "new: y"


async def test_a_process_of_an_old_generation_is_cut_at_the_drain_deadline() -> None:
    life: list[str] = []
    never = asyncio.Event()
    flow = "- {{kind: witness, name: w, says: {}}}\n"
    async with running(flow.format("old"), extensions=[witness(life, never)], drain=0.05) as rt:
        asked = asyncio.ensure_future(rt.send("w", "x"))
        node = rt.table.get("w").node  # type: ignore[union-attr]
        assert isinstance(node, Witness)
        await node.entered.wait()
        cut = asyncio.ensure_future(rt.events.wait("process cut"))
        await change(rt, flow.format("new"))
        async with asyncio.timeout(60):
            answer = await asked
            await cut
        assert isinstance(answer, Error)
        assert answer.code == "dropped"


async def test_what_cannot_begin_is_undone_and_rejected() -> None:
    life: list[str] = []
    flow = "- {{kind: witness, name: w, says: {}, fails: {}}}\n"
    async with running(flow.format("old", "false"), extensions=[witness(life)]) as rt:
        await change(rt, flow.format("new", "true"))
        rejected = rt.events.recent[-1]
        assert rejected.event == "change rejected"
        assert "address already in use" in str(rejected.problems[0])
        assert life[:3] == ["opens old", "adopts old as new", "opens new"]
        assert "disowns old as new" in life
        assert "closes new" in life
        assert "pauses old" not in life
        assert await rt.send("w", "x") == "old: x"


async def test_what_cannot_begin_at_the_start_is_one_error() -> None:
    life: list[str] = []
    with pytest.raises(ShiftError, match="address already in use"):
        async with running("- {kind: witness, name: w, fails: true}", extensions=[witness(life)]):
            pass
    assert "closes " in life


# -- lifecycle flows -------------------------------------------------------------------------------

LIFE = """
- kind: witness
  name: w
  says: {says}
  ports:
    init: {{name: note}}
    active: {{name: note}}
    deactive: {{name: note}}
    deinit: {{name: note}}
- kind: snippet
  name: note
  language: cel
  code: self.says
"""


async def test_lifecycle_flows_run_in_order_around_the_life_of_a_node() -> None:
    life: list[str] = []
    async with running(extensions=[witness(life)]) as rt:
        watched = text("note", "x")
        await change(rt, watched)
        note = rt.table.get("note")
        assert note is not None
        rt.agent.watch(
            [note.id],
            ["in"],
            on_frame=lambda frame: (
                None if frame.answered else life.append("flow " + frame.payload["says"])
            ),
        )
        await change(rt, LIFE.format(says="one"))
        assert life == ["flow one", "opens one", "flow one"]
        life.clear()
        first = rt.table.get("w").node  # type: ignore[union-attr]
        assert isinstance(first, Witness)
        spec = next(one for one in read_text(LIFE.format(says="two")).specs if one.name == "w")
        await apply(rt, Put(resource=spec))
        assert life[:4] == ["adopts one as two", "flow two", "opens two", "flow two"]
        async with asyncio.timeout(60):
            await first.closed.wait()
        assert life[4:] == ["pauses one", "flow one", "flow one", "closes one"]


async def test_an_init_flow_that_answers_an_error_rejects_the_change() -> None:
    flow = text("w", "x").replace("}\n", ", ports: {init: {name: boom}}}\n")
    async with running(text("a", "old")) as rt:
        await change(rt, flow + "- {kind: throw, name: boom}")
        rejected = rt.events.recent[-1]
        assert rejected.event == "change rejected"
        assert rejected.problems[0].path == "w.ports.init"
        assert rt.table.get("w") is None


async def test_a_lifecycle_flow_has_a_time_limit() -> None:
    flow = text("w", "x").replace("}\n", ", ports: {active: {name: slow}}}\n")
    async with running(text("a", "old"), lifecycle=0.05) as rt:
        await change(rt, flow + "- {kind: sleep, name: slow, interval: 1h}")
        assert rt.events.recent[-1].event == "change rejected"
        assert "deadline" in str(rt.events.recent[-1].problems[0])


# -- values ----------------------------------------------------------------------------------------

BOUND = """
- kind: snippet
  name: {name}
  language: cel
  code: "'{{{{ WORD }}}}'"
  env: {{WORD: {{name: {value}}}}}
"""


def value(name: str, data: Any, secret: bool = False) -> str:
    """Return a Value as a document."""
    return f"- {{name: {name}, data: {data}, secret: {str(secret).lower()}}}\n"


async def test_a_changed_value_reloads_exactly_what_is_bound_to_it() -> None:
    flow = BOUND.format(name="a", value="one") + BOUND.format(name="b", value="two")
    async with running(flow, value("one", "1st"), value("two", "2nd")) as rt:
        b = rt.table.get("b")
        assert [await rt.send("a"), await rt.send("b")] == ["1st", "2nd"]
        await change(rt, value("one", "changed"))
        assert [await rt.send("a"), await rt.send("b")] == ["changed", "2nd"]
        assert rt.table.get("b") is b


async def test_a_value_that_comes_later_mends_what_asked_for_it() -> None:
    async with running(BOUND.format(name="a", value="late")) as rt:
        [problem] = rt.status().problems
        assert 'there is no Value "late"' in str(problem)
        await change(rt, value("late", "here"))
        assert await rt.send("a") == "here"
        assert rt.status().problems == ()


async def test_deleting_a_value_in_use_is_rejected() -> None:
    async with running(BOUND.format(name="a", value="one"), value("one", "kept")) as rt:
        [found] = await rt.store.values("default")
        event = await apply(rt, Delete(type=Value, id=found.id))
        assert event.event == "change rejected"
        assert await rt.send("a") == "kept"


async def test_secrets_are_masked_in_what_is_told() -> None:
    flow = """
- kind: throw
  name: boom
- kind: snippet
  name: a
  language: cel
  code: "'my {{ KEY }}'"
  env: {KEY: {name: key}}
  ports: {out: {name: boom}}
"""
    async with running(flow, value("key", "hunter2-secret", secret=True)) as rt:
        answer = await rt.send("a")
        assert answer.message == "my hunter2-secret"
        event = rt.events.failed("request failed", answer)
        assert "hunter2" not in repr(event)
        assert "hunter2" not in repr(rt.status())


# -- the end ---------------------------------------------------------------------------------------


async def test_closing_drains_and_closes_sources_before_their_targets() -> None:
    life: list[str] = []
    flow = """
- {kind: witness, name: a, says: a, ports: {out: {name: b}}}
- {kind: witness, name: b, says: b}
"""
    async with running(flow, extensions=[witness(life)]):
        assert life == ["opens b", "opens a"]
        life.clear()
    assert life == ["pauses a", "pauses b", "closes a", "closes b"]


async def test_a_runtime_can_be_entered_again_over_the_same_store() -> None:
    store = stored(text("a", "x"))
    for _ in range(2):
        async with Runtime(store=store) as rt:
            assert await rt.send("a") == "x"


async def test_a_packet_sent_by_name_gets_its_answer_or_says_why_not() -> None:
    async with running(text("a", "x")) as rt:
        with pytest.raises(NoSymbolError, match='no symbol "b"'):
            await rt.send("b")
        with pytest.raises(NoSymbolError, match='no in port "inn"'):
            await rt.send("a", port="inn")


async def test_exit_hooks_run_last_in_first_out_and_learn_the_outcome() -> None:
    ends: list[tuple[str, Error | None]] = []

    def act(payload: Any, process: Process) -> Any:
        process.on_exit(lambda error: ends.append(("first", error)))
        process.on_exit(lambda error: ends.append(("second", error)))
        if payload == "bad":
            raise ValueError("it failed")
        return payload

    class Hooked(Node):
        def handler(self, port: str) -> Action | None:
            return Action(act, process=True) if port == "in" else None

    schema = Schema(kind="hooked", fields=Said, summary="Hooks.", ins=(IN,), outs=(OUT,))
    kind = Kind(schema, lambda fields, build: Hooked())
    async with running("- {kind: hooked, name: h}", extensions=[kind]) as rt:
        assert await rt.send("h", "good") == "good"
        assert ends == [("second", None), ("first", None)]
        ends.clear()
        answer = await rt.send("h", "bad")
        assert [name for name, _ in ends] == ["second", "first"]
        assert ends[0][1] is answer
