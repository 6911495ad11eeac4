"""Paths of the server are shown to callers as seen from the folder that the store is in."""

# Paths are text here, as the folder store has them.
# ruff: noqa: PTH100, PTH112, PTH117, PTH119, PTH120

import os
from functools import lru_cache
from typing import Any

_FILE = "file://"


def relative(data: Any, url: str) -> Any:
    """Return the same plain data without the path of the store at this address, wherever a text names it."""
    roots = _roots(url)
    return _without(data, roots) if roots else data


def _without(data: Any, roots: tuple[tuple[str, str], ...]) -> Any:
    if isinstance(data, str):
        for root, name in roots:
            if root in data:
                data = data.replace(f"{root}{os.sep}", "").replace(root, name)
        return data
    if isinstance(data, dict):
        return {key: _without(value, roots) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_without(value, roots) for value in data]
    return data


@lru_cache(maxsize=64)
def _roots(url: str) -> tuple[tuple[str, str], ...]:
    """Return the ways in which the path of a store may be written, the longest first, and its name.

    A file is seen from the folder that it is in.
    """
    if not url.startswith(_FILE):
        return ()
    path = url.removeprefix(_FILE)
    name = os.path.basename(os.path.abspath(path)) or "store"
    texts = {path, os.path.abspath(path), os.path.realpath(path)}
    roots = {(text, name) for text in texts}
    if not os.path.isdir(path):
        roots |= {(os.path.dirname(text), ".") for text in texts}
    absolute = [(text, word) for text, word in roots if os.path.isabs(text) and text != os.sep]
    return tuple(sorted(absolute, key=lambda each: -len(each[0])))
