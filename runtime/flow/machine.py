"""The machine walks steps: a packet is a call, and this is how the call is made.

One loop serves every shape of flow, without recursion: straight runs are a `for` over their
actions, choices are tail calls, and only nodes that look at answers keep a frame on an explicit
stack. Nothing here is a coroutine until a node really waits: then the state becomes a Pending,
and whoever awaits it goes on from there with the same loop.
"""

# One file: every kind of step is a branch of one loop; a call to another module at each step would
# cost more than the steps.

import asyncio
from collections.abc import Callable, Coroutine, Generator
from operator import length_hint
from time import monotonic
from typing import Any, TypeAlias, cast

from heddle.runtime.flow.contracts import Key, Process
from heddle.runtime.flow.errors import NOTHING, Answer, Error, Payload
from heddle.runtime.flow.flow import Flow
from heddle.runtime.flow.packet import join
from heddle.runtime.flow.step import (
    ACT,
    CHOOSE,
    FAILURES,
    JOIN,
    LAZY,
    RAISED,
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

DEPTH = 100_000
"""How many visits and joins may be nested before a packet is answered with an Error `depth`."""

HOPS = 512
"""Steps between two looks at the clock."""

BREATH = 0.01
"""Seconds after which a packet that goes round in a ring lets everything else have its turn."""


ROUNDS = 1_000_000
"""How many steps a packet may go on without an answer, before it is answered with an Error `endless`.

Only steps of flows with a cycle are counted, and only roughly: a chain of ten thousand is far from it.
"""

_FAILED = object()
"""In the place of what a visit sends: what it sent has failed, and that goes to an error port."""


class JoinFrame:
    """An out port with several links, on the stack while its targets answer one by one."""

    __slots__ = ("answers", "payload", "step")

    def __init__(self, step: JoinStep, payload: Payload) -> None:
        self.step = step
        self.payload = payload
        self.answers: list[Answer] = []


VisitFrame: TypeAlias = tuple[Coroutine[Any, Any, Any], NodeStep | JoinStep]
Stack: TypeAlias = list[JoinFrame | VisitFrame]


class NestedStack:
    """The stack that a task of a concurrent join hangs below: depth counts through it."""

    __slots__ = ("above", "depth", "stack")

    def __init__(self, stack: Stack, above: "NestedStack | None") -> None:
        self.stack = stack
        self.above = above
        # One more for the frame that nests: it is pushed once what it runs was made.
        self.depth: int = len(stack) + 1 + (above.depth if above is not None else 0)


class PendingAnswer:
    """An answer still on its way: await it, once, inside a task.

    Where its process is cancelled meanwhile, the answer is the reason. If it is the awaiting
    task that is cancelled, the packet is given up and CancelledError goes on.
    """

    __slots__ = (
        "_above",
        "_forward",
        "_future",
        "_payload",
        "_process",
        "_rests",
        "_rounds",
        "_stack",
        "_step",
        "_unwinding",
    )

    def __init__(
        self,
        process: Process,
        step: Step | None,
        payload: Payload,
        stack: Stack | None = None,
        above: NestedStack | None = None,
        *,
        forward: bool = True,
        rests: bool = False,
        future: Any = None,
        unwinding: bool = False,
        rounds: int = 0,
    ) -> None:
        self._process = process
        self._step = step
        self._payload = payload
        self._stack = stack
        self._above = above
        self._forward = forward
        self._rests = rests
        self._future = future
        self._unwinding = unwinding
        self._rounds = rounds

    def __await__(self) -> Generator[Any, Any, Answer]:
        process = self._process
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a Pending answer is awaited inside a task")
        outermost = process.enter(task)
        try:
            result: Answer | PendingAnswer = self._unwind() if process.reason is not None else self
            while type(result) is PendingAnswer:
                result = yield from result._proceed()
        except asyncio.CancelledError:
            reason = process.reason
            # The process was cancelled, not this task: what is unanswered is answered with the
            # reason. Only once the whole of the process's work in this task has been unwound.
            if reason is None or not outermost or task.uncancel() > 0:
                raise
            return reason
        finally:
            if outermost:
                process.leave(task)
        return result

    def _proceed(self) -> "Generator[Any, Any, Answer | PendingAnswer]":
        """Wait for what it waits for, then walk on."""
        stack = self._stack if self._stack is not None else []
        if self._rests:
            try:
                # None is a breath: every other task has its turn before this one goes on.
                yield self._future
            except BaseException as error:
                return drive(
                    self._process, None, None, stack, True, False, error, above=self._above
                )
        return drive(
            self._process,
            self._step,
            self._payload,
            stack,
            True,
            self._forward,
            above=self._above,
            unwinding=self._unwinding,
            rounds=self._rounds,
        )

    def _unwind(self) -> "Answer | PendingAnswer":
        """Return its process was cancelled before it was awaited: what is inside hears of that."""
        if not self._stack:
            return self._process.reason
        cancelled = asyncio.CancelledError()
        try:
            result = drive(
                self._process, None, None, self._stack, True, False, cancelled, above=self._above
            )
        except asyncio.CancelledError:
            return self._process.reason
        return result

    def close(self) -> None:
        """Drop it unanswered: what waits inside is closed."""
        stack, self._stack = self._stack, None
        while stack:
            frame = stack.pop()
            if type(frame) is tuple:
                frame[0].close()


def drive(
    process: Process,
    step: Step | None,
    payload: Payload,
    stack: Stack | None = None,
    tasked: bool = False,
    forward: bool = True,
    thrown: BaseException | None = None,
    *,
    above: NestedStack | None = None,
    unwinding: bool = False,
    rounds: int = 0,
) -> Answer | PendingAnswer:
    """Walk from `step` with `payload` until there is an answer, or something to wait for.

    `tasked` says that a task is running, so waiting nodes may begin. With `forward=False` the
    payload is the answer for the top of the stack; `thrown` is raised there instead. `above` is
    the stack below which this one hangs; `unwinding` says that its packet is being cancelled. `rounds`
    is how many steps its packet has come without an answer, as far as that is counted.
    """
    # One function: each kind of step is a branch: a call at each step would cost more than the
    # step.
    unwinding = unwinding or thrown is not None
    limit = DEPTH - above.depth if above is not None else DEPTH
    hops = HOPS
    began = 0.0
    while True:
        hops -= 1
        if not hops:
            hops = HOPS
            if thrown is None and _may_wait(process, step if forward else None, stack):
                # A straight run counts for more: a cycle of nothing else is one run after the other.
                rounds += HOPS * (min(len(step.actions), 8) if type(step) is RunStep else 1)
                if forward and rounds > ROUNDS:
                    step, payload = None, _endless(step)
                    continue
                now = monotonic()
                if not began:
                    began = now
                elif now - began > BREATH:
                    return PendingAnswer(
                        process,
                        step,
                        payload,
                        stack,
                        above,
                        forward=forward,
                        rests=True,
                        rounds=rounds,
                    )
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
                except RAISED as error:
                    index = len(run.actions) - length_hint(actions) - 1
                    step, payload = run.failed(index, error, payload)
                    continue
            elif op == CHOOSE:
                choice = cast(ChoiceStep, step)
                try:
                    port, payload = choice.fn(payload)
                    step = choice.nexts[port]
                except RAISED as error:
                    step, payload = choice.gave_up(error, payload)
                continue
            elif op == JOIN and not cast(JoinStep, step).concurrent:
                if stack is None:
                    stack = []
                elif len(stack) >= limit:
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
                except RAISED as error:
                    step, payload = act.gave_up(error, payload)
                continue
            else:
                visit = cast(VisitStep, step)
                if not tasked and (op != VISIT or visit.waits):
                    return PendingAnswer(process, step, payload, stack, above)
                if process.reason is not None:
                    # Cancelled by one of its own nodes: nothing more is begun.
                    step, payload = None, process.reason
                    continue
                if stack is None:
                    stack = []
                elif len(stack) >= limit:
                    step, payload = None, too_deep()
                    continue
                try:
                    if op == VISIT and not visit.turns:
                        begun = visit.fn(Flow(process, visit), payload)
                    else:
                        begun = _begin(process, step, payload, stack, above)
                except RAISED as error:
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
            rounds = 0
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
            # What goes to nothing but plain actions is answered on the spot: most visits of a `for`
            # or a `pipe` are that, and the way round this loop would cost more than they do.
            if type(request) is tuple:
                rounds = 0
            while type(request) is tuple and hops > 1:
                port, payload = request
                near = owner.nexts.get(port) if type(port) is str else None  # type: ignore[union-attr]
                if type(near) is not RunStep or near.next is not None:
                    break
                hops -= 1
                actions = iter(near.actions)
                try:
                    for action in actions:
                        payload = action(payload)
                        if payload is NOTHING:
                            break
                except RAISED as error:
                    index = len(near.actions) - length_hint(actions) - 1
                    step, payload = near.failed(index, error, payload)
                    forward, request = True, _FAILED
                    break
                request = running.send(payload)
        except StopIteration as stop:
            stack.pop()
            payload = stop.value
            unwinding = False
            forward = owner.op == WAIT and payload is not NOTHING
            if forward:
                step = cast(ActionStep, owner).following()
        except BaseException as error:
            stack.pop()
            # A node may fail, and so it may by what it waits for being cancelled. If the packet
            # itself is cancelled that goes on to the end.
            own = isinstance(error, FAILURES) or (
                isinstance(error, asyncio.CancelledError) and not unwinding
            )
            if own and not isinstance(owner, JoinStep):
                step, payload = owner.failed(error)
                forward = True
                unwinding = False
            else:
                thrown = error
        else:
            if type(request) is tuple:
                port, payload = request
                try:
                    step = cast(VisitStep, owner).leads(port)
                    forward = True
                except FAILURES as error:
                    # A port's name that is none: the node hears of it if it sent.
                    thrown = error
            elif request is not _FAILED:
                return PendingAnswer(
                    process,
                    None,
                    None,
                    stack,
                    above,
                    forward=False,
                    rests=True,
                    future=request,
                    unwinding=unwinding,
                )


def _may_wait(process: Process, step: Step | None, stack: Stack | None) -> bool:
    """Return whether a packet at this step, or else at the top of the stack, may have to wait.

    What may not wait is in no ring: it has an end, and is walked to it without a breath.
    """
    if step is None and stack:
        top = stack[-1]
        step = top.step if type(top) is JoinFrame else cast(VisitFrame, top)[1]
    while type(step) is JoinStep:
        step = step.targets[0]
    if isinstance(step, RunStep):
        return process.wiring.waits_after(step.owners[-1])
    if isinstance(step, NodeStep | LazyStep):
        return process.wiring.waits_after(step.owner)
    return False


def _endless(step: Step | None) -> Error:
    """Return the answer of a packet that goes round in a cycle without an end."""
    label = step.labels[0] if isinstance(step, RunStep) else getattr(step, "label", "")
    return Error(
        f"the packet went {ROUNDS:,} steps without an answer: is its flow a cycle without an end?",
        code="endless",
        symbol=label,
    )


def too_deep() -> Error:
    """Return the answer of a packet that nests too deep; most often its flow is a ring without an end."""
    return Error(
        f"the flow nests deeper than {DEPTH} visits: is it a ring without an end?", code="depth"
    )


def _begin(
    process: Process, step: Step, payload: Payload, stack: Stack, above: NestedStack | None
) -> Coroutine[Any, Any, Any]:
    """Return the coroutine of a step that waits, ready to be driven inside a task."""
    if step.op == WAIT:
        act = cast(ActionStep, step)
        if not act.turns:
            begun = act.fn(payload, process) if act.process else act.fn(payload)
            return cast(Coroutine[Any, Any, Any], begun)
        if act.process:
            return _in_turn(process, act, act.fn, payload, process)
        return _in_turn(process, act, act.fn, payload)
    if step.op == VISIT:
        visit = cast(VisitStep, step)
        if process.busy(visit.owner) and _inside(visit.owner, stack, above):
            # The way has led back into a visit that waits for this very packet.
            return visit.fn(Flow(process, visit), payload)
        return _in_turn(process, visit, visit.fn, Flow(process, visit), payload)
    if step.op == READ:
        return process.request(cast(ReadStep, step), payload)
    return _together(process, cast(JoinStep, step), payload, NestedStack(stack, above))


def _inside(owner: Key, stack: Stack, above: NestedStack | None) -> bool:
    """Return whether a packet on its way here is inside a visit of this node already."""
    while True:
        for frame in stack:
            if type(frame) is tuple and isinstance(frame[1], NodeStep) and frame[1].owner == owner:
                return True
        if above is None:
            return False
        stack, above = above.stack, above.above


async def _in_turn(process: Process, step: NodeStep, fn: Callable[..., Any], *args: Any) -> Any:
    """Packets of one process through one waiting node take turns, in the order they came."""
    await process.take_turn(step.owner)
    try:
        return await fn(*args)
    finally:
        process.pass_turn(step.owner)


async def _together(
    process: Process, step: JoinStep, payload: Payload, above: NestedStack
) -> Answer:
    """Send to every target at the same time; the answers are joined in the order of the links."""
    tasks: list[asyncio.Task[Answer]] = [
        process.tasks.start(PendingAnswer(process, target, payload, None, above), awaited=True)
        for target in step.targets
    ]
    try:
        # Not gather: cancelling that cancels what its tasks wait for in turn, nested call by call.
        await asyncio.wait(tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        raise
    return join([_answer_of(process, task) for task in tasks])


def _answer_of(process: Process, task: "asyncio.Task[Answer]") -> Answer:
    """Return what a task has come to; one that was stopped is answered with the reason."""
    if task.cancelled():
        return process.reason or Error("the packet was cancelled", code="cancelled")
    return task.result()
