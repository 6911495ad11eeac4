"""What the flows to copy are for, told from beginning to end."""

import asyncio
import json
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect

from heddle.runtime.runtime import Runtime
from tests.examples.folders import free_port, settled, started
from tests.postgres import schema
from tests.support import Reply, fetch, port_of

pytestmark = pytest.mark.anyio

JSON = {"Content-Type": "application/json"}
CSV = {"Content-Type": "text/csv"}


async def post(rt: Runtime, path: str, body: str, **headers: str) -> Reply:
    return await fetch(port_of(rt), path, method="POST", headers=headers, body=body)


# -- rest-api, csv-import: the same flow on PostgreSQL -----------------------------------------------


async def test_the_api_runs_on_postgresql(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settled("rest-api", tmp_path, monkeypatch)
    book = json.dumps({"title": "Emma", "author": "Jane Austen", "year": 1815})
    async with schema() as url, started(DATABASE=url) as rt:
        assert not rt.status().problems
        made = await post(rt, "/books", book, **JSON)
        again = await post(rt, "/books", book, **JSON)
        place = made.headers["Location"]
        older = book.replace("1815", "1814")
        put = await fetch(port_of(rt), place, method="PUT", headers=JSON, body=older)
        listed = await fetch(port_of(rt), "/books?after=0")
        gone = [await fetch(port_of(rt), place, method="DELETE") for _ in range(2)]
    assert (made.status, again.status, put.status) == (201, 409, 200)
    assert json.loads(listed.body) == [json.loads(put.body)]
    assert json.loads(put.body)["year"] == 1814
    assert [one.status for one in gone] == [204, 404]


async def test_a_book_is_rejected_for_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settled("rest-api", tmp_path, monkeypatch)
    good = {"title": "Emma", "author": "Jane Austen"}
    bad: list[tuple[Any, list[str]]] = [
        ([], [""]),
        ({}, ["/author", "/title"]),
        ({**good, "title": "x" * 201}, ["/title"]),
        ({**good, "author": "a\u0000b"}, ["/author"]),
        ({**good, "author": ["Jane"]}, ["/author"]),
        ({**good, "year": 1815.5}, ["/year"]),
        ({**good, "year": 2**70}, ["/year"]),
        ({**good, "year": True}, ["/year"]),
        ({**good, "isbn": 1}, [""]),
    ]
    async with started() as rt:
        for said, wrong in bad:
            reply = await post(rt, "/books", json.dumps(said), **JSON)
            problems = json.loads(reply.body)["problems"]
            assert (reply.status, [each["pointer"] for each in problems]) == (422, wrong), said
        assert (await fetch(port_of(rt), "/books")).text == "[]"
        lost = [await fetch(port_of(rt), f"/books/{one}") for one in ("x", "9" * 30, "-1", "1;")]
        assert {one.status for one in lost} == {404}


async def test_a_table_goes_into_postgresql(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = settled("csv-import", tmp_path, monkeypatch)
    async with schema() as url, started(DATABASE=url) as rt:
        sent = await post(rt, "/products", (here / "products.csv").read_text(), **CSV)
        wrong = await post(rt, "/products", (here / "wrong.csv").read_text(), **CSV)
        exported = await fetch(port_of(rt), "/products")
    assert (sent.text, wrong.status) == ('{"rows":3,"batches":1}', 422)
    assert exported.text.count("\n") == 4
    assert "C-300" not in exported.text


# -- csv-import: the inbox ---------------------------------------------------------------------------


async def test_files_of_inbox_are_imported_as_a_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = settled("csv-import", tmp_path, monkeypatch)
    flow = here / "import.yaml"
    flow.write_text(flow.read_text().replace("settle: 1s", "settle: 20ms"))
    (here / "inbox" / "a.csv").write_text((here / "wrong.csv").read_text())
    (here / "inbox" / "b.csv").write_text((here / "products.csv").read_text())
    runtime = started()
    failed = asyncio.ensure_future(runtime.events.wait("file failed"))
    async with runtime as rt, asyncio.timeout(10):
        event = await failed
        exported = ""
        while "A-100" not in exported:
            exported = (await fetch(port_of(rt), "/products")).text
    assert event.data["path"] == "a.csv"
    assert event.reason.startswith('line 3, price: found "ten"')
    assert "C-300" not in exported


# -- webhook-relay -----------------------------------------------------------------------------------


async def test_hooks_survive_a_target_that_is_away_and_relay_that_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    settled("webhook-relay", tmp_path, monkeypatch)
    port = free_port()
    known = {"Authorization": "Bearer letmein", **JSON}
    said = {"TOKEN": "letmein", "TARGET": f"http://127.0.0.1:{port}/to", "PAUSE": 0}
    quick = {**said, "EVERY": "20ms", "ATTEMPTS": 2}

    runtime = started(**quick)
    dead = asyncio.ensure_future(runtime.events.wait("dead letter"))
    async with runtime as rt, asyncio.timeout(20):
        assert (await post(rt, "/hooks/orders", '{"order": 7}', **known)).status == 202
        event = await dead
        letters: list[Any] = []
        while not letters:  # It is told before it is committed.
            letters = json.loads((await fetch(port_of(rt), "/dead", headers=known)).body)
        assert (await post(rt, "/dead/1", "", **known)).status == 202
    assert event.data["topic"] == "orders"
    assert [(one["id"], one["attempts"]) for one in letters] == [(1, 2)]
    assert "Cannot connect" in letters[0]["problem"]

    # The receiver is there at last, and the relay is started again.
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(started("receiver", PORT=port))
        rt = await stack.enter_async_context(started(**{**quick, "ATTEMPTS": 8}))
        await stack.enter_async_context(asyncio.timeout(20))
        shown = ""
        while not shown:
            shown = capfd.readouterr().out
            await asyncio.sleep(0.01)
        assert json.loads(shown) == ["/to/orders", "1", {"order": 7}]
        assert (await fetch(port_of(rt), "/dead", headers=known)).text == "[]"


# -- chat --------------------------------------------------------------------------------------------


async def heard(socket: ClientConnection) -> Any:
    """Return the next message, without the time at which it was said."""
    async with asyncio.timeout(10):
        told = json.loads(await socket.recv())
    for one in [told, *told.get("history", ())]:
        assert one.pop("at", "2026-").startswith("2")
    return told


async def test_guests_talk_and_a_change_of_the_flow_throws_nobody_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = settled("chat", tmp_path, monkeypatch)
    async with started() as rt:
        room = f"ws://127.0.0.1:{port_of(rt)}/rooms/lobby?name="
        page = await fetch(port_of(rt), "/")
        async with connect(f"{room}Ada") as ada, connect(f"{room}Bob") as bob:
            seen = [await heard(ada) for _ in range(3)]
            assert sorted(seen, key=str) == [{"came": "Ada"}, {"came": "Bob"}, {"history": []}]
            assert min([await heard(bob), await heard(bob)], key=str) == {"came": "Bob"}

            await ada.send('{"text": "hello"}')
            hello = {"id": 1, "name": "Ada", "text": "hello"}
            assert (await heard(ada), await heard(bob)) == (hello, hello)

            await ada.send('{"text": " "}')
            assert "at most 1000 characters" in (await heard(ada))["error"]

            # Shorter messages from now on, on the connections that are open.
            live = asyncio.ensure_future(rt.events.wait("generation live"))
            flow = here / "chat.yaml"
            flow.write_text(flow.read_text().replace("<= 1000", "<= 5"))
            async with asyncio.timeout(10):
                await live
            await ada.send('{"text": "good day"}')
            assert "error" in await heard(ada)
            await bob.send('{"text": "hi"}')
            hi = {"id": 2, "name": "Bob", "text": "hi"}
            assert (await heard(ada), await heard(bob)) == (hi, hi)
            # The room hears of a message before it is committed. Messages of one guest take turns: when
            # the next is answered, it is.
            await bob.send('{"text": " "}')
            assert "error" in await heard(bob)
        async with connect(f"{room}Eve") as eve:
            # The others may be on their way out still.
            told = await heard(eve)
            while "history" not in told:
                told = await heard(eve)
        assert told == {"history": [hello, hi]}
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "new WebSocket(" in page.text


# -- gateway -----------------------------------------------------------------------------------------


async def test_the_gateway_says_who_asks_and_what_it_cannot_reach(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settled("gateway", tmp_path, monkeypatch)
    known = {"Authorization": "Basic YWRhOmxvdmVsYWNl"}
    async with AsyncExitStack() as stack:
        far = started("backend")
        await far.__aenter__()
        said = {"PASSWORD": "lovelace", "BACKENDS": f"http://127.0.0.1:{port_of(far)}"}
        rt = await stack.enter_async_context(started(**said))
        forged = await fetch(port_of(rt), "/pages/a", headers={**known, "X-User": "root"})
        many = await asyncio.gather(
            *(fetch(port_of(rt), "/pages/b", headers=known) for _ in range(10))
        )
        await far.__aexit__(None, None, None)
        kept = await fetch(port_of(rt), "/pages/a", headers=known)
        lost = await fetch(port_of(rt), "/pages/c", headers=known)
    assert json.loads(forged.body) == {"page": "a", "user": "ada", "asked": 1}
    assert {json.loads(one.body)["asked"] for one in many} == {1}
    assert (kept.status, kept.body) == (200, forged.body)
    assert lost.status in (502, 503)


# -- daily-report ------------------------------------------------------------------------------------


async def test_a_report_is_on_time_by_the_clocks_of_the_zone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = settled("daily-report", tmp_path, monkeypatch)
    async with started(ZONE="Asia/Tokyo") as rt:
        # What the timer sends at half past six in Tokyo, when it is still yesterday in Berlin.
        told = await rt.send("yesterday", {"at": "2026-11-30T06:30:00+09:00", "count": 1})
    assert told["path"] == "2026-11-29.md"
    report = (here / "reports" / "2026-11-29.md").read_text()
    assert report.splitlines()[-1] == "| **total** | 4 | 17.30 |"
