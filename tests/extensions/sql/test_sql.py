"""sql: one transaction for each process, on databases that are real."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from heddle.extensions.extension import node
from heddle.runtime.flow.errors import Error
from heddle.runtime.flow.stream import ByteStream
from heddle.runtime.runtime import Runtime
from tests.postgres import schema
from tests.support import change, fetch, port_of, running

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["sqlite", "postgres", "sqlalchemy"])
async def source(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    """Yield a database of its own, of each sort."""
    if request.param == "postgres":
        async with schema() as url:
            yield url
    elif request.param == "sqlite":
        yield str(tmp_path / "test.db")
    else:
        yield f"sqlite+pysqlite:///{tmp_path / 'test.db'}"


@pytest.fixture
async def postgres() -> AsyncIterator[str]:
    """Yield a schema of its own in PostgreSQL."""
    async with schema() as url:
        yield url


def sql(name: str, source: str, *lines: str) -> str:
    """Return a sql node."""
    more = "".join(f"  {line}\n" for line in lines)
    return f"- kind: sql\n  name: {name}\n  source: {source!r}\n{more}"


TABLE = "CREATE TABLE orders (id INTEGER PRIMARY KEY, item TEXT, price REAL)"


async def asked(rt: Runtime, *payload: Any) -> Any:
    """Return what the node `db` answers."""
    return await rt.send("db", list(payload) if len(payload) > 1 else payload[0])  # pyright: ignore[reportGeneralTypeIssues] - every caller passes some


async def table(rt: Runtime, *rows: tuple[Any, ...]) -> None:
    """Make a table of orders with these rows."""
    assert not isinstance(await asked(rt, TABLE), Error)
    for row in rows:
        await asked(rt, "INSERT INTO orders VALUES (?, ?, ?)", list(row))


# -- statements and what they answer -------------------------------------------------------------


async def test_arguments_go_by_position_and_by_name(source: str) -> None:
    async with running(sql("db", source)) as rt:
        await table(rt)
        await asked(rt, "INSERT INTO orders VALUES (?, ?, ?)", [1, "tea; DROP TABLE orders", 2.5])
        await asked(rt, "INSERT INTO orders VALUES (:id, :item, :price)", {
            "id": 2, "item": "cof'fee", "price": None,
        })  # fmt: skip
        assert await asked(rt, "SELECT * FROM orders ORDER BY id") == [
            {"id": 1, "item": "tea; DROP TABLE orders", "price": 2.5},
            {"id": 2, "item": "cof'fee", "price": None},
        ]
        found = await asked(rt, "SELECT item FROM orders WHERE id = $1", [2])
        assert found == [{"item": "cof'fee"}]


async def test_a_list_of_maps_is_run_for_each_of_them(source: str) -> None:
    async with running(sql("db", source)) as rt:
        await table(rt)
        rows = [{"id": number, "item": "x", "price": 1} for number in range(5)]
        done = await asked(rt, "INSERT INTO orders VALUES (:id, :item, :price)", rows)
        assert done["affected"] == 5
        one = await asked(rt, "SELECT id FROM orders WHERE id = :id", [{"id": 3}])
        assert one == [{"id": 3}]


async def test_affected_rows_are_told(source: str) -> None:
    async with running(sql("db", source)) as rt:
        await table(rt, (1, "a", 1), (2, "b", 2))
        assert (await asked(rt, "UPDATE orders SET price = 0"))["affected"] == 2
        assert (await asked(rt, "DELETE FROM orders WHERE id = 7"))["affected"] == 0


async def test_generated_keys_are_told(tmp_path: Path, postgres: str) -> None:
    async with running(sql("db", str(tmp_path / "x.db"))) as rt:
        await table(rt, (41, "a", 1))
        done = await asked(rt, "INSERT INTO orders (item) VALUES ('b')")
        assert done == {"affected": 1, "id": 42}
    async with running(sql("db", postgres)) as rt:
        await asked(rt, "CREATE TABLE t (id serial, a text)")
        assert await asked(rt, "INSERT INTO t (a) VALUES ('b') RETURNING id") == [{"id": 1}]
        assert await asked(rt, "INSERT INTO t (a) VALUES ('b')") == {"affected": 1, "id": None}


async def test_columns_of_one_name_are_kept_apart(source: str) -> None:
    async with running(sql("db", source)) as rt:
        found = await asked(rt, "SELECT 1 AS a, 2 AS a, 3 AS b, 4 AS a")
    assert found == [{"a": 1, "a_2": 2, "b": 3, "a_3": 4}]


async def test_a_statement_in_the_spec_takes_the_packet_as_its_arguments(source: str) -> None:
    flow = sql("db", source) + sql(
        "one",
        source,
        "statement: SELECT item FROM orders WHERE id = :id",
        "args: \"{'id': int(self.params.id)}\"",
        "result: row",
    )
    flow += sql("count", source, "statement: SELECT count(*) FROM orders", "result: value")
    flow += sql("put", source, "statement: 'INSERT INTO orders VALUES (?, ?, ?)'", "many: true")
    async with running(flow) as rt:
        await table(rt)
        done = await rt.send("put", [[1, "tea", 2.0], [2, "coffee", 3.0]])
        assert done["affected"] == 2
        assert await rt.send("one", {"params": {"id": "2"}, "path": "/x"}) == {"item": "coffee"}
        assert await rt.send("one", {"params": {"id": "9"}}) is None
        assert await rt.send("count", {"what": "ever"}) == 2


async def test_postgres_values_are_plain_data(postgres: str) -> None:
    async with running(sql("db", postgres)) as rt:
        [row] = await asked(
            rt,
            """SELECT 12.50::numeric AS price, sum(3::bigint) AS total, true AS yes,
               '2024-01-31 10:00:00.5+00'::timestamptz AT TIME ZONE 'UTC' AS local,
               '2024-01-31 10:00:00+00'::timestamptz AS at, date 'infinity' AS ever,
               interval '1 day 2 hours' AS span, '{"a": [1, null]}'::jsonb AS doc,
               array[1, 2] AS list, array['2024-01-31'::date] AS days, '\\x00ff'::bytea AS raw,
               '0197a2b4-0000-7000-8000-000000000001'::uuid AS id, int4range(1, 5) AS span2,
               NULL AS none""",
        )
    at = row.pop("at")
    assert at.startswith("2024-01-31T10:00:00+") or at[10] == "T"
    assert at[-3] == ":"
    assert row == {
        "price": 12.5,
        "total": 3,
        "yes": True,
        "local": "2024-01-31T10:00:00.5",
        "ever": "infinity",
        "span": "1 day 02:00:00",
        "doc": {"a": [1, None]},
        "list": [1, 2],
        "days": ["2024-01-31"],
        "raw": b"\x00\xff",
        "id": "0197a2b4-0000-7000-8000-000000000001",
        "span2": "[1,5)",
        "none": None,
    }


async def test_postgres_takes_maps_lists_and_text_as_what_the_column_is(postgres: str) -> None:
    async with running(sql("db", postgres)) as rt:
        await asked(rt, "CREATE TABLE t (doc jsonb, list int[], docs jsonb, day date, raw bytea)")
        await asked(
            rt,
            "INSERT INTO t VALUES (?, ?, ?, ?, ?)",
            [{"a": 1}, [1, 2], [{"b": 2}], "2024-01-31", b"\x00"],
        )
        [row] = await asked(rt, "SELECT * FROM t WHERE list = ?", [[1, 2]])
        some = await asked(rt, "SELECT 1 AS one WHERE 2 = ANY(?)", [[1, 2]])
        texts = ['a,b"{}', "NULL", "", "\\", None, "é"]
        assert await asked(rt, "SELECT ?::text[] AS t", [texts]) == [{"t": texts}]
        assert await asked(rt, "SELECT ?::bytea[] AS t", [[b"\x00\xff"]]) == [{"t": [b"\x00\xff"]}]
        assert await asked(rt, "SELECT ?::int[][] AS t", [[[1, 2], [3, 4]]]) == [
            {"t": [[1, 2], [3, 4]]}
        ]
    assert row == {
        "doc": {"a": 1},
        "list": [1, 2],
        "docs": [{"b": 2}],
        "day": "2024-01-31",
        "raw": b"\x00",
    }
    assert some == [{"one": 1}]


async def test_sqlite_takes_maps_as_json_text_and_keeps_bytes() -> None:
    async with running(sql("db", ":memory:")) as rt:
        [row] = await asked(rt, "SELECT ? AS doc, ? AS raw, ? AS yes", [{"a": [1]}, b"\x00", True])
    assert row == {"doc": '{"a": [1]}', "raw": b"\x00", "yes": 1}


# -- what is rejected -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        (None, "found null, which is not a statement"),
        ({"a": 1}, "found a dict, which is not a statement"),
        (["SELECT 1", [], 3], "found a list, which is not a statement"),
        ("", "an empty statement"),
        ("COMMIT", "the transaction belongs to the process"),
        (["SELECT ?", [1, 2]], "wants 1 argument; found 2"),
        (["SELECT ?", [1 << 70]], "64 bits are the most"),
    ],
)
async def test_a_packet_that_is_no_statement_says_what_is_wanted(payload: Any, said: str) -> None:
    async with running(sql("db", ":memory:")) as rt:
        answer = await rt.send("db", payload)
    assert isinstance(answer, Error)
    assert said in answer.message
    assert answer.code == "sql"


@pytest.mark.parametrize("smuggled", ["SELECT 1; DROP TABLE orders", "SELECT 1; COMMIT"])
async def test_a_second_statement_cannot_be_smuggled_in(source: str, smuggled: str) -> None:
    async with running(sql("db", source)) as rt:
        await table(rt)
        assert isinstance(await asked(rt, smuggled), Error)
        assert await asked(rt, "SELECT count(*) AS n FROM orders") == [{"n": 0}]


async def test_errors_have_the_same_codes_in_every_database(source: str) -> None:
    async with running(sql("db", source)) as rt:
        await asked(rt, "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT NOT NULL, CHECK (id < 9))")
        await asked(rt, "INSERT INTO t VALUES (1, 'a')")
        codes = [
            (await asked(rt, text)).code
            for text in (
                "INSERT INTO t VALUES (1, 'b')",
                "INSERT INTO t VALUES (2, NULL)",
                "INSERT INTO t VALUES (10, 'x')",
                "SELECT * FROM nowhere",
            )
        ]
    assert codes == ["unique", "not-null", "check", "sql"]


async def test_more_rows_than_allowed_are_an_error(source: str) -> None:
    async with running(sql("db", source, "max_rows: 2")) as rt:
        await table(rt, (1, "a", 1), (2, "b", 1))
        assert len(await asked(rt, "SELECT * FROM orders")) == 2
        await asked(rt, "INSERT INTO orders VALUES (3, 'c', 1)")
        answer = await asked(rt, "SELECT * FROM orders")
    assert isinstance(answer, Error)
    assert "more than 2 rows" in answer.message


@pytest.mark.parametrize(
    ("lines", "code", "said"),
    [
        ("driver: mongodb, source: x", "unknown-driver", 'unknown driver "mongodb"'),
        ("driver: sqlite", "missing", "missing"),
        ("source: 'x.db?_journal_mode=a b'", "source", "the pragma journal_mode cannot be"),
        ("source: 'nodriver://x/y'", "source", "nodriver"),
        ("source: 'mysql+pymysql://u:secret@h/y'", "missing-package", "pymysql"),
        ("driver: postgres, source: 'a b c'", "source", "not a URL and no connection text"),
        ("source: x, isolation: total", "type", "one of default, read uncommitted"),
        ("source: x, statement: 'SELECT ?, :a'", "statement", "either all by name"),
        ("source: x, args: '[]'", "missing", "args without a statement"),
        ("source: x, batch: 5, result: row", "conflict", "batch and result together"),
    ],
)
async def test_a_spec_that_cannot_work_is_a_problem(lines: str, code: str, said: str) -> None:
    async with running(f"- {{kind: sql, name: db, {lines}}}\n") as rt:
        [problem] = rt.status().problems
    assert problem.code == code
    assert said in str(problem)
    assert "secret" not in str(problem)


# -- one transaction for each process ------------------------------------------------------------

SHOP = """
- kind: listener
  name: listener
  port: 0
  ports: {out: [{name: both, port: in}]}
- kind: pipe
  name: both
  ports:
    out[0]: [{name: put, port: in}]
    out[1]: [{name: see, port: in}]
    out[2]: [{name: reply, port: in}]
- {kind: snippet, name: reply, language: cel, code: "{'status': STATUS, 'body': self}"}
- {kind: sql, name: db, source: SOURCE}
- {kind: sql, name: put, source: SOURCE, statement: "INSERT INTO orders VALUES (1, 'tea', 2.5)"}
- {kind: sql, name: see, source: SOURCE, statement: "SELECT count(*) AS n FROM orders", result: value}
"""


def shop(source: str, status: int) -> str:
    """Return a listener that puts an order in and reads it with another node."""
    return SHOP.replace("SOURCE", repr(source)).replace("STATUS", str(status))


async def test_nodes_of_one_process_share_a_transaction_that_commits_before_the_reply(
    source: str,
) -> None:
    async with running(shop(source, 200)) as rt:
        await table(rt)
        reply = await fetch(port_of(rt))
        assert (reply.status, reply.text) == (200, "1")
        assert await asked(rt, "SELECT count(*) AS n FROM orders") == [{"n": 1}]


@pytest.mark.parametrize("status", [400, 404, 500, 503])
async def test_an_answer_of_400_or_more_rolls_back(source: str, status: int) -> None:
    async with running(shop(source, status)) as rt:
        await table(rt)
        reply = await fetch(port_of(rt))
        assert (reply.status, reply.text) == (status, "1")
        assert await asked(rt, "SELECT count(*) AS n FROM orders") == [{"n": 0}]


async def test_an_error_rolls_back(source: str) -> None:
    flow = (
        sql("db", source)
        + sql("put", source)
        + """
- kind: pipe
  name: both
  ports: {'out[0]': [{name: put, port: in}], 'out[1]': [{name: fail, port: in}]}
- {kind: throw, name: fail}
"""
    )
    async with running(flow) as rt:
        await table(rt)
        answer = await rt.send("both", "INSERT INTO orders VALUES (1, 'a', 1)")
        assert isinstance(answer, Error)
        assert await asked(rt, "SELECT * FROM orders") == []


async def test_a_commit_that_fails_answers_500(postgres: str) -> None:
    async with running(shop(postgres, 200)) as rt:
        await asked(
            rt,
            "CREATE TABLE orders (id int UNIQUE DEFERRABLE INITIALLY DEFERRED, item text, price real)",
        )
        assert (await fetch(port_of(rt))).status == 200
        assert (await fetch(port_of(rt))).status == 500
        assert await asked(rt, "SELECT count(*) AS n FROM orders") == [{"n": 1}]


async def test_an_error_that_was_caught_does_not_lose_the_rest_silently(postgres: str) -> None:
    caught = (
        sql("db", postgres)
        + sql("put", postgres)
        + """
- kind: pipe
  name: both
  ports: {'out[0]': [{name: good, port: in}], 'out[1]': [{name: try, port: in}]}
- kind: snippet
  name: good
  language: text
  code: INSERT INTO orders VALUES (1, 'a', 1)
  ports: {out: [{name: put, port: in}]}
- {kind: try, name: try, ports: {out: [{name: bad, port: in}], error: [{name: fine, port: in}]}}
- {kind: snippet, name: bad, language: text, code: SELECT nothing, ports: {out: [{name: put, port: in}]}}
- {kind: snippet, name: fine, language: text, code: fine}
"""
    )
    async with running(caught) as rt:
        await table(rt)
        answer = await rt.send("both", None)
        assert isinstance(answer, Error)
        assert "nothing was committed" in answer.message
        assert '"nothing" does not exist' in answer.message
    async with running(caught.replace("name: put\n", "name: put\n  savepoint: true\n")) as rt:
        assert await rt.send("both", None) == "fine"
        assert await asked(rt, "SELECT id FROM orders") == [{"id": 1}]


async def test_a_failed_statement_of_many_undoes_all_of_it_with_savepoint(source: str) -> None:
    flow = (
        sql("db", source)
        + sql("put", source, "savepoint: true", "many: true")
        + """
- {kind: try, name: try, ports: {out: [{name: put, port: in}], error: [{name: fine, port: in}]}}
- {kind: snippet, name: fine, language: text, code: fine}
"""
    )
    async with running(flow) as rt:
        await table(rt)
        rows = [[1, "a", 1], [2, "b", 1], [1, "c", 1]]
        assert await rt.send("try", ["INSERT INTO orders VALUES (?, ?, ?)", rows]) == "fine"
        assert await asked(rt, "SELECT * FROM orders") == []


async def test_a_fork_has_a_transaction_of_its_own(source: str) -> None:
    told = asyncio.Event()

    @node("tell")
    def tell(payload: Any) -> Any:
        told.set()
        return payload

    flow = (
        sql("db", source)
        + sql("put", source, "ports: {out: [{name: tell, port: in}]}")
        + """
- {kind: tell, name: tell}
- kind: snippet
  name: both
  language: cel
  code: self
  ports: {out: [{name: aside, port: in}, {name: fail, port: in}]}
- {kind: fork, name: aside, ports: {out: [{name: put, port: in}]}}
- {kind: throw, name: fail}
"""
    )
    async with running(flow, extensions=[tell]) as rt:
        await table(rt)
        failed = await rt.send("both", "INSERT INTO orders VALUES (1, 'a', 1)")
        assert isinstance(failed, Error)
        async with asyncio.timeout(60):
            await told.wait()
            await rt.table.wiring.generation.idle()
        assert await asked(rt, "SELECT id FROM orders") == [{"id": 1}]


async def test_a_process_that_is_cancelled_rolls_back(source: str) -> None:
    inside = asyncio.Event()

    @node("hold")
    async def hold(payload: Any) -> Any:
        inside.set()
        await asyncio.Event().wait()

    flow = sql("db", source) + sql("put", source, "ports: {out: [{name: hold, port: in}]}")
    async with running(flow + "- {kind: hold, name: hold}\n", extensions=[hold]) as rt:
        await table(rt)
        run = asyncio.ensure_future(rt.send("put", "INSERT INTO orders VALUES (1, 'a', 1)"))
        async with asyncio.timeout(60):
            await inside.wait()
            run.cancel()
            with pytest.raises(asyncio.CancelledError):
                await run
            await rt.table.wiring.generation.idle()
        assert await asked(rt, "SELECT * FROM orders") == []
        symbol = rt.table.get("db")
        assert symbol is not None
        shown = symbol.node.snapshot()
        assert shown["idle"] == shown["connections"]


async def test_a_statement_that_runs_is_stopped_when_its_process_is(
    tmp_path: Path, postgres: str
) -> None:
    endless = {
        str(tmp_path / "x.db"): "WITH RECURSIVE x(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM x) "
        "SELECT max(n) FROM x",
        postgres: "SELECT pg_sleep(3600)",
    }
    for source, text in endless.items():
        async with running(sql("db", source, "connections: 1")) as rt:
            answer = await rt.send("db", text, timeout=0.1)
            assert isinstance(answer, Error)
            assert answer.code == "timeout"
            async with asyncio.timeout(60):
                assert await asked(rt, "SELECT 1 AS one") == [{"one": 1}]


# -- isolation and concurrency -------------------------------------------------------------------

COUNTER = """
- {kind: pipe, name: add, ports: {'out[0]': [{name: read, port: in}], 'out[1]': [{name: write, port: in}]}}
- {kind: sql, name: read, source: SOURCE, ISOLATION, statement: SELECT n FROM counter, result: value}
- kind: sql
  name: write
  source: SOURCE
  statement: UPDATE counter SET n = ?
  args: "[self + 1]"
"""


def counter(source: str, isolation: str = "isolation: default") -> str:
    """Return a flow that reads a number and writes the next one."""
    flow = COUNTER.replace("SOURCE", repr(source)).replace("ISOLATION", isolation)
    return sql("db", source) + flow


async def test_serializable_counters_do_not_lose_counts(tmp_path: Path, postgres: str) -> None:
    for source in (str(tmp_path / "x.db?_journal_mode=wal"), postgres):
        async with running(counter(source, "isolation: serializable")) as rt:
            await asked(rt, "CREATE TABLE counter (n int)")
            await asked(rt, "INSERT INTO counter VALUES (0)")
            answers = await asyncio.gather(*(rt.send("add", None) for _ in range(8)))
            errors = [answer for answer in answers if isinstance(answer, Error)]
            # SQLite has them wait; PostgreSQL rejects those that came too late.
            assert all(error.code == "serialization" for error in errors)
            assert source == postgres or not errors
            assert await asked(rt, "SELECT n FROM counter") == [{"n": 8 - len(errors)}]


@pytest.mark.parametrize("mode", ["", "?_journal_mode=wal"])
async def test_sqlite_rejects_to_write_on_what_has_changed_meanwhile(
    tmp_path: Path, mode: str
) -> None:
    async with running(counter(str(tmp_path / f"x.db{mode}"))) as rt:
        await asked(rt, "CREATE TABLE counter (n int)")
        await asked(rt, "INSERT INTO counter VALUES (0)")
        answers = await asyncio.gather(*(rt.send("add", None) for _ in range(4)))
        errors = [answer for answer in answers if isinstance(answer, Error)]
        assert errors
        assert all("isolation: serializable" in error.message for error in errors)
        assert await asked(rt, "SELECT n FROM counter") == [{"n": 4 - len(errors)}]


async def test_who_has_read_is_rejected_at_once_while_others_write(tmp_path: Path) -> None:
    inside, on = asyncio.Event(), asyncio.Event()

    @node("hold")
    async def hold(payload: Any) -> Any:
        inside.set()
        await on.wait()
        return payload

    source = str(tmp_path / "x.db")
    flow = counter(source) + "- {kind: hold, name: hold}\n"
    flow += sql("slow", source, "wait: 60s", "ports: {out: [{name: hold, port: in}]}")
    async with running(flow, extensions=[hold]) as rt:
        await asked(rt, "CREATE TABLE counter (n int)")
        await asked(rt, "INSERT INTO counter VALUES (0)")
        run = asyncio.ensure_future(rt.send("slow", "UPDATE counter SET n = 10"))
        await inside.wait()
        answer = await asyncio.wait_for(rt.send("add", None), 2.5)
        assert isinstance(answer, Error)
        assert answer.code == "serialization"
        on.set()
        assert not isinstance(await run, Error)
        assert not isinstance(await rt.send("add", None), Error)
        assert await asked(rt, "SELECT n FROM counter") == [{"n": 11}]


async def test_a_process_that_holds_the_write_lock_too_long_is_named(tmp_path: Path) -> None:
    inside, on = asyncio.Event(), asyncio.Event()

    @node("hold")
    async def hold(payload: Any) -> Any:
        inside.set()
        await on.wait()
        return payload

    source = str(tmp_path / "x.db")
    flow = sql("db", source, "wait: 1s") + "- {kind: hold, name: hold}\n"
    flow += sql("put", source, "ports: {out: [{name: hold, port: in}]}")
    async with running(flow, extensions=[hold]) as rt:
        await table(rt)
        run = asyncio.ensure_future(rt.send("put", "INSERT INTO orders VALUES (1, 'a', 1)"))
        await inside.wait()
        answer = await asked(rt, "DELETE FROM orders")
        assert isinstance(answer, Error)
        assert answer.code == "locked"
        assert "another process has been writing" in answer.message
        on.set()
        await run
        assert (await asked(rt, "DELETE FROM orders"))["affected"] == 1


async def test_a_node_that_wants_more_isolation_than_has_begun_is_rejected(source: str) -> None:
    flow = (
        sql("a", source, "statement: SELECT 1")
        + """
- {kind: pipe, name: both, ports: {'out[0]': [{name: a, port: in}], 'out[1]': [{name: b, port: in}]}}
"""
        + sql("b", source, "statement: SELECT 1", "isolation: 6")
    )
    async with running(flow) as rt:
        answer = await rt.send("both", None)
    assert isinstance(answer, Error)
    assert "has begun a transaction that is default, and this node wants serializable" in (
        answer.message
    )


async def test_packets_beyond_the_connections_wait_in_order(source: str) -> None:
    async with running(sql("db", source, "connections: 2")) as rt:
        await table(rt)
        answers = await asyncio.gather(*(asked(rt, "SELECT 1 AS one") for _ in range(20)))
        symbol = rt.table.get("db")
        assert symbol is not None
        shown = symbol.node.snapshot()
    assert answers == [[{"one": 1}]] * 20
    assert shown["connections"] <= 2
    assert shown["waiting"] == 0


async def test_a_packet_that_gets_no_connection_in_time_says_so(source: str) -> None:
    inside = asyncio.Event()

    @node("hold")
    async def hold(payload: Any) -> Any:
        inside.set()
        await asyncio.Event().wait()

    flow = sql("db", source, "connections: 1", "wait: 50ms") + "- {kind: hold, name: hold}\n"
    flow += sql(
        "long",
        source,
        "connections: 1",
        "statement: SELECT 1",
        "ports: {out: [{name: hold, port: in}]}",
    )
    async with running(flow, extensions=[hold], drain=0.1) as rt:
        run = asyncio.ensure_future(rt.send("long", None))
        await inside.wait()
        answer = await asked(rt, "SELECT 1")
        assert isinstance(answer, Error)
        assert answer.code == "unreachable"
        assert "no connection to" in answer.message
        run.cancel()
        await asyncio.wait([run])


# -- large results -------------------------------------------------------------------------------


async def test_large_results_are_streamed_in_json_lines_and_in_json(source: str) -> None:
    flow = sql("db", source) + "".join(
        sql(form, source, f"result: {form}", "statement: SELECT id, item FROM orders ORDER BY id")
        for form in ("jsonl", "json")
    )
    flow += """
- {kind: listener, name: listener, port: 0, ports: {out: [{name: way, port: in}]}}
- kind: switch
  name: way
  matches: [{when: "self.path == '/jsonl'", port: 'out[0]'}]
  default: out[1]
  ports: {'out[0]': [{name: jsonl, port: in}], 'out[1]': [{name: json, port: in}]}
"""
    async with running(flow) as rt:
        await table(rt)
        assert json.loads((await fetch(port_of(rt), "/json")).text) == []
        rows = [{"id": number, "item": "é", "price": 1.5} for number in range(1203)]
        await asked(rt, "INSERT INTO orders VALUES (:id, :item, :price)", rows)
        reply = await fetch(port_of(rt), "/jsonl")
        lines = reply.text.splitlines()
        assert reply.headers["Content-Type"] == "application/x-ndjson"
        reply = await fetch(port_of(rt), "/json")
        whole = json.loads(reply.text)
        assert reply.headers["Content-Type"] == "application/json"
        packed = await fetch(port_of(rt), "/json", headers={"Accept-Encoding": "gzip"})
        assert packed.headers["Content-Encoding"] == "gzip"
        assert json.loads(gzip.decompress(packed.body)) == whole
    assert [json.loads(line) for line in lines] == whole
    assert whole == [{"id": number, "item": "é"} for number in range(1203)]


async def test_a_stream_whose_process_is_over_says_so(source: str) -> None:
    async with running(sql("db", source, "result: jsonl")) as rt:
        stream = await asked(rt, "SELECT 1 AS one")
        assert isinstance(stream, ByteStream)
        with pytest.raises(Exception, match="its process has ended"):
            await stream.read()


async def test_batches_go_out_one_after_the_other(source: str) -> None:
    seen: list[list[int]] = []

    @node("see")
    async def see(payload: Any) -> Any:
        seen.append([row["id"] for row in payload])
        return None

    flow = sql("db", source) + "- {kind: see, name: see}\n"
    flow += sql(
        "all", source, "batch: 3", "statement: SELECT id FROM orders ORDER BY id",
        "ports: {out: [{name: see, port: in}]}",
    )  # fmt: skip
    async with running(flow, extensions=[see]) as rt:
        await table(rt, *((number, "x", 1) for number in range(8)))
        assert await rt.send("all", None) == {"rows": 8, "batches": 3}
    assert seen == [[0, 1, 2], [3, 4, 5], [6, 7]]


async def test_a_batch_that_fails_ends_them(source: str) -> None:
    flow = sql("db", source) + "- {kind: throw, name: fail}\n"
    flow += sql(
        "all", source, "batch: 3", "statement: SELECT id FROM orders",
        "ports: {out: [{name: fail, port: in}]}",
    )  # fmt: skip
    async with running(flow) as rt:
        await table(rt, *((number, "x", 1) for number in range(8)))
        answer = await rt.send("all", None)
    assert isinstance(answer, Error)
    assert answer.code == "thrown"


# -- reload --------------------------------------------------------------------------------------


async def test_a_changed_statement_keeps_the_connections_and_what_is_in_memory() -> None:
    flow = sql("db", ":memory:", "id: 0197a2b4-0000-7000-8000-000000000001")
    async with running(flow) as rt:
        await table(rt, (1, "a", 1))
        await change(rt, flow + "  statement: SELECT count(*) AS n FROM orders\n  result: value\n")
        assert await rt.send("db", None) == 1


async def test_the_example_of_the_page_runs() -> None:
    from heddle.extensions.sql.sql import SQL

    async with running(SQL.schema.example) as rt:
        assert not rt.status().problems
        answer = await rt.send("put_and_list", {"item": "tea", "price": 2.5})
    assert answer == [{"id": 1, "item": "tea", "price": 2.5}]


async def test_the_spec_of_uniflows_documentation_loads_unchanged() -> None:
    flow = "- {kind: sql, name: db, driver: sqlite3, source: 'file::memory:?cache=shared', isolation: 0}\n"
    async with running(flow) as rt:
        assert not rt.status().problems
        await asked(rt, "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT)")
        done = await asked(rt, "INSERT INTO users (name) VALUES (?)", ["foo"])
        assert done == {"affected": 1, "id": 1}
        assert await asked(rt, "SELECT * FROM users") == [{"id": 1, "name": "foo"}]


async def test_what_a_python_snippet_returns_with_a_comma_is_a_statement_too() -> None:
    flow = """
- kind: snippet
  name: ask
  language: python
  code: |
    def main(payload):
        return "SELECT ? + ? AS sum", (payload, 1)
  ports: {out: {name: db}}
- {kind: sql, name: db, source: ':memory:'}
"""
    async with running(flow) as rt:
        assert await rt.send("ask", 2) == [{"sum": 3}]
