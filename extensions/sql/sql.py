"""sql: runs statements, all those of one process and one source in one transaction."""

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Annotated, Any, Literal

import msgspec

from heddle.extensions.extension import (
    ERROR,
    IN,
    Action,
    Answer,
    Build,
    ByteStream,
    Code,
    Error,
    Expression,
    FieldError,
    Fields,
    Flow,
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
    Visit,
    about,
)
from heddle.extensions.sql.database import Database, Isolation, Row, StatementResult
from heddle.extensions.sql.errors import rejected
from heddle.extensions.sql.pool import SqlPool
from heddle.extensions.sql.source import INTERNAL, database, internal, key_of_source, shared
from heddle.extensions.sql.statement import Statement, statement
from heddle.extensions.sql.transaction import Transaction, transaction_of
from heddle.runtime.flow.elsewhere import await_program

CHUNK = 500
"""Rows that a stream fetches at a time."""


class Sql(Fields):
    """The fields of a `sql`."""

    driver: Annotated[
        str,
        about(
            "`sqlite`, `postgres`, `internal` for the running runtime, or another with a URL of "
            "SQLAlchemy as its source; what `source` begins with, where it says nothing.",
            examples=["postgres", "sqlite3"],
        ),
    ] = ""
    source: Annotated[
        str,
        about(
            "The database: a path, `:memory:` or a URL; of `internal`, `read` (the default) or `write`.",
            examples=["postgresql://app:secret@db/shop", "app.db", ":memory:"],
        ),
    ] = ""
    isolation: Annotated[
        Isolation, about("How much the transaction is kept apart from others.")
    ] = Isolation("default")
    statement: Annotated[
        Code | None,
        about(
            "The statement to run; the packet then holds its arguments. Without it, the packet "
            "holds the statement, too.",
            examples=["SELECT * FROM orders WHERE id = :id"],
        ),
    ] = None
    args: Annotated[
        Expression | None,
        about(
            "The arguments, as a list or a map, out of the packet; the packet itself without it.",
            examples=["{'id': int(self.params.id)}"],
        ),
    ] = None
    many: Annotated[
        bool, about("The arguments are a list of lists or maps: run it once for each of them.")
    ] = False
    result: Annotated[
        Literal["rows", "row", "value", "jsonl", "json"],
        about(
            "What becomes of rows: all of them as a list of maps, the first (or null), the first "
            "value of the first (or null), or a byte stream of them as JSON lines or as one JSON "
            "list."
        ),
    ] = "rows"
    batch: Annotated[
        int,
        about(
            "Send the rows to `out` in lists of at most so many, one after the other; 0 sends all "
            "of them at once.",
            ge=0,
        ),
    ] = 0
    max_rows: Annotated[
        int, about("The most rows that one result may have; 0 is no limit.", ge=0)
    ] = 100_000
    savepoint: Annotated[
        bool,
        about(
            "A statement that fails undoes itself alone, so that a flow may go on after it. "
            "Without it PostgreSQL rejects all that comes later in the process."
        ),
    ] = False
    connections: Annotated[
        int, about("The most connections of one source; the largest number counts.", ge=1)
    ] = 10
    wait: Annotated[
        Interval, about("How long to wait for a connection, and for others that write to SQLite.")
    ] = Interval("5s")
    as_: Annotated[
        str | None,
        about(
            "Send the packet on with the result under this name, in place of the result alone: a request "
            "stays at hand behind the query.",
            examples=["task"],
        ),
    ] = msgspec.field(name="as", default=None)
    init: Annotated[
        list[Code],
        about(
            "Statements to run before the node becomes active, in one transaction; one that fails rejects the Spec.",
            examples=[
                "CREATE TABLE IF NOT EXISTS tasks (id INTEGER PRIMARY KEY, title TEXT NOT NULL)"
            ],
        ),
    ] = msgspec.field(default_factory=list)
    connect: Annotated[
        Literal["later", "now"],
        about("`now` rejects the Spec if the database cannot be reached."),
    ] = "later"

    def __post_init__(self) -> None:
        if self.batch and self.result != "rows":
            raise FieldError("batch and result together", expected="one of them", code="conflict")
        if self.as_ is not None and (self.batch or self.result in ("jsonl", "json")):
            raise FieldError(
                "as with a result in pieces",
                expected="result: rows, row or value",
                code="conflict",
                path=("as",),
            )
        if self.as_ == "":
            raise FieldError("an empty name", expected="a name", path=("as",))
        if self.args is not None and self.statement is None:
            raise FieldError(
                "args without a statement",
                expected="a statement that they are for",
                code="missing",
                path=("args",),
            )


class SqlNode(Node):
    """Runs statements on one source, through a pool that it shares with others."""

    def __init__(
        self,
        fields: Sql,
        make: Callable[[Host], Database],
        dialect: str,
        fixed: Statement | None,
        args: Program | None,
        init: list[Statement],
    ) -> None:
        self._fields = fields
        self._as = fields.as_
        self._init = init
        self._source = key_of_source(fields.driver, fields.source)
        self._make = make
        self._dialect = dialect
        self._fixed = fixed
        self._args = args
        self._host: Host | None = None
        self._pool: SqlPool | None = None
        self._wait = float(fields.wait)
        self._handler: Handler = (
            Visit(self._send_batches, waits=True)
            if fields.batch
            else Action(self._act, process=True, waits=True)
        )

    # -- life ----------------------------------------------------------------------------------

    async def open(self, host: Host) -> None:
        """Share the pool of the source; it connects with the first statement, unless told to now."""
        self._host = host
        fields = self._fields
        self._pool = shared(host).enter(
            host, self._source, lambda: self._make(host), fields.connections
        )
        if self._init:
            await self._begin_with(self._pool)
        elif fields.connect == "now":
            self._pool.release(await self._pool.acquire(self._wait))

    async def _begin_with(self, pool: SqlPool) -> None:
        """Run the statements of `init`; NodeError if one fails."""
        for left in (1, 0):
            connection = await pool.acquire(self._wait)
            try:
                await connection.begin(self._fields.isolation, writes=True, wait=self._wait)
                try:
                    for query in self._init:
                        await connection.run(query, [query.bind(None)], most=1)
                    await connection.commit()
                except BaseException:
                    await connection.rollback()
                    raise
                return
            except NodeError as failure:
                # Two that make a table at the same time: for one of them, it is there the next time.
                if not left or failure.error.code not in ("unique", "sql", "serialization"):
                    raise
            finally:
                pool.release(connection)

    async def close(self) -> None:
        """Leave the pool; who leaves it last closes it."""
        if self._host is not None and self._pool is not None:
            self._pool = None
            await shared(self._host).leave(self._host, self._source)

    def snapshot(self) -> Mapping[str, Any]:
        """Return the pool as it is now."""
        return self._pool.snapshot() if self._pool is not None else {}

    def degraded(self) -> str:
        """Return why the database cannot be reached; "" if it can."""
        return self._pool.degraded() if self._pool is not None else ""

    def handler(self, port: str) -> Handler | None:
        """Return the handler of its only in port."""
        return self._handler if port == "in" else None

    # -- packets -------------------------------------------------------------------------------

    async def _act(self, payload: Payload, process: Process) -> Payload:
        query, sets = await await_program(self._statement_of, payload)
        transaction = await self._transaction(process, query)
        fields = self._fields
        if fields.result in ("jsonl", "json"):
            if len(sets) != 1:
                raise rejected("a stream is of one set of arguments: it cannot be of many")
            rows = transaction.stream(query, sets[0], size=CHUNK)
            if fields.result == "jsonl":
                return ByteStream(_lines(rows), media="application/x-ndjson")
            return ByteStream(_list(rows), media="application/json")
        most = 0 if fields.result in ("row", "value") else fields.max_rows
        result = self._shaped(await transaction.run(query, sets, most=most, apart=fields.savepoint))
        return result if self._as is None else _beside(payload, self._as, result)

    async def _send_batches(self, flow: Flow, payload: Payload) -> Answer:
        """Send rows on in lists; the Error that a list is answered ends it, and is the answer."""
        query, sets = await await_program(self._statement_of, payload)
        transaction = await self._transaction(flow.process, query)
        count = batches = 0
        for values in sets:
            async for rows in transaction.stream(query, values, size=self._fields.batch):
                answer = await flow.send("out", rows)
                if type(answer) is Error:
                    return answer
                count += len(rows)
                batches += 1
        return {"rows": count, "batches": batches}

    async def _transaction(self, process: Process, query: Statement) -> Transaction:
        pool = self._pool
        if pool is None:
            raise NodeError(Error("the node is closed", code="dropped"))
        isolation = self._fields.isolation
        return await transaction_of(
            process, pool, isolation, writes=not query.reads, wait=self._wait
        )

    def _statement_of(self, payload: Payload) -> tuple[Statement, list[list[Any]]]:
        """Return the statement that a packet asks for, and the sets of values to run it with."""
        if self._fixed is not None:
            if not self._fixed.marks and self._args is None and not self._fields.many:
                # Whatever the packet is, it is no more than the occasion.
                return self._fixed, [[]]
            args = self._args(payload) if self._args is not None else payload
            return self._fixed, self._sets(self._fixed, args)
        text, args = payload, None
        if isinstance(payload, list | tuple) and 1 <= len(payload) <= 2:
            text, args = payload[0], payload[1] if len(payload) == 2 else None
        if type(text) is not str:
            raise rejected(
                f"found {_sort(payload)}, which is not a statement "
                '(expected: "SQL", ["SQL", [arguments]] or ["SQL", {names: arguments}])'
            )
        query = statement(text, self._dialect)
        return query, self._sets(query, args)

    def _sets(self, query: Statement, args: Any) -> list[list[Any]]:
        if self._fields.many or (
            # As in uniflow: a list of maps is one map for each run.
            query.named
            and isinstance(args, list | tuple)
            and args
            and all(isinstance(each, dict) for each in args)
        ):
            if not isinstance(args, list | tuple):
                raise rejected(f"found {_sort(args)}: with many, the arguments are a list")
            return [query.bind(each) for each in args]
        return [query.bind(args)]

    def _shaped(self, outcome: StatementResult) -> Payload:
        """Return what came of it, as the fields say."""
        rows = outcome.rows
        if rows is None:
            return {"affected": outcome.affected, "id": outcome.key}
        if self._fields.result == "rows":
            return rows
        first = rows[0] if rows else None
        if self._fields.result == "row" or first is None:
            return first
        return next(iter(first.values()), None)


def _beside(payload: Payload, name: str, result: Payload) -> Payload:
    """Return a packet with the result under a name; NodeError if it is not a map."""
    if not isinstance(payload, dict):
        raise rejected(f"found {_sort(payload)}: with `as`, the packet is a map")
    # A request stays one: what nobody reads of it is never decoded.
    with_fields = getattr(payload, "with_fields", None)
    if with_fields is not None:
        return with_fields(**{name: result})
    return {**payload, name: result}


def _sort(value: Any) -> str:
    return "null" if value is None else f"a {type(value).__name__}"


_encode = msgspec.json.Encoder().encode


async def _lines(rows: AsyncIterator[list[Row]]) -> AsyncIterator[bytes]:
    """Rows as JSON lines."""
    async for batch in rows:
        yield b"".join(_json(row) + b"\n" for row in batch)


async def _list(rows: AsyncIterator[list[Row]]) -> AsyncIterator[bytes]:
    """Rows as one JSON list."""
    mark = b"["
    async for batch in rows:
        yield mark + b",\n".join(_json(row) for row in batch)
        mark = b",\n"
    yield b"]\n" if mark == b",\n" else b"[]\n"


def _json(row: Row) -> bytes:
    return _encode(row)


def compile_sql(fields: Sql, build: Build) -> Node:
    """Return a statement that stands in the Spec is looked at now; the database is not asked."""
    make, dialect = _opener(fields, build)
    fixed: Statement | None = None
    if fields.statement is not None:
        try:
            fixed = statement(str(fields.statement), dialect)
        except NodeError as failure:
            build.reject("statement", found=str(failure), code="statement")
    args = build.program(fields.args, "args") if fields.args is not None else None
    return SqlNode(fields, make, dialect, fixed, args, _init_of(fields, dialect, build))


def _init_of(fields: Sql, dialect: str, build: Build) -> list[Statement]:
    """Return the statements of `init`; one that has placeholders or cannot be one is a Problem."""
    made: list[Statement] = []
    for index, text in enumerate(fields.init):
        path = ("init", index)
        try:
            query = statement(str(text), dialect)
        except NodeError as failure:
            build.reject(*path, found=str(failure), code="statement")
        if query.marks:
            build.reject(
                *path,
                code="statement",
                found="a placeholder",
                expected="a statement without arguments",
            )
        made.append(query)
    return made


def _opener(fields: Sql, build: Build) -> tuple[Callable[[Host], Database], str]:
    """Return what makes the Database once there is a Host, and its dialect; raise SpecError if there is none."""
    if fields.driver.lower() == INTERNAL:
        return internal(fields.source, build), "sqlite"
    first = database(fields.driver, fields.source, build)
    return lambda _: first, first.dialect


SQL: Kind[Any] = Kind(
    Schema(
        kind="sql",
        fields=Sql,
        summary="Runs SQL statements; all those of one process are one transaction.",
        category="sql",
        ins=(IN,),
        outs=(Port("out", "Rows, or what a statement has changed."), ERROR),
        example="""\
- kind: pipe
  name: put_and_list
  ports:
    out[0]:
      - {name: put, port: in}
    out[1]:
      - {name: list, port: in}
- kind: sql
  name: put
  source: ':memory:'
  init: CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, item TEXT, price REAL)
  statement: INSERT INTO orders (item, price) VALUES (:item, :price)
- kind: sql
  name: list
  source: ':memory:'
  statement: SELECT id, item, price FROM orders
""",
        details="""\
Without a `statement`, the packet is one of `"SQL"`, `["SQL", [arguments]]`, and
`["SQL", {name: argument}]`; of a list of maps each is run. With a `statement`, the packet holds the
arguments. A statement should never be put together from what others send: arguments belong into
placeholders.

**Placeholders** are `?`, numbered `?1` or `$1`, or named `:name`, in every database. In PostgreSQL `?`
is a placeholder only where the statement has none of the others, for it is an operator there. In SQLite
and through SQLAlchemy, lists and maps are sent as JSON text (SQLite) or as the driver takes them; in
PostgreSQL lists are arrays, and maps, and lists of maps, are `jsonb`.

**The answer** is a list of maps, one a row. A column whose name is there already becomes `id_2`. NULL is
null, text is text, times are ISO 8601 text, `numeric` is a number (cast it to text where every digit
counts), `bytea` and BLOB are bytes. Columns that SQLite knows as BOOLEAN are true and false, also under another name and
behind `RETURNING`; what is computed of them is 0 and 1, as it is there. With `as: task`, the packet goes on with the
result as its field `task`: behind a query, `params` and `body` of a request are still at hand. A statement that gives no rows answers
`{affected: number, id: key}`; `id` is the key that the database made, or null: PostgreSQL tells keys
through `RETURNING`, which gives rows.

**The transaction** begins with the first statement of a process and belongs to all `sql` nodes with the
same `source`. It commits when the process ends well, before its answer is sent, and rolls back where the
process ends with an Error or a status of 400 or more. A commit that fails is an Error: a listener answers
500. What `fork` begins has a transaction of its own. `BEGIN`, `COMMIT` and `ROLLBACK` are rejected.

After a statement has failed, PostgreSQL rejects every other one, and the commit; with `savepoint` the
failed statement alone is undone. SQLite always undoes that alone. In SQLite, processes that write take
turns, in order; one that has read and writes later is rejected (`serialization`) where others wrote in
between. In the default journal mode it is rejected at once while others write; with
`?_journal_mode=wal` it waits for them first. With `isolation: serializable` it waits its turn before it
reads, and is not rejected.

**Tables** can be made by `init`: its statements run in one transaction each time the node is built, before it becomes
active, so write them so that they may run again (`IF NOT EXISTS`). One that fails keeps the node from becoming active.

**Errors** have one of these codes: `unique`, `foreign-key`, `not-null`, `check`, `exclusion`,
`serialization`, `deadlock`, `locked`, `cancelled`, `read-only`, `aborted`, `unreachable`, `unconfirmed`
(the connection was lost after the commit was sent: it may have been made), and `sql` for all others. Their `data` has the code of the database as `state`.

**The connection** is made with the first statement, so a database that is down keeps nothing from
loading, unless `connect` is `now`. A database that goes away is told as the event `database gone`; it is
tried again, ever more slowly, until `database back`. Meanwhile a packet waits for `wait`, and is then
answered with an Error (`unreachable`). Nodes with the same source share its connections, through reloads
too. What is in `:memory:` has one connection, and is gone when no node uses it any more.

**Large results**: more than `max_rows` rows are an Error. With `result: jsonl` or `json` the answer is a
byte stream, which a listener sends on as `application/x-ndjson` or `application/json`; with `batch`, lists
of rows go to `out` one after the other, the
next one when the last is answered, and the answer is `{rows: number, batches: number}`. In PostgreSQL
only `SELECT` and `VALUES` can be streamed.

**The running runtime** is a database, too: `driver: internal` has [these tables](../sql.md). It needs the
extra `internal`.

Sources of SQLite may set pragmas, `app.db?_journal_mode=wal`; `foreign_keys` is on. PostgreSQL needs the
extra `postgres`, other databases the extra `sqlalchemy` and their own package.
""",
    ),
    compile_sql,
)
