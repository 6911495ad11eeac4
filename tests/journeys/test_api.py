"""An operator at work over HTTP: on a folder, on PostgreSQL, with runtimes elsewhere, and on the API itself."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from heddle.extensions.manage.system import ApiSettings
from heddle.runtime.assembly.extension import registry
from heddle.runtime.runtime import Runtime
from heddle.specs.model.store import Store
from heddle.specs.stores.folder.store import FolderStore
from tests.extensions.manage.support import DEFAULT, PING, Client, Managing, data, managing
from tests.specs.stores.postgres.databases import fresh
from tests.support import fetch, port_of

pytestmark = pytest.mark.anyio

STORES = ("memory", "folder", "postgres")


@asynccontextmanager
async def on(sort: str, folder: Path) -> AsyncIterator[tuple[Managing, Client]]:
    """Provide the API beside a runtime that has nothing yet, on a store of this sort; an admin."""
    async with _address(sort, folder) as url, managing(store=_store(url)) as one:
        ada = await one.token("ada", "admin")
        reply = await ada("POST", f"{DEFAULT}/apply?wait=30", PING, media="application/yaml")
        assert reply.status == 200, reply
        assert [each["state"] for each in data(reply)["waited"]] == ["live"]
        yield one, ada


@asynccontextmanager
async def _address(sort: str, folder: Path) -> AsyncIterator[str]:
    if sort == "postgres":
        async with fresh() as url:
            yield url
    else:
        yield "memory://" if sort == "memory" else str(folder)


def _store(url: str) -> Store:
    return registry().stores.make(url)


@pytest.mark.parametrize("sort", STORES)
async def test_a_day_of_an_operator(sort: str, tmp_path: Path) -> None:
    async with on(sort, tmp_path) as (one, ada):
        assert (await fetch(port_of(one.rt), "/ping")).text == "pong"
        read = await ada("GET", f"{DEFAULT}/specs/pong")
        first = await ada.get(f"{DEFAULT}/revisions?limit=1")

        # A change that names what it was made from, and is live when it is answered.
        changed = {**data(read), "code": "hello"}
        match = {"If-Match": read.headers["ETag"]}
        put = await ada("PUT", f"{DEFAULT}/specs/pong", changed, headers=match)
        assert put.status == 200
        again = {**changed, "code": "too late"}
        late = await ada("PUT", f"{DEFAULT}/specs/pong", again, headers=match)
        assert (late.status, data(late)["current"]["code"]) == (412, "hello")

        # One of fifty is wrong: none is written.
        fifty = [
            {"kind": "snippet", "name": f"n{number}", "language": "text", "code": "x"}
            for number in range(50)
        ]
        fifty[30] = {**fifty[30], "language": "klingon"}
        rejected = await ada("POST", f"{DEFAULT}/apply", fifty)
        assert (rejected.status, len(data(rejected)["problems"])) == (422, 1)
        assert (await ada.get(DEFAULT))["specs"] == 3

        # A secret is never shown to whoever only reads.
        bob = await one.token("bob", "read")
        assert "hunter2" not in (await bob("GET", f"{DEFAULT}/values")).text
        assert (await bob("GET", f"{DEFAULT}/values?reveal=true")).status == 403

        # Back to what it was.
        back = {"revision": first["items"][0]["number"]}
        rolled = await ada("POST", f"{DEFAULT}/rollback?wait=30&message=no", back)
        assert [each["state"] for each in data(rolled)["waited"]] == ["live"]
        assert (await fetch(port_of(one.rt), "/ping")).text == "pong"
        newest = (await ada.get(f"{DEFAULT}/revisions?limit=1"))["items"][0]
        assert (newest["author"], newest["message"]) == ("ada", "no")
        status = await ada.get(f"{DEFAULT}/status")
        # What was replaced a moment ago may still drain.
        assert {each["state"] for each in status["symbols"]} <= {"active", "draining"}


@pytest.mark.parametrize("sort", STORES)
async def test_what_a_runtime_rejects_is_told_to_whoever_waits(sort: str, tmp_path: Path) -> None:
    async with on(sort, tmp_path) as (one, ada):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            second = {"kind": "listener", "name": "second", "port": taken.getsockname()[1]}
            reply = await ada("POST", f"{DEFAULT}/apply?wait=30", second)
            assert reply.status == 200
            [arrival] = data(reply)["waited"]
            assert arrival["state"] == "rejected"
            [symbol] = arrival["symbols"]
            assert symbol["name"] == "second"
            assert "in use" in msgspec.json.encode(symbol).decode()
        assert (await fetch(port_of(one.rt), "/ping")).text == "pong"


async def test_a_runtime_elsewhere_is_waited_for_too() -> None:
    async with (
        fresh() as url,
        managing(store=_store(url)) as one,
        Runtime(store=_store(url)) as elsewhere,
    ):
        await one.call("POST", f"{DEFAULT}/apply?wait=30", PING, media="application/yaml")
        reply = await one.call(
            "POST",
            f"{DEFAULT}/apply?wait=30",
            {"kind": "snippet", "name": "pong", "language": "text", "code": "everywhere"},
        )
        assert [each["state"] for each in data(reply)["waited"]] == ["live", "live"]
        for rt in (one.rt, elsewhere):
            assert (await fetch(port_of(rt), "/ping")).text == "everywhere"
        status = await one.call.get(f"{DEFAULT}/status")
        assert len(status["runtimes"]) == 2


async def test_a_request_that_waits_for_its_own_flow_to_change_is_answered() -> None:
    async with managing() as one:
        nodes: list[dict[str, Any]] = [
            {
                "kind": "throttle",
                "name": "limit",
                "count": 1000,
                "over": "fail",
                "ports": {"out": [{"name": "access"}], "error": [{"name": "reject"}]},
            },
            {"kind": "manage", "name": "namespace.apply", "operation": "namespace.apply"},
        ]
        nodes[1]["annotations"] = {"changed": "by itself"}
        reply = await one.call("POST", "/v1/namespaces/system/apply?wait=30", nodes)
        assert reply.status == 200
        [arrival] = data(reply)["waited"]
        assert (arrival["namespace"], arrival["state"]) == ("system", "live")
        node = one.system.table.get("namespace.apply")
        assert node is not None
        assert node.spec.annotations == {"changed": "by itself"}


async def test_clients_are_answered_right_while_it_is_changed_over_http(tmp_path: Path) -> None:
    (tmp_path / "ping.yaml").write_text(PING)
    serving = ApiSettings(port=0, rate=10_000)
    async with managing(store=FolderStore(str(tmp_path)), serving=serving) as one:
        said: list[str] = []
        over = asyncio.Event()

        async def hammer() -> None:
            while not over.is_set():
                reply = await fetch(port_of(one.rt), "/ping")
                assert reply.status == 200
                said.append(reply.text)

        hammers = [asyncio.ensure_future(hammer()) for _ in range(4)]
        for number in range(10):
            reply = await one.call(
                "POST",
                f"{DEFAULT}/apply?wait=30",
                {"kind": "snippet", "name": "pong", "language": "text", "code": f"v{number}"},
            )
            assert [each["state"] for each in data(reply)["waited"]] == ["live"]
            assert (await fetch(port_of(one.rt), "/ping")).text == f"v{number}"
        over.set()
        await asyncio.gather(*hammers)
        assert set(said) <= {"pong", *(f"v{number}" for number in range(10))}
