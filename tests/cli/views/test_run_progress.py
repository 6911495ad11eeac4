"""The progress of a run: lines where nobody sees it, a drawing on a terminal."""

import io
import re
from typing import Any

import pytest

from heddle.cli.views.run_progress import LiveProgress, PlainProgress, QuietProgress, make_progress
from heddle.cli.views.run_texts import moment_text, seconds_text
from heddle.extensions.tasks.status import Transition
from heddle.specs.model.names import new_id

RUN = new_id()


class Terminal(io.StringIO):
    """A text stream that says that it is a terminal."""

    def isatty(self) -> bool:
        """Return that it is."""
        return True


def change(event: str, task: str, at: float, number: int = 1, **detail: Any) -> Transition:
    """Return one transition."""
    return Transition(run=RUN, seq=1, at=at, event=event, task=task, number=number, detail=detail)


STORY = (
    change("running", "load", 1.0),
    change("retrying", "load", 1.5, message="no answer\nat all"),
    change("running", "load", 2.0, number=2),
    change("completed", "load", 2.25, number=2),
    change("running", "page#0", 3.0),
    change("running", "page#1", 3.0),
    change("failed", "page#1", 3.5, message="gone"),
    change("completed", "page#0", 4.0),
    change("completed", "page", 4.0, number=0),
    change("skipped", "mail", 4.0, number=0, reason="when is false"),
)


def test_lines_tell_what_begins_and_ends_and_items_only_if_they_fail() -> None:
    stream = io.StringIO()
    shown = PlainProgress(stream)
    shown.begin(RUN, "memory://", ("load", "page", "mail"), frozenset({"old"}))
    for each in STORY:
        shown.take(each)
    shown.end()
    assert stream.getvalue().splitlines() == [
        f"run {str(RUN)[-8:]}, recorded in memory://, 1 of 3 tasks are settled already",
        "running    load",
        "retrying   load  0.500 s  no answer",
        "running    load  attempt 2",
        "completed  load  0.250 s  attempt 2",
        "running    page",
        "failed     page#1  0.500 s  gone",
        "completed  page  1.0 s",
        "skipped    mail  when is false",
    ]


def test_a_run_goes_on_though_nobody_reads_its_lines() -> None:
    stream = io.StringIO()
    stream.close()
    shown = PlainProgress(stream)
    shown.begin(RUN, "memory://", ("load",), frozenset())
    shown.take(STORY[0])


def test_a_terminal_shows_running_tasks_and_a_bar() -> None:
    stream = Terminal()
    shown = LiveProgress(stream)
    shown.wait("owner-of-the-run", 12.0)
    shown.begin(RUN, "memory://", ("load", "page", "mail"), frozenset())
    for number in range(20):
        shown.take(change("running", f"page#{number}", 1.0))
    shown.end()
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", stream.getvalue())
    assert f"run {str(RUN)[-8:]}, recorded in memory://" in text
    assert "page#0" in text
    assert "and 13 more" in text
    assert "0 of 3 tasks" in text


def test_a_terminal_that_is_gone_harms_nothing() -> None:
    stream = Terminal()
    shown = LiveProgress(stream)
    shown.begin(RUN, "memory://", ("load",), frozenset())
    stream.close()
    for each in STORY:
        shown.take(each)
    shown.end()
    shown.end()


def test_what_has_ended_stays_on_a_terminal() -> None:
    stream = Terminal()
    shown = LiveProgress(stream)
    shown.begin(RUN, "memory://", ("load", "page", "mail"), frozenset())
    for each in STORY:
        shown.take(each)
    shown.end()
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", stream.getvalue())
    assert "completed  load  0.250 s" in text
    assert "completed  page  1.0 s" in text
    assert "3 of 3 tasks, 2 items" in text


def test_programs_are_shown_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    quiet = make_progress(quiet=True)
    assert isinstance(quiet, QuietProgress)
    quiet.begin(RUN, "memory://", (), frozenset())
    quiet.take(STORY[0])
    quiet.wait("owner", 1.0)
    quiet.end()
    assert isinstance(make_progress(quiet=False), PlainProgress)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0004, "0.000 s"), (1.04, "1.0 s"), (65.2, "1 min 05 s"), (3600 * 3 + 420, "3 h 07 min")],
)
def test_durations_are_as_long_as_they_need_to_be(seconds: float, text: str) -> None:
    assert seconds_text(seconds) == text
    assert moment_text(None) == ""
    assert moment_text(0.0).startswith(("1969-12-31 ", "1970-01-01 "))
