"""Edits of a tree: each replaces only the text of what changed, and writes the new in the style around it."""

import re
from difflib import SequenceMatcher
from typing import Any

import msgspec

from heddle.specs.yaml.edit_entries import EntryEditor, margin_of
from heddle.specs.yaml.link_form import shortened
from heddle.specs.yaml.patch import PatchError
from heddle.specs.yaml.scalar import block, fits_block, holds_block, is_plain, quoted
from heddle.specs.yaml.tree import Entry, Tree, line_end, line_start

_HEADER = re.compile(r"[|>][-+0-9]*")
_WORD = re.compile(r"\S+")


def print_of(data: Any) -> bytes:
    """Return what tells one piece of plain data from another, types included."""
    try:
        return msgspec.msgpack.encode(data, order="sorted")
    except OverflowError:
        return repr(data).encode()


def is_same(old: Any, new: Any) -> bool:
    """Return whether two pieces of plain data are the same, types included."""
    return print_of(old) == print_of(new)


class Editor(EntryEditor):
    """Collects the patches that bring one text from saying one thing to saying another."""

    # --- from saying `old` to saying `new` ---

    def change(self, entry: Entry, owner: Tree | None, old: Any, new: Any) -> None:
        """Bring the value of an entry from saying `old` to saying `new`; equal parts stay."""
        node = entry.value
        if self.apart and node.entries and id(node) in self.shared:
            self.left.add(id(node))
        if node.sort in ("mapping", "scalar") and _is_alone(old) and _is_alone(new):
            # One link may stand without its list.
            return self.change(entry, owner, old[0], new[0])
        if node.sort == "scalar" and _is_link(old):
            # Only a short target is a scalar that says more than a scalar.
            new = shortened(new)
        if node.sort == "mapping" and isinstance(old, dict) and isinstance(new, dict):
            return self.change_mapping(entry, owner, old, new)
        if (
            node.sort == "sequence"
            and isinstance(old, list)
            and isinstance(new, list)
            and new
            and node.entries
            and len(node.entries) == len(old)
        ):
            return self.change_list(node, old, new)
        if node.sort == "scalar" and not isinstance(new, dict | list):
            return self.change_scalar(entry, owner, new)
        return self.replace(entry, owner, new)

    def change_mapping(
        self, entry: Entry, owner: Tree | None, old: dict[str, Any], new: dict[str, Any]
    ) -> None:
        """Change, remove and add keys."""
        node = entry.value
        keys = {_key(each): at for at, each in enumerate(node.entries)}
        leaves = [key for key in old if key not in new]
        stays = [at for key, at in keys.items() if key not in leaves]
        brought = any(key not in keys for key in leaves)
        others = bool(leaves) or any(key not in keys for key in new)
        if not stays or brought or (node.style == "pair" and others):
            # A key that `<<` brings cannot be taken out; without braces there is one key.
            return self.replace(entry, owner, new)
        self.remove(node, sorted(keys[key] for key in leaves))
        added: dict[int, dict[str, Any]] = {}
        after = -1
        for key, value in new.items():
            if key in keys:
                at = keys[key]
                after = max(after, at)
                if key not in old:
                    self.replace(node.entries[at], node, value)
                elif not is_same(old[key], value):
                    self.change(node.entries[at], node, old[key], value)
            elif key not in old or not is_same(old[key], value):
                added.setdefault(after if after >= 0 else stays[0], {})[key] = value
        for after, pairs in added.items():
            self.insert(node, after, [*pairs.items()])
        return None

    def change_list(self, node: Tree, old: list[Any], new: list[Any]) -> None:
        """Change, remove and add items."""
        leaves: list[int] = []
        inserts: list[tuple[int, list[Any]]] = []
        for start, stop, begin, end in _stretches(old, new):
            both = min(stop - start, end - begin)
            leaves += range(start + both, stop)
            for number in range(both):
                at = start + number
                self.change(node.entries[at], node, old[at], new[begin + number])
            if begin + both < end:
                inserts.append((start + both - 1, new[begin + both : end]))
        if len(leaves) == len(old):
            raise PatchError("nothing of the list stays")
        self.remove(node, leaves)
        short = any(
            _is_link(before) and item.value.sort == "scalar"
            for before, item in zip(old, node.entries, strict=True)
        )
        for after, items in inserts:
            self.insert(node, after, [(None, shortened(i) if short else i) for i in items])

    def change_scalar(self, entry: Entry, owner: Tree | None, new: Any) -> None:
        """Write another scalar in the style of this one."""
        node = entry.value
        raw = self.text[node.start : node.end]
        text = new if isinstance(new, str) else None
        tagged = bool(node.tag)
        if self.json is not None or tagged or text is None or not raw or id(node) in self.shared:
            return self.replace(entry, owner, new)
        body = raw[1:-1] if node.style in ("'", '"') else raw
        if "\n" in raw and node.style != "|":
            spliced = _spliced(node.style, body, node.text, text)
            if spliced is not None:
                offset = 1 if node.style in ("'", '"') else 0
                at = node.start + offset
                return self.splice(at, at + len(body), body, spliced)
        if node.style in ("|", ">"):
            plain = node.style == "|" or not re.search(r"(?m)^[ \t]", text)
            if holds_block(text) and plain and self.may_end(node.end, text, None):
                return self.change_block(entry, node, text)
            return self.replace(entry, owner, new)
        flow = owner is not None and owner.flow
        if node.style == "":
            if is_plain(text, flow, colons=":" in raw):
                return self.patch(node.start, node.end, text)
            return self.replace(entry, owner, new)
        if fits_block(text) and "\n" not in node.text and not flow:
            return self.replace(entry, owner, new)
        return self.patch(node.start, node.end, quoted(text, node.style))

    def may_begin(self, entry: Entry, text: str, indent: int) -> bool:
        """Return whether a block scalar with this text can stand here in place of another value."""
        node = entry.value
        # A scalar on a line of its own, below its key, stays there with what stands beside it.
        below = line_start(self.text, node.head) > entry.start
        if below and not node.entries and node.style not in ("|", ">"):
            return False
        return self.may_end(node.end, text, indent)

    def may_end(self, end: int, text: str, indent: int | None) -> bool:
        """Return whether a block scalar with this text can end here.

        It would take blank lines that follow if it keeps its own, and comments that stand far in.
        """
        at = line_end(self.text, end)
        match = re.compile(r"\s*").match(self.text, at)
        begin = match.end() if match is not None else at
        margin = begin - line_start(self.text, begin)
        if indent is not None and self.text[begin : begin + 1] == "#" and margin >= indent:
            return False
        blank = self.text.count("\n", at, begin) > 1 or begin == len(self.text)
        return not (text.endswith("\n\n") and blank)

    def splice(self, start: int, end: int, old: str, new: str) -> None:
        """Replace the words of a text that differ."""
        del end
        for match, other in zip(_WORD.finditer(old), _WORD.finditer(new), strict=True):
            self.patch(start + match.start(), start + match.end(), other.group())

    def change_block(self, entry: Entry, node: Tree, text: str) -> None:
        """Write other lines into a block scalar; those that are the same stay."""
        header = _HEADER.match(self.text, node.start)
        if header is None:
            raise PatchError("a block without a header")
        first = line_end(self.text, header.end())
        body = self.text[first : node.end]
        lead = next((line for line in node.text.split("\n") if line.strip()), "")
        line = next((line for line in body.split("\n") if line.strip()), "")
        digits = re.sub(r"\D", "", header.group())
        inner = int(digits) if digits else self.layout.mapping
        depth = margin_of(line) - margin_of(lead) if line else entry.column + inner
        digits = digits or str(depth - entry.column)
        sign, lines = block(text, node.style, depth)
        written = bool(re.search(r"\d", header.group())) or "*" in sign
        sign = sign.replace("*", "")
        self.patch(node.start, header.end(), sign[0] + (digits if written else "") + sign[1:])
        body = "".join(f"\n{each}" for each in lines)
        self.patch(first, node.end, body + self.last_break(node.end))

    # --- something else in its place ---

    def replace(self, entry: Entry, owner: Tree | None, new: Any) -> None:
        """Write new data if a value stands, whatever it is."""
        node = entry.value
        keeps = bool(node.anchor) and node.sort != "alias" and id(node) not in self.shared
        mark = f"&{node.anchor} " if keeps else ""
        self.drop(node.start if keeps else node.head, node.end)
        if self.json is not None or (owner is not None and owner.flow):
            return self.inline(entry, owner, mark, self.braced(entry, owner, new))
        shown = node.target or node
        if shown.flow and isinstance(new, dict | list):
            return self.inline(entry, owner, mark, self.layout.flow(new))
        if owner is None:
            return self.patch(node.head, node.end, self.rooted(entry, mark, new))
        compact = entry.key is None and not self.commented(entry.start, node)
        rest, lines = self.layout.value(new, entry.column, item=compact)
        inner = entry.column + self.layout.mapping
        if isinstance(new, str) and lines and not self.may_begin(entry, new, inner):
            rest, lines = f" {self.layout.scalar(new)}", []
        if mark and lines and not rest.strip():
            rest = f" {mark.rstrip()}"
        elif mark:
            rest = f" {mark}{rest.lstrip()}"
        return self.below(entry, rest, lines)

    def rooted(self, entry: Entry, mark: str, new: Any) -> str:
        """Return the text of a whole document."""
        if mark or not isinstance(new, dict | list) or not new:
            raise PatchError("the root of a document becomes something else")
        return "\n".join(self.layout.lines(new, entry.column)).lstrip(" ")

    def braced(self, entry: Entry, owner: Tree | None, new: Any) -> str:
        """Return data as it stands in braces or in JSON."""
        node = entry.value
        if self.json is None:
            keys = [each.key for each in owner.entries if each.key is not None] if owner else []
            strict = bool(keys) and all(key.style == '"' for key in keys)
            style = node.style if node.style in ("'", '"') and isinstance(new, str) else ""
            if isinstance(new, dict | list):
                return self.layout.flow(new, strict=strict)
            return self.layout.scalar(new, flow=True, style='"' if strict else style)
        begin = line_start(self.text, entry.start)
        lead = self.text[begin : entry.start]
        narrow = owner is not None and "\n" not in self.text[owner.start : owner.end]
        inline = narrow or (bool(node.entries) and "\n" not in self.text[node.start : node.end])
        return self.json.value(new, lead if not lead.strip() else "", inline=inline)

    def inline(self, entry: Entry, owner: Tree | None, mark: str, text: str) -> None:
        """Write a text that fits on one line in the place of a value that stands in braces, or is."""
        node = entry.value
        if node.head < node.end:
            return self.patch(node.head, node.end, mark + text)
        at, lead = self.hole(entry)
        del owner
        return self.patch(at, at, lead + text)

    def below(self, entry: Entry, rest: str, lines: list[str]) -> None:
        """Write the value of an entry in block style: the rest of its line, and lines below it."""
        node = entry.value
        at, lead = self.hole(entry)
        colon = lead.rstrip(" ")
        stop = line_end(self.text, at)
        below = "".join(f"\n{line}" for line in lines)
        below += self.last_break(max(stop, line_end(self.text, node.end))) if lines else ""
        if node.head == node.end:
            self.patch(at, at, colon + rest)
            return self.patch(stop, stop, below)
        if node.style in ("|", ">"):
            header = _HEADER.match(self.text, node.start)
            if header is None:
                raise PatchError("a block without a header")
            first = line_end(self.text, header.end())
            if not self.commented(at, node):
                self.patch(at, header.end(), rest)
                return self.patch(first, node.end, below)
            if rest.strip() or not lines:
                self.patch(node.head, header.end(), rest.lstrip(" "))
                return self.patch(first, node.end, below)
            return self.patch(line_start(self.text, node.head) - 1, node.end, below)
        if not lines and (node.flow or not node.entries):
            return self.patch(node.head, node.end, rest.lstrip(" "))
        begun = line_start(self.text, node.start) > at
        if begun and not rest.strip() and self.commented(at, node):
            end = line_end(self.text, node.end)
            return self.patch(line_start(self.text, node.head) - 1, end, below)
        if begun:
            # It stands on lines of its own, below its key.
            end = line_end(self.text, node.end)
            self.patch(at, _word_end(self.text, at, stop), rest)
            return self.patch(stop, end, below)
        if node.entries and not node.flow:
            end = line_end(self.text, node.end)
            return self.patch(at, end, rest + below)
        stop = line_end(self.text, node.end)
        self.patch(at, node.end, rest)
        return self.patch(stop, stop, below)

    def commented(self, at: int, node: Tree) -> bool:
        """Return whether comments stand on lines between a key and its value."""
        begin = line_start(self.text, node.head)
        return begin > at and "#" in self.text[line_end(self.text, at) : begin]

    # --- anchors ---

    def rehome(self, data_of: Any) -> None:
        """Write what goes with an anchor if the first alias stands that still leads to it.

        Where an alias is to keep what changes at its anchor, it says that itself.
        """

        def is_gone(node: Tree) -> bool:
            return any(start <= node.head and node.end <= end for start, end in self.gone)

        homes: set[int] = set()
        for alias in self.all:
            target = alias.target
            if target is not None and id(target) in self.left and not is_gone(alias):
                self.patch(alias.head, alias.end, self.layout.flow(data_of(target)))
                continue
            if target is None or id(target) in homes or not is_gone(target) or is_gone(alias):
                continue
            homes.add(id(target))
            raw = self.text[target.start : target.end]
            if target.sort != "scalar" or "\n" in raw or target.tag:
                raw = self.layout.flow(data_of(target))
            self.patch(alias.head, alias.end, f"&{target.anchor} {raw}")


def _key(entry: Entry) -> str:
    key = entry.key
    if key is None:
        return ""
    return key.target.text if key.target is not None else key.text


def _stretches(old: list[Any], new: list[Any]) -> list[tuple[int, int, int, int]]:
    """Return the stretches of two lists that differ: from where to where in each."""
    was, comes = [print_of(item) for item in old], [print_of(item) for item in new]
    matcher = SequenceMatcher(None, was, comes, autojunk=False)
    entries = [each[1:] for each in matcher.get_opcodes() if each[0] != "equal"]
    if len(old) == len(new):
        beside = [at for at in range(len(old)) if was[at] != comes[at]]
        moved = sum(max(stop - start, end - begin) for start, stop, begin, end in entries)
        if len(beside) <= moved:
            return [(at, at + 1, at, at + 1) for at in beside]
    return entries


def _is_link(data: Any) -> bool:
    """Return whether this is what a link says, or a list of that alone."""
    return isinstance(data, dict) or (_is_alone(data) and isinstance(data[0], dict))


def _is_alone(data: Any) -> bool:
    return isinstance(data, list) and len(data) == 1


def _word_end(text: str, at: int, stop: int) -> int:
    """Return where the anchor or tag behind a colon ends."""
    match = re.compile(r"(?:[ \t]+[&!]\S+)*").match(text, at, stop)
    return match.end() if match is not None else at


def _spliced(style: str, body: str, old: str, new: str) -> str | None:
    """Return the text of a scalar over several lines with other words in it; None if it is not so easy."""
    was, comes, raw = _WORD.findall(old), _WORD.findall(new), _WORD.findall(body)
    if style == ">":
        raw = raw[1:]
    if not len(was) == len(comes) == len(raw) or _WORD.split(old) != _WORD.split(new):
        return None
    differ = {at for at, word in enumerate(comes) if word != was[at]}
    for at in differ:
        if raw[at] != was[at] or not _is_safe(comes[at], style):
            return None
    number = -1 if style != ">" else -2

    def word(match: re.Match[str]) -> str:
        nonlocal number
        number += 1
        return comes[number] if number in differ else match.group()

    return _WORD.sub(word, body)


def _is_safe(word: str, style: str) -> bool:
    """Return whether a word can stand inside a scalar of this style."""
    if not word.isprintable() or not word.isascii():
        return False
    if style == "":
        return is_plain(word, True) and not word.startswith("#")
    return style == ">" or {"'", '"', "\\"}.isdisjoint(word)
