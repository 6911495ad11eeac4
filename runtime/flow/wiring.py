"""Wiring is who is linked to whom, frozen: one generation of the symbol table.

It compiles to steps for the machine, port by port, the first time that a packet gets there: so
the work of a new generation is the change itself, whatever the size of the namespace.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import TypeAlias
from weakref import ref

import msgspec

from heddle.runtime.flow.contracts import Key, Target
from heddle.runtime.flow.errors import Error
from heddle.runtime.flow.fusion import Fuser, plain
from heddle.runtime.flow.generation import Ended, Generation
from heddle.runtime.flow.node import LIFECYCLE, Action, Choice, Conversation, Handler, Node, Visit
from heddle.runtime.flow.step import (
    FAILURES,
    ActionStep,
    ChoiceStep,
    JoinStep,
    LazyStep,
    ReadStep,
    Resolve,
    RunStep,
    Step,
    VisitStep,
)

Lens: TypeAlias = Callable[[Key, str, bool], Visit | None]
"""Asked for each port (symbol, port, whether it is an in port): the Visit that observes it, or None."""


RUN = 64
"""How many actions a straight run holds at most: the machine looks at the clock between runs."""


class WiredSymbol(msgspec.Struct, frozen=True):
    """One symbol as the wiring sees it: its label, its node, and where its out ports lead."""

    label: str
    node: Node
    links: Mapping[str, tuple[Target, ...]] = {}


class Wiring:
    """Frozen links between nodes, and the steps that they compile to.

    Port names are canonical: `out` stands for `out[0]` too. `sources` tells the linked in
    ports of a symbol. A Lens makes an observed wiring: a port that it does not want costs nothing.

    Steps refer to their wiring weakly: whoever runs a step holds the wiring by its process. So a
    replaced wiring is freed as soon as its last process has ended, without the garbage collector.
    """

    __slots__ = (
        "__weakref__",
        "_entries",
        "_fuser",
        "_handlers",
        "_inputs",
        "_lens",
        "_mocked",
        "_outs",
        "_resolve",
        "_sources",
        "_waits",
        "_ways_in",
        "generation",
        "processes",
        "starts",
        "symbols",
    )

    def __init__(
        self,
        symbols: Mapping[Key, WiredSymbol],
        sources: Callable[[Key], Sequence[str]] | None = None,
        generation: Generation | None = None,
        lens: Lens | None = None,
    ) -> None:
        self.symbols = symbols
        self._sources = sources
        self.generation = generation if generation is not None else Generation(0)
        self.processes = self.generation.processes
        self._mocked = False
        self._lens = lens
        self._entries: dict[Target, Step] = {}
        self._outs: dict[Target, Step | None] = {}
        self._waits: dict[Target, bool] = {}
        self._handlers: dict[Target, Handler] = {}
        self._inputs: dict[Key, Sequence[str]] = {}
        self.starts: dict[Hashable, Step | None] = {}
        """The first steps of those who begin processes; each owner keeps its own entry here."""
        self._resolve, self._ways_in = _weakly(self)
        self._fuser = Fuser(self)

    @property
    def is_observed(self) -> bool:
        """Whether it is seen through a lens."""
        return self._lens is not None

    @property
    def is_mocked(self) -> bool:
        """Whether other nodes stand in the places of some: what runs here is a test."""
        return self._mocked

    def observed(self, lens: Lens | None) -> "Wiring":
        """Return the same wiring seen through a lens; processes that run go on with what they have."""
        return Wiring(self.symbols, self._sources, self.generation, lens)

    def mocked(self, mocks: Mapping[Key, WiredSymbol]) -> "Wiring":
        """Return the same wiring with these in the places of some symbols."""
        wiring = Wiring({**self.symbols, **mocks}, self._sources, self.generation, self._lens)
        wiring._mocked = True
        return wiring

    def listen(self, listeners: list[Ended]) -> None:
        """From now on these are told of each process that ends."""
        self.generation.listen(listeners)
        self.processes = self.generation.processes

    # -- ways ----------------------------------------------------------------------------------

    def out(self, owner: Key, port: str) -> Step | None:
        """Return where an out port leads; None if nothing is linked."""
        try:
            return self._outs[owner, port]
        except KeyError:
            step = self._outs[owner, port] = self._weave_out(owner, canonical(port))
            return step

    def entry(self, owner: Key, port: str) -> Step:
        """Return the step of an in port. A port that is not there answers with an Error."""
        try:
            return self._entries[owner, port]
        except KeyError:
            step = self._entries[owner, port] = self._weave_entry(owner, canonical(port))
            return step

    def inputs(self, owner: Key) -> Sequence[str]:
        """Return the in ports of a symbol that something is linked to, in order."""
        if owner not in self._inputs:
            self._inputs[owner] = self._sources(owner) if self._sources is not None else ()
        return self._inputs[owner]

    def targets(self, owner: Key, port: str) -> tuple[Target, ...]:
        """Return the links of an out port, in order."""
        wired = self.symbols.get(owner)
        return wired.links.get(canonical(port), ()) if wired is not None else ()

    def handler(self, target: Target) -> Handler:
        """Return what a symbol does at an in port; one that is not there answers with an Error."""
        handler = self._handlers.get(target)
        if handler is None:
            handler = self._handlers[target] = self._handler(*target)
        return handler

    def _handler(self, owner: Key, port: str) -> Handler:
        label = self.label(owner)
        wired = self.symbols.get(owner)
        try:
            handler = wired.node.handler(port) if wired is not None else None
        except FAILURES as raised:
            return _answers(Error.of(raised, symbol=label, port=port))
        if handler is not None:
            guard = wired.node.guard if wired is not None else None
            return handler if guard is None else guard.around(handler)
        actual = f'there is no in port "{port}" at {label}'
        return _answers(Error(actual, code="dropped", symbol=label, port=port))

    def label(self, owner: Key) -> str:
        """Return what people call the symbol."""
        wired = self.symbols.get(owner)
        return wired.label if wired is not None else str(owner)

    # -- weaving -------------------------------------------------------------------------------

    def _weave_out(self, owner: Key, port: str) -> Step | None:
        targets = self.targets(owner, port)
        step: Step | None
        if not targets:
            step = None
        elif len(targets) == 1:
            step = self.entry(*targets[0])
        else:
            waiting = sum(self.may_wait(*target) for target in targets)
            step = JoinStep(tuple(self.entry(*target) for target in targets), waiting > 1)
        return self._look(owner, port, False, step)

    def _weave_entry(self, owner: Key, port: str) -> Step:
        handler = self.handler((owner, port))
        step: Step
        whole = self._fuser.fuse((owner, port))
        if whole is not None:
            step = RunStep((whole,), (owner,), (self.label(owner),), (port,), None, self._resolve)
        elif isinstance(handler, Action):
            if plain(handler):
                step = self._weave_run((owner, port), handler)
            else:
                step = ActionStep(owner, self.label(owner), self._resolve, handler, port)
        elif isinstance(handler, Choice):
            step = ChoiceStep(owner, self.label(owner), self._resolve, handler, port)
        elif isinstance(handler, Visit):
            step = VisitStep(owner, self.label(owner), self._resolve, handler, self._ways_in, port)
        else:
            step = self._weave_read(owner, port, handler)
        seen = self._look(owner, port, True, step)
        if seen is None:
            raise RuntimeError("a lens took a step away")
        return seen

    def _weave_read(self, owner: Key, port: str, handler: Conversation) -> Step:
        """Return a conversation, with the guard of its node round each packet."""
        label = self.label(owner)
        step = ReadStep(owner, label, self._resolve, handler, port)
        guard = self.symbols[owner].node.guard
        if guard is None:
            return step

        resolve = self._resolve

        def leads(_owner: Key, name: str) -> Step | None:
            return resolve(owner, name) if name else step

        return VisitStep(owner, label, leads, guard.visit(), self._ways_in, port)

    def _weave_run(self, target: Target, handler: Action) -> RunStep:
        """Flatten the straight run of plain actions that begins here."""
        actions: list[Callable[..., object]] = []
        acting: list[Target] = []
        onward: str | None = None
        while True:
            actions.append(handler.fn)
            acting.append(target)
            onward = handler.out
            if onward is None or len(actions) >= RUN or self.looks(target[0], onward, False):
                break
            targets = self.targets(target[0], onward)
            if len(targets) != 1:
                onward = onward if targets else None
                break
            (after,) = targets
            following = self.handler(after)
            if not isinstance(following, Action) or not plain(following):
                break
            if self.looks(*after, True):
                break
            target, handler = after, following
        owners = tuple(owner for owner, _ in acting)
        labels = tuple(self.label(owner) for owner in owners)
        ports = tuple(port for _, port in acting)
        step = RunStep(tuple(actions), owners, labels, ports, None, self._resolve)
        if onward is not None:
            step.next = LazyStep(step, target[0], onward, self._resolve)
        return step

    def looks(self, owner: Key, port: str, inbound: bool) -> bool:
        """Return whether the lens wants to see this port."""
        return self._lens is not None and self._lens(owner, canonical(port), inbound) is not None

    def _look(self, owner: Key, port: str, inbound: bool, step: Step | None) -> Step | None:
        """Return the step seen through the lens, if it wants to see this port."""
        visit = self._lens(owner, port, inbound) if self._lens is not None else None
        if visit is None:
            return step
        label = self.label(owner)
        return VisitStep(owner, label, lambda _owner, _port: step, visit, self._ways_in, port)

    # -- waiting -------------------------------------------------------------------------------

    def may_wait(self, owner: Key, port: str) -> bool:
        """Return whether a packet that comes in here may have to wait for something.

        A ring counts as waiting: the machine takes a breath in it now and then. What may not wait
        is answered by a plain call.
        """
        known = self._waits
        root = (owner, canonical(port))
        if root in known:
            return known[root]
        # Depth-first with an explicit stack; a target met again while it is open closes a ring.
        opened: set[Target] = set()
        todo: list[tuple[Target, bool]] = [(root, False)]
        while todo:
            target, done = todo.pop()
            if target in known:
                continue
            if done:
                opened.discard(target)
                known[target] = any(known.get(after, True) for after in self.onward(target))
                continue
            if target in opened:
                continue
            if _waits(self.handler(target)):
                known[target] = True
                continue
            opened.add(target)
            todo.append((target, True))
            todo.extend((after, False) for after in self.onward(target) if after not in known)
        return known[root]

    def waits_after(self, owner: Key) -> bool:
        """Return whether a packet that leaves a symbol may have to wait for something."""
        return any(self.may_wait(*target) for target in self._leads(owner))

    def onward(self, target: Target) -> Sequence[Target]:
        """Return where a packet that comes in here may be sent."""
        owner = target[0]
        handler = self.handler(target)
        if isinstance(handler, Action):
            onward = self.targets(owner, handler.out) if handler.out is not None else ()
            return (*onward, *self.targets(owner, "error"))
        return self._leads(owner)

    def _leads(self, owner: Key) -> Sequence[Target]:
        wired = self.symbols.get(owner)
        if wired is None:
            return ()
        return [
            target
            for port, targets in wired.links.items()
            if port not in LIFECYCLE
            for target in targets
        ]


def _weakly(wiring: Wiring) -> tuple[Resolve, Callable[[Key], Sequence[str]]]:
    """Return `out` and `inputs` of a wiring as functions that do not keep it alive."""
    own = ref(wiring)

    def out(owner: Key, port: str) -> Step | None:
        held = own()
        if held is None:
            raise RuntimeError("a step was run without a process that holds its wiring")
        return held.out(owner, port)

    def inputs(owner: Key) -> Sequence[str]:
        held = own()
        return held.inputs(owner) if held is not None else ()

    return out, inputs


def canonical(port: str) -> str:
    """Return one name for one port: `out[0]` is `out`."""
    return port.removesuffix("[0]")


def _waits(handler: Handler) -> bool:
    if isinstance(handler, Choice):
        return False
    if isinstance(handler, Conversation):
        return True
    return handler.waits or (isinstance(handler, Visit) and handler.turns)


def _answers(error: Error) -> Action:
    """Return what answers for an in port that is not there: a link to it was rejected, or it went away."""
    return Action(lambda _payload: error, out=None)


NOWHERE = Wiring({})
"""A wiring without symbols: what is begun for nobody runs here, and keeps no generation alive."""
