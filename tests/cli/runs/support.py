"""Workflows for tests of runs, and short ways to the commands."""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from tests.cli.support import heddle

GREET = """\
- kind: workflow
  name: greet
  inputs:
    who: {type: string}
    times: {type: integer, default: 1}
    loud: {type: boolean, default: false}
    names: {type: array, default: []}
    more: {schema: {type: object, properties: {a: {type: integer}}}, default: {}}
  tasks:
    - name: text
      inputs: {who: in.who, times: in.times, loud: in.loud, names: in.names, more: in.more}
      do: {kind: snippet, language: cel, code: self}
"""

RATIO = """\
- kind: workflow
  name: ratio
  inputs: {count: {type: integer}}
  tasks:
    - name: double
      inputs: {count: in.count}
      do: {kind: snippet, language: cel, code: self.count * 2}
    - name: divide
      inputs: {by: double}
      do: {kind: snippet, language: cel, code: 100 / self.by}
    - name: text
      inputs: {ratio: divide}
      do: {kind: snippet, language: cel, code: string(self.ratio)}
"""


class Desk:
    """A folder in which a person works, with a home of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, name: str, text: str) -> Path:
        """Write a file in it."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def do(self, *words: str | Path, stdin: str | None = None) -> Result:
        """Run one command."""
        return heddle(*words, stdin=stdin, env={"XDG_STATE_HOME": str(self.folder / "home")})

    def get(self, *words: str | Path) -> Any:
        """Return the JSON of a command."""
        return json.loads(self.do(*words, "--json").stdout)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """Return an empty folder to work in."""
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.setenv("XDG_STATE_HOME", str(work / "home"))
    return Desk(work)


def id_in(text: str) -> str:
    """Return the id of a run as progress shows it."""
    match = re.search(r"^run ([0-9a-f]{8}), recorded in ", text, re.MULTILINE)
    assert match is not None, text
    return match[1]


def without_heddle() -> dict[str, str]:
    """Return the environment of this process without settings of Heddle."""
    return {name: text for name, text in os.environ.items() if not name.startswith("HEDDLE_")}
