"""A text becomes trees: built from the events of a parser of YAML, or straight from JSON."""

import re
from collections.abc import Callable
from typing import Any

from heddle.specs.model.limits import limits
from heddle.specs.yaml.json_tree import json_tree
from heddle.specs.yaml.parsed import c_parser
from heddle.specs.yaml.tree import (
    Entry,
    Tree,
    TreeDocument,
    TreeError,
    TreeStream,
    line_end,
    line_start,
)

# Between an anchor or a tag and what it belongs to, comments and line breaks may stand.
_PROPERTIES = re.compile(
    r"(?:(?:&[^\s,\[\]{}]+|!<[^>\s]*>|![^\s,\[\]{}]*)(?:[ \t]*(?:(?<=[ \t])#[^\n]*)?\r?\n|[ \t]+|$|(?=[,\[\]{}])))*"
    r"(?:[ \t]*(?:#[^\n]*)?\r?\n)*[ \t]*"
)
_HEADER = re.compile(r"[|>][-+0-9]*")
# Behind the name of an anchor; a colon ends it only before a blank.
_NAME_END = re.compile(r"[\s,\[\]{}]|:(?:\s|$)|$")
_KEY_MARK = re.compile(r"\?[ \t]*(?:\n[ \t]*)?$")


def read_tree(text: str) -> TreeStream:
    """Read a text into trees; `TreeError` if it cannot be read."""
    known = json_tree(text)
    if known is not None:
        return known
    error: object = None
    for make in parsers():
        stream = build(text, make)
        if stream.whole:
            return stream
        error = stream.error
    raise TreeError(str(error or "too many nodes or levels").partition("\n")[0])


def parsers() -> list[Callable[[str], Any]]:
    """Return the parsers to try: the one in C is strict if YAML 1.2 is not."""
    quick = c_parser()
    return [slow_parser] if quick is None else [quick, slow_parser]


def slow_parser(text: str) -> Any:
    """Return the parser in Python for a text."""
    from ruamel.yaml import YAML
    from ruamel.yaml.docinfo import DocInfo

    yaml = YAML(typ="safe", pure=True)
    # A directive is noted here, and without it the parser fails.
    yaml.doc_infos.append(DocInfo())
    return yaml.get_constructor_parser(text)[1]


def build(text: str, make: Callable[[str], Any]) -> TreeStream:
    """Read a text with one parser; what it could read stands in the stream, and what stopped it."""
    stream = TreeStream(text, [])
    try:
        _Builder(stream, make(text)).run()
    except _TooLargeError:
        pass
    except Exception as error:
        # Besides its own errors the parser in Python raises IndexError and others on odd texts.
        # Its frames refer to the stream, which would keep the trees until they are collected.
        stream.error = error.with_traceback(None)
    return stream


class _TooLargeError(Exception):
    """A node is nested too deep, or is one too many."""


class _Builder:
    """Builds the trees of a text from the events of a parser."""

    def __init__(self, stream: TreeStream, parser: Any) -> None:
        from ruamel.yaml import events

        self.events = events
        self.stream = stream
        self.text = stream.text
        self.take = parser.get_event
        self.anchors: dict[str, Tree] = {}
        self.left = limits().nodes
        self.deepest = limits().depth

    def run(self) -> None:
        """Read every document."""
        self.take()
        while type(event := self.take()) is not self.events.StreamEndEvent:
            self.anchors = {}
            document = TreeDocument(None, event.start_mark.index)
            if event.explicit:
                document.mark = self.text.rfind("---", 0, event.end_mark.index)
            root = self.node(self.take(), 1)
            empty = root.sort == "scalar" and root.head == root.end
            document.root = None if empty else root
            document.end = self.take().end_mark.index
            self.stream.documents.append(document)

    def node(self, event: Any, depth: int) -> Tree:
        """Return the node that begins with this event."""
        mark, stop = event.start_mark, event.end_mark.index
        tree = Tree("scalar", mark.index, mark.index, stop, mark.line, mark.column)
        tree.anchor = event.anchor or ""
        if tree.anchor:
            self.name_end(tree)
        self.left -= 1
        if self.left < 0:
            self.stream.many = tree
            raise _TooLargeError
        if type(event) is self.events.AliasEvent:
            tree.sort = "alias"
            tree.target = self.anchors.get(tree.anchor)
            return tree
        tree.ctag = str((event.ctag if event.ctag is not None else event.tag) or "")
        if tree.anchor and tree.ctag:
            self.tag_before(tree)
        written = self.text[tree.head : tree.head + 1] in ("&", "!")
        if written and (tree.anchor or event.tag):
            match = _PROPERTIES.match(self.text, tree.head)
            tree.start = max(match.end() if match is not None else 0, tree.head)
        if tree.anchor:
            self.anchors[tree.anchor] = tree
        if type(event) is self.events.ScalarEvent:
            return self.scalar(tree, event)
        tree.implicit = bool(event.implicit)
        tree.tag = self.tag(tree, event.implicit)
        tree.sort = "mapping" if type(event) is self.events.MappingStartEvent else "sequence"
        if depth > self.deepest:
            self.stream.deep = tree
            raise _TooLargeError
        return self.collection(tree, event, depth)

    def name_end(self, tree: Tree) -> None:
        """Raise an error if the parser in C has cut the name of an anchor short."""
        sign = "*" if self.text[tree.head : tree.head + 1] == "*" else "&"
        at = self.text.find(sign + tree.anchor, tree.head)
        if at >= 0 and _NAME_END.match(self.text, at + 1 + len(tree.anchor)) is None:
            raise ValueError(f"the name of the anchor {tree.anchor!r} goes on")

    def tag_before(self, tree: Tree) -> None:
        """Begin a node at its tag: the parser in Python begins it at the anchor behind the tag."""
        if self.text[tree.head : tree.head + 1] != "&":
            return
        lead = self.text[line_start(self.text, tree.head) : tree.head]
        match = re.search(r"![^\s,\[\]{}]*[ \t]+$", lead)
        tree.head -= len(match.group()) if match is not None else 0

    def collection(self, tree: Tree, event: Any, depth: int) -> Tree:
        """Read the entries of a mapping or a list."""
        if event.flow_style:
            bracket = "{" if tree.sort == "mapping" else "["
            tree.style = "flow" if self.text[tree.start : tree.start + 1] == bracket else "pair"
        ends = (self.events.MappingEndEvent, self.events.SequenceEndEvent)
        entries: list[Entry] = []
        while type(event := self.take()) not in ends:
            at = event.start_mark
            entry = Entry(None, tree, at.index, at.line, at.column)
            if tree.sort == "mapping":
                entry.key = self.node(event, depth + 1)
                if not tree.flow:
                    entry.start = self.key_start(entry.key)
                    entry.column -= entry.key.head - entry.start
                event = self.take()
            elif not tree.flow:
                self.dash(entry)
            entry.value = self.node(event, depth + 1)
            entries.append(entry)
        tree.entries = entries
        last = event.end_mark.index
        if tree.style == "flow" and self.text[last - 1 : last] not in ("}", "]"):
            tree.style = "pair"  # `{a: b}: c`, a mapping as the key of a pair
        if tree.style == "flow":
            tree.end = event.end_mark.index
        elif tree.entries:
            tree.end = tree.entries[-1].value.end
            if not tree.anchor and not tree.tag:
                key = tree.entries[0].key
                pair = tree.style == "pair" and key is not None
                tree.start = self.key_start(key) if pair and key else tree.entries[0].start
                tree.head = tree.start
        return tree

    def key_start(self, key: Tree) -> int:
        """Return where an entry begins: at its key, or at the question mark before it."""
        lead = self.text[line_start(self.text, key.head) : key.head]
        match = _KEY_MARK.search(lead) if "?" in lead else None
        return key.head - len(match.group()) if match is not None else key.head

    def dash(self, entry: Entry) -> None:
        """Find the dash of an item; its value may begin lines below."""
        back = entry.start
        while back > 0:
            back = self.text.rfind("-", 0, back)
            if back < 0:
                break
            line = line_start(self.text, back)
            lead = self.text[line:back]
            before = lead.rstrip(" ")[-1:]
            plain = self.text[back + 1 : back + 2] in (" ", "\n", "\t", "\r", "")
            if plain and (before in ("", "-", ":", "?") or lead.lstrip()[:1] in ("&", "!")):
                entry.line -= self.text.count("\n", back, entry.start)
                entry.start, entry.column = back, back - line
                return
        raise ValueError("a list without dashes")

    def scalar(self, tree: Tree, event: Any) -> Tree:
        """Read a scalar: its style, and where its text really ends."""
        tree.style = event.style or ""
        tree.text = event.value
        tree.implicit = bool(event.implicit[0])
        tree.tag = self.tag(tree, event.implicit[0] or event.implicit[1])
        if tree.style in ("|", ">"):
            tree.end = self.block_end(tree)
        elif not tree.text and not tree.style:
            tree.start = tree.end = min(tree.end, tree.start) if tree.head < tree.end else tree.end
        if tree.style not in ("|", ">"):
            self.stream.hidden.append((tree.start, tree.end))
        return tree

    def block_end(self, tree: Tree) -> int:
        """Return where the last line of a block scalar ends; blank lines count if they are kept."""
        header = _HEADER.match(self.text, tree.start)
        first = line_end(self.text, header.end() if header is not None else tree.start)
        # Behind the header a comment may stand.
        self.stream.hidden.append((first, tree.end))
        last = tree.end
        if header is not None and "+" in header.group():
            if self.text[last - 1 : last] == "\n":
                last -= 1
            return max(last - 1 if self.text[last - 1 : last] == "\r" else last, first)
        depth = -1
        while last > first and not (line := self.text[line_start(self.text, last) : last]).strip():
            depth = self.depth(tree, first) if depth < 0 else depth
            if len(line.rstrip("\r")) > depth and line.strip("\r"):
                # Blanks further in than the text are text.
                break
            last = line_start(self.text, last) - 1
        if self.text[last - 1 : last] == "\r":
            last -= 1
        return max(last, first)

    def depth(self, tree: Tree, first: int) -> int:
        """Return the column at which the text of a block scalar begins; a large one without text."""
        body = self.text[first : tree.end].split("\n")
        raw = next((line for line in body if line.strip()), None)
        text = next((line for line in tree.text.split("\n") if line.strip()), None)
        if raw is None or text is None:
            return len(self.text)
        return len(raw) - len(raw.lstrip(" ")) - (len(text) - len(text.lstrip(" ")))

    def tag(self, tree: Tree, implicit: bool) -> str:
        """Return the tag as it is written."""
        if implicit or not tree.ctag:
            return ""
        match = re.compile(r"!(?:<[^>\s]*>|[^\s,\]}]*)").search(self.text, tree.head)
        return match.group() if match is not None else ""
