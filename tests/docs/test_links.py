"""Every link inside the docs leads somewhere."""

import re
from pathlib import Path

import pytest

from tests.docs.fences import ROOT, anchors, pages, prose

_LINK = re.compile(r"\[[^\]]*\]\(<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\)|<img [^>]*src=\"([^\"]+)\"")


def named(page: Path) -> str:
    """Return what a test of a page is called."""
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", pages(), ids=named)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    lost = [target for target in targets(page) if not leads(page, target)]
    assert not lost


def targets(page: Path) -> list[str]:
    """Return what the links of a page point at, but addresses of other places."""
    found = [first or second for first, second in _LINK.findall(prose(page))]
    return [one for one in found if not re.match(r"[a-z]+:", one)]


def leads(page: Path, target: str) -> bool:
    """Return whether there is such a file, and in it such a heading."""
    name, _, anchor = target.partition("#")
    path = (page.parent / name).resolve() if name else page
    if not path.exists() or ROOT not in (path, *path.parents):
        return False
    return not anchor or anchor in anchors(path)


def test_every_page_of_the_docs_can_be_reached_from_the_readme() -> None:
    seen: set[Path] = set()
    todo = [ROOT / "README.md"]
    while todo:
        page = todo.pop()
        if page in seen or page.suffix != ".md" or not page.is_file():
            continue
        seen.add(page)
        todo += [(page.parent / one.partition("#")[0]).resolve() for one in targets(page)]
    # Fragments of the changelog are there until the next release.
    kept = [page for page in pages() if page.parent.name != "changes"]
    assert not [named(page) for page in kept if page not in seen]
