"""Changes as operators live them: fifty specs at once, a port in use, two at one node, the way back."""

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from heddle.runtime.changes.plan import ApplyResult, Plan, apply_plan, plan_delete
from heddle.runtime.changes.rollback import plan_rollback
from heddle.runtime.changes.wait_live import WaitResult, wait_live
from heddle.runtime.runtime import Runtime
from heddle.runtime.status.namespace_status import namespace_status
from heddle.specs.model.difference import difference
from heddle.specs.model.report import ReportStore
from heddle.specs.model.revision import Note, RevisionStore
from heddle.specs.model.store import Store
from heddle.specs.model.symbol_status import Condition, SymbolStatus
from heddle.specs.stores.folder.store import FolderStore
from heddle.specs.stores.memory import MemoryStore
from tests.runtime.changing import do, everything, plan
from tests.specs.stores.postgres.databases import fresh, opened
from tests.support import fetch, port_of
from tests.waiting import until

pytestmark = pytest.mark.anyio

PATIENCE = 30.0

FLOW = """\
- kind: listener
  name: listener
  port: 0
  ports: {out: [{name: router, port: in}]}
- kind: router
  name: router
  routes: [{method: GET, path: /ping, port: 'out[0]'}]
  ports: {'out[0]': [{name: pong, port: in}]}
- {kind: snippet, name: pong, language: text, code: pong}
"""


class House:
    """One place of specs: what an operator has of it, and what a runtime gets."""

    def __init__(self, operator: Store, url: str) -> None:
        self.operator = operator
        self.url = url

    @asynccontextmanager
    async def runtime(self) -> AsyncIterator[Runtime]:
        """Provide a runtime that follows it."""
        store: Store | str = self.url or self.operator
        async with Runtime(store=store, interval=0.2, drain=1.0) as rt:
            yield rt

    async def wait(self, applied: ApplyResult, namespace: str = "default") -> WaitResult:
        """Wait until every runtime has it, or rejected it."""
        store = self.operator
        assert isinstance(store, ReportStore)
        return await wait_live(
            store, namespace, applied.revision, applied.ids(namespace), timeout=PATIENCE
        )

    async def symbol(self, name: str) -> SymbolStatus:
        """Return how a symbol stands."""
        (found,) = (await namespace_status(self.operator, "default", names=[name])).symbols
        return found


@pytest.fixture(params=["memory", "folder", "postgres"])
async def house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    if request.param == "memory":
        store = MemoryStore()
        await store.open()
        yield House(store, "")
        await store.close()
        return
    if request.param == "folder":
        folder = FolderStore(str(tmp_path))
        await folder.open()
        yield House(folder, str(tmp_path))
        await folder.close()
        return
    async with fresh() as url, opened(url) as operator:
        yield House(operator, url)


async def ping(rt: Runtime) -> str:
    return (await fetch(port_of(rt), "/ping")).text


async def test_one_wrong_spec_of_fifty_keeps_all_of_them_out(house: House) -> None:
    await do(house.operator, FLOW)
    async with house.runtime() as rt:
        many = "".join(
            f"- {{kind: snippet, name: s{n}, language: text, code: '{n}'}}\n" for n in range(48)
        )
        wrong = many + FLOW[FLOW.index("- {kind: snippet") :].replace("code: pong", "code: hello")
        rejected = await do(
            house.operator, wrong + "- {kind: snippet, name: last, langauge: text}\n"
        )
        assert {problem.code for problem in rejected.problems} == {"unknown-field", "missing"}
        assert all("last" in problem.path for problem in rejected.problems)
        assert len(await house.operator.specs("default")) == 3
        assert await ping(rt) == "pong"
        applied = await do(house.operator, wrong)
        waited = await house.wait(applied)
        assert [each.state for each in waited.arrivals] == ["live"]
        assert await ping(rt) == "hello"
        assert rt.report().active == 51


async def test_what_fails_only_when_it_begins_is_rejected_by_runtime_and_seen(
    house: House,
) -> None:
    await do(house.operator, FLOW)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        async with house.runtime() as rt:
            change = FLOW.replace("code: pong", "code: hello").replace("port: 0", f"port: {port}")
            # Nobody can know from the files that somebody listens there.
            applied = await do(house.operator, change, Note("ada", "another port"))
            assert applied.revision
            waited = await house.wait(applied)
            assert waited.rejected
            (arrival,) = waited.arrivals
            assert {each.name for each in arrival.symbols} == {"listener", "pong"}
            # All of the change set is out, and what ran serves on.
            assert await ping(rt) == "pong"
            listener, pong = await house.symbol("listener"), await house.symbol("pong")
            assert listener.state == pong.state == "degraded"
            assert listener.revision == applied.revision > listener.runtimes[0].observed > 0
            why = {each.type: each for each in listener.runtimes[0].conditions}
            assert why["Active"].status
            assert why["Degraded"].reason == "Rejected"
            assert "already in use" in why["Degraded"].message
            assert {each.type: each for each in pong.runtimes[0].conditions}[
                "Degraded"
            ].reason == "HeldUp"
            found = await namespace_status(house.operator, "default")
            assert not found.well
            # It is put right by one more change set, not by force.
            again = await do(house.operator, FLOW.replace("code: pong", "code: hello"))
            assert not (await house.wait(again)).rejected
            assert await ping(rt) == "hello"
            assert (await namespace_status(house.operator, "default")).well


async def test_two_operators_race_at_one_node(house: House) -> None:
    begun = await do(house.operator, FLOW)
    async with house.runtime() as rt:
        ada = FLOW.replace("name: pong, language", "name: pong, annotations: {by: ada}, language")
        bob = FLOW.replace("code: pong", "code: hello")
        plans = [await plan(house.operator, text) for text in (ada, bob)]
        made = await asyncio.gather(*(apply_plan(house.operator, each) for each in plans))
        (lost,) = (each for each in made if each.clashes)
        (won,) = (each for each in made if each.revision)
        (clash,) = lost.clashes
        merged = clash.merged()
        assert not merged.conflicts
        text = bob if lost is made[1] else ada
        both = await do(house.operator, text, base=begun.revision, merge=True)
        assert both.revision > won.revision
        assert [each.state for each in (await house.wait(both)).arrivals] == ["live"]
        assert await ping(rt) == "hello"
        (pong,) = (each for each in await house.operator.specs() if each.name == "pong")
        assert pong.annotations == {"by": "ada"}
        # What contradicts is told by field, and nothing is written.
        other = await do(
            house.operator, bob.replace("hello", "bye"), base=begun.revision, merge=True
        )
        assert [each.at for each in other.clashes[0].merged().conflicts] == ["pong.code"]
        assert await ping(rt) == "hello"


async def test_a_change_is_rolled_back_and_live(house: House) -> None:
    good = await do(house.operator, FLOW)
    async with house.runtime() as rt:
        bad = await do(house.operator, FLOW.replace("code: pong", "code: broken"))
        await house.wait(bad)
        assert await ping(rt) == "broken"
        planned = await plan_rollback(house.operator, good.revision, everything())
        back = await apply_plan(house.operator, planned, Note("ada", "roll back"))
        assert [each.state for each in (await house.wait(back)).arrivals] == ["live"]
        assert await ping(rt) == "pong"
        assert isinstance(house.operator, RevisionStore)
        newest = (await house.operator.history("default", limit=1))[0]
        assert (newest.number, newest.message) == (back.revision, "roll back")


async def test_namespace_in_use_is_deleted_whole_and_requests_in_flight_are_answered(
    house: House,
) -> None:
    slow = FLOW.replace("{name: pong, port: in}]}\n- {kind", "{name: slow, port: in}]}\n- {kind")
    slow += "- {kind: sleep, name: slow, interval: 300ms, ports: {out: [{name: pong, port: in}]}}\n"
    await do(house.operator, slow + "- {kind: nop, name: kept, namespace: shop}\n")
    async with house.runtime() as rt:
        in_flight = asyncio.ensure_future(fetch(port_of(rt), "/ping"))
        await until(lambda: bool(rt.processes))
        specs = await house.operator.specs("default")
        # Only the whole of it may go: a part would leave the rest without its targets.
        part = await plan_delete(house.operator, [each for each in specs if each.name == "pong"])
        assert [problem.code for problem in part.problems] == ["left-behind"] * len(part.problems)
        assert part.problems
        gone = await apply_plan(house.operator, await plan_delete(house.operator, specs))
        waited = await house.wait(gone)
        assert not waited.rejected
        assert (await in_flight).text == "pong"
        assert rt.report().active == 0
        assert [each.name for each in await house.operator.specs("shop")] == ["kept"]


async def test_a_deletion_that_would_stop_what_runs_is_rejected_and_seen(house: House) -> None:
    await do(house.operator, FLOW)
    async with house.runtime() as rt:
        specs = await house.operator.specs("default")
        pong = [each for each in specs if each.name == "pong"]
        assert (await plan_delete(house.operator, pong)).problems
        # Somebody who does not ask, such as an SQL client.
        step = (pong[0], None)
        applied = await apply_plan(house.operator, Plan(differences=(difference(*step),)))
        assert (await house.wait(applied)).rejected
        assert await ping(rt) == "pong"
        found = await house.symbol("pong")
        assert (found.state, found.revision) == ("degraded", 0)
        assert found.runtimes[0].observed


async def test_what_nobody_checked_is_no_outage_at_the_next_start(house: House) -> None:
    await do(house.operator, FLOW)
    async with house.runtime() as rt:
        assert await ping(rt) == "pong"
    if not house.url:
        await house.operator.open()
    pong = next(each for each in await house.operator.specs() if each.name == "pong")
    # Somebody who does not ask, such as an SQL client.
    broken = msgspec.structs.replace(pong, kind="snipet")
    await apply_plan(house.operator, Plan(differences=(difference(pong, broken),)))
    for _ in range(2):
        async with house.runtime() as rt:
            assert await ping(rt) == "pong"
            assert (await house.symbol("pong")).state == "degraded"
        if not house.url:
            await house.operator.open()
    async with house.runtime() as rt:
        better = FLOW.replace("code: pong", "code: better")
        waited = await house.wait(await do(house.operator, better))
        assert not waited.rejected
        assert await ping(rt) == "better"


async def test_a_saved_mistake_degrades_with_its_line_and_the_last_good_serves(
    tmp_path: Path,
) -> None:
    flow = tmp_path / "flow.yaml"
    flow.write_text(FLOW)
    async with Runtime(store=str(tmp_path)) as rt:
        assert await ping(rt) == "pong"
        # A field that is misspelt: the file reads well, and its kind does not know the field.
        told = asyncio.ensure_future(rt.events.wait("change rejected"))
        flow.write_text(FLOW.replace("code: pong", "cide: hello"))
        await told
        found = of(rt, "pong")
        assert found["Degraded"].status
        assert found["Degraded"].reason == "Rejected"
        assert found["Degraded"].place == f"{flow}:9:47"
        assert (found["Valid"].status, found["Valid"].reason) == (False, "UnknownField")
        assert not of(rt, "router")["Degraded"].status
        assert await ping(rt) == "pong"

        # What is not YAML at all: no symbol of the file is what it says.
        told = asyncio.ensure_future(rt.events.wait("change rejected"))
        flow.write_text(FLOW.replace("code: pong}", "code: hello"))
        await told
        overall = {each.type: each for each in rt.status().conditions}
        assert overall["Valid"].reason == "Syntax"
        assert overall["Degraded"].reason == "Unreadable"
        assert overall["Degraded"].place.startswith(f"{flow}:")
        assert await ping(rt) == "pong"

        # An entry that cannot be read, beside others that can.
        told = asyncio.ensure_future(rt.events.wait("change rejected"))
        flow.write_text(
            FLOW.replace("code: pong", "code: hello").replace("port: 0", "port: 0\n  env: 3")
        )
        await told
        assert "listener.env" in {problem.path for problem in rt.status().problems}
        listener, pong = of(rt, "listener"), of(rt, "pong")
        assert (listener["Valid"].reason, listener["Degraded"].reason) == ("Type", "Rejected")
        assert (pong["Valid"].status, pong["Degraded"].reason) == (True, "HeldUp")
        assert not of(rt, "router")["Degraded"].status
        assert await ping(rt) == "pong"
        assert {each.name for each in rt.report().symbols} == {"listener", "pong"}

        live = asyncio.ensure_future(rt.events.wait("generation live"))
        flow.write_text(FLOW.replace("code: pong", "code: hello"))
        await live
        assert await ping(rt) == "hello"
        assert all(
            each.status is (each.type not in ("Draining", "Degraded"))
            for each in rt.status().conditions
            if each.type != "Draining"
        )


def of(rt: Runtime, name: str) -> Mapping[str, Condition]:
    """Return the conditions of a symbol."""
    (found,) = (one for one in rt.status().symbols if one.name == name)
    return {each.type: each for each in found.conditions}
