"""Work is a set of units that one part of a run has to do, and the runners that pull them.

A unit is a task of a graph, or an item of a `for_each`. What does not wait is done in a plain call.
At the first unit that waits, runners begin: asyncio tasks that pull ready units and await each attempt
in place. There are as many as units wait at the same time, and never more than the limits allow.
"""

# One file: units and their runners share one state at every step, and a call more per unit is
# measured.

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from time import monotonic, time
from typing import Any, Final

from heddle.extensions.extension import NOTHING, Answer, Error, NodeError, Payload, Process
from heddle.extensions.tasks.scheduler.bound_graph import AWAIT, CALL, STEP, BoundWork
from heddle.extensions.tasks.scheduler.context import RUN, RunContext, RunRoot
from heddle.extensions.tasks.scheduler.journal import DRAINED, SUSPENDING, UnstorableError
from heddle.extensions.tasks.scheduler.limit import Limit, take_all
from heddle.extensions.tasks.scheduler.timers import Alarm
from heddle.extensions.tasks.status import AttemptStatus
from heddle.runtime.assembly.retry_rule import RetryRule
from heddle.runtime.flow.elsewhere import ElsewhereError, await_program
from heddle.runtime.flow.errors import ShutdownInterrupt
from heddle.runtime.flow.machine import PendingAnswer
from heddle.runtime.flow.step import FAILURES, RAISED, ActionStep
from heddle.schemas.units import Duration

BREATH: Final = 0.02
"""Seconds after which work that does not wait lets everything else have its turn."""

REST: Final = 0.0005
"""Seconds of that turn in a durable run: a signal that suspends it takes a few rounds of the loop."""

Later = Callable[[], Awaitable[None]]
"""Work on a unit that turned out to wait."""


_SPENT: Final = 1_000_000_000
"""Attempts of a unit that must not be tried again: more than any rule allows."""


class Work:
    """The base. A subclass says which units there are, and what becomes of their results.

    `own` are the limits of this work alone, `outer` those that the attempt which holds it is inside
    of: its first runner uses the slot of that attempt, so nested work never waits for itself.
    """

    rule: RetryRule | None = None

    def __init__(
        self,
        process: Process,
        root: RunRoot,
        path: str,
        own: tuple[Limit, ...] = (),
        outer: tuple[Limit, ...] = (),
    ) -> None:
        self.process = process
        self.root = root
        self.path = path
        self.journal = root.journal
        self.keeps = root.journal.keeps
        self.stopped = False
        self.interrupted: Error | None = None
        self.later: deque[Later] = deque()
        self.begun: deque[int] = deque()
        self.tries: dict[int, int] = {}
        self.stages: dict[int, int] = {}
        self._own = own
        self._outer = outer
        self._runners: dict[asyncio.Task[None], tuple[Limit, ...]] = {}
        self._alarms: set[Alarm] = set()
        self._pauses: list[tuple[int, float]] = []
        self._done: asyncio.Future[None] | None = None
        self._turning: asyncio.Future[None] | None = None
        self._committing: Awaitable[None] | None = None
        self._looking = False
        self._closing = False
        self._dirty = False
        self._active = 0
        self._alone = False
        self._loop = _running_loop()
        self._since = monotonic() if self._loop is not None else 0.0

    # -- what a subclass says ------------------------------------------------------------------

    def is_ready(self) -> bool:
        """Return whether there is a unit to begin now."""
        raise NotImplementedError

    def take(self) -> int:
        """Take the next unit that is ready."""
        raise NotImplementedError

    def put_back(self, unit: int) -> None:
        """Make a unit ready once more."""
        raise NotImplementedError

    def is_settled(self) -> bool:
        """Return whether nothing is left to do."""
        raise NotImplementedError

    def drain(self) -> None:
        """Do everything that does not wait; return when something waits, or it takes too long."""
        raise NotImplementedError

    def admit(self, unit: int) -> bool:
        """Return whether an attempt at the unit is to begin; otherwise it is seen to."""
        return True

    def work_of(self, unit: int) -> BoundWork:
        """Return the work of a unit at its present stage."""
        raise NotImplementedError

    def record_of(self, unit: int) -> dict[str, Any]:
        """Return the record of a unit; it belongs to the attempt."""
        raise NotImplementedError

    def path_of(self, unit: int) -> str:
        """Return the task path of a unit."""
        raise NotImplementedError

    def number_of(self, unit: int) -> int:
        """Return the number of the attempt at a unit that is made now."""
        if self.keeps:
            return self.root.next_number(self.path_of(unit))
        return self.tries.get(unit, 0) + 1

    def rules_of(self, unit: int) -> tuple[RetryRule | None, float | None, int]:
        """Return when it is tried again, the limit of an attempt in seconds, and how many fallbacks."""
        raise NotImplementedError

    def complete(self, unit: int, value: Any) -> None:
        """Take the result of a unit."""
        raise NotImplementedError

    def fail(self, unit: int, error: Error) -> None:
        """Take the failure of a unit that is not tried again."""
        raise NotImplementedError

    # -- without waiting -----------------------------------------------------------------------

    def overdue(self) -> bool:
        """Return whether everything else should have its turn now; never without an event loop."""
        if self._loop is None:
            return False
        now = monotonic()
        if now - self._since < BREATH:
            return False
        self._since = now
        return True

    def step(self, work: BoundWork, record: dict[str, Any], unit: int) -> Answer:
        """Send a record in the Process of the run: its answer, or a Pending of it."""
        payload = record["in"] if work.sole else record
        process = self.process
        if not work.nested:
            return process.run(work.step, payload)
        # The workflow inside looks at the context when it begins, and that is at once.
        before = process.get(RUN)
        process.set(RUN, self._context(work, unit))
        try:
            return process.run(work.step, payload)
        finally:
            process.set(RUN, before)

    def call(self, work: BoundWork, record: dict[str, Any], limit: float | None) -> Answer:
        """Call a function that does not wait; its result, or its Error."""
        begun = monotonic() if limit is not None else 0.0
        try:
            value = work.call(record)
        except RAISED as error:
            return Error.of(error, symbol=work.label, port="in")
        if limit is not None and monotonic() - begun > limit:
            return _late(work, limit)
        return value

    def attempt_now(self, unit: int, work: BoundWork, limit: float | None) -> bool:
        """Make an attempt that does not wait; False if it would have to."""
        if work.mode == CALL:
            self.over(unit, self.call(work, self.record_of(unit), limit))
            return True
        if work.mode != STEP or limit is not None:
            return False
        answer = self.step(work, self.record_of(unit), unit)
        if type(answer) is PendingAnswer:
            self.later.append(partial(self._await_answer, unit, answer))
        else:
            self.over(unit, answer)
        return True

    async def _await_answer(self, unit: int, answer: PendingAnswer) -> None:
        self.over(unit, await answer)

    def _context(self, work: BoundWork, unit: int) -> RunContext:
        return RunContext(
            self.root,
            self.path_of(unit),
            work.owner,
            self.number_of(unit),
            (*self._outer, *self._own),
        )

    # -- results -------------------------------------------------------------------------------

    def over(self, unit: int, answer: Answer) -> None:
        """Note that an attempt has ended with this answer."""
        if self.keeps:
            self._over_kept(unit, answer)
        elif type(answer) is Error:
            self._failed(unit, answer)
        else:
            self.complete(unit, None if answer is NOTHING else answer)

    def _over_kept(self, unit: int, answer: Answer) -> None:
        """Report how an attempt ended, before anything follows from it."""
        path = self.path_of(unit)
        number = self.root.next_number(path)
        self._active -= 1
        self._dirty = True
        if type(answer) is Error and self._is_interrupted(answer):
            self.interrupt(unit)
            return
        if type(answer) is not Error:
            value = None if answer is NOTHING else answer
            try:
                late = self.report(unit, path, number, value)
            except UnstorableError as error:
                self._active += 1
                self.unstorable(unit, path, error)
                return
            else:
                self.root.numbers[path] = number
                self.complete(unit, value)
                if late:
                    self.commit_soon()
                return
        self._failed(unit, answer)

    def _is_interrupted(self, error: Error) -> bool:
        """Return whether an attempt ended because its program had no more time for it."""
        nested = error.code == DRAINED and self.journal.draining
        return nested or isinstance(error.cause, ShutdownInterrupt)

    def interrupt(self, unit: int) -> None:
        """Report an attempt that its program had no time for, and suspend the run: that is no failure."""
        self.report_cancelled(unit, AttemptStatus.INTERRUPTED)
        self.journal.draining = True
        self.interrupted = Error("the run is suspended: its runtime stops", code=DRAINED)
        self.crash(NodeError(self.interrupted))

    def unstorable(self, unit: int, path: str, error: UnstorableError) -> None:
        """Fail an attempt whose output cannot be kept: to try it again would give the same."""
        self._active -= 1
        self._dirty = True
        self.tries[unit] = _SPENT
        self._failed(unit, Error(str(error), code="unstorable", symbol=path))

    def report(self, unit: int, path: str, number: int, value: Any) -> bool:
        """Report the output of a unit to the journal; True if the turn should be committed."""
        by = self.work_of(unit).name if unit in self.stages else ""
        return self.journal.end(path, number, AttemptStatus.COMPLETED, value, by=by)

    def report_failure(self, unit: int, error: Error, due: float | None) -> None:
        """Report the failure of an attempt to the journal."""
        path = self.path_of(unit)
        number = self.root.numbers[path] = self.root.next_number(path)
        if self.journal.end(path, number, AttemptStatus.FAILED, error, due=due):
            self.commit_soon()

    def commit_soon(self) -> None:
        """Commit the turn before more is done, unless a commit is under way."""
        if self._committing is None:
            self._committing = self.journal.commit()

    def _failed(self, unit: int, error: Error) -> None:
        """Try again, try the next fallback, or let the unit fail."""
        rule, _, fallbacks = self.rules_of(unit)
        tries = self.tries[unit] = self.tries.get(unit, 0) + 1
        pause = None
        if rule is not None:
            deadline = self.process.deadline if self._loop is not None else None
            try:
                pause = rule.pause(error, tries, deadline)
            except ElsewhereError:
                self.later.append(partial(self._judge, unit, error, rule, tries))
                return
            except FAILURES as wrong:
                error = Error.of(wrong, symbol=error.symbol)
        self._follow_up(unit, error, pause, fallbacks)

    async def _judge(self, unit: int, error: Error, rule: RetryRule, tries: int) -> None:
        """Ask the condition of a rule whose code goes on elsewhere."""
        pause = None
        _, _, fallbacks = self.rules_of(unit)
        try:
            pause = await await_program(rule.pause, error, tries, self.process.deadline)
        except FAILURES as wrong:
            error = Error.of(wrong, symbol=error.symbol)
        self._follow_up(unit, error, pause, fallbacks)

    def _follow_up(self, unit: int, error: Error, pause: float | None, fallbacks: int) -> None:
        stage = self.stages.get(unit, 0)
        if pause is None and stage < fallbacks and error.code != "cancelled":
            self.advance(unit, stage + 1)
            pause = 0.0
        if self.keeps:
            self.report_failure(unit, error, None if pause is None else time() + pause)
        if pause is None:
            self.fail(unit, error)
        elif not pause:
            self.put_back(unit)
        elif self._done is None:
            self._pauses.append((unit, pause))
        else:
            self._pause(unit, pause)

    def advance(self, unit: int, stage: int) -> None:
        """Go on with the next fallback."""
        self.stages[unit] = stage
        self.tries[unit] = 0

    def _pause(self, unit: int, seconds: float) -> None:
        def end() -> None:
            self._alarms.discard(alarm)
            self.put_back(unit)
            self.rouse()

        alarm = self.root.timers.after(seconds, end)
        self._alarms.add(alarm)

    # -- runners -------------------------------------------------------------------------------

    async def finish(self) -> None:
        """Do everything: in a plain call as far as nothing waits, then with runners."""
        try:
            await self._finish()
        finally:
            if self.keeps:
                self.drop_begun()

    async def _finish(self) -> None:
        while True:
            if self.keeps:
                self._drain_kept()
            else:
                self.drain()
            if self.interrupted is not None:
                raise NodeError(self.interrupted)
            if self.stopped or self.is_settled():
                return
            if self._is_blocked() or self._loop is None:
                break
            await asyncio.sleep(REST if self.keeps else 0)
        await self._wait()

    def _is_blocked(self) -> bool:
        """Return whether it stopped because something waits, and not just for a breath."""
        return bool(self.later) or self._committing is not None or not self._breathing()

    def _breathing(self) -> bool:
        breathing, self.breathes = self.breathes, False
        return breathing

    breathes = False
    """Whether `drain` returned to let everything else have its turn."""

    async def _wait(self) -> None:
        if self._loop is None:
            text = "a task has to wait, and no event loop is running"
            raise NodeError(Error(text, code="loop"))
        self._done = self._loop.create_future()
        try:
            for unit, pause in self._pauses:
                self._pause(unit, pause)
            self._pauses.clear()
            self.hire(1)
            await self._done
        except GeneratorExit:
            # The packet is given up if nothing can be awaited.
            self._cancel_runners()
            raise
        except BaseException:
            await self._close()
            raise
        await self._close()

    def settled(self) -> None:
        """Note that nothing is left to do, or nothing more is to be done."""
        if self._done is not None and not self._done.done():
            self._done.set_result(None)

    def stop(self) -> None:
        """Begin nothing more, and cancel what is under way."""
        self.stopped = True
        self.settled()

    def crash(self, error: BaseException) -> None:
        """Stop for a reason that is no failure of a unit."""
        self.stopped = True
        if self._done is not None and not self._done.done():
            self._done.set_exception(error)

    def backlog(self) -> int:
        """Return how many runners more could be of use, roughly."""
        ready = self.is_ready() and not self.journal.draining
        return len(self.later) + len(self.begun) + ready

    def rouse(self) -> None:
        """Begin another runner if there is work for it."""
        if self.process.reason is not None:
            # Its Process is cancelled: a runner that begins now would be, too.
            return
        if not self._closing and not self.stopped and self.backlog():
            self.hire(1)

    def hire(self, count: int) -> None:
        """Begin up to so many runners; fewer if the limits allow no more."""
        if self._loop is None:
            return
        owner = self.process.tasks
        for _ in range(count):
            limits = (*self._outer, *self._own) if self._runners else self._own
            if limits and not take_all(limits, self):
                return
            task = owner.start(self._run(), guarded=False)
            self._runners[task] = limits

    def spare(self) -> None:
        """See to it that somebody else pulls while this runner is suspended."""
        if not self._looking and self._loop is not None:
            self._looking = True
            self._loop.call_soon(self._look)

    def _look(self) -> None:
        """Begin twice as many runners, if there is still work a turn of the loop later."""
        self._looking = False
        if not self._closing and not self.stopped:
            backlog = self.backlog()
            if backlog:
                self.hire(min(backlog, max(len(self._runners), 1)))

    async def _run(self) -> None:
        """Pull until nothing is ready."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a runner is a task")
        self._since = monotonic()
        try:
            if self.keeps:
                await self._pull_kept()
                return
            # No coroutine of its own: each that a function suspends through costs.
            while not self.stopped:
                self.drain()
                if self.later:
                    later = self.later.popleft()
                    self.spare()
                    await later()
                elif self._breathing():
                    await asyncio.sleep(0)
                    self._since = monotonic()
                elif self.is_ready():
                    await self._pull_ready()
                else:
                    return
        except asyncio.CancelledError:
            # Whoever cancelled it waits for its end, or has cancelled the process of the run.
            if not self._closing and self.process.reason is None:
                self.crash(RuntimeError("a runner was cancelled from outside"))
        except BaseException as error:
            self.crash(error)
        finally:
            self._dismiss(task)
            if not self._runners and not self._closing:
                self.rouse()

    def _dismiss(self, task: "asyncio.Task[None]") -> None:
        """Give back the slots of a runner that has ended."""
        for limit in self._runners.pop(task, ()):
            limit.give()

    async def _pull_ready(self) -> None:
        """Make an attempt at the unit that comes first."""
        unit = self.take()
        if not self._looking and self.is_ready():
            self.spare()
        await self.attempt(unit)

    async def attempt(self, unit: int) -> None:
        """Make one attempt at a unit."""
        self.over(unit, await self._answer(unit))

    async def _answer(self, unit: int) -> Answer:
        work, (_, limit, _) = self.work_of(unit), self.rules_of(unit)
        record = self.record_of(unit)
        if work.mode == CALL:
            return self.call(work, record, limit)
        try:
            if work.mode == AWAIT and limit is None:
                value = await work.call(record)
                return value if work.back is None else work.back(value)
            if work.mode == AWAIT and limit is not None:
                return await self._limited(work, record, limit)
            if work.mode == STEP and limit is None:
                answer = self.step(work, record, unit)
                return await answer if type(answer) is PendingAnswer else answer
            return await self._forked(unit, work, record, limit)
        except FAILURES as error:
            return Error.of(error, symbol=work.label, port="in")
        except asyncio.CancelledError as error:
            return self._cancelled(unit, error, work)

    def _cancelled(self, unit: int, error: asyncio.CancelledError, work: BoundWork) -> Error:
        """Go on with the cancellation if it is meant for the runner; else it is a failure of the unit."""
        if self._closing or self.process.reason is not None:
            if self.keeps:
                self.report_cancelled(unit)
            raise error
        task = asyncio.current_task()
        while task is not None and task.cancelling():
            task.uncancel()
        return Error.of(error, symbol=work.label, port="in")

    def report_cancelled(self, unit: int, status: AttemptStatus | None = None) -> None:
        """Report an attempt that was stopped to the journal; its status follows from why the run is."""
        reason = self.process.reason
        drained = reason is not None and reason.code in SUSPENDING
        if status is None:
            status = AttemptStatus.INTERRUPTED if drained else AttemptStatus.CANCELLED
        path = self.path_of(unit)
        self.journal.end(path, self.root.next_number(path), status)

    async def _limited(self, work: BoundWork, record: dict[str, Any], limit: float) -> Answer:
        """Await a function with a limit of time: its runner is cancelled, and takes that as its end."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a runner is a task")
        timers = self.root.timers
        alarm = timers.after(limit, task.cancel)
        try:
            value = await work.call(record)
            return value if work.back is None else work.back(value)
        except asyncio.CancelledError:
            if not alarm.rang or task.cancelling() > 1 or self._closing:
                raise
            return _late(work, limit)
        finally:
            if alarm.rang:
                task.uncancel()
            else:
                timers.cancel(alarm)

    async def _forked(
        self, unit: int, work: BoundWork, record: dict[str, Any], limit: float | None
    ) -> Answer:
        """Make an attempt in a Process of its own, which ends with it."""
        child = self.process.fork(work.label)
        path, number = "", 0
        if work.nested:
            child.set(RUN, self._context(work, unit))
        if self.keeps:
            path = self.path_of(unit)
            number = self.root.next_number(path)
            self.journal.opened(child, path, number)
        alarm = None
        if limit is not None:
            alarm = self.root.timers.after(limit, lambda: child.cancel(_late(work, limit)))
        answer: Answer
        try:
            payload = record["in"] if work.sole else record
            if work.action is not None:
                answer = await self._acted(child, work.action, payload)
            else:
                answer = child.run(work.step, payload)
                if type(answer) is PendingAnswer:
                    answer = await answer
        except BaseException as error:
            if not isinstance(error, FAILURES):
                child.cancel(self.process.reason)
            ended = child.end(child.reason or Error.of(error))
            if isinstance(ended, Awaitable):
                await ended
            raise
        finally:
            if alarm is not None:
                self.root.timers.cancel(alarm)
        failed = answer if type(answer) is Error else None
        if self.keeps:
            self.journal.closing(child, path, number, answer)
        ended = child.end(failed)
        if ended is not None and not isinstance(ended, Error):
            ended = await ended
        return ended if failed is None and ended is not None else answer

    async def _forked_action(self, work: BoundWork, record: dict[str, Any]) -> Answer:
        """Make such an attempt at work that is one action, without a limit and a journal, in one coroutine."""
        action, task = work.action, asyncio.current_task()
        if action is None or task is None:
            raise RuntimeError("a runner is a task, and its work is an action")
        payload = record["in"] if work.sole else record
        child = self.process.fork(work.label)
        child.enter(task)
        answer: Answer
        try:
            answer = await (action.fn(payload, child) if action.process else action.fn(payload))
        except FAILURES as error:
            answer = Error.of(error, symbol=action.label, port=action.port)
        except BaseException as error:
            reason = child.reason
            given_up = reason is None or self._closing or self.process.reason is not None
            if given_up or not isinstance(error, asyncio.CancelledError):
                child.leave(task)
                child.cancel(self.process.reason)
                ended = child.end(child.reason or Error.of(error))
                if isinstance(ended, Awaitable):
                    await ended
                raise
            # Its Process was cancelled, and not the run: the reason is the answer.
            task.uncancel()
            answer = reason
        child.leave(task)
        failed = answer if type(answer) is Error else None
        ended = child.end(failed)
        if ended is not None and not isinstance(ended, Error):
            ended = await ended
        return ended if failed is None and ended is not None else answer

    async def _acted(self, child: Process, action: ActionStep, payload: Payload) -> Answer:
        """Await a single action in place: nobody else is inside the Process that it could wait for."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a runner is a task")
        child.enter(task)
        try:
            return await (action.fn(payload, child) if action.process else action.fn(payload))
        except FAILURES as error:
            return Error.of(error, symbol=action.label, port=action.port)
        except asyncio.CancelledError:
            # Its Process was cancelled, and not the run: the reason is the answer.
            reason = child.reason
            if reason is None or self._closing or self.process.reason is not None:
                raise
            task.uncancel()
            return reason
        finally:
            child.leave(task)

    async def _close(self) -> None:
        """Cancel every runner and wait for its end: nothing that began here is left."""
        self._cancel_runners()
        current = asyncio.current_task()
        interrupted: asyncio.CancelledError | None = None
        # A runner that was cancelled before its first step is done, and has not left by itself.
        while left := [task for task in self._runners if task is not current and not task.done()]:
            try:
                await asyncio.wait(left)
            except asyncio.CancelledError as error:
                interrupted = error
            for task in left:
                # A task that is cancelled before its first step never comes to its own end.
                if task.done():
                    self._dismiss(task)
        if interrupted is not None:
            raise interrupted

    def _cancel_runners(self) -> None:
        self._closing = True
        for alarm in self._alarms:
            self.root.timers.cancel(alarm)
        for limit in (*self._outer, *self._own):
            limit.leave(self)
        current = asyncio.current_task()
        for task in tuple(self._runners):
            if task is not current:
                task.cancel()

    # -- with a journal ------------------------------------------------------------------------

    def _drain_kept(self) -> None:
        """Do everything that does not wait, a turn at a time; each turn is committed before it begins."""
        while self._goes_on():
            if not self.begun:
                self._begin_turn()
                if not self.begun:
                    return
            elif not self._begun_now():
                return
            elif self.overdue():
                self.breathes = True
                return

    def call_begun(self) -> bool:
        """Call the plain functions at the front of what has begun; False if there are none."""
        return False

    def _goes_on(self) -> bool:
        """Return whether more can be done without waiting."""
        go_on = not (self.stopped or self.journal.draining)
        return go_on and not self.later and self._committing is None

    def _begun_now(self) -> bool:
        """Make the next attempt that has begun, if it does not wait."""
        unit = self.begun.popleft()
        _, limit, _ = self.rules_of(unit)
        path = self.path_of(unit)
        self.journal.enter(path, self.root.next_number(path))
        if not self.attempt_now(unit, self.work_of(unit), limit):
            self.begun.appendleft(unit)
            return False
        return True

    def room(self) -> int:
        """Return how many attempts may have begun after this turn."""
        if self._alone:
            if self._active:
                return 0
            self._alone = False
        room = self.journal.burst
        for limit in (*self._own, *self._outer):
            room = min(room, max(1, limit.free + len(self._runners) - self._active))
        return room

    def stands_alone(self, unit: int, path: str) -> bool:
        """Return whether a unit may begin in this turn; a suspect waits until nothing else is under way."""
        if path not in self.journal.suspects:
            if not self._alone:
                return True
        elif not self._active:
            self._alone = True
            return True
        self.put_back(unit)
        return False

    def drop_begun(self) -> None:
        """Report the attempts that have begun, and of which no code was called: they had no effect."""
        if self.begun:
            paths = [self.path_of(unit) for unit in self.begun]
            self._active -= len(paths)
            self.begun.clear()
            self.journal.drop([(path, self.root.next_number(path)) for path in paths])

    def _begin_turn(self) -> None:
        """Report what begins next, and commit; `begun` has it then."""
        self._dirty = False
        room = self.room()
        while len(self.begun) < room and self.is_ready() and not self.journal.draining:
            unit = self.take()
            path = self.path_of(unit)
            if self.journal.suspects and not self.stands_alone(unit, path):
                break
            if self.admit(unit):
                self._active += 1
                self.journal.begin(path, self.root.next_number(path))
                self.begun.append(unit)
        if self.begun or not self.is_settled():
            self._committing = self.journal.commit()

    async def _pull_kept(self) -> None:
        while not self.stopped:
            if self._committing is not None or self._turning is not None:
                await self._turn(begin=False)
            elif self.later:
                later = self.later.popleft()
                self.spare()
                await later()
            elif self.begun:
                if self.journal.draining:
                    self.drop_begun()
                    continue
                if self.call_begun():
                    if self._breathing():
                        await asyncio.sleep(REST)
                    continue
                unit = self.begun.popleft()
                if self.begun or self.is_ready():
                    self.spare()
                path = self.path_of(unit)
                self.journal.enter(path, self.root.next_number(path))
                await self.attempt(unit)
                if self.overdue():
                    await asyncio.sleep(REST)
            elif self._more_to_report():
                await self._turn(begin=True)
            else:
                return

    def _more_to_report(self) -> bool:
        """Return whether a turn is of use: something has ended, or can begin."""
        ready = self.is_ready() and not self.journal.draining
        return ready or (self._dirty and not self.is_settled())

    async def _turn(self, *, begin: bool) -> None:
        """Commit what was reported and begin what is ready; everybody who asks meanwhile waits for it."""
        if self._turning is not None:
            await asyncio.shield(self._turning)
            return
        loop = asyncio.get_running_loop()
        turning = self._turning = loop.create_future()
        try:
            if begin:
                # What ends in this turn of the loop is committed together.
                await asyncio.sleep(0)
                self._begin_turn()
            committing, self._committing = self._committing, None
            if committing is not None:
                await committing
        finally:
            self._turning = None
            if not turning.done():
                turning.set_result(None)


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _late(work: BoundWork, limit: float) -> Error:
    return Error(
        f"it took longer than {Duration(limit)}", code="timeout", symbol=work.label, port="in"
    )
