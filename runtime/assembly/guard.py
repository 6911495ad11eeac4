"""A Guard stands round what one node does: a time limit, further attempts, and turns to take."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from time import monotonic
from typing import Any

from heddle.runtime.assembly.packet_keeper import kept_around
from heddle.runtime.assembly.retry_rule import RetryRule
from heddle.runtime.flow.contracts import Process
from heddle.runtime.flow.elsewhere import ElsewhereError, await_program, resume
from heddle.runtime.flow.errors import Answer, Error, NodeError, Payload
from heddle.runtime.flow.flow import Flow
from heddle.runtime.flow.node import Action, Choice, Handler, Visit
from heddle.runtime.flow.step import FAILURES
from heddle.schemas.units import Duration

_LIMIT: "ContextVar[tuple[asyncio.Timeout, NodeGuard] | None]" = ContextVar("limit", default=None)
"""The innermost time limit round the code that runs."""


def limit_error() -> Error | None:
    """Return the Error of the time limit round this code if it is over; None if it is not.

    Who is cancelled without a reason learns from it whether that is because it took too long.
    """
    current = _LIMIT.get()
    return current[1].error if current is not None and current[0].expired() else None


class Gate:
    """The processes inside a node, and those that wait for that, in the order they came."""

    __slots__ = ("inside", "waiting")

    def __init__(self) -> None:
        self.inside: dict[Process, int] = {}
        self.waiting: deque[tuple[asyncio.Future[None], Process, int]] = deque()

    async def enter(self, process: Process, limit: int, queue: int) -> Process:
        """Come in, as soon as fewer than `limit` are inside; raise NodeError if more than `queue` wait.

        Who is inside already, or has an ancestor inside, does not wait for itself. Returns who is
        to be counted out again.
        """
        parent: Process | None = process
        while parent is not None:
            if parent in self.inside:
                self.inside[parent] += 1
                return parent
            parent = parent.parent
        if len(self.inside) < limit and not self.waiting:
            self.inside[process] = 1
            return process
        if len(self.waiting) >= queue:
            actual = f"{limit} processes are inside, and {len(self.waiting)} wait already"
            raise NodeError(Error(actual, code="busy"))
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.waiting.append((turn, process, limit))
        try:
            await turn
        except BaseException:
            if turn.done() and not turn.cancelled():
                self.leave(process)
            else:
                turn.cancel()
                self.waiting = deque(entry for entry in self.waiting if entry[0] is not turn)
            raise
        return process

    def leave(self, process: Process) -> None:
        """Go out again, and let in who waits."""
        self.inside[process] -= 1
        if self.inside[process]:
            return
        del self.inside[process]
        while self.waiting and len(self.inside) < self.waiting[0][2]:
            turn, following, _ = self.waiting.popleft()
            if not turn.done():
                self.inside[following] = self.inside.get(following, 0) + 1
                turn.set_result(None)


class NodeGuard:
    """Goes round the handlers of one node. `timeout` is in seconds; `limit` counts processes.

    With `keep_packet` what fails carries the packet along to the port `error`.
    """

    __slots__ = ("_attempts", "_gate", "_keep_packet", "_limit", "_queue", "_timeout")

    def __init__(
        self,
        *,
        timeout: float | None = None,
        attempts: RetryRule | None = None,
        limit: int | None = None,
        queue: int = 0,
        keep_packet: bool = False,
    ) -> None:
        self._keep_packet = keep_packet
        self._timeout = timeout
        self._attempts = attempts
        self._limit = limit
        self._queue = queue
        self._gate = Gate()

    def adopt(self, predecessor: "NodeGuard") -> None:
        """Count who is inside the node already."""
        self._gate = predecessor._gate

    def snapshot(self) -> Mapping[str, Any]:
        """Return how many are inside, and how many wait; nothing if nobody counts them."""
        if self._limit is None:
            return {}
        return {"inside": len(self._gate.inside), "waiting": len(self._gate.waiting)}

    def around(self, handler: Handler) -> Handler:
        """Return the same handler with the guard round it; conversations are met at their entry, see `visit`."""
        if self._keep_packet:
            bounded = self._limited_around(handler) if self._bounds else handler
            return kept_around(bounded)
        return self._limited_around(handler)

    @property
    def _bounds(self) -> bool:
        """Whether there is any limit."""
        return not self._plain or self._timeout is not None

    def _limited_around(self, handler: Handler) -> Handler:
        if isinstance(handler, Action):
            return self._action(handler)
        if isinstance(handler, Choice):
            return self._choice(handler)
        if isinstance(handler, Visit):
            return self._visit(handler)
        return handler

    def visit(self) -> Visit:
        """Return a Visit that sends on by the port `""`, to whoever holds a conversation."""

        async def guarded(flow: Flow, payload: Payload) -> Answer:
            return await self._guarded(flow.process, lambda: flow.send("", payload))

        return Visit(guarded, waits=True)

    def _action(self, handler: Action) -> Action:
        fn, wants, waits = handler.fn, handler.process, handler.waits
        if not waits and self._plain:
            if wants:
                return Action(self._timed(fn), out=handler.out, process=True)
            return Action(self._timed(fn), out=handler.out)

        async def guarded(payload: Payload, process: Process) -> Any:
            async def act() -> Any:
                begun = monotonic()
                args = (payload, process) if wants else (payload,)
                try:
                    result = fn(*args)
                except ElsewhereError as later:
                    return await resume(later, fn, *args)
                if waits:
                    return await result
                self._late(begun)
                return result

            return await self._guarded(process, act)

        return Action(
            guarded, out=handler.out, process=True, waits=True, turns=not waits or handler.turns
        )

    def _choice(self, handler: Choice) -> Handler:
        fn = self._timed(handler.fn)
        if self._plain:
            return Choice(fn)

        async def guarded(flow: Flow, payload: Payload) -> Answer:
            async def act() -> tuple[str | None, Payload]:
                chosen: tuple[str | None, Payload]
                try:
                    chosen = fn(payload)
                except ElsewhereError as later:
                    chosen = await resume(later, fn, payload)
                return chosen

            port, value = await self._guarded(flow.process, act)
            return value if port is None else await flow.send(port, value)

        return Visit(guarded, waits=True)

    def _visit(self, handler: Visit) -> Visit:
        async def guarded(flow: Flow, payload: Payload) -> Answer:
            return await self._guarded(flow.process, lambda: handler.fn(flow, payload))

        return Visit(guarded, waits=True, turns=handler.turns)

    @property
    def _plain(self) -> bool:
        """Whether a plain function stays one: nothing of the guard has to wait."""
        return self._attempts is None and self._limit is None

    def _timed(self, fn: Callable[..., Any]) -> Callable[..., Any]:
        """Return a plain function that fails if it took too long: nobody can stop it on its way."""
        if self._timeout is None:
            return fn

        def timed(*args: Any) -> Any:
            begun = monotonic()
            try:
                result = fn(*args)
            except ElsewhereError as later:
                later.limit, later.expired = self._timeout, self._expired()
                raise
            self._late(begun)
            return result

        return timed

    def _late(self, begun: float) -> None:
        if self._timeout is not None and monotonic() - begun > self._timeout:
            raise self._expired()

    @property
    def error(self) -> Error:
        """The Error of what takes longer than the time limit."""
        return Error(f"it took longer than {Duration(self._timeout or 0)}", code="timeout")

    def _expired(self) -> NodeError:
        return NodeError(self.error)

    async def _guarded(self, process: Process, act: Callable[[], Awaitable[Any]]) -> Any:
        """Take a turn, and try as often as there are attempts."""
        if self._limit is None:
            return await self._tried(process, act)
        counted = await self._gate.enter(process, self._limit, self._queue)
        try:
            return await self._tried(process, act)
        finally:
            self._gate.leave(counted)

    async def _tried(self, process: Process, act: Callable[[], Awaitable[Any]]) -> Any:
        made = 0
        while True:
            failure: BaseException | None = None
            try:
                answer = await self._limited(act)
            except FAILURES as error:
                failure, answer = error, Error.of(error)
            made += 1
            pause = None
            failed = type(answer) is Error and process.reason is None
            if failed and self._attempts is not None:
                pause = await await_program(self._attempts.pause, answer, made, process.deadline)
            if pause is None:
                if failure is not None:
                    raise failure
                return answer
            if pause:
                await asyncio.sleep(pause)

    async def _limited(self, act: Callable[[], Awaitable[Any]]) -> Any:
        """Return one attempt, within the time limit."""
        if self._timeout is None:
            return await act()
        limit = asyncio.timeout(self._timeout)
        outer = _LIMIT.set((limit, self))
        try:
            async with limit:
                return await act()
        except TimeoutError:
            if limit.expired():
                raise self._expired() from None
            raise
        finally:
            _LIMIT.reset(outer)
