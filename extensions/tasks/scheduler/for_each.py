"""A ForEachRun works on the items of an input: each is taken when it is worked on, and the results keep their order."""

from collections.abc import Iterable, Iterator
from heapq import heappop, heappush
from itertools import chain, islice, product
from math import prod
from time import monotonic, time
from typing import Any, Final

from heddle.extensions.extension import NOTHING, Answer, Error, NodeError, Process
from heddle.extensions.tasks.functions import ItemCall
from heddle.extensions.tasks.graph.task_graph import GraphTask, item_path
from heddle.extensions.tasks.scheduler.bound_graph import CALL, STEP, BoundWork
from heddle.extensions.tasks.scheduler.context import RunRoot
from heddle.extensions.tasks.scheduler.limit import Limit
from heddle.extensions.tasks.scheduler.work import Work
from heddle.extensions.tasks.status import TaskStatus
from heddle.runtime.assembly.retry_rule import RetryRule, error_data
from heddle.runtime.flow.step import RAISED
from heddle.schemas.data_type import describe_type

_OPEN: Final[Any] = object()
"""In the place of a result that is not there yet, or is left out."""

_FEW: Final = 16
"""Plain calls before the first look at the clock."""

_MOST: Final = 4096
"""Plain calls between two looks at the clock, if they are quick."""

_SHORT: Final = 0.001
"""Seconds that the calls between two looks should take."""


class ForEachRun(Work):
    """The items of one task. Raise NodeError if its inputs are not lists that go together."""

    def __init__(
        self,
        task: GraphTask,
        works: tuple[BoundWork, ...],
        record: dict[str, Any],
        process: Process,
        root: RunRoot,
        path: str,
        outer: tuple[Limit, ...],
    ) -> None:
        if task.each is None:
            raise RuntimeError("the task has no for_each")
        self.task = task
        self.fields = task.each
        lists = [_list_of(record, name, task) for name in task.over]
        self.count = self._count(lists)
        own = (Limit(self.fields.concurrency),) if self.fields.concurrency is not None else ()
        super().__init__(process, root, path, own, outer)
        self._works = works
        self._record = record
        self._names = task.over
        self._items: Iterator[Any] = self._iterate(lists)
        self._caller: ItemCall | None = None
        self._next = 0
        self._held: dict[int, Any] = {}
        self._again: list[int] = []
        self._results: list[Any] = []
        self._left = self.count
        self._failure: Error | None = None
        self._order: list[int] | None = [] if self.fields.order == "completion" else None
        if self.keeps and self.journal.recorded:
            self._restore()

    # -- items ---------------------------------------------------------------------------------

    def _count(self, lists: list[list[Any]]) -> int:
        """Return how many units there are; raise NodeError if lists do not go together, or are too long."""
        sizes = [len(values) for values in lists]
        if self.fields.how == "product":
            items = prod(sizes)
        else:
            if len(set(sizes)) > 1:
                shown = ", ".join(
                    f"{name} has {size}" for name, size in zip(self.task.over, sizes, strict=True)
                )
                raise NodeError(Error(f"the lists are not of equal length: {shown}", code="length"))
            items = sizes[0]
        if items > self.fields.limit:
            text = f"{items:,} items are more than the limit of {self.fields.limit:,}"
            raise NodeError(Error(text, code="limit"))
        batch = self.fields.batch
        return items if batch is None else -(-items // batch)

    def _iterate(self, lists: list[list[Any]]) -> Iterator[Any]:
        """Yield what a unit works on: an item, a tuple of items, or a list of those (a batch)."""
        each: Iterator[Any]
        if len(lists) == 1:
            each = iter(lists[0])
        elif self.fields.how == "product":
            each = iter(product(*lists))
        else:
            each = zip(*lists, strict=True)
        if self.fields.batch is None:
            return each
        return self._batches(each, self.fields.batch)

    def _batches(self, each: Iterator[Any], size: int) -> Iterator[Any]:
        single = len(self._names) == 1
        while batch := list(islice(each, size)):
            yield batch if single else tuple(list(column) for column in zip(*batch, strict=True))

    def _restore(self) -> None:
        """Settle the items that were settled before; one with a time to begin at waits for it."""
        recorded = self.journal.recorded
        for unit in range(self.count):
            known = recorded.get(item_path(self.path, unit))
            item = next(self._items)
            self._next += 1
            if known is not None and known.status is TaskStatus.COMPLETED:
                self.complete(unit, known.output)
                continue
            if known is not None and known.status is TaskStatus.FAILED:
                self._held[unit] = item
                self.fail(unit, known.error or Error("it failed before"))
                continue
            self._held[unit] = item
            if known is not None and known.status is TaskStatus.SKIPPED:
                self._skip(unit)
                continue
            if known is not None:
                self.tries[unit] = known.tries
                if known.due is not None:
                    self._pauses.append((unit, max(0.0, known.due - time())))
                    continue
            heappush(self._again, unit)

    # -- what the base asks --------------------------------------------------------------------

    def is_ready(self) -> bool:
        """Return whether there is an item to begin now."""
        return bool(self._again) or self._next < self.count

    def backlog(self) -> int:
        """Return how many runners more could be of use."""
        ready = 0 if self.journal.draining else len(self._again) + self.count - self._next
        return len(self.later) + len(self.begun) + ready

    def take(self) -> int:
        """Take an item that is tried again, or the next."""
        if self._again:
            return heappop(self._again)
        unit = self._next
        self._held[unit] = next(self._items)
        self._next += 1
        return unit

    def put_back(self, unit: int) -> None:
        """Make an item ready once more, for its next attempt."""
        heappush(self._again, unit)

    def is_settled(self) -> bool:
        """Return whether every item is settled."""
        return not self._left

    def is_over(self) -> bool:
        """Return whether there is an answer: all items are settled, or one has failed for all."""
        return self.stopped or not self._left

    def work_of(self, unit: int) -> BoundWork:
        """Return the work on an item at its present stage."""
        return self._works[self.stages.get(unit, 0) if self.stages else 0]

    def record_of(self, unit: int) -> dict[str, Any]:
        """Return the record of an item: that of the task, with the item in the place of the list."""
        item = self._held[unit]
        names = self._names
        if len(names) == 1:
            return {**self._record, names[0]: item}
        return {**self._record, **dict(zip(names, item, strict=True))}

    def path_of(self, unit: int) -> str:
        """Return the task path of an item."""
        return item_path(self.path, unit)

    def rules_of(self, unit: int) -> tuple[RetryRule | None, float | None, int]:
        """Return when an item is tried again, its limit of time, and how many fallbacks it has."""
        return self.task.rule, self.task.timeout, len(self._works) - 1

    # -- the loop ------------------------------------------------------------------------------

    def drain(self) -> None:
        """Work on everything that does not wait."""
        work, limit = self._works[0], self.task.timeout
        if work.mode == CALL and limit is None and not self._again and not self.stages:
            self._drain_calls(work)
            if self.breathes:
                return
        elif work.mode not in (CALL, STEP):
            return
        while not self.stopped and not self.later and self.is_ready():
            unit = self.take()
            if not self.attempt_now(unit, self.work_of(unit), limit):
                self.put_back(unit)
                return
            if self.overdue():
                self.breathes = True
                return

    def _drain_calls(self, work: BoundWork) -> None:
        """Call a function for one item after the other, with nothing else between the calls."""
        if self.fields.batch is not None or self._order is not None or self.keeps:
            return
        if self._caller is None:
            self._caller = self._call_with_item(work)
        results = self._results
        # Items before these may still be under way: their places must be there.
        results.extend([_OPEN] * (self._next - len(results)))
        size = _FEW
        while self._next < self.count and not self.stopped:
            chunk = list(islice(self._items, size))
            began = monotonic()
            before = len(results)
            failed: Error | None = None
            try:
                _call_all(self._caller, chunk, results)
            except RAISED as error:
                failed = Error.of(error, symbol=work.label, port="in")
            made = len(results) - before
            self._next += made
            self._left -= made
            if failed is not None:
                self._items = chain(chunk[made + 1 :], self._items)
                if not self._failed_call(failed, chunk[made]):
                    return
            # Quick calls are made many at a time; slow ones must not hold the event loop.
            size = min(size * 2, _MOST) if monotonic() - began < _SHORT else max(size // 2, 1)
            if self.overdue():
                self.breathes = True
                return
        if not self._left:
            self.settled()

    def _failed_call(self, error: Error, item: Any) -> bool:
        """See to the item whose call has failed; True if the calls can go on after it."""
        unit = self._next
        self._held[unit] = item
        self._next += 1
        self._results.append(_OPEN)
        self.over(unit, error)
        return not (self._again or self.stages or self._pauses or self.later or self.stopped)

    def _call_with_item(self, work: BoundWork) -> ItemCall:
        """Return the call with a single item; the rest of the record is the same for all."""
        names, record, call = self._names, self._record, work.call
        name, *more = names
        if more:
            return ItemCall(lambda items: call({**record, **dict(zip(names, items, strict=True))}))
        if work.item_call is not None:
            others = {key: value for key, value in record.items() if key != name}
            return work.item_call(name, others)
        return ItemCall(lambda item: call({**record, name: item}))

    # -- results -------------------------------------------------------------------------------

    def over(self, unit: int, answer: Answer) -> None:
        """Note that an attempt has ended; an answer that does not fit its batch is a failure of it."""
        if self.fields.batch is not None and type(answer) is not Error:
            size = self._size_of(self._held[unit])
            if not isinstance(answer, list) or len(answer) != size:
                shown = None if answer is NOTHING else answer
                actual = (
                    f"a list of {len(shown)}" if isinstance(shown, list) else describe_type(shown)
                )
                text = f"{self.task.name} answered {actual} for a batch of {size} items"
                answer = Error(text, code="batch", symbol=self.work_of(unit).label)
        super().over(unit, answer)

    def _size_of(self, batch: Any) -> int:
        """Return how many items a batch has."""
        return len(batch) if len(self._names) == 1 else len(batch[0])

    def complete(self, unit: int, value: Any) -> None:
        """Take the result of an item."""
        self._held.pop(unit, None)
        self._put(unit, value)

    def _put(self, unit: int, value: Any) -> None:
        results = self._results
        if unit >= len(results):
            results.extend([_OPEN] * (unit + 1 - len(results)))
        results[unit] = value
        if self._order is not None:
            self._order.append(unit)
        self._left -= 1
        if not self._left:
            self.settled()

    def fail(self, unit: int, error: Error) -> None:
        """Let an item fail: `on_error` says what that means for the task."""
        item = self._held.pop(unit, None)
        policy = self.fields.on_error
        if policy == "fail":
            self._failure = error
            self.stop()
            return
        self._put_for(unit, item, {"error": error_data(error)} if policy == "keep" else _OPEN)

    def _skip(self, unit: int) -> None:
        """Settle an item that a person skipped: its result is null, or left out with `on_error: skip`."""
        item = self._held.pop(unit, None)
        self._put_for(unit, item, _OPEN if self.fields.on_error == "skip" else None)

    def _put_for(self, unit: int, item: Any, value: Any) -> None:
        """Put a value in the place of the result of an item, or of each result of a batch."""
        self._put(unit, value if self.fields.batch is None else [value] * self._size_of(item))

    def answer(self) -> Answer:
        """Return the list of results, or the Error of the item that failed for all."""
        if self._failure is not None:
            return self._failure
        results: list[Any] = self._results
        if self._order is not None:
            results = [results[unit] for unit in self._order]
        if self.fields.batch is not None:
            results = [value for batch in results for value in batch]
        if self.fields.on_error == "skip":
            results = [each for each in results if each is not _OPEN]
        if not self.fields.flatten:
            return results
        flat: list[Any] = []
        for result in results:
            if isinstance(result, list):
                flat += result
            else:
                flat.append(result)
        return flat


def _call_all(caller: ItemCall, chunk: list[Any], results: list[Any]) -> None:
    """Append the result of each item; what is raised belongs to the item after the last result.

    The types of a whole chunk are looked at at once: almost always nothing has to be converted.
    """
    items: Iterable[Any] = chunk
    if caller.build is not None and not caller.accepts.issuperset(map(type, chunk)):
        items = map(caller.build, chunk)
    made: list[Any] = []
    try:
        made.extend(map(caller.call, items))
    finally:
        # What is there before an item fails counts.
        plain = caller.write is None or caller.gives.issuperset(map(type, made))
        results.extend(made if plain or caller.write is None else map(caller.write, made))


def _list_of(record: dict[str, Any], name: str, task: GraphTask) -> list[Any]:
    value = record.get(name)
    if not isinstance(value, list):
        text = f"for_each of {task.name} works on a list, and {name} is {describe_type(value)}"
        raise NodeError(Error(text, code="type"))
    return value
