"""What runs, over HTTP: namespaces, symbols, status, processes, kinds, and the stream of what happens."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from heddle.runtime.managed import managed_by
from heddle.specs.stores.folder.store import FolderStore
from heddle.specs.stores.memory import MemoryStore
from tests.extensions.manage.support import DEFAULT, PING, Client, data, managing
from tests.support import fetch, port_of, running

pytestmark = pytest.mark.anyio

SLOW = """\
- kind: listener
  name: listener
  port: 0
  ports:
    out: {name: sleep, port: in}
- {kind: sleep, name: sleep, interval: 1h}
"""


async def test_namespaces_are_listed_with_what_they_hold() -> None:
    async with managing() as one:
        found = {each["name"]: each for each in (await one.call.get("/v1/namespaces"))["items"]}
        assert found["default"] == {"name": "default", "specs": 3, "values": 1, "here": True}
        assert found["system"]["here"] is True
        assert (await one.call.get(DEFAULT))["specs"] == 3
        missing = await one.call("GET", "/v1/namespaces/defautl")
        assert missing.status == 404
        assert 'Did you mean "default"?' in data(missing)["detail"]


async def test_symbols_are_told_as_they_are_here() -> None:
    async with managing() as one:
        waits = asyncio.ensure_future(one.rt.events.wait("symbol waiting"))
        await asyncio.sleep(0)
        made = await one.call("PUT", f"{DEFAULT}/specs/lost", _linked("nobody"))
        assert made.status == 201
        await asyncio.wait_for(waits, 10)
        found = await one.call.get(f"{DEFAULT}/symbols")
        here = {each["name"]: each["state"] for each in found["here"]}
        assert here == {
            "listener": "active",
            "lost": "waiting",
            "pong": "active",
            "router": "active",
        }
        lost = await one.call.get(f"{DEFAULT}/symbols/lost")
        assert 'waits for "nobody"' in lost["here"]["reasons"][0]
        missing = await one.call("GET", f"{DEFAULT}/symbols/lust")
        assert 'Did you mean "lost"?' in data(missing)["detail"]
        system = await one.call.get("/v1/namespaces/system/symbols/router")
        assert system["here"]["state"] == "active"


def _linked(name: str) -> dict[str, Any]:
    return {
        "kind": "snippet",
        "language": "text",
        "code": "x",
        "ports": {"out": [{"name": name, "port": "in"}]},
    }


async def test_a_namespace_that_runs_elsewhere_has_a_status_and_no_processes_here() -> None:
    async with managing() as one:
        await one.call("PUT", "/v1/namespaces/shop/specs/one", {"kind": "nop"})
        status = await one.call.get("/v1/namespaces/shop/status")
        assert [(each["name"], each["state"]) for each in status["symbols"]] == [("one", "idle")]
        rejected = await one.call("GET", "/v1/namespaces/shop/processes")
        assert rejected.status == 404
        assert "no runtime of the namespace shop runs in this process" in data(rejected)["detail"]


async def test_a_process_is_seen_and_cancelled() -> None:
    async with managing(SLOW) as one:
        asking = asyncio.ensure_future(fetch(port_of(one.rt), "/"))
        async with asyncio.timeout(10):
            found: dict[str, Any] = {"items": []}
            while not found["items"]:
                found = await one.call.get(f"{DEFAULT}/processes")
        [process] = found["items"]
        assert (process["origin"], process["status"], found["total"]) == ("listener", "running", 1)
        path = f"{DEFAULT}/processes/{process['id']}"
        assert (await one.call.get(path))["id"] == process["id"]
        cancelled = await one.call("DELETE", path)
        assert (cancelled.status, data(cancelled)["reason"]) == (202, "local cancelled it")
        assert (await asyncio.wait_for(asking, 10)).status == 503
        assert (await one.call("GET", path)).status == 404
        assert [each.event for each in one.told][-1] == "managed"


async def test_kinds_are_told_with_their_schemas() -> None:
    async with managing() as one:
        kinds = {each["kind"] for each in (await one.call.get("/v1/kinds"))["items"]}
        assert {"router", "manage", "snippet"} <= kinds
        router = await one.call.get("/v1/kinds/router")
        assert router["schema"]["required"] == ["kind", "routes"]
        assert [port["name"] for port in router["outs"]] == ["out", "to", "error"]
        missing = await one.call("GET", "/v1/kinds/ruoter")
        assert 'Did you mean "router"?' in data(missing)["detail"]
        schema = await one.call.get("/v1/schema.json")
        assert schema["title"] == "Heddle specs and values"


async def test_what_no_route_leads_to_is_a_problem_document() -> None:
    async with managing() as one:
        for method, path, status in (
            ("GET", "/", 404),
            ("GET", "/v1/nothing", 404),
            ("POST", "/v1/kinds", 405),
            ("TRACE", "/v1", 405),
        ):
            reply = await one.call(method, path)
            assert (reply.status, data(reply)["status"]) == (status, status)
            assert reply.headers["Content-Type"] == "application/problem+json"
        wrong = await one.call("POST", "/v1/kinds")
        assert wrong.headers["Allow"] == "OPTIONS, GET, HEAD"
        asked = await one.call("OPTIONS", "/v1/kinds")
        assert (asked.status, asked.headers["Allow"]) == (204, "OPTIONS, GET, HEAD")


async def test_a_store_that_is_away_is_told_as_such() -> None:
    async with managing() as one:
        await one.call("GET", "/v1")
        await one.rt.store.close()
        ready = await one.call("GET", "/readyz")
        assert (ready.status, data(ready)) == (503, {"status": "unready"})
        assert (await one.call("GET", "/healthz")).status == 200
        reply = await one.call("GET", f"{DEFAULT}/specs")
        assert (reply.status, reply.headers["Retry-After"]) == (503, "1")
        await one.rt.store.open()


# --- events ---------------------------------------------------------------------------------------


class Stream:
    """A stream of events that has begun."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader

    async def next(self) -> dict[str, Any]:
        """Return the next event: `event`, `id` and `data`."""
        async with asyncio.timeout(10):
            while True:
                raw = await self._reader.readuntil(b"\n\n")
                said: dict[str, Any] = {}
                for line in raw.decode().splitlines():
                    name, mark, value = line.partition(": ")
                    if mark and name in ("event", "id", "data"):
                        said[name] = msgspec.json.decode(value) if name == "data" else value
                if "event" in said:
                    return said

    async def until(self, event: str) -> dict[str, Any]:
        """Return the next event of this sort."""
        while (found := await self.next())["event"] != event:
            pass
        return found


@asynccontextmanager
async def listening(client: Client, path: str, last: str = "") -> AsyncIterator[Stream]:
    """Provide a stream of events."""
    reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
    token = f"Authorization: Bearer {client.token}\r\n" if client.token else ""
    seen = f"Last-Event-ID: {last}\r\n" if last else ""
    head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{token}{seen}\r\n"
    writer.write(head.encode())
    await reader.readuntil(b"\r\n\r\n")
    try:
        yield Stream(reader)
    finally:
        writer.close()


async def test_changes_and_reloads_are_told_as_they_happen() -> None:
    async with managing() as one:
        async with listening(one.call, f"{DEFAULT}/events") as stream:
            first = await stream.next()
            assert (first["event"], first["data"]) == ("begin", {"revision": 1})
            pong = (await one.call.get(f"{DEFAULT}/specs/pong"))["id"]
            await one.call("PATCH", f"{DEFAULT}/specs/pong", {"code": "two"})
            change = await stream.until("change")
            assert change["data"]["specs"] == [pong]
            assert change["data"]["revision"] == 2
        async with listening(one.call, f"{DEFAULT}/events?type=reload", change["id"]) as stream:
            # Nothing was missed but this, whenever it happened.
            reload = await stream.until("reload")
            assert reload["data"]["event"] == "generation live"


async def test_what_was_missed_is_told_to_whoever_comes_back() -> None:
    async with managing() as one:
        events = f"{DEFAULT}/events?type=change"
        async with listening(one.call, events) as stream:
            await one.call("PATCH", f"{DEFAULT}/specs/pong", {"code": "a"})
            seen = await stream.until("change")
        for code in ("b", "c"):
            await one.call("PATCH", f"{DEFAULT}/specs/pong", {"code": code})
        async with listening(one.call, events, seen["id"]) as stream:
            missed = [await stream.until("change") for _ in range(2)]
        assert [each["data"]["revision"] for each in missed] == [3, 4]


async def test_a_deleted_spec_is_told_in_its_namespace() -> None:
    async with managing() as one, listening(one.call, "/v1/namespaces/shop/events") as stream:
        made = await one.call("PUT", "/v1/namespaces/shop/specs/one", {"kind": "nop"})
        await stream.until("change")
        await one.call("PATCH", f"{DEFAULT}/specs/pong", {"code": "not of this namespace"})
        await one.call("DELETE", "/v1/namespaces/shop/specs/one")
        gone = await stream.until("change")
        assert gone["data"]["specs"] == [data(made)["id"]]


async def test_a_file_that_cannot_be_read_is_told_too(tmp_path: Path) -> None:
    file = tmp_path / "ping.yaml"
    file.write_text(PING)
    async with managing(store=FolderStore(str(tmp_path))) as one:
        async with listening(one.call, f"{DEFAULT}/events") as stream:
            await stream.until("begin")
            file.write_text(PING + "- kind: [")
            assert (await stream.until("change"))["data"]["problems"] == 1
        [problem] = (await one.call.get("/v1/store/problems"))["items"]
        assert problem["file"].endswith("ping.yaml")
        assert problem["line"] > 0


async def test_the_end_of_a_process_is_told() -> None:
    async with managing() as one, listening(one.call, "/v1/events?type=process") as stream:
        assert (await stream.next())["event"] == "begin"
        assert (await fetch(port_of(one.rt), "/ping")).text == "pong"
        ended = await stream.until("process")
        assert (ended["data"]["namespace"], ended["data"]["origin"]) == ("default", "listener")
        assert ended["data"]["error"] is None


async def test_a_type_that_is_none_is_rejected() -> None:
    async with managing() as one:
        reply = await one.call("GET", f"{DEFAULT}/events?type=changes")
        assert reply.status == 400
        assert 'Did you mean "change"?' in data(reply)["detail"]


async def test_nobody_hears_secrets() -> None:
    flow = PING.replace("code: pong", "code: '{{ .SECRET }}'\n  env: {SECRET: {name: password}}")
    async with managing(flow) as one, listening(one.call, f"{DEFAULT}/events") as stream:
        await one.call("PATCH", f"{DEFAULT}/specs/pong", {"annotations": {"a": "b"}})
        told = [await stream.until("change"), await stream.until("reload")]
        one.rt.events.emit("a secret", text="hunter2hunter2")
        told.append(await stream.until("event"))
        assert "hunter2" not in str(told)


# --- beside other flows ---------------------------------------------------------------------------

OWN = """\
- kind: listener
  name: listener
  port: 0
  ports:
    out: {name: router, port: in}
- kind: router
  name: router
  routes:
    - {method: GET, path: '/status/:namespace', port: 'out[0]'}
    - {method: GET, path: '/specs/:namespace', port: 'out[1]'}
  ports:
    out[0]: {name: status, port: in}
    out[1]: {name: specs, port: in}
- {kind: manage, name: status, operation: namespaces.status, role: read}
- {kind: manage, name: specs, operation: specs.list}
"""


async def test_a_flow_of_ones_own_manages_its_own_namespace_alone() -> None:
    async with running(OWN) as rt:
        port = port_of(rt)
        assert (await fetch(port, "/status/default")).status == 200
        other = await fetch(port, "/status/shop")
        assert other.status == 403
        assert "is not managed from here (managed: default)" in other.text
        # Nobody knows who asks, and the node does not say that it does not matter.
        assert (await fetch(port, "/specs/default")).status == 401


async def test_an_operation_that_is_none_is_a_problem() -> None:
    async with running("- {kind: manage, name: one, operation: specs.lst}") as rt:
        [problem] = rt.status().problems
        assert problem.hint == 'Did you mean "specs.list"?'


async def test_what_is_managed_is_runtimes_own_unless_it_is_given_something_else() -> None:
    async with running(OWN) as rt:
        node = rt.table.get("status")
        assert node is not None
        host = getattr(node.node, "_host", None)
        assert host is not None
        assert managed_by(host).runtimes == [rt]
        assert isinstance(managed_by(host).store, MemoryStore)
