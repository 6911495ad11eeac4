"""The shape of the house: who may import whom, read from every import in every file.

Rooms look down only: specs <- schemas <- runtime <- extensions <- cli. Families of extensions are
strangers to each other. The traffic floor of the runtime knows nothing of Specs. Nothing goes round.
"""

import ast
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("specs", "schemas", "runtime", "extensions", "cli")

TRAFFIC = frozenset(
    {
        *(
            "errors",
            "packet",
            "stream",
            "node",
            "flow",
            "step",
            "elsewhere",
            "fuse",
            "wiring",
            "machine",
        ),
        *("reader", "writer", "generation", "process", "shapes"),
    }
)
"""The lower floor of the runtime: how packets go."""

BELOW_TRAFFIC = {"heddle.specs.names"}
"""What the traffic floor may use of the rooms below: where ids come from."""

SHARED = {"extension", "discover"}
"""Files that stand in extensions/ itself: every family may use them."""


class Import(NamedTuple):
    """One import: of what, in which line, and whether it is there when the module is loaded."""

    name: str
    line: int
    loading: bool
    typing: bool = False


# -- reading ---------------------------------------------------------------------------------------


def module_of(path: Path) -> str:
    """`runtime/node.py` is heddle.runtime.node; a test is tests.…"""
    parts = path.with_suffix("").parts
    parts = parts[:-1] if parts[-1] == "__init__" else parts
    return ".".join(parts if parts[0] not in ROOMS else ("heddle", *parts))


def imports_of(source: str) -> list[Import]:
    """Every import of a source, wherever it stands."""
    return list(_walk(ast.parse(source), loading=True, typing=False))


def _walk(node: ast.AST, *, loading: bool, typing: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            for alias in child.names:
                yield Import(alias.name, child.lineno, loading, typing)
        elif isinstance(child, ast.ImportFrom):
            base = "." * child.level + (child.module or "")
            for alias in child.names:
                yield Import(f"{base}:{alias.name}", child.lineno, loading, typing)
        elif isinstance(child, ast.Call) and _dynamic(child):
            yield Import(_dynamic(child), child.lineno, loading=False, typing=typing)
        if isinstance(child, ast.If) and _type_checking(child.test):
            for one in child.body:
                yield from _walk(_held(one), loading=False, typing=True)
            for one in child.orelse:
                yield from _walk(_held(one), loading=loading, typing=typing)
            continue
        inner = loading and not isinstance(
            child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
        )
        yield from _walk(child, loading=inner, typing=typing)


def _held(node: ast.stmt) -> ast.Module:
    return ast.Module(body=[node], type_ignores=[])


def _dynamic(call: ast.Call) -> str:
    """What `import_module("…")` imports, where it is written out."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if name in ("import_module", "__import__") and call.args:
        first = call.args[0]
        if isinstance(first, ast.Constant) and isinstance(first.value, str):
            return first.value
    return ""


def _type_checking(test: ast.expr) -> bool:
    return (isinstance(test, ast.Name) and test.id == "TYPE_CHECKING") or (
        isinstance(test, ast.Attribute) and test.attr == "TYPE_CHECKING"
    )


def target_of(name: str, known: Iterable[str]) -> str:
    """The module that an import leads to: `heddle.specs:names` is the file names, if there is one."""
    base, mark, item = name.partition(":")
    whole = f"{base}.{item}"
    return whole if mark and whole in known else base


def files() -> dict[str, str]:
    """Every module of the rooms and of the tests, with its source."""
    found = {}
    for room in (*ROOMS, "tests"):
        for path in sorted((ROOT / room).rglob("*.py")):
            found[module_of(path.relative_to(ROOT))] = path.read_text()
    return found


# -- the rules -------------------------------------------------------------------------------------


def room_of(module: str) -> str:
    """`heddle.runtime.node` is of the room runtime."""
    parts = module.split(".")
    return parts[1] if parts[0] == "heddle" and len(parts) > 1 else ""


def family_of(module: str) -> str:
    """`heddle.extensions.net.router` is of the family net; files beside the families are of none."""
    parts = module.split(".")
    if parts[:2] != ["heddle", "extensions"] or len(parts) < 3 or parts[2] in SHARED:
        return ""
    return parts[2]


def wrong(module: str, one: Import, target: str) -> str:
    """What is wrong with an import; empty where nothing is."""
    if target.startswith("."):
        return "is relative: imports are by full name"
    if target.split(".")[0] in ROOMS:
        return "is bare: it makes a second copy of every class"
    if target == "src" or target.startswith("src."):
        return "goes through the folder src"
    if module.startswith("tests"):
        return ""
    if target == "tests" or target.startswith("tests."):
        return "leads from a room to the tests"
    here, there = room_of(module), room_of(target)
    if not there:
        return ""
    if there not in ROOMS:
        return "leads to no room"
    if ROOMS.index(there) > ROOMS.index(here):
        return f"leads up, from {here} to {there}"
    mine, its = family_of(module), family_of(target)
    if mine and its and mine != its:
        return f"leads from the family {mine} to the family {its}"
    return "" if one.typing else _wrong_floor(module, target)


def _wrong_floor(module: str, target: str) -> str:
    parts = module.split(".")
    if parts[:2] != ["heddle", "runtime"] or parts[-1] not in TRAFFIC or target in BELOW_TRAFFIC:
        return ""
    there = target.split(".")
    if room_of(target) != "runtime":
        return "leads from the traffic floor out of the room"
    if len(there) > 2 and there[2] not in TRAFFIC:
        return "leads from the traffic floor up to the assembly"
    return ""


def violations(sources: Mapping[str, str]) -> list[str]:
    """Every import that breaks a rule."""
    found = []
    for module, source in sources.items():
        for one in imports_of(source):
            target = target_of(one.name, sources)
            why = wrong(module, one, target)
            if why:
                found.append(f"{module}:{one.line}: the import of {target} {why}")
    return found


def rings(sources: Mapping[str, str]) -> list[list[str]]:
    """Modules that import each other while they are loaded, in a ring."""
    leads = {
        module: {
            target
            for one in imports_of(source)
            if one.loading
            for target in _loaded(target_of(one.name, sources), sources)
            if target != module and not module.startswith(f"{target}.")
        }
        for module, source in sources.items()
    }
    return [ring for ring in _strong(leads) if len(ring) > 1]


def _loaded(target: str, known: Iterable[str]) -> list[str]:
    """Importing a.b.c loads a, a.b and a.b.c."""
    parts = target.split(".")
    every = [".".join(parts[: count + 1]) for count in range(len(parts))]
    return [one for one in every if one in known]


def _strong(leads: Mapping[str, set[str]]) -> list[list[str]]:
    """Strongly connected modules (Tarjan's way, without recursion)."""
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    held: set[str] = set()
    found: list[list[str]] = []
    for root in leads:
        todo = [(root, iter(sorted(leads[root])))] if root not in order else []
        while todo:
            node, rest = todo[-1]
            if node not in order:
                order[node] = low[node] = len(order)
                stack.append(node)
                held.add(node)
            step = next((one for one in rest if one in leads), None)
            if step is None:
                todo.pop()
                if todo:
                    low[todo[-1][0]] = min(low[todo[-1][0]], low[node])
                if low[node] == order[node]:
                    cut = stack.index(node)
                    ring, stack = stack[cut:], stack[:cut]
                    held -= set(ring)
                    found.append(sorted(ring))
            elif step not in order:
                todo.append((step, iter(sorted(leads[step]))))
            elif step in held:
                low[node] = min(low[node], order[step])
    return found


# -- our house -------------------------------------------------------------------------------------


def test_every_import_keeps_the_shape_of_the_house() -> None:
    assert violations(files()) == []


def test_no_modules_import_each_other_in_a_ring() -> None:
    assert rings(files()) == []


def test_the_files_of_the_traffic_floor_are_there() -> None:
    assert {path.stem for path in (ROOT / "runtime").glob("*.py")} >= TRAFFIC


def test_every_folder_of_python_is_a_package() -> None:
    folders = {path.parent for room in (*ROOMS, "tests") for path in (ROOT / room).rglob("*.py")}
    assert [str(one) for one in sorted(folders) if not (one / "__init__.py").exists()] == []


@pytest.mark.parametrize("room", ROOMS)
def test_the_package_holds_each_room_by_a_link(room: str) -> None:
    link = ROOT / "src" / "heddle" / room
    assert link.is_symlink()
    assert str(link.readlink()) == f"../../{room}"
    assert link.resolve() == ROOT / room


def test_the_package_holds_nothing_else() -> None:
    held = {path.name for path in (ROOT / "src" / "heddle").iterdir()} - {"__pycache__"}
    assert held == {"__init__.py", "py.typed", *ROOMS}


# -- the checker itself ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("module", "source", "why"),
    [
        ("heddle.specs.spec", "from heddle.schemas.check import check", "leads up, from specs"),
        ("heddle.schemas.check", "import heddle.runtime.node", "leads up, from schemas"),
        ("heddle.runtime.runtime", "from heddle import extensions", "leads up, from runtime"),
        ("heddle.extensions.net.a", "def f():\n    import heddle.cli.main", "leads up"),
        ("heddle.runtime.runtime", "import_module('heddle.cli.main')", "leads up"),
        ("heddle.extensions.net.a", "from heddle.extensions.sql.b import c", "the family sql"),
        ("heddle.extensions.net", "from heddle.extensions import sql", "the family sql"),
        ("heddle.runtime.process", "from heddle.specs.spec import Spec", "out of the room"),
        ("heddle.runtime.machine", "import heddle.schemas", "out of the room"),
        ("heddle.runtime.node", "from heddle.runtime.host import Host", "up to the assembly"),
        ("heddle.runtime.step", "from heddle.runtime import table", "up to the assembly"),
        ("heddle.cli.main", "from .output import show", "is relative"),
        ("heddle.cli.main", "from . import output", "is relative"),
        ("heddle.cli.main", "import specs.spec", "is bare"),
        ("heddle.cli.main", "from runtime import node", "is bare"),
        ("tests.test_x", "from runtime.node import Node", "is bare"),
        ("tests.test_x", "import src.heddle", "through the folder src"),
        ("heddle.cli.main", "from tests.support import fetch", "to the tests"),
        ("heddle.cli.main", "from heddle.kitchen import pot", "leads to no room"),
        ("heddle.specs.spec", "if TYPE_CHECKING:\n    import heddle.cli.main", "leads up"),
        ("heddle.specs.spec", "try:\n    pass\nfinally:\n    import heddle.cli.main", "leads up"),
    ],
)
def test_the_checker_sees_what_breaks_a_rule(module: str, source: str, why: str) -> None:
    known = {
        "heddle.extensions.sql": "",
        "heddle.extensions": "",
        "heddle.runtime.table": "",
        "heddle.kitchen": "",
    }
    (found,) = violations({module: source, **{one: "" for one in known if one != module}})
    assert why in found


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("heddle.schemas.check", "from heddle.specs.spec import Spec"),
        ("heddle.extensions.net.a", "from heddle.extensions.extension import Node"),
        ("heddle.extensions.net.a", "from heddle.extensions.net.http.b import c"),
        ("heddle.extensions", "from heddle.extensions.net import register"),
        ("heddle.runtime.process", "from heddle.specs.names import new_id"),
        ("heddle.runtime.node", "if TYPE_CHECKING:\n    from heddle.runtime.host import Host"),
        ("heddle.runtime.table", "from heddle.specs.spec import Spec"),
        ("heddle.cli.main", "import os, click"),
        ("heddle.cli.main", "from heddle import __version__"),
        ("tests.test_x", "from heddle.cli.main import main"),
    ],
)
def test_the_checker_lets_pass_what_keeps_the_rules(module: str, source: str) -> None:
    assert violations({module: source, "heddle.specs.names": ""}) == []


def test_the_checker_sees_rings() -> None:
    sources = {
        "heddle.a": "from heddle.b import x",
        "heddle.b": "class C:\n    import heddle.c",
        "heddle.c": "try:\n    from heddle import a\nexcept ImportError:\n    pass",
        "heddle.d": "import heddle.a",
    }
    assert rings(sources) == [["heddle.a", "heddle.b", "heddle.c"]]


def test_a_ring_through_a_package_is_seen() -> None:
    sources = {"heddle.p": "import heddle.q", "heddle.p.x": "", "heddle.q": "import heddle.p.x"}
    assert rings(sources) == [["heddle.p", "heddle.q"]]


def test_what_is_imported_late_or_for_types_alone_makes_no_ring() -> None:
    sources = {
        "heddle.a": "def f():\n    import heddle.b",
        "heddle.b": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import heddle.c",
        "heddle.c": "import heddle.a, heddle.b",
    }
    assert rings(sources) == []
