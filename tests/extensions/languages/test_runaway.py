"""A program that runs away is stopped in time, in every language, and the next packet is served."""

import asyncio
import re
import time
from typing import Any

import pytest

from heddle.runtime.flow.errors import Error
from heddle.runtime.runtime import Runtime
from tests.support import running

pytestmark = pytest.mark.anyio

SOON = 120.0
"""Seconds within which everything here ends, on a machine that is busy with other things."""

STOPPED = re.compile(
    "stopped: it |10,000,000 |call stack|recursion|the worker |never settles|too much text|too large|too long"
)
"""What the errors of stopped programs say; any other error means that something else went wrong."""

FLOW = """
- kind: snippet
  name: wild
  language: {language}
  timeout: 200ms
  {isolation}
  code: |
    {code}
- kind: snippet
  name: tame
  language: {language}
  {isolation}
  code: |
    {tame}
"""

TAME = {
    "cel": "self + 1",
    "javascript": "payload + 1",
    "typescript": "(payload as number) + 1",
    "jsonata": "$ + 1",
    "jinja": "{% set next = payload + 1 %}{{ next }}",
    "python": "payload + 1",
}

SCRIPTS = {
    "loop": "export default () => { for (;;); }",
    "caught loop": "export default () => { for (;;) try { for (;;); } catch {} }",
    "late loop": "export default async () => { await null; for (;;); }",
    "promises": "export default () => new Promise(() => { const f = () => Promise.resolve().then(f); f() })",
    "recursion": "export default () => { const f = () => 1 + f(); return f() }",
    "caught recursion": "export default () => { const f = () => { try { f() } catch {} f() }; f() }",
    "strings": "export default () => { const l = []; for (;;) l.push('x'.repeat(1e6) + l.length) }",
    "one string": "export default () => 'x'.repeat(2 ** 29).repeat(4)",
    "caught strings": "export default () => { const l = []; for (;;) try { l.push('x'.repeat(1e6) + l.length) } catch {} }",
    "pattern": "export default () => /(a+)+b/.test('a'.repeat(40))",
    "search": "export default () => 'a'.repeat(3e6).indexOf('a'.repeat(1e6) + 'b')",
    "array": "export default () => { const a = []; a.length = 2 ** 32 - 1; return a.indexOf(1) }",
    "number": "export default () => { let x = 3n; for (;;) x *= x }",
}

WILD: dict[str, dict[str, str]] = {
    "cel": {
        "loop": "lists.range(10000).map(x, lists.range(10000).map(y, x * y))",
        "strings": "lists.range(3000).map(x, lists.range(1000).map(y, 'x' + string(y)).join().replace('x', 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'))",
        "one string": "'x'" + ".replace('x', 'xxxxxxxxxx')" * 12,
    },
    "javascript": SCRIPTS,
    "typescript": {
        name: SCRIPTS[name]
        for name in ("loop", "caught loop", "recursion", "strings", "one string")
    },
    "jsonata": {
        "loop": "($f := function($x) { $f($x) }; $f(1))",
        "recursion": "($f := function($x) { $f($x) + 1 }; $f(1))",
        "strings": "[1..10000000].('x' & $)",
        "pattern": "$match('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac', /(a+)+b/)",
    },
    "jinja": {
        "loop": "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}",
        "recursion": "{% macro f(n) %}{{ f(n + 1) }}{% endmacro %}{{ f(0) }}",
        "strings": "{% set ns = namespace(s='x') %}{% for i in range(60) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}",
        "one string": "{{ 'x'|indent(2147483648) }}",
        "output": "{% for i in range(100000) %}{{ 'x' * 100000 }}{% endfor %}",
    },
}
ISOLATED: dict[str, dict[str, str]] = {
    "python": {
        "loop": "[0 for _ in iter(int, 1) if _]",
        "statements": "def main(payload):\n    while True:\n        try:\n            while True: pass\n        except Exception: pass",
        "recursion": "def main(payload):\n    return main(payload)",
        "deep recursion": "import sys\nsys.setrecursionlimit(10 ** 9)\ndef main(payload):\n    return main(payload)",
        "strings": "def main(payload):\n    kept = []\n    while True: kept.append('x' * 1000000)",
        "one string": "'x' * (2 << 30)",
        "number": "len(str(9 ** 9 ** 9))",
        "sleep": "__import__('time').sleep(1000)",
        "exit": "__import__('os')._exit(3)",
        "kill": "__import__('os').kill(__import__('os').getpid(), 9)",
        "deaf": "def main(payload):\n    import signal\n    signal.signal(signal.SIGALRM, signal.SIG_IGN)\n    while True: pass",
    },
    "javascript": {name: SCRIPTS[name] for name in ("loop", "strings", "search")},
    "jsonata": {"loop": "($f := function($x) { $f($x) }; $f(1))"},
}

CASES = [
    *((language, name, "") for language, codes in WILD.items() for name in codes),
    *(
        (language, name, "isolation: process")
        for language, codes in ISOLATED.items()
        for name in codes
    ),
]


@pytest.mark.parametrize(("language", "name", "isolation"), CASES)
async def test_a_runaway_program_is_stopped_and_the_next_packet_served(
    language: str, name: str, isolation: str
) -> None:
    code = (ISOLATED if isolation else WILD)[language][name]
    async with running(flow(language, code, isolation)) as rt:
        for _ in range(2):
            began = time.monotonic()
            answer = await rt.send("wild", 1)
            assert isinstance(answer, Error), answer
            assert STOPPED.search(answer.message), answer.message
            assert time.monotonic() - began < SOON
            assert await rt.send("tame", 1) in (2, "2")


def flow(language: str, code: str, isolation: str = "") -> str:
    return FLOW.format(
        language=language,
        code=code.replace("\n", "\n    "),
        isolation=isolation,
        tame=TAME[language],
    )


PRINTING = [
    (
        "javascript",
        "",
        "export default () => { for (let i = 0; i < 1e5; i++) console.log('x'.repeat(100)); return 2 }",
    ),
    ("javascript", "", "export default () => { console.log('x'.repeat(1e7)); return 2 }"),
    (
        "python",
        "isolation: process",
        "def main(payload):\n    for i in range(100000): print('x' * 100)\n    return 2",
    ),
    ("python", "isolation: process", "def main(payload):\n    print('x' * 10000000)\n    return 2"),
]


@pytest.mark.parametrize(("language", "isolation", "code"), PRINTING)
async def test_ten_megabytes_of_output_are_cut(language: str, isolation: str, code: str) -> None:
    async with running(flow(language, code, isolation).replace("200ms", "20s")) as rt:
        assert await rt.send("wild", 1) == 2
        said = printed(rt)
        assert 1000 < sum(map(len, said)) < 100_000
        assert any("dropped" in text or "…" in text for text in said)
        assert await rt.send("tame", 1) == 2


def printed(rt: Runtime) -> list[str]:
    return [event.data["text"] for event in rt.events.recent if event.event == "console"]


ENDLESS = {
    "cel": "1" + " + (1" * 200 + ")" * 200,
    "javascript": "(" * 20_000 + "1" + ")" * 20_000,
    "typescript": "(" * 20_000 + "1" + ")" * 20_000,
    "jsonata": "(" * 20_000 + "1" + ")" * 20_000,
    "jinja": "{{ " + "(" * 20_000 + "1" + ")" * 20_000 + " }}",
    "python": "(" * 20_000 + "1" + ")" * 20_000,
}


@pytest.mark.parametrize("language", ENDLESS)
async def test_code_that_is_nested_without_end_is_a_problem(language: str) -> None:
    async with running(flow(language, ENDLESS[language]).replace("timeout: 200ms", "")) as rt:
        [problem] = rt.status().problems
        assert (problem.code, problem.path) == ("code", "wild.code")
        assert await rt.send("tame", 1) in (2, "2")


RESULTS = [
    ("cel", "", "'x'" + ".replace('x', 'xxxxxxxxxx')" * 7),
    ("jsonata", "", "$pad('', 10000000, 'x')"),
    ("typescript", "", "'x'.repeat(1e7) as string"),
    ("javascript", "", "'x'.repeat(1e7)"),
    ("javascript", "isolation: process", "'x'.repeat(1e7)"),
    ("python", "isolation: process", "'x' * 10_000_000"),
    ("jinja", "", "{% for i in range(100) %}{{ 'x' * 100000 }}{% endfor %}"),
]


@pytest.mark.parametrize(("language", "isolation", "code"), RESULTS)
async def test_ten_megabytes_of_result_fit_through(
    language: str, isolation: str, code: str
) -> None:
    async with running(flow(language, code, isolation).replace("200ms", "20s")) as rt:
        assert len(str(await rt.send("wild", 1)).strip()) == 10_000_000


async def test_others_go_on_while_an_isolated_program_runs() -> None:
    code = "def main(payload):\n    import time\n    time.sleep(payload)\n    return 'slept'"
    text = flow("python", code, "isolation: process").replace("200ms", "20s")
    async with running(text) as rt:
        await rt.send("tame", 1)
        slow = asyncio.ensure_future(rt.send("wild", 1))
        turns = 0
        while not slow.done():
            await asyncio.sleep(0.01)
            turns += 1
        assert await slow == "slept"
        assert turns > 20


async def test_a_timeout_has_its_code_and_line() -> None:
    code = "def main(payload):\n    total = 0\n    while True: total += 1"
    async with running(flow("python", code, "isolation: process")) as rt:
        answer: Any = await rt.send("wild", 1)
        assert (answer.code, answer.message) == (
            "timeout",
            "line 3: stopped: it ran for longer than 200ms",
        )
    async with running(flow("javascript", "\n\n(() => { for (;;); })()")) as rt:
        answer = await rt.send("wild", 1)
        assert answer.code == "timeout"
        assert "ran for longer than 200ms" in answer.message
