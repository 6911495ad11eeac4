"""The text of a file, with some of its entries changed, added and removed."""

import json
import re
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

import msgspec

from heddle.schemas.link import DEFAULT_NAMESPACE
from heddle.schemas.path import Path
from heddle.specs.model.entry import data_of, ordered
from heddle.specs.model.spec import Spec
from heddle.specs.model.store import Resource
from heddle.specs.yaml.diagnose import thorough
from heddle.specs.yaml.fast import Places, parse
from heddle.specs.yaml.parsed import Where
from heddle.specs.yaml.round_trip import (
    Layout,
    alone,
    change,
    dump,
    keep_anchors,
    machine,
    merge,
    written,
)

_MARKER = re.compile(r"(?:---|\.\.\.)(?:\s|$)")


class Edit(msgspec.Struct, frozen=True):
    """One change to a file: what an entry says, and what it is to say. None: nothing."""

    old: Resource | None
    new: Resource | None


class _Task(msgspec.Struct, frozen=True):
    """An Edit as plain data, with the place of the entry in the text: `(document, number)`."""

    root: Path | None
    old: dict[str, Any] | None
    new: dict[str, Any] | None


def rewrite(
    text: str,
    edits: Sequence[Edit],
    *,
    check: Callable[[str], bool],
    namespace: str,
    is_json: bool = False,
    unnumbered: frozenset[UUID] = frozenset(),
) -> str | None:
    """The text with the edits made, everything else as it was; None where that cannot be done.

    New entries with one of the ids `unnumbered` are written without it: their place gives them one.

    `check` tells whether a text says what it has to: the first way to write it that does is
    taken, and they are tried from the one that changes the least to the one that changes the most.
    """
    tasks = [_task(edit, namespace, unnumbered) for edit in edits]
    mark = "\ufeff" if text.startswith("\ufeff") else ""
    text = text.removeprefix(mark)
    wide = "\r\n" in text and "\n" not in text.replace("\r\n", "")
    if wide:
        text = text.replace("\r\n", "\n")
    for way in (_json_merged, _json_dumped) if is_json else (_spliced, _merged, _dumped, _untabbed):
        try:
            result = way(text, tasks)
        except Exception:
            # It does not lead there, or the library failed on the way: the next one may do better.
            continue
        result = mark + (result.replace("\n", "\r\n") if wide else result)
        if check(result):
            return result
    return None


class _Other(Exception):  # noqa: N818 - a turn of the road, not an error
    """This way does not lead there."""


def _task(edit: Edit, namespace: str, unnumbered: frozenset[UUID]) -> _Task:
    root: Path | None = None
    old: dict[str, Any] | None = None
    if edit.old is not None:
        places = edit.old.places
        root = places.root if isinstance(places, Places) else None
        old = data_of(edit.old, namespace=namespace)
    elif namespace != DEFAULT_NAMESPACE:
        # A new entry must not wander into whatever namespace the next reader has in mind.
        namespace = ""
    new = data_of(edit.new, namespace=namespace) if edit.new is not None else None
    if new is not None and edit.old is None:
        new = {key: new[key] for key in ordered(new, new.get("kind"))}
        if edit.new is not None and edit.new.id in unnumbered:
            new.pop("id", None)
    return _Task(root, old, new)


def is_nameless(resource: Resource) -> bool:
    """Whether the id of a resource may come from its position in a file."""
    return resource.name is None


def _leaves_place(old: Resource, new: Resource | None) -> bool:
    """Whether a nameless entry stops to count among those of its kind."""
    stays = new is not None and is_nameless(new) and _kind(new) == _kind(old)
    return is_nameless(old) and not stays


def _kind(resource: Resource) -> str:
    return resource.kind if isinstance(resource, Spec) else ""


# --- only the lines of the entry ----------------------------------------------------------------


def _spliced(text: str, tasks: Sequence[_Task]) -> str:
    parsed = thorough(text)
    if not parsed.whole or parsed.where is None:
        raise _Other
    lines = text.splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    layout = Layout.of(text)
    for task in sorted(tasks, key=lambda task: task.root or (), reverse=True):
        if task.root is not None:
            unit = _Unit(lines, parsed.where, task.root)
            if task.new is None:
                unit.remove(lines)
            else:
                unit.change(lines, layout, task.old or {}, task.new)
    added = [task.new for task in tasks if task.root is None and task.new is not None]
    if added:
        _append(lines, added, layout)
    return "".join(lines)


class _Unit:
    """The lines of one entry: an item of a list in block style, or a whole document."""

    def __init__(self, lines: list[str], where: list[Where], root: Path) -> None:
        document = where[int(root[0])]
        self.item = len(root) > 1
        node = document.children[root[1]][2] if self.item else document
        self.indent = document.column - 1
        if document.style or lines[document.line - 1][self.indent : self.indent + 1] in "[{&!*":
            raise _Other
        self.start = node.line - 1
        if self.item:
            while lines[self.start][self.indent : self.indent + 1] != "-":
                self.start -= 1
                if self.start < document.line - 1:
                    raise _Other
        self.stop = self._end(lines)

    def _end(self, lines: list[str]) -> int:
        stop = self.start + 1
        while stop < len(lines):
            line = lines[stop]
            begins = self.item and line[: self.indent + 1] == " " * self.indent + "-"
            if _MARKER.match(line) or begins:
                break
            stop += 1
        # Blank lines and comments at the margin belong to what follows.
        while stop - 1 > self.start and _margin(lines[stop - 1], self.indent):
            stop -= 1
        return stop

    def remove(self, lines: list[str]) -> None:
        """Take the entry out, with the comment right above it."""
        start, stop = self.start, self.stop
        above = start
        while above > 0 and lines[above - 1].lstrip().startswith("#"):
            above -= 1
        # A comment that opens the file is about the file.
        if above > 0 and not _MARKER.match(lines[above - 1]):
            start = above
        if not self.item and start > 0 and _MARKER.match(lines[start - 1]):
            start -= 1
        while (
            stop < len(lines)
            and not lines[stop].strip()
            and (start == 0 or not lines[start - 1].strip())
        ):
            stop += 1
        del lines[start:stop]

    def change(
        self, lines: list[str], layout: Layout, old: dict[str, Any], new: dict[str, Any]
    ) -> None:
        """Make the entry say something else, in the lines that have to change."""
        from ruamel.yaml.error import YAMLError

        ours = [
            line[self.indent :] if line.strip() else "\n" for line in lines[self.start : self.stop]
        ]
        if any(line[: self.indent].strip() for line in lines[self.start : self.stop]):
            raise _Other
        try:
            base, theirs = _two(layout, "".join(ours), old, new, self.item)
        except YAMLError:
            # It needs an anchor that stands elsewhere.
            raise _Other from None
        margin = " " * self.indent
        lines[self.start : self.stop] = [
            margin + line if line.strip() else line for line in merge(base, ours, theirs)
        ]


def _two(
    layout: Layout, text: str, old: dict[str, Any], new: dict[str, Any], item: bool
) -> tuple[list[str], list[str]]:
    """An entry as ruamel writes it, unchanged and changed, in lines."""
    yaml = machine(layout)
    tree = yaml.load(text)
    base = _flush(dump(yaml, tree), layout, item)
    entry = tree[0] if item else tree
    entry = change(entry, *_without_id(entry, old, new))
    if item:
        # In the list that was read: it holds the comment beside an entry in braces.
        tree[0] = entry
    else:
        tree = entry
    return base, _flush(dump(yaml, tree), layout, item)


def _without_id(
    entry: Any, old: dict[str, Any], new: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Do not add an id that the position of the entry gives it anyway."""
    if "id" in entry:
        return old, new
    plain = {key: value for key, value in old.items() if key != "id"}
    nameless = "name" not in new and old.get("kind") == new.get("kind")
    if nameless and old.get("id") == new.get("id") and not _same_but_id(old, new):
        return plain, {key: value for key, value in new.items() if key != "id"}
    return plain, new


def _same_but_id(old: dict[str, Any], new: dict[str, Any]) -> bool:
    return all(old.get(key) == new.get(key) for key in {*old, *new} - {"id"})


def _flush(text: str, layout: Layout, item: bool) -> list[str]:
    """Lines without the margin that ruamel gives to a list that stands alone."""
    lines = text.splitlines(keepends=True)
    if not item or not layout.offset:
        return lines
    margin = " " * layout.offset
    return [line.removeprefix(margin) for line in lines]


def _margin(line: str, indent: int) -> bool:
    stripped = line.lstrip(" ")
    if not stripped.strip():
        return True
    return stripped.startswith("#") and len(line) - len(stripped) <= indent


def _append(lines: list[str], added: list[dict[str, Any]], layout: Layout) -> None:
    """Add entries after the last one of the last document, in the way of that document."""
    parsed = thorough("".join(lines))
    documents, where = parsed.documents, parsed.where or []
    last = len(documents) - 1
    while last >= 0 and documents[last] is None:
        last -= 1
    if last >= 0 and isinstance(documents[last], list) and documents[last]:
        indent = where[last].column - 1
        if lines[where[last].line - 1][indent : indent + 1] != "-":
            raise _Other
        unit = _Unit(lines, where, (last, len(documents[last]) - 1))
        spaced = unit.start > 0 and not lines[unit.start - 1].strip()
        block = _items(added, layout, indent, spaced)
        lines[unit.stop : unit.stop] = (["\n"] if spaced else []) + block
        return
    if last >= 0 and isinstance(documents[last], dict):
        for entry in added:
            lines += ["---\n", *dump(machine(layout), written(entry)).splitlines(keepends=True)]
        return
    if any(documents):
        raise _Other
    while lines and not lines[-1].strip():
        lines.pop()
    lines += _items(added, layout, 0, spaced=not lines)


def _items(added: list[dict[str, Any]], layout: Layout, indent: int, spaced: bool) -> list[str]:
    lines: list[str] = []
    for number, entry in enumerate(added):
        if number and spaced:
            lines.append("\n")
        text = dump(machine(layout), alone(entry))
        lines += [
            " " * indent + line if line.strip() else line for line in _flush(text, layout, True)
        ]
    return lines


# --- the whole file -----------------------------------------------------------------------------


def _merged(text: str, tasks: Sequence[_Task]) -> str:
    base, theirs = _whole(text, tasks)
    lines = text.splitlines(keepends=True)
    return "".join(merge(base, lines, theirs))


def _dumped(text: str, tasks: Sequence[_Task]) -> str:
    return "".join(_whole(text, tasks)[1])


def _untabbed(text: str, tasks: Sequence[_Task]) -> str:
    """The same without the tabs in front of comments, which ruamel.yaml does not know."""
    plain = re.sub(r"[ \t]*\t[ \t]*(?=#|$)", " ", text, flags=re.MULTILINE)
    if plain == text or parse(plain).documents != parse(text).documents:
        raise _Other
    try:
        return _spliced(plain, tasks)
    except _Other:
        return _merged(plain, tasks)


def _whole(text: str, tasks: Sequence[_Task]) -> tuple[list[str], list[str]]:
    from ruamel.yaml.error import YAMLError

    layout = Layout.of(text)
    yaml = machine(layout)
    try:
        documents = list(yaml.load_all(text))
    except YAMLError:
        raise _Other from None
    keep_anchors(documents)
    margins = [each.column - 1 for each in thorough(text).where or []]
    base = _dump_all(layout, documents, margins)
    for task in sorted(tasks, key=lambda task: task.root or (), reverse=True):
        if task.root is not None:
            _change_whole(documents, margins, task)
    added = [written(task.new) for task in tasks if task.root is None]
    if added:
        lists = [document for document in documents if isinstance(document, list)]
        if lists:
            lists[-1].extend(added)
        else:
            documents.extend(added)
    return base, _dump_all(layout, documents, margins)


def _change_whole(documents: list[Any], margins: list[int], task: _Task) -> None:
    document = int((task.root or (0,))[0])
    if task.root is None or task.old is None:
        return
    single = len(task.root) == 1
    entry = documents[document] if single else documents[document][task.root[1]]
    if task.new is not None:
        entry = change(entry, *_without_id(entry, task.old, task.new))
        if single:
            documents[document] = entry
        else:
            documents[document][task.root[1]] = entry
    elif single:
        del documents[document]
        del margins[document : document + 1]
    else:
        del documents[document][task.root[1]]


def _dump_all(layout: Layout, documents: list[Any], margins: list[int]) -> list[str]:
    lines: list[str] = []
    for number, document in enumerate(documents):
        if number:
            lines.append("---\n")
        is_list = isinstance(document, list) and bool(document) and not document.fa.flow_style()  # type: ignore[attr-defined]
        margin = " " * margins[number] if number < len(margins) and is_list else ""
        lines += [
            margin + line if line.strip() else line
            for line in _flush(dump(machine(layout), document), layout, is_list)
        ]
    return lines


# --- JSON ---------------------------------------------------------------------------------------


def _json_merged(text: str, tasks: Sequence[_Task]) -> str:
    """Only the lines that have to change, where each entry takes several."""
    base, theirs = (_json_lines(text, each) for each in ((), tasks))
    return "".join(merge(base, text.splitlines(keepends=True), theirs))


def _json_dumped(text: str, tasks: Sequence[_Task]) -> str:
    return "".join(_json_lines(text, tasks))


def _json_lines(text: str, tasks: Sequence[_Task]) -> list[str]:
    """The whole file, in about the style that it has."""
    documents = parse(text).documents
    document = documents[0] if documents else []
    single = isinstance(document, dict)
    entries = [document] if single else list(document or [])
    for task in sorted(tasks, key=lambda task: task.root or (), reverse=True):
        if task.root is None:
            continue
        at = 0 if single else int(task.root[1])
        if task.new is None:
            del entries[at]
        else:
            old = task.old or {}
            entries[at] = change(entries[at], *_without_id(entries[at], old, task.new))
    entries.extend(task.new for task in tasks if task.root is None and task.new is not None)
    found = re.search(r"\n([ \t]+)\S", text)
    indent = found.group(1) if found is not None else None if text.strip() else "  "
    tight = indent is None and '": ' not in text
    try:
        result = json.dumps(
            entries[0] if single and len(entries) == 1 else entries,
            indent=indent,
            separators=(",", ":") if tight else None,
            ensure_ascii=False,
        )
    except TypeError:
        # JSON has no way to say it: bytes.
        raise _Other from None
    return (result + ("\n" if text[-1:] in ("\n", "") else "")).splitlines(keepends=True)


def pinned(edits: Sequence[Edit], entries: Sequence[Resource]) -> list[Edit]:
    """The edits, and those that write down ids which would change with the position of an entry."""
    removed = [
        edit.old for edit in edits if edit.old is not None and _leaves_place(edit.old, edit.new)
    ]
    if not removed:
        return list(edits)
    touched = {(type(edit.old), edit.old.id) for edit in edits if edit.old is not None}
    kinds = {_kind(each) for each in removed}
    return [
        *edits,
        *(
            Edit(each, each)
            for each in entries
            if is_nameless(each) and (type(each), each.id) not in touched and _kind(each) in kinds
        ),
    ]
