"""Whichever field of whichever kind takes code: a slow program in it never holds the event loop."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from heddle.runtime.assembly.extension import registry
from heddle.runtime.flow.errors import NOTHING, Error
from heddle.runtime.runtime import Runtime
from heddle.schemas.code import Code, Expression
from heddle.schemas.guard import GuardFields
from heddle.schemas.shape import FieldShape, fields_of
from tests.support import running

pytestmark = pytest.mark.anyio

SPIN = "(() => { let s = 0; for (let i = 0; i < 3000000; i++) s += i % 7; return s })() > 0"
"""It takes some 300 ms."""

BEATS = 20
"""How often others have their turn meanwhile, at least: all 300 ms would be some 300 times."""

NO_PROGRAMS = {
    "sql.statement": "SQL, which the database runs",
    "sql.init[]": "SQL, which the database runs when the node begins",
    "test.fails": "checked by heddle test, in a process of its own: see test_whole_flow",
}


def slow(code: str) -> str:
    """Return the code in JavaScript, as an expression of YAML; what it gives, it gives late."""
    return f"{{language: javascript, code: '{SPIN} && ({code})'}}"


# --- the table -----------------------------------------------------------------------------------


class Row(NamedTuple):
    """A flow whose node `a@` has a slow program in `field`; `sees` is part of its snapshot then.

    `@` stands for the number of the row, `%` for a folder.
    """

    field: str
    text: str
    payload: Any = 1
    answer: Any = 1
    sees: dict[str, Any] = {}  # noqa: RUF012 - of a NamedTuple


def kind(name: str, said: str, out: str = "") -> str:
    """Return a node `a@` of this kind; what it sends goes to a `b@`, if that is given."""
    ports = ", ports: {out: {name: b@, port: in}}" if out else ""
    return f"- {{kind: {name}, name: a@, {said}{ports}}}\n{out}"


def table(op: str, said: str, source: str) -> str:
    """Return a `store` in this source, each in a space of its own."""
    return kind("store", f"op: {op}, source: '{source}', space: s@, {said}")


TEXT, KEY, NAMED, PRINTED = (slow(f'"{text}"') for text in ("it", "k", "b@", "printed @."))
MADE = slow('({X: "1"})')
ONE = "- {kind: snippet, name: b@, language: json, code: '1'}\n"
MORE = "- {kind: snippet, name: b@, language: cel, code: self + 1}\n"
FAILS = "- {kind: throw, name: b@}\n"
REQUEST = {"method": "GET", "path": "/", "header": {}}
KNOWN = {**REQUEST, "header": {"Authorization": ["Basic dTpw"]}}
HANDSHAKE = {
    **REQUEST,
    "header": {
        "Host": ["localhost"],
        "Connection": ["Upgrade"],
        "Upgrade": ["websocket"],
        "Sec-WebSocket-Version": ["13"],
        "Sec-WebSocket-Key": ["dGhlIHNhbXBsZSBub25jZQ=="],
    },
}
MEMORY, FILE = "memory", "%/store.db"
UNREACHABLE = "backends: ['http://127.0.0.1:1']"

WORK = "inputs: {x: in.x}, do: {kind: snippet, language: cel, code: self.x}"
FAILING = "do: {kind: throw}"


def flow(task: str) -> str:
    """Return a workflow `a@` with one task."""
    return kind("workflow", f"inputs: {{x: {{type: any}}}}, tasks: [{{name: t, {task}}}]")


ROWS = [
    Row("snippet.code", kind("snippet", slow("payload + 1")[1:-1]), 1, 2),
    Row("if.when", kind("if", f"when: {slow('true')}", ONE)),
    Row(
        "switch.matches[].when",
        kind("switch", f"matches: [{{when: {slow('true')}, port: 'out[0]'}}]", ONE),
    ),
    Row("while.when", kind("while", f"when: {slow('payload < 1')}", MORE), 0),
    Row("reduce.each", kind("reduce", f"each: {slow('payload.total + payload.value')}"), [1, 2], 3),
    Row(
        "reduce.items",
        kind("reduce", f"items: {slow('payload.x')}, each: total + value"),
        {"x": [1, 2]},
        3,
    ),
    Row("for.items", kind("for", f"items: {slow('payload.x')}"), {"x": [1, 2]}, [1, 2]),
    Row("call.choose", kind("call", f"targets: [b@], choose: {NAMED}") + MORE, 1, 2),
    Row("call.args", kind("call", f"target: b@, args: {slow('payload + 1')}") + MORE, 1, 3),
    Row("call.result", kind("call", f"target: b@, result: {slow('payload.answer')}") + MORE, 1, 2),
    Row("session.set{}", kind("session", f"set: {{x: {slow('payload')}}}, get: [x]"), 1, {"x": 1}),
    Row("log.message", kind("log", f"event: seen@, message: {TEXT}")),
    Row("log.values{}", kind("log", f"event: seen@, values: {{x: {TEXT}}}")),
    Row("print.text", kind("print", f"text: {PRINTED}")),
    Row("retry.when", kind("retry", f"attempts: 2, when: {slow('true')}", FAILS), 1, Error),
    Row("(guard).retry.when", kind("throw", f"retry: {{when: {slow('true')}}}"), 1, Error),
    Row("cache.key", kind("cache", f"key: {slow('payload')}", ONE), sees={"misses": 1, "kept": 1}),
    Row("cache.keep", kind("cache", f"keep: {slow('true')}", ONE), sees={"misses": 1, "kept": 1}),
    Row(
        "breaker.when",
        kind("breaker", f"failures: 1, when: {slow('true')}", FAILS),
        answer=Error,
        sees={"state": "open", "failures": 1},
    ),
    Row(
        "workflow.idempotency_key",
        kind(
            "workflow",
            f"idempotency_key: {slow('payload.x')}, inputs: {{x: {{type: any}}}}, "
            f"tasks: [{{name: t, {WORK}}}]",
        ),
    ),
    Row("workflow.tasks[].when", flow(f"when: {slow('payload.x == 1')}, {WORK}")),
    Row(
        "workflow.tasks[].retry.when", flow(f"retry: {{when: {slow('true')}}}, {FAILING}"), 1, Error
    ),
    Row("throttle.key", kind("throttle", f"count: 2, key: {slow('1')}"), sees={"passed": 1}),
    Row(
        "throttle.key",
        kind("throttle", f"count: 2, over: fail, key: {slow('1')}"),
        sees={"passed": 1},
    ),
    Row(
        "debounce.key",
        kind("debounce", f"wait: 1h, edge: first, key: {slow('1')}"),
        sees={"passed": 1, "dropped": 0, "open": 1},
    ),
    Row(
        "dedupe.key",
        kind("dedupe", f"key: {slow('1')}", ONE),
        sees={"first": 1, "duplicates": 0},
    ),
    Row(
        "collect.key",
        kind("collect", f"count: 2, key: {slow('1')}", ONE),
        answer=NOTHING,
        sees={"windows": 1, "held": 1},
    ),
    Row(
        "sql.args",
        kind("sql", f"source: '%/it.db', statement: select ? as x, args: {slow('[payload]')}"),
        answer=[{"x": 1}],
    ),
    Row(
        "sql.args",
        kind(
            "sql",
            f"source: '%/it.db', batch: 9, statement: select ?, args: {slow('[payload]')}",
            ONE,
        ),
        answer={"rows": 1, "batches": 1},
    ),
    *(
        row
        for source in (MEMORY, FILE)
        for row in (
            Row("store.key", table("set", f"key: {KEY}, value: self", source)),
            Row("store.key", table("get", f"key: {KEY}", source), answer=None),
            Row("store.key", table("delete", f"key: {KEY}", source), answer=False),
            Row("store.key", table("incr", f"key: {KEY}", source), answer=1),
            Row("store.value", table("set", f"key: string(1), value: {slow('payload')}", source)),
            Row(
                "store.expected",
                table("cas", f"key: string(1), value: self, expected: {slow('null')}", source),
                answer=True,
            ),
        )
    ),
    Row(
        "proxy.key",
        kind("proxy", f"{UNREACHABLE}, balance: hash, key: {slow('1')}"),
        REQUEST,
        Error,
    ),
    Row(
        "proxy.values{}",
        kind("proxy", f"{UNREACHABLE}, values: {{X: {slow('1')}}}"),
        REQUEST,
        Error,
    ),
    Row("auth.allow", kind("auth", f"basic: {{u: p}}, allow: {slow('true')}", ONE), KNOWN),
    Row("respond.body", kind("respond", f"body: {slow('payload')}"), answer=...),
    Row("respond.headers", kind("respond", f"headers: {MADE}"), answer=...),
    Row("fork.answer", kind("fork", f"answer: {slow('payload')}"), 1, 1),
    Row("sse.events", kind("sse", f"events: {slow('payload.x')}"), {"x": [1]}, ...),
    Row("sse.topics", kind("sse", f"once: true, topics: {TEXT}"), REQUEST, ...),
    Row("websocket.rooms", kind("websocket", f"rooms: {TEXT}"), HANDSHAKE, ...),
    Row("assert.expect", kind("assert", f"expect: {slow('payload === 1')}"), [1, 0], [1, 0]),
    Row("assert.expect", kind("assert", f"expect: {slow('payload === 2')}"), [1, 0], Error),
]


# --- the promises --------------------------------------------------------------------------------


def test_the_table_has_every_field_that_takes_code() -> None:
    known = {row.field for row in ROWS} | NO_PROGRAMS.keys()
    assert set(code_fields()) == known


def code_fields() -> Iterator[str]:
    """Yield where code stands, in the fields of every kind and round its nodes."""
    for kind in registry().scheme.kinds.values():
        yield from inside(kind.schema.fields, kind.name)
    yield from inside(GuardFields, "(guard)")


def inside(group: type[msgspec.Struct], path: str) -> Iterator[str]:
    for field in fields_of(group):
        yield from places(field.shape, f"{path}.{field.name}")


def places(shape: FieldShape, path: str) -> Iterator[str]:
    if shape.form == "custom" and issubclass(shape.bare, Code | Expression):
        yield path
    elif shape.form == "object":
        yield from inside(shape.bare, path)
    elif shape.form in ("array", "mapping", "union"):
        more = {"array": "[]", "mapping": "{}"}.get(shape.form, "")
        for item in shape.items:
            yield from places(item, path + more)


class Heart:
    """It beats as often as others have their turn on the loop."""

    def __init__(self) -> None:
        self.beats = 0

    async def __call__(self) -> None:
        while True:
            await asyncio.sleep(0.001)
            self.beats += 1


@asynccontextmanager
async def beating() -> AsyncIterator[Heart]:
    heart = Heart()
    task = asyncio.ensure_future(heart())
    try:
        yield heart
    finally:
        task.cancel()


async def test_no_slow_program_holds_the_loop_or_does_a_thing_twice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = [
        row.text.replace("@", str(number)).replace("%/", f"{tmp_path}/")
        for number, row in enumerate(ROWS)
    ]
    wrong: list[str] = []
    async with running(*texts) as rt, beating() as heart:
        for number, row in enumerate(ROWS):
            before = heart.beats
            answer = await rt.send(f"a{number}", row.payload)
            found = fault(rt, number, answer, heart.beats - before)
            wrong += [f"{number} {row.field}: {found}"] if found else []
        seen = [one.event for one in rt.events.recent if one.event.startswith("seen")]
        assert wrong == []
        assert len(seen) == len(set(seen)) == 2
    assert capsys.readouterr().out.count("printed") == 1


def fault(rt: Runtime, number: int, answer: Any, beats: int) -> str:
    """Return what is wrong with how a row went; empty if nothing is."""
    row = ROWS[number]
    if row.answer is Error:
        if not isinstance(answer, Error) or "event loop" in answer.message:
            return f"answered {answer!r}"
    elif isinstance(answer, Error) or (row.answer is not ... and answer != row.answer):
        return f"answered {answer!r}"
    symbol = rt.table.get(f"a{number}")
    assert symbol is not None
    state = symbol.node.snapshot()
    if any(state[name] != value for name, value in row.sees.items()):
        return f"its state is {dict(state)}"
    return f"only {beats} beats" if beats < BEATS else ""
