"""Durations and sizes mean what people write, and write themselves back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heddle.schemas.field import FieldError
from heddle.schemas.units import Duration, Interval, Size


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("1.5s", 1.5),
        ("250ms", 0.25),
        ("1m30s", 90.0),
        ("2h", 7200.0),
        ("1h2m3.5s", 3723.5),
        ("7d", 604800.0),
        ("10us", 1e-5),
        ("10µs", 1e-5),
        ("5ns", 5e-9),
        (" 1s ", 1.0),
        (1500, 1.5),
        (0.5, 0.0005),
        ("1500", 1.5),
        (0, 0.0),
        ("0s", 0.0),
    ],
)
def test_a_duration_is_go_text_or_milliseconds(written: object, seconds: float) -> None:
    assert Duration.read(written) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "written", ["", "s", "-1s", "1.2.3s", "1 s", "1s2", "1y", "１s", True, None, [], {}, -5]
)
def test_what_is_no_duration_is_rejected(written: object) -> None:
    with pytest.raises(FieldError) as caught:
        Duration.read(written)
    assert "duration" in caught.value.expected


@pytest.mark.parametrize("written", [float("inf"), float("nan"), -0.001])
def test_a_duration_is_finite_and_not_negative(written: float) -> None:
    with pytest.raises(FieldError) as caught:
        Duration.read(written)
    assert caught.value.code == "range"


def test_python_counts_seconds_where_yaml_counts_milliseconds() -> None:
    assert Duration(1.5) == Duration("1.5s") == Duration.read(1500) == 1.5


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (0.25, "250ms"),
        (0.0000015, "1.5us"),
        (2e-9, "2ns"),
        (1.5, "1.5s"),
        (90, "1m30s"),
        (3600, "1h"),
        (3723.5, "1h2m3.5s"),
    ],
)
def test_a_duration_writes_itself_as_people_do(seconds: float, text: str) -> None:
    assert str(Duration(seconds)) == text


@given(st.integers(min_value=0, max_value=10**15))
def test_a_written_duration_reads_back_to_the_nanosecond(nanos: int) -> None:
    duration = Duration(nanos / 1e9)
    assert Duration.read(str(duration)) == pytest.approx(float(duration), abs=1e-9, rel=1e-12)


def test_a_narrower_duration_says_its_limits() -> None:
    class Pause(Duration, ge="10ms", le="1h"):
        __slots__ = ()

    assert Pause.read("10ms") == 0.01
    assert isinstance(Pause.read("1h"), Pause)
    for written in ("9ms", "61m"):
        with pytest.raises(FieldError) as caught:
            Pause.read(written)
        assert caught.value.expected.startswith("a duration of at least 10ms and at most 1h")


def test_an_interval_takes_some_time() -> None:
    assert Interval.read(1) == 0.001
    with pytest.raises(FieldError):
        Interval.read(0)


@pytest.mark.parametrize(
    ("written", "count"),
    [
        (1048576, 1048576),
        ("1MiB", 1048576),
        ("1Mi", 1048576),
        ("64kB", 64000),
        ("64KiB", 65536),
        ("64 kb", 64000),
        ("512B", 512),
        ("512", 512),
        ("1.5KiB", 1536),
        (2.0, 2),
        ("2GB", 2 * 10**9),
    ],
)
def test_a_size_is_a_number_of_bytes_or_has_a_unit(written: object, count: int) -> None:
    assert Size.read(written) == count


@pytest.mark.parametrize(
    "written", ["", "MiB", "-1", "1.0001kiB", "1 potato", True, None, -1, 1.5, []]
)
def test_what_is_no_size_is_rejected(written: object) -> None:
    with pytest.raises(FieldError):
        Size.read(written)


@given(st.integers(min_value=0, max_value=2**63))
def test_a_written_size_reads_back_exactly(count: int) -> None:
    assert Size.read(str(Size(count))) == count


def test_a_size_writes_the_largest_unit_that_fits() -> None:
    assert [str(Size(n)) for n in (0, 1000, 1024, 1234, 3 * 1024**3)] == [
        "0B",
        "1kB",
        "1KiB",
        "1234B",
        "3GiB",
    ]
