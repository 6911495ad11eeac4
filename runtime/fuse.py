"""Fusing makes one plain function of a whole tree of plain nodes: its result is the answer.

Where everything behind an in port is plain actions and choices, and it branches, walking it step
by step costs more than the nodes do. Fused, a branching port is a function that calls functions.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from heddle.runtime.errors import NOTHING, Answer, Error, Payload
from heddle.runtime.node import Action, Choice
from heddle.runtime.packet import join
from heddle.runtime.step import FAILURES, Key, Target

if TYPE_CHECKING:
    from heddle.runtime.wiring import Wiring

Whole: TypeAlias = Callable[[Payload], Answer]
Fail: TypeAlias = Callable[[BaseException], Answer]

DEPTH = 40
"""How deep a fused tree may be: fused functions call each other, so this bounds the recursion."""

WIDTH = 32
"""How many links a fused node may have: a router of thousands of routes is woven as it is used."""


def plain(action: Action) -> bool:
    """Whether an action is a plain function of its payload."""
    return not action.waits and not action.process


class Fuser:
    """Fuses in ports of one wiring; None where something behind a port is not plain."""

    __slots__ = ("_fused", "_open", "_wiring")

    def __init__(self, wiring: "Wiring") -> None:
        self._wiring = wiring
        self._fused: dict[Target, Whole | None] = {}
        self._open: set[Target] = set()

    def fuse(self, target: Target) -> Whole | None:
        """The whole tree behind an in port as one function; None where it is a straight run anyway."""
        return self._fuse(target, 0) if self._branches(target) else None

    def _branches(self, target: Target) -> bool:
        """Whether the straight run from here ends at a node that branches."""
        for _ in range(DEPTH):
            handler = self._wiring.handler(target)
            if isinstance(handler, Choice):
                return True
            if not isinstance(handler, Action) or handler.out is None:
                return False
            targets = self._wiring.targets(target[0], handler.out)
            if len(targets) != 1:
                return bool(targets)
            target = targets[0]
        return False

    def _fuse(self, target: Target, depth: int) -> Whole | None:
        if target in self._fused:
            return self._fused[target]
        if depth >= DEPTH or target in self._open:
            return None
        self._open.add(target)
        whole = self._build(target, depth)
        self._open.discard(target)
        self._fused[target] = whole
        return whole

    def _build(self, target: Target, depth: int) -> Whole | None:
        handler = self._wiring.handler(target)
        owner = target[0]
        fail = self._fail(owner, depth)
        if fail is None:
            return None
        if isinstance(handler, Action) and plain(handler):
            if handler.out is None:
                return leaf(handler.fn, fail)
            branches = self._all(self._wiring.targets(owner, handler.out), depth)
            return action(handler.fn, branches, fail) if branches is not None else None
        if isinstance(handler, Choice):
            links = self._wiring.symbols[owner].links
            if len(links) > WIDTH:
                return None
            ways: dict[str | None, Whole] = {}
            for port, targets in links.items():
                branches = self._all(targets, depth)
                if branches is None:
                    return None
                ways[port] = spread(branches)
            return choice(handler.fn, ways, fail)
        return None

    def _all(self, targets: tuple[Target, ...], depth: int) -> list[Whole] | None:
        """Every target fused, or None."""
        if len(targets) > WIDTH:
            return None
        wholes = []
        for target in targets:
            whole = self._fuse(target, depth + 1)
            if whole is None:
                return None
            wholes.append(whole)
        return wholes

    def _fail(self, owner: Key, depth: int) -> Fail | None:
        """What a node's own failure leads to."""
        branches = self._all(self._wiring.targets(owner, "error"), depth)
        if branches is None:
            return None
        label = self._wiring.label(owner)
        if not branches:
            return lambda error: Error.of(error, symbol=label, port="in")
        onward = spread(branches)
        return lambda error: onward(Error.of(error, symbol=label, port="in"))


def leaf(fn: Callable[[Any], Any], fail: Fail) -> Whole:
    """An action whose result is the answer."""

    def whole(payload: Payload) -> Answer:
        try:
            return fn(payload)
        except FAILURES as error:
            return fail(error)

    return whole


def action(fn: Callable[[Any], Any], branches: list[Whole], fail: Fail) -> Whole:
    """An action and what its out port leads to."""
    if not branches:
        return leaf(fn, fail)
    if len(branches) == 1:
        only = branches[0]

        def straight(payload: Payload) -> Answer:
            try:
                value = fn(payload)
            except FAILURES as error:
                return fail(error)
            return NOTHING if value is NOTHING else only(value)

        return straight
    if len(branches) == 2:
        first, second = branches

        def forked(payload: Payload) -> Answer:
            try:
                value = fn(payload)
            except FAILURES as error:
                return fail(error)
            if value is NOTHING:
                return NOTHING
            one = first(value)
            two = second(value)
            if two is NOTHING:
                return one
            return two if one is NOTHING else join((one, two))

        return forked
    onward = spread(branches)

    def many(payload: Payload) -> Answer:
        try:
            value = fn(payload)
        except FAILURES as error:
            return fail(error)
        return NOTHING if value is NOTHING else onward(value)

    return many


def choice(
    fn: Callable[[Any], tuple[str | None, Any]], ways: Mapping[str | None, Whole], fail: Fail
) -> Whole:
    """A choice and what each of its ports leads to."""
    find = ways.get

    def whole(payload: Payload) -> Answer:
        try:
            port, value = fn(payload)
        except FAILURES as error:
            return fail(error)
        way = find(port)
        return way(value) if way is not None else value

    return whole


def spread(branches: list[Whole]) -> Whole:
    """An out port: the payload goes to each branch in order, and the answers are joined."""
    if len(branches) == 1:
        return branches[0]
    wholes = tuple(branches)
    return lambda payload: join([whole(payload) for whole in wholes])
