"""test: tries a flow out, and has its answer checked."""

import asyncio
from collections.abc import Awaitable, Mapping
from typing import Annotated, Any

import msgspec

from heddle.extensions.extension import (
    NOTHING,
    Build,
    Error,
    Fields,
    Host,
    Interval,
    Kind,
    Node,
    NodeError,
    Port,
    Process,
    Schema,
    Source,
    about,
)
from heddle.extensions.testing.mock import MockFields, mock_nodes
from heddle.extensions.testing.test_frames import KEY, FrameRecord
from heddle.runtime.flow.contracts import Key
from heddle.runtime.flow.finish import settle
from heddle.runtime.flow.process import LiveProcess
from heddle.runtime.flow.wiring import Wiring


class Test(Fields):
    """The fields of a `test`."""

    __test__ = False

    limit: Annotated[
        Interval | None,
        about("The longest that it may take; that of `heddle test --timeout` if it says nothing."),
    ] = None
    mocks: Annotated[
        dict[str, MockFields],
        about(
            "Nodes that answer or fail as it is said here, by name; a task of a workflow is "
            "`workflow/task`."
        ),
    ] = msgspec.field(default_factory=dict)


class TestResult(msgspec.Struct, frozen=True):
    """The outcome of a test: the Error that it failed by, and what people should know of it."""

    error: Error | None = None
    remark: str = ""


class TestNode(Node):
    """Begins a process, sends it on its way, and has the answer checked."""

    __test__ = False

    def __init__(self, limit: float | None, mocks: Mapping[str, MockFields]) -> None:
        self.limit = limit
        self._mocks = mocks
        self._source: Source | None = None

    async def open(self, host: Host) -> None:
        """Make the test ready to run."""
        self._source = Source(host)

    async def run(self, limit: float) -> TestResult:
        """Run the test in a process of its own, for at most `limit` seconds. Never raises."""
        source = self._source
        if source is None:
            raise RuntimeError("the node is not open")
        try:
            process = self._begin(source)
        except NodeError as failure:
            return TestResult(failure.error)
        process.set(KEY, FrameRecord())
        process.deadline = asyncio.get_running_loop().time() + limit
        try:
            tried = await self._try(source.host.id, process)
        except BaseException:
            process.cancel(Error("the test was cancelled", code="cancelled"))
            await _ended(process, process.reason)
            raise
        late = process.reason is not None and process.reason.code == "timeout"
        ended = await _ended(process, tried.error)
        if late:
            return TestResult(
                Error(f"expected an answer within {limit:g} s, found none", code="timeout")
            )
        return TestResult(tried.error or ended, tried.remark)

    def _begin(self, source: Source) -> LiveProcess:
        """Return a new process in which the mocks stand for their nodes. NodeError if one is not there."""
        if not self._mocks:
            return source.begin()
        wiring: Wiring = source.host.wiring
        mocked = wiring.mocked(mock_nodes(self._mocks, wiring))
        return LiveProcess(mocked, None, source.host.label)

    async def _try(self, owner: Key, process: Process) -> TestResult:
        answer = await settle(process.send(owner, "out", None))
        if type(answer) is Error:
            return TestResult(answer)
        if not process.wiring.targets(owner, "out[1]"):
            return TestResult()
        if answer is NOTHING:
            return TestResult(remark="the flow answered nothing, so nothing was checked at out[1]")
        answer = await settle(process.send(owner, "out[1]", [answer, -1]))
        return TestResult(answer if type(answer) is Error else None)


async def _ended(process: Process, error: Error | None) -> Error | None:
    """End the process; how it ended, for an exit hook may have failed."""
    ended = process.end(error)
    return await ended if isinstance(ended, Awaitable) else ended


def compile_test(fields: Test, build: Build) -> Node:
    """Convert the limit to seconds."""
    del build
    return TestNode(float(fields.limit) if fields.limit is not None else None, fields.mocks)


TEST: Kind[Any] = Kind(
    Schema(
        kind="test",
        fields=Test,
        summary="Tries a flow out, and has its answer checked; `heddle test` runs it.",
        category="testing",
        outs=(
            Port(
                "out",
                "`out[0]` is sent null, to begin the flow; `out[1]` its answer, as `[payload, -1]`.",
                indexed=True,
            ),
        ),
        example="""\
- kind: test
  name: pong_is_answered
  limit: 1s
  ports:
    out[0]:
      - {name: pong, port: in}
    out[1]:
      - {name: is_pong, port: in}
- kind: snippet
  name: pong
  language: text
  code: pong
- kind: assert
  name: is_pong
  expect: self == 'pong'
""",
        details="""\
With `mocks`, a node answers or fails as the test says, and its own work is left out: its limits and retries, too. A
task of a workflow is mocked as `workflow/task`; `retry`, `fallback` and `on_error` of the task work as ever. The runs of
a test with mocks are in memory, even if the workflow is durable.

```yaml
- kind: test
  name: a_report_without_orders
  mocks:
    report/load: {answer: []}
  ports:
    out[0]:
      - {name: report, port: in}
    out[1]:
      - {name: is_empty, port: in}
- kind: workflow
  name: report
  tasks:
    - {name: load, do: {kind: sql, source: shop.db, statement: SELECT * FROM orders}}
    - {name: text, inputs: {orders: load}, do: {kind: snippet, language: cel, code: "string(size(self.orders)) + ' orders'"}}
- kind: assert
  name: is_empty
  expect: self == '0 orders'
```

A test passes when neither port answers an Error, and the process ends well: a transaction that cannot
be committed fails it. If the flow answers nothing at all, there is nothing to check: `out[1]` is not
asked, and the report says so.

Each test is a process of its own, which is cancelled at its time limit. A test runs when `heddle test`
is told to run it, and never by itself. One that is not active is reported with the reason, and counts
as a failure.
""",
    ),
    compile_test,
)
