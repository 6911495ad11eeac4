"""Schedules: when ticks are due, on days on which clocks are set forward or back, too."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from heddle.extensions.time.schedule import MOST, Cron, Every, due


def at(text: str) -> float:
    """Seconds since 1970 of a time with its offset."""
    return datetime.fromisoformat(text).timestamp()


def ticks(cron: str, zone: str, start: str, number: int) -> list[str]:
    """Return the next ticks, as the clocks of the zone show them."""
    schedule, when, found = Cron(cron, ZoneInfo(zone)), at(start), []
    for _ in range(number):
        when = schedule.after(when)
        found.append(datetime.fromtimestamp(when, ZoneInfo(zone)).isoformat(timespec="minutes"))
    return found


def test_an_interval_counts_from_its_anchor() -> None:
    every = Every(10, anchor=100)
    assert every.after(100) == 110
    assert every.after(109.9) == 110
    assert every.after(110) == 120
    assert every.after(1234) == 1240


def test_an_interval_goes_on_where_the_clock_was_set_back() -> None:
    every = Every(10, anchor=100)
    assert every.after(50) == 60


def test_an_interval_that_is_no_binary_number_never_gives_same_tick_twice() -> None:
    every, when = Every(0.1, anchor=1_700_000_000.0), 1_700_000_000.0
    for _ in range(1000):
        following = every.after(when)
        assert when < following <= when + 0.1001
        when = following


def test_cron_goes_by_the_clocks_of_its_zone() -> None:
    assert ticks("30 3 * * *", "Asia/Seoul", "2026-01-01T00:00+00:00", 2) == [
        "2026-01-02T03:30+09:00",
        "2026-01-03T03:30+09:00",
    ]


def test_a_time_that_is_left_out_in_spring_runs_right_after_it() -> None:
    assert ticks("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00+01:00", 2) == [
        "2026-03-29T03:00+02:00",
        "2026-03-30T02:30+02:00",
    ]


def test_a_time_that_comes_twice_in_autumn_runs_once() -> None:
    expected = ["2026-10-25T02:30+02:00", "2026-10-26T02:30+01:00"]
    assert ticks("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00+02:00", 2) == expected
    # And no more, whoever asks in the hour that is the second of its name.
    assert ticks("30 2 * * *", "Europe/Berlin", "2026-10-25T02:10+01:00", 1) == expected[1:]


def test_an_hourly_tick_goes_by_the_hours_that_pass() -> None:
    assert ticks("0 * * * *", "Europe/Berlin", "2026-10-25T01:30+02:00", 3) == [
        "2026-10-25T02:00+02:00",
        "2026-10-25T02:00+01:00",
        "2026-10-25T03:00+01:00",
    ]
    assert ticks("0 * * * *", "Europe/Berlin", "2026-03-29T01:30+01:00", 2) == [
        "2026-03-29T03:00+02:00",
        "2026-03-29T04:00+02:00",
    ]


def test_nicknames_and_seconds_are_known() -> None:
    assert ticks("@daily", "UTC", "2026-01-01T00:00+00:00", 1) == ["2026-01-02T00:00+00:00"]
    cron = Cron("*/10 * * * * *", ZoneInfo("UTC"))
    assert cron.after(at("2026-01-01T00:00:05+00:00")) == at("2026-01-01T00:00:10+00:00")


@pytest.mark.parametrize(
    ("cron", "said"),
    [
        ("61 * * * *", "bad minute"),
        ("* * *", "wrong number of fields"),
        ("0 0 30 2 *", "bad day-of-month"),
        ("* * */20 * 1L", "never comes true"),
    ],
)
def test_an_expression_that_is_none_is_rejected(cron: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Cron(cron, ZoneInfo("UTC"))


def test_everything_that_is_due_is_counted_and_next_one_is_in_future() -> None:
    every = Every(10, anchor=0)
    assert due(every, 10, 10) == ([10], 20)
    assert due(every, 10, 35) == ([10, 20, 30], 40)
    found, following = due(every, 10, 10_000_000)
    assert len(found) == MOST
    assert following == 10_000_010


def test_of_too_many_ticks_the_last_is_the_last_that_is_due() -> None:
    found, following = due(Every(0.01, anchor=0), 0.01, 28_800.0)
    assert (len(found), found[0]) == (MOST, 0.01)
    assert found[-1] == pytest.approx(28_800)
    assert following == pytest.approx(28_800.01)
    found, following = due(
        Cron("* * * * * *", ZoneInfo("UTC")),
        at("2026-01-01T00:00+00:00"),
        at("2026-01-01T08:00+00:00"),
    )
    assert found[-1] == at("2026-01-01T08:00+00:00")
    assert following == at("2026-01-01T08:00:01+00:00")


def test_a_leap_day_is_waited_for() -> None:
    cron = Cron("0 0 29 2 *", ZoneInfo("UTC"))
    found = datetime.fromtimestamp(cron.after(at("2026-01-01T00:00+00:00")), UTC)
    assert found.isoformat() == "2028-02-29T00:00:00+00:00"


def test_seconds_in_front_change_nothing_on_the_days_of_the_clocks() -> None:
    for start, zone in (
        ("2026-03-28T12:00+01:00", "Europe/Berlin"),
        ("2026-10-24T12:00+02:00", "Europe/Berlin"),
        ("2024-04-25T12:00+02:00", "Africa/Cairo"),
    ):
        for five in ("30 2 * * *", "0 0 * * *", "*/15 2 * * *", "0 * * * *", "*/20 */2 * * *"):
            assert ticks(f"0 {five}", zone, start, 8) == ticks(five, zone, start, 8)


def test_an_hour_that_is_left_out_runs_once_however_many_minutes() -> None:
    assert ticks("*/15 2 * * *", "Europe/Berlin", "2026-03-29T00:00+01:00", 3) == [
        "2026-03-29T03:00+02:00",
        "2026-03-30T02:00+02:00",
        "2026-03-30T02:15+02:00",
    ]
    assert ticks("30,45 2 * * *", "Europe/Berlin", "2026-10-25T00:00+02:00", 3) == [
        "2026-10-25T02:30+02:00",
        "2026-10-25T02:45+02:00",
        "2026-10-26T02:30+01:00",
    ]


def test_clocks_may_be_set_by_half_an_hour() -> None:
    zone = "Australia/Lord_Howe"
    assert ticks("15 * * * *", zone, "2024-10-06T01:00+10:30", 2) == [
        "2024-10-06T01:15+10:30",
        "2024-10-06T03:15+11:00",
    ]
    assert ticks("45 * * * *", zone, "2024-04-07T01:00+11:00", 3) == [
        "2024-04-07T01:45+11:00",
        "2024-04-07T01:45+10:30",
        "2024-04-07T02:45+10:30",
    ]
    assert ticks("15 2 * * *", zone, "2024-10-06T01:00+10:30", 1) == ["2024-10-06T02:30+11:00"]


@pytest.mark.parametrize(
    "zone", ["Europe/Berlin", "Australia/Lord_Howe", "America/Havana", "Pacific/Apia"]
)
@pytest.mark.parametrize("minutes", ["*/15", "0", "7", "30-40"])
def test_hourly_ticks_are_the_times_that_clocks_show(zone: str, minutes: str) -> None:
    clock = ZoneInfo(zone)
    schedule = Cron(f"{minutes} * * * *", clock)
    for start in (at("2011-12-29T20:00Z"), at("2024-03-09T20:00Z"), at("2024-04-06T10:00Z")):
        wanted = [
            float(when)
            for when in range(int(start) + 60, int(start) + 2 * 86_400, 60)
            if datetime.fromtimestamp(when, clock).minute in _minutes(minutes)
        ]
        found, when = [], start
        while (when := schedule.after(when)) < start + 2 * 86_400:
            found.append(when)
        assert found == wanted


def _minutes(text: str) -> set[int]:
    known = {"*/15": {0, 15, 30, 45}, "30-40": set(range(30, 41))}
    return known.get(text) or {int(text)}


def test_a_step_over_one_value_is_that_value() -> None:
    assert ticks("0 7-7/2 * * *", "UTC", "2026-01-01T06:30+00:00", 2) == [
        "2026-01-01T07:00+00:00",
        "2026-01-02T07:00+00:00",
    ]
    assert ticks("0 7 * * mon-1/2", "UTC", "2026-01-05T06:30+00:00", 2) == [
        "2026-01-05T07:00+00:00",
        "2026-01-12T07:00+00:00",
    ]


def test_a_schedule_that_never_advances_does_not_hold_the_loop() -> None:
    class Stuck:
        def after(self, when: float) -> float:
            return when

    found, following = due(Stuck(), 10, 100)
    assert len(found) <= MOST
    assert following > 100
    assert Every(1e-12, anchor=0).after(1_700_000_000.0) > 1_700_000_000.0
