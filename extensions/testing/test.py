"""test: tries a flow out, and has its answer checked."""

import asyncio
import copy
from collections.abc import Awaitable
from functools import partial
from typing import Annotated, Any

import msgspec

from heddle.extensions.extension import (
    NOTHING,
    Answer,
    Build,
    Error,
    Expression,
    FieldError,
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
    Stream,
    about,
)
from heddle.extensions.testing.expectation import (
    Check,
    Expectation,
    ExpectedCondition,
    compile_check,
    compile_condition,
)
from heddle.extensions.testing.explanation import shown
from heddle.extensions.testing.listener_request import request_listener
from heddle.extensions.testing.mock import MockFields, mock_symbols
from heddle.extensions.testing.streamed import gathered, in_time
from heddle.extensions.testing.test_frames import KEY, FrameRecord
from heddle.runtime.flow.contracts import Key
from heddle.runtime.flow.elsewhere import await_program
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
    send: Annotated[
        Any,
        about(
            "The packet that is sent out of `out[0]`; null without it. If nothing is linked there, it is a "
            "virtual request to a listener: a map with `method`, `path`, `query`, `header` and `body`.",
            examples=[{"method": "GET", "path": "/orders/7"}],
        ),
    ] = msgspec.UNSET
    listener: Annotated[
        str | None, about("The listener that the request is for; the only one, if it says nothing.")
    ] = None
    expect: Annotated[
        Expectation | None,
        about(
            "What has to be true of the answer: a condition, a list of them, or the `golden` file that it is "
            "equal to. The answer to a virtual request is its response: `status`, `header` and `body`.",
            examples=["self.status == 200", ["self.status == 200", "size(self.body) == 2"]],
        ),
    ] = None
    fails: Annotated[
        Expression | None,
        about(
            "The flow has to answer an Error, and this is true of it.",
            examples=["self.code == 'timeout'"],
        ),
    ] = None
    mocks: Annotated[
        dict[str, MockFields],
        about(
            "Nodes that answer or fail as it is said here, by name; a task of a workflow is "
            "`workflow/task`, a node in a block `block/node`."
        ),
    ] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.expect is not None and self.fails is not None:
            raise FieldError("both expect and fails", expected="one of them", path=("fails",))
        if self.listener is not None and self.send is msgspec.UNSET:
            raise FieldError("a listener without a request", expected="send", path=("listener",))


class TestResult(msgspec.Struct, frozen=True):
    """The outcome of a test: the Error that it failed by, and what people should know of it."""

    error: Error | None = None
    remark: str = ""


class TestNode(Node):
    """Begins a process, sends it on its way, and has the answer checked."""

    __test__ = False

    def __init__(
        self, fields: Test, check: Check | None, failure: ExpectedCondition | None
    ) -> None:
        self.limit = float(fields.limit) if fields.limit is not None else None
        self._fields = fields
        self._check = check
        self._failure = failure
        self._source: Source | None = None

    async def open(self, host: Host) -> None:
        """Make the test ready to run."""
        self._source = Source(host)

    async def run(self, limit: float, *, update: bool = False) -> TestResult:
        """Run the test in a process of its own, for at most `limit` seconds. Never raises.

        With `update`, a golden file is written instead of compared.
        """
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
            tried = await self._try(source.host.id, process, update)
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
        mocks = self._fields.mocks
        if not mocks:
            return source.begin()
        wiring: Wiring = source.host.wiring
        mocked = wiring.mocked(mock_symbols(mocks, wiring))
        return LiveProcess(mocked, None, source.host.label)

    async def _try(self, owner: Key, process: LiveProcess, update: bool) -> TestResult:
        try:
            answer = await self._answer(owner, process)
        except NodeError as failure:
            return TestResult(failure.error)
        mistake = await self._mistake(answer, process, update)
        if mistake is not None:
            return TestResult(mistake)
        if not process.wiring.targets(owner, "out[1]"):
            return TestResult()
        if answer is NOTHING:
            return TestResult(remark="the flow answered nothing, so nothing was checked at out[1]")
        answer = await settle(process.send(owner, "out[1]", [answer, -1]))
        return TestResult(answer if type(answer) is Error else None)

    async def _answer(self, owner: Key, process: LiveProcess) -> Answer:
        """Send the packet, and return the answer; NodeError if it can be sent nowhere."""
        send = self._fields.send
        if send is msgspec.UNSET:
            return await settle(process.send(owner, "out", None))
        # A node may change what it is sent, and the test may run again.
        packet = copy.deepcopy(send)
        if process.wiring.targets(owner, "out"):
            answer = await settle(process.send(owner, "out", packet))
            return (
                await in_time(process, gathered(answer)) if isinstance(answer, Stream) else answer
            )
        return await in_time(process, request_listener(process, packet, self._fields.listener))

    async def _mistake(self, answer: Answer, process: LiveProcess, update: bool) -> Error | None:
        """Return why the answer is not the one expected; None if it is."""
        if process.reason is not None:
            return process.reason
        if self._failure is not None:
            if type(answer) is not Error:
                return Error(f"expected an Error, found {shown(answer)}", code="assert")
            why = await await_program(self._failure.mistake, answer)
        elif type(answer) is Error:
            return answer
        elif self._check is None:
            return None
        elif answer is NOTHING:
            why = "expected an answer, found that the flow answered nothing"
        else:
            why = await await_program(partial(self._check.mistake, update=update), answer)
        return Error(why, code="assert") if why else None


async def _ended(process: Process, error: Error | None) -> Error | None:
    """End the process; how it ended, for an exit hook may have failed."""
    ended = process.end(error)
    return await ended if isinstance(ended, Awaitable) else ended


def compile_test(fields: Test, build: Build) -> Node:
    """Compile the conditions of the test."""
    check = compile_check(fields.expect, build) if fields.expect is not None else None
    failure = compile_condition(fields.fails, build, "fails") if fields.fails is not None else None
    return TestNode(fields, check, failure)


TEST: Kind[Any] = Kind(
    Schema(
        kind="test",
        fields=Test,
        summary="Sends a packet or a request into a flow, and checks the answer; `heddle test` runs it.",
        category="testing",
        outs=(
            Port(
                "out",
                "`out[0]` is sent the packet of the test; `out[1]` the answer, as `[payload, -1]`.",
                indexed=True,
            ),
        ),
        example="""\
- kind: test
  name: an_order_is_read
  send: {method: GET, path: /orders/7}
  expect:
    - self.status == 200
    - self.body.id == 7
- kind: listener
  name: shop
  port: 8080
  ports:
    out: routes
- kind: router
  name: routes
  routes:
    - {method: GET, path: '/orders/{id:integer}', to: read}
- kind: snippet
  name: read
  language: cel
  code: "{'id': params.id}"
""",
        details="""\
One spec is one test: `send` is the packet, `expect` what has to be true of the answer.

* Where `out` is linked, the packet goes there, and the answer is that of the flow.
* Where it is not, `send` is a **virtual request** to a listener. Its keys are `method` (GET), `path`, `query`, `header`,
  `body` and `host`. A `body` of text is sent as it stands, data as its `Content-Type` says, or as JSON. No socket takes
  part, yet everything else does: the limits of the listener, CORS, its `error` port. The answer is the response, with
  `status`, `header` (names as in `Content-Type`, lists of values) and `body` (data if it is JSON, else text or bytes).
* `expect` is a condition, a list of them, or `{golden: orders.json, ignore: [/header, /body/*/id]}`: then the answer
  has to be equal to that file, in the folder `golden` beside the file of the test. `heddle test --update` writes it.
  What stands in a folder of that name is never read as specs.
* An answer that is a stream is read to its end first: `expect` sees the list of its items, or the bytes.
* `fails: self.code == 'timeout'` expects an Error instead. Every other Error fails the test.

```yaml
- kind: test
  name: a_payment_that_is_late_is_taken_back
  send: {id: 7, amount: 12.5}
  fails: self.code == 'timeout'
  mocks:
    payments: {fail: no answer, code: timeout}
    mail: {with: {name: outbox}}
  ports:
    out: payments
- {kind: http, name: payments, method: POST, url: 'https://pay.example/', ports: {out: mail}}
- {kind: http, name: mail, method: POST, url: 'https://mail.example/'}
- {kind: snippet, name: outbox, language: cel, code: self}
```

With `mocks`, a node answers or fails as the test says, or another one is sent its packets (`with: {name: fake}`), and
its own work is left out: its limits and retries, too. A task of a workflow is mocked as `workflow/task`; `retry`,
`fallback` and `on_error` of the task work as ever. The runs of a test with mocks are in memory, even if the workflow is
durable.

```yaml
- kind: test
  name: a_report_without_orders
  mocks:
    report/load: {answer: []}
  send: null
  expect: self == '0 orders'
  ports:
    out: report
- kind: workflow
  name: report
  tasks:
    - {name: load, do: {kind: sql, source: shop.db, statement: SELECT * FROM orders}}
    - {name: text, inputs: {orders: load}, do: {kind: snippet, language: cel, code: "string(size(self.orders)) + ' orders'"}}
```

A test without `send` sends null. What is linked to `out[1]` is sent the answer, as `[payload, -1]`, for an `assert`,
which can also look at the packets of other ports. A test passes when neither port answers an Error, and the process
ends well: a transaction that cannot be committed fails it. If the flow answers nothing at all, there is nothing to
check: `out[1]` is not asked, and the report says so.

Each test is a process of its own, which is cancelled at its time limit. A test runs when `heddle test`
is told to run it, and never by itself. One that is not active is reported with the reason, and counts
as a failure.
""",
    ),
    compile_test,
)
