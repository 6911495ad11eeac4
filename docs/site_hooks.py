"""Hooks of the site: bring in the pages that stand outside docs/, and write the API reference."""

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

import heddle

ROOT = Path(__file__).parent.parent
OUTSIDE = (
    "README.md",
    "CHANGELOG.md",
    "SECURITY.md",
    "CONTRIBUTING.md",
    "LICENSE",
    "benchmarks",
    "examples",
)
"""The files and folders beside docs/ that pages link to."""

REPOSITORY = "repository"
"""The folder of the site that holds them."""

_LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(([^)#\s]+)(#[^)\s]*)?\)")


def on_files(files: Files, config: Any) -> Files:
    """Add the pages outside docs/ and the API reference."""
    for name in OUTSIDE:
        path = ROOT / name
        inside = sorted(path.rglob("*")) if path.is_dir() else [path]
        for one in inside:
            if one.is_file() and one.suffix in (".md", ".yaml", ".yml", ".py", ".toml", ".svg", ""):
                uri = f"{REPOSITORY}/{one.relative_to(ROOT).as_posix()}"
                files.append(File.generated(config, uri, content=one.read_bytes()))
    door = [f"::: heddle.{home}.{name}" for name, home in sorted(heddle._HOMES.items())]
    for part, entries in (("heddle", door), ("heddle.testing", ["::: heddle.testing"])):
        page = f"# {part}\n\n" + "\n\n".join(entries) + "\n"
        files.append(File.generated(config, f"reference/{part}.md", content=page))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Lead links that leave docs/ to the copies of the site."""
    here = Path(page.file.src_uri).parent

    def lead(match: re.Match[str]) -> str:
        text, target, anchor = match[1], match[2], match[3] or ""
        if "://" in target or target.startswith("mailto:"):
            return match[0]
        if here.parts[:1] == (REPOSITORY,):
            goal = _normal(Path(*here.parts[1:]) / target)
        else:
            goal = _normal(Path("docs") / here / target)
        if goal is None:
            return text
        inside = goal.parts[:1] == ("docs",)
        uri = Path(*goal.parts[1:]) if inside else Path(REPOSITORY) / goal
        if files.get_file_from_path(uri.as_posix()) is None:
            index = files.get_file_from_path((uri / "README.md").as_posix())
            if index is None:
                return text
            uri = uri / "README.md"
        up = "../" * len(here.parts)
        return f"[{text}]({up}{uri.as_posix()}{anchor})"

    return _LINK.sub(lead, markdown)


def _normal(path: Path) -> Path | None:
    """Return the path without `..`; None if it leaves the repository."""
    parts: list[str] = []
    for part in path.parts:
        if part == "..":
            if not parts:
                return None
            parts.pop()
        elif part != ".":
            parts.append(part)
    return Path(*parts) if parts else None
