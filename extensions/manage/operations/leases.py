"""The operations on leases: runtimes that follow the store over the API agree by them, and with those beside it, on who acts."""

import asyncio
from contextlib import suppress
from math import isfinite
from typing import Final

from heddle.extensions.manage import models as shapes
from heddle.extensions.manage.operation import JSON, ApiReply, BodyForm, Operation, ResponseForm
from heddle.extensions.manage.problem_response import ApiError
from heddle.extensions.manage.request import ApiRequest
from heddle.extensions.manage.request_body import sent_json
from heddle.schemas.errors import StoreError
from heddle.specs.model.lease import Holder, Lease, LeaseStore, uptime
from heddle.specs.stores.overlay import leasing

LONGEST: Final = 3600.0
"""Seconds that a lease lasts at most unless it is renewed."""

MOST: Final = 10_000
"""Leases that are held for others at once."""

NAME: Final = 200
"""Characters of the name of a lease, and of those of its holder, at most."""

_SHARED: Final = "manage.leases"


class LeaseWish(shapes.ApiModel, frozen=True, kw_only=True):
    """The wish of a runtime to act: `ttl` is for how many seconds, `mark` what it has done last."""

    holder: Holder
    ttl: float
    mark: float | None = None


class LeaseMark(shapes.ApiModel, frozen=True, kw_only=True):
    """A moment, in seconds since 1970, that a holder records as done."""

    holder: Holder
    mark: float | None = None


class LeaseState(shapes.ApiModel, frozen=True, kw_only=True):
    """A lease: whether it is granted to who asks, who has it, and what was done last."""

    granted: bool
    holder: Holder | None = None
    mark: float | None = None


class _HeldLease:
    """A lease that is held here for a runtime elsewhere, until it ends unless it is renewed."""

    def __init__(self, lease: Lease) -> None:
        self.lease = lease
        self.ours = True
        """Whether it has to be given back at its end."""
        self.end = 0.0
        self.changed = asyncio.Event()
        self.mark: float | None = None

    def extend(self, seconds: float) -> None:
        """Have it last for so many seconds from now on; 0 ends it."""
        self.end = uptime() + seconds
        self.changed.set()

    def drop(self) -> None:
        """Hold it no more: it is given back, or another runtime has it."""
        self.ours = False
        self.extend(0)

    async def last(self) -> None:
        """Wait for its end."""
        while (left := self.end - uptime()) > 0:
            self.changed.clear()
            try:
                async with asyncio.timeout(left):
                    await self.changed.wait()
            except TimeoutError:
                continue


class _LeaseDesk:
    """The leases that one runtime holds for others, by their names and holders."""

    def __init__(self) -> None:
        self.held: dict[tuple[str, str], _HeldLease] = {}

    async def keep(self, key: tuple[str, str], held: _HeldLease) -> None:
        """Hold it until it ends, then give it back; so does a node that closes."""
        try:
            await held.last()
        finally:
            if self.held.get(key) is held:
                del self.held[key]
            if held.ours:
                # One that cannot be given back ends by itself.
                with suppress(StoreError):
                    await held.lease.release(held.mark)


def _desk(request: ApiRequest) -> _LeaseDesk:
    desk: _LeaseDesk = request.host.shared.setdefault(_SHARED, _LeaseDesk())
    return desk


def _granting(request: ApiRequest) -> LeaseStore:
    store = request.managed.store
    granting = leasing(store)
    # Runtimes of a store in memory act without any lease.
    if granting is not None and not store.url.startswith("memory:"):
        return granting
    raise ApiError(
        501,
        "no-leases",
        f"the store {store.url} grants no leases, and runtimes behind it may act (expected: a store in "
        "files or in PostgreSQL, or `singleton: machine` if no other runtime has this node)",
    )


def _key(request: ApiRequest, holder: Holder) -> tuple[str, str]:
    """Return the name of the lease in the store, which runtimes beside it use, too, and who wants it."""
    texts = request.key, holder.runtime, holder.host
    if not request.key or not holder.runtime or any(len(each) > NAME for each in texts):
        raise ApiError(422, "lease", f"a lease and its holder have names of 1 to {NAME} characters")
    return f"symbol/{request.namespace}/{request.key}", holder.runtime


def _check_mark(mark: float | None) -> None:
    if mark is not None and not isfinite(mark):
        raise ApiError(422, "lease", f"{mark} is not a moment (expected: seconds since 1970)")


async def take(request: ApiRequest) -> ApiReply:
    """Take a lease for a runtime, or renew it."""
    granting = _granting(request)
    sent: LeaseWish = await sent_json(request, LeaseWish)
    if not 0 < sent.ttl <= LONGEST:
        raise ApiError(
            422,
            "lease",
            f"no lease lasts {sent.ttl:g} s (expected: more than 0, at most {LONGEST:g})",
        )
    _check_mark(sent.mark)
    desk, key = _desk(request), _key(request, sent.holder)
    held = desk.held.get(key)
    if held is None:
        if len(desk.held) >= MOST:
            raise ApiError(503, "leases", f"{MOST} leases are held", header={"Retry-After": "1"})
        held = desk.held[key] = _HeldLease(granting.lease(key[0], sent.ttl, sent.holder))
        held.extend(sent.ttl)
        request.host.tasks.start(desk.keep(key, held))
    # If that fails it may be ours, or not: it ends as it was, unless it is taken again.
    granted = await held.lease.take(sent.mark)
    if granted:
        held.extend(sent.ttl)
        held.mark = sent.mark if sent.mark is not None else held.lease.mark
    else:
        held.drop()
    state = LeaseState(granted=granted, holder=held.lease.holder, mark=held.lease.mark)
    return ApiReply(state, header={"Cache-Control": "no-store"})


async def record(request: ApiRequest) -> ApiReply:
    """Record what a holder is about to do."""
    _granting(request)
    sent: LeaseMark = await sent_json(request, LeaseMark)
    _check_mark(sent.mark)
    held = _desk(request).held.get(_key(request, sent.holder))
    granted = False
    if held is not None and sent.mark is not None and held.end > uptime():
        granted = await held.lease.record(sent.mark)
        held.mark = sent.mark if granted else held.mark
    return ApiReply(LeaseState(granted=granted, mark=sent.mark))


async def release(request: ApiRequest) -> ApiReply:
    """Give a lease back at once."""
    _granting(request)
    sent: LeaseMark = await sent_json(request, LeaseMark)
    _check_mark(sent.mark)
    desk, key = _desk(request), _key(request, sent.holder)
    held = desk.held.pop(key, None)
    if held is not None:
        held.mark = sent.mark if sent.mark is not None else held.mark
        await held.lease.release(held.mark)
        held.drop()
    return ApiReply(status=204)


_STATE = ResponseForm(about="How it is now.", type=LeaseState)

OPERATIONS = [
    Operation(
        name="leases.take",
        summary="Take a lease for a runtime that follows the store over the API, or renew it.",
        details=(
            "Who has the lease of a symbol acts for it in the place of all other runtimes, those beside the "
            "store among them. It ends after `ttl` seconds unless it is taken again."
        ),
        run=take,
        right="operate",
        body=BodyForm(about="Who wants it, and for how long.", type=LeaseWish, media=(JSON,)),
        replies={200: _STATE},
        rejections=(422, 501),
    ),
    Operation(
        name="leases.record",
        summary="Record what the holder of a lease is about to do.",
        details="If the lease is not granted any more, it must not do it.",
        run=record,
        right="operate",
        body=BodyForm(about="Who does it, and when it was due.", type=LeaseMark, media=(JSON,)),
        replies={200: _STATE},
        rejections=(422, 501),
    ),
    Operation(
        name="leases.release",
        summary="Give a lease back at once.",
        run=release,
        right="operate",
        body=BodyForm(
            about="Who gives it back, and what it did last.", type=LeaseMark, media=(JSON,)
        ),
        replies={204: ResponseForm(about="It is free, or was not held.")},
        rejections=(422, 501),
    ),
]
