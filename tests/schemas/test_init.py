"""The room lists its public names, and is cheap to enter."""

import subprocess
import sys

import heddle.schemas


def test_every_listed_name_is_there() -> None:
    assert all(hasattr(heddle.schemas, name) for name in heddle.schemas.__all__)
    assert len(set(heddle.schemas.__all__)) == len(heddle.schemas.__all__)


def test_entering_the_room_does_not_load_what_only_editors_need() -> None:
    code = "import sys, heddle.schemas; print([m for m in ('jsonschema', 'hypothesis') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
