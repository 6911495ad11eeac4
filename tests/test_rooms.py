"""The front door lists what a program needs, each name once; the files say their idea."""

import ast
import re
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pytest

import heddle

ROOT = Path(__file__).parent.parent
ROOMS = ("schemas", "specs", "runtime", "extensions", "cli")


def test_every_name_of_the_front_door_can_be_loaded() -> None:
    assert [name for name in heddle.__all__ if getattr(heddle, name, None) is None] == []  # pyright: ignore[reportAttributeAccessIssue] - made when it is asked for
    assert [name for name in heddle.__all__ if name not in dir(heddle)] == []  # pyright: ignore[reportAttributeAccessIssue] - made when it is asked for


def test_the_types_of_the_front_door_are_those_of_its_names() -> None:
    stub = ast.parse((ROOT / "src" / "heddle" / "__init__.pyi").read_text())
    typed = {
        (alias.name, node.module)
        for node in stub.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    loaded = {(name, f"heddle.{home}") for name, home in heddle._HOMES.items()}  # pyright: ignore[reportAttributeAccessIssue] - made when it is asked for
    assert typed == loaded


def test_a_name_that_is_not_public_is_rejected_with_its_name() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        heddle.no_such_name  # noqa: B018 - the look-up is the test  # pyright: ignore[reportAttributeAccessIssue] - made when it is asked for


def test_the_front_door_loads_only_what_is_used() -> None:
    code = (
        "import sys, heddle; print([m for m in sys.modules if m.startswith('heddle.')]); "
        "heddle.Packet; "
        "print(sorted(m for m in sys.modules if m.startswith('heddle.runtime.')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    before, after = done.stdout.splitlines()
    assert before == "[]"
    assert after == (
        "['heddle.runtime.flow', 'heddle.runtime.flow.errors', 'heddle.runtime.flow.packet', "
        "'heddle.runtime.flow.trace']"
    )


def test_pages_and_examples_import_from_the_front_door_alone() -> None:
    pages = [*(ROOT / "docs").glob("*.md"), ROOT / "README.md", *(ROOT / "examples").rglob("*.py")]
    past = [
        f"{page.relative_to(ROOT)}: {line.strip()}"
        for page in pages
        for line in page.read_text().splitlines()
        if line.strip().startswith(("from heddle.", "import heddle."))
        and not line.strip().startswith("from heddle.testing import")
    ]
    assert past == []


@pytest.mark.parametrize("room", ROOMS)
def test_every_file_says_its_idea_in_its_first_line(room: str) -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in sorted((ROOT / room).rglob("*.py"))
        if path.read_text().strip() and not path.read_text().startswith('"""')
    ]
    assert silent == []


LONGEST_NAME = 12
"""The most words of a test's name, `test` not counted."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def functions() -> tuple[tuple[str, Function], ...]:
    """Return every function below tests/, with its place."""
    return tuple(
        (f"{path.relative_to(ROOT)}:{node.lineno}", node)
        for path in sorted((ROOT / "tests").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, Function)
    )


def calls(function: Function) -> set[str]:
    """Return the names of what a function calls."""
    called = [node.func for node in ast.walk(function) if isinstance(node, ast.Call)]
    return {
        call.attr if isinstance(call, ast.Attribute) else getattr(call, "id", "") for call in called
    }


def test_names_of_tests_have_at_most_twelve_words() -> None:
    names = [(place, node.name) for place, node in functions() if node.name.startswith("test_")]
    assert [(place, name) for place, name in names if name.count("_") > LONGEST_NAME] == []


def test_every_test_asserts_something_or_says_why_not() -> None:
    """A test may leave it to a helper of the tests, also to one that waits until something is true.

    What must only not raise has no assertion. Then the docstring says so.
    """
    asserting = {"raises", "warns", "fail"}
    left: dict[str, set[str]] = {}
    for _, node in functions():
        called = calls(node)
        waits = node.name.startswith("until") and "timeout" in called
        if waits or any(isinstance(part, ast.Assert) for part in ast.walk(node)):
            asserting.add(node.name)
        left.setdefault(node.name, set()).update(called)
    before = -1
    while before != len(asserting):
        before = len(asserting)
        asserting |= {name for name, called in left.items() if called & asserting}
    silent = [
        f"{place} {node.name}"
        for place, node in functions()
        if node.name.startswith("test_")
        and node.name not in asserting
        and ast.get_docstring(node) is None
    ]
    assert silent == []


LONGEST_FILE, LONGEST_FUNCTION = 500, 60
"""Lines, beyond which a file or a function says why it is one: `# One file: …`, `# One function: …`."""


@pytest.mark.parametrize("room", ROOMS)
def test_long_files_and_functions_say_why_they_are_one(room: str) -> None:
    silent: list[str] = []
    for path in sorted((ROOT / room).rglob("*.py")):
        text = path.read_text()
        lines = text.splitlines()
        if len(lines) > LONGEST_FILE and not reason("file", lines[:20]):
            silent.append(f"{path.relative_to(ROOT)}: {len(lines)} lines")
        for node in ast.walk(ast.parse(text)):
            if not isinstance(node, Function) or node.end_lineno is None:
                continue
            inside = lines[node.lineno - 1 : node.end_lineno]
            if len(inside) > LONGEST_FUNCTION and not reason("function", inside):
                silent.append(f"{path.relative_to(ROOT)}:{node.lineno} {node.name}: {len(inside)}")
    assert silent == []


def reason(sort: str, lines: Sequence[str]) -> bool:
    """Whether one of these lines begins to say why this is one."""
    return any(re.match(rf"\s*# One {sort}: \S+ \S+ \S+ ", line) for line in lines)
