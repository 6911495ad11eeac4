"""store: keeps values under keys, for a while or for good, in memory or in a database."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Annotated, Any, Literal

from heddle.extensions.extension import (
    ERROR,
    IN,
    Action,
    Build,
    Error,
    Expression,
    FieldError,
    Fields,
    Handler,
    Host,
    Interval,
    Kind,
    Node,
    NodeError,
    Payload,
    Port,
    Process,
    Program,
    Schema,
    about,
)
from heddle.extensions.sql.database import Database, Isolation, StatementResult
from heddle.extensions.sql.errors import rejected, unconfirmed
from heddle.extensions.sql.key_store import TABLE, TRIES, KeyTable, Memory, packed, unpacked, wall
from heddle.extensions.sql.pool import SqlPool
from heddle.extensions.sql.source import database, shared
from heddle.extensions.sql.statement import Statement
from heddle.extensions.sql.transaction import transaction_of
from heddle.runtime.flow.elsewhere import await_program, once

_SPACES = "sql.spaces"

Op = Literal["get", "set", "delete", "incr", "cas"]


class StoreFields(Fields):
    """The fields of a `store`."""

    op: Annotated[
        Op,
        about(
            "Answer the value of a key, keep one, forget it, add to a number, or keep one only "
            "where another is there (compare and swap)."
        ),
    ] = "get"
    source: Annotated[
        str,
        about(
            "`memory`, or a database: a path of SQLite, or a URL.",
            examples=["state.db", "postgresql://app:secret@db/shop"],
        ),
    ] = "memory"
    driver: Annotated[str, about("As for `sql`: needed only if the source does not tell.")] = ""
    space: Annotated[
        str, about("What keeps the keys of one purpose apart from those of others.", max_length=200)
    ] = "default"
    key: Annotated[
        Expression | None,
        about("The key, out of the packet; without it the packet is the key, or has it as `key`."),
    ] = None
    value: Annotated[
        Expression | None,
        about(
            "The value, out of the packet; without it the packet has it as `value`, or is the value "
            "where `key` says what the key is."
        ),
    ] = None
    expected: Annotated[
        Expression | None,
        about(
            "For `cas`, the value that has to be there, null for none; else the packet's `expected`."
        ),
    ] = None
    by: Annotated[int, about("For `incr`, how much to add; if the packet has `by`, that.")] = 1
    default: Annotated[
        Any, about("What `get` answers, and `incr` begins with, where there is no value.")
    ] = None
    ttl: Annotated[
        Interval | None, about("How long a value is kept, from when it was put there.")
    ] = None
    transaction: Annotated[
        bool,
        about(
            "Let it be a part of the transaction of the process, together with `sql` nodes of the "
            "same source."
        ),
    ] = False
    table: Annotated[str, about("The table that a database keeps the keys in.")] = "heddle_store"
    max_keys: Annotated[int, about("The most keys of a space in memory; 0 is no limit.", ge=0)] = (
        100_000
    )
    connections: Annotated[
        int, about("The most connections of one source; the largest number counts.", ge=1)
    ] = 10
    wait: Annotated[Interval, about("How long to wait for a connection.")] = Interval("5s")

    def __post_init__(self) -> None:
        if not TABLE.fullmatch(self.table):
            raise FieldError(f'"{self.table}"', expected="the name of a table", path=("table",))
        if self.transaction and self.source == "memory":
            raise FieldError(
                "a transaction in memory", expected="a database as source", path=("transaction",)
            )


class KeyRequest:
    """The request of a packet: the key, and what goes with it."""

    def __init__(self, fields: StoreFields, programs: Mapping[str, Program]) -> None:
        self._fields = fields
        self._programs = programs

    def anew(self) -> "KeyRequest":
        """Return the same for one run of a function that may run anew: each program runs once."""
        made: dict[str, Any] = {}

        def give(name: str, payload: Payload) -> Any:
            return once(self._programs, payload, (name,), made)[name]

        return KeyRequest(self._fields, {name: partial(give, name) for name in self._programs})

    def key(self, payload: Payload) -> str:
        """Return the key, as text."""
        program = self._programs.get("key")
        if program is not None:
            value = program(payload)
        else:
            value = payload.get("key") if isinstance(payload, dict) else payload
        if isinstance(value, int | float) and not isinstance(value, bool):
            value = str(value)
        if type(value) is not str or not value or len(value) > 1000:
            shown = "null" if value is None else f"a {type(value).__name__}"
            raise rejected(f"found {shown} as the key (expected: text of 1 to 1000 characters)")
        return value

    def value(self, payload: Payload) -> Any:
        """Return the value to keep."""
        program = self._programs.get("value")
        if program is not None:
            return program(payload)
        if "key" in self._programs:
            return payload
        return self._part(payload, "value")

    def expected(self, payload: Payload) -> Any:
        """Return the value that has to be there."""
        program = self._programs.get("expected")
        return program(payload) if program is not None else self._part(payload, "expected")

    def _part(self, payload: Payload, name: str) -> Any:
        if not isinstance(payload, dict) or name not in payload:
            raise rejected(f"the packet has no {name} (expected: {{key, {name}}})")
        return payload[name]

    def by(self, payload: Payload) -> int | float:
        """Return how much to add."""
        by: Any = self._fields.by
        if isinstance(payload, dict) and "by" in payload:
            by = payload["by"]
        return _number(by, "by")


def _number(value: Any, subject: str) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        shown = "null" if value is None else f"a {type(value).__name__}"
        raise rejected(f"found {shown} as {subject} (expected: a number)")
    return value


class MemoryNode(Node):
    """Keeps keys in a space that all nodes of the runtime share; it never waits."""

    def __init__(
        self, fields: StoreFields, request: KeyRequest, clock: Callable[[], float]
    ) -> None:
        self._fields = fields
        self._request = self._first = request
        self._clock = clock
        self._ttl = float(fields.ttl) if fields.ttl is not None else None
        self._memory = Memory()
        self._host: Host | None = None
        acts = {
            "get": self._get,
            "set": self._set,
            "delete": self._delete,
            "incr": self._incr,
            "cas": self._cas,
        }
        self._action = Action(acts[fields.op])
        self._leaving = Action(self._act)

    async def open(self, host: Host) -> None:
        """Share the space: it lives as long as a node uses it, and so through reloads."""
        self._host = host
        spaces = host.shared.setdefault(_SPACES, {})
        self._memory, users = spaces.setdefault(self._fields.space, (Memory(), set()))
        users.add(host)

    async def close(self) -> None:
        """Leave it; who leaves last takes what is in it along."""
        host = self._host
        if host is None:
            return
        spaces = host.shared.get(_SPACES, {})
        _, users = spaces.get(self._fields.space, (None, set()))
        users.discard(host)
        if not users:
            spaces.pop(self._fields.space, None)

    def snapshot(self) -> Mapping[str, Any]:
        """Return how many keys there are."""
        return {"keys": len(self._memory)}

    def handler(self, port: str) -> Handler | None:
        """Return the handler of its only in port."""
        if port != "in":
            return None
        return self._leaving if self.leaves else self._action

    def _act(self, payload: Payload) -> Payload:
        self._request = self._first.anew()
        # Looked up by its name: a node that held a method of its own would not be freed at once.
        answer: Payload = getattr(self, f"_{self._fields.op}")(payload)
        return answer

    def _put(self, key: str, value: Any, now: float) -> None:
        expires = now + self._ttl if self._ttl is not None else None
        self._memory.put(key, value, expires, now, self._fields.max_keys)

    def _get(self, payload: Payload) -> Payload:
        memory = self._memory.get(self._request.key(payload), self._clock())
        return memory[0] if memory is not None else self._fields.default

    def _set(self, payload: Payload) -> Payload:
        value = self._request.value(payload)
        self._put(self._request.key(payload), value, self._clock())
        return value

    def _delete(self, payload: Payload) -> Payload:
        return self._memory.delete(self._request.key(payload), self._clock())

    def _incr(self, payload: Payload) -> Payload:
        key, now = self._request.key(payload), self._clock()
        memory = self._memory.get(key, now)
        number = _added(
            memory[0] if memory is not None else None, self._request.by(payload), self._fields
        )
        self._put(key, number, now)
        return number

    def _cas(self, payload: Payload) -> Payload:
        key, now = self._request.key(payload), self._clock()
        memory = self._memory.get(key, now)
        if (memory[0] if memory is not None else None) != self._request.expected(payload):
            return False
        self._put(key, self._request.value(payload), now)
        return True


def _added(value: Any, by: int | float, fields: StoreFields) -> int | float:
    """Return a number and what is added to it; it begins with the default, or 0."""
    if value is None:
        value = fields.default if fields.default is not None else 0
    return _number(value, "what is kept") + by


class TableNode(Node):
    """Keeps keys in a table of a database."""

    def __init__(
        self, fields: StoreFields, request: KeyRequest, clock: Callable[[], float], first: Database
    ) -> None:
        self._fields = fields
        self._request = request
        self._clock = clock
        self._first = first
        self._table = KeyTable(fields.table, first.dialect, fields.space)
        self._ttl = float(fields.ttl) if fields.ttl is not None else None
        self._wait = float(fields.wait)
        self._pool: SqlPool | None = None
        self._host: Host | None = None
        self._action = Action(self._act, process=True, waits=True)

    async def open(self, host: Host) -> None:
        """Share the pool of the source; it connects with the first packet."""
        self._host = host
        fields = self._fields
        self._pool = shared(host).enter(
            host, fields.source, lambda: self._first, fields.connections
        )

    async def close(self) -> None:
        """Leave the pool."""
        if self._host is not None and self._pool is not None:
            self._pool = None
            await shared(self._host).leave(self._host, self._fields.source)

    def snapshot(self) -> Mapping[str, Any]:
        """Return the pool as it is now."""
        return self._pool.snapshot() if self._pool is not None else {}

    def degraded(self) -> str:
        """Return why the database cannot be reached; "" if it can."""
        return self._pool.degraded() if self._pool is not None else ""

    def handler(self, port: str) -> Handler | None:
        """Return the handler of its only in port."""
        return self._action if port == "in" else None

    async def _act(self, payload: Payload, process: Process) -> Payload:
        pool = self._pool
        if pool is None:
            raise NodeError(Error("the node is closed", code="dropped"))
        try:
            return await self._run(payload, process, pool)
        except NodeError:
            # The table may have gone: the next packet makes it again.
            self._table.made = False
            raise

    async def _run(self, payload: Payload, process: Process, pool: SqlPool) -> Payload:
        if self._fields.transaction:
            transaction = await transaction_of(
                process,
                pool,
                Isolation("default"),
                writes=self._fields.op != "get",
                wait=self._wait,
            )

            async def within(statement: Statement, values: Sequence[Any]) -> StatementResult:
                return await transaction.run(statement, [list(values)], most=0, apart=False)

            if not self._table.made:
                await self._table.ready(within, lasts=False)
                process.on_exit(self._ended)
            return await getattr(self, f"_{self._fields.op}")(within, payload)
        connection = await pool.acquire(self._wait)
        try:

            async def alone(statement: Statement, values: Sequence[Any]) -> StatementResult:
                try:
                    return await connection.run(statement, [list(values)], most=0)
                except NodeError as error:
                    if statement.reads or not connection.lost:
                        raise
                    raise unconfirmed(connection.lost, "", error) from error

            await self._table.ready(alone, lasts=True)
            return await getattr(self, f"_{self._fields.op}")(alone, payload)
        finally:
            pool.release(connection)

    def _ended(self, error: Error | None) -> None:
        """Look again for a table that a process has made within its transaction."""
        self._table.made = error is None

    def _expires(self, now: float) -> float | None:
        return now + self._ttl if self._ttl is not None else None

    async def _get(self, run: Any, payload: Payload) -> Payload:
        key = await await_program(self._request.key, payload)
        table = await self._table.get(run, key, self._clock())
        return unpacked(table) if table is not None else self._fields.default

    async def _set(self, run: Any, payload: Payload) -> Payload:
        key = await await_program(self._request.key, payload)
        value = await await_program(self._request.value, payload)
        now = self._clock()
        await self._table.put(run, key, packed(value), self._expires(now), now)
        return value

    async def _delete(self, run: Any, payload: Payload) -> Payload:
        key = await await_program(self._request.key, payload)
        return await self._table.delete(run, key, self._clock())

    async def _incr(self, run: Any, payload: Payload) -> Payload:
        key, by = await await_program(self._request.key, payload), self._request.by(payload)
        for _ in range(TRIES):
            now = self._clock()
            old = await self._table.get(run, key, now)
            number = _added(unpacked(old) if old is not None else None, by, self._fields)
            if await self._table.swap(run, key, old, packed(number), self._expires(now), now):
                return number
            await asyncio.sleep(0)
        raise NodeError(Error(f'others keep changing "{key}"', code="serialization"))

    async def _cas(self, run: Any, payload: Payload) -> Payload:
        key = await await_program(self._request.key, payload)
        expected = await await_program(self._request.expected, payload)
        now = self._clock()
        old = await self._table.get(run, key, now)
        if (unpacked(old) if old is not None else None) != expected:
            return False
        new = packed(await await_program(self._request.value, payload))
        return await self._table.swap(run, key, old, new, self._expires(now), now)


def compile_store(fields: StoreFields, build: Build, *, clock: Callable[[], float]) -> Node:
    """Expressions are compiled; a database is not asked."""
    programs: dict[str, Program] = {}
    for name in ("key", "value", "expected"):
        expression = getattr(fields, name)
        if expression is not None:
            programs[name] = build.program(expression, name)
    request = KeyRequest(fields, programs)
    if fields.source in ("memory", "memory://"):
        return MemoryNode(fields, request, clock)
    first = database(fields.driver, fields.source, build)
    if first.dialect == "other":
        build.reject(
            "source",
            found="a database behind SQLAlchemy",
            expected="memory, SQLite or PostgreSQL",
            code="source",
        )
    return TableNode(fields, request, clock, first)


def store(clock: Callable[[], float]) -> Kind[Any]:
    """Return the kind `store`, by this clock."""
    return Kind(_SCHEMA, partial(compile_store, clock=clock))


_SCHEMA = Schema(
    kind="store",
    fields=StoreFields,
    summary="Keeps values under keys, for a while or for good, in memory or in a database.",
    category="data",
    ins=(IN,),
    outs=(Port("out", "What came of it."), ERROR),
    example="""\
- kind: listener
  name: listener
  port: 0
  ports:
    out:
      - {name: visits, port: in}
- kind: store
  name: visits
  op: incr
  key: "'visits of ' + self.path"
  ttl: 1d
""",
    details="""\
| `op` | the packet | the answer |
|---|---|---|
| `get` | the key, or `{key}` | the value, or `default` |
| `set` | `{key, value}` | the value |
| `delete` | the key, or `{key}` | whether it was there |
| `incr` | the key, or `{key, by}` | the number that it is now; it begins with `default`, or 0 |
| `cas` | `{key, expected, value}` | whether the value was kept: only if `expected` was there, null for none |

With `key`, `value` and `expected` they are made out of any packet, such as a request. A value is any plain
data; in a database it is kept as bytes of msgpack, so numbers have at most 64 bits there. `incr` and `cas` are
atomic, whoever else changes the key at the same time, in whatever runtime.

A value is kept for `ttl` from the last time that it was put, or for good. What has expired is not answered
any more, and is removed sooner or later.

**Memory** is shared by all nodes of one `space` of one runtime. It outlives reloads, but not the last node
that uses it. A key beyond `max_keys` is an Error (`full`).

**A database** keeps the keys in the `table`, which is made with the first packet. Several runtimes may share
it. Connections, and what becomes of packets while the database is away, are as for `sql`. What is kept stays,
even if its process fails, unless `transaction` makes it a part of the transaction of the process. In SQLite
that is needed if `sql` nodes of one process write to the same file: it has one writer at a time.
""",
)

STORE: Kind[Any] = store(wall)
