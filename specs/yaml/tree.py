"""A syntax tree keeps how a YAML text is written: styles, anchors, blank lines, and every comment at its entry."""

import re
from bisect import bisect_right
from collections.abc import Iterator
from typing import Any, Literal

import msgspec

from heddle.specs.yaml.parsed import c_parser

Sort = Literal["scalar", "mapping", "sequence", "alias"]

_COMMENT = re.compile(r"(?:^|(?<=[ \t]))#[^\n]*", re.MULTILINE)
_MARK = re.compile(r"(?:---|\.\.\.)(?=[ \t\n]|$)", re.MULTILINE)
_HEADER = re.compile(r"[|>][-+0-9]*[ \t]*")


class Tree(msgspec.Struct):
    """One node of a text, from `start` to `end` of it. `text` is its own value, where it is a scalar."""

    sort: Sort
    start: int
    end: int
    column: int
    style: str = ""
    anchor: str = ""
    tag: str = ""
    text: str = ""
    entries: list["Entry"] = []
    tail: list[str] = []

    @property
    def flow(self) -> bool:
        """Whether it is written in braces or brackets."""
        return self.style == "flow"


class Entry(msgspec.Struct):
    """A key with its value, or an item of a list (`key` is None), and what people wrote beside it.

    `before` are the comments above it, an empty text for blank lines between them; `blank` tells
    whether a blank line stands above all of it; `beside` is the comment at the end of its line.
    """

    key: Tree | None
    value: Tree
    line: int
    column: int
    before: list[str] = []
    beside: str = ""
    blank: bool = False


class Document(msgspec.Struct):
    """One document: its root (None: it holds nothing), and the comments before and behind it."""

    root: Tree | None
    head: list[str] = []
    tail: list[str] = []


class NoTree(Exception):  # noqa: N818 - reads as what it tells
    """The text has something that a tree cannot hold: it cannot be read, or has directives."""


def documents_of(text: str) -> list[Document]:
    """The documents of a text whose lines end with `\\n`; NoTree where it has no tree."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    if text.startswith("%") or "\n%" in text:
        raise NoTree("directives (lines that begin with %)")
    quick = c_parser()
    makers: list[Any] = [] if quick is None else [quick]
    makers.append(lambda text: YAML(typ="safe", pure=True).get_constructor_parser(text)[1])
    for number, make in enumerate(makers, 1):
        try:
            return _Builder(text, make(text)).documents()
        except YAMLError as error:
            # The C parser is strict where YAML 1.2 is not.
            if number == len(makers):
                raise NoTree(str(error).splitlines()[0]) from None
        except IndexError:
            # The parser counts line ends that we do not, such as U+2028; or it failed by itself.
            if number == len(makers):
                raise NoTree("line ends or marks in places that are not known here") from None
    raise NoTree("nothing that can be read")


class _Builder:
    """Builds the trees of a text, then hangs the comments in."""

    def __init__(self, text: str, parser: Any) -> None:
        self.text = text
        self.take = parser.get_event
        self.starts = [0, *(match.end() for match in re.finditer("\n", text))]
        self.hidden: list[tuple[int, int]] = []  # where a # is no comment
        self.entries: list[tuple[Entry, Tree]] = []  # with what they are in, as they come
        self.ends: dict[int, Entry] = {}  # of what is in braces over several lines

    def documents(self) -> list[Document]:
        """Every document, with its comments."""
        from ruamel.yaml import events

        found: list[Document] = []
        bounds: list[tuple[int, int]] = []
        self.take()
        while type(self.take()) is not events.StreamEndEvent:
            first = len(self.entries)
            event = self.take()
            root = self.node(event)
            empty = root.sort == "scalar" and root.start == root.end and not root.anchor
            found.append(Document(None if empty and not root.tag else root))
            bounds.append((first, len(self.entries)))
            self.take()
        if not found:
            found, bounds = [Document(None)], [(0, 0)]
        _Comments(self).hang(found, bounds)
        return found

    def node(self, event: Any) -> Tree:
        """The node that begins with this event."""
        from ruamel.yaml import events

        start, end = event.start_mark.index, event.end_mark.index
        tree = Tree("scalar", start, end, event.start_mark.column)
        tree.anchor = event.anchor or ""
        if type(event) is events.AliasEvent:
            tree.sort = "alias"
            return tree
        if type(event) is events.ScalarEvent:
            return self.scalar(tree, event)
        tree.tag = self.tag(event, event.implicit)
        tree.sort = "mapping" if type(event) is events.MappingStartEvent else "sequence"
        tree.style = "flow" if event.flow_style else ""
        # An anchor or a tag stands in front, perhaps on a line of its own.
        tree.start = self.opening(tree, start)
        while True:
            event = self.take()
            if type(event) in (events.MappingEndEvent, events.SequenceEndEvent):
                break
            self.entry(tree, event)
        tree.end = event.end_mark.index if tree.flow else tree.entries[-1].value.end
        return tree

    def opening(self, tree: Tree, start: int) -> int:
        """Where the bracket of a node in braces stands."""
        if not tree.flow:
            return start
        found = re.compile(r"[\[{]").search(self.text, start)
        return found.start() if found is not None else start

    def entry(self, tree: Tree, event: Any) -> None:
        """One entry of a mapping or a list."""
        at = event.start_mark
        entry = Entry(None, Tree("scalar", 0, 0, 0), at.line, at.column)
        if tree.sort == "sequence" and not tree.flow:
            entry.line, entry.column = self.place(self.dash(at.index))
        self.entries.append((entry, tree))
        tree.entries.append(entry)
        if tree.sort == "mapping":
            entry.key = self.node(event)
            if entry.key.sort != "scalar":
                raise NoTree("keys that are no text")
            event = self.take()
        entry.value = self.node(event)
        value = entry.value
        if value.flow and "\n" in self.text[value.start : value.end]:
            self.ends[value.end] = entry

    def dash(self, index: int) -> int:
        """The dash of the item whose value begins at the index: an empty one begins behind its dash."""
        back = index
        while back > 0:
            back = self.text.rfind("-", 0, back)
            if back < 0:
                break
            line = self.text.rfind("\n", 0, back) + 1
            lead = self.text[line:back]
            if not lead.strip(" -") and self.text[back + 1 : back + 2] in (" ", "\n", "\t", ""):
                return back
        raise NoTree("a list without dashes")

    def scalar(self, tree: Tree, event: Any) -> Tree:
        """A scalar, and where no comment can be because of it."""
        tree.style = event.style or ""
        tree.text = event.value
        tree.tag = self.tag(event, event.implicit[0] or event.implicit[1])
        start = tree.start
        if tree.style in ("|", ">"):
            found = re.compile(r"[|>]").search(self.text, start)
            start = found.start() if found is not None else start
            header = _HEADER.match(self.text, start)
            start = self.text.find("\n", header.end() if header is not None else start)
            start = len(self.text) if start < 0 else start
            tree.end = max(tree.end, start)
        elif tree.style:
            found = re.compile(tree.style).search(self.text, start)
            start = found.start() if found is not None else start
        self.hidden.append((start, tree.end))
        return tree

    def tag(self, event: Any, implicit: bool) -> str:
        """The tag as it is written."""
        if implicit or not event.tag:
            return ""
        found = re.compile(r"![^\s,\]}]*").search(self.text, event.start_mark.index)
        return found.group() if found is not None else ""

    def place(self, index: int) -> tuple[int, int]:
        """The line and the column, from 0, of a place of the text."""
        line = bisect_right(self.starts, index) - 1
        return line, index - self.starts[line]


class _Comments:
    """Hangs every comment of a text at the entry that it is about."""

    def __init__(self, builder: _Builder) -> None:
        self.built = builder
        self.text = builder.text
        self.parents = {id(tree): entry for entry, _ in builder.entries for tree in (entry.value,)}
        self.owners = {id(entry): tree for entry, tree in builder.entries}

    def found(self) -> Iterator[tuple[int, int, int, str]]:
        """Every comment: its place in the text, its line, its column, and itself."""
        hidden = sorted(self.built.hidden)
        starts = [start for start, _ in hidden]
        for match in _COMMENT.finditer(self.text):
            at = bisect_right(starts, match.start()) - 1
            if at >= 0 and hidden[at][0] <= match.start() < hidden[at][1]:
                continue
            line, column = self.built.place(match.start())
            yield match.start(), line, column, match.group().rstrip()

    def hang(self, documents: list[Document], bounds: list[tuple[int, int]]) -> None:
        """Find the place of each comment."""
        marks = [
            match.start() for match in _MARK.finditer(self.text) if self.is_mark(match.start())
        ]
        lines = [self.built.place(mark)[0] for mark in marks]
        firsts = self.firsts(documents, lines)
        entries = self.built.entries
        begins = [entry.line for entry, _ in entries]
        for index, line, column, comment in self.found():
            number = max(bisect_right(firsts, line) - 1, 0)
            low, high = bounds[number] if bounds else (0, 0)
            at = bisect_right(begins, line, low, high)  # the first entry that begins below
            own = not self.text[self.built.starts[line] : index].strip()
            if not own:
                self.beside(documents[number], index, entries[low:at], comment)
            else:
                self.above(documents[number], (line, column), (low, at, high), comment)
        self.blanks()

    def is_mark(self, index: int) -> bool:
        """Whether `---` is one, and does not stand in a text."""
        return not any(start <= index < end for start, end in self.built.hidden)

    def firsts(self, documents: list[Document], marks: list[int]) -> list[int]:
        """The line with which each document begins: the one of its mark, or the first."""
        found: list[int] = []
        for number, document in enumerate(documents):
            if number == 0:
                found.append(0)
                continue
            top = self.built.place(document.root.start)[0] if document.root is not None else None
            before = [mark for mark in marks if mark > found[-1] and (top is None or mark <= top)]
            found.append(
                (before[-1] if top is not None else before[0]) if before else found[-1] + 1
            )
        return found

    def beside(
        self, document: Document, index: int, entries: list[tuple[Entry, Tree]], comment: str
    ) -> None:
        """A comment at the end of a line."""
        end = len(self.text[:index].rstrip())
        entry = self.built.ends.get(end)
        if entry is None:
            known = [each for each, tree in entries if not self.in_line(tree)]
            entry = known[-1] if known else None
        if entry is None:
            document.head.append(comment)
        elif entry.beside:
            entry.before.append(comment)
        else:
            entry.beside = comment

    def in_line(self, tree: Tree) -> bool:
        """Whether this is written in braces on one line: it has no comments of its own."""
        return tree.flow and "\n" not in self.text[tree.start : tree.end]

    def above(
        self, document: Document, place: tuple[int, int], at: tuple[int, int, int], comment: str
    ) -> None:
        """A comment on a line of its own: about what follows, or the last word of what it is in."""
        (line, column), (low, index, high) = place, at
        entries = self.built.entries
        # What is in braces on one line is one thing.
        while index < high and self.in_line(entries[index][1]):
            index += 1
        follows = entries[index] if index < high else None
        into = self.tail(document, entries[low:index], line, column)
        if follows is not None and (
            column <= follows[0].column
            or follows[1].flow
            or into is follows[1].tail
            or index == low
        ):
            into = document.head if index == low else follows[0].before
            if not into:
                follows[0].blank = self.gap(line) and index > low
                into.append(comment)
                return
        if self.gap(line) and (into or into is not document.head):
            into.append("")
        into.append(comment)

    def tail(
        self, document: Document, entries: list[tuple[Entry, Tree]], line: int, column: int
    ) -> list[str]:
        """The end of the innermost list or mapping that reaches as far in as the comment."""
        index = self.built.starts[line]
        while entries:
            tree = entries[-1][1]
            while True:
                if tree.flow and tree.end > index:
                    return tree.tail
                if not tree.flow and tree.entries[0].column <= column and not self.in_line(tree):
                    return tree.tail
                above = self.parents.get(id(tree))
                if above is None:
                    return document.tail
                tree = self.owners[id(above)]
        return document.tail

    def gap(self, line: int) -> bool:
        """Whether a blank line stands above."""
        starts = self.built.starts
        return line > 0 and not self.text[starts[line - 1] : starts[line]].strip()

    def blanks(self) -> None:
        """Note where blank lines stand above an entry with its comments."""
        for entry, _ in self.built.entries:
            if not entry.before:
                entry.blank = self.gap(entry.line)
            elif self.gap(entry.line):
                entry.before.append("")
