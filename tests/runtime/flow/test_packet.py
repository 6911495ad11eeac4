"""Every packet gets exactly one answer; several answers make one."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from heddle.runtime.flow.errors import NOTHING, Error
from heddle.runtime.flow.packet import Packet, join

ANSWERS = st.one_of(
    st.just(NOTHING),
    st.none(),
    st.integers(),
    st.lists(st.integers(), max_size=3),
    st.text(max_size=3).map(Error),
)


def test_nothing_is_no_answer_at_all() -> None:
    assert join([]) is NOTHING
    assert join([NOTHING, NOTHING, NOTHING]) is NOTHING


def test_nothing_is_dropped_and_null_is_not() -> None:
    assert join([NOTHING, None]) is None
    assert join([None, NOTHING, None]) == [None, None]


def test_one_answer_left_is_that_answer_and_not_a_list() -> None:
    assert join(["a"]) == "a"
    assert join([NOTHING, "a"]) == "a"
    assert join(["a", NOTHING]) == "a"
    assert join([NOTHING, ["a"], NOTHING]) == ["a"]


def test_several_answers_stand_in_the_order_of_their_links() -> None:
    assert join(["a", "b"]) == ["a", "b"]
    assert join([["a"], NOTHING, "b", None]) == [["a"], "b", None]


def test_one_error_dominates_and_is_itself() -> None:
    error = Error("broken")
    assert join(["a", error]) is error
    assert join([error, NOTHING]) is error
    assert join([NOTHING, error]) is error


def test_several_errors_are_one_that_carries_them_all() -> None:
    first, second = Error("first", code="timeout"), Error("second")
    joined = join([first, "a", second])
    assert joined.message == "first\nsecond"
    assert joined.code == "timeout"
    assert joined.errors == (first, second)


@given(st.lists(ANSWERS, max_size=6))
def test_join_follows_its_rule_whatever_the_answers_are(answers: list[Any]) -> None:
    values = [answer for answer in answers if answer is not NOTHING]
    errors = [value for value in values if isinstance(value, Error)]
    joined = join(answers)
    if len(errors) > 1:
        assert isinstance(joined, Error)
        assert list(joined.errors) == errors
    elif errors:
        assert joined is errors[0]
    elif len(values) > 1:
        assert joined == values
    else:
        assert joined is (values[0] if values else NOTHING)


def test_the_first_answer_stands() -> None:
    given: list[Any] = []
    packet = Packet("question", given.append)
    states = [packet.answered]
    assert packet.answer("first")
    assert not packet.answer("second")
    states.append(packet.answered)
    assert states == [False, True]
    assert given == ["first"]


def test_an_answer_without_a_value_is_nothing() -> None:
    given: list[Any] = []
    Packet("question", given.append).answer()
    assert given == [NOTHING]


def test_a_packet_has_one_id_once_somebody_looks() -> None:
    one, other = Packet(1, print), Packet(1, print)
    assert one.id == one.id
    assert one.id.version == 7
    assert one.id != other.id
