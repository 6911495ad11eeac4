"""Steps are what frozen wiring compiles to: the machine walks them, one after the other.

A step knows what to do and where to go next. If it goes is looked up the first time that a
packet gets there, so a new generation costs only the way that packets take through it.
"""

from asyncio import CancelledError
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from heddle.runtime.flow.contracts import Key
from heddle.runtime.flow.elsewhere import ElsewhereError, resume
from heddle.runtime.flow.errors import failure_of
from heddle.runtime.flow.node import Action, Choice, Conversation, Visit

RUN = 0
CHOOSE = 1
VISIT = 2
JOIN = 3
ACT = 4
WAIT = 5
READ = 6
LAZY = 7

FAILURES = (Exception, SystemExit)
"""The exceptions that a node may raise to fail. SystemExit is one: a node's `exit()` ends its packet, no more."""

RAISED = (*FAILURES, CancelledError, GeneratorExit)
"""The exceptions that a plain function may raise to fail: nobody can cancel or close that, so these are its own."""

_WAITS = Action(lambda payload: payload, waits=True)

Resolve: TypeAlias = "Callable[[Key, str], Step | None]"
"""The target of an out port of a symbol in this generation; None if nothing is linked."""


class Step:
    """An instruction for a payload. `op` says which of the classes below it is."""

    __slots__ = ("op",)
    op: int


class RunStep(Step):
    """A straight run of plain one-to-one actions, then `next` (None: the payload is the answer).

    `owners`, `labels` and `ports` tell whose action each is, and at which in port.
    """

    __slots__ = ("_resolve", "actions", "labels", "next", "owners", "ports")

    def __init__(
        self,
        actions: tuple[Callable[[Any], Any], ...],
        owners: tuple[Key, ...],
        labels: tuple[str, ...],
        ports: tuple[str, ...],
        following: Step | None,
        resolve: Resolve,
    ) -> None:
        self.op = RUN
        self.actions = actions
        self.owners = owners
        self.labels = labels
        self.ports = ports
        self.next = following
        self._resolve = resolve

    def failed(self, index: int, error: BaseException, payload: Any) -> tuple[Step | None, Any]:
        """Return where the failure of the action at `index` on this payload goes, and its Error.

        If the action goes on elsewhere, that is a step which waits for it, and the payload.
        """
        if type(error) is ElsewhereError:
            return self._resumed(index, error), payload
        step = self._resolve(self.owners[index], "error")
        label, port = self.labels[index], self.ports[index]
        return step, failure_of(error, label, port, linked=step is not None)

    def _resumed(self, index: int, later: ElsewhereError) -> Step:
        rest, fn = index + 1, self.actions[index]
        then = self.next
        if rest < len(self.actions):
            # Its own copy: where a run goes on is looked up once, and kept in it.
            then = RunStep(
                self.actions[rest:],
                self.owners[rest:],
                self.labels[rest:],
                self.ports[rest:],
                self.next,
                self._resolve,
            )
        step = ResumedStep(self.owners[index], self.labels[index], self._resolve, self.ports[index])

        async def resumed(payload: Any) -> Any:
            step.fn = _spent  # the step and this function must not hold each other
            result = await resume(later, fn, payload)
            step.then = then
            return result

        step.fn = resumed
        return step


class Ways(dict[str | None, Step | None]):
    """The targets of the out ports of one symbol, each looked up when it is first asked."""

    __slots__ = ("_owner", "_resolve")

    def __init__(self, owner: Key, resolve: Resolve) -> None:
        super().__init__({None: None})
        self._owner = owner
        self._resolve = resolve

    def __missing__(self, port: str) -> Step | None:
        step = self[port] = self._resolve(self._owner, port)
        return step


class NodeStep(Step):
    """A step of one node, at one in port, that finds its ways by the names of its out ports."""

    __slots__ = ("_resolve", "label", "nexts", "owner", "port")

    def __init__(self, owner: Key, label: str, resolve: Resolve, port: str) -> None:
        self.owner = owner
        self.label = label
        self.port = port
        self._resolve = resolve
        self.nexts = Ways(owner, resolve)

    def leads(self, port: str) -> Step | None:
        """Return where an out port leads; None if nothing is linked."""
        return self.nexts[port]

    def failed(self, error: BaseException) -> tuple[Step | None, Any]:
        """Return where this node's own failure goes, and the Error that it is."""
        step = self.leads("error")
        return step, failure_of(error, self.label, self.port, linked=step is not None)


class ChoiceStep(NodeStep):
    """A node that only chooses where to go: a tail call."""

    __slots__ = ("fn",)

    def __init__(
        self, owner: Key, label: str, resolve: Resolve, handler: Choice, port: str = "in"
    ) -> None:
        super().__init__(owner, label, resolve, port)
        self.op = CHOOSE
        self.fn = handler.fn

    def gave_up(self, error: BaseException, payload: Any) -> tuple[Step | None, Any]:
        """Return where its failure goes, and the Error; or a step that waits, and the payload."""
        if type(error) is not ElsewhereError:
            return self.failed(error)
        step, later = ResumedStep(self.owner, self.label, self._resolve, self.port), error

        async def resumed(payload: Any) -> Any:
            step.fn = _spent  # the step and this function must not hold each other
            port, value = await resume(later, self.fn, payload)
            step.then = self.nexts[port]
            return value

        step.fn = resumed
        return step, payload


class VisitStep(NodeStep):
    """A node that looks at answers: the machine keeps its coroutine on the stack meanwhile.

    `waiting` remembers which of its out ports lead to what may wait: the wiring never changes.
    """

    __slots__ = ("_inputs", "_known", "fn", "turns", "waiting", "waits")

    def __init__(
        self,
        owner: Key,
        label: str,
        resolve: Resolve,
        handler: Visit,
        inputs: Callable[[Key], Sequence[str]],
        port: str = "in",
    ) -> None:
        super().__init__(owner, label, resolve, port)
        self.op = VISIT
        self.fn = handler.fn
        self.waits = handler.waits or handler.turns
        self.turns = handler.turns
        self.waiting: dict[str, bool] = {}
        self._inputs = inputs
        self._known: Sequence[str] | None = None

    def inputs(self) -> Sequence[str]:
        """Return the in ports of this node that something is linked to."""
        if self._known is None:
            self._known = self._inputs(self.owner)
        return self._known


class ActionStep(NodeStep):
    """One action that wants its process (ACT), or that waits (WAIT)."""

    __slots__ = ("fn", "out", "process", "turns")

    def __init__(
        self, owner: Key, label: str, resolve: Resolve, handler: Action, port: str = "in"
    ) -> None:
        super().__init__(owner, label, resolve, port)
        self.op = WAIT if handler.waits else ACT
        self.fn = handler.fn
        self.process = handler.process
        self.turns = handler.turns
        self.out = handler.out

    def following(self) -> Step | None:
        """Return where the result goes."""
        return self.leads(self.out) if self.out is not None else None

    def gave_up(self, error: BaseException, payload: Any) -> tuple[Step | None, Any]:
        """Return where its failure goes, and the Error; or a step that waits, and the payload."""
        if type(error) is not ElsewhereError:
            return self.failed(error)
        step, later = ResumedStep(self.owner, self.label, self._resolve, self.port), error

        async def resumed(payload: Any, process: Any) -> Any:
            result = await resume(later, self.fn, payload, process)
            step.then = self.following()
            return result

        step.fn, step.process = resumed, True
        return step, payload


class ResumedStep(ActionStep):
    """The wait for a function that goes on elsewhere: made for one packet. `then` follows it."""

    __slots__ = ("then",)

    def __init__(self, owner: Key, label: str, resolve: Resolve, port: str) -> None:
        super().__init__(owner, label, resolve, _WAITS, port)
        self.then: Step | None = None

    def following(self) -> Step | None:
        """Return where the result goes, once there is one."""
        return self.then


class ReadStep(NodeStep):
    """A node that holds a conversation: packets go to its Reader of this process."""

    __slots__ = ("fn",)

    def __init__(
        self, owner: Key, label: str, resolve: Resolve, handler: Conversation, port: str
    ) -> None:
        super().__init__(owner, label, resolve, port)
        self.op = READ
        self.fn = handler.fn
        self.port = port


class JoinStep(Step):
    """An out port with several links: the payload goes to each, the answers are joined in order.

    Where two or more of the targets may wait they are `concurrent`: each gets a task of its own.
    """

    __slots__ = ("concurrent", "targets")

    def __init__(self, targets: tuple[Step, ...], concurrent: bool) -> None:
        self.op = JOIN
        self.targets = targets
        self.concurrent = concurrent


class LazyStep(Step):
    """The place where a run goes on, looked up when the first packet gets there."""

    __slots__ = ("_after", "_port", "_resolve", "owner")

    def __init__(self, after: RunStep, owner: Key, port: str, resolve: Resolve) -> None:
        self.op = LAZY
        self._after = after
        self.owner = owner
        self._port = port
        self._resolve = resolve

    def settle(self) -> Step | None:
        """Look it up, and let the run go straight there from now on."""
        step = self._after.next = self._resolve(self.owner, self._port)
        return step


async def _spent(payload: Any) -> Any:
    """Stand for the function of a ResumedStep that has begun: it is called once."""
    raise RuntimeError(f"a step is resumed once, and not with {type(payload).__name__} again")
