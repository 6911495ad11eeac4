"""Kinds of data, SQL, logs and tests, beside the library that one would call."""

import asyncio
import csv
import io
import json
import logging
import os
import sqlite3
import sys
import tempfile
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, redirect_stdout
from pathlib import Path
from time import time
from typing import Any, TextIO

from benchmarks.packets.case import Case, Setup, case

ROWS = [{"sku": f"A-{n}", "name": f"thing {n}", "price": f"{n}.5"} for n in range(100)]


def _formatted(rows: list[dict[str, Any]]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, ["sku", "name", "price"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


TABLE = _formatted(ROWS)
LINES = "".join(json.dumps(row) + "\n" for row in ROWS)


async def _parsed(text: str) -> list[dict[str, Any]]:
    return [{**row, "price": float(row["price"])} for row in csv.DictReader(io.StringIO(text))]


def _lines(rows: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(row, separators=(",", ":")) + "\n" for row in rows)


def _written(folder: str) -> Path:
    path = Path(folder, "it.txt")
    path.write_text("hello\n" * 100)
    return path


def _nowhere() -> TextIO:
    return Path(os.devnull).open("w")


@asynccontextmanager
async def _file(op: str) -> AsyncIterator[Setup]:
    with tempfile.TemporaryDirectory() as temporary:
        path = _written(temporary)

        async def read(_: Any) -> str:
            return await asyncio.to_thread(path.read_text, encoding="utf-8")

        def replace(text: str) -> dict[str, Any]:
            data = text.encode()
            draft = path.with_suffix(".draft")
            with draft.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
            return {"path": path.name, "size": len(data)}

        async def write(text: str) -> dict[str, Any]:
            return await asyncio.to_thread(replace, text)

        flow = f"- {{kind: file, name: it, op: {op}, root: {temporary}, path: it.txt}}\n"
        if op == "read":
            yield Setup(flow=flow, packet=None, floor=read)
        else:
            yield Setup(flow=flow, packet="hello\n" * 100, floor=write)


SELECT = "SELECT id, item, price FROM orders WHERE id = :id"
STORE = "INSERT INTO kept VALUES ('visits', 1) ON CONFLICT (key) DO UPDATE SET value = value + 1 RETURNING value"


@asynccontextmanager
async def _sqlite(flow: str, packet: Any, sql: str, *, writes: bool) -> AsyncIterator[Setup]:
    """Provide a connection in a thread of its own: the loop must not wait for the disk."""
    with tempfile.TemporaryDirectory() as temporary, ThreadPoolExecutor(1) as thread:
        loop = asyncio.get_running_loop()

        def opened(path: str) -> sqlite3.Connection:
            connection = sqlite3.connect(path, isolation_level=None)
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA journal_mode = wal")
            connection.execute(
                "CREATE TABLE orders (id integer PRIMARY KEY, item text, price real)"
            )
            connection.execute("CREATE TABLE kept (key text PRIMARY KEY, value integer)")
            connection.executemany(
                "INSERT INTO orders VALUES (?, ?, ?)",
                [(n, f"thing {n}", n / 2) for n in range(1000)],
            )
            return connection

        def run(connection: sqlite3.Connection, packet: Any) -> Any:
            connection.execute("BEGIN IMMEDIATE" if writes else "BEGIN")
            rows = connection.execute(sql, packet).fetchall()
            connection.execute("COMMIT")
            return rows[0][0] if writes else [dict(row) for row in rows]

        its = str(Path(temporary, "its.db"))
        connections = [
            await loop.run_in_executor(thread, opened, path)
            for path in (its, str(Path(temporary, "floor.db")))
        ]

        async def floor(packet: Any) -> Any:
            return await loop.run_in_executor(thread, run, connections[1], packet)

        try:
            yield Setup(flow=flow.replace("DATABASE", its), packet=packet, floor=floor)
        finally:
            for connection in connections:
                await loop.run_in_executor(thread, connection.close)


async def _loaded(text: str) -> list[Any]:
    return [json.loads(line) for line in text.splitlines()]


class Visits:
    """Numbers by key, for a day."""

    def __init__(self) -> None:
        self.kept: dict[str, tuple[int, float]] = {}

    def __call__(self, packet: Any) -> int:
        key, now = packet["path"], time()
        number, until = self.kept.get(key, (0, 0.0))
        number = number + 1 if until > now else 1
        self.kept[key] = number, now + 86400
        return number


@asynccontextmanager
async def _printed() -> AsyncIterator[Setup]:
    """Provide two that write to the same place, which nobody reads."""
    with _nowhere() as nowhere, redirect_stdout(nowhere):

        def floor(packet: Any) -> Any:
            sys.stdout.write(json.dumps(packet, separators=(",", ":"), ensure_ascii=False) + "\n")
            sys.stdout.flush()
            return packet

        yield Setup(flow="- {kind: print, name: it}\n", packet={"order": 7}, floor=floor)


@asynccontextmanager
async def _logged() -> AsyncIterator[Setup]:
    """Provide a logger with a handler that writes JSON to where nobody reads it."""
    with _nowhere() as nowhere:
        logger = logging.getLogger("benchmarks.packets")
        logger.propagate = False
        logger.setLevel(logging.INFO)
        handler = logging.StreamHandler(nowhere)
        logger.addHandler(handler)

        def floor(packet: Any) -> Any:
            logger.info("order placed %s", json.dumps({"order": packet["order"]}))
            return packet

        flow = "- {kind: log, name: it, event: order placed, values: {order: self.order}}\n"
        try:
            yield Setup(flow=flow, packet={"order": 7}, floor=floor)
        finally:
            logger.removeHandler(handler)


def _asserted(packet: Any) -> Any:
    payload, index = packet
    assert payload["status"] == 200
    return [payload, index]


CASES: tuple[Case, ...] = (
    case(
        "csv",
        "100 rows parsed",
        "- {kind: csv, name: it, types: {price: number}}\n",
        TABLE,
        _parsed,
    ),
    case(
        "csv",
        "100 rows formatted",
        "- {kind: csv, name: it, op: format}\n",
        ROWS,
        _formatted,
    ),
    Case(kind="file", what="600 bytes read", open=lambda: _file("read")),
    Case(kind="file", what="600 bytes written", open=lambda: _file("write")),
    case(
        "jsonl",
        "100 lines parsed",
        "- {kind: jsonl, name: it}\n",
        LINES,
        _loaded,
    ),
    case(
        "jsonl",
        "100 lines formatted",
        "- {kind: jsonl, name: it, op: format}\n",
        ROWS,
        _lines,
    ),
    Case(
        kind="sql",
        what="one row of SQLite",
        open=lambda: _sqlite(
            f"- {{kind: sql, name: it, source: DATABASE, statement: '{SELECT}'}}\n",
            {"id": 7},
            SELECT,
            writes=False,
        ),
    ),
    case(
        "store",
        "a counter in memory",
        "- {kind: store, name: it, op: incr, key: self.path, ttl: 1d}\n",
        {"path": "/"},
        Visits(),
    ),
    Case(
        kind="store",
        what="a counter in SQLite",
        open=lambda: _sqlite(
            "- {kind: store, name: it, op: incr, source: DATABASE, key: \"'visits'\"}\n",
            {},
            STORE,
            writes=True,
        ),
    ),
    Case(kind="log", what="one value", open=_logged),
    Case(kind="print", what="a small map", open=_printed),
    case(
        "assert",
        "what holds",
        "- {kind: assert, name: it, expect: self.status == 200}\n",
        [{"status": 200}, -1],
        _asserted,
        reach=15.0,
        reason="It may have to say what was found instead of what was expected, part by part.",
    ),
)
