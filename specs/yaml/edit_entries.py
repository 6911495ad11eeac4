"""Entries come and go in a tree: with their lines in a block, with their commas between braces."""

import re
from collections.abc import Sequence
from typing import Any

from heddle.specs.yaml.layout import JsonLayout, TextLayout
from heddle.specs.yaml.patch import Patch, PatchError
from heddle.specs.yaml.tree import Entry, Tree, TreeStream, line_end, line_start, nodes

# An explicit key may have a comment before its colon.
_COLON = re.compile(r"(?:[ \t]*(?:#[^\n]*)?\r?\n)*[ \t]*:")


class EntryEditor:
    """Collects the patches that take entries out of a text and put others in."""

    def __init__(
        self, stream: TreeStream, layout: TextLayout, json: JsonLayout | None = None
    ) -> None:
        self.stream = stream
        self.text = stream.text
        self.layout = layout
        self.json = json
        self.apart = False
        self.left: set[int] = set()
        self.patches: list[Patch] = []
        self.gone: list[tuple[int, int]] = []
        roots = [each.root for each in stream.documents if each.root is not None]
        self.all = [node for root in roots for node in nodes(root)]
        self.shared = {id(node.target) for node in self.all if node.target is not None}

    def patch(self, start: int, end: int, text: str) -> None:
        """Note a patch, unless it changes nothing."""
        if self.text[start:end] != text:
            self.patches.append(Patch(start, end, text))

    def drop(self, start: int, end: int) -> None:
        """Note that the nodes between these places go, and their anchors with them."""
        self.gone.append((start, end))

    def hole(self, entry: Entry) -> tuple[int, str]:
        """Return where the value of an entry without one goes, and what stands before it."""
        if entry.key is None:
            at = entry.start + 1 if self.text[entry.start : entry.start + 1] == "-" else entry.start
            return at, " " if at > entry.start else ""
        key = entry.key
        match = _COLON.match(self.text, key.end)
        if match is not None:
            return match.end(), " "
        if self.text[entry.start : entry.start + 1] == "?" and entry.start < key.head:
            # A key behind a question mark has its colon on a line of its own.
            return line_end(self.text, key.end), f"\n{' ' * entry.column}: "
        if "\n" in self.text[key.start : key.end]:
            # A key over several lines needs a question mark.
            self.patch(key.head, key.head, "? ")
        return key.end, ": "

    # --- entries that go ---

    def extent(self, column: int, end: int) -> int:
        """Return where an entry ends: its last line, with the comments below that stand further in."""
        stop = at = line_end(self.text, end)
        while at < len(self.text):
            begin = self.text.find("\n", at) + 1
            if begin == 0:
                break
            at = line_end(self.text, begin)
            line = self.text[begin:at]
            if not line.strip():
                continue
            if not line.lstrip(" \t").startswith("#") or margin_of(line) <= column:
                break
            stop = at
        return stop

    def remove(self, owner: Tree, numbers: Sequence[int]) -> None:
        """Take entries out of a mapping or a list in which something stays."""
        runs: list[list[int]] = []
        for number in numbers:
            if runs and runs[-1][1] == number - 1:
                runs[-1][1] = number
            else:
                runs.append([number, number])
        for first, last in runs:
            self.drop(owner.entries[first].start, owner.entries[last].value.end)
            (self.remove_flow if owner.flow else self.remove_block)(owner, first, last)

    def remove_block(self, owner: Tree, number: int, last: int) -> None:
        """Take entries out of a block."""
        first = owner.entries[number]
        begin = line_start(self.text, first.start)
        stop = self.extent(first.column, self.end_of(owner.entries[last]))
        if not self.text[begin : first.start].strip():
            return self.remove_lines(begin, stop)
        if last + 1 >= len(owner.entries):
            raise PatchError("nothing stays")
        following = owner.entries[last + 1].start
        # The first of them stands behind a dash; a comment below it stays.
        comments = "#" in self.text[stop:following]
        return self.patch(first.start, stop if comments else following, "")

    def remove_lines(self, begin: int, stop: int) -> None:
        """Take whole lines out."""
        after = self.text.find("\n", stop) + 1
        if after == 0:
            begin, after = max(begin - 1, 0), len(self.text)
            if self.text[begin - 1 : begin] == "\r":
                begin -= 1
        self.patch(begin, after, "")

    def remove_flow(self, owner: Tree, number: int, last: int) -> None:
        """Take entries out of braces, with their commas."""
        first, final = owner.entries[number], owner.entries[last]
        end = self.end_of(final)
        begin = line_start(self.text, first.start)
        alone = begin > owner.start and not self.text[begin : first.start].strip()
        following = owner.entries[last + 1] if last + 1 < len(owner.entries) else None
        limit = following.start if following is not None else owner.end - 1
        comma = self.comma(end, limit)
        stop = line_end(self.text, end if comma is None else comma)
        if following is not None:
            if alone and following.start > stop:
                return self.remove_lines(begin, stop)
            return self.patch(first.start, following.start, "")
        before = owner.entries[number - 1]
        lost = self.comma(self.end_of(before), first.start)
        if comma is None and lost is not None and alone:
            self.patch(lost, lost + 1, "")
        if alone and stop < owner.end - 1:
            return self.remove_lines(begin, stop)
        end = end if comma is None else comma + 1
        if alone or "#" in self.text[self.end_of(before) : first.start]:
            return self.patch(first.start, end, "")
        return self.patch(self.end_of(before), end if comma is None else comma, "")

    def comma(self, start: int, stop: int) -> int | None:
        """Return where the comma between two entries stands; None if there is none."""
        at = start
        while at < stop:
            sign = self.text[at]
            if sign == ",":
                return at
            if sign == "#":
                at = line_end(self.text, at)
            at += 1
        return None

    def end_of(self, entry: Entry) -> int:
        """Return where an entry really ends; an empty value ends at its key."""
        value = entry.value
        if value.head < value.end:
            return value.end
        at, lead = self.hole(entry)
        return at if ":" not in lead else max(at, entry.key.end if entry.key is not None else at)

    # --- entries that come ---

    def insert(self, owner: Tree, after: int, pairs: Sequence[tuple[Any, Any]]) -> None:
        """Add entries behind the one with this number, or in front with -1; keys are None in a list."""
        if owner.flow:
            return self.insert_flow(owner, after, pairs)
        column = owner.entries[0].column
        style = key_style(owner)
        lines = [
            line
            for key, data in pairs
            for line in (
                self.layout.item(data, column)
                if owner.sort == "sequence"
                else self.layout.pair(key, data, column, style=style)
            )
        ]
        return self.insert_lines(owner, after, lines, column)

    def insert_lines(self, owner: Tree, after: int, lines: list[str], column: int) -> None:
        """Add lines behind the entry with this number of a block, or in front of the first with -1."""
        if after < 0:
            at = owner.entries[0].start
            body = "\n".join(lines).lstrip(" ")
            return self.patch(at, at, f"{body}\n{' ' * column}")
        entry = owner.entries[after]
        at = self.extent(entry.column, self.end_of(entry))
        return self.patch(at, at, "".join(f"\n{line}" for line in lines) + self.last_break(at))

    def last_break(self, at: int) -> str:
        """Return the line break that new lines at the end of the text need: a block counts it."""
        return "\n" if at == len(self.text) else ""

    def insert_flow(self, owner: Tree, after: int, pairs: Sequence[tuple[Any, Any]]) -> None:
        """Add entries between braces."""
        known = owner.entries[max(after, 0)]
        begin = line_start(self.text, known.start)
        margin = self.text[begin : known.start]
        following = owner.entries[after + 1] if after + 1 < len(owner.entries) else None
        end = self.end_of(known)
        lined = (
            begin > owner.start
            and not margin.strip()
            and (following is None or after < 0 or line_start(self.text, following.start) > end)
        )
        texts = [self.flow_pair(owner, key, data, margin if lined else "") for key, data in pairs]
        comma = self.json.comma if self.json is not None else ", "
        comma = f",\n{margin}" if lined else comma
        if after < 0:
            return self.patch(known.start, known.start, "".join(each + comma for each in texts))
        if not lined:
            return self.patch(end, end, "".join(comma + each for each in texts))
        limit = following.start if following is not None else owner.end - 1
        sign = self.comma(end, limit)
        stop = line_end(self.text, end if sign is None else sign)
        if stop >= owner.end - 1:
            stop = end if sign is None else sign + 1
        if sign is None:
            self.patch(end, end, ",")
        last = "" if sign is None else ","
        return self.patch(stop, stop, f"\n{margin}{comma.join(texts)}{last}")

    def flow_pair(self, owner: Tree, key: Any, data: Any, margin: str) -> str:
        """Return an entry as it stands between braces."""
        if self.json is not None:
            value = self.json.value(
                data, margin, inline="\n" not in self.text[owner.start : owner.end]
            )
            return value if key is None else f"{self.json.dumps(str(key))}{self.json.colon}{value}"
        strict = key_style(owner) == '"'
        value = self.layout.flow(data, strict=strict)
        return (
            value
            if key is None
            else f"{self.layout.key(key, key_style(owner), flow=True)}: {value}"
        )


def key_style(owner: Tree) -> str:
    keys = [each.key for each in owner.entries if each.key is not None]
    same = bool(keys) and all(key.style == keys[0].style for key in keys)
    return keys[0].style if same and keys[0].style in ("'", '"') else ""


def margin_of(line: str) -> int:
    return len(line) - len(line.lstrip(" "))
