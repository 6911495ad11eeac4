"""A large namespace: symbols of many kinds in files of a hundred, one of which answers requests."""

from pathlib import Path
from typing import Final

PER_FILE: Final = 100

FRONT: Final = """\
# What the outside asks: GET /leaf is answered by the leaf, which is edited.
- kind: listener
  name: listener
  protocol: http
  port: '{{ .PORT }}'
  env:
    PORT: {data: '{{ .PORT }}'}
  ports:
    out:
      - {name: router, port: in}
- kind: router
  name: router
  routes:
    - {method: GET, path: /leaf, port: 'out[0]'}
  ports:
    out[0]:
      - {name: leaf, port: in}
"""

KINDS: Final = (
    "- kind: snippet\n  name: {name}\n  language: cel\n  code: self.count + {number}\n",
    "- kind: if\n  name: {name}\n  when: self.count > {number}\n  annotations: {{team: core}}\n",
    (
        "- kind: switch\n  name: {name}\n  matches:\n"
        "    - {{when: self == {number}, port: 'out[0]'}}\n    - {{when: self == 2, port: 'out[1]'}}\n"
    ),
    "- kind: snippet\n  name: {name}\n  language: text\n  code: hello\n",
    "- kind: try\n  name: {name}\n",
)
"""Blanks are `name` and `number`."""

ONWARD: Final = "  ports:\n    out:\n      - {{name: {name}, port: in}}\n"


def write(folder: Path, symbols: int, per_file: int = PER_FILE) -> Path:
    """Write so many symbols into a folder, so many to a file; return the file with the leaf."""
    for first in range(0, symbols, per_file):
        count = min(per_file, symbols - first)
        path = folder / f"flow{first // per_file:03}.yaml"
        path.write_text(_file(first, count) if first else _first(count))
    return folder / "flow000.yaml"


def leaf(version: int) -> str:
    """Return the leaf, as it is saved the so manieth time."""
    return f"- kind: snippet\n  name: leaf\n  language: text\n  code: leaf {version}\n"


def edited(path: Path, version: int) -> str:
    """Return the text of the file with the leaf of another version."""
    text = path.read_text()
    start = text.index("- kind: snippet\n  name: leaf\n")
    end = text.index("\n", text.index("code: leaf ", start)) + 1
    return text[:start] + leaf(version) + text[end:]


def _first(count: int) -> str:
    return FRONT + leaf(0) + _file(3, count - 3)


def _file(first: int, count: int) -> str:
    """Symbols that lead from one to the next, as far as the file goes."""
    parts = []
    for number in range(first, first + count):
        parts.append(KINDS[number % len(KINDS)].format(name=f"node{number}", number=number))
        if number < first + count - 1:
            parts.append(ONWARD.format(name=f"node{number + 1}"))
    return "".join(parts)
