"""Merging three texts of Specs by what they say; the result is the text of ours, with theirs in it.

Lines are only the means: if merging them gives what the merge of the Specs gives, the comments
of both sides stay. If it does not, the entries of ours are rewritten in their places. What the
sides disagree about stands between conflict markers, as git writes them, and nothing else does.
"""

from collections.abc import Iterator, Sequence

import msgspec

from heddle.schemas.link import DEFAULT_NAMESPACE
from heddle.specs.merge.comparison import Sheet, content, paired
from heddle.specs.merge.merge import Favor, MergeConflict, merge
from heddle.specs.model.index import key_of
from heddle.specs.model.store import Resource
from heddle.specs.model.strict_eq import identical
from heddle.specs.model.three_way import Chunk, chunks
from heddle.specs.yaml.patch import Patch, patched, regions
from heddle.specs.yaml.rewrite import Edit, breaks_of, patches_of


class Labels(msgspec.Struct, frozen=True, kw_only=True):
    """The names of the sides behind the conflict markers, and the length of the markers."""

    base: str = "base"
    ours: str = "ours"
    theirs: str = "theirs"
    size: int = 7


class TextMergeResult(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a merge of texts. `clean` is that nothing is left between markers.

    `by_lines` says why the texts were merged line by line, as they could not be merged by what they
    say; `conflicts` are empty then.
    """

    text: str
    clean: bool
    conflicts: tuple[MergeConflict, ...] = ()
    by_lines: str = ""


def merge_texts(
    base: str,
    ours: str,
    theirs: str,
    *,
    file: str = "",
    labels: Labels = Labels(),  # noqa: B008 - frozen
) -> TextMergeResult:
    """Merge what ours and theirs made of base. `file` is what places call it; its end tells JSON."""
    before, mine, other = (Sheet.read(_plain(each), file=file) for each in (base, ours, theirs))
    for name, side in ((labels.base, before), (labels.ours, mine), (labels.theirs, other)):
        if side.problems:
            return _by_lines(base, ours, theirs, labels, f"{name}: {side.problems[0]}")
    merging = _TextMerge(before, mine, other, file)
    return _merge_specs(merging, ours, labels) or _by_lines(
        base, ours, theirs, labels, "what comes of it cannot be written into the text of ours"
    )


def _merge_specs(merging: "_TextMerge", ours: str, labels: Labels) -> TextMergeResult | None:
    """Return what comes of a merge of Specs; None if it cannot be written."""
    mine = merging.merged_text("ours")
    if mine is None:
        return None
    if not merging.conflicts:
        return TextMergeResult(text=_ended(mine, ours, clean=True), clean=True)
    mine = "".join(_ending(mine.splitlines(keepends=True)))
    other, before = merging.turned(mine, "theirs"), merging.turned(mine, "base")
    if other is None or before is None:
        return None
    text = _marked(mine, before, other, labels)
    return TextMergeResult(text=_ended(text, ours), clean=False, conflicts=merging.conflicts)


def _plain(text: str) -> str:
    """Return the text without its mark, with line feeds if all of its lines end in another way."""
    text = text.removeprefix("\ufeff")
    breaks = breaks_of(text)
    return text if breaks == "\n" else text.replace(breaks, "\n")


def _ended(text: str, like: str, *, clean: bool = False) -> str:
    """Return the text with the line ends, and the mark at the beginning, of another.

    If it is clean, it ends with a line break only if the other one does.
    """
    if clean and like.strip() and not like.endswith(("\n", "\r")):
        text = text.removesuffix("\n")
    breaks = breaks_of(like)
    if breaks != "\n":
        text = text.replace("\n", breaks)
    return f"\ufeff{text}" if like.startswith("\ufeff") else text


class _TextMerge:
    """One merge of three texts that can be read."""

    def __init__(self, base: Sheet, ours: Sheet, theirs: Sheet, file: str) -> None:
        self.base, self.ours, self.theirs, self.file = base, ours, theirs, file
        mine = paired(base, ours)
        known = {key[1] for key in base.anonymous}
        fresh = {id_ for id_ in mine.values() if id_ not in known}
        called = ours.called(mine)
        other = paired(base, theirs, known=[each for each in called if each.id in fresh])
        self.sides = base.resources, called, theirs.called(other)
        self.unnamed = {*known, *mine.values(), *other.values()}
        self.conflicts: tuple[MergeConflict, ...] = ()

    def merged_sheet(self, favor: Favor) -> Sheet:
        """Return what the text has to say."""
        merged = merge(*self.sides, favor=favor)
        if favor == "ours":
            self.conflicts = merged.conflicts
        keys = (key_of(each) for each in merged.resources)
        return Sheet(
            resources=merged.resources,
            anonymous=frozenset(key for key in keys if key[1] in self.unnamed),
        )

    def merged_text(self, favor: Favor) -> str | None:
        """Return the text of ours that says what comes of the merge."""
        target = self.merged_sheet(favor)
        lines = [
            each.text.splitlines(keepends=True) for each in (self.base, self.ours, self.theirs)
        ]
        parts = list(chunks(*map(_ending, lines)))
        both = "".join(line for chunk in parts for line in _both(chunk))
        settled = [(chunk.settled, chunk.ours) for chunk in parts]
        mine = "".join(line for part, own in settled for line in (own if part is None else part))
        for start in dict.fromkeys((both, mine, self.ours.text)):
            text = self.written(start, target)
            if text is not None:
                return text
        return None

    def turned(self, text: str, favor: Favor) -> list[Patch] | None:
        """Return what to replace in the text of ours so that it says what another side does if they disagree."""
        return self.patches(text, self.merged_sheet(favor))

    def written(self, start: str, target: Sheet) -> str | None:
        """Return the text, rewritten if it does not say yet what is wanted; None if that cannot be."""
        patches = self.patches(start, target)
        return None if patches is None else patched(start, patches)

    def patches(self, start: str, target: Sheet) -> list[Patch] | None:
        """Return what to replace in the text so that it says what is wanted; None if that cannot be."""
        sheet = Sheet.read(start, file=self.file)
        if sheet.problems:
            return None
        called = paired(target, sheet)
        then = {(type(each), called.get(key_of(each), each.id)): each for each in sheet.resources}
        now = {key_of(each): each for each in target.resources}
        edits = [
            edit
            for key in {**then, **now}
            if (edit := _edit(then.get(key), now.get(key), key in target.anonymous)) is not None
        ]
        if not edits:
            return []
        return patches_of(
            start,
            edits,
            check=lambda text: _same(Sheet.read(text, file=self.file), target),
            namespace=DEFAULT_NAMESPACE,
            is_json=self.file.endswith(".json"),
            unnumbered=frozenset(key[1] for key in target.anonymous),
        )


def _edit(old: Resource | None, new: Resource | None, unnamed: bool) -> Edit | None:
    """Return what is to be done with an entry; None if it says what it should."""
    if old is not None and new is not None:
        if unnamed:
            # It keeps the id that its place gives it.
            new = msgspec.structs.replace(new, id=old.id)
        return None if old == new else Edit(old, new)
    return Edit(old, new)


def _same(sheet: Sheet, target: Sheet) -> bool:
    """Return whether a text says what is wanted, whatever the numbers of those that have only numbers."""
    if sheet.problems or len(sheet.resources) != len(target.resources):
        return False
    called = paired(target, sheet)
    parts = {(type(each), called.get(key_of(each), each.id)): each for each in sheet.resources}
    return all(
        key_of(each) in parts
        and identical(content(parts[key_of(each)]), content(each))
        and (key_of(each) in target.anonymous or parts[key_of(each)] == each)
        for each in target.resources
    )


# --- lines --------------------------------------------------------------------------------------


def _ending(lines: list[str]) -> list[str]:
    """Lines of which the last one ends, too."""
    if lines and not lines[-1].endswith("\n"):
        return [*lines[:-1], f"{lines[-1]}\n"]
    return lines


def _both(chunk: Chunk[str]) -> Sequence[str]:
    """Return what is left of lines that both sides touched: both, if each only added some."""
    settled = chunk.settled
    if settled is not None:
        return settled
    return chunk.ours if chunk.base else [*chunk.ours, *chunk.theirs]


def _marked(mine: str, base: Sequence[Patch], theirs: Sequence[Patch], labels: Labels) -> str:
    """Return the text of ours, with markers around whatever ours and theirs say differently.

    What is replaced is whole entries and fields, so that each side of a conflict can stand in the
    place of the other, whatever lines happen to be the same in both.
    """
    parts: list[str] = []
    at = 0
    for region in regions(mine, base, theirs):
        lines = mine[region.start : region.end].splitlines(keepends=True)
        before, other = (each.splitlines(keepends=True) for each in region.texts)
        parts.append(mine[at : region.start])
        at = region.end
        if lines == other:
            parts += lines
            continue
        head, tail = _shared(lines, before, other)
        stop = len(lines) - tail
        chunk = Chunk(
            before[head : len(before) - tail],
            lines[head:stop],
            other[head : len(other) - tail],
            False,
        )
        parts += (*lines[:head], *_between(chunk, labels), *lines[stop:])
    return "".join((*parts, mine[at:]))


def _shared(*sides: list[str]) -> tuple[int, int]:
    """Return how many lines are the same in all sides: at the beginning, and at the end behind them."""
    most = min(map(len, sides))
    head = next((at for at in range(most) if len({side[at] for side in sides}) > 1), most)
    most -= head
    tail = next((at for at in range(most) if len({side[-1 - at] for side in sides}) > 1), most)
    return head, tail


def _by_lines(base: str, ours: str, theirs: str, labels: Labels, why: str) -> TextMergeResult:
    """Merge line by line, as git itself would."""
    pieces = list(_chunks(_plain(base), _plain(ours), _plain(theirs)))
    parts = [chunk.settled for chunk in pieces]
    lines = [
        line
        for chunk, part in zip(pieces, parts, strict=True)
        for line in (part if part is not None else _between(chunk, labels))
    ]
    clean = None not in parts
    text = _ended("".join(lines), ours, clean=clean)
    return TextMergeResult(text=text, clean=clean, by_lines=why)


def _chunks(base: str, ours: str, theirs: str) -> Iterator[Chunk[str]]:
    sides = [_ending(text.splitlines(keepends=True)) for text in (base, ours, theirs)]
    return chunks(sides[0], sides[1], sides[2])


def _between(chunk: Chunk[str], labels: Labels) -> list[str]:
    """Return a stretch between conflict markers."""
    return [
        f"{'<' * labels.size} {labels.ours}\n",
        *chunk.ours,
        f"{'|' * labels.size} {labels.base}\n",
        *chunk.base,
        f"{'=' * labels.size}\n",
        *chunk.theirs,
        f"{'>' * labels.size} {labels.theirs}\n",
    ]
