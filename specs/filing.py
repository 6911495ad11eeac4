"""Filing says which file a Spec or a Value goes to, and what that file says with it."""

# Paths are text here, as the folder store has them.

from collections.abc import Sequence
from typing import TYPE_CHECKING

from heddle.specs.document import decode, is_spec_file, is_spec_folder, read_text
from heddle.specs.errors import Conflict, StoreError
from heddle.specs.files import Files
from heddle.specs.index import Key, Step, key_of
from heddle.specs.spec import DEFAULT_NAMESPACE
from heddle.specs.store import Resource
from heddle.specs.writeback import read_bytes

if TYPE_CHECKING:
    from heddle.specs.rewrite import Edit

FILE = "heddle/file"
"""The annotation by which a new Spec or Value says the file of the folder that it goes to."""


def filed(files: Files, steps: Sequence[Step]) -> "dict[str, list[Edit]]":
    """The steps as edits of files, by the names of those."""
    from heddle.specs.rewrite import Edit

    edits: dict[str, list[Edit]] = {}
    for old, new in steps:
        edits.setdefault(_home(files, old, new), []).append(Edit(old, new))
    return edits


def _home(files: Files, old: Resource | None, new: Resource | None) -> str:
    """The file that a resource is in, or goes to."""
    holder = files.holder(old) if old is not None else None
    if holder is not None:
        return holder
    if files.single:
        return files.names()[0]
    wish = new.annotations.get(FILE) if new is not None else None
    if new is not None and wish is not None:
        return _wished(new, wish)
    namespace = new.namespace if new is not None else DEFAULT_NAMESPACE
    return namespace.replace("/", "-") + ".yaml"


def _wished(new: Resource, wish: str) -> str:
    """The file that an annotation asks for; StoreError where it is none of this folder."""
    *folders, name = wish.split("/")
    inside = all(each and is_spec_folder(each) for each in folders) and "\\" not in wish
    if not inside or not is_spec_file(name):
        raise StoreError(
            f'{new.place(("annotations", FILE))} {new.label}.annotations: "{wish}" is no spec file of '
            "the folder (wanted: a path below it that ends in .yaml, .yml or .json, such as "
            "shop/orders.yaml)"
        )
    return wish


def rewritten(files: Files, name: str, edits: "list[Edit]") -> tuple[bytes | None, bytes | None]:
    """What a file holds, and what it holds after these edits; None is no file.

    Conflict when it is not what it was when it was read; StoreError when it cannot say this.
    """
    from heddle.specs.rewrite import pinned, rewrite

    path = files.full(name)
    shown = files.shown(name)
    record = files.file(name)
    if record.problems:
        raise StoreError(f"{shown} has to be put right first: {record.problems[0]}")
    before = read_bytes(path)
    if before is not None and hash(before) != record.digest:
        raise Conflict(f"{shown} was changed by somebody else in the meantime")
    text = decode(before or b"")
    wanted: dict[Key, Resource] = {key_of(each): each for each in record.entries}
    for edit in edits:
        if edit.old is not None:
            wanted.pop(key_of(edit.old), None)
        if edit.new is not None:
            wanted[key_of(edit.new)] = edit.new

    def says_so(candidate: str) -> bool:
        reading = read_text(candidate, file=shown, key=name)
        entries: tuple[Resource, ...] = (*reading.specs, *reading.values)
        found = {key_of(each): each for each in entries}
        return not reading.problems and found == wanted

    after = rewrite(
        text or "",
        pinned(edits, record.entries),
        check=says_so,
        namespace=DEFAULT_NAMESPACE,
        is_json=name.endswith(".json"),
    )
    if after is None:
        raise StoreError(f"{shown} cannot be changed so that it says this; edit it by hand")
    if not wanted and not files.single and not after.strip().strip("[]-."):
        return before, None
    wide = (before or b"")[:2] in (b"\xff\xfe", b"\xfe\xff")
    return before, (_wide(before or b"", after) if wide else after.encode())


def _wide(before: bytes, text: str) -> bytes:
    """The text in UTF-16, with the mark that was there."""
    return before[:2] + text.encode("utf-16-le" if before[:2] == b"\xff\xfe" else "utf-16-be")
