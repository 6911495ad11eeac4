"""Events tell what happened, in order, to everyone who listens; secrets stay hidden."""

import asyncio
import errno
import logging

import pytest

from heddle.runtime.events.events import MASK, Event, Events, masked
from heddle.runtime.flow.errors import Error
from heddle.schemas.problem import Problem

pytestmark = pytest.mark.anyio


def test_whoever_listens_is_told_in_order_until_they_stop() -> None:
    events, heard = Events("default"), list[str]()
    end = events.listen(lambda told: heard.append(told.event))
    events.emit("one")
    events.emit("two")
    end()
    end()
    events.emit("three")
    assert heard == ["one", "two"]
    assert [told.event for told in events.recent] == ["one", "two", "three"]


def test_an_event_has_a_fixed_phrase_and_named_values() -> None:
    told = Events("shop").emit("went", symbol="a", generation=3, reason="why", count=5)
    assert (told.event, told.namespace, told.symbol, told.generation) == ("went", "shop", "a", 3)
    assert (told.level, told.reason, told.data) == ("info", "why", {"count": 5})
    assert told.time > 0


def test_only_so_many_are_kept() -> None:
    events = Events("default", keep=2)
    for name in ("one", "two", "three"):
        events.emit(name)
    assert [told.event for told in events.recent] == ["two", "three"]


def test_a_listener_that_fails_holds_nothing_up(caplog: pytest.LogCaptureFixture) -> None:
    events, heard = Events("default"), list[Event]()

    def breaks(_: Event) -> None:
        raise ValueError("no ear")

    events.listen(breaks)
    events.listen(heard.append)
    with caplog.at_level(logging.ERROR, logger="heddle"):
        events.emit("one")
    assert [told.event for told in heard] == ["one"]
    assert "a listener failed at the event 'one'" in caplog.text


def test_events_that_happen_often_are_emitted_only_on_request() -> None:
    events = Events("default")
    assert not events.wants("task completed")
    end, other = events.want("task completed", "task failed"), events.want("task completed")
    assert events.wants("task completed")
    end()
    end()
    assert events.wants("task completed")
    assert not events.wants("task failed")
    other()
    assert not events.wants("task completed")


async def test_who_waits_for_an_event_wants_it() -> None:
    events = Events("default")
    waiting = asyncio.ensure_future(events.wait("task completed"))
    await asyncio.sleep(0)
    assert events.wants("task completed")
    events.emit("task completed")
    assert (await waiting).event == "task completed"
    assert not events.wants("task completed")


async def test_one_can_wait_for_an_event() -> None:
    events = Events("default")
    waiting = asyncio.ensure_future(events.wait("two"))
    await asyncio.sleep(0)
    events.emit("one")
    events.emit("two", reason="first")
    events.emit("two", reason="second")
    assert (await waiting).reason == "first"


async def test_an_event_of_a_later_generation_counts_though_it_was_told_before() -> None:
    events = Events("default")
    events.emit("live", generation=4)
    assert (await events.wait("live", since=3)).generation == 4
    waiting = asyncio.ensure_future(events.wait("live", since=4))
    await asyncio.sleep(0)
    assert not waiting.done()
    events.emit("live", generation=5)
    assert (await waiting).generation == 5


def test_secrets_are_masked_wherever_they_stand() -> None:
    events = Events("default")
    events.hide(["hunter2", "7654321"])
    problem = Problem(
        code="x", found="at hunter2", expected="hunter2!", hint="not hunter2", path="p"
    )
    told = events.emit(
        "went",
        reason="because hunter2",
        detail="hunter2hunter2",
        problems=(problem,),
        url="db://me:hunter2@host",
        deep={"hunter2": ["hunter2", ("hunter2", 7654321)]},
        raw=b"hunter2",
        number=7654321,
        other=12,
    )
    assert "hunter2" not in repr(told)
    assert "7654321" not in repr(told)
    assert told.data["url"] == f"db://me:{MASK}@host"
    assert told.data["other"] == 12
    assert told.problems[0].hint == f"not {MASK}"


def test_a_secret_that_is_part_of_another_hides_both() -> None:
    events = Events("default")
    events.hide(["pass"])
    events.hide(["passphrase"])
    assert events.mask("the passphrase is pass") == f"the {MASK} is {MASK}"


def test_a_secret_is_hidden_as_long_as_somebody_is_bound_to_it() -> None:
    events = Events("default")
    events.hide(["hunter2"])
    events.hide(["hunter2"])
    events.unhide(["hunter2"])
    assert events.mask("hunter2") == MASK
    events.unhide(["hunter2"])
    assert events.mask("hunter2") == "hunter2"


def test_what_is_too_short_is_not_masked() -> None:
    events = Events("default")
    events.hide(["a", "no"])
    assert events.mask("a piano") == "a piano"
    assert masked((Problem(code="x", found="no"),), ("no",))[0].found == "no"


def test_a_failure_is_told_with_its_place_and_its_trace() -> None:
    events = Events("default")
    events.hide(["hunter2"])
    try:
        raise ValueError("no hunter2")
    except ValueError as raised:
        told = events.failed("broke", Error.of(raised, symbol="shop"), count=1)
    assert told.reason == f"no {MASK} at shop"
    assert told.level == "error"
    assert told.data == {"code": "failed", "count": 1}
    assert "test_events.py" in told.detail
    assert "hunter2" not in told.detail


def test_a_reason_that_is_a_whole_payload_is_cut() -> None:
    told = Events("default").emit("failed", reason="x" * 3_000_000, detail="y" * 3_000_000)
    assert told.reason.endswith("… (3,000,000 characters)")
    assert len(told.reason) + len(told.detail) < 200_000


def test_what_a_secret_key_holds_is_told_nowhere() -> None:
    told = Events("default").emit(
        "failed",
        reason='{"password": "Hunter2Zq9"}',
        detail="Authorization: Bearer Hunter2Zq9",
        header={"Cookie": ["a=Hunter2Zq9"]},
    )
    assert "Hunter2Zq9" not in repr(told)


def test_a_listener_without_descriptors_keeps_the_event_for_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    events, heard, calls = Events("default"), list[str](), list[str]()

    def failing(told: Event) -> None:
        calls.append(told.event)
        raise OSError(errno.EMFILE, "Too many open files")

    events.listen(failing)
    events.listen(lambda told: heard.append(told.event))
    events.emit("one")
    assert heard == ["one"]
    # With spare descriptors it may well succeed.
    assert calls == ["one", "one"]
    assert "a listener failed at the event 'one': [Errno 24]" in caplog.text
    assert "Traceback" not in caplog.text
