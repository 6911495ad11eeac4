"""Filing says which file a Spec or a Value goes to, and what that file says with it."""

# Paths are text here, as the folder store has them.

from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import TYPE_CHECKING

from heddle.schemas.errors import ConflictError, RejectedError, SpecError
from heddle.schemas.link import DEFAULT_NAMESPACE
from heddle.schemas.problem import Problem
from heddle.specs.model.index import Key, Step, key_of
from heddle.specs.model.store import Resource
from heddle.specs.stores.folder.atomic_write import read_bytes
from heddle.specs.stores.folder.placement import home_of, illegal, outside
from heddle.specs.stores.folder.spec_files import SpecFiles
from heddle.specs.yaml.document import decode, read_text

if TYPE_CHECKING:
    from heddle.specs.yaml.rewrite import Edit

FILE = "heddle/file"
"""The annotation by which a new Spec or Value says the file of the folder that it goes to."""


def filed(files: SpecFiles, steps: Sequence[Step]) -> "dict[str, list[Edit]]":
    """Return the steps as edits of files, by the names of those; raise SpecError if one may not be written."""
    from heddle.specs.yaml.rewrite import Edit

    problems = misplaced(files, steps)
    if problems:
        raise SpecError(problems)
    edits: dict[str, list[Edit]] = {}
    for old, new in steps:
        edits.setdefault(_home(files, old, new), []).append(Edit(old, new))
    return edits


def misplaced(files: SpecFiles, steps: Sequence[Step]) -> list[Problem]:
    """Return the Problems of resources whose file may not be written."""
    # Many go to one file: the file system is not asked for each of them.
    leads_out = cache(partial(outside, files.path))
    problems = (
        _misplaced(files, _home(files, old, new), old, new, leads_out) for old, new in steps
    )
    return [problem for problem in problems if problem is not None]


def _home(files: SpecFiles, old: Resource | None, new: Resource | None) -> str:
    """Return the file that a resource is in, or goes to."""
    holder = files.holder(old) if old is not None else None
    if holder is not None:
        return holder
    if files.single:
        return files.names()[0]
    wish = new.annotations.get(FILE) if new is not None else None
    if wish is not None:
        return wish
    return home_of(new.namespace if new is not None else DEFAULT_NAMESPACE)


def _misplaced(
    files: SpecFiles,
    name: str,
    old: Resource | None,
    new: Resource | None,
    leads_out: Callable[[str], str],
) -> Problem | None:
    """Return the Problem of a resource whose file may not be written; None if it may."""
    if files.single:
        return None
    resource = new if new is not None else old
    fresh = old is None or files.holder(old) is None
    # A file that is there already was named by somebody who may name it as they like.
    why = (illegal(name) if fresh else "") or leads_out(name)
    if not why or resource is None:
        return None
    return Problem(
        code="file",
        found=f'"{name}" cannot be written: {why}',
        expected="a path below the folder that ends in .yaml, .yml or .json, such as shop/orders.yaml",
        hint="" if fresh else "Edit the file by hand",
        place=resource.place(("annotations", FILE)),
        path=f"{resource.label}.annotations.{FILE}",
    )


def rewritten(
    files: SpecFiles, name: str, edits: "list[Edit]"
) -> tuple[bytes | None, bytes | None]:
    """Return what a file holds, and what it holds after these edits; None is not a file.

    Conflict when it is not what it was when it was read; Unwritable when it cannot say this.
    """
    from heddle.specs.yaml.rewrite import pinned, rewrite

    path = files.full(name)
    shown = files.shown(name)
    record = files.file(name)
    if record.problems:
        raise RejectedError(f"{shown} has to be put right first: {record.problems[0]}")
    before = read_bytes(path)
    if before is not None and hash(before) != record.digest:
        raise ConflictError(f"{shown} was changed by somebody else in the meantime")
    text = decode(before or b"")
    target: dict[Key, Resource] = {key_of(each): each for each in record.entries}
    for edit in edits:
        if edit.old is not None:
            target.pop(key_of(edit.old), None)
        if edit.new is not None:
            target[key_of(edit.new)] = edit.new

    def holds_target(candidate: str) -> bool:
        reading = read_text(candidate, file=shown, key=name)
        entries: tuple[Resource, ...] = (*reading.specs, *reading.values)
        mapping = {key_of(each): each for each in entries}
        return not reading.problems and mapping == target

    after = rewrite(
        text or "",
        pinned(edits, record.entries),
        check=holds_target,
        namespace=DEFAULT_NAMESPACE,
        is_json=name.endswith(".json"),
    )
    if after is None:
        raise RejectedError(f"{shown} cannot be changed so that it says this; edit it by hand")
    if not target and not files.single and not after.strip().strip("[]-."):
        return before, None
    wide = (before or b"")[:2] in (b"\xff\xfe", b"\xfe\xff")
    return before, (_wide(before or b"", after) if wide else after.encode())


def _wide(before: bytes, text: str) -> bytes:
    """Return the text in UTF-16, with the mark that was there."""
    return before[:2] + text.encode("utf-16-le" if before[:2] == b"\xff\xfe" else "utf-16-be")
