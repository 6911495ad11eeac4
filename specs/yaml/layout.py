"""New text in the style of its neighbours: their indents, dashes, quotes and braces."""

import json
from collections import Counter
from collections.abc import Iterable
from typing import Any

import msgspec

from heddle.specs.yaml.link_form import Targets
from heddle.specs.yaml.patch import PatchError
from heddle.specs.yaml.scalar import block, fits_block, is_plain, number_text, quoted
from heddle.specs.yaml.tree import Tree, line_start, nodes

_SIGNS = 6
"""How many things a layout knows."""

_SHORT = 72
"""Columns of a mapping that is written in braces as an item of a list."""


class TextLayout(msgspec.Struct):
    """The layout in which a text is written.

    `mapping` is the indent of a mapping below a key, `offset` that of the dash of a list below a
    key, `gap` the columns from a dash to what follows it. `braces` is true if mappings in lists
    stand in braces. `pad` is what stands inside of braces.
    """

    mapping: int = 2
    offset: int = 2
    gap: int = 2
    quote: str = "'"
    braces: bool = True
    pad: str = ""

    @staticmethod
    def of(text: str, roots: Iterable[Tree]) -> "TextLayout":
        """Return what most of the first node does; what it does not show is as in the next ones."""
        known: dict[str, Any] = {}
        for root in roots:
            signs: dict[str, Counter[Any]] = {}
            for node in nodes(root):
                _look(text, node, signs)
            for name, values in signs.items():
                known.setdefault(name, values.most_common(1)[0][0])
            if len(known) == _SIGNS:
                break
        layout = TextLayout(**known)
        if "offset" not in known and "mapping" in known:
            layout.offset = layout.mapping
        if "mapping" not in known and known.get("gap", 0) > 1:
            layout.mapping = layout.gap
        return layout

    # --- in braces ---

    def flow(self, data: Any, *, strict: bool = False) -> str:
        """Return data on one line, in braces; with `strict` in the quotes of JSON."""
        if isinstance(data, dict):
            if not data:
                return "{}"
            style = '"' if strict else ""
            pairs = (
                f"{self.key(key, style, flow=True)}: {self.flow(value, strict=strict)}"
                for key, value in data.items()
            )
            return f"{{{self.pad}{', '.join(pairs)}{self.pad}}}"
        if isinstance(data, list):
            return f"[{', '.join(self.flow(each, strict=strict) for each in data)}]"
        return self.scalar(data, flow=True, style='"' if strict else "")

    def key(self, key: Any, style: str, *, flow: bool = False) -> str:
        """Return a key: only text, so that `y` and `on` need no quotes."""
        text = str(key)
        if not style and is_plain(text, flow, key=True):
            return text
        return quoted(text, style or self.quote)

    def scalar(
        self, data: Any, *, flow: bool = False, style: str = "", colons: bool = False
    ) -> str:
        """Return a scalar on one line, in this style if it has one."""
        known = number_text(data)
        if known is not None:
            return known
        text = str(data)
        if style in ("'", '"'):
            return quoted(text, style)
        return text if is_plain(text, flow, colons=colons) else quoted(text, self.quote)

    # --- over several lines ---

    def value(self, data: Any, column: int, *, item: bool = False) -> tuple[str, list[str]]:
        """Return what follows a key or a dash at this column: the rest of its line, and lines below.

        The rest of the line begins with its space. What is below a dash begins on its line.
        """
        if isinstance(data, str) and fits_block(data):
            header, lines = block(data, "|", column + (self.gap if item else self.mapping))
            return f" {header}", lines
        if isinstance(data, Targets) or not isinstance(data, dict | list) or not data:
            return f" {self.flow(data)}" if isinstance(
                data, dict | list
            ) else f" {self.scalar(data)}", []
        if not item:
            inner = column + (self.mapping if isinstance(data, dict) else self.offset)
            return "", self.lines(data, inner)
        if self.braces and isinstance(data, dict) and _is_short(data):
            return f" {self.flow(data)}", []
        lines = self.lines(data, column + self.gap)
        return " " * (self.gap - 1) + lines[0].lstrip(" "), lines[1:]

    def lines(self, data: Any, column: int) -> list[str]:
        """Return a mapping or a list as lines that begin at this column."""
        if isinstance(data, list):
            return [line for each in data for line in self.item(each, column)]
        return [line for key, each in data.items() for line in self.pair(key, each, column)]

    def pair(self, key: Any, data: Any, column: int, *, style: str = "") -> list[str]:
        """Return a key with its value."""
        rest, lines = self.value(data, column)
        return [f"{' ' * column}{self.key(key, style)}:{rest}", *lines]

    def item(self, data: Any, column: int, *, open_: bool = False) -> list[str]:
        """Return an item of a list; with `open_` over several lines, however short it is."""
        if open_ and isinstance(data, dict) and data:
            lines = self.lines(data, column + self.gap)
            return [f"{' ' * column}-{' ' * (self.gap - 1)}{lines[0].lstrip(' ')}", *lines[1:]]
        rest, lines = self.value(data, column, item=True)
        return [f"{' ' * column}-{rest}", *lines]


def entry_text(entry: dict[str, Any]) -> str:
    """Return a list that holds one entry, over several lines, as Heddle itself writes it."""
    return "".join(f"{line}\n" for line in TextLayout().item(entry, 0, open_=True))


def _look(text: str, node: Tree, signs: dict[str, Counter[Any]]) -> None:
    """Note what this node shows of the layout."""
    if node.sort == "scalar":
        if node.style in ("'", '"'):
            signs.setdefault("quote", Counter())[node.style] += 1
        return
    if node.style == "flow" and node.entries and node.sort == "mapping":
        inside = text[node.start + 1 : node.entries[0].start]
        if "\n" not in inside:
            signs.setdefault("pad", Counter())[" " if inside else ""] += 1
    if node.flow:
        return
    for entry in node.entries:
        value = entry.value
        if node.sort == "sequence":
            _look_item(text, entry.column, value, signs)
        elif value.entries and not value.flow:
            below = value.entries[0].column - entry.column
            name = "mapping" if value.sort == "mapping" else "offset"
            if below > 0 or name == "offset":
                signs.setdefault(name, Counter())[max(below, 0)] += 1


def _look_item(text: str, column: int, value: Tree, signs: dict[str, Counter[Any]]) -> None:
    # Only what is as short as a link could stand in braces.
    short = value.style == "flow" or len(value.entries) <= len(("id", "name", "port"))
    if value.sort == "mapping" and value.entries and short:
        signs.setdefault("braces", Counter())[value.style == "flow"] += 1
    if value.entries and value.style == "" and value.start == value.entries[0].start:
        begin = line_start(text, value.start)
        lead = text[begin : value.start]
        if lead[:column].strip() == "" and lead[column : column + 1] == "-":
            signs.setdefault("gap", Counter())[value.start - begin - column] += 1


def _is_short(data: dict[str, Any] | list[Any]) -> bool:
    values = list(data.values()) if isinstance(data, dict) else data
    plain = all(isinstance(value, str | int | float | bool | type(None)) for value in values)
    return (
        plain and 0 < len(str(data)) <= _SHORT and not any("\n" in str(value) for value in values)
    )


# --- JSON ---------------------------------------------------------------------------------------


class JsonLayout(msgspec.Struct):
    """The layout of a JSON text: the indent of a level (None: all on one line), and its separators.

    `braces` and `brackets` are true if short mappings and short lists stand on one line all the same.
    """

    indent: str | None = None
    comma: str = ", "
    colon: str = ": "
    ascii: bool = False
    braces: bool = False
    brackets: bool = False

    @staticmethod
    def of(text: str, root: Tree | None) -> "JsonLayout":
        """Return the layout of a JSON text."""
        layout = JsonLayout(ascii=text.isascii() and "\\u" in text)
        if root is None or not text.strip():
            layout.indent = "  "
            return layout
        lined: Counter[tuple[str, bool]] = Counter()
        for node in nodes(root):
            if not node.entries:
                continue
            first = node.entries[0]
            small = node.sort == "sequence" or len(node.entries) <= len(("id", "name", "port"))
            if small and not any(each.value.entries for each in node.entries):
                lined[node.sort, "\n" in text[node.start : node.end]] += 1
            if layout.indent is None and "\n" in text[node.start : first.start]:
                own = text[line_start(text, node.start) :]
                lead = own[: len(own) - len(own.lstrip(" \t"))]
                inner = text[line_start(text, first.start) : first.start]
                layout.indent = inner.removeprefix(lead) or "  "
        layout.braces = lined["mapping", False] > lined["mapping", True]
        layout.brackets = lined["sequence", False] > lined["sequence", True]
        tight = '": ' not in text and '":' in text
        if tight:
            layout.colon = ":"
        if tight and '", ' not in text and "}, " not in text:
            layout.comma = ","
        return layout

    def value(self, data: Any, margin: str, *, inline: bool = False) -> str:
        """Return data as JSON; its lines after the first begin with the margin."""
        if self.indent is None or inline or not isinstance(data, dict | list) or not data:
            return self.dumps(data)
        if (self.braces if isinstance(data, dict) else self.brackets) and _is_short(data):
            return self.dumps(data)
        inner = margin + self.indent
        if isinstance(data, dict):
            parts = [
                f"{self.dumps(str(key))}{self.colon}{self.value(each, inner)}"
                for key, each in data.items()
            ]
        else:
            parts = [self.value(each, inner) for each in data]
        opening, closing = ("{", "}") if isinstance(data, dict) else ("[", "]")
        body = f",\n{inner}".join(parts)
        return f"{opening}\n{inner}{body}\n{margin}{closing}"

    def dumps(self, data: Any) -> str:
        """Return data as JSON on one line; `PatchError` for what JSON cannot say."""
        try:
            return json.dumps(
                data,
                ensure_ascii=self.ascii,
                separators=(self.comma if self.comma == "," else ", ", self.colon),
                allow_nan=False,
            )
        except (TypeError, ValueError):
            raise PatchError("JSON cannot say it") from None
