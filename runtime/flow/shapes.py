"""Shapes make a Node of a plain function: one-to-one, one-to-many, many-to-one.

    shout = one_to_one(str.upper)
    halves = one_to_many(lambda text: [text[:9], text[9:]])
    pair = many_to_one(lambda row: {"left": row[0], "right": row[1]})

Each function may be `async def`. What it raises goes to `error`. Who needs more than a shape writes
a Node with handlers of its own.
"""

from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from inspect import iscoroutinefunction
from typing import Any, TypeAlias

from heddle.runtime.flow.contracts import Host, Process
from heddle.runtime.flow.errors import NOTHING, Answer, Error, NodeError, Payload
from heddle.runtime.flow.flow import Flow
from heddle.runtime.flow.node import Action, Handler, Node, Visit
from heddle.runtime.flow.packet import join

Many: TypeAlias = Mapping[str, Payload] | Sequence[Payload]
"""The packets that leave by each port: by its name, or by its number (`out`, `out[1]`, …)."""

Row: TypeAlias = list[Payload]
"""One payload of each in port that is linked, in the order of the ports."""


def one_to_one(fn: Callable[[Payload], Payload | Awaitable[Payload]]) -> Node:
    """`in` → `fn(payload)` → `out`. NOTHING ends the packet's way."""
    return OneToOne(fn)


def one_to_many(fn: Callable[[Payload], Many | Awaitable[Many]]) -> Node:
    """`in` → `fn(payload)` → `out`, `out[1]`, …; the answers are joined in this order.

    Packets go out one after the other; if several of these ways may have to wait, at the same time.
    `fn` gives a mapping of out ports to payloads, or a list: its first item goes to `out`, the next
    to `out[1]`. A port without a link answers with what it was to send, as everywhere: nothing is
    dropped in silence. An item that is NOTHING is not sent; if none is, the answer is NOTHING.
    """
    return OneToMany(fn)


def many_to_one(fn: Callable[[Row], Payload | Awaitable[Payload]]) -> Node:
    """`in`, `in[1]`, … → `fn(row)` → `out`: one packet of each linked in port makes a row.

    Rows are made per process, first in first out at each port. A packet that has to wait for others
    is answered NOTHING at once; the one that completes the row gets the answer to the row, whatever
    the order of arrival. If a process ends with a row that is not complete, that is told as an
    event `row incomplete`.
    """
    return ManyToOne(fn)


class OneToOne(Node):
    """A node that is one function from payload to payload."""

    def __init__(self, fn: Callable[[Payload], Any]) -> None:
        self._action = Action(fn)

    def handler(self, port: str) -> Handler | None:
        """Return the handler of its only in port."""
        return self._action if port == "in" else None


class OneToMany(Node):
    """A node that sends several packets for each that it is given."""

    def __init__(self, fn: Callable[[Payload], Any]) -> None:
        self._fn = fn
        self._waits = iscoroutinefunction(fn)
        self._visit = Visit(self._act, waits=self._waits, turns=self._waits)

    def handler(self, port: str) -> Handler | None:
        """Return the handler of its only in port."""
        return self._visit if port == "in" else None

    def ways(self, payload: Payload) -> Any:
        """Return what goes out by each port, or an awaitable of it."""
        return self._fn(payload)

    async def _act(self, flow: Flow, payload: Payload) -> Answer:
        result = self.ways(payload)
        many = _ports(await result if self._waits else result)
        ways = [(port, value) for port, value in many if value is not NOTHING]
        if len(ways) < 2 or sum([flow.waits(port) for port, _ in ways]) < 2:
            return join([await flow.send(port, value) for port, value in ways])
        return join(await _send_at_once(flow, ways))


async def _send_at_once(flow: Flow, ways: Sequence[tuple[str, Payload]]) -> list[Answer]:
    """Send by all ports before the first answer is waited for; return the answers in order."""
    writers = [flow.writer(port) for port, _ in ways]
    try:
        for writer, (_, payload) in zip(writers, ways, strict=True):
            writer.write(payload)
        return [await writer.receive() for writer in writers]
    finally:
        for writer in writers:
            writer.close()


def _ports(mapping: Many) -> list[tuple[str, Payload]]:
    """Out ports and what goes out by them, in order; raise TypeError if it is neither of the two forms."""
    if isinstance(mapping, Mapping):
        return list(mapping.items())
    if isinstance(mapping, list | tuple):
        return [(f"out[{index}]" if index else "out", value) for index, value in enumerate(mapping)]
    raise TypeError(
        f"{type(mapping).__name__} was returned (expected: a mapping of out ports to payloads, or a list)"
    )


class ManyToOne(Node):
    """A node that waits until each of its linked in ports has a packet."""

    def __init__(self, fn: Callable[[Row], Any], *, limit: int | None = None) -> None:
        """`limit` is how many packets may wait at one port in one process; more are an Error."""
        self._fn = fn
        self._limit = limit
        self._waits = iscoroutinefunction(fn)
        self._rows: dict[Process, JoinRows] = {}
        self._visit = Visit(self._act, waits=self._waits, turns=self._waits)
        self._host: Host | None = None

    def handler(self, port: str) -> Handler | None:
        """`in`, `in[1]`, `in[2]`, …."""
        return self._visit if port == "in" or port.startswith("in[") else None

    async def open(self, host: Host) -> None:
        """Rows that stay incomplete are reported through the host."""
        self._host = host

    def snapshot(self) -> Mapping[str, Any]:
        """Return how many processes have packets waiting here."""
        return {"waiting": sum(bool(rows.waiting) for rows in self._rows.values())}

    def left(self, process: Process, waiting: Mapping[str, int], lacking: Sequence[str]) -> None:
        """Report the packets that still wait when their process ends well: how many at each port.

        A subclass may raise instead: that is how the process ends.
        """
        if self._host is None:
            return
        have = ", ".join(f"{port} ({count})" for port, count in waiting.items())
        self._host.emit(
            "row incomplete",
            level="warning",
            reason=f"the process ended with packets at {have}, and none at {', '.join(lacking)}",
            process=str(process.id),
        )

    async def _act(self, flow: Flow, payload: Payload) -> Answer:
        process = flow.process
        rows = self._rows.get(process)
        if rows is None:
            process.on_exit(lambda error: self._end(process, error))
            rows = self._rows[process] = JoinRows(flow.inputs or (flow.port,), self._limit)
        row = rows.add(flow.port, payload)
        if row is None:
            return NOTHING
        return await self.answer(flow, row)

    async def answer(self, flow: Flow, row: Row) -> Answer:
        """Return the answer to a row that is complete."""
        result = self._fn(row)
        value = await result if self._waits else result
        return NOTHING if value is NOTHING else await flow.send("out", value)

    def _end(self, process: Process, error: Error | None) -> None:
        rows = self._rows.pop(process)
        waiting = rows.waiting
        # A process that was cut short leaves packets behind anyway.
        if waiting and error is None:
            self.left(process, waiting, rows.lacking)


class JoinRows:
    """The packets that wait at each in port, in one process."""

    __slots__ = ("_columns", "_limit", "_order")

    def __init__(self, linked: Sequence[str], limit: int | None = None) -> None:
        self._order = sorted(linked, key=number_of)
        self._columns: dict[str, deque[Payload]] = {port: deque() for port in self._order}
        self._limit = limit

    @property
    def waiting(self) -> dict[str, int]:
        """How many packets wait, at each in port that has some."""
        return {port: len(column) for port, column in self._columns.items() if column}

    @property
    def lacking(self) -> list[str]:
        """The in ports that packets are waited for at."""
        return [port for port, column in self._columns.items() if not column]

    def add(self, port: str, payload: Payload) -> Row | None:
        """Put a packet in; return the row if that completes it. Raise NodeError if too many wait."""
        columns = self._columns
        column = columns.get(port)
        if column is None:
            column = columns[port] = deque()
        if self._limit is not None and len(column) >= self._limit:
            reason = f"{self._limit} packets wait at {port} already, for those of other in ports"
            raise NodeError(Error(reason, code="limit"))
        column.append(payload)
        for name in self._order:
            if not columns[name]:
                return None
        return [columns[name].popleft() for name in self._order]


def number_of(port: str) -> int:
    """Return the number of an indexed port: `in[2]` is 2, `in` is 0."""
    _, _, index = port.partition("[")
    return int(index[:-1]) if index else 0
