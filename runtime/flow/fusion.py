"""Fusing makes one plain function of a whole tree of plain nodes: its result is the answer.

Where everything behind an in port is plain actions, choices and visits, and it branches, walking it
step by step costs more than the nodes do. Fused, a branching port is a function that calls functions.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from enum import Enum
from types import coroutine
from typing import Any, NamedTuple, Protocol, TypeAlias, cast
from weakref import proxy

from heddle.runtime.flow.contracts import Key, Target
from heddle.runtime.flow.elsewhere import ElsewhereError
from heddle.runtime.flow.errors import NOTHING, Answer, Payload, failure_of
from heddle.runtime.flow.flow import Flow
from heddle.runtime.flow.node import LIFECYCLE, Action, Choice, Handler, Visit
from heddle.runtime.flow.packet import join
from heddle.runtime.flow.step import RAISED


class Handlers(Protocol):
    """The questions of fusing to a wiring."""

    symbols: Mapping[Key, Any]

    def handler(self, target: Target) -> Handler:
        """Return what a symbol does at an in port."""
        ...

    def targets(self, owner: Key, port: str) -> tuple[Target, ...]:
        """Return the links of an out port, in order."""
        ...

    def onward(self, target: Target) -> Sequence[Target]:
        """Return where a packet that comes in here may be sent."""
        ...

    def label(self, owner: Key) -> str:
        """Return the name of a symbol for people."""
        ...

    def looks(self, owner: Key, port: str, inbound: bool) -> bool:
        """Return whether the lens wants to see this port."""
        ...


Whole: TypeAlias = Callable[[Payload], Answer]
Fail: TypeAlias = Callable[[BaseException], Answer]

DEPTH = 40
"""How deep a fused tree may be: fused functions call each other, so this bounds the recursion."""

WIDTH = 32
"""How many links a fused node may have: a router of thousands of routes is woven as it is used."""

SIZE = 256
"""How many nodes are fused at a time: more are woven as they are used."""


class FusedFunction(NamedTuple):
    """A whole tree as one function, how many calls deep it goes, and whether it may raise ElsewhereError."""

    whole: Whole
    depth: int
    leaves: bool = False


class NotFused(Enum):
    """The reason why something is not fused: never, or not if so little depth is left."""

    NEVER = "never"
    DEEP = "deep"


class TooLargeError(Exception):
    """There are more than SIZE nodes behind an in port."""


def plain(action: Action) -> bool:
    """Return whether an action is a plain function of its payload."""
    return not action.waits and not action.process


class Fuser:
    """Fuses in ports of one wiring; None if something behind a port is not plain."""

    __slots__ = ("_deeper", "_fused", "_left", "_open", "_wiring")

    def __init__(self, wiring: Handlers) -> None:
        # The wiring owns it: a strong reference back would make a cycle of every generation.
        self._wiring: Handlers = proxy(wiring)
        self._fused: dict[Target, FusedFunction | NotFused] = {}
        # What is known to be deeper than this: looked at again only if more depth is left.
        self._deeper: dict[Target, int] = {}
        self._open: set[Target] = set()
        self._left = SIZE

    def fuse(self, target: Target) -> Whole | None:
        """Return the whole tree behind an in port as one function; None if it is a straight run anyway."""
        # Along a deep way every other node would fail for want of a little depth: try some of them.
        if self._deeper.get(target, 0) > DEPTH // 2 or not self._branches(target):
            return None
        self._left = SIZE
        fused: FusedFunction | NotFused
        try:
            fused = self._fuse(target, DEPTH)
        except TooLargeError:
            self._open.clear()
            self._fused[target] = fused = NotFused.NEVER
        if isinstance(fused, FusedFunction) and self._leaves(target):
            # The first node of a run begins anew with the run itself.
            self._left = SIZE
            fused = self._build(target, DEPTH)
        return fused.whole if isinstance(fused, FusedFunction) else None

    def _branches(self, target: Target) -> bool:
        """Return whether the straight run from here ends at a node that branches."""
        for _ in range(DEPTH):
            handler = self._wiring.handler(target)
            if isinstance(handler, Choice) or (isinstance(handler, Visit) and handler.plain):
                return True
            if not isinstance(handler, Action) or handler.out is None:
                return False
            targets = self._wiring.targets(target[0], handler.out)
            if len(targets) != 1:
                return bool(targets)
            target = targets[0]
        return False

    def _fuse(self, target: Target, budget: int) -> FusedFunction | NotFused:
        """Return the tree fused, if it is not deeper than the budget."""
        known = self._fused.get(target)
        if known is not None:
            return known if isinstance(known, NotFused) or known.depth <= budget else NotFused.DEEP
        if target in self._open:
            return NotFused.NEVER
        if budget <= self._deeper.get(target, 0):
            return NotFused.DEEP
        if not self._left:
            raise TooLargeError
        self._left -= 1
        self._open.add(target)
        built = self._build(target, budget)
        if isinstance(built, FusedFunction) and self._leaves(target):
            # What goes on elsewhere begins anew at its own node, so nothing may be left to do behind it.
            visits = isinstance(self._wiring.handler(target), Visit)
            built = (
                NotFused.NEVER
                if visits
                else FusedFunction(resumable(built.whole), built.depth + 1, True)
            )
        self._open.discard(target)
        if built is NotFused.DEEP:
            self._deeper[target] = budget
        else:
            self._fused[target] = built
        return built

    def _leaves(self, target: Target) -> bool:
        wired = self._wiring.symbols.get(target[0])
        return wired is not None and wired.node.leaves

    def _looks(self, target: Target, handler: Handler) -> bool:
        """Return whether the lens wants to see a port of this node."""
        owner, port = target
        looks = self._wiring.looks
        wired = self._wiring.symbols.get(owner)
        ports = {"error", *(wired.links if wired is not None else ())}
        if isinstance(handler, Action) and handler.out is not None:
            ports.add(handler.out)
        return looks(owner, port, True) or any(looks(owner, out, False) for out in ports)

    def _build(self, target: Target, budget: int) -> FusedFunction | NotFused:
        handler = self._wiring.handler(target)
        owner = target[0]
        if isinstance(handler, Visit):
            if not handler.plain:
                return NotFused.NEVER
        elif not isinstance(handler, Choice) and not (
            isinstance(handler, Action) and plain(handler)
        ):
            return NotFused.NEVER
        if self._looks(target, handler):
            # A tree would hide the port from the lens.
            return NotFused.NEVER
        failing = self._all(self._wiring.targets(owner, "error"), budget)
        if isinstance(failing, NotFused):
            return failing
        if any(entry.leaves for entry in failing):
            return NotFused.NEVER
        fail = failure(self._wiring.label(owner), target[1], [entry.whole for entry in failing])
        if isinstance(handler, Choice | Visit):
            return self._ways(owner, handler, fail, budget)
        targets = self._wiring.targets(owner, handler.out) if handler.out is not None else ()
        branches = self._all(targets, budget)
        if isinstance(branches, NotFused):
            return branches
        depth = 1 + max((entry.depth for entry in (*failing, *branches)), default=0)
        leaves = any(branch.leaves for branch in branches)
        return FusedFunction(
            action(handler.fn, [branch.whole for branch in branches], fail), depth, leaves
        )

    def _ways(
        self, owner: Key, handler: Choice | Visit, fail: Fail, budget: int
    ) -> FusedFunction | NotFused:
        links = self._wiring.symbols[owner].links
        if len(links) > WIDTH:
            return NotFused.NEVER
        ways: dict[str | None, Whole] = {}
        depth, leaves = 0, False
        for port, targets in links.items():
            if port in LIFECYCLE or not targets:
                continue
            branches = self._all(targets, budget)
            if isinstance(branches, NotFused):
                return branches
            ways[port] = ways[f"{port}[0]"] = spread([branch.whole for branch in branches])
            depth = max(depth, *(branch.depth for branch in branches))
            leaves = leaves or any(branch.leaves for branch in branches)
        if isinstance(handler, Choice):
            return FusedFunction(choice(handler.fn, ways, fail), depth + 1, leaves)
        if leaves:
            return NotFused.NEVER
        return FusedFunction(visit(handler.fn, ways, fail), depth + 1)

    def _all(self, targets: tuple[Target, ...], budget: int) -> list[FusedFunction] | NotFused:
        """Return every target fused, or why not."""
        if len(targets) > WIDTH:
            return NotFused.NEVER
        functions = []
        for target in targets:
            fused = self._fuse(target, budget - 1)
            if isinstance(fused, NotFused):
                return fused
            functions.append(fused)
        if len(functions) > 1 and any(entry.leaves for entry in functions):
            # The others would run anew with it.
            return NotFused.NEVER
        return functions


def resumable(whole: Whole) -> Whole:
    """Return a node whose program may raise ElsewhereError: it notes where, and with which payload, to go on."""

    def noted(payload: Payload) -> Answer:
        try:
            return whole(payload)
        except ElsewhereError as later:
            if later.again is None:
                later.again = whole, payload
            raise

    return noted


def failure(label: str, port: str, branches: list[Whole]) -> Fail:
    """Return what a node's own failure leads to."""
    onward = spread(branches) if branches else None

    def fail(error: BaseException) -> Answer:
        if type(error) is ElsewhereError:
            raise error
        failed = failure_of(error, label, port, linked=onward is not None)
        return failed if onward is None else onward(failed)

    return fail


def leaf(fn: Callable[[Any], Any], fail: Fail) -> Whole:
    """Return an action whose result is the answer."""

    def whole(payload: Payload) -> Answer:
        try:
            return fn(payload)
        except RAISED as error:
            return fail(error)

    return whole


def action(fn: Callable[[Any], Any], branches: list[Whole], fail: Fail) -> Whole:
    """Return an action and what its out port leads to."""
    if not branches:
        return leaf(fn, fail)
    if len(branches) == 1:
        only = branches[0]

        def straight(payload: Payload) -> Answer:
            try:
                value = fn(payload)
            except RAISED as error:
                return fail(error)
            return NOTHING if value is NOTHING else only(value)

        return straight
    if len(branches) == 2:
        first, second = branches

        def forked(payload: Payload) -> Answer:
            try:
                value = fn(payload)
            except RAISED as error:
                return fail(error)
            if value is NOTHING:
                return NOTHING
            given = first(value)
            two = second(value)
            if two is NOTHING:
                return given
            return two if given is NOTHING else join((given, two))

        return forked
    onward = spread(branches)

    def many(payload: Payload) -> Answer:
        try:
            value = fn(payload)
        except RAISED as error:
            return fail(error)
        return NOTHING if value is NOTHING else onward(value)

    return many


def choice(
    fn: Callable[[Any], tuple[str | None, Any]], ways: Mapping[str | None, Whole], fail: Fail
) -> Whole:
    """Return a choice and what each of its ports leads to."""
    find = ways.get

    def whole(payload: Payload) -> Answer:
        try:
            port, value = fn(payload)
            way = find(port)
        except RAISED as error:
            return fail(error)
        return way(value) if way is not None else value

    return whole


class PlainFlow:
    """All that a plain visit asks of a flow."""

    __slots__ = ()

    @coroutine
    def send(self, port: str, payload: Payload) -> Generator[Any, Any, Answer]:
        """As `Flow.send` does it."""
        answer = yield (port, payload)
        return answer


_FLOW = cast(Flow, PlainFlow())


def visit(fn: Callable[..., Any], ways: Mapping[str | None, Whole], fail: Fail) -> Whole:
    """Return a visit and what each of its ports leads to: whatever it sends is answered on the spot."""
    find = ways.get

    def whole(payload: Payload) -> Answer:
        answer: Answer = None
        try:
            running = fn(_FLOW, payload)
            while True:
                port, sent = running.send(answer)
                way = find(port)
                answer = way(sent) if way is not None else sent
        except StopIteration as stop:
            return stop.value
        except RAISED as error:
            return fail(error)

    return whole


def spread(branches: list[Whole]) -> Whole:
    """Return an out port: the payload goes to each branch in order, and the answers are joined."""
    if len(branches) == 1:
        return branches[0]
    wholes = tuple(branches)
    return lambda payload: join([whole(payload) for whole in wholes])
