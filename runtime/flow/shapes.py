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
from heddle.runtime.flow.errors import NOTHING, Answer, Error, Payload
from heddle.runtime.flow.flow import Flow
from heddle.runtime.flow.node import Action, Handler, Node, Visit
from heddle.runtime.flow.packet import join

Many: TypeAlias = Mapping[str, Payload] | Sequence[Payload]
"""What goes out by each port: by its name, or by its number (`out`, `out[1]`, …)."""

Row: TypeAlias = list[Payload]
"""One payload of each in port that is linked, in the order of the ports."""


def one_to_one(fn: Callable[[Payload], Payload | Awaitable[Payload]]) -> Node:
    """`in` → `fn(payload)` → `out`. NOTHING ends the packet's way."""
    return OneToOne(fn)


def one_to_many(fn: Callable[[Payload], Many | Awaitable[Many]]) -> Node:
    """`in` → `fn(payload)` → `out`, `out[1]`, …, one after the other; the answers are joined.

    `fn` gives a mapping of out ports to payloads, or a list: its first item goes to `out`, the next
    to `out[1]`. A port without a link answers with what it was to send, as everywhere: nothing is
    dropped in silence. An item that is NOTHING is not sent; where none is, the answer is NOTHING.
    """
    return OneToMany(fn)


def many_to_one(fn: Callable[[Row], Payload | Awaitable[Payload]]) -> Node:
    """`in`, `in[1]`, … → `fn(row)` → `out`: one packet of each linked in port makes a row.

    Rows are made per process, first in first out at each port. A packet that has to wait for others
    is answered NOTHING at once; the one that completes the row gets the answer to the row, whatever
    the order of arrival. Where a process ends with a row that is not complete, that is told as an
    event `row incomplete`.
    """
    return ManyToOne(fn)


class OneToOne(Node):
    """A node that is one function from payload to payload."""

    def __init__(self, fn: Callable[[Payload], Any]) -> None:
        self._action = Action(fn)

    def handler(self, port: str) -> Handler | None:
        """Its only in port."""
        return self._action if port == "in" else None


class OneToMany(Node):
    """A node that sends several packets for each that it is given."""

    def __init__(self, fn: Callable[[Payload], Any]) -> None:
        self._fn = fn
        self._waits = iscoroutinefunction(fn)
        self._visit = Visit(self._act, waits=self._waits, turns=self._waits)

    def handler(self, port: str) -> Handler | None:
        """Its only in port."""
        return self._visit if port == "in" else None

    async def _act(self, flow: Flow, payload: Payload) -> Answer:
        found = self._fn(payload)
        answers = [
            await flow.send(port, one)
            for port, one in _ports(await found if self._waits else found)
            if one is not NOTHING
        ]
        return join(answers)


def _ports(found: Many) -> list[tuple[str, Payload]]:
    """Out ports and what goes out by them, in order; TypeError where it is neither of the two forms."""
    if isinstance(found, Mapping):
        return list(found.items())
    if isinstance(found, list | tuple):
        return [(f"out[{index}]" if index else "out", one) for index, one in enumerate(found)]
    raise TypeError(
        f"{type(found).__name__} was returned (wanted: a mapping of out ports to payloads, or a list)"
    )


class ManyToOne(Node):
    """A node that waits until each of its linked in ports has a packet."""

    def __init__(self, fn: Callable[[Row], Any]) -> None:
        self._fn = fn
        self._waits = iscoroutinefunction(fn)
        self._rows: dict[Process, Rows] = {}
        self._visit = Visit(self._act, waits=self._waits, turns=self._waits)
        self._host: Host | None = None

    def handler(self, port: str) -> Handler | None:
        """`in`, `in[1]`, `in[2]`, …"""
        return self._visit if port == "in" or port.startswith("in[") else None

    async def open(self, host: Host) -> None:
        """Rows that stay incomplete are told through the host."""
        self._host = host

    def snapshot(self) -> Mapping[str, Any]:
        """How many processes have packets waiting here."""
        return {"waiting": sum(not rows.empty for rows in self._rows.values())}

    async def _act(self, flow: Flow, payload: Payload) -> Answer:
        row = self._of(flow.process).add(flow.port, payload, flow.inputs)
        if row is None:
            return NOTHING
        found = self._fn(row)
        value = await found if self._waits else found
        return NOTHING if value is NOTHING else await flow.send("out", value)

    def _of(self, process: Process) -> "Rows":
        rows = self._rows.get(process)
        if rows is None:
            rows = self._rows[process] = Rows()
            process.on_exit(lambda error: self._left(process, error))
        return rows

    def _left(self, process: Process, error: Error | None) -> None:
        """The process ends: what is left of its rows is told, unless it was cut short anyway."""
        rows = self._rows.pop(process)
        if rows.empty or error is not None or self._host is None:
            return
        have = ", ".join(f"{port} ({count})" for port, count in rows.waiting().items() if count)
        lack = ", ".join(port for port, count in rows.waiting().items() if not count)
        self._host.tell(
            "row incomplete",
            level="warning",
            reason=f"the process ended with packets at {have}, and none at {lack}",
            process=str(process.id),
        )


class Rows:
    """What waits at each in port, in one process."""

    def __init__(self) -> None:
        self._columns: dict[str, deque[Payload]] = {}

    @property
    def empty(self) -> bool:
        """Whether nothing waits."""
        return not any(self._columns.values())

    def waiting(self) -> dict[str, int]:
        """How many packets wait at each in port."""
        return {port: len(column) for port, column in self._columns.items()}

    def add(self, port: str, payload: Payload, linked: Sequence[str]) -> Row | None:
        """Put a packet in; the row where this one completes it."""
        columns = self._columns
        columns.setdefault(port, deque()).append(payload)
        for one in linked:
            columns.setdefault(one, deque())
        if not all(columns.values()):
            return None
        return [columns[one].popleft() for one in sorted(columns, key=number_of)]


def number_of(port: str) -> int:
    """The number of an indexed port: `in[2]` is 2, `in` is 0."""
    _, _, index = port.partition("[")
    return int(index[:-1]) if index else 0
