"""Routes find what a method and a path lead to: literal segments first, then `:name`, then `*`."""

from collections.abc import Iterator, Sequence
from typing import Final, Generic, TypeAlias, TypeVar

from heddle.extensions.net.http.path import written

T = TypeVar("T")

Ends: TypeAlias = dict[str, tuple[T, tuple[str, ...]]]
"""What each method leads to where a path ends, and the names on the way there."""

ANY: Final = "*"
"""Stands for every method that has no route of its own at the same path."""


class Branch(Generic[T]):
    """One segment of the tree of paths."""

    __slots__ = ("literals", "methods", "params", "rest")

    def __init__(self) -> None:
        self.literals: dict[str, Branch[T]] = {}
        self.params: list[tuple[str, Branch[T]]] = []
        self.rest: Ends[T] = {}
        self.methods: Ends[T] = {}


class Routes(Generic[T]):
    """Paths with what they lead to, by method.

    A segment `:name` takes any one segment that is not empty, also after a literal beginning
    (`v:version`); `\\:` is a colon. `*` takes the rest of the path, empty too, under the key `*`, as the
    text of a path; whatever is written behind it is ignored. If several fit, the most literal wins, from left to
    right; where that leads nowhere, the next is tried.
    """

    def __init__(self) -> None:
        self._root: Branch[T] = Branch()
        self._exact: dict[tuple[str, str], T] = {}

    def add(self, method: str, path: str, target: T) -> bool:
        """Add a route; False if this method and path lead somewhere already."""
        branch, names, rest = self._root, [], False
        for segment in path.split("/")[1:]:
            if segment.startswith("*"):
                rest = True
                break
            prefix, name = split_segment(segment)
            if name is None:
                branch = branch.literals.setdefault(prefix, Branch())
                continue
            names.append(name)
            for known, following in branch.params:
                if known == prefix:
                    branch = following
                    break
            else:
                following = Branch()
                branch.params.append((prefix, following))
                # A longer beginning is more literal.
                branch.params.sort(key=lambda entry: -len(entry[0]))
                branch = following
        ends = branch.rest if rest else branch.methods
        if method in ends:
            return False
        ends[method] = (target, (*names, "*") if rest else tuple(names))
        if not names and not rest:
            self._exact[method, path.replace("\\:", ":")] = target
        return True

    def exact(self, method: str, path: str) -> T | None:
        """Return what a path without names leads to, by one look-up; None says nothing."""
        return self._exact.get((method, path))

    def find(self, method: str, segments: Sequence[str]) -> tuple[T, dict[str, str]] | None:
        """Return what a method and the segments of a path lead to, and what the names stand for.

        HEAD goes the way of GET if it has none of its own.
        """
        for ends, values in self._walk(segments):
            end = ends.get(method)
            if end is None and method == "HEAD":
                end = ends.get("GET")
            if end is None:
                end = ends.get(ANY)
            if end is not None:
                return end[0], dict(zip(end[1], values, strict=False))
        return None

    def methods(self, segments: Sequence[str]) -> set[str]:
        """Return the methods that lead somewhere at this path; empty if the path leads nowhere."""
        texts: set[str] = set()
        for ends, _ in self._walk(segments):
            texts.update(ends)
        return texts

    def _walk(self, segments: Sequence[str]) -> Iterator[tuple[Ends[T], list[str]]]:
        """Yield every end that fits a path, the most literal first, and what its names stand for."""
        todo: list[tuple[Branch[T], int, list[str], bool]] = [(self._root, 0, [], False)]
        while todo:
            branch, index, values, rest = todo.pop()
            if rest:
                yield branch.rest, [*values, "/".join(map(written, segments[index:]))]
                continue
            if branch.rest:
                todo.append((branch, index, values, True))
            if index == len(segments):
                if branch.methods:
                    yield branch.methods, values
                continue
            segment = segments[index]
            for prefix, following in reversed(branch.params):
                if segment.startswith(prefix) and len(segment) > len(prefix):
                    todo.append((following, index + 1, [*values, segment[len(prefix) :]], False))
            literal = branch.literals.get(segment)
            if literal is not None:
                todo.append((literal, index + 1, values, False))


def split_segment(segment: str) -> tuple[str, str | None]:
    """Return the literal beginning of a segment, and the name behind its colon if it has one."""
    index = segment.find(":")
    while index > 0 and segment[index - 1] == "\\":
        index = segment.find(":", index + 1)
    if index < 0:
        return segment.replace("\\:", ":"), None
    return segment[:index].replace("\\:", ":"), segment[index + 1 :]
