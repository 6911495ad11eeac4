"""A short text never makes a run take more than a few hundred megabytes."""

import gc
import subprocess
import sys
from weakref import ref

import pytest

from heddle.extensions.languages.cel.compiler import compile_program
from heddle.extensions.languages.cel.errors import EvaluationError

LARGE = "lists.range(9000000)"
TEXT = "lists.range(900000).map(x, 'aaaaaaaaa').join()"


def _many(text: str, times: int) -> str:
    return f"size([{', '.join([text] * times)}])"


GREEDY = {
    "ranges": _many(LARGE, 8),
    "sums of lists": _many("(l + l)", 400),
    "sums of texts": _many("(s + s)", 4000),
    "parts of texts": _many("s.substring(1)", 2000),
    "reversed texts": _many("s.reverse()", 2000),
    "letters": _many("s.split('')", 200),
    "replaced texts": _many("s.replace('x', 'yyyyyyyyy')", 500),
    "joined texts": _many("[s, s, s].join(s)", 400),
    "formatted texts": _many("'%s%s'.format([s, s])", 400),
    "quoted texts": _many("strings.quote(s)", 2000),
    "bytes": _many("bytes(s)", 2000),
    "Base64": _many("base64.encode(bytes(s))", 2000),
    "slices": _many("l.slice(1, 99999)", 2000),
    "reversed lists": _many("l.reverse()", 2000),
    "flat lists": _many("[l, l, l].flatten()", 400),
    "sorted lists": _many("l.sort()", 400),
    "distinct elements": _many("lists.range(2900000).distinct()", 1),
    "sets": "sets.contains(lists.range(2900000), l)",
    "pairs": "size(lists.range(4900000).transformMap(i, x, x))",
    "lists of each": f"size(lists.range(1000000).map(x, [{', '.join(['x'] * 1000)}]))",
    "maps of each": "size(lists.range(1000000).map(x, {'a': x, 'b': x, 'c': x}))",
    "texts of each": "size(lists.range(4900000).map(x, string(x)))",
    "times of each": "size(lists.range(4900000).map(x, timestamp(x)))",
    "text of a list": "size('%s'.format([lists.range(4900000)]))",
    "doubled in macros": f"[{TEXT}]" + ".map(a, a + a)" * 6,
}
PAYLOAD = {"s": "x" * 100_000, "l": list(range(100_000))}


@pytest.mark.parametrize("text", GREEDY.values(), ids=GREEDY)
def test_whatever_makes_something_is_paid_for(text: str) -> None:
    with pytest.raises(EvaluationError, match="10,000,000"):
        compile_program(text)(PAYLOAD)


def test_a_rejection_for_lack_of_memory_is_not_forgiven() -> None:
    program = compile_program(f"{_many(LARGE, 8)} == 1 || true")
    with pytest.raises(EvaluationError, match="10,000,000"):
        program({})


def test_the_largest_run_stays_below_half_a_gigabyte() -> None:
    code = (
        "import re, sys\n"
        "from heddle.extensions.languages.cel.compiler import compile_program\n"
        "from heddle.extensions.languages.cel.errors import EvaluationError\n"
        "try: compile_program(sys.argv[1])(None)\n"
        "except EvaluationError: pass\n"
        # Not ru_maxrss: that begins with what the process had that started this one.
        "print(int(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1]) // 1024)\n"
    )
    for text in (GREEDY["ranges"], GREEDY["pairs"], GREEDY["texts of each"]):
        done = subprocess.run(
            [sys.executable, "-c", code, text], capture_output=True, text=True, check=True
        )
        assert int(done.stdout) < 512


def test_ordinary_work_is_far_from_the_bound() -> None:
    program = compile_program("l.map(x, {'n': x, 't': string(x)}).filter(e, e.n % 2 == 0)")
    assert len(program({"l": list(range(100_000))})) == 50_000
    assert compile_program("(s + s).split('x').join('y').size()")(PAYLOAD) == 200_000


def test_elements_that_were_not_visited_are_given_back_whole() -> None:
    program = compile_program("l.all(x, big.exists(y, [y, y, y] == [x, x, x]))")
    assert program({"l": [0] * 200, "big": list(range(100_000))}) is True


@pytest.mark.parametrize("run", [False, True], ids=["never run", "run"])
@pytest.mark.parametrize(
    "code", ["self.count + 1", "[1, 2].map(x, x + self.count)" + " + []" * 900]
)
def test_a_program_is_freed_without_the_garbage_collector(code: str, run: bool) -> None:
    gc.collect()
    gc.disable()
    try:
        program = compile_program(code)
        if run:
            program({"count": 1})
        gone = ref(program)
        del program
        assert gone() is None
    finally:
        gc.enable()
