"""The Runner runs the tests of a runtime, and tells of each how it ended."""

import asyncio
import re
from collections.abc import Callable, Iterable
from time import perf_counter
from uuid import UUID

import msgspec

from heddle.extensions.extension import Tasks
from heddle.extensions.testing.assert_ import AssertNode
from heddle.extensions.testing.test import TestNode, TestResult
from heddle.extensions.testing.test_frames import note
from heddle.runtime.flow.errors import Error
from heddle.runtime.runtime import Runtime
from heddle.specs.model.symbol_status import SymbolStatus

PASSED, FAILED, LEFT_OUT = "passed", "failed", "not run"

GRACE = 2.0
"""Seconds that a test has to come to its end once its time is up."""


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """The result of one test. `message` says why it failed or did not run; `place` is where it stands."""

    name: str
    result: str
    seconds: float = 0.0
    message: str = ""
    remark: str = ""
    place: str = ""


class Runner:
    """Runs the tests whose `namespace/name` the pattern is found in, one after the other.

    `limit` is the longest that one may take, in seconds, if the test says nothing itself; with `update`,
    golden files are written instead of compared.
    `running` is the test that runs, and when it began, by `perf_counter`.
    """

    def __init__(
        self,
        rt: Runtime,
        pattern: re.Pattern[str] | None = None,
        *,
        limit: float = 30.0,
        update: bool = False,
    ) -> None:
        self._rt = rt
        self._pattern = pattern
        self._limit = limit
        self._update = update
        self.running: tuple[SymbolStatus, float, float] | None = None
        self.results: list[Result] = []

    @property
    def tests(self) -> list[SymbolStatus]:
        """The tests that are asked for, by name, whether active or not."""
        statuses = [symbol for symbol in self._rt.status().symbols if symbol.kind == "test"]
        return [status for status in statuses if self._selected(status)]

    def _selected(self, status: SymbolStatus) -> bool:
        return self._pattern is None or self._pattern.search(name_of(status)) is not None

    async def run(self, on_result: Callable[[Result], None] = lambda _: None) -> list[Result]:
        """Run them all; `on_result` is told of each as it ends."""
        tests = self.tests
        watch = self._rt.agent.watch(keep=1, on_frame=note) if self._looks() else None
        try:
            for test in tests:
                result = await self._run(test)
                self.results.append(result)
                on_result(result)
        finally:
            self.running = None
            if watch is not None:
                self._rt.agent.unwatch(watch)
        return self.results

    def _looks(self) -> bool:
        """Return whether any assert needs frames: nothing is observed for nothing."""
        nodes = (symbol.node for symbol in self._rt.table.all())
        return any(isinstance(node, AssertNode) and node.looks for node in nodes)

    async def _run(self, status: SymbolStatus) -> Result:
        node = self._node(status.id)
        if node is None:
            return Result(
                name=name_of(status),
                result=LEFT_OUT,
                message="; ".join(status.reasons) or f"it is {status.state}",
                place=status.place,
            )
        limit = node.limit if node.limit is not None else self._limit
        began = perf_counter()
        self.running = status, began, limit
        tried = await _limited(node, limit, update=self._update)
        mask = self._rt.events.shown
        return Result(
            name=name_of(status),
            result=PASSED if tried.error is None else FAILED,
            seconds=perf_counter() - began,
            message=mask(_message(tried.error)) if tried.error is not None else "",
            remark=tried.remark,
            place=status.place,
        )

    def _node(self, key: UUID) -> TestNode | None:
        """Return the node of an active test."""
        symbol = self._rt.table.get(key)
        if symbol is None or not self._rt.table.active(symbol):
            return None
        return symbol.node if isinstance(symbol.node, TestNode) else None


async def _limited(node: TestNode, limit: float, *, update: bool) -> TestResult:
    """Run a test; one that does not even end when it is cancelled is left behind."""
    task = Tasks().start(node.run(limit, update=update), awaited=True)
    try:
        done, _ = await asyncio.wait({task}, timeout=limit + GRACE)
    except asyncio.CancelledError:
        task.cancel()
        raise
    if done:
        return task.result()
    task.cancel()
    return TestResult(Error(f"it did not end when its {limit:g} s were over", code="timeout"))


def _message(error: Error) -> str:
    """Return the message of an Error, and where it arose."""
    return f"{error.symbol}: {error.message}" if error.symbol else error.message


def name_of(status: SymbolStatus) -> str:
    """Return what patterns look at: `namespace/name`."""
    return f"{status.namespace}/{status.name or status.id}"


def counts(results: Iterable[Result]) -> dict[str, int]:
    """Return how many passed, failed and did not run."""
    mapping: dict[str, int] = {PASSED: 0, FAILED: 0, LEFT_OUT: 0}
    for result in results:
        mapping[result.result] += 1
    return mapping
