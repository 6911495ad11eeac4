"""The realm that programs share: threads have their own, and nothing piles up in it."""

import gc
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from heddle.extensions.languages.errors import ProgramError
from heddle.extensions.languages.javascript import JAVASCRIPT
from heddle.extensions.languages.javascript.realm import current
from heddle.extensions.languages.jsonata import LANGUAGE as JSONATA
from heddle.runtime.assembly.language import Options


def test_one_program_serves_many_threads() -> None:
    script, query = JAVASCRIPT.compile("(p) => p.n * 2"), JSONATA.compile("n * 2")
    begin = threading.Barrier(4)

    def work(first: int) -> list[tuple[int, int]]:
        begin.wait()
        found = []
        for n in range(first, first + 300):
            found.append((script({"n": n}), query({"n": n})))
            # What is let go of in one thread may belong to the realm of another.
            JAVASCRIPT.compile("payload")(n)
        gc.collect()
        return found

    with ThreadPoolExecutor(4) as pool:
        for first, found in enumerate(pool.map(work, range(4))):
            assert found == [(n * 2, n * 2) for n in range(first, first + 300)]


def test_programs_that_nobody_has_any_more_leave_the_realm() -> None:
    kept = JAVASCRIPT.compile("payload + 1")
    kept(1)
    realm = current()
    before = realm.taken
    for n in range(300):
        JAVASCRIPT.compile(f"payload + {n} + '{'x' * 1000}'")(1)
    gc.collect()
    JAVASCRIPT.compile("payload")(1)
    assert realm is current()
    assert realm.taken < before + 100_000
    assert kept(1) == 2


def test_a_program_goes_on_after_another_was_stopped() -> None:
    kept = JAVASCRIPT.compile("payload + 1")
    assert kept(1) == 2
    realm = current()
    with pytest.raises(TimeoutError):
        JAVASCRIPT.program("(() => { for (;;); })()", Options(timeout=0.05))(1)
    assert current() is not realm
    assert kept(1) == 2


def test_half_of_a_surrogate_pair_is_named_as_what_it_is() -> None:
    program = JAVASCRIPT.compile("'\\ud800'")
    with pytest.raises(ProgramError, match="half of a surrogate pair"):
        program(None)
