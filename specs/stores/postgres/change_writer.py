"""Writing one change set: one transaction, begun again if the server was lost on the way."""

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import msgspec

from heddle.specs.model.body import kept, resource_of, sort_of
from heddle.specs.model.index import Key, ResourceIndex, Step, key_of, net, plan
from heddle.specs.model.keyed import put_under
from heddle.specs.model.revision import Note, Revision, RevisionChange
from heddle.specs.model.spec import Spec
from heddle.specs.model.store import Change, Put, Resource
from heddle.specs.stores.postgres.pool import Connection
from heddle.specs.stores.postgres.queries import Queries

SORTS = ("spec", "value")


class WriteResult(msgspec.Struct, frozen=True):
    """The resources that were put, with their revisions; `number` is that of the new revision, 0 if nothing changed."""

    resources: tuple[Resource, ...]
    number: int


class ChangeWriter:
    """A change set on its way into the tables. Calling it again goes on with what it may have done."""

    def __init__(self, queries: Queries, changes: Sequence[Change], note: Note) -> None:
        self._queries = queries
        self._bodies: dict[Key, str] = {}
        self._before: dict[Key, str] = {}
        self._changes = [self._kept(change) for change in changes]
        self._note = [storable(note.author), storable(note.message)]
        # By this the log says whether a commit that was never answered was done.
        self.key = note.key or uuid4()
        self._repeated = note.key is not None
        self._given = changes
        self._sent: WriteResult | None = None
        self._committing = False
        self.unsure = False
        """Whether it may have been made, and nobody knows."""

    async def __call__(self, connection: Connection) -> WriteResult:
        """Do it, as a whole or not at all. Conflict and NotFoundError as Store.apply has them."""
        self._committing = False
        try:
            return await self._made(connection)
        except BaseException as error:
            answered = not connection.closed and not isinstance(error, asyncio.CancelledError)
            if self._committing and answered:
                # The server is there, and has rejected to commit.
                self.unsure = False
            raise

    async def _made(self, connection: Connection) -> WriteResult:
        # One pipeline: two journeys to the server, one to look and one to write and commit.
        async with connection.pipeline(), connection.transaction():
            head = await connection.execute(self._queries.lock)
            looks_up = self._sent is not None or self._repeated
            done = await connection.execute(self._queries.keyed, [self.key]) if looks_up else None
            rows = {
                sort: await connection.execute(self._queries.concerned[sort], names)
                for sort, names in self._concerned().items()
            }
            (number,) = await head.fetchone() or (0,)
            made = await done.fetchone() if done is not None else None
            if made is not None:
                return self._sent or await self._before_us(connection, made)
            # Whoever has the lock sees what every writer before has made: ours is not among it.
            self.unsure = False
            index = ResourceIndex()
            for sort, cursor in rows.items():
                for body, revision in await cursor.fetchall():
                    resource = resource_of(sort, body, revision)
                    self._before[key_of(resource)] = body
                    index.put(resource)
            steps = plan(index, self._changes, lambda _: number + 1)
            changed = net(steps)
            resources = tuple(new for _, new in steps if new is not None)
            if not changed:
                return WriteResult(resources, 0)
            await self._write(connection, number + 1, changed)
            self._sent = WriteResult(resources, number + 1)
            self._committing = self.unsure = True
        self.unsure = False
        return self._sent

    async def _before_us(self, connection: Connection, made: Sequence[Any]) -> WriteResult:
        """Return what somebody has put under the same key already; Conflict if that was something else."""
        number, at, author, message = made
        given = {"numbers": [number], "namespace": None}
        rows = await (await connection.execute(self._queries.turns, given)).fetchall()
        turns = tuple(
            RevisionChange(
                before=resource_of(sort, before, was) if before else None,
                after=resource_of(sort, after, number) if after else None,
            )
            for _, sort, was, before, after in rows
        )
        revision = Revision(number=number, time=at, author=author, message=message, turns=turns)
        return WriteResult(tuple(put_under(self._given, revision)), number)

    def _kept(self, change: Change) -> Change:
        if not isinstance(change, Put):
            return change
        resource, body = kept(change.resource)
        self._bodies[key_of(resource)] = body
        return Put(resource=resource, revision=change.revision)

    def _concerned(self) -> dict[str, dict[str, Any]]:
        """For each sort, the ids and names that have a say in whether this change set fits."""
        data: dict[str, dict[str, Any]] = {}
        for change in self._changes:
            sort = change.type if not isinstance(change, Put) else type(change.resource)
            names = data.setdefault(
                "spec" if sort is Spec else "value", {"ids": [], "spaces": [], "names": []}
            )
            names["ids"].append(change.resource.id if isinstance(change, Put) else change.id)
            if isinstance(change, Put) and change.resource.name is not None:
                names["spaces"].append(change.resource.namespace)
                names["names"].append(change.resource.name)
        return data

    async def _write(self, connection: Connection, number: int, changed: Sequence[Step]) -> None:
        queries = self._queries
        puts = [new for _, new in changed if new is not None]
        drops = [old for old, new in changed if new is None and old is not None]
        await connection.execute(queries.count_up, [number])
        await connection.execute(queries.revise, [number, self.key, *self._note])
        for sort in SORTS:
            gone = [each.id for each in drops if sort_of(each) == sort]
            if gone:
                await connection.execute(queries.drop[sort], [gone])
            come = [each for each in puts if sort_of(each) == sort]
            if come:
                await connection.execute(queries.put[sort], self._rows(number, come))
        await connection.execute(queries.turn, self._turns(number, changed))

    def _rows(self, number: int, resources: Sequence[Resource]) -> dict[str, Any]:
        return {
            "number": number,
            "ids": [each.id for each in resources],
            "spaces": [each.namespace for each in resources],
            "names": [each.name for each in resources],
            "kinds": [each.kind for each in resources if isinstance(each, Spec)],
            "bodies": [self._bodies[key_of(each)] for each in resources],
        }

    def _turns(self, number: int, changed: Sequence[Step]) -> dict[str, Any]:
        columns: dict[str, list[Any]] = {
            name: [] for name in ("sorts", "ids", "spaces", "formers", "was", "befores", "afters")
        }
        for old, new in changed:
            latest = new if new is not None else old
            if latest is None:
                raise RuntimeError("a change needs an old or a new resource")
            moved = old is not None and old.namespace != latest.namespace
            row = (
                sort_of(latest),
                latest.id,
                latest.namespace,
                old.namespace if old is not None and moved else None,
                old.revision if old is not None else None,
                self._before[key_of(old)] if old is not None else None,
                self._bodies[key_of(latest)] if new is not None else None,
            )
            for column, cell in zip(columns.values(), row, strict=True):
                column.append(cell)
        return {"number": number, **columns}


def storable(text: str) -> str:
    """Return a text as the database takes it: without what no UTF-8 can hold, and without NUL."""
    return text.encode("utf-8", "replace").decode().replace("\0", "")
