"""A curl line to try against a listener, for the first route that it leads to."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from heddle.specs.model.spec import Spec

_PLAIN = re.compile(r"[\w./~-]*")


def curl(url: str, label: str, specs: Iterable[Spec]) -> str:
    """Return the command line for the listener of that label; of its routes, the plainest GET comes first."""
    named = {spec.label: spec for spec in specs}
    method, path = "GET", "/"
    for spec in _behind(label, named):
        routes = spec.fields.get("routes")
        entries = sorted(_plain_routes(routes), key=_rank)
        if entries:
            method, path = entries[0]
            break
    parts = ["curl"]
    if url.startswith("https:"):
        parts.append("-k")
    if method not in ("GET", "*", ""):
        parts += ["-X", method]
    address = url.replace("0.0.0.0", "localhost").replace("[::]", "localhost") + path
    return " ".join([*parts, address if _PLAIN.fullmatch(path) else f"'{address}'"])


def _behind(label: str, named: Mapping[str, Spec]) -> Iterable[Spec]:
    """Return the Specs that a flow leads to, the nearest first, each once."""
    seen: dict[str, None] = {label: None}
    waiting = [label]
    while waiting:
        spec = named.get(waiting.pop(0))
        if spec is None:
            continue
        yield spec
        for links in spec.ports.values():
            for link in links:
                target = link.name or ""
                if target not in seen:
                    seen[target] = None
                    waiting.append(target)


def _plain_routes(routes: Any) -> Iterable[tuple[str, str]]:
    for route in routes if isinstance(routes, list) else ():
        path = route.get("path") if isinstance(route, dict) else None
        if isinstance(path, str) and path.startswith("/") and "'" not in path:
            method = route.get("method", "GET")
            yield (method if isinstance(method, str) else "GET"), path


def _rank(route: tuple[str, str]) -> tuple[bool, bool, bool]:
    method, path = route
    return (method not in ("GET", "*", ""), ":" in path or "*" in path, path == "/")
