"""Who gets the next request."""

from collections import Counter
from typing import get_args

import pytest

from heddle.extensions.net.proxy import backend as backends
from heddle.extensions.net.proxy.backend import Backend, Balance, Balancer


def three(balance: Balance, weights: tuple[int, ...] = (1, 1, 1)) -> tuple[list[Backend], Balancer]:
    made = [Backend(f"http://{name}") for name in "abc"]
    return made, Balancer(made, weights, balance)


def names(balancer: Balancer, count: int, key: str = "") -> str:
    found = [balancer.choose(key=key) for _ in range(count)]
    return "".join(one.url[-1] for one in found if one is not None)


def test_in_turn_each_gets_its_share_and_not_in_one_go() -> None:
    _, balancer = three("round-robin")
    assert names(balancer, 6) == "abcabc"
    _, balancer = three("round-robin", (3, 1, 1))
    assert names(balancer, 5) == "abaca"


def test_who_has_the_least_to_do_is_next() -> None:
    made, balancer = three("least", (1, 2, 1))
    made[0].active, made[1].active, made[2].active = 2, 3, 2
    assert names(balancer, 3) == "bbb"


def test_by_chance_weights_count() -> None:
    _, balancer = three("random", (98, 1, 1))
    assert Counter(names(balancer, 300)).most_common(1)[0][0] == "a"


def test_the_same_key_goes_to_same_one_and_only_its_keys_move() -> None:
    made, balancer = three("hash")
    before = {key: names(balancer, 1, key) for key in map(str, range(300))}
    assert min(Counter(before.values()).values()) > 50
    made[0].up = False
    after = {key: names(balancer, 1, key) for key in before}
    assert all(after[key] == where for key, where in before.items() if where != "a")
    assert set(after.values()) == {"b", "c"}


@pytest.mark.parametrize("balance", get_args(Balance))
def test_who_was_tried_or_is_down_is_not_chosen(balance: Balance) -> None:
    made, balancer = three(balance)
    made[1].up = False
    assert balancer.choose([made[0]]) is made[2]
    assert balancer.choose([made[0], made[2]]) is None


def test_who_was_set_aside_is_better_than_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(backends, "monotonic", lambda: now)
    made, balancer = three("round-robin")
    assert [made[0].failed(2, 10.0), made[0].failed(2, 10.0), made[0].failed(2, 10.0)] == [
        False,
        True,
        False,
    ]
    assert "a" not in names(balancer, 6)
    assert balancer.choose([made[1], made[2]]) is made[0]
    now = 111.0
    assert "a" in names(balancer, 6)


def test_a_health_check_counts_in_a_row() -> None:
    one = Backend("http://a")
    seen = [
        one.checked(good, 2, 2) for good in (False, True, False, False, True, False, True, True)
    ]
    assert seen == [False, False, False, True, False, False, False, True]
    assert one.up


def test_how_backends_have_done_is_remembered() -> None:
    old, balancer = three("round-robin")
    old[1].failures = 2
    fresh = [Backend("http://b"), Backend("http://d")]
    following = Balancer(fresh, [5, 1], "round-robin")
    following.adopt(balancer)
    assert following.backends[0] is old[1]
    assert names(following, 6).count("b") == 5
