"""Trying is one `heddle test`: a runtime of the specs, and their tests, run and told as they end."""

import asyncio
import os
import re
import sys
import threading
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any

import click
import msgspec

from heddle.cli.documents import Documents
from heddle.cli.exit_codes import FAILED as EXIT_FAILED
from heddle.cli.exit_codes import CommandError
from heddle.cli.extensions import installed, reachable_specs
from heddle.cli.settings import Settings
from heddle.cli.stores import check_path
from heddle.cli.views.output import colored
from heddle.extensions.testing.runner import (
    FAILED,
    GRACE,
    LEFT_OUT,
    PASSED,
    Result,
    Runner,
    counts,
    name_of,
)
from heddle.runtime.runtime import Runtime
from heddle.schemas.errors import SpecError
from heddle.schemas.problem import Problem
from heddle.schemas.suggestion import did_you_mean
from heddle.specs.model.store import Store
from heddle.specs.stores.memory import MemoryStore
from heddle.specs.yaml.document import ReadText, join

STUCK = 1.0
"""Seconds beyond limit and grace after which a test counts as one that never gives control back."""

DRAIN = 1.0
"""Seconds that work which outlives its test may go on once all tests are done."""


class Ran(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that came of a run."""

    results: list[Result]
    problems: tuple[Problem, ...] = ()
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether every test that was asked for passed, and nothing is wrong with the specs."""
        return not self.problems and all(result.result == PASSED for result in self.results)


class TestRun:
    """Runs the tests of what the settings and the files say.

    `on_result` is told of each test as it ends; `on_stuck` what there is once a test hogs the
    process for good: nothing else can be told after it.
    """

    def __init__(
        self,
        settings: Settings,
        pattern: "re.Pattern[str] | None",
        *,
        specs: Sequence[str] = (),
        values: Sequence[str] = (),
        limit: float = 30.0,
        update: bool = False,
        on_result: Callable[[Result], None] = lambda _: None,
        on_stuck: Callable[[Ran], None] = lambda _: None,
    ) -> None:
        self._settings = settings
        self._pattern = pattern
        self._specs = Documents(specs)
        self._values = Documents(values)
        self._limit = limit
        self._update = update
        self._on_result = on_result
        self._on_stuck = on_stuck
        self._problems: tuple[Problem, ...] = ()
        self._began = perf_counter()

    def source(self, file: str) -> str | None:
        """Return the text of a file that was named on the command line."""
        return self._specs.source(file) or self._values.source(file)

    def run(self) -> Ran:
        """Run them; raise HeddleError if nothing can run, or the pattern is in no name."""
        return asyncio.run(self._run())

    async def _run(self) -> Ran:
        settings = self._settings
        rt = Runtime(
            namespace=settings.namespace,
            store=self._store(),
            environment=settings.environment,
            drain=min(settings.drain, DRAIN),
            kinds=installed(settings),
            watch=False,
            redactor=settings.redactor,
        )
        async with rt:
            self._problems = tuple(rt.events.masked(rt.status().problems))
            runner = Runner(rt, self._pattern, limit=self._limit, update=self._update)
            self._check(rt, runner)
            with _Watchdog(lambda: self._stuck(runner)):
                await runner.run(self._on_result)
        return self._ran(runner.results)

    def _ran(self, results: Sequence[Result]) -> Ran:
        return Ran(
            results=list(results), problems=self._problems, seconds=perf_counter() - self._began
        )

    def _store(self) -> Store | str:
        """Return the store of the settings; a memory store where files were named."""
        if not (self._specs.paths or self._values.paths):
            check_path(self._settings.store)
            reachable_specs([self._settings.store])
            return self._settings.store
        namespace = self._settings.namespace
        reachable_specs(self._specs.paths)
        reading: ReadText = join(
            [
                self._specs.read(namespace=namespace),
                self._values.read(namespace=namespace, only="values"),
            ]
        )
        if reading.problems:
            raise SpecError(reading.problems)
        return MemoryStore([*reading.specs, *reading.values])

    def _check(self, rt: Runtime, runner: Runner) -> None:
        """CommandError if the pattern is found in no name."""
        if self._pattern is None or runner.tests:
            return
        names = [name_of(test) for test in Runner(rt).tests]
        near = did_you_mean(self._pattern.pattern, names)
        known = f"there are: {', '.join(names[:10])}" if names else "there is none"
        raise CommandError(
            f'no test matches "{self._pattern.pattern}" ({known}). {near}'.rstrip(". ")
        )

    def _stuck(self, runner: Runner) -> bool:
        """Return whether the test that runs hogs the process; then this is the end of it."""
        if runner.running is None:
            return False
        status, began, limit = runner.running
        seconds = perf_counter() - began
        if seconds < limit + GRACE + STUCK:
            return False
        result = Result(
            name=name_of(status),
            result=FAILED,
            seconds=seconds,
            message=f"expected an answer within {limit:g} s; it never gave control back, so that no "
            "other test can run",
            place=status.place,
        )
        self._on_result(result)
        self._on_stuck(self._ran([*runner.results, result]))
        return True


class _Watchdog:
    """Looks from another thread, and ends the process where a test hogs this one."""

    def __init__(self, stuck: Callable[[], bool]) -> None:
        self._stuck = stuck
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._done.wait(0.1):
            if self._stuck():
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(EXIT_FAILED)


def print_result(result: Result) -> None:
    """Print one line for a test, with its details below."""
    word, color = {
        PASSED: ("PASS", "green"),
        FAILED: ("FAIL", "red"),
        LEFT_OUT: ("----", "yellow"),
    }[result.result]
    time = "not run" if result.result == LEFT_OUT else f"{result.seconds:.3f} s"
    styled = click.style(word, fg=color, bold=True)
    click.echo(f"{styled}  {result.name}  {time}", color=colored(sys.stdout))
    for text in (result.message, result.remark):
        for number, line in enumerate(text.splitlines()):
            where = (
                f"{result.place}: "
                if result.place and not number and result.result != PASSED
                else ""
            )
            click.echo(f"      {where}{line}")


def summary(ran: Ran) -> str:
    """`2 passed, 1 failed, 1 not run in 0.12 s`."""
    mapping = counts(ran.results)
    parts = [f"{mapping[PASSED]} passed"]
    parts += [f"{mapping[word]} {word}" for word in (FAILED, LEFT_OUT) if mapping[word]]
    if ran.problems:
        parts.append(f"{len(ran.problems)} problem{'s' if len(ran.problems) > 1 else ''}")
    return f"{', '.join(parts)} in {ran.seconds:.2f} s"


def as_data(ran: Ran) -> dict[str, Any]:
    """Return the whole run as plain data."""
    from heddle.cli.views.problem_report import as_data as problem_data

    mapping = counts(ran.results)
    return {
        "ok": ran.ok,
        "passed": mapping[PASSED],
        "failed": mapping[FAILED],
        "not_run": mapping[LEFT_OUT],
        "seconds": round(ran.seconds, 3),
        "tests": [
            {
                key: value
                for key, value in {
                    "name": result.name,
                    "result": result.result,
                    "seconds": round(result.seconds, 6),
                    "message": result.message,
                    "remark": result.remark,
                    "place": result.place,
                }.items()
                if value != "" or key in ("name", "result")
            }
            for result in ran.results
        ],
        "problems": [problem_data(problem, strict=True) for problem in ran.problems],
    }
