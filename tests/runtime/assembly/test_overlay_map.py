"""A Layer is a mapping like any other, and leaves alone the one that it lies over."""

from collections.abc import Mapping, MutableMapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heddle.runtime.assembly.overlay_map import SHARE, Layer, branch

KEYS = st.integers(0, 30)
CHANGES = st.lists(st.tuples(KEYS, st.none() | st.integers()), max_size=12)
"""Keys with their new values; None takes the key out."""


def over(size: int) -> MutableMapping[int, int]:
    """Return a layer over a mapping of so many numbers."""
    found = branch({number: number for number in range(size)}, 1)
    assert isinstance(found, Layer)
    return found


def contents(mapping: Mapping[int, int]) -> dict[int, int]:
    """Return what a mapping holds, asked in every way that there is."""
    held = dict(mapping.items())
    assert len(mapping) == len(held)
    assert list(mapping) == list(mapping.keys()) == list(held)
    for key in range(-1, 32):
        assert (key in mapping) == (key in held)
        assert mapping.get(key, "none") == held.get(key, "none")
        if key in held:
            assert mapping[key] == held[key]
        else:
            with pytest.raises(KeyError):
                mapping[key]
    return held


@given(st.sets(KEYS, min_size=SHARE), st.lists(CHANGES, max_size=6))
def test_a_line_of_layers_holds_what_a_dict_would(
    keys: set[int], rounds: list[list[tuple[int, int | None]]]
) -> None:
    current: MutableMapping[int, int] = {key: -key for key in keys}
    before: list[tuple[Mapping[int, int], dict[int, int]]] = []
    model = contents(current)
    for changes in rounds:
        before.append((current, dict(model)))
        current = branch(current, 1)
        for key, value in changes:
            if value is not None:
                current[key] = model[key] = value
            elif key in model:
                del current[key], model[key]
            else:
                assert current.pop(key, None) is None
        assert contents(current) == model
    for earlier, held in before:
        assert contents(earlier) == held


def test_what_is_not_there_cannot_be_taken_out() -> None:
    layer = over(20)
    del layer[3]
    for key in (3, 77):
        with pytest.raises(KeyError):
            del layer[key]
    assert len(layer) == 19


def test_a_key_that_was_taken_out_can_come_back() -> None:
    layer = over(20)
    del layer[3]
    layer[3] = 33
    assert (layer[3], len(layer)) == (33, 20)


def test_few_changes_cost_no_copy_and_many_do() -> None:
    large = {number: number for number in range(1000)}
    current = branch(large, 1)
    assert isinstance(current, Layer)
    copies = 0
    for number in range(1000):
        current[number] = -number
        current = branch(current, 1)
        copies += not isinstance(current, Layer)
    assert 1 <= copies <= 2 * SHARE
    assert current[999] == -999
    assert isinstance(branch(large, 500), dict)
