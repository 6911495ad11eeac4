"""A program always ends, stays small, and fails in the one way that is documented."""

import contextlib
import random
import time
import tracemalloc

import pytest

from heddle.extensions.languages.cel.compiler import compile_condition, compile_program
from heddle.extensions.languages.cel.errors import EvaluationError
from heddle.runtime.assembly.language import CompileError

THOUSAND = {"l": list(range(1000)), "s": "x" * 1000, "a": 1}

ENDLESS = [
    "l.map(x, l.map(y, l.map(z, 1)))",
    "l.all(x, l.all(y, l.all(z, z >= 0)))",
    "l.exists(x, l.exists(y, l.exists(z, z < 0))) || true",
    "l.filter(x, l.filter(y, l.exists_one(z, true)) == [])",
    "l.map(x, l.map(y, s + s + s))",
    "l.map(x, l.map(y, l + l))",
    "l.all(x, l.all(y, !(null in l.map(z, z))))",
    "l.all(x, l.all(y, l == l.map(q, q)))",
    "l.map(x, l.map(y, bytes(s)))",
]


@pytest.mark.parametrize("text", ENDLESS)
def test_endless_work_is_rejected_and_never_forgiven(text: str) -> None:
    with pytest.raises(EvaluationError, match="10,000,000"):
        compile_program(text)(THOUSAND)


def test_each_run_has_a_budget_of_its_own() -> None:
    program = compile_program("size(l.map(x, l.map(y, x * y)))")
    for _ in range(3):
        assert program({"l": list(range(300))}) == 300


def test_elements_that_were_not_visited_cost_nothing() -> None:
    program = compile_program("l.all(x, big.exists(y, y == x))")
    assert program({"l": [0] * 200, "big": list(range(100_000))}) is True


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (" + ".join(["a"] * 2000), 2000),
        (" && ".join(["a == 1"] * 2000), True),
        (" || ".join(["a == 2"] * 2000), False),
        ("!" * 2000 + "true", True),
        ("-" * 2001 + "a", -1),
        ("self" + "[0]" * 300, 1),
        ("(" * 99 + "a" + ")" * 99, 1),
        ("a + (" * 99 + "a" + ")" * 99, 100),
        ("a == 1 && (" * 98 + "true" + ")" * 98, True),
        ("a == 2 ? 0 : " * 98 + "5", 5),
        ("[1].all(x, " * 98 + "x == 1" + ")" * 98, True),
        ("{'k': " * 90 + "a" + "}" * 90 + ".k" * 90, 1),
    ],
    ids=lambda value: str(value)[:20],
)
def test_long_and_deep_texts_work(text: str, wanted: object) -> None:
    payload: object = 1
    if text.startswith("self"):
        for _ in range(300):
            payload = [payload]
    else:
        payload = THOUSAND
    assert compile_program(text)(payload) == wanted


def test_deep_data_is_an_evaluation_error_not_a_crash() -> None:
    deep: list[object] = []
    other: list[object] = []
    for _ in range(5000):
        deep, other = [deep], [other]
    with pytest.raises(EvaluationError, match="nested too deeply"):
        compile_program("a == b")({"a": deep, "b": other})


def test_time_does_not_grow_with_the_payload() -> None:
    program = compile_condition("self.payload.count > 10 && has(self.name)")
    small = {"payload": {"count": 11}, "name": "x"}
    large = {**small, "items": [{"n": n} for n in range(50_000)]}

    def best(payload: object) -> float:
        times = []
        for _ in range(20):
            start = time.process_time()
            for _ in range(200):
                program(payload)
            times.append(time.process_time() - start)
        return min(times)

    assert best(large) < best(small) * 5


WORDS = [
    "1",
    "-1",
    "2u",
    "1.5",
    "'a'",
    "b'b'",
    "true",
    "false",
    "null",
    "self",
    "a",
    "b",
    "l",
    "s",
    "m.k",
    "x",
    "in",
    "&&",
    "||",
    "!",
    "==",
    "!=",
    "<",
    "<=",
    ">",
    ">=",
    "+",
    "-",
    "*\n/",
    "%",
    "?",
    ":",
    ".",
    ",",
    "[",
    "]",
    "(",
    ")",
    "{",
    "}",
    "[1,2]",
    "{'k':1}",
    "has(",
    ".map(x,",
    ".all(x,",
    ".exists(x,",
    ".filter(x,",
    ".size()",
    "size(\nint(",
    "string(",
    "timestamp(",
    "duration(",
    "type(",
    ".matches(",
    "r'a+'",
    ".getHours()",
    "[0]",
    "['k']",
    ".k",
    "//",
    "\n",
    "as",
]


@pytest.mark.parametrize("seed", range(4))
def test_nothing_but_documented_errors_escapes(seed: int) -> None:
    """Any other error than those that are expected here fails the test."""
    chance = random.Random(seed)
    letters = "".join(map(chr, range(32, 127))) + "é😀\n\t\x00\ud800"
    payload = {"a": 1, "b": "x", "l": [1, "a", None], "s": "text", "m": {"k": 1.5}}
    for _ in range(1000):
        if chance.random() < 0.7:
            text = " ".join(chance.choices(WORDS, k=chance.randint(1, 12)))
        else:
            text = "".join(chance.choices(letters, k=chance.randint(1, 20)))
        with contextlib.suppress(CompileError, EvaluationError):
            compile_program(text)(payload)


def _nested(first: str, step: str, last: str) -> str:
    """Return a text of 27 levels, each of which is made of the one outside of it by the step."""
    text = last
    for level in range(27, 0, -1):
        text = f"cel.bind(v{level}, {step.replace('V', f'v{level - 1}')}, {text})"
    return f"cel.bind(v0, {first}, {text})"


GROWING = [
    ("'abcdefgh'", "V + V", "size(v27)"),
    ("b'abcdefgh'", "V + V", "size(v27)"),
    ("[1]", "V + V", "v27"),
    ("[1]", "[V, V, V]", "v27"),
    ("[1u]", "[V, V, V]", "v27 == v27"),
    ("self", "{'a': V, 'b': V}", "v27"),
    ("self", "[V].map(x, [x, x, x])", "v27"),
    ("self", "l.map(x, V)", "v27"),
    ("self", "{'a': 1, 'b': 2, 'c': 3}.transformMap(k, x, V)", "v27"),
    ("'ab'", "'%s%s'.format([V, V])", "size(v27)"),
]


@pytest.mark.parametrize(("first", "step", "last"), GROWING, ids=[step for _, step, _ in GROWING])
def test_variables_cannot_make_much_out_of_little(first: str, step: str, last: str) -> None:
    tracemalloc.start()
    program = compile_program(_nested(first, step, last))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3_000_000
    with pytest.raises(EvaluationError, match="10,000,000"):
        program(THOUSAND)


def test_long_constant_lists_are_still_made_while_compiling() -> None:
    words = [f"w{number}" for number in range(8_000)]
    program = compile_condition(f"s in {words}")
    started = time.process_time()
    for _ in range(1000):
        assert program({"s": "w7999"}) is True
    assert time.process_time() - started < 0.5
