"""The PostgreSQL store keeps Specs and Values in a database, for as many runtimes as follow it."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Sequence
from typing import Any, TypeVar
from uuid import UUID

import msgspec

from heddle.schemas.errors import NotFoundError, SpecError, StoreError, UnconfirmedError
from heddle.schemas.problem import Problem
from heddle.specs.model.accepted import AcceptedKey, AcceptedResource, AcceptedState
from heddle.specs.model.body import resource_of
from heddle.specs.model.lease import Holder, Lease
from heddle.specs.model.report import LATE, Report
from heddle.specs.model.revision import NO_NOTE, Note, Revision, RevisionChange
from heddle.specs.model.spec import Spec
from heddle.specs.model.store import Change, ChangeSet, Resource
from heddle.specs.model.value import Value
from heddle.specs.stores.postgres.address import read_address
from heddle.specs.stores.postgres.change_feed import MOST, ChangeListener, change_set, read_since
from heddle.specs.stores.postgres.change_writer import ChangeWriter, storable
from heddle.specs.stores.postgres.connections import Connections, not_open
from heddle.specs.stores.postgres.leases import Leases, RowLease
from heddle.specs.stores.postgres.migrator import migrate
from heddle.specs.stores.postgres.pool import Connection
from heddle.specs.stores.postgres.queries import Queries

T = TypeVar("T")

FAREWELL = 0.5
"""Seconds that a runtime which ends waits for a server that is away, to say so."""


class PostgresStore:
    """A Store behind `postgresql://user@host/database`; see Options for what the query may say.

    While the server is away, requests wait for it as long as the address allows, and watches end with
    a StoreError; those that begin then wait for it, and are told what was missed.
    """

    def __init__(self, url: str) -> None:
        self._address = read_address(url)
        self._queries = Queries(self._address.schema)
        self._connections: Connections | None = None
        self._listener: ChangeListener | None = None
        self._opening = asyncio.Lock()
        self._leases = Leases(self._run, self._queries)

    @property
    def url(self) -> str:
        """The address, without the password."""
        return self._address.shown

    async def open(self) -> None:
        """Connect, and bring the tables to the form that we know; nothing if it is open already.

        StoreError if the server cannot be reached, or the tables are not those we know.
        """
        async with self._opening:
            if self._connections is not None:
                return
            connections = Connections(self._address, self._queries)
            connection = await connections.connect()
            try:
                await migrate(connection, self._address, self._queries)
            finally:
                await connection.close()
            self._connections = connections
            self._listener = ChangeListener(connections, self._queries)
            try:
                await self.newest()
            except BaseException:
                await self._close()
                raise

    async def close(self) -> None:
        """Let go of every connection; watchers end. A store that is being opened is closed afterwards."""
        # A task of its own: who is cancelled while it closes a store leaves nothing behind either.
        closing = asyncio.ensure_future(self._closed())
        try:
            await asyncio.shield(closing)
        except asyncio.CancelledError:
            await asyncio.wait([closing])
            raise

    async def _closed(self) -> None:
        async with self._opening:
            await self._close()

    async def _close(self) -> None:
        connections, self._connections = self._connections, None
        listener, self._listener = self._listener, None
        try:
            await self._leases.close()
            if listener is not None:
                await listener.close()
        finally:
            if connections is not None:
                await connections.close()

    async def specs(
        self, namespace: str | None = None, ids: Iterable[UUID] | None = None
    ) -> Sequence[Spec]:
        """Return the Specs of a namespace (None: of all); with `ids` only those that exist."""
        return await self._find("spec", namespace, ids)

    async def values(
        self, namespace: str | None = None, ids: Iterable[UUID] | None = None
    ) -> Sequence[Value]:
        """Return the Values of a namespace (None: of all); with `ids` only those that exist."""
        return await self._find("value", namespace, ids)

    async def named(self, namespace: str, names: Collection[str]) -> Sequence[Resource]:
        """Return the Specs and Values of a namespace that have one of these names."""
        given = {"namespace": namespace, "names": [storable(name) for name in names]}

        async def work(connection: Connection) -> list[tuple[str, list[Any]]]:
            async with connection.pipeline():
                cursors = {
                    sort: await connection.execute(query, given)
                    for sort, query in self._queries.with_names.items()
                }
                return [(sort, await cursor.fetchall()) for sort, cursor in cursors.items()]

        entries = await self._run(work)
        resources = [
            self._read(sort, body, revision) for sort, rows in entries for body, revision in rows
        ]
        # A name that the database cannot hold is looked for without what it leaves out.
        return [each for each in resources if each.name in names]

    async def mentioning(self, namespace: str, words: Collection[str]) -> Sequence[Spec]:
        """Return the Specs of a namespace that mention one of these texts; see IndexedStore."""
        given = {"namespace": namespace, "words": [storable(word) for word in words]}
        rows = await self._rows(self._queries.mentioning, given)
        resources = [self._read("spec", body, revision) for body, revision in rows]
        return [spec for spec in resources if isinstance(spec, Spec)]

    async def problems(self) -> Sequence[Problem]:
        """Return nothing: what is here was read before it came here."""
        self._opened()
        return ()

    async def newest(self) -> int:
        """Return the number of the newest revision; 0 if nothing was ever put."""
        ((number,),) = await self._rows(self._queries.newest)
        if self._listener is not None:
            self._listener.note_revision(number)
        return int(number)

    async def apply(self, changes: Sequence[Change], note: Note = NO_NOTE) -> Sequence[Resource]:
        """Do all of them in one transaction, or none; see Store.apply.

        One writer waits for the other. If the server is lost on the way it is done once, not
        twice: the log says whether it was. If it does not come back in time, UnconfirmedError says that it
        may have been made, StoreError that it was not.
        """
        writing = ChangeWriter(self._queries, changes, note)
        try:
            written = await self._run(writing, unsure=lambda: writing.unsure)
        except StoreError as error:
            if writing.unsure:
                raise UnconfirmedError(str(error), writing.key) from None
            raise
        if self._listener is not None:
            self._listener.note_revision(written.number)
        return written.resources

    def watch(self, namespace: str | None = None) -> AsyncIterator[ChangeSet]:
        """Change sets from the first `anext` on; those of other namespaces come without keys."""
        self._opened()
        if self._listener is None:
            raise not_open(self._address)
        return self._listener.watch(namespace)

    async def missed(self, since: int, namespace: str | None = None) -> Sequence[ChangeSet] | None:
        """Return the change sets after this revision; None if the log does not hold them, or too many."""

        async def read(connection: Connection) -> Sequence[ChangeSet] | None:
            number, entries = await read_since(connection, queries=self._queries, number=since)
            # Every number has its turns: if one is missing, the log was cut.
            if not 0 <= number - since == len(entries) <= MOST:
                return None
            return [change_set(keys, namespace, self.url, each) for each, keys in entries]

        return await self._run(read)

    # --- looking back ---

    async def history(
        self, namespace: str | None = None, *, before: int | None = None, limit: int = 50
    ) -> Sequence[Revision]:
        """Return the Revisions that the log holds, the newest first; see Recording.history."""
        given = {"namespace": namespace, "before": before, "limit": limit}
        return await self._revisions(await self._rows(self._queries.history, given), namespace)

    async def revision(self, number: int) -> Revision:
        """Return one Revision; raise NotFoundError if there is none of that number."""
        fits = -(2**63) <= number < 2**63
        rows = await self._rows(self._queries.revision, [number]) if fits else []
        for revision in await self._revisions(rows, None):
            return revision
        newest = await self.newest()
        raise NotFoundError(f"there is no revision {number} in {self.url} (newest: {newest})")

    async def keyed(self, key: UUID) -> Revision | None:
        """Return the Revision that was made under this key, None if there is none; see Keyed."""
        rows = await self._rows(self._queries.keyed, [key])
        return next(iter(await self._revisions(rows, None)), None)

    async def _revisions(
        self, rows: Sequence[Sequence[Any]], namespace: str | None
    ) -> list[Revision]:
        numbers = [row[0] for row in rows]
        turns: dict[int, list[RevisionChange]] = {number: [] for number in numbers}
        if numbers:
            given = {"numbers": numbers, "namespace": namespace}
            for number, sort, was, before, after in await self._rows(self._queries.turns, given):
                turns[number].append(
                    RevisionChange(
                        before=self._read(sort, before, was) if before else None,
                        after=self._read(sort, after, number) if after else None,
                    )
                )
        return [
            Revision(
                number=number, time=at, author=author, message=message, turns=tuple(turns[number])
            )
            for number, at, author, message in rows
        ]

    # --- runtimes ---

    async def report(self, report: Report) -> None:
        """Keep this Report; those of runtimes that are gone are swept away."""
        given = {
            "runtime": report.runtime,
            "namespace": report.namespace,
            "age": max(time.time() - report.seen, 0),
            "late": report.interval * LATE,
            "body": msgspec.json.encode(report).decode(),
        }

        async def work(connection: Connection) -> None:
            await connection.execute(self._queries.report, given)
            await connection.execute(self._queries.sweep)

        await self._run(work)

    async def withdraw(self, runtime: str) -> None:
        """Drop the Report of a runtime that ends. Nobody waits long for that: it is swept away anyway."""

        async def work(connection: Connection) -> None:
            await connection.execute(self._queries.withdraw, [runtime])

        await self._opened().run(work, wait=min(self._address.options.wait, FAREWELL))

    async def reports(self, namespace: str | None = None) -> Sequence[Report]:
        """Return the Reports of a namespace (None: of all) whose runtimes are not gone."""
        rows = await self._rows(self._queries.reports, {"namespace": namespace})
        return [msgspec.json.decode(body, type=Report) for (body,) in rows]

    async def accepted(self, namespace: str) -> AcceptedState:
        """Return what a runtime accepted last in this namespace."""
        rows = await self._rows(self._queries.accepted, [namespace])
        return AcceptedState(
            items=tuple(
                AcceptedResource(
                    sort=sort, id=id_, revision=number, active=active, file=file, body=body
                )
                for sort, id_, number, active, file, body in rows
            )
        )

    async def accept(
        self,
        namespace: str,
        kept: Sequence[AcceptedResource],
        dropped: Collection[AcceptedKey] = (),
    ) -> None:
        """Keep these records, and drop others, in one transaction."""
        gone = sorted(set(dropped) - {resource.key for resource in kept})
        drops = {
            "namespace": namespace,
            "sorts": [sort for sort, _ in gone],
            "ids": [id_ for _, id_ in gone],
        }
        puts = {
            "namespace": namespace,
            "sorts": [resource.sort for resource in kept],
            "ids": [resource.id for resource in kept],
            "revisions": [resource.revision for resource in kept],
            "actives": [resource.active for resource in kept],
            "files": [resource.file for resource in kept],
            "bodies": [resource.body for resource in kept],
        }

        async def work(connection: Connection) -> None:
            async with connection.transaction():
                if gone:
                    await connection.execute(self._queries.unaccept, drops)
                if kept:
                    await connection.execute(self._queries.accept, puts)

        await self._run(work)

    # --- leases ---

    def lease(self, name: str, ttl: float, holder: Holder) -> Lease:
        """Return the lease of this name, which is a row; see Leasing."""
        return RowLease(self._leases, name, ttl, holder)

    # --- the database ---

    async def _find(
        self, sort: str, namespace: str | None, ids: Iterable[UUID] | None
    ) -> list[Any]:
        if ids is not None:
            requested = list(dict.fromkeys(ids))
            if not requested:
                self._opened()
                return []
            given: Any = {"ids": requested, "namespace": namespace}
            rows = await self._rows(self._queries.with_ids[sort], given)
        elif namespace is not None:
            rows = await self._rows(self._queries.in_namespace[sort], [namespace])
        else:
            rows = await self._rows(self._queries.all_of[sort])
        return [self._read(sort, body, revision) for body, revision in rows]

    def _read(self, sort: str, body: str, revision: int) -> Resource:
        """Return what a row holds; raise StoreError if this Heddle does not know what it says."""
        try:
            return resource_of(sort, body, revision)
        except SpecError as error:
            raise StoreError(
                f"what revision {revision} of the store {self.url} says cannot be read; "
                f"it may be from a newer Heddle: {error}"
            ) from None

    async def _rows(self, query: bytes, given: Any = None) -> list[Any]:
        async def work(connection: Connection) -> list[Any]:
            return await (await connection.execute(query, given)).fetchall()

        return await self._run(work)

    async def _run(
        self, work: Callable[[Connection], Awaitable[T]], *, unsure: Callable[[], bool] = bool
    ) -> T:
        done = await self._opened().run(work, unsure=unsure)
        if self._listener is not None:
            self._listener.reached()
        return done

    def _opened(self) -> Connections:
        if self._connections is None:
            raise not_open(self._address)
        return self._connections
