"""Three sequences side by side: what all of them share, and what each has in between.

`base` is what both others came from. Sequences are of lines, or of anything that can be hashed.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from difflib import SequenceMatcher
from typing import Generic, TypeVar

import msgspec

T = TypeVar("T", bound=Hashable)

_SMALL = 400
"""A stretch of so many items is compared item by item; a longer one by what is unique in it first."""


class Chunk(msgspec.Struct, Generic[T], frozen=True):
    """A stretch of all three; `shared` if they are the same, and nobody touched it."""

    base: Sequence[T]
    ours: Sequence[T]
    theirs: Sequence[T]
    shared: bool

    @property
    def settled(self) -> Sequence[T] | None:
        """The result if one side alone changed it, or both alike; None if they disagree."""
        if self.ours == self.theirs or self.base == self.theirs:
            return self.ours
        return self.theirs if self.base == self.ours else None


def chunks(base: Sequence[T], ours: Sequence[T], theirs: Sequence[T]) -> Iterator[Chunk[T]]:
    """Yield the three from their beginning to their end; between two changes lies at least one shared item."""
    at = [0, 0, 0]
    for start, start_ours, start_theirs, size in common(base, ours, theirs):
        between = Chunk(
            base[at[0] : start], ours[at[1] : start_ours], theirs[at[2] : start_theirs], False
        )
        if between.base or between.ours or between.theirs:
            yield between
        if size:
            shared = base[start : start + size]
            yield Chunk(shared, shared, shared, True)
        at = [start + size, start_ours + size, start_theirs + size]


def merged(
    base: Sequence[T],
    ours: Sequence[T],
    theirs: Sequence[T],
    decide: Callable[[Chunk[T]], Sequence[T] | None],
) -> list[T] | None:
    """Return one sequence of three; `decide` is asked if both changed a stretch. None if it gives None."""
    result: list[T] = []
    for chunk in chunks(base, ours, theirs):
        part = chunk.settled
        if part is None:
            part = decide(chunk)
        if part is None:
            return None
        result += part
    return result


def matches(items: Sequence[T], other: Sequence[T]) -> list[tuple[int, int, int]]:
    """Stretches that both have, in order: where in the one, if in the other, how long."""
    entries: list[tuple[int, int, int]] = []
    for start, begin, size in _matched(items, other, 0, 0):
        if entries:
            last, first, length = entries[-1]
            if last + length == start and first + length == begin:
                entries[-1] = (last, first, length + size)
                continue
        entries.append((start, begin, size))
    return entries


def _matched(
    items: Sequence[T], other: Sequence[T], start: int, begin: int
) -> Iterator[tuple[int, int, int]]:
    """Match two parts, which stand at these places of the whole: their ends, and what lies between."""
    shorter = min(len(items), len(other))
    head = next((at for at in range(shorter) if items[at] != other[at]), shorter)
    shorter -= head
    tail = next((at for at in range(shorter) if items[-1 - at] != other[-1 - at]), shorter)
    if head:
        yield start, begin, head
    inner, outer = items[head : len(items) - tail], other[head : len(other) - tail]
    if inner and outer:
        yield from _between(inner, outer, start + head, begin + head)
    if tail:
        yield start + len(items) - tail, begin + len(other) - tail, tail


def _between(
    items: Sequence[T], other: Sequence[T], start: int, begin: int
) -> Iterator[tuple[int, int, int]]:
    anchors = _anchors(items, other) if len(items) + len(other) > _SMALL else []
    if not anchors:
        matcher = SequenceMatcher(None, items, other, autojunk=False)
        for block in matcher.get_matching_blocks():
            if block.size:
                yield start + block.a, begin + block.b, block.size
        return
    # Each gap ends with the anchor itself, so it is shorter than the whole.
    last = first = 0
    for at, to in anchors:
        yield from _matched(
            items[last : at + 1], other[first : to + 1], start + last, begin + first
        )
        last, first = at + 1, to + 1
    if last < len(items) and first < len(other):
        yield from _matched(items[last:], other[first:], start + last, begin + first)


def _anchors(items: Sequence[T], other: Sequence[T]) -> list[tuple[int, int]]:
    """Return the longest run of items that both have once and in the same order."""
    counts, others = Counter(items), Counter(other)
    places = {item: at for at, item in enumerate(other) if others[item] == 1}
    pairs = [
        (at, places[item]) for at, item in enumerate(items) if counts[item] == 1 and item in places
    ]
    ends: list[int] = []  # the smallest last place of a run of each length
    tops: list[int] = []  # which pair that is
    before: list[int] = []
    for number, (_, to) in enumerate(pairs):
        length = bisect_left(ends, to)
        before.append(tops[length - 1] if length else -1)
        ends[length : length + 1] = [to]
        tops[length : length + 1] = [number]
    run: list[tuple[int, int]] = []
    number = tops[-1] if tops else -1
    while number >= 0:
        run.append(pairs[number])
        number = before[number]
    return run[::-1]


def common(
    base: Sequence[T], ours: Sequence[T], theirs: Sequence[T]
) -> list[tuple[int, int, int, int]]:
    """Return the stretches that all three have, with a last, empty one at the end."""
    left, right = matches(base, ours), matches(base, theirs)
    entries: list[tuple[int, int, int, int]] = []
    first = second = 0
    while first < len(left) and second < len(right):
        (a, b, size), (c, d, other) = left[first], right[second]
        start = max(a, c)
        length = min(a + size, c + other) - start
        if length > 0:
            entries.append((start, b + start - a, d + start - c, length))
        if a + size < c + other:
            first += 1
        else:
            second += 1
    return [*entries, (len(base), len(ours), len(theirs), 0)]
