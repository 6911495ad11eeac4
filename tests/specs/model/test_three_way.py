"""Three sequences side by side: nothing is lost between them, however long they are."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heddle.specs.model.three_way import chunks, matches, merged

LINES = st.lists(st.sampled_from("abcde"), max_size=8)


@given(LINES, LINES, LINES)
def test_the_chunks_are_the_three_sequences(
    base: Sequence[str], ours: Sequence[str], theirs: Sequence[str]
) -> None:
    found = list(chunks(base, ours, theirs))
    assert [item for chunk in found for item in chunk.base] == base
    assert [item for chunk in found for item in chunk.ours] == ours
    assert [item for chunk in found for item in chunk.theirs] == theirs
    assert all(chunk.base == chunk.ours == chunk.theirs for chunk in found if chunk.shared)
    assert [chunk.shared for chunk in found] == [
        number % 2 == int(not found[0].shared) for number in range(len(found))
    ]


@given(LINES, LINES)
def test_what_one_side_did_is_done(base: Sequence[str], other: Sequence[str]) -> None:
    for sides in ((base, base, other), (base, other, base), (base, other, other)):
        assert merged(*sides, decide=lambda _: None) == other


def test_changes_that_touch_are_one() -> None:
    asked = []
    assert merged("abcd", "aBcd", "abCd", lambda chunk: asked.append(chunk)) is None  # type: ignore[func-returns-value]
    assert [(chunk.base, chunk.ours, chunk.theirs) for chunk in asked] == [("bc", "Bc", "bC")]
    assert merged("abcd", "aBcd", "abcD", lambda _: None) == list("aBcD")


@pytest.mark.parametrize("size", [100, 3000])
def test_long_sequences_match_by_what_is_unique_in_them(size: int) -> None:
    def text(numbers: Sequence[int]) -> list[str]:
        return [line for number in numbers for line in ("- kind: nop", f"  name: n{number}", "")]

    one = text(range(size))
    other = text([*range(1, size // 2), -1, *range(size // 2, size)])
    found = matches(one, other)
    assert all(one[a : a + n] == other[b : b + n] for a, b, n in found)
    assert sum(length for _, _, length in found) == 3 * (size - 1)
