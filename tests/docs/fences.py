"""The fenced blocks of the docs, and the words behind their language.

```yaml                a flow that runs as it stands
```yaml fragment       part of a flow: read by people only
```yaml problem        a flow with a mistake; the next block shows what is said of it
```yaml warned         a flow that runs, and that `heddle check` warns of
```yaml file=ping.yaml is also a file for the other blocks of the page
```python              runs after the Python above it on the page
```output              what the Python right above it prints
```sh api              its lines ask the API of a system namespace, with curl, and are not rejected
```sh api rejected      they are
```console run         its first line is run, the others are what it prints
```console tour       its commands are run in order, and print what is shown but for ids and times
```console database    likewise, with a database in the place of postgresql://db/flows
"""

import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]

_OPEN = re.compile(r"( {0,3})(`{3,}|~{3,})\s*([^`]*)$")


class Fence(NamedTuple):
    """One block: where it stands, its language and what is said of it, and what it holds."""

    page: Path
    line: int
    language: str
    words: tuple[str, ...]
    code: str

    @property
    def file(self) -> str:
        """The name of the file that it is; empty if it is none."""
        return next((word.removeprefix("file=") for word in self.words if "file=" in word), "")

    @property
    def place(self) -> str:
        """`docs/tour.md:12`, as a test is called."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"


@cache
def pages() -> tuple[Path, ...]:
    """Return every page that people read."""
    folders = (ROOT / folder for folder in ("docs", "examples", "benchmarks"))
    found = [*ROOT.glob("*.md"), *(page for folder in folders for page in folder.rglob("*.md"))]
    return tuple(sorted(found))


@cache
def fences(page: Path) -> tuple[Fence, ...]:
    """Return the blocks of a page, in order."""
    found: list[Fence] = []
    lines = iter(enumerate(page.read_text(encoding="utf-8").splitlines(), 1))
    for number, line in lines:
        opened = _OPEN.match(line)
        if opened is None:
            continue
        indent, mark, info = opened.groups()
        held: list[str] = []
        for _, inner in lines:
            bare = inner.strip()
            if bare.startswith(mark) and not bare.strip(mark[0]):
                break
            held.append(inner.removeprefix(indent))
        language, *words = info.split() or [""]
        code = "".join(f"{each}\n" for each in held)
        found.append(Fence(page, number, language, tuple(words), code))
    return tuple(found)


def every(*languages: str) -> list[Fence]:
    """Return the blocks of all pages in one of these languages."""
    return [fence for page in pages() for fence in fences(page) if fence.language in languages]


def prose(page: Path) -> str:
    """Return a page without its blocks and without its inline code."""
    kept: list[str] = []
    lines = iter(page.read_text(encoding="utf-8").splitlines())
    for line in lines:
        opened = _OPEN.match(line)
        if opened is None:
            kept.append(re.sub(r"(`+).+?\1", "", line))
            continue
        for inner in lines:
            bare = inner.strip()
            if bare.startswith(opened[2]) and not bare.strip(opened[2][0]):
                break
    return "\n".join(kept)


def anchors(page: Path) -> set[str]:
    """Return the anchors of the headings of a page, as they are made on the web."""
    found: dict[str, int] = {}
    for line in re.sub(
        r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL
    ).splitlines():
        if not line.startswith("#"):
            continue
        bare = line.lstrip("#").strip().lower()
        slug = re.sub(r"[^\w\- ]", "", bare).replace(" ", "-")
        found[slug] = found.get(slug, -1) + 1
    return {
        slug if not n else f"{slug}-{n}" for slug, most in found.items() for n in range(most + 1)
    }
