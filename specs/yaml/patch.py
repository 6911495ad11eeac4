"""A patch replaces one span of a text; patches say exactly what an edit touches."""

from collections.abc import Iterator, Sequence

import msgspec

from heddle.specs.yaml.tree import line_start


class PatchError(Exception):
    """The text cannot say this in the way that was tried."""


class Patch(msgspec.Struct, frozen=True):
    """A replacement: the text from `start` to `end` becomes `text`."""

    start: int
    end: int
    text: str


class Region(msgspec.Struct, frozen=True):
    """Whole lines of a text that one of several edits touches, and what each edit makes of them."""

    start: int
    end: int
    texts: tuple[str, ...]


def patched(text: str, patches: Sequence[Patch]) -> str:
    """Return the text with the patches in it; `PatchError` if two of them overlap."""
    parts: list[str] = []
    at = 0
    for patch in sorted(patches, key=_place):
        if patch.start < at:
            raise PatchError("two changes overlap")
        parts += (text[at : patch.start], patch.text)
        at = patch.end
    return "".join((*parts, text[at:]))


def _place(patch: Patch) -> tuple[int, int]:
    return patch.start, patch.end


def difference(old: str, new: str) -> Patch:
    """Return the one patch that makes one text of another."""
    most = min(len(old), len(new))
    head = next((at for at in range(most) if old[at] != new[at]), most)
    most -= head
    tail = next((at for at in range(most) if old[-1 - at] != new[-1 - at]), most)
    return Patch(head, len(old) - tail, new[head : len(new) - tail])


def joined(text: str, patches: Sequence[Patch], more: Patch) -> list[Patch]:
    """Return patches of a text that do what these patches and then one more of their result do."""
    result = patched(text, patches)
    start, end = (_origin(patches, at) for at in (more.start, more.end))
    if start is None or end is None or any(_meets(each, start, end) for each in patches):
        return [difference(text, patched(result, [more]))]
    return [*patches, Patch(start, end, more.text)]


def _meets(patch: Patch, start: int, end: int) -> bool:
    return patch.start < end and start < patch.end


def _origin(patches: Sequence[Patch], index: int) -> int | None:
    """Return the place of the text that became this place; None within something new."""
    moved = 0
    for patch in sorted(patches, key=_place):
        begin = patch.start + moved
        if index <= begin:
            break
        if index < begin + len(patch.text):
            return None
        moved += len(patch.text) - (patch.end - patch.start)
    return index - moved


# --- several edits of one text ------------------------------------------------------------------


def regions(text: str, *edits: Sequence[Patch]) -> Iterator[Region]:
    """Yield the lines that edits of a text touch, and what each edit makes of them."""
    entries = [
        (*_lines(text, patch), number, patch)
        for number, patches in enumerate(edits)
        for patch in (_own_lines(text, each) for each in patches)
    ]
    joint: list[_Joint] = []
    for start, end, number, patch in sorted(entries, key=lambda each: each[:2]):
        last = joint[-1] if joint else None
        # What is added between two lines belongs to what is changed beside it.
        if (
            last is None
            or start > last.end
            or (start == last.end and start < end and not last.empty)
        ):
            last = _Joint(start, end, [[] for _ in edits])
            joint.append(last)
        last.end = max(last.end, end)
        last.sides[number].append(patch)
    for each in joint:
        texts = (_made(text, patches, each.start, each.end) for patches in each.sides)
        yield Region(each.start, each.end, tuple(texts))


class _Joint(msgspec.Struct):
    start: int
    end: int
    sides: list[list[Patch]]

    @property
    def empty(self) -> bool:
        """Whether only lines are added here."""
        return self.start == self.end


def _own_lines(text: str, patch: Patch) -> Patch:
    """Return the patch; one that adds lines below another line begins on the next one."""
    added = patch.start == patch.end and patch.text.startswith("\n")
    if added and text[patch.start : patch.start + 1] == "\n":
        return Patch(patch.start + 1, patch.start + 1, f"{patch.text[1:]}\n")
    return patch


def _lines(text: str, patch: Patch) -> tuple[int, int]:
    """Return where the lines begin and end that a patch touches."""
    start = line_start(text, patch.start)
    if patch.end == start or (patch.end > patch.start and text[patch.end - 1] == "\n"):
        return start, patch.end
    return start, text.find("\n", patch.end) + 1 or len(text)


def _made(text: str, patches: Sequence[Patch], start: int, end: int) -> str:
    """Return what patches make of these lines."""
    moved = [Patch(each.start - start, each.end - start, each.text) for each in patches]
    return patched(text[start:end], moved)
