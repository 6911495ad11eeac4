"""Two revisions are compared line by line: how many times worse this one is."""

from benchmarks.against import compared, figures

TOLD = {
    "rows": [
        {
            "row": "ping",
            "measures": [
                {"name": "requests a second", "value": 2.0, "reach": "≥ 1.5"},
                {"name": "p99", "value": 0.5, "reach": "≤ 1", "disturbed": True},
            ],
        }
    ]
}


def test_the_figures_of_a_run_are_read_with_their_better_side() -> None:
    assert figures(TOLD) == {
        ("ping", "requests a second"): (2.0, "≥", False),
        ("ping", "p99"): (0.5, "≤", True),
    }


def test_fewer_requests_and_longer_times_are_worse() -> None:
    theirs = {("ping", "rate"): (2.0, "≥", False), ("ping", "p99"): (1.0, "≤", False)}
    ours = {("ping", "rate"): (1.0, "≥", False), ("ping", "p99"): (3.0, "≤", True)}
    _, (rate, tail) = compared("REV", [(theirs, ours)])["ping"]
    assert (rate.value, tail.value) == (2.0, 3.0)
    assert (rate.ok, tail.disturbed) == (False, True)


def test_a_line_that_only_one_of_them_has_is_left_out() -> None:
    assert compared("REV", [({("new", "it"): (1.0, "≤", False)}, {})]) == {}
