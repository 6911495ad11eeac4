"""The text of a file, with some of its entries changed, added and removed."""

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
from heddle.specs.yaml.diagnose import plain_data
from heddle.specs.yaml.edit import Editor, is_same
from heddle.specs.yaml.fast import SpecPlaces, parse
from heddle.specs.yaml.layout import JsonLayout, TextLayout
from heddle.specs.yaml.link_form import has_short_links, short_ports
from heddle.specs.yaml.patch import Patch, PatchError, difference, joined, patched
from heddle.specs.yaml.tree import (
    Entry,
    Tree,
    TreeDocument,
    TreeError,
    TreeStream,
    line_end,
    line_start,
)
from heddle.specs.yaml.tree_reader import read_tree

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


class _TextStyle(msgspec.Struct, frozen=True, kw_only=True):
    """The options for writing a text: as a JSON file; JSON in it as JSON; every changed entry anew.

    With `apart`, the aliases of an entry that lead to what changes keep what they had.
    """

    is_json: bool
    strict: bool
    apart: bool = False
    afresh: bool = False


def rewrite(
    text: str,
    edits: Sequence[Edit],
    *,
    check: Callable[[str], bool],
    namespace: str,
    is_json: bool = False,
    unnumbered: frozenset[UUID] = frozenset(),
) -> str | None:
    """Return the text with the edits made, everything else as it was; None if that cannot be done.

    New entries with one of the ids `unnumbered` are written without it: their place gives them one.

    `check` tells whether a text says what it has to: the first way to write it that does is
    taken, and they are tried from the one that changes the least to the one that changes the most.
    """
    mark = "\ufeff" if text.startswith("\ufeff") else ""
    text = text.removeprefix(mark)
    breaks = breaks_of(text)
    if breaks != "\n":
        text = text.replace(breaks, "\n")

    def whole(result: str) -> str:
        return mark + (result.replace("\n", breaks) if breaks != "\n" else result)

    patches = patches_of(
        text,
        edits,
        check=lambda result: check(whole(result)),
        namespace=namespace,
        is_json=is_json,
        unnumbered=unnumbered,
    )
    return None if patches is None else whole(patched(text, patches))


def patches_of(
    text: str,
    edits: Sequence[Edit],
    *,
    check: Callable[[str], bool],
    namespace: str,
    is_json: bool = False,
    unnumbered: frozenset[UUID] = frozenset(),
) -> list[Patch] | None:
    """As `rewrite`, but what has to be replaced in the text, whose lines end with a line feed."""
    tasks = [_task(edit, namespace, unnumbered) for edit in edits]
    # What is JSON goes on as JSON, whatever its name, as long as JSON can say it.
    ways = [_TextStyle(is_json=is_json, strict=True)]
    if not is_json:
        ways += [_TextStyle(is_json=False, strict=False, apart=apart) for apart in (False, True)]
    for way in (*ways, _TextStyle(is_json=is_json, strict=is_json, afresh=True)):
        try:
            patches = _rewritten(text, tasks, way)
            if check(patched(text, patches)):
                return patches
        except Exception:
            # It does not lead there, or the library failed on the way: the next one may do better.
            continue
    return None


def breaks_of(text: str) -> str:
    """Return how the lines of a text end, if all of them end in the same way; a line feed otherwise."""
    for breaks in ("\r\n", "\r"):
        if breaks in text and "\n" not in text.replace(breaks, ""):
            return breaks
    return "\n"


def _task(edit: Edit, namespace: str, unnumbered: frozenset[UUID]) -> _Task:
    root: Path | None = None
    old: dict[str, Any] | None = None
    if edit.old is not None:
        places = edit.old.places
        root = places.root if isinstance(places, SpecPlaces) else None
        old = data_of(edit.old, namespace=namespace)
    elif namespace != DEFAULT_NAMESPACE:
        # A new entry must not wander into whatever namespace the next reader has in mind.
        namespace = ""
    new = data_of(edit.new, namespace=namespace) if edit.new is not None else None
    if new is not None and edit.old is None:
        new = {key: new[key] for key in ordered(new, new.get("kind"))}
        if isinstance(edit.new, Spec) and edit.new.ports:
            new["ports"] = short_ports(new["ports"])
        if edit.new is not None and edit.new.id in unnumbered:
            new.pop("id", None)
    return _Task(root, old, new)


# --- changing the text --------------------------------------------------------------------------


def _rewritten(text: str, tasks: Sequence[_Task], way: _TextStyle) -> list[Patch]:
    """Return what the tasks replace."""
    try:
        stream = read_tree(text)
    except TreeError:
        if text.strip():
            raise
        stream = TreeStream(text, [])
    writer = _EntryWriter(stream, way)
    for task in tasks:
        if task.root is not None:
            writer.change(task.root, task.old or {}, task.new)
    writer.remove()
    writer.editor.rehome(plain_data)
    patches = writer.editor.patches
    before = result = patched(text, patches)
    added = [task.new for task in tasks if task.root is None and task.new is not None]
    if added:
        result = _appended(result, added, way)
    if "*" in text:
        result = _mended(text, tasks, result, way)
    return patches if result == before else joined(text, patches, difference(before, result))


class _EntryWriter:
    """Writes changed entries of a text in their places."""

    def __init__(self, stream: TreeStream, way: _TextStyle) -> None:
        self.stream = stream
        self.text = stream.text
        self.way = way
        self.leaving: dict[int, list[int]] = {}
        root = next((each.root for each in stream.documents if each.root is not None), None)
        filled = stream.json and root is not None and bool(root.entries)
        strict = way.is_json or (way.strict and filled)
        json = JsonLayout.of(self.text, root) if strict else None
        self.editor = Editor(stream, TextLayout(), json)
        self.editor.apart = way.apart

    def change(self, path: Path, old: dict[str, Any], new: dict[str, Any] | None) -> None:
        """Bring an entry from saying `old` to saying `new`, or note that it goes."""
        document, number = int(path[0]), int(path[1]) if len(path) > 1 else -1
        if new is None:
            self.leaving.setdefault(document, []).append(number)
            return
        entry, owner = entry_at(self.stream, path)
        self.editor.layout = layout_near(self.stream, entry.value)
        data = entry.value
        keys = {each.key.text for each in data.entries if each.key is not None}
        old, new = _without_id(keys, old, new)
        new = {key: new[key] for key in ordered(new, new.get("kind"))}
        if "ports" in new and "kind" in new and has_short_links(data, self.stream):
            known = old.get("ports") or {}
            added = {port: links for port, links in new["ports"].items() if port not in known}
            new["ports"] = new["ports"] | short_ports(added)
        if self.way.afresh:
            self.anew(entry, owner, new)
        else:
            self.editor.change(entry, owner, old, new)

    def anew(self, entry: Entry, owner: Tree | None, new: dict[str, Any]) -> None:
        """Write a whole entry anew."""
        editor = self.editor
        if editor.json is not None or owner is None or owner.flow or entry.value.flow:
            return editor.replace(entry, owner, new)
        editor.drop(entry.value.head, entry.value.end)
        stop = line_end(self.text, entry.value.end)
        lines = editor.layout.item(new, entry.column, open_=True)
        return editor.patch(entry.start, stop, "\n".join(lines).lstrip(" "))

    def remove(self) -> None:
        """Take out the entries that go."""
        for document, numbers in sorted(self.leaving.items()):
            known = self.stream.documents[document]
            root = known.root
            if root is None:
                continue
            if numbers == [-1]:
                self.remove_document(document)
            elif root.flow:
                self.remove_flow(root, sorted(numbers))
            else:
                for number in sorted(numbers):
                    self.remove_item(root.entries[number])

    def remove_flow(self, root: Tree, numbers: list[int]) -> None:
        """Take items out of a list in brackets."""
        if len(numbers) == len(root.entries):
            self.editor.drop(root.head, root.end)
            self.editor.patch(root.head, root.end, "[]")
        else:
            self.editor.remove(root, numbers)

    def remove_item(self, entry: Entry) -> None:
        """Take an item out of the list of a document, with the comment right above it."""
        begin = line_start(self.text, entry.start)
        if self.text[begin : entry.start].strip():
            raise PatchError("a list that begins within a line")
        self.editor.drop(entry.start, entry.value.end)
        stop = self.editor.extent(entry.column, self.editor.end_of(entry))
        self.editor.patch(*self.with_comment(begin, stop), "")

    def with_comment(self, begin: int, stop: int) -> tuple[int, int]:
        """Return where lines begin and end, with the comment right above them and blank lines below."""
        above = begin
        while above > 0 and self.line(above - 1).lstrip().startswith("#"):
            above = line_start(self.text, above - 1)
        # A comment that opens the file is about the file.
        if above > 0 and not _MARKER.match(self.line(above - 1)):
            begin = above
        after = self.text.find("\n", stop) + 1 or len(self.text)
        blank = begin == 0 or not self.line(begin - 1).strip()
        while blank and after < len(self.text) and not self.line(after).strip():
            after = self.text.find("\n", after) + 1 or len(self.text)
        return begin, after

    def line(self, index: int) -> str:
        """Return the line of this place."""
        return self.text[line_start(self.text, index) : line_end(self.text, index)]

    def remove_document(self, number: int) -> None:
        """Take out a document, with its mark and the comment right above it."""
        document: TreeDocument = self.stream.documents[number]
        root = document.root
        if root is None:
            return
        self.editor.drop(root.head, root.end)
        if self.way.is_json:
            self.editor.patch(root.head, root.end, "[]")
            return
        begin = line_start(self.text, root.head)
        stop = self.editor.extent(root.column, root.end)
        begin, after = self.with_comment(begin, stop)
        if begin > 0 and self.line(begin - 1).rstrip() == "---":
            begin = line_start(self.text, begin - 1)
        if document.start < document.mark:
            # Directives are about this document.
            begin = document.start
        if self.line(after).rstrip() == "...":
            after = self.text.find("\n", after) + 1 or len(self.text)
        self.editor.patch(begin, after, "")


def entry_at(stream: TreeStream, path: Path) -> tuple[Entry, Tree | None]:
    """Return the entry at this place of a text, and the list that it stands in."""
    root = stream.documents[int(path[0])].root
    if root is None:
        raise PatchError("there is nothing at this place")
    if len(path) > 1:
        return root.entries[int(path[1])], root
    return Entry(None, root, root.start, root.line, root.column), None


def layout_near(stream: TreeStream, node: Tree) -> TextLayout:
    """Return the layout of a node; what it does not show is as in the rest of the text."""
    roots = (each.root for each in stream.documents if each.root is not None)
    return TextLayout.of(stream.text, [node, *roots])


def _without_id(
    keys: set[str], old: dict[str, Any], new: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Do not add an id that the position of the entry gives it anyway."""
    if "id" in keys:
        return old, new
    plain = {key: value for key, value in old.items() if key != "id"}
    nameless = "name" not in new and old.get("kind") == new.get("kind")
    if nameless and old.get("id") == new.get("id") and not _same_but_id(old, new):
        return plain, {key: value for key, value in new.items() if key != "id"}
    return plain, new


def _same_but_id(old: dict[str, Any], new: dict[str, Any]) -> bool:
    return is_same(*({**each, "id": ""} for each in (old, new)))


# --- entries that others lead to ----------------------------------------------------------------


def _mended(text: str, tasks: Sequence[_Task], result: str, way: _TextStyle) -> str:
    """Return the result, with the entries that nobody wanted to change saying what they said before.

    They may lead to what was changed by an alias.
    """
    touched = {task.root for task in tasks if task.root is not None}
    removed = {task.root for task in tasks if task.root is not None and task.new is None}
    before, after = parse(text).documents, parse(result).documents
    kept = [at for at in range(len(before)) if (at,) not in removed]
    if len(after) < len(kept):
        # A document of which nothing is left may be none any more.
        kept = [at for at in kept if not _is_removed(before[at], at, removed)]
    wrong: list[tuple[Path, Any, Any]] = []
    for new_at, at in enumerate(kept):
        if new_at >= len(after):
            raise PatchError("documents are missing")
        value, other = before[at], after[new_at]
        if not isinstance(value, list) or not isinstance(other, list):
            if (at,) not in touched and not is_same(value, other):
                wrong.append(((new_at,), other, value))
            continue
        left = [number for number in range(len(value)) if (at, number) not in removed]
        for new_number, number in enumerate(left[: len(other)]):
            if (at, number) not in touched and not is_same(value[number], other[new_number]):
                wrong.append(((new_at, new_number), other[new_number], value[number]))
    if not wrong:
        return result
    writer = _EntryWriter(read_tree(result), way)
    for path, old, new in wrong:
        entry, owner = entry_at(writer.stream, path)
        writer.editor.layout = layout_near(writer.stream, entry.value)
        writer.editor.change(entry, owner, old, new)
    writer.editor.rehome(plain_data)
    return patched(result, writer.editor.patches)


def _is_removed(document: Any, at: int, removed: set[Path]) -> bool:
    """Return whether every entry of a document is removed."""
    return isinstance(document, list) and all(
        (at, number) in removed for number in range(len(document))
    )


# --- new entries --------------------------------------------------------------------------------


def _appended(text: str, added: list[dict[str, Any]], way: _TextStyle) -> str:
    """Add entries after the last one of the last document, in the way of that document."""
    stream = read_tree(text) if text.strip() else TreeStream(text, [])
    roots = [each.root for each in stream.documents if each.root is not None]
    last = roots[-1] if roots else None
    strict = way.strict and stream.json and last is not None and last.sort == "sequence"
    if way.is_json or (strict and last is not None and last.entries):
        return _appended_json(stream, last, added)
    layout = TextLayout.of(text, roots)
    if last is not None and last.sort == "sequence" and last.entries:
        return _appended_items(stream, last, added, layout)
    if last is not None and last.sort == "mapping" and last.entries:
        lines = [line for each in added for line in ("---", *layout.lines(each, 0))]
        return _ended(text) + "".join(f"{line}\n" for line in lines)
    if last is not None and last.entries:
        raise PatchError("the last document is neither a list nor an entry")
    if last is not None:
        # An empty list: what comes stands in its place.
        text = text[: last.head] + text[line_end(text, last.end) :].removeprefix("\n")
    text = text.rstrip(" \n")
    lines = _items(added, layout, 0, not text)
    return (f"{text}\n" if text else "") + "".join(f"{line}\n" for line in lines)


def _appended_items(
    stream: TreeStream, root: Tree, added: list[dict[str, Any]], layout: TextLayout
) -> str:
    """Add items to the list of a document."""
    text = stream.text
    editor = Editor(stream, layout)
    number = len(root.entries) - 1
    last = root.entries[number]
    if root.flow:
        editor.insert(root, number, [(None, each) for each in added])
        return patched(text, editor.patches)
    begin = line_start(text, last.start)
    spaced = begin > 0 and not text[line_start(text, begin - 1) : begin].strip()
    lines = _items(added, layout, last.column, spaced)
    editor.insert_lines(root, number, [*([""] if spaced else []), *lines], last.column)
    return (
        _ended(patched(text, editor.patches))
        if text.endswith("\n")
        else patched(text, editor.patches)
    )


def _items(added: list[dict[str, Any]], layout: TextLayout, column: int, spaced: bool) -> list[str]:
    lines: list[str] = []
    for number, entry in enumerate(added):
        if number and spaced:
            lines.append("")
        lines += layout.item(entry, column, open_=True)
    return lines


def _ended(text: str) -> str:
    return text if not text or text.endswith("\n") else f"{text}\n"


def _appended_json(stream: TreeStream, root: Tree | None, added: list[dict[str, Any]]) -> str:
    """Add items to a JSON list; one entry that stood alone becomes a list."""
    text = stream.text
    layout = JsonLayout.of(text, root)
    if root is None or not root.entries:
        if root is None and text.strip():
            raise PatchError("JSON without a list")
        data = (
            added[0] if root is not None and root.sort == "mapping" and len(added) == 1 else added
        )
        written = layout.value(data, "")
        return f"{written}\n" if root is None else text[: root.head] + written + text[root.end :]
    editor = Editor(stream, TextLayout(), layout)
    if root.sort == "mapping":
        if layout.indent is None:
            items = [text[root.head : root.end], *(layout.value(each, "") for each in added)]
            return f"{text[: root.head]}[{layout.comma.join(items)}]{text[root.end :]}"
        inner = layout.indent
        items = [text[root.head : root.end].replace("\n", f"\n{inner}")]
        items += [layout.value(each, inner) for each in added]
        body = f",\n{inner}".join(items)
        return f"{text[: root.head]}[\n{inner}{body}\n]{text[root.end :]}"
    editor.insert(root, len(root.entries) - 1, [(None, each) for each in added])
    return patched(text, editor.patches)


# --- ids by position ----------------------------------------------------------------------------


def is_nameless(resource: Resource) -> bool:
    """Return whether the id of a resource may come from its position in a file."""
    return resource.name is None


def _leaves_place(old: Resource, new: Resource | None) -> bool:
    """Return whether a nameless entry stops to count among those of its kind."""
    stays = new is not None and is_nameless(new) and _kind(new) == _kind(old)
    return is_nameless(old) and not stays


def _kind(resource: Resource) -> str:
    return resource.kind if isinstance(resource, Spec) else ""


def pinned(edits: Sequence[Edit], entries: Sequence[Resource]) -> list[Edit]:
    """Return the edits, and those that write down ids which would change with the position of an entry."""
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
