"""CEL gives what the tests of its specification want, wherever the page of languages promises it."""

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from heddle.extensions.languages.cel.compiler import compile_condition
from heddle.extensions.languages.cel.errors import EvaluationError
from heddle.runtime.assembly.language import CompileError
from tests.conformance.cel import FILES, Case, Unpromised, case_of, cases
from tests.conformance.data import ROOT, files, needed

TESTS = [file for file in files("cel-spec", "*.textproto") if file.stem not in FILES]
MOST_LEFT_OUT = 250
"""How many tests of these files may ask for what is not promised: messages, containers, types."""


def result(case: Case) -> Any:
    """Return what a program gives, or the class Exception if it cannot be compiled or fails."""
    try:
        return compile_condition(case.code)(case.payload)
    except (CompileError, EvaluationError):
        return Exception


def same(found: Any, wanted: Any) -> bool:
    """Return whether two values are equal and of one type, all the way down; NaN is itself."""
    if type(found) is not type(wanted):
        return False
    if isinstance(found, list):
        return len(found) == len(wanted) and all(map(same, found, wanted))
    if isinstance(found, dict):
        return found.keys() == wanted.keys() and all(
            same(item, wanted[key]) for key, item in found.items()
        )
    return bool(found == wanted or (found != found and wanted != wanted))


@pytest.mark.parametrize("file", TESTS, ids=lambda file: file.stem)
def test_a_file_of_the_specification_holds(file: Path) -> None:
    differ: list[str] = []
    for name, test in cases(file):
        try:
            case = case_of(name, test)
        except Unpromised:
            continue
        found = result(case)
        if not same(found, case.wanted):
            differ.append(f"{name}: {case.code} is {found!r} (expected: {case.wanted!r})")
    assert not differ, "\n".join(differ)


def test_the_page_says_how_many_hold_and_how_many_are_left_out() -> None:
    needed("cel-spec")
    page = (ROOT / "docs" / "languages.md").read_text(encoding="utf-8")
    listed: set[str] = set()
    sums = Counter[str]()
    rows = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \| (\d+) \| (\d+) \|", page, re.MULTILINE)
    for names, holds, left_out in rows:
        stems = re.findall(r"\w+", names)
        counts = Counter[str]()
        for stem in stems:
            for name, test in cases(needed("cel-spec") / f"{stem}.textproto"):
                try:
                    counts["left out" if stem in FILES else "holds"] += bool(case_of(name, test))
                except Unpromised:
                    counts["left out"] += 1
        assert (counts["holds"], counts["left out"]) == (int(holds), int(left_out)), names
        listed.update(stems)
        sums += counts
    every = {file.stem for file in files("cel-spec", "*.textproto") if cases(file)}
    assert listed == every
    assert f"{sums['holds']:,} hold and {sums['left out']:,} are left out" in page


def test_what_is_left_out_has_a_reason_and_is_little() -> None:
    needed("cel-spec")
    reasons: Counter[str] = Counter()
    held = 0
    for file in TESTS:
        for name, test in cases(file):
            try:
                case_of(name, test)
                held += 1
            except Unpromised as reason:
                reasons[str(reason)] += 1
    assert held > 1400
    assert reasons.total() < MOST_LEFT_OUT, reasons
