"""The log: a line for people or JSON for programs, and never a secret."""

import io
import json
from typing import Any

from heddle.cli.views.log import JsonLog, TextLog, make_log
from heddle.runtime.events.events import Event, Events
from heddle.schemas.problem import Place, Problem

WRONG = Problem(
    code="unknown-port",
    found='"pong" has no port "inn"',
    hint='Did you mean "in"?',
    place=Place("flow.yaml", 2, 27),
    path="router.ports.out",
)


def event(**more: Any) -> Event:
    said: dict[str, Any] = {"time": 0.25, "level": "info", "event": "generation live"}
    return Event(**{**said, "namespace": "default", **more})


def test_json_lines_leave_out_what_is_not_said() -> None:
    out = io.StringIO()
    JsonLog(out, "info")(event(generation=2, data={"symbols": 3}))
    assert json.loads(out.getvalue()) == {
        "time": "1970-01-01T00:00:00.250Z",
        "level": "info",
        "event": "generation live",
        "namespace": "default",
        "generation": 2,
        "data": {"symbols": 3},
    }
    assert out.getvalue().count("\n") == 1


def test_people_read_time_level_phrase_symbol_reason_and_values() -> None:
    out = io.StringIO()
    TextLog(out, "info")(event(symbol="pong", reason="changed pong", data={"url": "a b", "n": 1}))
    _, rest = out.getvalue().split("  ", 1)
    assert rest == 'info     generation live  pong  changed pong  url="a b" n=1\n'


def test_problems_are_shown_with_their_line() -> None:
    out = io.StringIO()
    text = "- name: router\n  out: {name: pong, port: inn}\n"
    log = TextLog(out, "info", source={"flow.yaml": text}.get)
    log(event(event="change rejected", level="error", problems=(WRONG,)))
    shown = out.getvalue()
    assert " 2 |   out: {name: pong, port: inn}\n" in shown
    assert "|" + " " * 27 + "^^^\n" in shown
    assert 'Did you mean "in"?' in shown


def test_less_than_the_level_is_not_told() -> None:
    out = io.StringIO()
    log = TextLog(out, "warning")
    log(event(level="info"))
    log.print_line("try", "curl")
    assert out.getvalue() == ""
    log(event(level="error"))
    assert out.getvalue() != ""


def test_secrets_in_the_lines_of_files_are_masked() -> None:
    events, out = Events("default"), io.StringIO()
    events.hide(["hunter2"])
    log = TextLog(out, "info", source={"flow.yaml": "\n  out: {pw: hunter2}\n"}.get)
    log.mask = events.mask
    events.listen(log)
    events.emit("change rejected", level="error", reason="hunter2", problems=(WRONG,), pw="hunter2")
    assert "out: {pw: ••••••}" in out.getvalue()
    assert "hunter2" not in out.getvalue()


def test_a_log_that_nobody_reads_any_more_disturbs_nothing() -> None:
    """The log must not raise what its output raises."""

    class Gone(io.StringIO):
        def write(self, _: str, /) -> int:
            raise BrokenPipeError

    log = make_log("json", "info", stream=Gone())
    log(event())
    log(event())


def test_auto_is_json_where_no_terminal_is() -> None:
    assert isinstance(make_log("auto", "info", stream=io.StringIO()), JsonLog)


def test_details_are_for_those_who_ask_for_debug() -> None:
    for level, shown in (("info", False), ("debug", True)):
        out = io.StringIO()
        TextLog(out, level)(event(detail="Traceback: line 3"))
        assert ("    Traceback: line 3\n" in out.getvalue()) is shown
