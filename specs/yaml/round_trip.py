"""Changing YAML in place: what a person wrote stays as it is, down to comments, order and quotes.

ruamel.yaml changes the tree of a text and writes it out anew, in its own layout. The result is
then merged with what stood there, line by line, so that only lines whose meaning changed are
replaced.
"""

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from functools import cache
from io import StringIO
from typing import Any

import msgspec

from heddle.specs.model.three_way import common
from heddle.specs.yaml.parsed import resolve

_LIST_UNDER_KEY = re.compile(r"^( *)((?:- )*)[^\s#-][^\n]*:[ ]*\n(?:[ ]*\n)*( *)- ", re.MULTILINE)
_KEY_UNDER_KEY = re.compile(r"^( *)((?:- )*)[^\s#-][^\n]*:[ ]*\n( +)[^\s#-]", re.MULTILINE)


class Layout(msgspec.Struct, frozen=True):
    """How a text is indented: a mapping below a key, and the dash of a list below a key."""

    mapping: int = 2
    offset: int = 2

    @staticmethod
    def of(text: str) -> "Layout":
        """The layout of the first list and the first mapping below a key."""
        mapping, offset = 2, 2
        found = _LIST_UNDER_KEY.search(text)
        if found is not None:
            offset = len(found.group(3)) - len(found.group(1)) - len(found.group(2))
        found = _KEY_UNDER_KEY.search(text)
        if found is not None:
            mapping = len(found.group(3)) - len(found.group(1)) - len(found.group(2))
        return Layout(mapping if mapping > 0 else 2, offset if offset in (0, 2, 4) else 2)


def machine(layout: Layout) -> Any:
    """A ruamel.yaml that keeps what it can and writes in this layout."""
    from ruamel.yaml import YAML

    yaml = YAML(typ="rt")
    yaml.Representer = _representer()
    yaml.preserve_quotes = True
    yaml.width = 1_000_000
    yaml.allow_unicode = True
    yaml.indent(mapping=layout.mapping, sequence=layout.offset + 2, offset=layout.offset)
    return yaml


@cache
def _representer() -> Any:
    """One that says `null`, where ruamel.yaml leaves a hole."""
    from ruamel.yaml.representer import RoundTripRepresenter

    class Representer(RoundTripRepresenter):
        """Writes what a person can see."""

    def null(representer: Any, data: None) -> Any:
        del data
        return representer.represent_scalar("tag:yaml.org,2002:null", "null")

    Representer.add_representer(type(None), null)
    return Representer


def dump(yaml: Any, data: Any) -> str:
    """The text of one document."""
    stream = StringIO()
    yaml.dump(data, stream)
    return stream.getvalue()


def keep_anchors(tree: Any) -> None:
    """Have every anchor written again, whether somebody still leads to it or not."""
    waiting, seen = [tree], set()
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if _is_shared(node):
            node.anchor.always_dump = True
        if isinstance(node, dict):
            waiting += node.values()
        elif isinstance(node, list):
            waiting += node


def change(node: Any, old: Any, new: Any) -> Any:
    """Bring a tree of ruamel.yaml from saying `old` to saying `new`; what is left of it.

    Both are plain data; parts that are equal in both are not touched, however they are written.
    """
    if _is_shared(node):
        # What stands behind an anchor is somebody else's too.
        return written(new)
    if isinstance(node, dict) and isinstance(old, dict) and isinstance(new, dict):
        return node if _change_mapping(node, old, new) else written(new)
    if isinstance(node, list) and isinstance(old, list) and isinstance(new, list):
        if len(node) == len(old):
            _change_list(node, old, new)
            return node
        return written(new)
    return _styled(node, new)


def _is_shared(node: Any) -> bool:
    anchor = getattr(node, "anchor", None)
    return anchor is not None and anchor.value is not None


def _change_mapping(node: Any, old: dict[str, Any], new: dict[str, Any]) -> bool:
    """Change a mapping; False where a key comes from elsewhere (`<<`) and cannot be taken out."""
    keys = {_key_text(key): key for key in node}
    for key in old:
        if key not in new and key in keys:
            node.pop(keys[key], None)
            if keys[key] in node:
                return False
    for key, value in new.items():
        if key not in keys or key not in old:
            node[keys.get(key, key)] = written(value, key)
        elif not _same(old[key], value):
            node[keys[key]] = change(node[keys[key]], old[key], value)
    return True


def _change_list(node: Any, old: list[Any], new: list[Any]) -> None:
    was, comes = [_print(item) for item in old], [_print(item) for item in new]
    matcher = SequenceMatcher(None, was, comes, autojunk=False)
    for tag, start, stop, begin, end in reversed(matcher.get_opcodes()):
        if tag == "equal":
            continue
        both = min(stop - start, end - begin)
        for number in range(stop - 1, start + both - 1, -1):
            del node[number]
        for number in range(both):
            at = start + number
            node[at] = change(node[at], old[at], new[begin + number])
        for number in range(both, end - begin):
            node.insert(start + number, _item(new[begin + number]))


def _print(item: Any) -> bytes:
    return msgspec.json.encode(item, order="sorted") + type(item).__name__.encode()


def _same(old: Any, new: Any) -> bool:
    return type(old) is type(new) and _print(old) == _print(new)


def _key_text(key: Any) -> str:
    if key is None:
        return "null"
    return str(key).lower() if isinstance(key, bool) else str(key)


def _styled(node: Any, new: Any) -> Any:
    """A new scalar in the style of the old one, where it has one."""
    from ruamel.yaml.scalarstring import (
        DoubleQuotedScalarString,
        LiteralScalarString,
        SingleQuotedScalarString,
    )

    if isinstance(new, str):
        if "\n" in new:
            return written(new)
        for style in (SingleQuotedScalarString, DoubleQuotedScalarString):
            if isinstance(node, style):
                return style(new)
        if isinstance(node, LiteralScalarString) and new:
            return LiteralScalarString(new)
    return written(new)


def written(data: Any, key: str = "") -> Any:
    """Plain data as a tree in our own style: links in one line, long text as a block."""
    from ruamel.yaml.comments import CommentedMap, CommentedSeq
    from ruamel.yaml.scalarstring import LiteralScalarString

    if isinstance(data, dict):
        record = CommentedMap()
        for name, value in data.items():
            record[_quoted(name)] = written(value, "" if key == "ports" else name)
        return record
    if isinstance(data, list):
        return CommentedSeq(_item(item) for item in data)
    if not isinstance(data, str):
        return data
    if "\n" in data and _blockable(data):
        return LiteralScalarString(data)
    return _quoted(data)


def _item(data: Any) -> Any:
    """An item of a list: a short mapping in one line."""
    item = written(data)
    if isinstance(item, dict) and _short(item):
        item.fa.set_flow_style()  # type: ignore[attr-defined]
    return item


def alone(entry: dict[str, Any]) -> Any:
    """A list that holds one entry, over several lines however short it is."""
    from ruamel.yaml.comments import CommentedSeq

    return CommentedSeq([written(entry)])


_BREAKS = frozenset("\x85\u2028\u2029")


def _quoted(text: str) -> Any:
    """The text, in quotes where unquoted it would mean something else to us.

    A colon or a question mark in front is quoted too: in a line of its own `:0` reads back, in
    `{:0: 1}` it does not.
    """
    from ruamel.yaml.scalarstring import DoubleQuotedScalarString, SingleQuotedScalarString

    if not _BREAKS.isdisjoint(text):
        # Older YAML took these for line breaks, and folds them; only an escape keeps them.
        return DoubleQuotedScalarString(text)
    bare = resolve(text) is text and text != "<<" and text[:1] not in ("?", ":")
    return text if bare else SingleQuotedScalarString(text)


def _blockable(text: str) -> bool:
    """Whether a block scalar can hold the text as it is."""
    lines = text.split("\n")
    return (
        not lines[0][:1].isspace()
        and bool(lines[0])
        and all(line == line.rstrip() for line in lines)
        and all(character == "\n" or character.isprintable() for character in text)
        and not text.endswith("\n\n")
    )


def _short(item: Any) -> bool:
    values = list(item.values())
    plain = all(isinstance(value, str | int | float | bool | type(None)) for value in values)
    return (
        plain and 0 < len(str(dict(item))) <= 72 and not any("\n" in str(value) for value in values)
    )


# --- merging ------------------------------------------------------------------------------------


def merge(base: Sequence[str], ours: Sequence[str], theirs: Sequence[str]) -> list[str]:
    """The changes that lead from `base` to `theirs`, made in `ours`, line by line.

    Where both changed the same lines, `theirs` win.
    """
    if base == ours:
        return list(theirs)
    result: list[str] = []
    at_base = at_ours = at_theirs = 0
    for start, start_ours, start_theirs, size in common(base, ours, theirs):
        if base[at_base:start] == theirs[at_theirs:start_theirs]:
            result += ours[at_ours:start_ours]
        else:
            result += _both(
                base[at_base:start], ours[at_ours:start_ours], theirs[at_theirs:start_theirs]
            )
        result += ours[start_ours : start_ours + size]
        at_base, at_ours, at_theirs = start + size, start_ours + size, start_theirs + size
    return result


def _both(base: Sequence[str], ours: Sequence[str], theirs: Sequence[str]) -> Sequence[str]:
    """What is left of lines that both sides changed: ours where the layout alone differs."""
    if len(base) != len(ours):
        return theirs
    result: list[str] = []
    for tag, start, stop, begin, end in SequenceMatcher(None, base, theirs, False).get_opcodes():
        result += ours[start:stop] if tag == "equal" else theirs[begin:end]
    return result
