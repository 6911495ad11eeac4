"""A database that is down keeps nothing from loading, is told of, and is found again by itself."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest

from heddle.runtime.flow.errors import Error
from heddle.runtime.runtime import Runtime
from tests.extensions.sql.test_sql import asked, sql
from tests.postgres import Line, schema, server
from tests.support import change, degraded, running

pytestmark = pytest.mark.anyio


@pytest.fixture
async def line() -> AsyncIterator[Line]:
    """Yield a line to PostgreSQL that is whole at first."""
    async with schema() as url:
        one = Line(url)
        await one.mend()
        try:
            yield one
        finally:
            await one.cut()


def snapshot(rt: Runtime) -> Any:
    """Return the pool of the node `db`."""
    symbol = rt.table.get("db")
    assert symbol is not None
    return symbol.node.snapshot()


async def test_a_database_that_went_away_is_told_and_comes_back(line: Line) -> None:
    async with running(sql("db", line.url)) as rt:
        assert await asked(rt, "SELECT 1 AS one") == [{"one": 1}]
        gone = asyncio.ensure_future(rt.events.wait("database gone"))
        back = asyncio.ensure_future(rt.events.wait("database back"))
        await asyncio.sleep(0)
        await line.cut()
        waits = asyncio.ensure_future(asked(rt, "SELECT 2 AS two"))
        async with asyncio.timeout(60):
            told = await gone
            assert told.level == "error"
            assert told.symbol == "db"
            assert told.reason
            assert "postgresql://127.0.0.1" in told.data["database"]
            assert snapshot(rt)["down"]
            assert "cannot be reached" in degraded(rt, "db")
            await line.mend()
            # The packet that came meanwhile is not lost.
            assert await waits == [{"two": 2}]
            assert (await back).data["attempts"] >= 1
        assert "down" not in snapshot(rt)
        assert not degraded(rt, "db")


async def rejected(rt: Runtime) -> str:
    """Why the database cannot be reached, once a machine that is slow has had the time to see it."""
    async with asyncio.timeout(60):
        while True:
            answer = await asked(rt, "SELECT 1")
            assert isinstance(answer, Error)
            assert answer.code == "unreachable"
            if "no answer within" not in answer.message:
                return answer.message


async def test_a_packet_that_waits_too_long_for_the_database_says_why(line: Line) -> None:
    await line.cut()
    async with running(sql("db", line.url, "wait: 50ms")) as rt:
        assert not rt.status().problems
        assert [one.state for one in rt.status().symbols] == ["active"]
        assert "cannot be reached: " in await rejected(rt)
        again = await asked(rt, "SELECT 1")
        assert again.code == "unreachable"
        # It is told once, however many packets meet it.
        assert [one.event for one in rt.events.recent].count("database gone") == 1


async def test_a_database_that_does_not_answer_in_time_is_told_as_such() -> None:
    writers = []

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        with suppress(ConnectionError):
            await reader.read()

    far = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = far.sockets[0].getsockname()[1]
    async with running(sql("db", f"postgresql://127.0.0.1:{port}/x", "wait: 20ms")) as rt:
        answer = await asked(rt, "SELECT 1")
    far.close()
    for writer in writers:
        writer.close()
    assert answer.code == "unreachable"
    assert answer.message.endswith("cannot be reached: no answer within 0.02 s")


async def test_it_comes_back_without_anybody_asking(line: Line) -> None:
    await line.cut()
    async with running(sql("db", line.url, "wait: 20ms")) as rt:
        await rejected(rt)
        back = asyncio.ensure_future(rt.events.wait("database back"))
        await line.mend()
        async with asyncio.timeout(60):
            await back
        assert await asked(rt, "SELECT 1 AS one") == [{"one": 1}]


async def test_connect_now_rejects_the_change_where_the_database_is_down(line: Line) -> None:
    await line.cut()
    async with running("- {kind: nop, name: other}\n") as rt:
        await change(rt, sql("db", line.url, "wait: 50ms", "connect: now"))
        [problem] = rt.status().problems
        assert "cannot be reached" in str(problem)
        await line.mend()
        await change(rt, sql("db", line.url, "wait: 5s", "connect: now"))
        assert await asked(rt, "SELECT 1 AS one") == [{"one": 1}]


async def test_a_connection_that_was_ended_meanwhile_is_not_met_by_anybody() -> None:
    async with schema() as url, running(sql("db", url)) as rt:
        [row] = await asked(rt, "SELECT pg_backend_pid() AS pid")
        async with await psycopg.AsyncConnection.connect(server(), autocommit=True) as other:
            await other.execute("SELECT pg_terminate_backend(%s)", [row["pid"]])
        assert await asked(rt, "SELECT 1 AS one") == [{"one": 1}]


async def test_a_connection_that_falls_within_transaction_is_error_and_nothing_is_done(
    line: Line,
) -> None:
    flow = (
        sql("db", line.url)
        + sql("put", line.url)
        + """
- {kind: pipe, name: both, ports: {'out[0]': [{name: put, port: in}], 'out[1]': [{name: cut, port: in}]}}
- {kind: cut, name: cut, ports: {out: [{name: db, port: in}]}}
"""
    )
    from heddle.extensions.extension import node

    @node("cut")
    async def cut(payload: Any) -> Any:
        await line.cut()
        await line.mend()
        return "SELECT 1"

    async with running(flow, extensions=[cut]) as rt:
        await asked(rt, "CREATE TABLE t (a int)")
        async with asyncio.timeout(60):
            answer = await rt.send("both", "INSERT INTO t VALUES (1)")
            assert isinstance(answer, Error)
            assert await asked(rt, "SELECT count(*) AS n FROM t") == [{"n": 0}]


async def test_connections_outlive_a_reload_that_leaves_the_source(line: Line) -> None:
    flow = sql("db", line.url)
    async with running(flow) as rt:
        [before] = await asked(rt, "SELECT pg_backend_pid() AS pid")
        await change(rt, flow.replace("name: db\n", "name: db\n  max_rows: 7\n"))
        [after] = await asked(rt, "SELECT pg_backend_pid() AS pid")
        assert before == after


async def test_connections_are_closed_when_nobody_needs_them() -> None:
    async with schema() as url:
        async with running(sql("db", url), sql("other", url)) as rt:
            [row] = await asked(rt, "SELECT pg_backend_pid() AS pid")
        async with await psycopg.AsyncConnection.connect(server(), autocommit=True) as other:
            sql_text = "SELECT count(*) FROM pg_stat_activity WHERE pid = %s"
            async with asyncio.timeout(60):
                while True:
                    cursor = await other.execute(sql_text, [row["pid"]])
                    if await cursor.fetchone() == (0,):
                        break


async def test_passwords_are_in_no_event_and_no_snapshot(line: Line) -> None:
    await line.cut()
    source = line.url.replace("postgres@", "postgres:s3cr3t-word@")
    async with running(sql("db", source, "wait: 20ms")) as rt:
        answer = await asked(rt, "SELECT 1")
        assert "s3cr3t-word" not in answer.message
        assert "s3cr3t-word" not in str(snapshot(rt))
        assert not [one for one in rt.events.recent if "s3cr3t-word" in str(one)]


async def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_text(
        "this is not a database, but it is long enough to be looked at" * 9
    )
    async with running(sql("db", str(tmp_path / "x.db"), "wait: 20ms")) as rt:
        assert "file is not a database" in await rejected(rt)
    async with running(sql("db", str(tmp_path / "no" / "x.db"), "wait: 20ms")) as rt:
        assert "there is no folder" in await rejected(rt)


async def test_a_missing_extra_is_a_problem_that_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "heddle.extensions.sql.postgres", None)
    async with running(sql("db", "postgresql://localhost/x")) as rt:
        [problem] = rt.status().problems
    assert problem.code == "missing-extra"
    assert "pip install 'heddle-runtime[postgres]'" in str(problem)
