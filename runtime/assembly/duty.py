"""A Duty is what one runtime of several does for all: it acts while it holds the lease.

`Duties` are those of one runtime. They outlive nodes: a node whose spec changes hands its duty to its
successor, and the lease stays where it is.
"""

import asyncio
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, Literal, TypeAlias
from uuid import UUID

from heddle.runtime.flow.errors import Error
from heddle.runtime.flow.step import FAILURES
from heddle.runtime.flow.tasks import Tasks
from heddle.schemas.errors import StoreError
from heddle.specs.model.lease import GrantedLease, Holder, Lease, uptime
from heddle.specs.model.store import Store
from heddle.specs.stores.lease_file import machine_lease
from heddle.specs.stores.overlay import leasing

Singleton: TypeAlias = Literal["cluster", "machine", "worker"]
"""Of how many one acts: of all that follow the store, of those of one machine, or each for itself."""

TTL: Final = 15.0
"""Seconds that a lease lasts unless it is renewed."""

LOOK: Final = 1.0
"""Seconds between two attempts to get a lease that somebody else has, at most."""

LIMIT: Final = 5.0
"""Seconds that one attempt may take."""


class Actor:
    """The actor of a duty: `take` begins it, `lose` ends it, both at once.

    `take` is told the mark of who acted before. `claim` says up to when it acts without recording each
    step (None: it records them); `done` is the last step that it has made.
    """

    def take(self, mark: float | None) -> None:
        """Begin to act."""

    def lose(self) -> None:
        """Act no more."""

    def claim(self) -> float | None:
        """Return up to when it acts until the next renewal."""
        return None

    def done(self) -> float | None:
        """Return what was done last; None if nothing was, or it was recorded."""
        return None


class Duty:
    """The right of one runtime to act for a symbol. The last actor that follows it acts."""

    def __init__(
        self,
        lease: Lease,
        ttl: float,
        emit: Callable[..., Any],
        forget: Callable[[], Any] = lambda: None,
        changed: Callable[[], Any] = lambda: None,
    ) -> None:
        """`forget` is called when nobody follows it any more, `changed` when it is taken or lost."""
        self._forget = forget
        self._changed = changed
        self.lease = lease
        self.ttl = ttl
        self.failure = ""
        """Why it cannot act though nobody else does; empty if all is well."""
        self._emit = emit
        self._actors: list[Actor] = []
        self._had = False
        self._tasks = Tasks(self._broke)
        self._wake = asyncio.Event()

    @property
    def held(self) -> bool:
        """Whether it may act at this moment."""
        return self._had and uptime() < self.lease.expires

    @property
    def alone(self) -> bool:
        """Whether there is nobody else who could act."""
        return isinstance(self.lease, GrantedLease)

    def snapshot(self) -> dict[str, Any]:
        """Return who has the lease, for people."""
        holder = self.lease.holder
        shown: dict[str, Any] = {"held": self.held}
        if holder is not None and holder.runtime:
            shown |= {"runtime": holder.runtime, "host": holder.host, "pid": holder.pid}
        return shown

    # --- actors ---

    async def follow(self, actor: Actor) -> None:
        """Have this one act from now on, in the place of the one before, whenever the lease is ours."""
        first = not self._actors
        self._actors.append(actor)
        if self.alone:
            self._had = True
            actor.take(None)
        elif first:
            await self._attempt()
            self._tasks.start(self._keep())
        elif self.held:
            # What its predecessor did, it knows from there.
            actor.take(None)

    async def leave(self, actor: Actor) -> None:
        """Have this one act no more; after the last one the lease is released."""
        if actor not in self._actors:
            return
        done = actor.done()
        self._actors.remove(actor)
        if self._actors:
            return
        self._forget()
        await self._tasks.stop()
        had, self._had = self._had, False
        if had:
            # A lease that cannot be given back ends by itself.
            with suppress(*FAILURES, TimeoutError):
                async with asyncio.timeout(LIMIT):
                    await self.lease.release(done)

    # --- acting ---

    async def record(self, mark: float) -> bool:
        """Record a step before it is made; return False if it is not ours to make.

        While the place that keeps the lease cannot be asked, it waits, as long as the lease lasts.
        """
        while self.held:
            try:
                async with asyncio.timeout(max(self.lease.expires - uptime(), 0.01)):
                    if await self.lease.record(mark):
                        return self.held
                self._wake.set()
                return False
            except (StoreError, TimeoutError):
                await asyncio.sleep(min(self.ttl / 20, 0.5))
        return False

    # --- the lease ---

    def _broke(self, error: Exception) -> None:
        self._emit("cannot act", level="error", error=Error.of(error))

    async def _keep(self) -> None:
        while True:
            pause = self.ttl / 3 if self.held and not self.failure else min(self.ttl / 6, LOOK)
            if self._had:
                pause = min(pause, max(self.lease.expires - uptime(), 0.0))
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._wake.wait()
            self._wake.clear()
            try:
                await self._attempt()
            except FAILURES as error:
                # The lease stays ours: somebody else would fail in the same way.
                self._emit("cannot act", level="error", error=Error.of(error))

    async def _attempt(self) -> None:
        """Take the lease, or renew it, and have the actor know what has changed."""
        actor = self._actors[-1] if self._actors else None
        left = self.lease.expires - uptime() if self._had else LIMIT
        try:
            async with asyncio.timeout(min(max(left, 0.05), LIMIT)):
                ours = await self.lease.take(actor.claim() if self.held and actor else None)
        except FAILURES as error:
            self._away(str(error) or "the store does not answer")
            return
        self.failure = ""
        if ours and not self._had:
            await self._begin()
        elif self._had and not ours:
            self._lost("another runtime has it", failed=False)

    async def _begin(self) -> None:
        actor = self._actors[-1] if self._actors else None
        if actor is None:
            return
        mark, claim = self.lease.mark, actor.claim()
        if claim is not None and not self.lease.exact:
            # What is claimed stands there before anything is done.
            try:
                if not await self.lease.take(claim):
                    return
            except StoreError as error:
                self._away(str(error))
                return
        self._had = True
        if self._tasks:
            self._emit("lease taken", reason="nobody else has it any more")
        self._changed()
        actor.take(mark)

    def _away(self, reason: str) -> None:
        """Note that the lease could not be renewed, or not even requested."""
        if self.held:
            # It is ours as long as it lasts; what keeps us from renewing it is tried again soon.
            self.failure = ""
            return
        if self._had:
            self._lost(reason, failed=True)
        elif not self.failure:
            self.failure = f"there is no lease to act: {reason}"

    def _lost(self, reason: str, *, failed: bool) -> None:
        self._had = False
        self.failure = f"lease lost: {reason}" if failed else ""
        self._emit("lease lost", level="warning", reason=reason)
        self._changed()
        if self._actors:
            self._actors[-1].lose()


class Duties:
    """The duties of one runtime: `store` grants their leases; without one, everything is granted."""

    def __init__(
        self,
        store: Store | None = None,
        runtime: str = "",
        namespace: str = "",
        ttl: float = TTL,
        changed: Callable[[], Any] = lambda: None,
    ) -> None:
        """Keep `changed`, which is called when it begins to act for others, or stops acting."""
        self._changed = changed
        self._store = store
        self._holder = Holder(runtime=runtime, host=socket.gethostname(), pid=os.getpid())
        self._namespace = namespace
        self._ttl = ttl
        self._duties: dict[tuple[UUID, Singleton], Duty] = {}

    @property
    def held(self) -> tuple[UUID, ...]:
        """The symbols for which it acts in the place of others."""
        return tuple(key[0] for key, duty in self._duties.items() if duty.held and not duty.alone)

    def of(self, symbol: UUID, singleton: Singleton, emit: Callable[..., Any]) -> Duty:
        """Return the duty of a symbol: the same one for all nodes that it has one after the other."""
        duty = self._duties.get((symbol, singleton))
        if duty is None:
            key = symbol, singleton
            lease = self._lease(symbol, singleton)
            duty = Duty(lease, self._ttl, emit, lambda: self._duties.pop(key, None), self._changed)
            self._duties[key] = duty
        return duty

    def _lease(self, symbol: UUID, singleton: Singleton) -> Lease:
        store = self._store
        if store is None or singleton == "worker" or store.url.startswith("memory:"):
            return GrantedLease(self._holder)
        name = f"symbol/{self._namespace}/{symbol}"
        local = store.url.startswith("file:")
        granting = leasing(store) if local or singleton == "cluster" else None
        if granting is not None:
            return granting.lease(name, self._ttl, self._holder)
        return machine_lease([store.url, name], self._holder)


NOBODY = Duties()
"""The duties of a runtime that is alone."""
