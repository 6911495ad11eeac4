"""A Berth is the place that one listener has at an address, and what it takes over from others there.

Listeners that leave in a change and those that come in it are matched by address, not by name: so one
may be renamed, moved to another host on the same port, begin or stop to speak TLS, or swap ports with
others. Until the change is made nothing is touched: new sockets are bound and do not listen yet. Then
the doors change hands, and the queue of an address that stays is never closed.
"""

import socket
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from heddle.extensions.extension import Host
from heddle.extensions.net.http.door import Address, Claim, Door, address_of, covers, overlap
from heddle.extensions.net.http.server import Server, bind, places

Begun: TypeAlias = Callable[[Server], None]
"""Called with a server that serves, or listens, from now on."""


class Handover:
    """The doors that change hands once the change is made. `whole`: the doors of the server stay as they are."""

    def __init__(
        self,
        donor: "Berth | None",
        server: Server | None,
        kept: Sequence[Door] = (),
        fresh: Sequence[Door] = (),
        claim: Claim | None = None,
        *,
        whole: bool = False,
    ) -> None:
        self.donor = donor
        self.server = server
        self.kept = kept
        self.fresh = fresh
        self.claim = claim
        self.whole = whole


class Berth:
    """Owns one server, from `open` to `leave`."""

    def __init__(self, where: str, port: int, *, secure: bool) -> None:
        self.server: Server | None = None
        self._where = where
        self._port = port
        self._secure = secure
        self._before: Berth | None = None
        self._leaving: list[Berth] = []
        self._heirs: list[Berth] = []
        self._given = False
        self._handover: Handover | None = None
        self._begun: Begun | None = None
        self._moved: Begun | None = None

    # -- before the change is made -------------------------------------------------------------

    def adopt(self, before: "Berth") -> None:
        """Prefer what this one has, if several have what is needed."""
        self._before = before

    def inherit(self, leaving: Sequence["Berth"]) -> None:
        """Note whose doors may be taken over."""
        self._leaving = [berth for berth in leaving if berth.server is not None]

    def renounce(self) -> None:
        """Take nothing over; what was bound is closed."""
        handover = self._forget()
        if handover is not None:
            for door in handover.fresh:
                door.close()
            if handover.claim is not None:
                handover.claim.leave()

    async def open(
        self, host: Host, make: Callable[[], Server], begun: Begun, moved: Begun
    ) -> None:
        """Listen, or arrange to once the change is made; raise OSError if the address cannot be had.

        `begun` is called when a server is ours, `moved` when it listens at another address.
        """
        self._begun, self._moved = begun, moved
        donor = self._same()
        if donor is not None and donor.server is not None:
            self._agree(Handover(donor, None, donor.server.doors, whole=True))
            return
        self._handover = await self._meet(host, make)
        if self._handover is not None:
            self._agree(self._handover)
            return
        self._leaving = []
        self._before = None
        server = make()
        sockets, claim = await self._bind(host, {})
        try:
            await server.start(sockets=sockets, shared=claim is not None, claim=claim)
        finally:
            if claim is not None:
                claim.leave()
        self.server = server
        begun(server)
        moved(server)

    def _same(self) -> "Berth | None":
        """Return the one that leaves and listens at the same address in the same way."""
        near = [self._before] if self._before is not None else []
        for berth in (*near, *self._leaving):
            if berth._given or berth.server is None:
                continue
            if (berth._where, berth._port, berth._secure) != (
                self._where,
                self._port,
                self._secure,
            ):
                continue
            # A free port belongs to the listener that was given it.
            if self._port or berth is self._before:
                return berth
        return None

    async def _meet(self, host: Host, make: Callable[[], Server]) -> Handover | None:
        """Return what is taken over from those in the way; None if there are none."""
        held = {
            door.address: (door, berth)
            for berth in self._leaving
            if berth.server is not None
            for door in berth.server.doors
            if door.address[2] == self._port and not door.promised
        }
        if not self._port or not held:
            return None
        requested = [place.at(self._port) for place in await places(self._where, self._port)]
        way = {
            address: owned
            for address, owned in held.items()
            if any(overlap(address, entry) for entry in requested)
        }
        if not way:
            return None
        owners = [berth for _, berth in way.values()]
        if self._before in owners:
            owners.insert(0, self._before)
        alike = [owner for owner in owners if owner._secure == self._secure and not owner._given]
        server = None if alike else make()
        sockets, claim = await self._bind(host, {at: door.sock for at, (door, _) in way.items()})
        fresh: list[Door] = []
        for sock in sockets:
            if address_of(sock) in way:
                sock.close()
            else:
                fresh.append(Door(sock, shared=claim is not None, claim=claim))
        kept = [
            door for at, (door, _) in way.items() if any(covers(entry, at) for entry in requested)
        ]
        return Handover(alike[0] if alike else None, server, kept, fresh, claim)

    async def _bind(
        self, host: Host, beside: Mapping[Address, socket.socket]
    ) -> tuple[list[socket.socket], Claim | None]:
        """Sockets of the address, with a claim if they are those of a team."""
        where, port, owner = self._where, self._port, str(host.id)
        counts: Counter[tuple[str, int, str]] = host.shared.setdefault("net.claims", Counter())
        key = (where, port, "" if port else owner)
        team = host.team

        def release() -> None:
            counts[key] -= 1
            if not counts[key]:
                del counts[key]
                team.release(where, port, owner)

        # Counted before it is asked for: one that leaves meanwhile must not release it for us, too.
        counts[key] += 1
        try:
            sockets = await team.bind(where, port, owner, list(beside))
        except BaseException:
            release()
            raise
        if not sockets:
            release()
            return await bind(where, port, beside), None
        claim = Claim(release)
        claim.enter()
        return list(sockets), claim

    def _agree(self, handover: Handover) -> None:
        """Let those that leave call `_arrive` when the change is made."""
        self._handover = handover
        if handover.donor is not None:
            handover.donor._given = True
            if handover.donor not in self._leaving:
                self._leaving.append(handover.donor)
        for door in handover.kept:
            door.promised = True
        for berth in self._leaving:
            berth._heirs.append(self)

    def _forget(self) -> Handover | None:
        """Let go of those that leave; what was agreed with them."""
        handover, self._handover = self._handover, None
        for berth in self._leaving:
            if self in berth._heirs:
                berth._heirs.remove(self)
        self._leaving, self._before = [], None
        if handover is not None:
            for door in handover.kept:
                door.promised = False
            if handover.donor is not None:
                handover.donor._given = False
        return handover

    # -- once it is made -----------------------------------------------------------------------

    async def _arrive(self) -> list[Door]:
        """Take the doors over, and serve; those that come along and are not wanted."""
        handover = self._forget()
        if handover is None:
            return []
        taken = handover.server
        if handover.donor is not None:
            taken, handover.donor.server = handover.donor.server, None
        if taken is None or self._begun is None or self._moved is None:
            return []
        server: Server = taken
        self.server = server
        self._begun(server)
        if handover.whole:
            return []
        await server.add(handover.fresh)
        for door in handover.kept:
            if door.owner is not server:
                await server.receive(door)
            if handover.claim is not None:
                door.claim_by(handover.claim)
        if handover.claim is not None:
            handover.claim.leave()
        self._moved(server)
        staying = {*handover.kept, *handover.fresh}
        return [door for door in server.doors if door not in staying]

    async def leave(self) -> list[Exception]:
        """Let heirs take what they have agreed upon; what went wrong with one stops no other.

        All that touch each other arrive before a door is closed: who waits at it may be for any.
        """
        failures: list[Exception] = []
        surplus: list[tuple[Server, list[Door]]] = []
        for heir in self._related():
            try:
                doors = await heir._arrive()
            except Exception as error:
                failures.append(error)
            else:
                if heir.server is not None:
                    surplus.append((heir.server, doors))
        servers = [server for server, _ in surplus]
        for server, doors in surplus:
            # Some of them have gone to others meanwhile.
            left = [door for door in doors if door in server.doors]
            if left:
                server.shed(left, servers)
        # It begins nothing any more: its node is freed once nothing else holds it.
        self._begun = self._moved = None
        return failures

    def _related(self) -> list["Berth"]:
        """Return the heirs of this one, those who share a predecessor with them, and so on."""
        heirs: list[Berth] = []
        todo: list[Berth] = [self]
        seen: set[Berth] = {self}
        while todo:
            for heir in todo.pop()._heirs:
                if heir not in heirs:
                    heirs.append(heir)
                    more = [berth for berth in heir._leaving if berth not in seen]
                    seen.update(more)
                    todo += more
        return heirs
