"""Each room lists its public names, and they are there."""

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("specs", "schemas", "runtime", "extensions", "cli")


def listed() -> list[str]:
    """The rooms, and the doors inside them that list public names too."""
    doors = ["heddle.extensions.extension"]
    return [f"heddle.{room}" for room in ROOMS] + doors


@pytest.mark.parametrize("name", listed())
def test_every_listed_name_is_there_once_and_in_order(name: str) -> None:
    room = import_module(name)
    names = list(getattr(room, "__all__", ()))
    assert len(set(names)) == len(names)
    assert [one for one in names if not hasattr(room, one)] == []
    assert [one for one in names if one not in dir(room)] == []


@pytest.mark.parametrize("room", ["specs", "schemas", "runtime"])
def test_a_library_room_lists_what_it_offers(room: str) -> None:
    assert import_module(f"heddle.{room}").__all__


@pytest.mark.parametrize("room", ["specs", "runtime"])
def test_no_name_that_is_brought_in_late_is_that_of_a_file(room: str) -> None:
    # Importing the file would put the module in the place of what the name promises.
    files = {path.stem for path in (ROOT / room).glob("*.py")}
    assert files & set(import_module(f"heddle.{room}").__all__) == set()


@pytest.mark.parametrize("room", ["specs", "schemas", "runtime"])
def test_a_name_that_is_not_there_says_so(room: str) -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        import_module(f"heddle.{room}").no_such_name  # noqa: B018 - asking is the test


@pytest.mark.parametrize("room", ROOMS)
def test_every_file_says_its_idea_in_its_first_line(room: str) -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in sorted((ROOT / room).rglob("*.py"))
        if path.read_text().strip() and not path.read_text().startswith('"""')
    ]
    assert silent == []


def test_entering_a_room_loads_only_what_is_asked_for() -> None:
    code = (
        "import sys, heddle.runtime; before = set(sys.modules); "
        "heddle.runtime.Packet; "
        "print(sorted(m for m in sys.modules if m.startswith('heddle.runtime.')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == (
        "['heddle.runtime.errors', 'heddle.runtime.packet', 'heddle.runtime.trace']"
    )
