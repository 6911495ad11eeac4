"""Checking files again whenever one is saved, and showing what that has changed."""

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeAlias

import click
import msgspec

from heddle.cli.views.check_view import FileCheck, print_check
from heddle.cli.views.output import print_problems
from heddle.schemas.problem import Problem
from heddle.specs.files.spare import is_passing
from heddle.specs.files.tree_scan import POLL, SHARE, Tree, scan

ProblemKey: TypeAlias = tuple[str, str, str, str, str]

SETTLE: Final = 0.03
"""Seconds in which nothing may change before files are read: an editor writes in several steps."""


class CheckWatch:
    """Runs a check upon every save, until it is interrupted.

    A terminal is cleared before each report: problems that are new are shown in full, the others in
    one line each. Elsewhere, lines are added, and what stays as it was is not repeated.
    """

    def __init__(
        self, paths: Sequence[str], check: Callable[[], FileCheck], *, as_json: bool
    ) -> None:
        self._paths = tuple(paths)
        self._check = check
        self._json = as_json
        self._terminal = sys.stdout.isatty() and not as_json
        self._last: FileCheck | None = None

    def run(self) -> bool:
        """Check until Ctrl-C; return True if the last check failed."""
        try:
            for _ in changes(self._paths):
                self._show(self._check())
        except KeyboardInterrupt:
            # It is how this ends, so it is not an error.
            click.echo()
        return self._last is not None and self._last.failed

    def _show(self, check: FileCheck) -> None:
        last, self._last = self._last, check
        if self._json:
            data = check.data()
            if last is None or data != last.data():
                click.echo(msgspec.json.encode(data).decode())
        elif last is None:
            self._begin()
            print_check(check, as_json=False)
        else:
            self._begin()
            self._print_changes(last, check)
        sys.stdout.flush()

    def _begin(self) -> None:
        if self._terminal:
            click.clear()

    def _print_changes(self, last: FileCheck, check: FileCheck) -> None:
        fresh, same = _split(check.problems, last.problems)
        gone, _ = _split(last.problems, check.problems)
        print_problems(fresh, source=check.documents.source, err=False, strict=True)
        for problem in gone:
            click.echo(f"gone: {problem}")
        if self._terminal:
            for problem in same:
                click.echo(f"still: {problem}")
        counts = f"{len(fresh)} new, {len(gone)} gone" if fresh or gone else "no change"
        click.echo(f"{time.strftime('%H:%M:%S')}  {counts}  {check.headline()}")
        for line in check.remarks():
            if self._terminal or line not in last.remarks():
                click.echo(line)


def changes(paths: Sequence[str]) -> Iterator[None]:
    """Yield at once, and again whenever one of these paths, or a spec file below it, has changed."""
    # Seen before it is read: what is saved meanwhile is a change.
    before = _scan(paths)
    yield
    while True:
        began = time.monotonic()
        now = _scan(paths)
        if now == before:
            # A large folder is looked at less often.
            time.sleep(max(POLL, SHARE * (time.monotonic() - began)))
            continue
        while True:
            time.sleep(SETTLE)
            before, now = now, _scan(paths)
            if now == before:
                break
        yield


def _scan(paths: Sequence[str]) -> list[Tree | None]:
    return [_look(path) for path in paths]


def _look(path: str) -> Tree | None:
    try:
        return scan(path)
    except OSError as error:
        if not is_passing(error):
            raise
        return None


def _split(
    problems: Sequence[Problem], others: Sequence[Problem]
) -> tuple[list[Problem], list[Problem]]:
    """Return those of the problems that are not among the others, and those that are."""
    left = Counter(map(_key, others))
    fresh: list[Problem] = []
    same: list[Problem] = []
    for problem in problems:
        key = _key(problem)
        (same if left[key] > 0 else fresh).append(problem)
        left[key] -= 1
    return fresh, same


def _key(problem: Problem) -> ProblemKey:
    """Return what tells problems apart; not the line, which moves with every line above it."""
    file = problem.place.file
    return problem.code, file, problem.path, problem.found, problem.expected
