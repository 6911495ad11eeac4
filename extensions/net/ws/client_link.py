"""A Link is our connection to somebody's WebSocket: it comes back by itself, and outlives its node."""

import asyncio
import ssl
from collections import deque
from typing import TYPE_CHECKING, Any, Protocol, cast

import msgspec

from heddle.extensions.extension import Error, NodeError, Tasks
from heddle.extensions.net.ws.connection import GOING_AWAY, PARTING, Ear, Talk, TalkLimits, log
from heddle.extensions.net.ws.message import Message
from heddle.runtime.assembly.retry_rule import ENDLESS, RetryRule
from heddle.runtime.flow.budget import HeldBudget

if TYPE_CHECKING:
    from websockets.client import ClientProtocol

LASTED = 10.0
"""Seconds after which a connection counts as a good one: the next pause is a short one again."""


class LinkSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings that tell one link from another. `connect` is in seconds."""

    url: str
    header: tuple[tuple[str, str], ...] = ()
    protocols: tuple[str, ...] = ()
    compress: bool = True
    connect: float | None = 10.0
    tls: Any = None


class LinkOwner(Ear, Protocol):
    """The node that hears a link now."""

    def notify(self, event: str, **data: Any) -> None:
        """Something has happened to the link."""
        ...


class LinkTalk(Talk):
    """The client's side of a Talk: it asks for its WebSocket itself."""

    protocol: "ClientProtocol"

    def __init__(self, protocol: "ClientProtocol", limits: TalkLimits, link: "ClientLink") -> None:
        super().__init__(protocol, limits, link)
        self.over: asyncio.Future[tuple[int, str]] = asyncio.get_running_loop().create_future()
        self.begun: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.started = self.ready = False
        self._link = link

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """There is a connection: ask for a WebSocket."""
        # Not asked for its class: that of uvloop is another one.
        self.transport = cast(asyncio.Transport, transport)
        request = self.protocol.connect()
        # The protocol writes Latin-1: so each byte of UTF-8 passes as one character.
        request.headers.update(
            {name: value.encode().decode("latin-1") for name, value in self._link.where.header}
        )
        self.protocol.send_request(request)
        self._flush()

    def _event(self, frame: Any) -> None:
        if self.started:
            super()._event(frame)
            return
        rejection = self.protocol.handshake_exc
        if self.begun.done() or rejection is not None:
            self._give_up(rejection)
            self.transport.abort()
            return
        self.started = True
        self.begun.set_result(None)
        self.begin()
        if not self._busy:
            self._make_ready()

    def done(self) -> None:
        """Go on with the next message: the greeting, or a message, has its answer."""
        self._make_ready()
        super().done()

    def _make_ready(self) -> None:
        if not self.ready:
            self.ready = True
            self._link.send_queued(self)

    def _leave(self) -> None:
        self._give_up(self.protocol.handshake_exc)

    def _give_up(self, rejection: Exception | None) -> None:
        """Fail whoever waits for the beginning."""
        if not self.begun.done():
            self.begun.set_exception(rejection or ConnectionResetError("the connection was closed"))

    def _end(self) -> None:
        if self.started:
            super()._end()
        if not self.over.done():
            code = self.protocol.close_code
            self.over.set_result((code or 1006, self.protocol.close_reason or ""))


class ClientLink:
    """Connects, and connects again with growing pauses; what is said meanwhile waits."""

    def __init__(self, where: LinkSettings, owner: LinkOwner) -> None:
        self.where = where
        self.owner = owner
        self.limits = TalkLimits()
        self.attempts = RetryRule(most=ENDLESS, delay=0.5, jitter=0.5)
        self.most = 100
        self.talk: LinkTalk | None = None
        self.connected = 0
        self.failed = ""
        self._queue: deque[Message] = deque()
        self._held = HeldBudget()
        self._tasks = Tasks(self._report)
        self._task: asyncio.Task[None] | None = None

    def _report(self, error: Exception) -> None:
        self.owner.notify(
            "websocket away", level="error", reason=str(error) or type(error).__name__
        )

    @property
    def queued(self) -> int:
        """How many messages wait for a connection."""
        return len(self._queue)

    def start(self) -> None:
        """Connect, and stay connected."""
        if self._task is None:
            self._task = self._tasks.start(self._keep())

    def limit(self, limits: TalkLimits, attempts: RetryRule, most: int) -> None:
        """Set the limits that hold from now on."""
        self.limits, self.attempts, self.most = limits, attempts, most
        if self.talk is not None:
            self.talk.limit(limits)

    def send(self, message: Message) -> None:
        """Send a message, or keep it until there is a connection; raise NodeError if too many wait."""
        talk = self.talk
        if talk is not None and talk.ready and not self._queue and talk.send(message):
            return
        if len(self._queue) >= self.most:
            why = f": {self.failed}" if self.failed else ""
            raise NodeError(Error(f"there is no connection to {self.where.url}{why}", code="busy"))
        if not self._held.grow(len(message)):
            raise NodeError(Error("no memory is left for messages that wait", code="busy"))
        self._queue.append(message)

    def send_queued(self, talk: LinkTalk) -> None:
        """Send what has waited."""
        while self._queue and talk.send(self._queue[0]):
            self._queue.popleft()
        self._held.hold(sum(map(len, self._queue)), must=True)

    async def stop(self) -> None:
        """Say goodbye, and connect no more."""
        self._held.free()
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        talk = self.talk
        if talk is not None:
            talk.part(GOING_AWAY, "")
            try:
                await asyncio.wait_for(asyncio.shield(talk.over), PARTING)
            except TimeoutError:
                talk.cut()

    # -- what happens on the connection --------------------------------------------------------

    def opened(self, talk: Talk) -> bool:
        """Note that the connection has begun."""
        return self.owner.opened(talk)

    def on_message(self, talk: Talk, message: Message) -> bool:
        """Take a message that has come."""
        return self.owner.on_message(talk, message)

    def lost(self, talk: Talk) -> None:
        """Note that the connection broke off."""
        self.owner.lost(talk)

    def closed(self, talk: Talk, code: int, reason: str) -> None:
        """Note that the connection is over."""
        self.owner.closed(talk, code, reason)

    # -- keeping it ----------------------------------------------------------------------------

    async def _keep(self) -> None:
        loop = asyncio.get_running_loop()
        made = 0
        while True:
            try:
                talk = await self._connect()
            except Exception as error:
                text, self.failed = self.failed, str(error) or type(error).__name__
                if text != self.failed:
                    self.owner.notify("websocket away", level="warning", reason=self.failed)
            else:
                since = loop.time()
                code, reason = await asyncio.shield(talk.over)
                self.talk = None
                if loop.time() - since > LASTED or talk.received:
                    made = 0
                self.failed = f"closed with {code} {reason}".rstrip()
                self.owner.notify("websocket away", level="warning", reason=self.failed)
            made += 1
            pause = self.attempts.pause(Error(self.failed, code="unreachable"), made)
            await asyncio.sleep(pause or 0.0)

    async def _connect(self) -> LinkTalk:
        """Return a connection that talks; raises why there is none."""
        from websockets.client import ClientProtocol
        from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
        from websockets.typing import Subprotocol
        from websockets.uri import parse_uri

        from heddle.extensions.net.ws.frames import watch

        where = self.where
        uri = parse_uri(where.url)
        protocol = ClientProtocol(
            uri,
            extensions=[ClientPerMessageDeflateFactory()] if where.compress else None,
            subprotocols=[Subprotocol(protocol) for protocol in where.protocols] or None,
            max_size=self.limits.message,
            logger=log,
        )
        watch(protocol, masked=False)
        tls: ssl.SSLContext | bool | None = (where.tls or True) if uri.secure else None
        loop = asyncio.get_running_loop()
        talk = LinkTalk(protocol, self.limits, self)
        self.talk = talk
        try:
            async with asyncio.timeout(where.connect):
                await loop.create_connection(lambda: talk, uri.host, uri.port, ssl=tls)
                await talk.begun
        except BaseException:
            self.talk = None
            if hasattr(talk, "transport"):
                talk.cut()
            talk.begun.cancel()
            raise
        self.connected += 1
        self.failed = ""
        self.owner.notify("websocket connected")
        return talk
