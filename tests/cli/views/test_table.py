"""Tables: every row on a line of its own, in time that grows with the rows."""

from time import process_time

import pytest

from heddle.cli.views.output import print_table
from heddle.extensions.tasks.graph.outline import outline_of


def test_columns_are_aligned_by_what_a_terminal_shows(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(["name", "what it is"], [("日本", "two\nlines"), ("b", ""), ("cherry", "\x1b[1m")])
    assert capsys.readouterr().out.splitlines() == [
        "NAME    WHAT IT IS",
        "日本    two lines",
        "b",
        "cherry   [1m",
    ]


def test_many_tasks_are_shown_in_time_that_grows_with_them(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def spend(count: int) -> float:
        tasks = [{"name": f"t{n}", "after": [f"t{n - 1}"] if n else []} for n in range(count)]
        outline = outline_of({"tasks": tasks})
        began = process_time()
        rows = zip(outline.names, outline.upstream(), strict=True)
        print_table(["task", "after"], [(name, " ".join(after)) for name, after in rows])
        return process_time() - began

    few = min(spend(1_000) for _ in range(3))
    assert min(spend(16_000) for _ in range(3)) < 16 * 3 * few
    assert "t15999  t15998" in capsys.readouterr().out
