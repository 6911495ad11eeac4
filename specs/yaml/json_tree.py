"""The tree of a JSON text, which YAML does not always read: tabs, long keys, escaped character pairs."""

import json
import re
from typing import NoReturn

from heddle.specs.model.limits import limits
from heddle.specs.yaml.tree import Entry, Tree, TreeDocument, TreeStream

_SPACE = re.compile(r"[ \t\r\n]*")
_TEXT = re.compile(r'"(?:[^"\\\x00-\x1f]|\\.)*"')
_WORD = re.compile(r"true|false|null|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")


class _JsonError(Exception):
    """The text is not JSON."""


def json_tree(text: str) -> TreeStream | None:
    """Return the tree of a text that is one JSON mapping or list; None if it is not JSON."""
    reader = _JsonReader(text)
    try:
        start = reader.space(0)
        if text[start : start + 1] not in ("{", "["):
            return None
        root = reader.node(start, 1)
        if reader.space(root.end) != len(text):
            return None
    except (_JsonError, ValueError):
        return None
    document = TreeDocument(root, start, root.end)
    return TreeStream(text, [document], hidden=reader.hidden, json=True)


class _JsonReader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.deepest = limits().depth
        self.hidden: list[tuple[int, int]] = []
        self.line = 0
        self.begin = 0
        self.at = 0

    def space(self, at: int) -> int:
        """Return where the white space from here on ends."""
        match = _SPACE.match(self.text, at)
        return match.end() if match is not None else at

    def make(self, at: int) -> Tree:
        """Return an empty node that begins here; nodes are made in the order of the text."""
        self.line += self.text.count("\n", self.at, at)
        self.begin = max(self.begin, self.text.rfind("\n", self.at, at) + 1)
        self.at = at
        return Tree("scalar", at, at, at, self.line, at - self.begin)

    def stop(self) -> NoReturn:
        """End the reading: this is not JSON."""
        raise _JsonError

    def node(self, at: int, depth: int) -> Tree:
        """Return the node that begins here."""
        if depth > self.deepest:
            self.stop()
        tree = self.make(at)
        first = self.text[at : at + 1]
        if first in ("{", "["):
            tree.style = "flow"
            tree.sort = "mapping" if first == "{" else "sequence"
            self.entries(tree, "}" if first == "{" else "]", depth)
            return tree
        match = (_TEXT if first == '"' else _WORD).match(self.text, at)
        if match is None:
            self.stop()
        tree.end = match.end()
        tree.style = '"' if first == '"' else ""
        tree.implicit = first != '"'
        tree.text = json.loads(match.group()) if first == '"' else match.group()
        self.hidden.append((tree.start, tree.end))
        return tree

    def entries(self, tree: Tree, close: str, depth: int) -> None:
        """Read what stands between the brackets."""
        at = self.space(tree.start + 1)
        if self.text[at : at + 1] == close:
            tree.end = at + 1
            return
        entries: list[Entry] = []
        tree.entries = entries
        while True:
            node = self.node(at, depth + 1)
            entry = Entry(None, node, at, node.line, node.column)
            if close == "}":
                if node.style != '"':
                    self.stop()
                at = self.space(node.end)
                if self.text[at : at + 1] != ":":
                    self.stop()
                entry.key = node
                entry.value = self.node(self.space(at + 1), depth + 1)
            entries.append(entry)
            at = self.space(entry.value.end)
            mark = self.text[at : at + 1]
            if mark == close:
                tree.end = at + 1
                return
            if mark != ",":
                self.stop()
            at = self.space(at + 1)
