"""A concrete syntax tree: every node of a YAML or JSON text with its exact span, so that the rest can stay.

The tree does not copy the text. Comments, blank lines, indents and line ends are what stands between
the spans of its nodes, so an edit that replaces a span leaves every other byte as it is.
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from typing import Literal

import msgspec

Sort = Literal["scalar", "mapping", "sequence", "alias"]


class Tree(msgspec.Struct):
    """One node of a text: it stands from `start` to `end`, its anchor and tag from `head` on.

    `text` is the value of a scalar. `style` is its quote, `|` or `>`; of a collection it is `flow`
    (in brackets), `pair` (a mapping of one entry in a list in brackets) or empty. `target` is the
    node that an alias leads to.
    """

    sort: Sort
    head: int
    start: int
    end: int
    line: int = 0
    column: int = 0
    style: str = ""
    anchor: str = ""
    tag: str = ""
    ctag: str = ""
    implicit: bool = True
    text: str = ""
    entries: Sequence["Entry"] = ()
    target: "Tree | None" = None
    tail: Sequence[str] = ()

    @property
    def flow(self) -> bool:
        """Whether it is written in braces or brackets."""
        return self.style in ("flow", "pair")


class Entry(msgspec.Struct):
    """A key with its value, or an item of a list (`key` is None); `start` is its key or its dash.

    The formatter notes comments here: `before` are those above, an empty text for blank lines
    between them; `blank` is true if a blank line stands above all of it; `beside` is the comment at
    the end of its line.
    """

    key: Tree | None
    value: Tree
    start: int
    line: int
    column: int
    before: Sequence[str] = ()
    beside: str = ""
    blank: bool = False


class TreeDocument(msgspec.Struct):
    """One document from `start` to `end`; `root` is None if it holds nothing.

    `mark` is the place of its `---`, or -1. The formatter notes the comments before and behind it.
    """

    root: Tree | None
    start: int = 0
    end: int = 0
    mark: int = -1
    head: list[str] = []
    tail: list[str] = []


class TreeStream(msgspec.Struct):
    """The documents of a text.

    `error` is what stopped the parser, `deep` a node that is too deep, `many` the first of too many;
    `json` is true if the text is JSON. `hidden` are the scalars, in which a # begins no comment.
    """

    text: str
    documents: list[TreeDocument]
    error: Exception | None = None
    deep: Tree | None = None
    many: Tree | None = None
    hidden: list[tuple[int, int]] = []
    json: bool = False

    @property
    def whole(self) -> bool:
        """Whether the text was read to its end."""
        return self.error is None and self.deep is None and self.many is None


class TreeError(Exception):
    """The text cannot be read, or holds something that cannot be written in another form."""


def line_start(text: str, index: int) -> int:
    """Return where the line of this place begins."""
    return text.rfind("\n", 0, index) + 1


def line_end(text: str, index: int) -> int:
    """Return where the line of this place ends, before its line break."""
    stop = text.find("\n", index)
    stop = len(text) if stop < 0 else stop
    return stop - 1 if stop > index and text[stop - 1] == "\r" else stop


def nodes(tree: Tree) -> Iterator[Tree]:
    """Yield a node and every node in it, in the order of the text."""
    yield tree
    for entry in tree.entries:
        if entry.key is not None:
            yield from nodes(entry.key)
        yield from nodes(entry.value)


def places(text: str) -> Callable[[int], tuple[int, int]]:
    """Return a function that gives the line and the column, from 0, of a place of the text."""
    starts = [0, *(match.end() for match in re.finditer("\n", text))]

    def place(index: int) -> tuple[int, int]:
        line = bisect_right(starts, index) - 1
        return line, index - starts[line]

    return place
