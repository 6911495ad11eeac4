"""driver: internal: the running runtime as a database, told through flows."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from heddle.extensions.sql.internal import database
from heddle.extensions.sql.internal.database import TABLES, InternalDatabase
from heddle.extensions.sql.internal.run_sql import run_sql
from heddle.extensions.sql.internal.table import View
from heddle.runtime.flow.errors import Error, NodeError
from heddle.runtime.managed import ManagedStores
from heddle.runtime.runtime import Runtime
from heddle.specs.model.revision import Note
from heddle.specs.model.store import Put
from heddle.specs.stores.contract_story import value
from heddle.specs.stores.memory import MemoryStore
from tests.support import fetch, port_of, running, stored

pytestmark = pytest.mark.anyio

FLOW = """
- {kind: sql, name: ask, driver: internal}
- {kind: sql, name: change, driver: internal, source: write}
- {kind: pipe, name: start, ports: {out: {name: reply, port: in}}}
- {kind: snippet, name: reply, language: text, code: old}
- {kind: pipe, name: lost, ports: {out: {name: nobody, port: in}}}
"""


async def rows(rt: Runtime, text: str, *args: Any) -> list[dict[str, Any]]:
    answer = await rt.send("ask", [text, list(args)])
    assert isinstance(answer, list), answer
    return answer


async def failure(rt: Runtime, node: str, text: str, *args: Any) -> Error:
    answer = await rt.send(node, [text, list(args)])
    assert isinstance(answer, Error), answer
    return answer


# --- looking ---


async def test_specs_are_rows_whose_maps_are_maps() -> None:
    async with running(FLOW) as rt:
        [row] = await rows(rt, "SELECT * FROM specs WHERE name = ?", "start")
        assert row["kind"] == "pipe"
        assert row["ports"] == {"out": [{"name": "reply", "port": "in"}]}
        assert row["revision"] == 1
        assert row["place"] == "flow.yaml:4:3"
        [code] = await rows(rt, "SELECT fields ->> '$.code' AS code FROM specs WHERE name='reply'")
        assert code == {"code": "old"}


async def test_another_case_is_matched_if_that_is_wanted() -> None:
    async with running(FLOW) as rt:
        [row] = await rows(rt, "SELECT name FROM specs WHERE name = 'REPLY' COLLATE NOCASE")
        assert row == {"name": "reply"}
        assert await rows(rt, "SELECT name FROM specs WHERE name = 'REPLY'") == []


async def test_rows_hold_no_more_than_they_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "LARGEST", 1 << 20)
    async with running(FLOW) as rt:
        error = await failure(rt, "ask", "SELECT hex(zeroblob(100000)) AS it FROM specs a, specs b")
        assert error.message == "the rows hold more than 1 MiB: ask for less"
        [row] = await rows(rt, "SELECT 1 AS one")
        assert row == {"one": 1}


async def test_a_request_that_nobody_has_read_is_whole_in_a_frame() -> None:
    text = "- {kind: listener, name: listener, port: 0, ports: {out: {name: reply, port: in}}}"
    async with running(FLOW, text) as rt:
        await rows(rt, "SELECT * FROM frames")
        await fetch(port_of(rt), "/some/path")
        asked = "SELECT input FROM frames WHERE symbol = 'listener' AND port = 'out'"
        [row] = await rows(rt, asked)
        assert (row["input"]["method"], row["input"]["path"]) == ("GET", "/some/path")
        assert not any("object" in key for key in row["input"])


async def test_symbols_say_how_they_are_and_why() -> None:
    async with running(FLOW) as rt:
        [lost] = await rows(rt, "SELECT name, state, reasons FROM symbols WHERE state <> 'active'")
        assert (lost["name"], lost["state"]) == ("lost", "waiting")
        assert "nobody" in lost["reasons"][0]


async def test_links_and_ports_join_with_symbols() -> None:
    async with running(FLOW) as rt:
        found = await rows(
            rt,
            "SELECT s.kind, l.source_port, l.target_port, l.active FROM links l "
            "JOIN symbols s ON s.id = l.target_id WHERE l.source = 'start'",
        )
        assert found == [
            {"kind": "snippet", "source_port": "out", "target_port": "in", "active": True}
        ]
        [dangling] = await rows(
            rt, "SELECT target, target_id, active FROM links WHERE source='lost'"
        )
        assert dangling == {"target": "nobody", "target_id": None, "active": False}
        linked = "SELECT port, direction FROM ports WHERE symbol = 'start' AND linked"
        assert await rows(rt, linked) == [{"port": "out", "direction": "out"}]


async def test_processes_that_run_are_seen_while_they_run() -> None:
    flow = FLOW + "- {kind: sleep, name: slow, interval: 1h}\n"
    async with running(flow) as rt:
        process = rt.start()
        process.set("user", "ada")
        slow = rt.table.get("slow")
        assert slow is not None
        process.run(process.wiring.entry(slow.id, "in"), None)
        [row] = await rows(rt, "SELECT * FROM processes WHERE id = ?", str(process.id))
        assert (row["status"], row["data"], row["generation"]) == ("running", {"user": "ada"}, 1)
        process.cancel(Error("enough", code="cancelled"))
        ended = process.end(Error("enough"))
        if ended is not None and not isinstance(ended, Error):
            await ended
        assert await rows(rt, "SELECT * FROM processes WHERE id = ?", str(process.id)) == []


async def test_frames_are_noted_from_the_first_question_on() -> None:
    async with running(FLOW) as rt:
        await rt.send("start", {"n": 1})
        assert await rows(rt, "SELECT * FROM frames") == []
        await rt.send("start", {"n": 2})
        [frame] = await rows(
            rt, "SELECT input, output, answered FROM frames WHERE symbol='reply' AND port='in'"
        )
        assert frame == {"input": {"n": 2}, "output": "old", "answered": True}


async def test_nobody_watches_any_more_once_it_is_told_so() -> None:
    async with running(FLOW) as rt:
        database = InternalDatabase(ManagedStores(rt.store, rt.registry, [rt]))
        assert list(database.frames()) == ["default"]
        database.unwatch()
        before = rt.table.wiring
        database.unwatch()
        assert rt.table.wiring is before


async def test_events_problems_kinds_and_revisions_are_there() -> None:
    async with running(FLOW) as rt:
        [live] = await rows(rt, "SELECT generation FROM events WHERE event = 'generation live'")
        assert live == {"generation": 1}
        [kind] = await rows(rt, "SELECT category, ins, outs FROM kinds WHERE kind = 'pipe'")
        assert (kind["category"], kind["ins"]) == ("control", ["in"])
        [revision] = await rows(rt, "SELECT revision, changes FROM revisions")
        assert revision["revision"] == 1
        assert {each["action"] for each in revision["changes"]} == {"created"}
        assert await rows(rt, "SELECT * FROM problems") == []


async def test_every_table_has_a_value_for_every_column() -> None:
    async with running(FLOW) as rt:
        await rt.send("ask", "SELECT * FROM frames")
        await rt.send("start", 1)
        managed = ManagedStores(rt.store, rt.registry, [rt])
        await rt.store.apply([Put(resource=value("v", 1))])
        connection = await InternalDatabase(managed).connect()
        for table in TABLES.values():
            view: View = connection._view
            for row in await table.rows(view):
                assert len(row) == len(table.columns), table.name
        await connection.close()


async def test_a_secret_is_not_shown_by_saying_that_it_is_none() -> None:
    async with running(FLOW, "- {name: password, secret: true, data: hunter2hunter2}") as rt:
        text = "UPDATE \"values\" SET secret = false WHERE name = 'password'"
        error = await failure(rt, "change", text)
        assert "only with other data" in error.message
        assert "hunter2" not in str(await rows(rt, 'SELECT * FROM "values"'))
        await rt.send("change", [text.replace(" WHERE", ", data = '1' WHERE"), []])
        [value] = await rt.store.values()
        assert (value.data, value.secret) == (1, False)


async def test_what_is_secret_is_in_no_table() -> None:
    secret = "the-password-of-the-database"
    values = f"- {{name: password, secret: true, data: {secret}}}\n"
    spec = """
- {kind: snippet, name: bound, language: text, code: '{{ .P }}', env: {P: {name: password}}}
"""
    async with running(FLOW + spec, values) as rt:
        await rows(rt, "SELECT * FROM frames")
        await rt.send("bound")
        for name in TABLES:
            told = json.dumps(await rows(rt, f'SELECT * FROM "{name}"'), default=str)
            assert secret not in told, name


async def test_a_statement_sees_one_moment_and_holds_nothing_up() -> None:
    async with running(FLOW) as rt:
        endless = (
            "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT max(x) FROM c"
        )
        managed = ManagedStores(rt.store, rt.registry, [rt])
        connection = await InternalDatabase(managed, seconds=0.3).connect()
        from heddle.extensions.sql.statement import statement

        asked = asyncio.ensure_future(connection.run(statement(endless, "sqlite"), [[]], most=0))
        turns = 0
        while not asked.done():
            await asyncio.sleep(0)
            turns += 1
        with pytest.raises(NodeError, match=r"ran for more than 0\.3 s"):
            await asked
        assert turns > 10
        await connection.close()


@pytest.mark.parametrize(
    ("text", "code", "told"),
    [
        ("DELETE FROM specs", "read-only", "source: write"),
        ("UPDATE symbols SET state = 'x'", "read-only", "read, not written"),
        ("ATTACH DATABASE '/tmp/other.db' AS other", "read-only", "read, not written"),
        ("PRAGMA database_list", "read-only", "read, not written"),
        ("CREATE TABLE t (a)", "read-only", "read, not written"),
        ("SELECT load_extension('x')", "sql", "not authorized"),
        ("SELECT * FROM nowhere", "sql", "no such table: nowhere (there are: specs, values, "),
        ("SELECT * FROM symbol", "sql", 'Did you mean "symbols"?'),
        ("SELECT missing FROM specs", "sql", "no such column: missing"),
        ("SELEC", "sql", "syntax error"),
        ("SELECT ?", "sql", "wants 1 argument"),
        ("BEGIN", "sql", "belongs to the process"),
    ],
)
async def test_what_cannot_be_asked_is_told(text: str, code: str, told: str) -> None:
    async with running(FLOW) as rt:
        error = await failure(rt, "ask", text)
        assert error.code == code, error
        assert told in error.message


# --- changing ---


async def test_a_changed_spec_is_live_and_says_who_changed_it() -> None:
    async with running(FLOW) as rt:
        live = asyncio.ensure_future(rt.events.wait("generation live"))
        await asyncio.sleep(0)
        answer = await rt.send(
            "change",
            [
                "UPDATE specs SET fields = json_set(fields, '$.code', :code) WHERE name = :name",
                {"code": "new", "name": "reply"},
            ],
        )
        assert answer == {"affected": 1, "id": None}
        await live
        assert await rt.send("start") == "new"
        assert isinstance(rt.store, MemoryStore)
        last = (await rt.store.history(limit=1))[0]
        assert (last.author, last.message) == ("default/change", "by SQL")


async def test_specs_and_values_come_and_go() -> None:
    async with running(FLOW) as rt:
        put = "INSERT INTO specs (kind, name, fields, ports) VALUES (?, ?, ?, ?)"
        fields, ports = {"language": "text", "code": "x"}, {"out": [{"name": "reply"}]}
        assert await rt.send("change", [put, ["snippet", "made", fields, ports]]) == {
            "affected": 1,
            "id": None,
        }
        [row] = await rows(rt, "SELECT fields, ports FROM specs WHERE name = 'made'")
        assert row == {"fields": fields, "ports": {"out": [{"name": "reply", "port": "in"}]}}
        await rt.send("change", ['INSERT INTO "values" (name, data) VALUES (?, ?)', ["v", [1, 2]]])
        await rt.send("change", ["UPDATE \"values\" SET secret = true WHERE name = 'v'", []])
        [value] = await rt.store.values()
        assert (value.data, value.secret) == ([1, 2], True)
        await rt.send("change", "DELETE FROM specs WHERE name = 'made'")
        await rt.send("change", 'DELETE FROM "values"')
        assert await rows(rt, "SELECT name FROM specs WHERE name = 'made'") == []
        assert list(await rt.store.values()) == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "INSERT INTO specs (kind, name, fields) VALUES ('sleep', 'bad', '{\"intervall\": 1}')",
            'Did you mean "interval"?',
        ),
        ("INSERT INTO specs (kind, name) VALUES ('slep', 'bad')", 'Did you mean "sleep"?'),
        ("INSERT INTO specs (name) VALUES ('bad')", "needs a kind"),
        ("INSERT INTO specs (kind, fields) VALUES ('nop', '[1]')", "has to be a map"),
        ("INSERT INTO specs (kind, fields) VALUES ('nop', '{')", "is not JSON"),
        ("DELETE FROM specs WHERE name = 'reply'", "start"),
        ("UPDATE specs SET namespace = 'other' WHERE name = 'reply'", "not managed from here"),
        ("INSERT INTO specs (kind, name) VALUES ('nop', 'reply')", "already"),
    ],
)
async def test_what_cannot_be_changed_changes_nothing(text: str, told: str) -> None:
    async with running(FLOW) as rt:
        before = await rt.store.newest()
        error = await failure(rt, "change", text)
        assert told in error.message
        assert await rt.store.newest() == before
        assert await rt.send("start") == "old"


async def test_all_statements_of_process_are_one_change_set_that_commits_before_reply() -> None:
    flow = """
- {kind: listener, name: listener, port: 0, ports: {out: {name: both, port: in}}}
- kind: pipe
  name: both
  ports:
    out[0]: {name: first, port: in}
    out[1]: {name: second, port: in}
    out[2]: {name: answer, port: in}
- kind: sql
  name: first
  driver: internal
  source: write
  statement: INSERT INTO specs (kind, name) VALUES ('nop', 'one')
  args: '[]'
- kind: sql
  name: second
  driver: internal
  source: write
  statement: INSERT INTO specs (kind, name) VALUES ('nop', 'two')
  args: '[]'
- {kind: snippet, name: answer, language: json, code: '{"status": STATUS}'}
"""
    for status, there in ((201, ["one", "two"]), (409, [])):
        async with running(flow.replace("STATUS", str(status))) as rt:
            before = await rt.store.newest()
            reply = await fetch(port_of(rt), "/", method="POST")
            assert reply.status == status
            names = [spec.name for spec in await rt.store.specs() if spec.name in ("one", "two")]
            assert names == there
            assert await rt.store.newest() == before + bool(there)


async def test_who_was_overtaken_is_told_and_writes_nothing() -> None:
    async with running(FLOW) as rt:
        managed = ManagedStores(rt.store, rt.registry, [rt])
        connection = await InternalDatabase(managed, writes=True).connect()
        from heddle.extensions.sql.statement import statement

        text = "UPDATE specs SET fields = json_set(fields, '$.code', 'mine') WHERE name = 'reply'"
        await connection.run(statement(text, "sqlite"), [[]], most=0)
        theirs = stored(FLOW.replace("old", "theirs"))
        await theirs.open()
        await rt.store.apply([Put(resource=one) for one in await theirs.specs()], Note("bob", ""))
        with pytest.raises(NodeError) as raised:
            await connection.commit()
        assert raised.value.error.code == "serialization"
        assert "somebody else" in raised.value.error.message
        [kept] = [spec for spec in await rt.store.specs() if spec.name == "reply"]
        assert kept.fields["code"] == "theirs"
        await connection.close()


async def test_a_flow_may_replace_the_very_node_that_answers() -> None:
    flow = (
        FLOW
        + """
- {kind: listener, name: listener, port: 0, ports: {out: {name: edit, port: in}}}
- kind: sql
  name: edit
  driver: internal
  source: write
  args: '[self.body]'
  statement: UPDATE specs SET annotations = json_object('note', ?) WHERE name IN ('edit', 'listener')
"""
    )
    async with running(flow) as rt:
        for note in ("first", "second"):
            live = asyncio.ensure_future(rt.events.wait("generation live"))
            await asyncio.sleep(0)
            text = {"Content-Type": "text/plain"}
            reply = await fetch(port_of(rt), "/", method="POST", body=note, headers=text)
            assert json.loads(reply.body) == {"affected": 2, "id": None}
            await live
        notes = {s.name: dict(s.annotations) for s in await rt.store.specs() if s.annotations}
        assert notes == {"edit": {"note": "second"}, "listener": {"note": "second"}}


# --- from outside ---


async def test_a_store_without_a_runtime_can_be_asked() -> None:
    store = stored(FLOW)
    await store.open()
    async with running(FLOW) as rt:
        managed = ManagedStores(store, rt.registry)
        found = await run_sql(managed, "SELECT name, state FROM symbols ORDER BY name LIMIT 2")
        assert found == [{"name": "ask", "state": "idle"}, {"name": "change", "state": "idle"}]
        links = await run_sql(managed, "SELECT target FROM links WHERE target_id IS NULL")
        assert links == [{"target": "nobody"}]
        assert await run_sql(managed, "SELECT * FROM processes") == []
    await store.close()


async def test_uniflows_way_of_asking_for_everything() -> None:
    """One `sql` node, a snippet for each table in front of it: uniflow's reflect plugin is used so."""
    tables = ("specs", "values", "symbols", "processes", "frames")
    routes = "\n".join(
        f"    - {{method: GET, path: /v1/{name}, port: 'out[{number}]'}}"
        for number, name in enumerate(tables)
    )
    ports = "\n".join(
        f"    out[{number}]:\n      - {{name: select_{name}, port: in}}"
        for number, name in enumerate(tables)
    )
    selects = "\n".join(
        f"""
- kind: snippet
  name: select_{name}
  language: text
  code: SELECT * FROM `{name}`
  ports:
    out:
      - {{name: sql, port: in}}
"""
        for name in tables
    )
    flow = f"""
- kind: listener
  name: listener
  protocol: http
  port: '{{{{ .PORT }}}}'
  env:
    PORT: {{data: '{{{{ .PORT }}}}'}}
  ports:
    out:
      - {{name: router, port: in}}
- kind: router
  name: router
  routes:
{routes}
  ports:
{ports}
{selects}
- kind: sql
  name: sql
  driver: internal
"""
    async with running(flow, environment={"PORT": 0}) as rt:
        for name in (*tables, *tables):
            reply = await fetch(port_of(rt), f"/v1/{name}")
            assert reply.status == 200, reply.text
            assert isinstance(json.loads(reply.body), list)
        frames = json.loads((await fetch(port_of(rt), "/v1/frames")).body)
        assert {"process_id", "symbol_id", "port", "input", "output", "time"} <= set(frames[0])


async def test_ten_thousand_symbols_are_joined_without_reading_them_a_thousand_times() -> None:
    """A join by id is a look-up: it would be a hundred million comparisons otherwise."""
    text = "\n".join(
        f"- {{kind: pipe, name: p{n}, ports: {{out: {{name: p{n + 1}, port: in}}}}}}"
        for n in range(2000)
    )
    store = stored(text)
    await store.open()
    async with running(FLOW) as rt:
        found = await run_sql(
            ManagedStores(store, rt.registry),
            "SELECT count(*) AS n FROM links l JOIN specs s ON s.id = l.target_id "
            "JOIN specs o ON o.id = l.source_id",
        )
    assert found == [{"n": 1999}]
    await store.close()


def test_the_page_names_every_table_and_column() -> None:
    page = (Path(__file__).parents[3] / "docs" / "sql.md").read_text(encoding="utf-8")
    for table in TABLES.values():
        assert f"### {table.name}" in page
        for column in table.columns:
            assert f"| `{column.name}` |" in page, (table.name, column.name)


async def test_a_request_that_cannot_be_read_spoils_no_other_frame() -> None:
    front = "- {kind: listener, name: listener, port: 0, ports: {out: {name: reply}}}\n"
    async with running(FLOW + front) as rt:
        await rows(rt, "SELECT * FROM frames")
        kind = {"Content-Type": "application/json"}
        await fetch(port_of(rt), "/good", method="POST", headers=kind, body='{"n": 1}')
        await fetch(port_of(rt), "/bad", method="POST", headers=kind, body='{"n": ')
        found = await rows(rt, "SELECT input FROM frames WHERE symbol='reply' AND port='in'")
    assert found[0]["input"]["body"] == {"n": 1}
    assert "not valid JSON" in json.dumps(found[1]["input"])
