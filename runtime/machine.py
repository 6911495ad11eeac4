"""The machine walks steps: a packet is a call, and this is how the call is made.

One loop serves every shape of flow, without recursion: straight runs are a `for` over their
actions, choices are tail calls, and only nodes that look at answers keep a frame on an explicit
stack. Nothing here is a coroutine until a node really waits: then the state becomes a Pending,
and whoever awaits it goes on from there with the same loop.
"""

import asyncio
from collections.abc import Callable, Coroutine, Generator
from itertools import repeat
from operator import length_hint
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from heddle.runtime.errors import NOTHING, Answer, Error, Payload
from heddle.runtime.flow import Flow
from heddle.runtime.packet import join
from heddle.runtime.step import (
    ACT,
    CHOOSE,
    FAILURES,
    JOIN,
    LAZY,
    READ,
    RUN,
    VISIT,
    WAIT,
    ActionStep,
    ChoiceStep,
    JoinStep,
    LazyStep,
    NodeStep,
    ReadStep,
    RunStep,
    Step,
    VisitStep,
)

if TYPE_CHECKING:
    from heddle.runtime.process import Process

DEPTH = 100_000
"""How many visits and joins may be nested before a packet is answered with an Error `depth`."""

HOPS = 32_768
"""Steps between two breaths: a ring of plain functions must not hold the event loop for ever."""


class JoinFrame:
    """An out port with several links, on the stack while its targets answer one by one."""

    __slots__ = ("answers", "payload", "step")

    def __init__(self, step: JoinStep, payload: Payload) -> None:
        self.step = step
        self.payload = payload
        self.answers: list[Answer] = []


VisitFrame: TypeAlias = tuple[Coroutine[Any, Any, Any], NodeStep | JoinStep]
Stack: TypeAlias = list[JoinFrame | VisitFrame]


class Pending:
    """An answer still on its way: await it, once, inside a task."""

    __slots__ = ("_future", "_payload", "_process", "_stack", "_step")

    def __init__(
        self,
        process: "Process",
        step: Step | None,
        payload: Payload,
        stack: Stack | None = None,
        future: Any = None,
    ) -> None:
        self._process = process
        self._step = step
        self._payload = payload
        self._stack = stack
        self._future = future

    def __await__(self) -> Generator[Any, Any, Answer]:
        process = self._process
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a Pending answer is awaited inside a task")
        process.enter(task)
        try:
            result: Answer | Pending = self
            while type(result) is Pending:
                result = yield from result._proceed()
        except asyncio.CancelledError:
            reason = process.reason
            if reason is None:
                raise
            # The process was cancelled, not this task: what is unanswered is answered with the reason.
            if task.uncancel() > 0:
                raise
            return reason
        finally:
            process.leave(task)
        return result

    def _proceed(self) -> "Generator[Any, Any, Answer | Pending]":
        """Wait for what it waits for, then walk on."""
        stack = self._stack if self._stack is not None else []
        step = self._step
        try:
            if self._future is not None:
                yield self._future
            elif step is None or step.op in (RUN, CHOOSE):
                # A breath: every other task has its turn before this ring goes round again.
                yield None
        except BaseException as error:
            return drive(self._process, None, None, stack, True, False, error)
        if step is None:
            return drive(self._process, None, None, stack, True, False)
        return drive(self._process, step, self._payload, stack, True)

    def close(self) -> None:
        """Drop it unanswered: what waits inside is closed."""
        stack, self._stack = self._stack, None
        while stack:
            frame = stack.pop()
            if type(frame) is tuple:
                frame[0].close()


def drive(
    process: "Process",
    step: Step | None,
    payload: Payload,
    stack: Stack | None = None,
    tasked: bool = False,
    forward: bool = True,
    thrown: BaseException | None = None,
) -> Answer | Pending:
    """Walk from `step` with `payload` until there is an answer, or something to wait for.

    `tasked` says that a task is running, so waiting nodes may begin. With `forward=False` the
    payload is the answer for the top of the stack; `thrown` is raised there instead.
    """
    unwinding = thrown is not None
    for _ in repeat(None, HOPS):
        if forward and step is not None:
            op = step.op
            if op == RUN:
                run = cast(RunStep, step)
                actions = iter(run.actions)
                try:
                    for action in actions:
                        payload = action(payload)
                        if payload is NOTHING:
                            step = None
                            break
                    else:
                        step = run.next
                        if step is not None:
                            continue
                except FAILURES as error:
                    index = len(run.actions) - length_hint(actions) - 1
                    step, payload = run.failed(index, error)
                    continue
            elif op == CHOOSE:
                choice = cast(ChoiceStep, step)
                try:
                    port, payload = choice.fn(payload)
                    step = choice.nexts[port]
                except FAILURES as error:
                    step, payload = choice.failed(error)
                continue
            elif op == JOIN and not cast(JoinStep, step).concurrent:
                if stack is None:
                    stack = []
                elif len(stack) >= DEPTH:
                    step, payload = None, too_deep()
                    continue
                fork = cast(JoinStep, step)
                stack.append(JoinFrame(fork, payload))
                step = fork.targets[0]
                continue
            elif op == LAZY:
                step = cast(LazyStep, step).settle()
                continue
            elif op == ACT:
                act = cast(ActionStep, step)
                try:
                    payload = act.fn(payload, process)
                    step = act.following() if payload is not NOTHING else None
                except FAILURES as error:
                    step, payload = act.failed(error)
                continue
            else:
                visit = cast(VisitStep, step)
                if not tasked and (op != VISIT or visit.waits):
                    return Pending(process, step, payload, stack)
                if stack is None:
                    stack = []
                elif len(stack) >= DEPTH:
                    step, payload = None, too_deep()
                    continue
                try:
                    if op == VISIT and not visit.turns:
                        begun = visit.fn(Flow(process, visit), payload)
                    else:
                        begun = _begin(process, step, payload)
                except FAILURES as error:
                    step, payload = visit.failed(error)
                    continue
                stack.append((begun, visit))
                payload = None
                forward = False
        if not stack:
            if thrown is not None:
                raise thrown
            return payload
        top = stack[-1]
        if type(top) is JoinFrame:
            if thrown is not None:
                stack.pop()
                continue
            answers, targets = top.answers, top.step.targets
            answers.append(payload)
            if len(answers) < len(targets):
                step, payload = targets[len(answers)], top.payload
                forward = True
            else:
                stack.pop()
                payload = join(answers)
                forward = False
            continue
        running, owner = cast(VisitFrame, top)
        try:
            if thrown is None:
                request = running.send(payload)
            else:
                raised, thrown = thrown, None
                request = running.throw(raised)
        except StopIteration as stop:
            stack.pop()
            payload = stop.value
            unwinding = False
            forward = owner.op == WAIT and payload is not NOTHING
            if forward:
                step = cast(ActionStep, owner).following()
        except FAILURES as error:
            stack.pop()
            step, payload = cast(NodeStep, owner).failed(error)
            forward = True
        except BaseException as error:
            stack.pop()
            if unwinding or not isinstance(error, asyncio.CancelledError):
                thrown = error
            else:
                # Nobody cancelled this packet: something that the node waited for was cancelled.
                step, payload = cast(NodeStep, owner).failed(error)
                forward = True
        else:
            if type(request) is tuple:
                port, payload = request
                step = cast(VisitStep, owner).leads(port)
                forward = True
            else:
                return Pending(process, None, None, stack, request)
    if thrown is not None or not forward:
        return drive(process, None, payload, stack, tasked, False, thrown)
    return Pending(process, step if step is not None else _ECHO, payload, stack)


_ECHO = RunStep((), (), (), None, lambda _owner, _port: None)
"""A run of nothing: its payload is the answer."""


def too_deep() -> Error:
    """The answer of a packet that nests too deep; most often its flow is a ring without an end."""
    return Error(
        f"the flow nests deeper than {DEPTH} visits: is it a ring without an end?", code="depth"
    )


def _begin(process: "Process", step: Step, payload: Payload) -> Coroutine[Any, Any, Any]:
    """The coroutine of a step that waits, ready to be driven inside a task."""
    if step.op == WAIT:
        act = cast(ActionStep, step)
        if act.process:
            return _in_turn(process, act, act.fn, payload, process)
        return _in_turn(process, act, act.fn, payload)
    if step.op == VISIT:
        visit = cast(VisitStep, step)
        return _in_turn(process, visit, visit.fn, Flow(process, visit), payload)
    if step.op == READ:
        return process.ask(cast(ReadStep, step), payload)
    return _together(process, cast(JoinStep, step), payload)


async def _in_turn(process: "Process", step: NodeStep, fn: Callable[..., Any], *args: Any) -> Any:
    """Packets of one process through one waiting node take turns, in the order they came."""
    await process.take_turn(step.owner)
    try:
        return await fn(*args)
    finally:
        process.pass_turn(step.owner)


async def _together(process: "Process", step: JoinStep, payload: Payload) -> Answer:
    """Send to every target at the same time; the answers are joined in the order of the links."""
    tasks: list[asyncio.Task[Answer]] = [
        process.spawn(Pending(process, target, payload)) for target in step.targets
    ]
    try:
        return join(await asyncio.gather(*tasks))
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise
