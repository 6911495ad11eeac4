"""Routes find what a method and a path lead to: literal segments first, then parameters, then `*`."""

from collections.abc import Iterator, Sequence
from typing import Any, Final, Generic, TypeAlias, TypeVar

from heddle.extensions.net.http.path import written
from heddle.extensions.net.route_segment import Reader, RouteSegment, parse_path

T = TypeVar("T")

Ends: TypeAlias = dict[str, tuple[T, tuple[str, ...]]]
"""The target of each method at the end of a path, and the names on the way there."""

ANY: Final = "*"
"""Stands for every method that has no route of its own at the same path."""


class Branch(Generic[T]):
    """One segment of the tree of paths."""

    __slots__ = ("literals", "methods", "params", "rest", "segments")

    def __init__(self) -> None:
        self.literals: dict[str, Branch[T]] = {}
        self.params: list[tuple[str, Reader | None, Branch[T]]] = []
        self.segments: list[tuple[RouteSegment, Branch[T]]] = []
        self.rest: Ends[T] = {}
        self.methods: Ends[T] = {}


class Routes(Generic[T]):
    """Paths with what they lead to, by method.

    A segment `{name:type}` takes one segment that is not empty and fits its type, `:name` any. `*` and
    a parameter of type `path` take the rest of the path, empty too, as the text of a path. If several
    fit, the most literal wins, from left to right; where that leads nowhere, the next is tried.
    """

    def __init__(self) -> None:
        self._root: Branch[T] = Branch()
        self._exact: dict[tuple[str, str], T] = {}

    def add(self, method: str, path: str, target: T) -> bool:
        """Add a route; return False if this method and path lead somewhere already.

        Raise RouteSegmentError if the path cannot be read.
        """
        branch, names, rest = self._root, [], False
        segments = parse_path(path)
        for segment in segments:
            if segment.name is not None:
                names.append(segment.name)
            if segment.rest:
                rest = True
            elif segment.name is None:
                branch = branch.literals.setdefault(segment.prefix, Branch())
            else:
                branch = _follow(branch, segment)
        ends = branch.rest if rest else branch.methods
        if method in ends:
            return False
        ends[method] = (target, tuple(names))
        if not names:
            self._exact[method, "/" + "/".join(segment.prefix for segment in segments)] = target
        return True

    def exact(self, method: str, path: str) -> T | None:
        """Return what a path without names leads to, by one look-up; None says nothing."""
        return self._exact.get((method, path))

    def find(self, method: str, segments: Sequence[str]) -> tuple[T, dict[str, Any]] | None:
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

    def _walk(self, segments: Sequence[str]) -> Iterator[tuple[Ends[T], list[Any]]]:
        """Yield every end that fits a path, the most literal first, and what its names stand for."""
        todo: list[tuple[Branch[T], int, list[Any], bool]] = [(self._root, 0, [], False)]
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
            for prefix, read, following in branch.params:
                if segment.startswith(prefix) and len(segment) > len(prefix):
                    value: Any = segment[len(prefix) :]
                    if read is not None:
                        value = read(value)
                        if value is None:
                            continue
                    todo.append((following, index + 1, [*values, value], False))
            literal = branch.literals.get(segment)
            if literal is not None:
                todo.append((literal, index + 1, values, False))


def _follow(branch: Branch[T], segment: RouteSegment) -> Branch[T]:
    """Return the branch behind a parameter; add it if it is not there."""
    shape = segment._replace(name=None)
    for known, following in branch.segments:
        if known == shape:
            return following
    following = Branch()
    branch.segments.append((shape, following))
    # More literal text goes first, then a type before any text. They are taken from a stack.
    branch.segments.sort(key=lambda entry: _rank(entry[0]), reverse=True)
    branch.params = [(known.prefix, known.reader, behind) for known, behind in branch.segments]
    return following


def _rank(segment: RouteSegment) -> tuple[int, int, int]:
    """Return how early a parameter is tried: the smallest first."""
    return -len(segment.prefix), -len(segment.suffix), _ORDER.index(segment.type)


_ORDER: Final = ("uuid", "integer", "number", "string")
