"""An Exchange is one request and the right to answer it, once."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from heddle.extensions.net.http.live import dropped
from heddle.extensions.net.http.request import HttpRequest
from heddle.runtime.flow.errors import Answer


class Replier(Protocol):
    """The connection that a request came by."""

    def answer(self, exchange: "Exchange", answer: Answer) -> None:
        """Send the answer as the response to the exchange's request."""
        ...


class Exchange:
    """`request` came; `reply` to it once, at once or later, on the loop's own thread.

    `on_hangup` is called when nobody waits for the answer any more: the client went away, or the
    answer timeout struck. `on_sending(task)` is called by the task that sends a streamed body, before
    its first byte: cancel it to cut the connection. `on_sent(complete)` is called once a reply was handed to the network:
    before `reply` returns, or for a streamed body after its last byte; `complete` is False when
    the client went away or the body failed in the middle.
    """

    __slots__ = ("_replier", "answered", "on_hangup", "on_sending", "on_sent", "request")

    def __init__(self, request: HttpRequest, replier: Replier) -> None:
        self.request = request
        self.answered = False
        self.on_hangup: Callable[[], None] | None = None
        self.on_sending: Callable[[asyncio.Task[None]], None] | None = None
        self.on_sent: Callable[[bool], None] | None = None
        self._replier: Replier | None = replier

    def reply(self, answer: Answer) -> None:
        """Answer the request; never raises for what is answered, but RuntimeError the second time.

        After a hang-up the answer is dropped without a word.
        """
        if self.answered:
            raise RuntimeError("a request is answered once, and this one was answered already")
        self.answered = True
        replier = self._replier
        if replier is not None:
            self._replier = None
            replier.answer(self, answer)
        else:
            dropped(answer)

    @property
    def waiting(self) -> bool:
        """Whether the client still waits for a reply."""
        return self._replier is not None

    def hang_up(self) -> None:
        """Nobody waits any more; called by the connection."""
        self._replier = None
        if self.on_hangup is not None:
            self.on_hangup()
