"""The pauses of a RetryRule."""

from hypothesis import given
from hypothesis import strategies as st

from heddle.runtime.assembly.retry_rule import RetryRule
from heddle.runtime.flow.errors import Error

SECONDS = st.floats(0.001, 1e9)


@given(SECONDS, SECONDS, st.floats(1, 1000), st.integers(1, 2000))
def test_the_first_pause_is_the_delay_and_no_other_is_shorter(
    delay: float, longest: float, factor: float, made: int
) -> None:
    rule = RetryRule(most=5000, delay=delay, longest=longest, factor=factor)
    first, pause = rule.pause(Error("no"), 1), rule.pause(Error("no"), made)
    assert first == delay
    assert pause is not None
    assert delay <= pause <= max(delay, longest)


def test_a_delay_of_an_hour_is_one_of_an_hour() -> None:
    assert RetryRule(delay=3600.0).pause(Error("no"), 1) == 3600.0
