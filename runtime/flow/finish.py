"""Waiting for the answer of a process, and ending it by that."""

from collections.abc import Awaitable

from heddle.runtime.flow.contracts import Process
from heddle.runtime.flow.errors import Answer, Error
from heddle.runtime.flow.machine import PendingAnswer
from heddle.runtime.flow.step import FAILURES


async def settle(answer: Answer | PendingAnswer) -> Answer:
    """Return the answer, waited for if it is still on its way."""
    return await answer if type(answer) is PendingAnswer else answer


async def finish(process: Process, answer: Answer | PendingAnswer) -> Answer:
    """Wait for the answer, end the process by it, and give what its sender should get.

    That is the answer, or the Error of an exit hook that failed if the answer was none. Where
    the task that waits here is cancelled, so is the process.
    """
    try:
        answer = await settle(answer)
    except BaseException as error:
        await abandon(process, error)
        raise
    failed = answer if type(answer) is Error else None
    ended = process.end(failed)
    if isinstance(ended, Awaitable):
        ended = await ended
    return ended if failed is None and ended is not None else answer


async def abandon(process: Process, error: BaseException) -> None:
    """End a process whose answer cannot be waited for any more, because of this exception."""
    if not isinstance(error, FAILURES):
        process.cancel(Error("the caller that waited for the answer has gone", code="cancelled"))
    ended = process.end(process.reason or Error.of(error))
    if isinstance(ended, Awaitable):
        await ended
