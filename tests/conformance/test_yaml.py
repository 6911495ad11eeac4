"""YAML is read as YAML 1.2 has it, with exceptions that are stated here, each with its reason."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from ruamel.yaml import YAML

from heddle.specs.yaml.fast import parse
from tests.conformance.data import files, needed

TAGS = "a tag stands for a type that plain data lacks: it is rejected, never dropped"
TABS = "libyaml takes no tab there; a text with tabs is told so, with its place"
COLONS = "libyaml wants the colon of a quoted or plain key inside braces on the line of the key"
LENIENT = "libyaml reads it, and there is one thing only that it can mean"
DIRECTIVES = "a directive (%) says nothing that plain data needs"
DASHES = "libyaml takes a lone dash in brackets for text"
ODD = "libyaml reads this corner otherwise; nobody writes a flow so"
ENDS = "libyaml wants '---' before a document that follows the end of another"

EXCEPTIONS: dict[str, str] = {
    **dict.fromkeys(
        [
            "2XXW/0",
            "565N/0",
            "5TYM/0",
            "6CK3/0",
            "6WLZ/0",
            "7FWL/0",
            "9WXW/0",
            "C4HZ/0",
            "CC74/0",
            "CUP7/0",
            "J7PZ/0",
            "M5C3/0",
            "P76L/0",
            "S4JQ/0",
            "UGM3/0",
            "WZ62/0",
            "Z67P/0",
            "Z9M4/0",
        ],
        TAGS,
    ),
    **dict.fromkeys(
        ["6BCT/0", "A2M4/0", "DK95/0", "DK95/1", "DK95/3", "DK95/4", "R4YG/0", "Y79Y/3", "Y79Y/10"],
        TABS,
    ),
    **dict.fromkeys(
        ["4MUZ/1", "4MUZ/2", "5MUD/0", "9SA2/0", "K3WX/0", "NJ66/0", "UT92/0", "VJP3/1"], COLONS
    ),
    **dict.fromkeys(
        ["9C9N/0", "9JBA/0", "CVW2/0", "EB22/0", "QB6E/0", "RHX7/0", "S98Z/0", "SU5Z/0", "X4QW/0"],
        LENIENT,
    ),
    **dict.fromkeys(
        [
            "BEC7/0",
            "MUS6/0",
            "MUS6/1",
            "ZYU8/1",
            "ZYU8/2",
            "ZYU8/3",
        ],
        DIRECTIVES,
    ),
    **dict.fromkeys(["G5U8/0", "YJV2/0"], DASHES),
    **dict.fromkeys(["652Z/0", "HM87/1", "JEF9/2", "L24T/1"], ODD),
    **dict.fromkeys(["HWV9/0", "M7A3/0", "QT73/0"], ENDS),
}
"""Tests that are not held, and why."""


class Case(NamedTuple):
    """One text: the documents that it means, or None if it must be rejected."""

    name: str
    text: str
    documents: list[Any] | None


def cases() -> Iterator[Case]:
    """Return every test that says which data its text means, or that it means none."""
    reader: Any = YAML(typ="safe", pure=True)
    for file in files("yaml-test-suite", "*.yaml"):
        above: dict[str, Any] = {}
        for number, entry in enumerate(reader.load(file.read_text(encoding="utf-8"))):
            above = {**above, **entry}
            wrong = bool(entry.get("fail"))
            if entry.get("skip") or not (wrong or above.get("json") is not None):
                continue
            documents = None if wrong else list(_documents(above["json"]))
            yield Case(f"{file.stem}/{number}", _text(above["yaml"]), documents)


def _documents(text: str) -> Iterator[Any]:
    decoder, at = json.JSONDecoder(), 0
    text = text.strip()
    while at < len(text):
        value, at = decoder.raw_decode(text, at)
        yield value
        at += len(text[at:]) - len(text[at:].lstrip())


def _text(shown: str) -> str:
    """Return a text with the spaces, tabs and line ends that its test shows as marks."""
    text = re.sub("—*»", "\t", shown)
    for mark, meant in (("␣", " "), ("↵", ""), ("←", "\r"), ("⇔", "\ufeff")):
        text = text.replace(mark, meant)
    return re.sub("∎\n\\Z", "", text)


ALL = list(cases())
CASES = [case for case in ALL if case.name not in EXCEPTIONS]
EXCEPTED = [case for case in ALL if case.name in EXCEPTIONS]


def holds(case: Case) -> bool:
    """Return whether a text means what its test says."""
    parsed = parse(case.text)
    if case.documents is None:
        return bool(parsed.faults)
    return not parsed.faults and parsed.documents == case.documents


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_text_means_what_yaml_says(case: Case) -> None:
    assert holds(case), parse(case.text)


@pytest.mark.parametrize("case", EXCEPTED, ids=lambda case: case.name)
def test_an_exception_is_needed(case: Case) -> None:
    assert not holds(case)


def test_exceptions_are_few_and_known() -> None:
    folder: Path = needed("yaml-test-suite")
    known = {file.stem for file in folder.glob("*.yaml")}
    assert {name.partition("/")[0] for name in EXCEPTIONS} <= known
    assert len(CASES) > 300
