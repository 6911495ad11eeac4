"""A GraphRun runs the tasks of one graph: each begins when its inputs are there, never by levels."""

# One file: the state of a graph's run is read and written at every transition of a task.

import asyncio
from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from time import monotonic, time
from typing import Any

from heddle.extensions.extension import NOTHING, Error, NodeError, Process
from heddle.extensions.tasks.graph.task_graph import Arrivals, Get, GraphTask, Results
from heddle.extensions.tasks.scheduler.bound_graph import (
    AWAIT,
    FORK,
    GENERAL,
    BoundGraph,
    BoundWork,
)
from heddle.extensions.tasks.scheduler.context import RunRoot
from heddle.extensions.tasks.scheduler.for_each import ForEachRun
from heddle.extensions.tasks.scheduler.journal import UnstorableError
from heddle.extensions.tasks.scheduler.limit import Limit
from heddle.extensions.tasks.scheduler.ready_queue import ReadyQueue
from heddle.extensions.tasks.scheduler.work import Work
from heddle.extensions.tasks.status import AttemptStatus, TaskState, TaskStatus
from heddle.runtime.assembly.retry_rule import RetryRule, error_data
from heddle.runtime.flow.elsewhere import ElsewhereError, await_program
from heddle.runtime.flow.step import FAILURES, RAISED

_PENDING, _READY = int(TaskState.PENDING), int(TaskState.READY)
_COMPLETED, _FAILED = int(TaskState.COMPLETED), int(TaskState.FAILED)
_SKIPPED = int(TaskState.SKIPPED)

_LOOK = 0x3F
"""How often the loop looks at the clock: every 64 tasks."""


class GraphRun(Work):
    """One run of the tasks of a workflow, or of a workflow inside another."""

    def __init__(
        self,
        bound: BoundGraph,
        process: Process,
        root: RunRoot,
        path: str,
        own: tuple[Limit, ...] = (),
        outer: tuple[Limit, ...] = (),
    ) -> None:
        super().__init__(process, root, path, own, outer)
        graph = self.graph = bound.graph
        self.bound = bound
        self.missing = graph.needs[:]
        self.records: list[Any] = [record.copy() for record in bound.records]
        self.state = bytearray(len(graph))
        self.modes = bound.modes
        self.ready = ReadyQueue(bound.firsts)
        self.left = len(graph)
        self.values: dict[int, Any] = {}
        self.errors: dict[int, Error] = {}
        self.failures: dict[int, Error] = {}
        self.causes: dict[int, int] = {}
        self.cancelled: Error | None = None
        self._invalid: dict[int, Error] = {}
        self._prepared: set[int] = set()
        self._arrived: dict[int, tuple[int, int]] = {}
        self._numbers: dict[int, int] = {}
        """The number of the attempt that has begun, of tasks for which that is not the first."""
        self._inputs: Mapping[str, Any] = {}

    # -- the beginning and the end -------------------------------------------------------------

    def begin(self, inputs: Mapping[str, Any]) -> None:
        """Fill in what is known when the run begins, and take over what is recorded of it."""
        graph = self.graph
        self._inputs = inputs
        for number, name, source, get in graph.feeds:
            value: Any = inputs.get(source) if source else dict(inputs)
            if get is None:
                self.records[number][name] = value
            elif value is not None:
                self._carry(number, name, get, value)
        for number, name, text, get in graph.runs:
            self._carry(number, name, get, self.value_of_run(text, number))
        if self.keeps and self.journal.recorded:
            self._restore()

    def value_of_run(self, name: str, number: int | None = None) -> str:
        """Return what `run.id` and `run.token` name, the token that of a task."""
        if name == "id":
            return str(self.root.id)
        return str(self.root.token(self.path if number is None else self.path_of(number)))

    def _restore(self) -> None:
        """Settle the tasks that were settled before; one with a time to begin at waits for it."""
        recorded, completed, failed = self.journal.recorded, TaskStatus.COMPLETED, TaskStatus.FAILED
        paths = self.paths
        paused: set[int] = set()
        for number in self.graph.order:
            known = recorded.get(paths[number])
            if known is None or self.state[number] == _SKIPPED:
                continue
            if known.tries:
                self.tries[number] = known.tries
            if known.status is completed:
                self._restore_output(number, known.output)
            elif known.status is failed:
                self.fail(number, known.error or Error("it failed before", code="failed"))
            elif known.status is TaskStatus.SKIPPED:
                self.skip(number, number)
            elif known.due is not None:
                paused.add(number)
                self._pauses.append((number, max(0.0, known.due - time())))
        missing, state = self.missing, self.state
        self.ready = ReadyQueue(
            [
                number
                for number, settled in enumerate(state)
                if (settled == _READY or (settled == _PENDING and not missing[number]))
                and number not in paused
            ]
        )

    def _restore_output(self, unit: int, value: Any) -> None:
        """Hand on the output of a task that was completed before; what is ready is looked up after that."""
        missing, records = self.missing, self.records
        records[unit] = None
        self.state[unit] = _COMPLETED
        self.left -= 1
        for target, name, get in self.bound.outgoing[unit]:
            missing[target] -= 1
            if get is None:
                records[target][name] = value
            else:
                self._carry(target, name, get, value)
        if unit in self.graph.kept or self.bound.extra[unit]:
            self._complete_more(unit, value)

    def outputs(self) -> Any:
        """Return the output of the workflow; it may raise what goes wrong, and Elsewhere."""
        graph = self.graph
        if graph.sole is not None:
            return self.values.get(graph.sole)
        results = Results(self.values, self.errors, self._inputs, self.value_of_run)
        if graph.single:
            return graph.results[0].take(results)
        return {result.name: result.take(results) for result in graph.results}

    def failure(self) -> Error | None:
        """Return why the run has failed; None if it has not."""
        if self.cancelled is not None:
            return self.cancelled
        if not self.failures:
            return None
        return Error.join(self.failures[number] for number in sorted(self.failures))

    def cancel(self, reason: Error) -> None:
        """End the run: nothing more begins, and what is under way is cancelled."""
        self.cancelled = reason
        self.stop()

    # -- what the base asks --------------------------------------------------------------------

    def is_ready(self) -> bool:
        """Return whether there is a task to begin now."""
        return bool(self.ready or self.ready.aside)

    def take(self) -> int:
        """Take the ready task that comes first."""
        return self.ready.take()

    def put_back(self, unit: int) -> None:
        """Make a task ready once more, for its next attempt."""
        self.ready.put(unit)

    def advance(self, unit: int, stage: int) -> None:
        """Go on with the next fallback of a task."""
        super().advance(unit, stage)
        self._slow(unit)

    def _slow(self, unit: int) -> None:
        """See to it that a task is more than a call from now on."""
        if self.modes is self.bound.modes:
            self.modes = bytearray(self.modes)
        self.modes[unit] = GENERAL

    def backlog(self) -> int:
        """Return how many runners more could be of use."""
        ready = 0 if self.journal.draining else self.ready.size()
        return len(self.later) + len(self.begun) + ready

    def is_settled(self) -> bool:
        """Return whether every task is settled."""
        return not self.left

    def work_of(self, unit: int) -> BoundWork:
        """Return the work of a task, or that of the fallback that it has come to."""
        stage = self.stages.get(unit, 0) if self.stages else 0
        return self.bound.fallbacks[unit][stage - 1] if stage else self.bound.works[unit]

    def record_of(self, unit: int) -> dict[str, Any]:
        """Return the record of a task."""
        record: dict[str, Any] = self.records[unit]
        return record

    @cached_property
    def paths(self) -> Sequence[str]:
        """The task paths of all tasks."""
        names = self.graph.names
        return [f"{self.path}/{name}" for name in names] if self.path else names

    def path_of(self, unit: int) -> str:
        """Return the task path of a task."""
        return self.paths[unit]

    def rules_of(self, unit: int) -> tuple[RetryRule | None, float | None, int]:
        """Return when a task is tried again, its limit of time, and how many fallbacks it has."""
        task = self.graph.tasks[unit]
        if task.each is not None:
            # Items have attempts, limits and fallbacks of their own; the task only gathers them.
            return None, None, 0
        return task.rule, task.timeout, len(task.fallbacks)

    # -- the loop ------------------------------------------------------------------------------

    def drain(self) -> None:
        """Run every task that is ready and does not wait, and those that become ready by that."""
        # One function: a call more for each task would cost a tenth of a short task.
        ready, records, missing = self.ready, self.records, self.missing
        calls, outgoing, extra = self.bound.calls, self.bound.outgoing, self.bound.extra
        state, kept, values = self.state, self.graph.kept, self.values
        done = 0
        aside = ready.aside
        while ready or aside:
            if aside:
                ready.settle()
            number = ready[0]
            if self.modes[number]:
                self.left -= done
                done = 0
                if self.stopped or not self._run_now(number):
                    return
                if self.later or self.stopped:
                    return
                if self.overdue():
                    self.breathes = True
                    return
                continue
            ready.popleft()
            try:
                value = calls[number](records[number])
            except RAISED as error:
                self.left -= done
                done = 0
                work = self.bound.works[number]
                self.over(number, Error.of(error, symbol=work.label, port="in"))
                if self.stopped or self.later:
                    return
                continue
            if type(value) is Error:
                self.over(number, value)
                if self.stopped:
                    break
                continue
            records[number] = None
            state[number] = _COMPLETED
            done += 1
            if number in kept:
                values[number] = value
            for target, name, get in outgoing[number]:
                if get is None:
                    records[target][name] = value
                else:
                    self._carry(target, name, get, value)
                left = missing[target] - 1
                missing[target] = left
                if not left:
                    if not ready or target > ready[-1]:
                        ready.append(target)
                    else:
                        ready.put(target)
            if extra[number]:
                self._spread(number, True, None, value)
            if not done & _LOOK and self.overdue():
                self.breathes = True
                break
        self.left -= done
        if not self.left:
            self.settled()

    def _run_now(self, number: int) -> bool:
        """Make an attempt at a task that is more than a call; False if it has to wait for a runner."""
        mode = self.modes[number]
        if mode in (AWAIT, FORK):
            return False
        self.ready.popleft()
        if mode == GENERAL and not self.admit(number):
            return True
        work = self.work_of(number)
        if not self.attempt_now(number, work, self.graph.tasks[number].timeout):
            self.ready.put(number)
            return False
        return True

    async def _pull_ready(self) -> None:
        """Await tasks that are nothing but work that waits, as long as such are ready."""
        # One function: what completes a task stands here, too, as in `drain`.
        ready, aside, waits = self.ready, self.ready.aside, self.bound.waits
        records, missing, state = self.records, self.missing, self.state
        made = 0
        while not self.stopped:
            if aside:
                ready.settle()
            if not ready:
                return
            unit = ready.popleft()
            mode = self.modes[unit]
            if mode != AWAIT:
                if mode == FORK and not self.keeps:
                    await self._await_forked(unit)
                    continue
                ready.appendleft(unit)
                if mode == GENERAL:
                    await super()._pull_ready()
                return
            if ready and not self._looking:
                self.spare()
            call, plain, more, outgoing = waits[unit]
            answer: Any
            try:
                answer = await call(records[unit])
                failed = type(answer) not in plain
                if failed:
                    answer = self._plain_answer(unit, answer)
                    failed = type(answer) is Error
            except FAILURES as error:
                answer, failed = (
                    Error.of(error, symbol=self.bound.works[unit].label, port="in"),
                    True,
                )
            except asyncio.CancelledError as error:
                answer, failed = self._cancelled(unit, error, self.bound.works[unit]), True
            if failed:
                self._failed(unit, answer)
            else:
                records[unit] = None
                state[unit] = _COMPLETED
                self.left -= 1
                for target, name, get in outgoing:
                    if get is None:
                        records[target][name] = answer
                    else:
                        self._carry(target, name, get, answer)
                    left = missing[target] - 1
                    missing[target] = left
                    if not left and not state[target]:
                        ready.put(target)
                if more:
                    self._complete_more(unit, answer)
                if not self.left:
                    self.settled()
            made += 1
            if not made & 0xF and self.overdue():
                await asyncio.sleep(0)
                self._since = monotonic()

    async def _await_forked(self, unit: int) -> None:
        """Make an attempt at a task in a Process of its own."""
        if self.is_ready() and not self._looking:
            self.spare()
        work, record = self.bound.works[unit], self.records[unit]
        try:
            if work.action is not None and not work.nested:
                answer = await self._forked_action(work, record)
            else:
                answer = await self._forked(unit, work, record, None)
        except FAILURES as error:
            answer = Error.of(error, symbol=work.label, port="in")
        except asyncio.CancelledError as error:
            answer = self._cancelled(unit, error, work)
        self.over(unit, answer)
        if self.overdue():
            await asyncio.sleep(0)
            self._since = monotonic()

    def _plain_answer(self, unit: int, answer: Any) -> Any:
        """Return an awaited result as plain data; nothing is null for dependents."""
        back = self.bound.works[unit].back
        if back is not None:
            answer = back(answer)
        return None if answer is NOTHING else answer

    def _complete_more(self, unit: int, value: Any) -> None:
        """Keep the output of a completed task, and tell dependents that do not simply wait for it."""
        if unit in self.graph.kept:
            self.values[unit] = value
        if self.bound.extra[unit]:
            self._spread(unit, True, None, value)

    async def attempt(self, unit: int) -> None:
        """Make one attempt at a task, once it is prepared."""
        if self.keeps or self.modes[unit] != GENERAL or self.admit(unit):
            self.over(unit, await self._answer(unit))

    def admit(self, unit: int) -> bool:
        """Prepare the record of a task; False if it is settled by that, or goes on by itself."""
        if unit in self._invalid:
            error = self._invalid[unit]
            if self.keeps:
                self.journal.settle(self.path_of(unit), TaskStatus.FAILED, error)
            self.fail(unit, error)
            return False
        task = self.graph.tasks[unit]
        if task.prepare is not None and unit not in self._prepared:
            try:
                self._take_prepared(unit, task.prepare(self.records[unit]))
            except ElsewhereError:
                self.later.append(partial(self._prepare_later, unit, task))
                return False
            except FAILURES as error:
                self._fail_early(unit, Error.of(error, symbol=self.bound.works[unit].label))
                return False
            if self.state[unit] == _SKIPPED:
                return False
        if task.each is not None:
            self._begin_items(unit, task)
            return False
        if self.keeps and self.work_of(unit).nested:
            self._begin_nested(unit)
            return False
        return True

    def _take_prepared(self, unit: int, record: dict[str, Any] | None) -> None:
        self._prepared.add(unit)
        if record is None:
            self.skip(unit, unit)
        else:
            self.records[unit] = record

    async def _prepare_later(self, unit: int, task: GraphTask) -> None:
        """Prepare a task whose code goes on elsewhere; then it is ready once more."""
        if task.prepare is None:
            raise RuntimeError("the task has nothing to prepare")
        try:
            self._take_prepared(unit, await await_program(task.prepare, self.records[unit]))
        except FAILURES as error:
            self._fail_early(unit, Error.of(error, symbol=self.bound.works[unit].label))
            return
        if self.state[unit] != _SKIPPED:
            self.ready.put(unit)

    def _fail_early(self, unit: int, error: Error) -> None:
        """Fail a task before any attempt."""
        if self.keeps:
            self.journal.settle(self.path_of(unit), TaskStatus.FAILED, error)
            self._dirty = True
        self.fail(unit, error)

    # -- the loop with a journal -----------------------------------------------------------------

    def _drain_kept(self) -> None:
        """Do everything that does not wait; what is a plain call takes no longer than it must."""
        while self._goes_on():
            if not self.begun:
                self._begin_turn()
                if not self.begun:
                    return
            elif self.call_begun():
                if self.breathes or not self.begun:
                    return
            elif not self._begun_now():
                return
            elif self.overdue():
                self.breathes = True
                return

    def _begin_turn(self) -> None:
        """Report what begins next, and commit; `begun` has it then."""
        self._dirty = False
        ready, begun = self.ready, self.begun
        paths = self.paths
        fresh = not (self.root.numbers or self.journal.recorded)
        keys: list[tuple[str, int]] = []
        room = 0 if self.journal.draining else self.room()
        suspects = self.journal.suspects
        aside = ready.aside
        while (ready or aside) and len(begun) < room:
            if aside:
                ready.settle()
            unit = ready.popleft()
            path = paths[unit]
            if suspects and not self.stands_alone(unit, path):
                break
            if self.modes[unit] and not self.admit(unit):
                continue
            keys.append((path, 1 if fresh else self._next_number(unit, path)))
            begun.append(unit)
        if keys:
            self.journal.begin_all(keys)
            self._active += len(keys)
        if begun or self.left:
            self._committing = self.journal.commit()

    def _next_number(self, unit: int, path: str) -> int:
        """Return the number of the attempt at a task that begins now."""
        number = self.root.next_number(path)
        if number > 1:
            self._numbers[unit] = number
        return number

    def call_begun(self) -> bool:
        """Call the plain functions at the front of what has begun; False if there are none.

        It is one loop, as `drain` is: a call of ours for each task would cost more than most tasks.
        """
        # `modes` is looked up each time: a task that fails or is spoiled gets a mode of its own.
        # One function: every way in which a call may have ended is a branch, and they share what
        # was counted.
        begun, records, state = self.begun, self.records, self.state
        calls, outgoing, extra = self.bound.calls, self.bound.outgoing, self.bound.extra
        paths = self.paths
        kept, values, missing, ready = self.graph.kept, self.values, self.missing, self.ready
        journal = self.journal
        end, numbers = journal.end_call, self._numbers
        lone = not (self._own or self._outer or journal.suspects or self._alone)
        speaker = journal.enter_all()
        if self.modes[begun[0]]:
            return False
        done = 0
        while True:
            if not begun:
                # A chain begins its next task here: to come in again would cost as much as the task.
                if self.stopped or self.later or self._committing is not None:
                    break
                if (
                    lone
                    and len(ready) == 1
                    and not ready.aside
                    and not self.modes[ready[0]]
                    and not journal.draining
                ):
                    unit = ready.pop()
                    path = paths[unit]
                    journal.begin(path, self._next_number(unit, path))
                    begun.append(unit)
                    self._active += 1
                    self._committing = journal.commit()
                else:
                    self._begin_turn()
                if not begun or self._committing is not None:
                    break
            unit = begun[0]
            if self.modes[unit]:
                break
            begun.popleft()
            path = paths[unit]
            number = numbers.get(unit, 1)
            speaker.path = path
            speaker.number = number
            try:
                value = calls[unit](records[unit])
            except RAISED as error:
                value = Error.of(error, symbol=self.bound.works[unit].label, port="in")
            if type(value) is Error or value is NOTHING:
                self.over(unit, value)
                if self.stopped or self.later or self._committing is not None:
                    return True
                continue
            try:
                late = end(path, number, value)
            except UnstorableError as error:
                self.unstorable(unit, path, error)
                if self.stopped or self.later:
                    return True
                continue
            self._active -= 1
            self.left -= 1
            records[unit] = None
            state[unit] = _COMPLETED
            if unit in kept:
                values[unit] = value
            for target, name, get in outgoing[unit]:
                if get is None:
                    records[target][name] = value
                else:
                    self._carry(target, name, get, value)
                left = missing[target] - 1
                missing[target] = left
                if not left and state[target] == _PENDING:
                    ready.put(target)
            if extra[unit]:
                self._spread(unit, True, None, value)
            if late:
                self.commit_soon()
                if self._committing is not None or journal.draining:
                    break
                if self.overdue():
                    self.breathes = True
                    break
            done += 1
            if not done & _LOOK:
                if self.overdue():
                    self.breathes = True
                    break
                if journal.draining:
                    break
        self._dirty = True
        if not self.left:
            self.settled()
        return True

    # -- tasks that hold attempts --------------------------------------------------------------

    def _begin_items(self, unit: int, task: GraphTask) -> None:
        """Work on the items of a `for_each`, at once as far as they do not wait."""
        works = (self.bound.works[unit], *self.bound.fallbacks[unit])
        try:
            items = ForEachRun(
                task,
                works,
                self.records[unit],
                self.process,
                self.root,
                self.path_of(unit),
                (*self._outer, *self._own),
            )
        except NodeError as failure:
            self._fail_early(unit, failure.error.at(self.bound.works[unit].label, "in"))
            return
        if self._done is None and not self.keeps:
            items.drain()
            if items.is_over():
                self.over(unit, items.answer())
                return
        self._active += 1
        self.later.append(partial(self._finish_items, unit, items))

    async def _finish_items(self, unit: int, items: ForEachRun) -> None:
        await items.finish()
        self.over(unit, items.answer())

    def _begin_nested(self, unit: int) -> None:
        """Run a workflow inside, whose attempts are those of its tasks."""
        self._active += 1
        self.later.append(partial(self._finish_nested, unit))

    async def _finish_nested(self, unit: int) -> None:
        self.over(unit, await self._answer(unit))

    def _holds(self, unit: int) -> bool:
        """Return whether the attempts of a task are those of what it holds."""
        return self.graph.tasks[unit].each is not None or self.work_of(unit).nested

    def report(self, unit: int, path: str, number: int, value: Any) -> bool:
        """Report the output of a task to the journal."""
        if not self._holds(unit):
            return super().report(unit, path, number, value)
        self.journal.settle(path, TaskStatus.COMPLETED, value)
        return False

    def report_failure(self, unit: int, error: Error, due: float | None) -> None:
        """Report the failure of an attempt at a task to the journal."""
        if not self._holds(unit):
            super().report_failure(unit, error, due)
        elif due is None:
            self.journal.settle(self.path_of(unit), TaskStatus.FAILED, error)

    def report_cancelled(self, unit: int, status: AttemptStatus | None = None) -> None:
        """Report an attempt that was stopped to the journal."""
        if not self._holds(unit):
            super().report_cancelled(unit, status)

    # -- what follows --------------------------------------------------------------------------

    def complete(self, unit: int, value: Any) -> None:
        """Hand the output of a task on."""
        missing, records, bound = self.missing, self.records, self.bound
        records[unit] = None
        self.state[unit] = _COMPLETED
        self.left -= 1
        if unit in self.graph.kept:
            self.values[unit] = value
        for target, name, get in bound.outgoing[unit]:
            if get is None:
                records[target][name] = value
            else:
                self._carry(target, name, get, value)
            left = missing[target] - 1
            missing[target] = left
            if not left and not self.state[target]:
                self.ready.put(target)
        if bound.extra[unit]:
            self._spread(unit, True, None, value)
        if not self.left:
            self.settled()

    def fail(self, unit: int, error: Error) -> None:
        """Let a task fail: what follows is what its `on_error` says."""
        task = self.graph.tasks[unit]
        if task.fallback_value is not None:
            self.complete(unit, task.fallback_value[0])
            return
        if task.on_error == "ignore":
            self.complete(unit, None)
            return
        self._settle(unit, _FAILED)
        self.errors[unit] = error
        if unit not in self.graph.handled:
            self.failures[unit] = error
            if task.on_error == "stop":
                self.stop()
                return
        self._spread(unit, False, error, None)
        if not self.left:
            self.settled()

    def skip(self, unit: int, cause: int) -> None:
        """Skip a task and all that cannot begin without it; `cause` is the task at the root of it."""
        todo = [unit]
        while todo:
            number = todo.pop()
            if self.state[number] not in (_PENDING, _READY):
                continue
            self._settle(number, _SKIPPED)
            self.causes[number] = cause
            if self.keeps:
                name = self.graph.names[cause]
                detail = {"cause": name} if cause != number else {"reason": "when is false"}
                self.journal.settle(self.path_of(number), TaskStatus.SKIPPED, detail=detail)
                self._dirty = True
            todo += self._left_behind(number, False, None, None)
        if not self.left:
            self.settled()

    def _settle(self, unit: int, state: int) -> None:
        if state != _SKIPPED:
            # What is skipped may still be handed outputs of other tasks.
            self.records[unit] = None
        self.state[unit] = state
        self.left -= 1

    def _spread(self, unit: int, completed: bool, error: Error | None, value: Any) -> None:
        """Tell dependents that do not simply wait for an output, and skip those that never get it."""
        cause = self.causes.get(unit, unit)
        for number in self._left_behind(unit, completed, error, value):
            self.skip(number, cause)

    def _left_behind(
        self, unit: int, completed: bool, error: Error | None, value: Any
    ) -> list[int]:
        """Tell the dependents of a settled task; return those that can never begin now."""
        lost: list[int] = []
        for flow in self.graph.outgoing[unit]:
            if not completed:
                lost.append(flow.task)
            elif flow.input is None:
                self._count_down(flow.task)
        for arrival in self.graph.arrivals[unit]:
            if self.state[arrival.task] != _PENDING:
                continue
            if self._arrive(arrival, completed, error, value):
                lost.append(arrival.task)
        return lost

    def _count_down(self, number: int) -> None:
        self.missing[number] -= 1
        if not self.missing[number] and self.state[number] == _PENDING:
            self.ready.put(number)

    def _arrive(self, arrival: Arrivals, completed: bool, error: Error | None, value: Any) -> bool:
        """Hand over what a settled task has for a dependent; True if that can never begin now."""
        number = arrival.task
        if completed:
            for flow in arrival.flows:
                if flow.input is not None:
                    self._carry(number, flow.input, flow.get, value)
        if error is not None:
            for flow in arrival.errors:
                self._carry(number, str(flow.input), flow.get, error_data(error))
        good = error is not None if arrival.errors else completed
        join = self.graph.tasks[number].join
        if join == "all":
            if good:
                self._count_down(number)
            return not good
        seen, had = self._arrived.get(number, (0, 0))
        seen, had = seen + 1, had + good
        self._arrived[number] = seen, had
        total = self.graph.totals[number]
        if join == "settled":
            begins, never = seen == total, False
        else:
            needed = 1 if join == "any" else int(join)
            begins, never = had >= needed, had + total - seen < needed
        if begins:
            self.state[number] = _READY
            self.ready.put(number)
        return never

    def _carry(self, target: int, name: Any, get: Get | None, value: Any) -> None:
        """Put the part of a value that a dataflow carries into a record; failing that, spoil the task."""
        try:
            self.records[target][name] = value if get is None else get(value)
        except FAILURES as error:
            self._slow(target)
            label = self.bound.works[target].label
            self._invalid.setdefault(target, Error.of(error, symbol=label))
