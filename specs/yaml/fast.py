"""YAML or JSON text becomes plain data; where each thing stands is found when someone asks.

The usual document is built straight from the parser's events, in one pass, and keeps no
positions: that takes a fifth of the time of ruamel's own loader. What is rare (anchors, tags,
merge keys, mistakes, and the question if something stands) is served by a second, thorough
pass over the same text.
"""

from collections.abc import Callable
from typing import Any

from heddle.schemas.path import Path
from heddle.schemas.problem import Place
from heddle.specs.model.limits import limits
from heddle.specs.yaml.parsed import NONE, NodePlace, ParsedText, c_parser, resolve, too_many


class FastSource:
    """A text that was read, kept to answer where things stand in it."""

    __slots__ = ("_where", "file", "text")

    def __init__(self, text: str, file: str, where: list[NodePlace] | None = None) -> None:
        self.text = text
        self.file = file
        self._where = where

    @property
    def where(self) -> list[NodePlace]:
        """Positions of every document, found at the first question."""
        if self._where is None:
            from heddle.specs.yaml.diagnose import thorough

            self._where = thorough(self.text).where or []
        return self._where

    def place(self, path: Path) -> Place:
        """Return where the path stands; `path` starts with the number of the document."""
        if not path or not isinstance(path[0], int) or path[0] >= len(self.where):
            return Place(self.file)
        node = self.where[path[0]]
        line, column = node.line, node.column
        for step in path[1:]:
            child = node.children.get(step)
            if child is None:
                break
            line, column, node = child
        return Place(self.file, line, column)

    def inside(self, path: Path, line: int, column: int) -> Place:
        """Return where line and column (from 1) of the text at this path stand in the file."""
        place = self.place(path)
        if not path or not isinstance(path[0], int) or path[0] >= len(self.where):
            return place
        node = self.where[path[0]]
        for step in path[1:]:
            if step not in node.children:
                return place
            node = node.children[step][2]
        if node.style == "|":
            return self._inside_block(node, line, column)
        if line <= 1 and node.style in ("", "'", '"'):
            return Place(self.file, node.line, node.column + len(node.style) + max(column, 1) - 1)
        return Place(self.file, node.line, node.column)

    def _inside_block(self, node: NodePlace, line: int, column: int) -> Place:
        below = self.text.splitlines()[node.line :]
        indent = next((margin for text in below if (margin := _margin(text)) >= 0), 0)
        own = 0
        for number, text in enumerate(below, 1):
            if 0 <= _margin(text) < indent:
                break
            own = number if _margin(text) >= 0 else own
        if 0 < own < line:
            # Code that ends too early is wrong behind its last line: what follows is not its own.
            return Place(self.file, node.line + own, len(below[own - 1]) + 1)
        return Place(self.file, node.line + max(line, 1), indent + max(column, 1))


def _margin(line: str) -> int:
    """Return how many blanks a line begins with; -1 for one of blanks alone."""
    bare = line.lstrip(" ")
    return len(line) - len(bare) if bare.strip() else -1


class SpecPlaces:
    """Answers if the paths of one Spec stand."""

    __slots__ = ("root", "source")

    def __init__(self, source: FastSource, root: Path) -> None:
        self.source = source
        self.root = root

    def __call__(self, path: Path) -> Place:
        return self.source.place(self.root + path)

    @property
    def file(self) -> str:
        """The name of the file, which takes no look at the text."""
        return self.source.file

    def inside(self, path: Path, line: int, column: int = 0) -> Place:
        """Return where line and column (from 1) of the text at this path stand in the file."""
        return self.source.inside(self.root + path, line, column)

    def below(self, path: Path) -> "SpecPlaces":
        """Return the places of what stands at this path, as if it were a Spec of its own."""
        return SpecPlaces(self.source, self.root + path)


# --- the quick pass -----------------------------------------------------------------------------


class _OddTextError(Exception):
    """The text holds something that only the thorough pass knows."""


class _TooManyError(Exception):
    """The text has more nodes than a text may have; `place` is the line and column of the first."""

    def __init__(self, mark: Any) -> None:
        super().__init__()
        self.place = (mark.line + 1, mark.column + 1)


def _counted(take: Callable[[], Any], most: int) -> Callable[[], Any]:
    """Return the same parser, which raises once it has given more nodes than that."""
    from ruamel.yaml import events

    nodes = (events.ScalarEvent, events.MappingStartEvent, events.SequenceStartEvent)
    left = most

    def taken() -> Any:
        nonlocal left
        event = take()
        if type(event) in nodes:
            left -= 1
            if left < 0:
                raise _TooManyError(event.start_mark)
        return event

    return taken


def parse(text: str) -> ParsedText:
    """Return the documents of a YAML or JSON text; never raises for what the text says."""
    if text[:1] in ("{", "["):
        from heddle.specs.yaml.diagnose import as_json, thorough

        known = as_json(text)
        if known is not None:
            # The reader of JSON is quick, and does not know where it found what is wrong.
            return thorough(text) if known.faults and known.whole else known
    try:
        return ParsedText(_quick(text))
    except _TooManyError as error:
        return ParsedText([], [too_many(*error.place)], whole=False)
    except Exception:
        # Something odd, a mistake, or a failure of the parser: the thorough pass tells which.
        from heddle.specs.yaml.diagnose import thorough

        return thorough(text)


def _quick(text: str) -> list[Any]:
    # Everything is a local name here: this loop is the whole cost of starting a namespace.
    # One function: one pass over the events of the parser: a call for each event would cost more
    # than reading it.
    from ruamel.yaml import events

    parser = c_parser()
    if parser is None:
        raise _OddTextError
    take = parser(text).get_event
    deepest, most = limits().depth, limits().nodes
    if len(text) > most:
        # A node takes a character at least, so shorter texts need not be counted.
        take = _counted(take, most)
    scalar, mapping, sequence = (
        events.ScalarEvent,
        events.MappingStartEvent,
        events.SequenceStartEvent,
    )
    mapping_end, sequence_end = events.MappingEndEvent, events.SequenceEndEvent
    known: dict[str, Any] = {}
    known_get = known.get
    none = NONE

    def build(event: Any, depth: int) -> Any:
        sort = type(event)
        if event.anchor is not None:
            raise _OddTextError
        if sort is scalar:
            value = event.value
            if event.implicit[0]:
                given = known_get(value, none)
                if given is none:
                    given = known[value] = resolve(value)
                return given
            if event.implicit[1]:
                return value
            raise _OddTextError
        if depth >= deepest or not event.implicit:
            raise _OddTextError
        depth += 1
        if sort is mapping:
            record: dict[str, Any] = {}
            size = 0
            while True:
                event = take()
                sort = type(event)
                if sort is mapping_end:
                    return record
                if sort is not scalar or event.anchor is not None:
                    raise _OddTextError
                implicit = event.implicit
                key = event.value
                if not (implicit[0] or implicit[1]) or (key == "<<" and implicit[0]):
                    raise _OddTextError
                record[key] = build(take(), depth)  # noqa: F821 - deleted below, once it is done
                size += 1
                if len(record) != size:
                    raise _OddTextError
        if sort is sequence:
            items: list[Any] = []
            while True:
                event = take()
                if type(event) is sequence_end:
                    return items
                items.append(build(event, depth))  # noqa: F821
        raise _OddTextError

    documents: list[Any] = []
    try:
        take()
        while type(take()) is not events.StreamEndEvent:
            documents.append(build(take(), 0))
            take()
    finally:
        # It refers to itself, and would keep the parser and the text until they are collected.
        del build
    return documents
