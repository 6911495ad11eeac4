"""Writes what is generated in docs/: the page of each kind, their index, the commands, the picture.

    python docs/build.py           writes what is not up to date, and removes pages of kinds that are gone
    python docs/build.py --check   writes nothing; exit code 1, and the names, where something is not

Only the kinds of this distribution have a page: what else is installed does not count.
"""

import sys
from collections.abc import Iterable
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from heddle.cli.views.reference import refreshed
from heddle.extensions.drawing import Picture, draw
from heddle.extensions.manage import page as api
from heddle.extensions.manage.openapi import describe
from heddle.extensions.manage.operations import OPERATIONS
from heddle.extensions.manage.system import shipped
from heddle.runtime.assembly.extension import GROUP, Extension, Registry
from heddle.schemas.page import common_page, gaps, index, markdown
from heddle.schemas.schema import Schema
from heddle.specs.yaml.document import read_path

DOCS = Path(__file__).parent
KINDS = DOCS / "kinds"
COMMANDS = DOCS / "commands.md"
API = DOCS / "api.md"
PICTURE = DOCS / "ping.svg"
DRAWN = DOCS.parent / "examples" / "ping.yaml"
DISTRIBUTION = "heddle-runtime"
COMMON = """
## fields that all kinds share

- [common](common.md): the fields of every Spec, the fields of a Value, and the lifecycle ports.

How they compare with the nodes of others, and what is left out: [kinds, compared](../kinds.md).
"""

RUN = "\nTo try this: `heddle start flow.yaml`. See [running heddle](../run.md).\n"
"""Stands at the end of each generated page, as at the end of those that are written by hand."""


def schemas() -> list[Schema[Any]]:
    """Return the Schema of every kind of this distribution, by name."""
    registry = Registry()
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        if point.dist is not None and point.dist.name == DISTRIBUTION:
            point.load()(Extension(point.name, registry))
    return [kind.schema for _, kind in sorted(registry.scheme.kinds.items())]


def pages(known: Iterable[Schema[Any]]) -> dict[Path, str]:
    """Return every generated file and what it should say."""
    known = list(known)
    written = {KINDS / f"{schema.kind}.md": markdown(schema) + RUN for schema in known}
    written[KINDS / "index.md"] = index(known) + COMMON + RUN
    written[KINDS / "common.md"] = common_page() + RUN
    written[COMMANDS] = refreshed(COMMANDS.read_text(encoding="utf-8"))
    written[API] = api.refreshed(API.read_text(encoding="utf-8"), describe(shipped(), OPERATIONS))
    written[PICTURE] = draw(Picture.of(read_path(DRAWN).specs), "svg", "right")
    return written


def stale(written: dict[Path, str]) -> list[Path]:
    """Return the pages that do not say what they should, and those that should not be there."""
    wrong = [path for path, text in written.items() if said(path) != text]
    return sorted([*wrong, *(path for path in KINDS.glob("*.md") if path not in written)])


def said(path: Path) -> str | None:
    """Return what a page says now; None if there is none."""
    return path.read_text(encoding="utf-8") if path.is_file() else None


def write(written: dict[Path, str]) -> list[Path]:
    """Bring the pages up to date; returns those that were not."""
    KINDS.mkdir(exist_ok=True)
    changed = stale(written)
    for path in changed:
        if path in written:
            path.write_text(written[path], encoding="utf-8")
        else:
            path.unlink()
    return changed


def main(arguments: list[str]) -> int:
    """Write, or with `--check` only tell; the exit code."""
    known = schemas()
    unsaid = [f'kind "{schema.kind}": {gap}' for schema in known for gap in gaps(schema)]
    written = pages(known)
    check = arguments == ["--check"]
    changed = stale(written) if check else write(written)
    for line in unsaid:
        print(f"unsaid: {line}", file=sys.stderr)
    for path in changed:
        print(f"{'not up to date' if check else 'written'}: {path.relative_to(DOCS.parent)}")
    if check and changed:
        print("Try: make docs", file=sys.stderr)
    return 1 if unsaid or (check and changed) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
