"""The Budget bounds what a process keeps for all of its connections."""

from heddle.runtime.flow.budget import BUDGET, LEAST, Budget, HeldBudget, usual_limit


def test_what_exceeds_the_limit_is_rejected_and_counted() -> None:
    budget = Budget(100)
    assert budget.take(60)
    assert not budget.take(50)
    assert budget.figures() == {"limit": 100, "used": 60, "peak": 60, "rejected": 1}


def test_what_is_given_back_is_there_for_others() -> None:
    budget = Budget(100)
    assert budget.take(100)
    budget.give(100)
    assert budget.take(100)
    assert budget.peak == 100


def test_without_a_limit_everything_is_taken() -> None:
    assert Budget(None).take(10**12)


def test_what_is_there_already_is_counted_beyond_the_limit() -> None:
    before = BUDGET.used
    held = HeldBudget()
    assert held.hold(10**13, must=True)
    assert BUDGET.used == before + 10**13
    assert not held.grow(1)
    held.free()
    assert BUDGET.used == before


def test_the_usual_limit_is_shared_by_the_workers() -> None:
    assert usual_limit(1) >= usual_limit(4) >= LEAST
