"""Lists in the docs that the code could outgrow: events, and what uniflow has and Heddle has not."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from heddle.runtime.assembly.extension import registry
from tests.docs.fences import ROOT

ROOMS = ("runtime", "extensions", "cli")
EMITTERS = {"emit", "failed", "report", "call"}
UNIFLOW = """
block for fork if merge nop pipe retry sleep snippet split step switch throw try
listener http router sql test assert
text json yaml cel javascript typescript
"""
"""Every kind and language that uniflow has."""


def emitted(path: Path) -> Iterator[str]:
    """Yield the phrases of the events that a module emits, as far as they are written out."""
    for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(call, ast.Call):
            continue
        if isinstance(call.func, ast.Name) and call.func.id == "Source":
            # What a Source emits if an Error is left.
            for arg in call.args[1:]:
                if isinstance(arg, ast.Constant) and isinstance(arg.value, str):
                    yield arg.value
        if not isinstance(call.func, ast.Attribute):
            continue
        texts = [arg.value for arg in call.args if isinstance(arg, ast.Constant)]
        phrase = next((text for text in texts if isinstance(text, str)), "")
        if phrase and call.func.attr in EMITTERS and isinstance(call.args[0], ast.Constant):
            yield phrase
        elif phrase and call.func.attr == "_safely":
            yield f"{phrase} failed"


def test_every_event_stands_in_the_table_of_events() -> None:
    page = (ROOT / "docs" / "reload.md").read_text(encoding="utf-8")
    table = set(re.findall(r"`([^`]+)`", page[page.index("## Events") :]))
    phrases = {
        phrase for room in ROOMS for path in (ROOT / room).rglob("*.py") for phrase in emitted(path)
    }
    assert "generation live" in phrases
    assert sorted(phrases - table) == []


def test_what_uniflow_has_and_heddle_has_not_is_still_not_there() -> None:
    page = (ROOT / "docs" / "uniflow.md").read_text(encoding="utf-8")
    missing = re.search(r"^Not there yet: (.+)$", page, re.MULTILINE)
    named = set(re.findall(r"`([^`]+)`", missing[1])) if missing is not None else set()
    scheme = registry().scheme
    assert named & {*scheme.names, *scheme.languages.known} == set()
    uniflow = set(UNIFLOW.split())
    assert uniflow - {*scheme.names, *scheme.languages.known} == named
