"""What a test costs, by what its file imports: unit, integration or journeys.

A test of `unit` stays in its process and opens nothing. One of `integration` runs a runtime, a server
or a database. One of `journeys` starts processes, or tells a whole story of files, commands and servers.
A campaign tries many thousands of inputs; it runs apart from the others.
"""

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent

COSTS = ("unit", "integration", "journeys")
"""From the cheapest up: a file costs what the dearest of its imports costs."""

STORIES = ("journeys", "examples", "docs", "uniflow", "benchmarks")
"""The folders of tests/ that tell whole stories."""

CAMPAIGNS = ("fuzz", "conformance")
"""The folders of tests/ that try many thousands of inputs."""

PROCESSES = frozenset({"subprocess", "multiprocessing", "tests.cli.support"})
"""Imports of tests that start processes."""

RUNNING = (
    "socket",
    "ssl",
    "aiohttp",
    "psycopg",
    "websockets",
    "tests.postgres",
    "heddle.runtime.runtime",
    "heddle.testing",
    "heddle.cli.main",
)
"""Imports of tests that run a runtime, a server or a database."""


def cost_of(path: Path) -> str:
    """Return the cost of the tests in a file."""
    inside = path.relative_to(ROOT / "tests").parts
    if inside[0] in STORIES:
        return "journeys"
    return COSTS[_rank(path)]


def is_campaign(path: Path) -> bool:
    """Return whether the tests in a file are campaigns."""
    return path.relative_to(ROOT / "tests").parts[0] in CAMPAIGNS


@cache
def _rank(path: Path) -> int:
    """Return the place of a file in COSTS, with all that it imports of the tests."""
    names = _imports(path)
    if names & PROCESSES:
        return 2
    rank = int(any(name.startswith(RUNNING) for name in names) or "heddle.Runtime" in names)
    for name in names:
        helper = ROOT / (name.replace(".", "/") + ".py")
        if name.startswith("tests.") and helper != path and helper.is_file():
            rank = max(rank, _rank(helper))
    return rank


def _imports(path: Path) -> set[str]:
    """Return the modules that a file imports, and `module.name` of what it imports from them."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names
