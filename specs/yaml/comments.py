"""Comments of a text, each noted at the entry that it is about: what the formatter moves along."""

import re
from bisect import bisect_right
from collections.abc import Iterator

from heddle.specs.yaml.tree import Entry, Tree, TreeDocument, TreeStream, line_start, places

_COMMENT = re.compile(r"(?:^|(?<=[ \t]))#[^\n]*", re.MULTILINE)


def comments_of(stream: TreeStream) -> Iterator[tuple[int, str]]:
    """Yield the place and the text of every comment."""
    hidden = sorted(stream.hidden)
    starts = [start for start, _ in hidden]
    for match in _COMMENT.finditer(stream.text):
        at = bisect_right(starts, match.start()) - 1
        if at < 0 or not hidden[at][0] <= match.start() < hidden[at][1]:
            yield match.start(), match.group().rstrip()


def hang_comments(stream: TreeStream) -> list[TreeDocument]:
    """Note every comment of a text, and the blank lines, at the entries; return its documents."""
    _Comments(stream).hang()
    return stream.documents or [_only_comments(stream)]


def _only_comments(stream: TreeStream) -> TreeDocument:
    return TreeDocument(None, head=[comment for _, comment in comments_of(stream)])


def _before(entry: Entry) -> list[str]:
    """Return the comments above an entry, to add to them."""
    if not isinstance(entry.before, list):
        entry.before = []
    return entry.before


def _tail(tree: Tree) -> list[str]:
    """Return the last comments of a node, to add to them."""
    if not isinstance(tree.tail, list):
        tree.tail = []
    return tree.tail


def _inside(entry: Entry) -> tuple[int, int] | None:
    """Return where a comment is about a whole entry: None if what is in it can have comments of its own."""
    value = entry.value
    if value.entries and not value.flow:
        return None
    start = entry.key.end if entry.key is not None else entry.start
    return start, value.end if value.flow and not value.entries else value.start


def _root_start(document: TreeDocument) -> int:
    return document.root.head if document.root is not None else 0


class _Comments:
    """Hangs every comment of a text at the entry that it is about."""

    def __init__(self, stream: TreeStream) -> None:
        self.text = stream.text
        self.stream = stream
        self.place = places(stream.text)
        self.starts = [0, *(match.end() for match in re.finditer("\n", stream.text))]
        self.entries: list[tuple[Entry, Tree]] = []  # with what they are in, as they come
        self.ends: dict[int, Entry] = {}  # of what is in braces over several lines
        self.bounds: list[tuple[int, int]] = []
        for document in stream.documents:
            first = len(self.entries)
            if document.root is not None:
                self.collect(document.root)
            self.bounds.append((first, len(self.entries)))
        # Between a key and what stands below it, and between empty braces.
        self.within = sorted(
            (span, number)
            for number, (entry, _) in enumerate(self.entries)
            if (span := _inside(entry)) is not None
        )
        self.parents = {id(entry.value): entry for entry, _ in self.entries}
        self.owners = {id(entry): tree for entry, tree in self.entries}

    def collect(self, tree: Tree) -> None:
        """Note the entries of a node, and of what is in it."""
        for entry in tree.entries:
            self.entries.append((entry, tree))
            self.collect(entry.value)
            value = entry.value
            if value.flow and "\n" in self.text[value.start : value.end]:
                self.ends[value.end] = entry

    def hang(self) -> None:
        """Find the place of each comment."""
        documents = self.stream.documents
        firsts = [
            0 if number == 0 else self.place(each.mark if each.mark >= 0 else each.start)[0]
            for number, each in enumerate(documents)
        ]
        # The parser counts U+2028 and its like as line breaks, and so do its lines.
        for entry, _ in self.entries:
            entry.line = self.place(entry.start)[0]
        begins = [entry.line for entry, _ in self.entries]
        for index, comment in comments_of(self.stream):
            if not documents:
                break
            line, column = self.place(index)
            number = max(bisect_right(firsts, line) - 1, 0)
            low, high = self.bounds[number]
            at = bisect_right(begins, line, low, high)  # the first entry that begins below
            if self.text[line_start(self.text, index) : index].strip():
                self.beside(documents[number], index, (low, at), comment)
            elif (inner := self.inside(index)) is not None:
                _before(inner).append(comment)
            elif low == high and index < _root_start(documents[number]):
                documents[number].head.append(comment)
            else:
                self.above(documents[number], (line, column), (low, at, high), comment)
        self.blanks()

    def inside(self, index: int) -> Entry | None:
        """Return the entry between whose key and value a place lies, or in whose empty braces."""
        at = bisect_right(self.within, ((index, len(self.text)), 0)) - 1
        if at < 0 or not self.within[at][0][0] <= index < self.within[at][0][1]:
            return None
        return self.entries[self.within[at][1]][0]

    def beside(
        self, document: TreeDocument, index: int, between: tuple[int, int], comment: str
    ) -> None:
        """Place a comment at the end of a line: about the last entry between these that has comments."""
        begin = line_start(self.text, index)
        end = begin + len(self.text[begin:index].rstrip())
        low, at = between
        while at > low and self.in_line(self.entries[at - 1][1]):
            at -= 1
        entry = self.ends.get(end) or (self.entries[at - 1][0] if at > low else None)
        if entry is None:
            document.head.append(comment)
        elif entry.beside:
            _before(entry).append(comment)
        else:
            entry.beside = comment

    def in_line(self, tree: Tree) -> bool:
        """Return whether this is written in braces on one line: it has no comments of its own."""
        return tree.flow and "\n" not in self.text[tree.start : tree.end]

    def above(
        self, document: TreeDocument, place: tuple[int, int], at: tuple[int, int, int], comment: str
    ) -> None:
        """Place a comment on a line of its own: about what follows, or the last word of its block."""
        (line, column), (low, index, high) = place, at
        entries = self.entries
        # What is in braces on one line is one thing.
        while index < high and self.in_line(entries[index][1]):
            index += 1
        follows = entries[index] if index < high else None
        into = self.tail(document, entries[index - 1] if index > low else None, line, column)
        if follows is not None and (
            column <= follows[0].column
            or follows[1].flow
            or into is _tail(follows[1])
            or index == low
        ):
            into = document.head if index == low else _before(follows[0])
            if not into:
                follows[0].blank = self.gap(line) and index > low
                into.append(comment)
                return
        if self.gap(line) and (into or into is not document.head):
            into.append("")
        into.append(comment)

    def tail(
        self, document: TreeDocument, last: tuple[Entry, Tree] | None, line: int, column: int
    ) -> list[str]:
        """Return the end of the innermost list or mapping that reaches as far in as the comment."""
        index = self.start(line)
        tree = last[1] if last is not None else None
        while tree is not None:
            if tree.flow and tree.end > index:
                return _tail(tree)
            if not tree.flow and tree.entries[0].column <= column and not self.in_line(tree):
                return _tail(tree)
            above = self.parents.get(id(tree))
            tree = self.owners[id(above)] if above is not None else None
        return document.tail

    def start(self, line: int) -> int:
        """Return where a line begins."""
        return self.starts[line] if line < len(self.starts) else len(self.text)

    def gap(self, line: int) -> bool:
        """Return whether a blank line stands above."""
        return line > 0 and not self.text[self.start(line - 1) : self.start(line)].strip()

    def blanks(self) -> None:
        """Note where blank lines stand above an entry with its comments."""
        for entry, _ in self.entries:
            if self.text[line_start(self.text, entry.start) : entry.start].strip():
                # Others stand left of it on its line: what is above the line is above those.
                continue
            if not entry.before:
                entry.blank = self.gap(entry.line)
            elif self.gap(entry.line):
                _before(entry).append("")
