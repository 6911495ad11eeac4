"""Frames are kept within a budget, and encoded only if a statement asks for them, in its own thread."""

import asyncio
import threading
from typing import Any

import pytest

pytest.importorskip("apsw")

from heddle.extensions.sql.internal.database import InternalDatabase
from heddle.extensions.sql.internal.frames import (
    BUDGET,
    LARGE,
    MOST,
    FrameLog,
    Later,
    size_of,
)
from heddle.extensions.sql.internal.run_sql import run_sql
from heddle.extensions.sql.internal.virtual import TableRows
from heddle.extensions.sql.statement import statement
from heddle.runtime.managed import ManagedStores
from heddle.runtime.runtime import Runtime
from tests.support import stored

pytestmark = pytest.mark.anyio

FLOW = "- {kind: nop, name: one}\n- {kind: nop, name: two}\n"


async def test_a_large_payload_is_a_stub_with_its_size() -> None:
    async with Runtime(store=stored(FLOW)) as rt:
        log = FrameLog(rt)
        await rt.send("one", {"text": "x" * 3_000_000})
        await rt.send("one", {"text": "small"})
        assert log.held < 10_000
        managed = ManagedStores(rt.store, rt.registry, [rt])
        log.close()
        assert not log.frames
        database = InternalDatabase(managed)
        connection = await database.connect()
        read = statement("SELECT input, output, answered FROM frames", "sqlite")
        await connection.run(read, [[]], most=0)
        await rt.send("one", {"text": "x" * 3_000_000})
        await rt.send("one", {"text": "small", "password": "Hunter2Zq9"})
        rows = (await connection.run(read, [[]], most=0)).rows or []
        await connection.close()
        database.unwatch()
    inputs = [row["input"] for row in rows]
    assert {"text": "small", "password": "••••••"} in inputs
    [large, *_] = inputs
    assert (large["type"], large["size"] >= LARGE) == ("dict", True)
    assert all(row["answered"] for row in rows)


async def test_the_frames_of_a_runtime_stay_within_their_budget() -> None:
    async with Runtime(store=stored(FLOW)) as rt:
        log = FrameLog(rt, budget=100_000)
        for number in range(100):
            await rt.send("one", f"{number} {'x' * 20_000}")
            assert log.held <= 100_000
        assert 0 < len(log.frames) < 10
        assert log.frames[-1].input.startswith("99 ")
        log.close()
        many = FrameLog(rt)
        for number in range(MOST):
            await rt.send("one", number)
        assert len(many.frames) == MOST
        assert many.held < BUDGET
        many.close()


async def test_a_frame_that_is_gone_before_its_answer_costs_nothing() -> None:
    async with Runtime(store=stored(FLOW)) as rt:
        log = FrameLog(rt, budget=1)
        await rt.send("one", "x" * 50_000)
        assert (log.held, len(log.frames)) == (0, 0)
        log.close()


def test_a_cell_is_made_when_it_is_asked_for() -> None:
    made: list[int] = []

    def make() -> Any:
        made.append(threading.get_ident())
        return [1]

    rows = TableRows([("id", Later(make))])
    assert rows.cell(0, 0) == "id"
    assert made == []
    assert rows.cell(0, 1) == "[1]"
    assert len(made) == 1


async def test_ids_are_read_without_encoding_payloads_and_payloads_off_the_loop() -> None:
    encoded: list[int] = []

    class Odd:
        def __str__(self) -> str:
            encoded.append(threading.get_ident())
            return "odd"

    async with Runtime(store=stored(FLOW)) as rt:
        managed = ManagedStores(rt.store, rt.registry, [rt])
        database = InternalDatabase(managed)
        connection = await database.connect()
        ids = statement("SELECT process_id FROM frames", "sqlite")
        await connection.run(ids, [[]], most=0)
        await rt.send("one", {"odd": Odd()})
        assert (await connection.run(ids, [[]], most=0)).rows
        assert encoded == []
        await connection.run(statement("SELECT input FROM frames", "sqlite"), [[]], most=0)
        assert encoded
        assert threading.get_ident() not in encoded
        await connection.close()
        database.unwatch()
        assert await run_sql(managed, "SELECT count(*) AS n FROM symbols") == [{"n": 2}]


@pytest.mark.parametrize(
    ("payload", "least"),
    [
        ("x" * 1000, 1000),
        (b"x" * 1000, 1000),
        ({"a": ["x" * 500, {"b": "x" * 500}]}, 1000),
        ([0] * 1_000_000, LARGE),
        ({str(number): number for number in range(100_000)}, LARGE),
        (None, 0),
    ],
)
async def test_the_size_of_a_payload_is_about_what_it_holds(payload: Any, least: int) -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    assert size_of(payload, LARGE) >= least
    assert loop.time() - began < 1
