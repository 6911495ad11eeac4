"""A handler whose failures carry their packet along, as FailedPacketErrors."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from heddle.runtime.flow.elsewhere import ElsewhereError
from heddle.runtime.flow.errors import Answer, Error, FailedPacketError, NodeError, Payload
from heddle.runtime.flow.flow import Flow
from heddle.runtime.flow.node import Action, Choice, Handler, Visit
from heddle.runtime.flow.step import FAILURES, RAISED
from heddle.schemas.port import canonical


def kept_around(handler: Handler) -> Handler:
    """Return the same handler, whose failures carry the packet; a conversation stays as it is.

    A conversation has many packets in flight, and knows best which of them failed.
    """
    if isinstance(handler, Action):
        fn = _waiting(handler.fn) if handler.waits else _plain(handler.fn)
        return Action(
            fn,
            out=handler.out,
            process=handler.process,
            waits=handler.waits,
            turns=handler.turns,
        )
    if isinstance(handler, Choice):
        return Choice(_choosing(handler.fn))
    if isinstance(handler, Visit):
        return Visit(_visiting(handler.fn), waits=handler.waits, turns=handler.turns)
    return handler


def _failed(error: BaseException, packet: Payload) -> FailedPacketError:
    if isinstance(error, FailedPacketError):
        return error
    failed = FailedPacketError(Error.of(error), packet)
    # Its frames would hold the packet for as long as the Error lives.
    failed.__cause__ = None
    return failed


def _elsewhere(later: ElsewhereError, packet: Payload) -> None:
    """Have the time limit of a program that goes on elsewhere carry the packet, too."""
    if isinstance(later.expired, NodeError):
        later.expired = _failed(later.expired, packet)


def _plain(fn: Callable[..., Any]) -> Callable[..., Any]:
    def kept(payload: Payload, *rest: Any) -> Any:
        try:
            return fn(payload, *rest)
        except ElsewhereError as later:
            _elsewhere(later, payload)
            raise
        except RAISED as error:
            raise _failed(error, payload) from None

    return kept


def _choosing(
    fn: Callable[[Payload], tuple[str | None, Payload]],
) -> Callable[[Payload], tuple[str | None, Payload]]:
    def kept(payload: Payload) -> tuple[str | None, Payload]:
        try:
            port, value = fn(payload)
        except ElsewhereError as later:
            _elsewhere(later, payload)
            raise
        except RAISED as error:
            raise _failed(error, payload) from None
        if port is not None and type(value) is Error and canonical(port) == "error":
            raise FailedPacketError(value, payload)
        return port, value

    return kept


def _waiting(fn: Callable[..., Awaitable[Any]]) -> Callable[..., Any]:
    async def kept(payload: Payload, *rest: Any) -> Any:
        try:
            return await fn(payload, *rest)
        except FAILURES as error:
            raise _failed(error, payload) from None
        except asyncio.CancelledError as error:
            if _is_cancelled():
                raise
            raise _failed(error, payload) from None

    return kept


def _visiting(fn: Callable[[Flow, Payload], Awaitable[Answer]]) -> Callable[..., Any]:
    async def kept(flow: Flow, payload: Payload) -> Answer:
        try:
            return await fn(KeepingFlow(flow, payload), payload)
        except FAILURES as error:
            raise _failed(error, payload) from None
        except asyncio.CancelledError as error:
            if _is_cancelled():
                raise
            raise _failed(error, payload) from None

    return kept


def _is_cancelled() -> bool:
    """Return whether it is this packet that is cancelled, and not just something that it waited for."""
    try:
        task = asyncio.current_task()
    except RuntimeError:
        return False
    return task is not None and task.cancelling() > 0


class KeepingFlow(Flow):
    """A Flow that has the packet go along with each Error that is sent to the port `error`."""

    __slots__ = ("_packet",)

    def __init__(self, flow: Flow, packet: Payload) -> None:
        super().__init__(flow.process, flow.step)
        self._packet = packet

    def send(self, port: str, payload: Payload) -> Any:
        """As `Flow.send` does it."""
        if type(payload) is Error and canonical(port) == "error" and self.linked("error"):
            payload = FailedPacketError(payload, self._packet).failure(payload.symbol, payload.port)
        return super().send(port, payload)
