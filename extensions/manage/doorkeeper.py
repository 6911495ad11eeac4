"""A Doorkeeper knows the tokens of a namespace, and whether callers need one."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic

from heddle.extensions.extension import Host
from heddle.extensions.manage.streams import Streams
from heddle.extensions.manage.tokens import (
    ApiToken,
    closing_mark,
    guarded,
    is_token,
    tokens_of,
)
from heddle.runtime.managed import managed_by
from heddle.schemas.errors import StoreError
from heddle.schemas.problem import Problem
from heddle.specs.model.revision import Note, RevisionStore
from heddle.specs.model.store import PollingStore, Put

FRESH = 5.0
"""Seconds for which tokens are believed if no change of them was reported."""

GRACE = 60.0
"""Seconds for which tokens are believed while the store cannot be read; after that, nobody gets in."""

AGAIN = 1.0
"""Seconds until a watch that broke is tried again."""

_PAGE = 100


class TokensUnknownError(StoreError):
    """Raised if nobody can say which tokens there are: until it is known, nobody is let in."""


class Doorkeeper:
    """Knows the tokens of a namespace, as they are now.

    `guarded` says whether every caller needs a token. Once a token has existed it stays true: in this
    process, in those that follow it, and after a restart, as the history of the store or a mark in it
    shows.
    """

    def __init__(self, host: Host, predecessor: "Doorkeeper | None" = None) -> None:
        self._store = managed_by(host).store
        self._namespace = host.namespace
        self._tokens: list[ApiToken] = []
        self.guarded: bool = predecessor.guarded if predecessor is not None else False
        self.streams: Streams = predecessor.streams if predecessor is not None else Streams()
        self._read = -GRACE
        self._revision = -1
        self._searched = -1
        self._stale = True
        self._sound = False
        self._reading = asyncio.Lock()
        self._owner = host.tasks
        self._tasks: list[asyncio.Task[None]] = []

    async def open(self) -> None:
        """Read the tokens, and follow their changes; raise StoreError if the store cannot be read."""
        self._tasks = [self._owner.start(self._watch()), self._owner.start(self._end_streams())]
        # The watch begins first: a change between the two would be seen late otherwise.
        await asyncio.sleep(0)
        with suppress(TokensUnknownError):
            # Whoever asks is answered 503; a file with a mistake does not keep flows from starting.
            await self.tokens()

    async def close(self) -> None:
        """Follow no more."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def tokens(self) -> list[ApiToken]:
        """Return all tokens, as they are now.

        While the store cannot be read, those that were read last count for GRACE seconds; StoreError
        after that, and if they were never read.
        """
        try:
            await self._look()
            if self._fresh():
                return self._tokens
            async with self._reading:
                if not self._fresh():
                    await self._load()
        except TokensUnknownError:
            self._stale = True
            raise
        except StoreError:
            self._stale = True
            if monotonic() - self._read >= GRACE:
                raise
        return self._tokens

    # -- reading -------------------------------------------------------------------------------

    def _fresh(self) -> bool:
        # While nobody needs a token, each request looks whether there is one by now.
        return self.guarded and not self._stale and monotonic() - self._read < FRESH

    async def _look(self) -> None:
        """Note a change that the store can see by itself, without waiting to be told of it."""
        if isinstance(self._store, PollingStore):
            if not await self._store.look(self._namespace):
                raise TokensUnknownError("the tokens are being changed at this moment. Ask again")
            if await self._store.newest() != self._revision:
                self._stale = True

    async def _load(self) -> None:
        self._stale = False
        revision = await self._store.newest()
        values = await self._store.values(self._namespace)
        held = guarded(values)
        if not held and not self.guarded:
            self.guarded = await self._was_guarded(revision)
            await self._check_sound()
        elif not held:
            await self._keep_closed()
        before = self.guarded, self._tokens
        self._tokens = tokens_of(values)
        self.guarded = self.guarded or held
        self._revision = revision
        self._read = monotonic()
        if before != (self.guarded, self._tokens):
            self.streams.wake()

    async def _was_guarded(self, revision: int) -> bool:
        """Return whether the history of the store has ever held a token."""
        store = self._store
        if not isinstance(store, RevisionStore) or revision == self._searched:
            return False
        # What was searched is not searched again: most often one revision is new.
        again = self._searched >= 0
        space, limit = (None, 2) if again else (self._namespace, _PAGE)
        before: int | None = None
        while True:
            try:
                page = await store.history(space, before=before, limit=limit)
            except StoreError as error:
                raise TokensUnknownError(
                    f"nobody can say whether there were tokens: {error}"
                ) from error
            for each in page:
                if each.number <= self._searched:
                    break
                turns = each.within(self._namespace).turns
                if any(is_token(turn.before) or is_token(turn.after) for turn in turns):
                    return True
            if len(page) < limit or page[-1].number <= self._searched:
                self._searched = revision
                return False
            before, limit = page[-1].number, _PAGE

    async def _check_sound(self) -> None:
        """Raise StoreError if a part of the store that may hold tokens cannot be read."""
        if self._sound:
            return
        hidden = await asyncio.to_thread(_hiding, await self._store.problems())
        if hidden is not None:
            raise TokensUnknownError(
                f"the tokens cannot be read: {hidden.found}. Correct that, then ask again"
            )
        # From here on the store keeps what it held: a file that breaks later hides no token.
        self._sound = True

    async def _keep_closed(self) -> None:
        """Write into the store that tokens are needed, for whoever starts after us."""
        mark = closing_mark(self._namespace)
        note = Note(author="heddle", message="the last token is gone; callers still need one")
        with suppress(StoreError):
            await self._store.apply([Put(resource=mark, revision=0)], note)

    # -- following -----------------------------------------------------------------------------

    async def _watch(self) -> None:
        while True:
            with suppress(StoreError):
                async for _ in self._store.watch(self._namespace):
                    self._stale = True
                    self.streams.wake()
            self._stale = True
            await asyncio.sleep(AGAIN)

    async def _end_streams(self) -> None:
        """End the streams whose token is revoked, has expired, or has lost a right."""
        while True:
            await self.streams.wait(FRESH)
            try:
                tokens = await self.tokens()
            except TokensUnknownError:
                continue
            except StoreError:
                tokens = []
            await self.streams.check(tokens, time.time(), guarded=self.guarded)


def _hiding(problems: Sequence[Problem]) -> Problem | None:
    """Return the first Problem that may hide a token."""
    return next((problem for problem in problems if _hides(problem)), None)


def _hides(problem: Problem) -> bool:
    if problem.code == "unreadable":
        return True
    try:
        text = Path(problem.place.file).read_bytes()
    except (OSError, ValueError):
        text = f"{problem.path} {problem.found}".encode(errors="replace")
    # A file may be in UTF-16.
    return b"token." in text.replace(b"\0", b"")
