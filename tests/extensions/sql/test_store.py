"""store: values under keys, in memory and in databases, by a clock that the tests move."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from heddle.extensions import control, languages
from heddle.extensions.sql.sql import SQL
from heddle.extensions.sql.store import STORE, store
from heddle.runtime.assembly.extension import Registry
from heddle.runtime.flow.errors import Error
from heddle.runtime.flow.stream import ByteStream
from heddle.runtime.runtime import Runtime
from tests.postgres import schema
from tests.support import change, stored

pytestmark = pytest.mark.anyio


class Hands:
    """A clock that the tests move."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def keeping(*texts: str) -> AsyncIterator[tuple[Runtime, Hands]]:
    """Provide a runtime whose stores go by a clock of ours."""
    clock, found = Hands(), Registry()
    for source in (control.register, languages.register, SQL, store(clock)):
        found.add(source)
    async with Runtime(store=stored(*texts), kinds=found) as rt:
        assert not rt.status().problems, [str(one) for one in rt.status().problems]
        yield rt, clock


@pytest.fixture(params=["memory", "sqlite", "postgres"])
async def source(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    """Somewhere to keep things, of each sort."""
    if request.param == "postgres":
        async with schema() as url:
            yield url
    else:
        yield "memory" if request.param == "memory" else str(tmp_path / "x.db")


OPS = ("get", "set", "delete", "incr", "cas")


def nodes(source: str, *lines: str) -> str:
    """Return a node for each operation, called as the operation is."""
    more = "".join(f"  {line}\n" for line in lines)
    return "".join(
        f"- kind: store\n  name: {op}\n  op: {op}\n  source: {source!r}\n{more}" for op in OPS
    )


VALUES: list[Any] = [
    None, False, 0, 1.5, "", "é", b"\x00\xff", [], {}, {"a": [1, {"b": None}]}, 1 << 62,
]  # fmt: skip


async def test_what_was_set_is_got_as_it_was(source: str) -> None:
    async with keeping(nodes(source, "default: nothing")) as (rt, _):
        assert await rt.send("get", "k") == "nothing"
        for value in VALUES:
            assert await rt.send("set", {"key": "k", "value": value}) == value
            found = await rt.send("get", "k")
            assert found == value
            assert type(found) is type(value)
        assert await rt.send("get", {"key": "k"}) == VALUES[-1]


async def test_what_was_deleted_is_gone(source: str) -> None:
    async with keeping(nodes(source)) as (rt, _):
        await rt.send("set", {"key": "k", "value": 1})
        assert await rt.send("delete", "k") is True
        assert await rt.send("delete", "k") is False
        assert await rt.send("get", "k") is None


async def test_values_expire(source: str) -> None:
    async with keeping(nodes(source, "ttl: 10s")) as (rt, clock):
        await rt.send("set", {"key": "k", "value": 1})
        clock.now += 9
        assert await rt.send("get", "k") == 1
        await rt.send("set", {"key": "k", "value": 2})
        clock.now += 9.9
        assert await rt.send("get", "k") == 2
        clock.now += 0.1
        assert await rt.send("get", "k") is None
        assert await rt.send("delete", "k") is False
        assert await rt.send("incr", "k") == 1
        clock.now += 10
        assert await rt.send("cas", {"key": "k", "expected": 1, "value": 2}) is False
        assert await rt.send("cas", {"key": "k", "expected": None, "value": 2}) is True


async def test_numbers_are_added_to_without_losing_any(source: str) -> None:
    async with keeping(nodes(source)) as (rt, _):
        answers = await asyncio.gather(*(rt.send("incr", "n") for _ in range(30)))
        assert sorted(answers) == list(range(1, 31))
        assert await rt.send("incr", {"key": "n", "by": -1.5}) == 28.5


async def test_only_one_of_many_swaps(source: str) -> None:
    async with keeping(nodes(source)) as (rt, _):
        packets = [{"key": "lock", "expected": None, "value": number} for number in range(10)]
        answers = await asyncio.gather(*(rt.send("cas", packet) for packet in packets))
        assert sorted(answers, key=str) == [False] * 9 + [True], answers
        winner = answers.index(True)
        assert await rt.send("get", "lock") == winner
        packet = {"key": "lock", "expected": winner, "value": {"next": 1}}
        assert await rt.send("cas", packet) is True
        assert await rt.send("cas", packet) is False


async def test_spaces_are_apart(source: str) -> None:
    flow = nodes(source, "space: a") + (
        f"- {{kind: store, name: other, op: set, source: {source!r}, space: b}}\n"
    )
    async with keeping(flow) as (rt, _):
        await rt.send("other", {"key": "k", "value": 1})
        assert await rt.send("get", "k") is None


async def test_keys_and_values_are_made_out_of_the_packet(source: str) -> None:
    flow = (
        nodes(source)
        + f"""
- {{kind: store, name: remember, op: set, source: {source!r}, key: "'user ' + self.id", value: self.name}}
- {{kind: store, name: keep, op: set, source: {source!r}, key: self.id}}
- {{kind: store, name: swap, op: cas, source: {source!r}, key: self.id, expected: self.old, value: self.new}}
"""
    )
    async with keeping(flow) as (rt, _):
        await rt.send("remember", {"id": "7", "name": "Ada"})
        assert await rt.send("get", "user 7") == "Ada"
        await rt.send("keep", {"id": 8})
        assert await rt.send("get", "8") == {"id": 8}
        assert await rt.send("swap", {"id": 8, "old": {"id": 8}, "new": 1}) is True


@pytest.mark.parametrize(
    ("op", "payload", "said"),
    [
        ("get", None, "found null as the key"),
        ("get", {"k": 1}, "found null as the key"),
        ("get", "x" * 1001, "as the key"),
        ("get", True, "found a bool as the key"),
        ("set", {"key": "k"}, "the packet has no value (expected: {key, value})"),
        ("set", "k", "the packet has no value"),
        ("cas", {"key": "k", "value": 1}, "the packet has no expected"),
        ("incr", {"key": "k", "by": "1"}, "found a str as by (expected: a number)"),
        ("incr", "text", "found a str as what is kept"),
    ],
)
async def test_packets_that_ask_for_nothing_say_what_is_wanted(
    source: str, op: str, payload: Any, said: str
) -> None:
    async with keeping(nodes(source)) as (rt, _):
        await rt.send("set", {"key": "text", "value": "text"})
        answer = await rt.send(op, payload)
    assert isinstance(answer, Error)
    assert said in answer.message
    assert answer.code == "sql"


async def test_what_cannot_be_kept_is_rejected(source: str) -> None:
    async def nothing() -> AsyncIterator[bytes]:
        yield b""

    async with keeping(nodes(source)) as (rt, _):
        answer = await rt.send("set", {"key": "k", "value": ByteStream(nothing())})
    assert isinstance(answer, Error)
    assert "cannot be kept" in answer.message


async def test_memory_is_bounded_and_what_has_expired_makes_room() -> None:
    flow = "- {kind: store, name: set, op: set, ttl: 10s, max_keys: 2}\n"
    async with keeping(flow) as (rt, clock):
        for key in ("a", "b"):
            await rt.send("set", {"key": key, "value": 1})
        answer = await rt.send("set", {"key": "c", "value": 1})
        assert isinstance(answer, Error)
        assert answer.code == "full"
        assert await rt.send("set", {"key": "a", "value": 2}) == 2
        clock.now += 10
        assert await rt.send("set", {"key": "c", "value": 1}) == 1


async def test_what_is_kept_outlives_a_reload(source: str) -> None:
    text = nodes(source)
    async with keeping(text) as (rt, _):
        await rt.send("set", {"key": "k", "value": 1})
        await change(rt, text.replace("name: get\n", "name: get\n  default: other\n"))
        assert await rt.send("get", "k") == 1
        assert await rt.send("get", "none") == "other"


async def test_runtimes_share_a_database() -> None:
    async with schema() as url, keeping(nodes(url)) as (one, _), keeping(nodes(url)) as (other, _):
        work = [rt.send("incr", "n") for rt in (one, other) for _ in range(10)]
        answers = await asyncio.gather(*work)
        assert sorted(answers, key=str) == sorted(range(1, 21), key=str)


async def test_what_has_expired_is_removed_from_the_table(tmp_path: Path) -> None:
    source = str(tmp_path / "x.db")
    flow = nodes(source, "ttl: 10s") + f"- {{kind: sql, name: db, source: {source!r}}}\n"
    async with keeping(flow) as (rt, clock):
        await rt.send("set", {"key": "a", "value": 1})
        clock.now += 100
        await rt.send("set", {"key": "b", "value": 1})
        assert await rt.send("db", "SELECT name FROM heddle_store") == [{"name": "b"}]


async def test_a_table_that_was_dropped_is_made_again(tmp_path: Path) -> None:
    source = str(tmp_path / "x.db")
    flow = nodes(source) + f"- {{kind: sql, name: db, source: {source!r}}}\n"
    async with keeping(flow) as (rt, _):
        await rt.send("set", {"key": "a", "value": 1})
        await rt.send("db", "DROP TABLE heddle_store")
        assert isinstance(await rt.send("set", {"key": "a", "value": 1}), Error)
        assert await rt.send("set", {"key": "a", "value": 2}) == 2


BOTH = """
- {kind: sql, name: db, source: SOURCE}
- {kind: sql, name: put, source: SOURCE, statement: INSERT INTO t VALUES (1)}
- {kind: pipe, name: good, ports: {'out[0]': [{name: put, port: in}], 'out[1]': [{name: mark, port: in}]}}
- kind: pipe
  name: bad
  ports:
    out[0]: [{name: put, port: in}]
    out[1]: [{name: mark, port: in}]
    out[2]: [{name: fail, port: in}]
- {kind: throw, name: fail}
- {kind: store, name: mark, op: set, source: SOURCE, transaction: TRANSACTION, key: "'done'", value: 'true'}
- {kind: store, name: get, source: SOURCE}
"""


@pytest.mark.parametrize("transaction", [True, False])
async def test_a_store_may_be_a_part_of_the_transaction(tmp_path: Path, transaction: bool) -> None:
    async with schema() as url:
        sources = [url, str(tmp_path / "x.db")] if transaction else [url]
        for source in sources:
            flow = BOTH.replace("SOURCE", repr(source))
            async with keeping(flow.replace("TRANSACTION", str(transaction).lower())) as (rt, _):
                await rt.send("db", "CREATE TABLE t (a int)")
                assert isinstance(await rt.send("bad", None), Error)
                assert await rt.send("get", "done") == (None if transaction else True)
                assert await rt.send("db", "SELECT a FROM t") == []
                assert await rt.send("good", None) is True
                assert await rt.send("get", "done") is True
                assert await rt.send("db", "SELECT a FROM t") == [{"a": 1}]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("transaction: true", "a transaction in memory (expected: a database as source)"),
        ("table: 'a; DROP TABLE x'", "the name of a table"),
        ("op: put", "put"),
        ("source: 'mysql+pymysql://h/x'", "pymysql"),
        ("source: 'sqlite+pysqlite:///x'", "memory, SQLite or PostgreSQL"),
        ("key: 'self +'", "key"),
    ],
)
async def test_a_spec_that_cannot_work_is_a_problem(lines: str, said: str) -> None:
    async with Runtime(store=stored(f"- {{kind: store, name: s, {lines}}}\n")) as rt:
        [problem] = rt.status().problems
    assert said in str(problem)


async def test_the_example_of_the_page_runs() -> None:
    async with Runtime(store=stored(STORE.schema.example)) as rt:
        assert not rt.status().problems
        assert await rt.send("visits", {"path": "/x"}) == 1
        assert await rt.send("visits", {"path": "/x"}) == 2
