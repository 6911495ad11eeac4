"""The languages javascript and typescript: shapes of code, payloads, promises, errors with lines."""

import subprocess
import sys
import time
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from heddle.extensions.languages.errors import ProgramError
from heddle.extensions.languages.javascript import JAVASCRIPT, TYPESCRIPT
from heddle.runtime.assembly.language import CompileError, Options
from heddle.runtime.flow.errors import Error, NodeError
from heddle.runtime.flow.stream import ByteStream


def run(code: str, payload: Any = None) -> Any:
    return JAVASCRIPT.compile(code)(payload)


def run_typed(code: str, payload: Any = None) -> Any:
    return TYPESCRIPT.compile(code)(payload)


SHAPES = [
    ("payload.a + 1", {"a": 1}, 2),
    ("self.a > 3;", {"a": 4}, True),
    ("{ sum: payload[0] + payload[1] }", [1, 2], {"sum": 3}),
    ("(payload) => payload.a", {"a": 1}, 1),
    ("function (payload) { return payload * 2 }", 4, 8),
    ("payload // what came\n", 1, 1),
    ("export default function (payload) { return payload + 1 }", 1, 2),
    ("export default (payload) => payload + 1", 1, 2),
    ("const twice = (x) => x * 2;\nexport default (p) => p.map(twice);", [1, 2], [2, 4]),
    ("const main = (p) => p + 1;\nexport { main as default };", 1, 2),
    ("export function main(p) { return p + 1 }", 1, 2),
    ("export default 42", None, 42),
    ("module.exports = (p) => p + 1", 1, 2),
    ("exports.default = (p) => p + 1", 1, 2),
    ("module.exports = { limit: 3 }", None, {"limit": 3}),
    ("const step = 2;\nfunction main(p) { return p + step }", 1, 3),
    ("export default async (p) => p + (await Promise.resolve(1))", 1, 2),
    ("new Promise((done) => done(payload))", 5, 5),
    ("async (p) => { let n = 0; for await (const x of p) n += x; return n }", [1, 2], 3),
]


@pytest.mark.parametrize(("code", "payload", "wanted"), SHAPES, ids=[row[0] for row in SHAPES])
def test_code_of_every_sane_shape_runs(code: str, payload: Any, wanted: Any) -> None:
    assert run(code, payload) == wanted


PAYLOADS: list[Any] = [
    None,
    True,
    0,
    -1.5,
    "é😀\n",
    [],
    {},
    [1, "a", [None, {"b": [True]}]],
    {"a": {"b": {"c": [1, 2.5]}}},
    b"",
    b"a\xff\x00",
    {"data": [b"ab", 2**64, -(2**70)], "n": 2**53 - 1},
    {"": 1, "__proto__x": 2},
]


@pytest.mark.parametrize("payload", PAYLOADS, ids=repr)
def test_payloads_go_through_unchanged(payload: Any) -> None:
    found = run("payload", payload)
    assert found == payload
    assert type(found) is type(payload)


RESULTS = [
    ("undefined", None),
    ("[undefined, () => 1]", [None, None]),
    ("({ a: undefined, b: 1 })", {"b": 1}),
    ("NaN", None),
    ("new Date(0)", "1970-01-01T00:00:00.000Z"),
    ("new Map([['a', 1n], ['b', new Set([1])]])", {"a": 1, "b": [1]}),
    ("new TextBytes()", None),
    ("new Uint8Array([1, 2])", b"\x01\x02"),
    ("new Uint8Array([1, 2, 3]).buffer", b"\x01\x02\x03"),
    ("[new Uint8Array([255])].concat(2n ** 64n)", [b"\xff", 2**64]),
    ("new Float64Array([1.5, 2])", [1.5, 2]),
    ("({ toJSON() { return 'said' } })", "said"),
    ("2 ** 53", 2**53),
    ("1e300", 1e300),
    ("'x'.repeat(5000) + 'é'.repeat(5000)", "x" * 5000 + "é" * 5000),
]


@pytest.mark.parametrize(("code", "wanted"), [row for row in RESULTS if "Text" not in row[0]])
def test_results_are_plain_data(code: str, wanted: Any) -> None:
    assert run(code) == wanted


def test_a_program_cannot_change_the_payload() -> None:
    payload = {"list": [1, 2]}
    assert run("(p) => { p.list.push(3); p.x = 1; return p }", payload) == {
        "list": [1, 2, 3],
        "x": 1,
    }
    assert payload == {"list": [1, 2]}


def test_an_error_as_payload_is_a_map() -> None:
    error = Error("sold out", code="sold", data={"left": 0})
    assert run("[payload.message, payload.code, payload.data.left]", error) == [
        "sold out",
        "sold",
        0,
    ]


async def _nothing() -> AsyncGenerator[bytes, None]:
    yield b"x"


def test_what_no_program_can_take_is_rejected() -> None:
    with pytest.raises(ProgramError, match="byte stream"):
        run("payload", {"body": ByteStream(_nothing())})
    with pytest.raises(ProgramError, match="holds object"):
        run("payload", [object()])


REFUSED = [
    ("let a = ;", 1, 9, "unexpected token"),
    ("const x = 1;\n\nexport default (p) => {\n  return p.;\n}", 4, 12, "expecting field name"),
    ("function main(p) {\n  return p +\n}", 3, 1, "nexpected token"),
    ("payload.a +", 1, 12, "ends too early"),
    ("function main(p) {\n  return 1\n", 3, 1, "ends too early"),
    ("1) ; (2", 1, 3, "nexpected token"),
    ("const x = 1", 0, 0, "exports nothing"),
    ("", 0, 0, "exports nothing"),
    ("export const limit = 3", 0, 0, "exports nothing"),
    ("\nimport x from 'lodash'\nexport default x", 2, 0, 'no module "lodash"'),
    ("const fs = require('fs')\nmodule.exports = fs", 1, 0, 'no module "fs"'),
    ("\nlimit();\nexport default 1", 2, 0, "limit is not defined"),
    ("counter = 1;\nexport default () => counter", 1, 0, "counter is not defined"),
]


@pytest.mark.parametrize(("code", "line", "column", "said"), REFUSED, ids=[r[0] for r in REFUSED])
def test_code_that_cannot_serve_is_rejected_at_its_place(
    code: str, line: int, column: int, said: str
) -> None:
    with pytest.raises(CompileError) as caught:
        JAVASCRIPT.compile(code)
    error = caught.value
    assert said in error.message
    assert (error.line, error.column) == (line, column)


FAILING = [
    ("payload.a.b", "line 1: TypeError: cannot read property 'b' of undefined"),
    ("(p) => {\n  return [p].map((x) => {\n    return x.a.b;\n  });\n}", "line 3: TypeError"),
    ("export default (p) => {\n\n  throw new RangeError('no');\n}", "line 3: RangeError: no"),
    ("export default async (p) => {\n  await null;\n  throw new Error('no');\n}", "line 3: Error"),
    ("(p) => {\n  JSON.parse('{');\n}", "line 2: SyntaxError"),
    (
        "class Odd extends Error { name = 'Odd' }\nmodule.exports = () => {\n throw new Odd('x') }",
        "line 3: Odd: x",
    ),
    ("(p) => () => 1", "the result is a function, not data"),
    ("(() => { const a = []; a.push(a); return a })()", "circular"),
    ("new Promise(() => {})", "never settles"),
]


@pytest.mark.parametrize(("code", "said"), FAILING, ids=[row[0] for row in FAILING])
def test_failures_carry_their_line(code: str, said: str) -> None:
    with pytest.raises(ProgramError) as caught:
        run(code, {})
    assert said in str(caught.value)


def test_what_is_thrown_with_a_code_is_error_of_its_own_making() -> None:
    for code in (
        "(() => { throw { message: 'sold out', code: 'sold', data: { left: 0 } } })()",
        "(() => { throw Object.assign(new Error('sold out'), { code: 'sold' }) })()",
    ):
        with pytest.raises(NodeError) as caught:
            run(code)
        error = caught.value.error
        assert (error.message, error.code) == ("sold out", "sold")
    with pytest.raises(NodeError) as caught:
        run("(() => { throw 'plain text' })()")
    assert (caught.value.error.message, caught.value.error.data) == ("plain text", "plain text")


def test_console_goes_to_whoever_listens() -> None:
    said: list[tuple[str, str]] = []
    options = Options(output=lambda level, text: said.append((level, text)))
    code = """
    export default async (p) => {
      console.log("got", p, [1n], undefined, null);
      console.warn(new TypeError("odd"));
      await null;
      console.error("last");
      console.debug();
    }"""
    JAVASCRIPT.program(code, options)({"a": "x"})
    assert said == [
        ("info", 'got {"a":"x"} ["1n"] undefined null'),
        ("warning", "TypeError: odd"),
        ("error", "last"),
        ("debug", ""),
    ]


def test_what_was_printed_before_a_failure_is_told() -> None:
    said: list[str] = []
    program = JAVASCRIPT.program(
        "() => { console.log('before'); null.x }", Options(output=lambda _, text: said.append(text))
    )
    with pytest.raises(ProgramError):
        program(None)
    assert said == ["before"]


# --- nothing is left behind ----------------------------------------------------------------------


def test_every_packet_finds_the_module_as_it_was_written() -> None:
    program = JAVASCRIPT.compile(
        "let calls = 0;\nexport default () => { calls += 1; return calls }"
    )
    assert [program(None) for _ in range(3)] == [1, 1, 1]


@pytest.mark.parametrize("options", [Options(leaves=True), Options(leaves=True, timeout=5)])
def test_statements_of_a_module_that_take_long_are_a_problem(
    options: Options,
) -> None:
    code = "let n = 0;\nfor (;;) {\n  n = Math.sqrt(n);\n}\nexport default n"
    began = time.process_time()
    with pytest.raises(CompileError, match="ran for longer than 50ms") as caught:
        JAVASCRIPT.program(code, options)
    assert time.process_time() - began < 1
    assert 0 < caught.value.line < 5
    assert "into the function" in caught.value.hint


LEAKS = [
    "globalThis.kept = 1",
    "Object.prototype.kept = 1",
    "Array.prototype.push = null",
    "String.prototype.indexOf.kept = 1",
    "Object.getPrototypeOf(function* () {}).kept = 1",
    "Object.getPrototypeOf(async () => {}).kept = 1",
    "Object.getPrototypeOf([][Symbol.iterator]()).kept = 1",
    "Object.getPrototypeOf(/x/[Symbol.matchAll]('x')).kept = 1",
    "console.log = null",
    "Math.kept = 1",
    "Object.defineProperty(Promise.prototype, 'then', { value: 1 })",
    "Object.setPrototypeOf(Object.prototype, {})",
    "Error.stackTraceLimit = 0",
    "Symbol.kept = 1",
    "Intl = 1",
    "Object.getPrototypeOf(Object.getPrototypeOf(new Map().keys())).kept = 1",
    "Object.getOwnPropertyDescriptor(Object.prototype, 'toString').set.kept = 1",
]


@pytest.mark.parametrize("code", LEAKS)
def test_nothing_that_programs_share_can_be_changed(code: str) -> None:
    with pytest.raises(ProgramError, match=r"TypeError|ReferenceError"):
        run(f"(() => {{ {code}; return 1 }})()")


def test_no_object_that_can_be_reached_is_left_open() -> None:
    code = """
    () => {
      const seen = new Set(), open = [];
      const walk = (object, path) => {
        if (object === null || (typeof object !== "object" && typeof object !== "function")) return;
        if (seen.has(object)) return;
        seen.add(object);
        if (!Object.isFrozen(object)) open.push(path);
        for (const key of Reflect.ownKeys(object)) {
          const found = Object.getOwnPropertyDescriptor(object, key);
          for (const part of ["value", "get", "set"]) walk(found[part], `${path}.${String(key)}`);
        }
        walk(Object.getPrototypeOf(object), `${path}.__proto__`);
      };
      const made = [function () {}, async () => {}, function* () {}, async function* () {},
        [].values(), "x"[Symbol.iterator](), new Map().entries(), "x".matchAll(/x/g),
        [].values().filter(() => 1)];
      const above = [(function* () {})(), (async function* () {})()].map(Object.getPrototypeOf);
      made.push(...above);
      for (const each of [globalThis, ...made.map(Object.getPrototypeOf)]) walk(each, "");
      return open;
    }"""
    assert run(code) == []


def test_ordinary_overriding_works_in_spite_of_that() -> None:
    code = """
    class Point { toString() { return "point" } }
    class Sold extends Error { constructor(m) { super(m); this.name = "Sold"; this.message += "!" } }
    export default () => {
      const plain = {};
      plain.toString = () => "mine";
      plain.constructor = 1;
      plain.valueOf = () => 2;
      const list = [1]; list.toString = () => "list";
      function f() {} f.toString = () => "f";
      return [`${plain}`, plain + 1, `${new Point()}`, `${new Sold("out")}`, `${list}`, `${f}`];
    }"""
    assert run(code) == ["mine", 3, "point", "Sold: out!", "list", "f"]


def test_what_a_packet_began_ends_with_it() -> None:
    said: list[str] = []
    options = Options(output=lambda _, text: said.append(text))
    program = JAVASCRIPT.program(
        "() => { Promise.resolve().then(() => console.log('later')); return 1 }", options
    )
    assert program(None) == 1
    assert said == ["later"]


# --- types ---------------------------------------------------------------------------------------


TYPED = [
    ("(payload as any).a!", {"a": 1}, 1),
    ("{ n: payload.n as number }", {"n": 1}, {"n": 1}),
    ("(p: { a: number }): number => p.a + 1", {"a": 1}, 2),
    ("enum Size { Small = 1, Large }\nexport default (p: number): Size => p + Size.Large", 1, 3),
    (
        (
            "interface Order { items: { price: number }[] }\ntype Total = number;\n"
            "export default async function total(order: Order): Promise<Total> {\n"
            "  return order.items.reduce<number>((sum, { price }) => sum + price, 0);\n}"
        ),
        {"items": [{"price": 1.5}, {"price": 2}]},
        3.5,
    ),
    ("import type { X } from 'x';\nexport default <T,>(p: T): T => p", 1, 1),
    (
        "class A { constructor(private readonly x: number) {} get y() { return this.x } }\nexport default (p: number) => new A(p).y",
        3,
        3,
    ),
    ("function main(p: unknown): boolean { return p satisfies unknown as boolean }", True, True),
]


@pytest.mark.parametrize(("code", "payload", "wanted"), TYPED, ids=[row[0] for row in TYPED])
def test_types_are_erased(code: str, payload: Any, wanted: Any) -> None:
    assert run_typed(code, payload) == wanted


def test_typed_code_keeps_its_lines() -> None:
    with pytest.raises(CompileError) as rejected:
        TYPESCRIPT.compile("export default (p: number) => {\n  const x: string = ;\n}")
    assert (rejected.value.line, rejected.value.column) == (2, 21)
    with pytest.raises(ProgramError, match="line 5: Error: no"):
        run_typed(
            "interface A {\n  a: number;\n}\nexport default (p: A): number => {\n  throw new Error('no');\n}"
        )


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("payload.error()", "sold out"),
        ("`${payload}`", "sold out"),
        ("payload.message + payload.code", "sold outsold"),
        ("Object.keys(payload)", ["message", "code", "data"]),
        (
            "(() => { const l = []; for (const k in payload) l.push(k); return l })()",
            ["message", "code", "data"],
        ),
        ("payload", {"message": "sold out", "code": "sold", "data": {"left": 0}}),
        ("payload.data.left", 0),
        ("(() => { payload.error = 1; return payload.error })()", 1),
        (
            "(() => { try { Object.getPrototypeOf(payload).error = 1 } catch (e) { return e.name } })()",
            "TypeError",
        ),
    ],
)
def test_an_error_is_a_map_that_reads_as_its_message(code: str, found: object) -> None:
    assert run(code, Error("sold out", code="sold", data={"left": 0})) == found


def test_long_typed_code_comes_through_in_one_piece() -> None:
    lines = "\n".join(f"const x{n}: number = {n};" for n in range(2000))
    assert run_typed(f"{lines}\nexport default () => x1999") == 1999


def test_a_missing_engine_names_what_to_install() -> None:
    code = (
        "import sys\nsys.modules['_quickjs'] = None\n"
        "from heddle.extensions.languages import javascript, jsonata\n"
        "from heddle.runtime.assembly.language import CompileError\n"
        "for language in (javascript.JAVASCRIPT, javascript.TYPESCRIPT, jsonata.LANGUAGE):\n"
        "    try:\n        language.compile('1')\n"
        "    except CompileError as error:\n        print(error.hint)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    extras = ("javascript", "javascript", "jsonata")
    assert done.stdout.splitlines() == [f"pip install 'heddle-runtime[{one}]'" for one in extras]
