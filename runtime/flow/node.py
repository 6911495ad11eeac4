"""A Node is the thing that acts on packets; a Handler is what it does at one in port.

A node holds no reference to its neighbours: it names its own out port, and the wiring of the
process's generation knows where that leads. So one node serves two generations at once.
"""

from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from inspect import iscoroutinefunction
from typing import Any, Protocol, TypeAlias

from heddle.runtime.flow.contracts import Host
from heddle.runtime.flow.errors import Answer, Payload
from heddle.runtime.flow.flow import Flow
from heddle.runtime.flow.reader import Reader
from heddle.runtime.flow.voice import Voice

LIFECYCLE = frozenset({"init", "active", "deactive", "deinit"})
"""Out ports that every node has beside its own: the packets it is sent never leave by them."""


class Action:
    """One-to-one: `fn(payload)` gives the payload for `out`; what it raises goes to `error`.

    `fn` may be `async def` (`waits` is then true). With `process=True` it is `fn(payload, process)`.
    With `out=None` the result is the answer and goes no further. A result of NOTHING ends the
    packet's way: the answer is NOTHING. With `turns=False` packets of one process do not take turns
    in a function that waits: it may be called again before its first call has ended.
    """

    __slots__ = ("fn", "out", "process", "turns", "waits")

    def __init__(
        self,
        fn: Callable[..., Any],
        *,
        out: str | None = "out",
        process: bool = False,
        waits: bool = False,
        turns: bool = True,
    ) -> None:
        self.fn = fn
        self.out = out
        self.turns = turns
        self.process = process
        self.waits = waits or iscoroutinefunction(fn)


class Choice:
    """Only chooses where to go: `fn(payload)` gives `(port, payload)`; what it raises goes to `error`.

    A chosen port that leads nowhere makes the payload the answer; port None answers at once.
    `out` and `out[0]` are one port.
    """

    __slots__ = ("fn",)

    def __init__(self, fn: Callable[[Payload], tuple[str | None, Payload]]) -> None:
        self.fn = fn


class Visit:
    """Looks at answers: `async fn(flow, payload)` sends through `flow` and returns the answer.

    `waits` tells whether it awaits anything but `flow.send`; if it does not, and nothing behind
    its ports does, the whole visit runs as a plain call, without a task and without a loop.
    `turns` makes packets of one process take turns: one visit ends before the next begins. A packet
    that its own way leads back into the visit does not wait for itself. `plain` promises that it
    asks nothing of the flow but `send`, and awaits nothing else: then it may be fused.
    """

    __slots__ = ("fn", "plain", "turns", "waits")

    def __init__(
        self,
        fn: Callable[[Flow, Payload], Coroutine[Any, Any, Answer]],
        *,
        waits: bool = False,
        turns: bool = False,
        plain: bool = False,
    ) -> None:
        self.fn = fn
        self.waits = waits
        self.turns = turns
        self.plain = plain


class Conversation:
    """Holds a conversation: `async fn(reader)` runs as a task, once for each process that comes.

    It reads packets and answers each when it likes; several may be in flight. When the process
    ends the reader closes, and whatever is unanswered is answered with the reason. What it raises
    is its failure to answer what is unanswered, and whatever comes after; it goes to `error`.
    """

    __slots__ = ("fn",)

    def __init__(self, fn: Callable[[Reader], Awaitable[None]]) -> None:
        self.fn = fn


Handler: TypeAlias = Action | Choice | Visit | Conversation


class HandlerGuard(Protocol):
    """The guard around the handlers of one node: a time limit, further attempts, turns."""

    def around(self, handler: Handler) -> Handler:
        """Return the handler with the limits round it."""
        ...

    def adopt(self, predecessor: Any) -> None:
        """Take over what is inside and what waits from the guard of the predecessor."""

    def visit(self) -> Visit:
        """Return the limits as a visit of their own, for a conversation."""
        ...

    def snapshot(self) -> Mapping[str, Any]:
        """Return what people may want to see of it, as plain data."""
        ...


class Node:
    """The base of every node; each method has a default that does nothing.

    Order of calls: `adopt` (only if a predecessor of the same kind is replaced), `inherit`, `open`, packets,
    `pause` (no longer current; what is in flight goes on), `close` (nothing is in flight any more).
    """

    voice: Voice | None = None
    """The receiver of what its code prints; set by the Scheme that had it built."""

    guard: HandlerGuard | None = None
    """The limits that its Spec sets round it; set by the Scheme that had it built."""

    leaves: bool = False
    """Whether its programs may raise ElsewhereError; set by the Scheme that had it built."""

    def handler(self, port: str) -> Handler | None:
        """Return what to do with packets at this in port; None if there is no such port.

        Asked once for each port and generation; `in[0]` is asked as `in`. Never waits.
        """
        return None

    def adopt(self, predecessor: "Node") -> None:
        """Take over what should live on: a socket, a pool, a window. Called before `open`.

        The generation that brings this node may still be rejected; `disown` then gives it all back.
        """

    def disown(self, predecessor: "Node") -> None:
        """Give back what `adopt` took: the predecessor goes on as if nothing had happened."""

    def inherit(self, leaving: "Sequence[Node]") -> None:
        """Be shown all nodes of this sort that leave in the same change. Called before `open`.

        `open` may arrange to take over what they hold, whatever their names, once the change is made:
        each of them is paused then. `renounce` cancels that if the change is rejected.
        """

    def renounce(self) -> None:
        """Take nothing over from the nodes of `inherit`: they go on as if nothing had happened."""

    async def open(self, host: Host) -> None:
        """Begin to act: called when the symbol becomes active; what it raises rejects the change."""

    async def act(self) -> None:
        """Begin what cannot be undone: called once the whole change is live, after which nothing rejects it."""

    async def pause(self) -> None:
        """Begin nothing new: called when the symbol leaves the current generation."""

    async def close(self) -> None:
        """Let go of everything: called when nothing is in flight through this node any more."""

    def snapshot(self) -> Mapping[str, Any]:
        """Return what people may want to see of it, as plain data."""
        return {}

    def degraded(self) -> str:
        """Return what keeps it from doing all that it should, although it acts; empty if nothing does.

        `a database that is gone`, in words for people, without secrets. Asked now and then; never waits.
        """
        return ""


def dissolve(node: Node) -> None:
    """Take its handlers from a node that is closed or never began, and what names it as its owner.

    Most nodes keep handlers whose functions are methods of theirs. Without this cycle a node is
    freed at once; the garbage collector never frees those that were frozen after the start.
    """
    kept = getattr(node, "__dict__", None)
    if kept is None:
        return
    for name, value in tuple(kept.items()):
        if isinstance(value, Action | Choice | Visit | Conversation):
            del kept[name]
        elif getattr(value, "owner", None) is node or getattr(value, "__self__", None) is node:
            # What a successor takes over, and was not taken over; or a method of its own.
            del kept[name]
        elif isinstance(value, dict) and _are_handlers(value.values()):
            kept[name] = {}
        elif isinstance(value, list | tuple) and _are_handlers(value):
            kept[name] = ()


def _are_handlers(values: Iterable[Any]) -> bool:
    return isinstance(next(iter(values), None), Action | Choice | Visit | Conversation)
