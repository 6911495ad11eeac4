"""The shape of the house: which room may import which, read from every import by grimp.

Imports count wherever they stand: at the top, inside a function, or for type checkers only. Relative
and bare imports (`import specs`) are rejected by ruff.
"""

import ast
import sys
from functools import cache
from itertools import pairwise
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("schemas", "specs", "runtime", "extensions", "cli")
"""From the ground up: each room imports itself and what stands before it."""

WINGS = {
    "specs": ("model", "files", "yaml", "secrets", "stores", "binding", "merge"),
    "runtime": ("flow", "events", "observe", "assembly", "status", "changes", "surface", ""),
    "cli": ("", "runs", "views", "supervisor", "commands"),
}
"""The wings of a room from the ground up; "" stands for the files of the room itself."""

DOORS = frozenset({"heddle.cli.main", "heddle.cli.__main__", "heddle.cli.serve"})
"""Files of `cli` that may import its wings: the program begins there."""

SHARED = frozenset(
    {
        "heddle.extensions.extension",
        "heddle.extensions.response",
        "heddle.extensions.pieces",
        "heddle.extensions.drawing",
    }
)
"""What every family of `extensions` may use."""

FLOW_MAY_USE = "heddle.specs.model.names"
"""What the wing `flow` may use of other rooms: where ids come from."""

VERSION = "from heddle import __version__"

Edge = tuple[str, str]


@cache
def graph() -> grimp.ImportGraph:
    """Return the imports of the whole package."""
    sys.path.insert(0, str(ROOT / "src"))
    try:
        return grimp.build_graph("heddle", cache_dir=None)
    finally:
        sys.path.remove(str(ROOT / "src"))


@cache
def edges() -> tuple[Edge, ...]:
    """Return every import as (module that imports, module that is imported)."""
    known = graph()
    return tuple(
        (module, target)
        for module in sorted(known.modules)
        for target in sorted(known.find_modules_directly_imported_by(module))
    )


def room(module: str) -> str:
    """Return the room of a module; "" for the front door."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in ROOMS else ""


def wing(module: str) -> str:
    """Return the wing of a module; "" for a file of the room itself."""
    parts = module.split(".")
    here = WINGS.get(room(module), ())
    return parts[2] if len(parts) > 2 and parts[2] in here else ""


def family(module: str) -> str:
    """Return the family of a module of `extensions`; "" for what all families share."""
    parts = module.split(".")
    shared = any(module == one or module.startswith(f"{one}.") for one in SHARED)
    return parts[2] if room(module) == "extensions" and len(parts) > 2 and not shared else ""


def rings() -> list[list[str]]:
    """Return the groups of modules that import each other, directly or by way of others."""
    import networkx

    joined = networkx.DiGraph(edges())
    return sorted(
        sorted(ring) for ring in networkx.strongly_connected_components(joined) if len(ring) > 1
    )


def test_rooms_import_only_what_stands_before_them() -> None:
    up = [
        (module, target)
        for module, target in edges()
        if room(module) and room(target) and ROOMS.index(room(target)) > ROOMS.index(room(module))
    ]
    assert up == []


@pytest.mark.parametrize("name", sorted(WINGS))
def test_wings_import_only_what_stands_before_them(name: str) -> None:
    order = WINGS[name]
    up = [
        (module, target)
        for module, target in edges()
        if room(module) == name == room(target)
        and module not in DOORS
        and module != f"heddle.{name}"
        and target != f"heddle.{name}"
        and order.index(wing(target)) > order.index(wing(module))
    ]
    assert up == []


def test_no_wing_is_missing_from_the_order() -> None:
    for name, order in WINGS.items():
        folders = {path.parent.name for path in (ROOT / name).glob("*/__init__.py")}
        assert folders <= set(order), name


def test_no_modules_import_each_other_in_a_ring() -> None:
    assert rings() == []


def test_packets_know_nothing_of_specs() -> None:
    out = [
        (module, target)
        for module, target in edges()
        if module.startswith("heddle.runtime.flow.")
        and not target.startswith("heddle.runtime.flow")
        and target != FLOW_MAY_USE
    ]
    assert out == []


def test_families_of_extensions_are_strangers() -> None:
    crossed = [
        (module, target)
        for module, target in edges()
        if family(module) and family(target) and family(module) != family(target)
    ]
    assert crossed == []


def test_rooms_import_rooms_by_their_full_names() -> None:
    """The front door is for others: through it a room would depend on everything."""
    taken = [
        f"{path}:{number}"
        for name in ROOMS
        for path in sorted((ROOT / name).rglob("*.py"))
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if line.strip().startswith("from heddle import ") and line.strip() != VERSION
    ]
    assert taken == []


def test_every_folder_of_python_is_a_package() -> None:
    folders = {path.parent for name in (*ROOMS, "tests") for path in (ROOT / name).rglob("*.py")}
    assert [str(one) for one in sorted(folders) if not (one / "__init__.py").exists()] == []


@pytest.mark.parametrize("name", ROOMS)
def test_the_package_holds_each_room_by_a_link(name: str) -> None:
    link = ROOT / "src" / "heddle" / name
    assert link.is_symlink()
    assert str(link.readlink()) == f"../../{name}"
    assert link.resolve() == ROOT / name


def test_the_rules_see_an_import_that_breaks_them() -> None:
    known = set(edges())
    assert ("heddle.specs.model.spec", "heddle.schemas.problem") in known
    typed_only = ("heddle.runtime.flow.fusion", "heddle.runtime.flow.node")
    assert typed_only in known
    for lower, higher in pairwise(ROOMS):
        assert ROOMS.index(lower) < ROOMS.index(higher)


def test_no_extension_starts_a_task_without_an_owner() -> None:
    """Ruff rejects `asyncio.create_task` and its like; a loop of one's own has the same methods."""
    starts = ("create_task", "ensure_future")
    found = [
        f"{file.relative_to(ROOT)}:{node.lineno}"
        for file in (ROOT / "extensions").rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in starts
    ]
    assert not found, f"start these with host.tasks, process.tasks or source.tasks: {found}"
