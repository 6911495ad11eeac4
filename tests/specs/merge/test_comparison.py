"""Two texts are compared by who is who in them: by ids, by names, and else by what is said."""

import pytest

from heddle.schemas.errors import SpecError
from heddle.specs.merge.comparison import Sheet, compared


def told(old: list[str], new: list[str]) -> list[tuple[str, str]]:
    found = compared([Sheet.read(text) for text in old], [Sheet.read(text) for text in new])
    return [(each.action, each.resource.label.partition(":")[0]) for each in found]


def test_nodes_are_told_apart_by_their_names_whatever_their_files() -> None:
    one, two = "- {kind: nop, name: a}\n", "- {kind: nop, name: b, x: 1}\n- {data: 1, name: a}\n"
    assert told([one, two], [two + one]) == []
    assert told([one + two], [two.replace("x: 1", "x: 2"), "{kind: nop, name: c}"]) == [
        ("deleted", "a"),
        ("updated", "b"),
        ("created", "c"),
    ]


def test_a_node_without_a_name_is_found_again_below_a_new_one() -> None:
    old = "- {kind: nop, x: 1}\n- {kind: nop, x: 2}\n"
    assert told([old], ["- {kind: nop, x: 0}\n" + old]) == [("created", "nop")]
    assert told([old], [old.replace("x: 2", "x: 3")]) == [("updated", "nop")]
    assert told([old, old], [old]) == [("deleted", "nop"), ("deleted", "nop")]


def test_another_order_of_nodes_is_no_difference() -> None:
    one, two, three = (f"- {{kind: nop, x: {number}}}\n" for number in range(3))
    assert told([one + two + three], [three + two + one]) == []


def test_an_id_counts_more_than_a_name() -> None:
    id_ = "01890a5d-ac96-774b-bcce-b302099a8057"
    assert told([f"{{kind: nop, name: a, id: {id_}}}"], [f"{{kind: nop, name: b, id: {id_}}}"]) == [
        ("updated", "b")
    ]


def test_what_cannot_be_read_is_told() -> None:
    with pytest.raises(SpecError, match="did not find"):
        compared([Sheet.read("[")], [Sheet.read("")])
    with pytest.raises(SpecError, match="UTF-8"):
        compared([Sheet.read(b"\xff")], [Sheet.read("")])
