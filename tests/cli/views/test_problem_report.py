"""A report shows the line, a caret and what to try; machines get the same as data."""

import re
from pathlib import Path

import pytest

from heddle.cli.views.problem_report import as_data, read_source, report, severity, summary
from heddle.schemas.problem import Place, Problem

TEXT = '- kind: router\n  ports:\n    out[0]:\n      - {name: pong, port: inn}\n\tbad: "a b"\n'

UNKNOWN_PORT = Problem(
    code="unknown-port",
    found='"pong" has no port "inn" (it has: in)',
    hint='Did you mean "in"?',
    place=Place("ping.yaml", 4, 28),
    path="router.ports.out[0]",
)
MISSING = Problem(
    code="missing-link", found='there is no "x"', place=Place("ping.yaml", 1, 1), path="router"
)


def test_a_problem_is_shown_at_its_line() -> None:
    assert report([UNKNOWN_PORT], source=lambda _: TEXT) == (
        'error[unknown-port]: "pong" has no port "inn" (it has: in)\n'
        "  --> ping.yaml:4:28 router.ports.out[0]\n"
        "   |\n"
        " 4 |       - {name: pong, port: inn}\n"
        "   |                            ^^^\n"
        '   = Did you mean "in"?\n'
    )


@pytest.mark.parametrize(
    ("line", "column", "carets"),
    [
        ("port: 70000", 7, "      ^^^^^"),
        ("port: 70000", 1, "^^^^"),
        ('when: "a b" # c', 7, "      ^^^^^"),
        ("a: 'it''s'", 4, "   ^^^^^^^"),
        ("routes: [a, b]", 9, "        ^"),
        ("\tname: x", 8, "        ^"),
        ("out[0]: x", 1, "^^^^^^"),
        ("url: http://x:1/y", 6, "     ^^^^^^^^^^^^"),
        ("a: 1", 40, " " * 4 + "^"),
    ],
)
def test_the_caret_stands_under_the_word(line: str, column: int, carets: str) -> None:
    problem = Problem(code="type", found="x", place=Place("a.yaml", 1, column))
    assert report([problem], source=lambda _: line).splitlines()[4] == f"   | {carets}"


def test_a_mark_at_the_beginning_of_a_file_is_not_shown() -> None:
    problem = Problem(code="type", found="x", place=Place("a.yaml", 1, 7))
    shown = report([problem], source=lambda _: "\ufeffkind: nop2").splitlines()[3:5]
    assert shown == [" 1 | kind: nop2", "   |       ^^^^"]


def test_what_is_wanted_and_tried_stands_below() -> None:
    problem = Problem(code="type", found="a", expected="b", hint="C.", place=Place("f", 120, 1))
    text = report([problem], source=lambda _: "\n" * 119 + "a")
    assert text.splitlines()[-2:] == ["    = expected: b", "    = C."]


def test_a_problem_without_a_readable_line_is_still_told() -> None:
    for place in (Place(), Place("gone.yaml", 3, 1), Place("gone.yaml")):
        text = report(
            [Problem(code="type", found="a", place=place, path="x.y")], source=lambda _: None
        )
        assert text == f"error[type]: a\n  --> {place} x.y\n"


def test_files_are_read_from_disk(tmp_path: Path) -> None:
    file = tmp_path / "ping.yaml"
    file.write_text(TEXT)
    problem = Problem(code="type", found="a", place=Place(str(file), 1, 3))
    assert " 1 | - kind: router\n" in report([problem])
    assert read_source(str(tmp_path / "gone.yaml")) is None
    assert read_source("") is None


def test_colours_only_add_to_the_text() -> None:
    plain = report([UNKNOWN_PORT, MISSING], source=lambda _: TEXT)
    coloured = report([UNKNOWN_PORT, MISSING], source=lambda _: TEXT, color=True)
    assert "\x1b[" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == plain


def test_control_characters_in_a_file_never_reach_the_terminal() -> None:
    problem = Problem(code="type", found="a", place=Place("f", 1, 3))
    assert "\x1b" not in report([problem], source=lambda _: "a\x1b[31mb")


def test_what_may_come_later_is_a_warning() -> None:
    assert severity(MISSING) == "warning"
    assert report([MISSING], source=lambda _: None).startswith("warning[missing-link]: ")
    assert summary([MISSING, UNKNOWN_PORT, UNKNOWN_PORT]) == "2 errors and 1 warning"
    assert summary([]) == "no problems"
    assert report([]) == ""


def test_a_problem_as_data_leaves_out_what_is_not_known() -> None:
    assert as_data(UNKNOWN_PORT) == {
        "severity": "error",
        "code": "unknown-port",
        "file": "ping.yaml",
        "line": 4,
        "column": 28,
        "path": "router.ports.out[0]",
        "found": '"pong" has no port "inn" (it has: in)',
        "hint": 'Did you mean "in"?',
        "message": str(UNKNOWN_PORT),
    }
    assert "line" not in as_data(Problem(code="type", found="a"))
