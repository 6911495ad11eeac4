"""The remote store speaks to the HTTP API of a system namespace, with the promises of any store."""

import asyncio
import os
from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import quote
from uuid import UUID, uuid4

import msgspec

from heddle.schemas.errors import (
    ConflictError,
    NotFoundError,
    SpecError,
    StoreError,
    UnconfirmedError,
)
from heddle.schemas.problem import Problem
from heddle.specs.model.accepted import AcceptedKey, AcceptedResource, AcceptedState
from heddle.specs.model.entry import data_of, spec_of, value_of
from heddle.specs.model.lease import Holder, Lease
from heddle.specs.model.lossless_json import marked, unmarked
from heddle.specs.model.report import Report
from heddle.specs.model.revision import NO_NOTE, Note, Revision, RevisionChange
from heddle.specs.model.spec import Spec
from heddle.specs.model.store import Change, ChangeSet, Put, Resource
from heddle.specs.model.value import Value
from heddle.specs.stores.remote.change_feed import SharedStream
from heddle.specs.stores.remote.client import AnswerLostError, ApiClient, problem_of
from heddle.specs.stores.remote.leases import RemoteLease

R = TypeVar("R", Spec, Value)

PAGE: Final = 1000
IDS: Final = 100
"""How many are asked for at once, and how many ids stand in one address."""

WORDS: Final = 4000
"""Bytes of names that stand in one address."""

PAUSE: Final = 0.1
INSIST: Final = 10.0
"""Seconds before a change set without an answer is sent again: at first, and altogether."""


class RemoteStore:
    """A Store behind an API. Secrets come masked, unless they are sealed.

    `token` lets it in. With `check` Specs that have Problems are rejected there, as SpecError.
    """

    def __init__(self, url: str, *, token: str = "", check: bool = True) -> None:
        self._asking = ApiClient(url, token)
        self._check = check
        self._seen = 0
        self._open = False
        self._following: dict[str | None, SharedStream] = {}

    @property
    def url(self) -> str:
        """The address of the API."""
        return self._asking.url

    async def open(self) -> None:
        """Make ready; raise StoreError if it cannot be reached, or does not let us in."""
        await self._asking.open()
        try:
            await self._newest()
        except BaseException:
            await self._asking.close()
            raise
        self._open = True

    async def close(self) -> None:
        """Let go of it; watchers end."""
        self._open = False
        for following in self._following.values():
            await following.close()
        self._following.clear()
        await self._asking.close()

    def lease(self, name: str, ttl: float, holder: Holder) -> Lease:
        """Return a lease of the store behind the API, which the runtimes beside that store use, too."""
        return RemoteLease(self._request, name, ttl, holder)

    # --- reading ---

    async def specs(
        self, namespace: str | None = None, ids: Iterable[UUID] | None = None
    ) -> Sequence[Spec]:
        """Return the Specs of a namespace (None: of all that may be seen); with `ids` only those that exist."""
        return [_spec(item) for item in await self._listed("specs", namespace, ids)]

    async def values(
        self, namespace: str | None = None, ids: Iterable[UUID] | None = None
    ) -> Sequence[Value]:
        """Return the Values of a namespace (None: of all that may be seen); with `ids` only those that exist."""
        return [_value(item) for item in await self._listed("values", namespace, ids)]

    async def named(self, namespace: str, names: Collection[str]) -> Sequence[Resource]:
        """Return the Specs and Values of a namespace that have one of these names."""
        resources: list[Resource] = []
        for some in _few(names):
            entries = [("name", name) for name in some]
            resources += [
                _spec(value) for value in await self._listed("specs", namespace, None, entries)
            ]
            resources += [
                _value(value) for value in await self._listed("values", namespace, None, entries)
            ]
        return resources

    async def mentioning(self, namespace: str, words: Collection[str]) -> Sequence[Spec]:
        """Return the Specs of a namespace that mention one of these texts; see IndexedStore."""
        specs: dict[UUID, Spec] = {}
        for some in _few(words):
            entries = [("mentions", word) for word in some]
            for item in await self._listed("specs", namespace, None, entries):
                spec = _spec(item)
                specs[spec.id] = spec
        return list(specs.values())

    async def revealed(self, namespace: str | None = None) -> Sequence[Value]:
        """Return the Values with their data in clear; it takes a token with the role admin, and is written down."""
        values = await self._listed("values", namespace, None, [("reveal", "true")])
        return [_value(item) for item in values]

    async def problems(self) -> Sequence[Problem]:
        """Return what cannot be read in the store behind the API."""
        value = await self._request("GET", "/v1/store/problems")
        return [problem_of(each) for each in value["items"]]

    async def newest(self) -> int:
        """Return the number of the newest revision of the store behind the API."""
        self._check_open()
        return await self._newest()

    async def _newest(self) -> int:
        value = await self._asking.request("GET", "/v1/store")
        revision = value.get("revision") if isinstance(value, dict) else None
        if not isinstance(revision, int):
            raise StoreError(f"{self.url} does not say its revision: is it the API of Heddle?")
        self._seen = max(self._seen, revision)
        return revision

    async def _listed(
        self,
        sort: str,
        namespace: str | None,
        ids: Iterable[UUID] | None,
        more: Sequence[tuple[str, str]] = (),
    ) -> list[Any]:
        path = f"/v1/{sort}" if namespace is None else f"{_space(namespace)}/{sort}"
        values: list[Any] = []
        for some in _some(ids):
            cursor = ""
            while True:
                query = [("limit", str(PAGE)), *more, *(("id", str(id_)) for id_ in some)]
                if cursor:
                    query.append(("cursor", cursor))
                page = await self._request("GET", path, query=query)
                values += page["items"]
                cursor = page["cursor"] or ""
                if not cursor:
                    break
        return values

    # --- changing ---

    async def apply(self, changes: Sequence[Change], note: Note = NO_NOTE) -> Sequence[Resource]:
        """Do all of them as one change set, or none; see Store.apply.

        SpecError if the API rejects what a Spec says. If the answer is lost, it is sent again under
        the same key for some seconds, and made once; after that UnconfirmedError says that it may have
        been made.
        """
        sent = {
            "changes": [_sent(change) for change in changes],
            "author": note.author,
            "message": note.message,
        }
        query = [("check", "true" if self._check else "false")]
        key = note.key or uuid4()
        done = await self._once(key, "/v1/store/changes", query=query, body=sent)
        self._seen = max(self._seen, done["revision"])
        return [_resource(item) for item in done["items"]]

    async def _once(self, key: UUID, path: str, **more: Any) -> Any:
        """Send a change set until its answer is there; raise UnconfirmedError if that takes too long."""
        loop = asyncio.get_running_loop()
        end, pause, lost = loop.time() + INSIST, PAUSE, False
        while True:
            try:
                return await self._request("POST", path, key=key, **more)
            except (ConflictError, NotFoundError):
                raise
            except StoreError as error:
                lost = lost or isinstance(error, AnswerLostError)
                if not lost:
                    raise
                if loop.time() + pause >= end:
                    raise UnconfirmedError(str(error), key) from None
            await asyncio.sleep(pause)
            pause = min(pause * 2, 1.0)

    async def keyed(self, key: UUID) -> Revision | None:
        """Return the Revision that was made under this key, None if there is none; see Keyed."""
        value = await self._request("GET", "/v1/revisions", query=[("key", str(key))])
        return next((_revision(each) for each in value["items"]), None)

    # --- watching ---

    def watch(self, namespace: str | None = None) -> AsyncIterator[ChangeSet]:
        """Change sets from the first `anext` on, each soon after it happened.

        StoreError if the stream breaks: who watches again looks at everything.
        """
        self._check_open()
        if namespace not in self._following:
            self._following[namespace] = SharedStream(self.url, lambda: self._changes(namespace))
        return self._following[namespace].watch()

    async def _changes(self, namespace: str | None) -> AsyncIterator[ChangeSet]:
        path = "/v1/events" if namespace is None else f"{_space(namespace)}/events"
        seen = since = self._seen
        async for name, data in self._asking.events(path, [("type", "change")]):
            if name == "begin" and data["revision"] > since:
                # What happened until the stream had begun is looked up in the history.
                seen = data["revision"]
                missed = await self._missed(namespace, since, seen)
                if missed.specs or missed.values:
                    yield missed
            elif name == "change" and data["revision"] > seen:
                yield self._changed(data["specs"], data["values"], data["revision"])

    async def _missed(self, namespace: str | None, since: int, until: int) -> ChangeSet:
        """Return what changed between these revisions, as one change set."""
        specs: set[str] = set()
        values: set[str] = set()
        before: int | None = None
        while True:
            page = await self.history(namespace, before=before)
            for revision in page:
                if revision.number <= since:
                    break
                for turn in revision.turns:
                    where = specs if isinstance(turn.resource, Spec) else values
                    where.add(str(turn.resource.id))
            if not page or page[-1].number <= since:
                break
            before = page[-1].number
        return self._changed(specs, values, until)

    def _changed(self, specs: Iterable[str], values: Iterable[str], revision: int) -> ChangeSet:
        self._seen = max(self._seen, revision)
        return ChangeSet(
            specs=frozenset(map(UUID, specs)),
            values=frozenset(map(UUID, values)),
            origin=self.url,
            revision=revision,
        )

    # --- looking back ---

    async def history(
        self, namespace: str | None = None, *, before: int | None = None, limit: int = 50
    ) -> Sequence[Revision]:
        """Return the Revisions, the newest first; see Recording.history."""
        path = "/v1/revisions" if namespace is None else f"{_space(namespace)}/revisions"
        revisions: list[Revision] = []
        while len(revisions) < limit:
            query = [("limit", str(min(limit - len(revisions), 500)))]
            if before is not None:
                query.append(("before", str(before)))
            page = await self._request("GET", path, query=query)
            revisions += [_revision(each) for each in page["items"]]
            before = page["before"]
            if before is None:
                break
        return revisions

    async def revision(self, number: int) -> Revision:
        """Return one Revision; raise NotFoundError if there is none of that number."""
        return _revision(await self._request("GET", f"/v1/revisions/{number}"))

    # --- runtimes ---

    async def report(self, report: Report) -> None:
        """Keep this Report."""
        path = f"/v1/reports/{quote(report.runtime, safe='')}"
        await self._request("PUT", path, body=msgspec.to_builtins(report))

    async def withdraw(self, runtime: str) -> None:
        """Drop the Report of a runtime that ends."""
        await self._request("DELETE", f"/v1/reports/{quote(runtime, safe='')}")

    async def reports(self, namespace: str | None = None) -> Sequence[Report]:
        """Return the Reports of a namespace (None: of all) whose runtimes are not gone."""
        query = [("namespace", namespace)] if namespace is not None else []
        value = await self._request("GET", "/v1/reports", query=query)
        return [msgspec.convert(each, Report) for each in value["items"]]

    async def accepted(self, namespace: str) -> AcceptedState:
        """Return what a runtime accepted last in this namespace."""
        value = await self._request("GET", f"{_space(namespace)}/accepted")
        return AcceptedState(
            items=tuple(msgspec.convert(each, AcceptedResource) for each in value["items"]),
            problems=tuple(problem_of(each) for each in value["problems"]),
        )

    async def accept(
        self,
        namespace: str,
        kept: Sequence[AcceptedResource],
        dropped: Collection[AcceptedKey] = (),
    ) -> None:
        """Keep these records, and drop others; raise SpecError if the store never had what they say."""
        body = {
            "kept": msgspec.to_builtins(list(kept)),
            "dropped": msgspec.to_builtins(list(dropped)),
        }
        await self._request("PUT", f"{_space(namespace)}/accepted", body=body)

    # --- asking ---

    async def query(self, statement: str, args: Any) -> list[dict[str, Any]]:
        """Return the rows that a statement of SQL gives if runtimes run.

        SpecError and StoreError say why there are none. `args` is a list by position, or a map by name.
        """
        body = {"statement": statement, "args": marked(args)}
        rows: list[dict[str, Any]] = unmarked(
            (await self._request("POST", "/v1/sql", body=body))["rows"]
        )
        return rows

    async def _request(self, method: str, path: str, **more: Any) -> Any:
        self._check_open()
        return await self._asking.request(method, path, **more)

    def _check_open(self) -> None:
        if not self._open:
            raise StoreError(f"the store {self.url} is not open")


def token_of(environ: "os._Environ[str] | dict[str, str]", file: str = "") -> str:
    """Return the token in a file, or else in HEDDLE_TOKEN or the file that HEDDLE_TOKEN_FILE names; empty: none.

    StoreError if the file cannot be read.
    """
    named = file or environ.get("HEDDLE_TOKEN_FILE", "")
    if not named:
        return environ.get("HEDDLE_TOKEN", "").strip()
    try:
        return Path(named).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise StoreError(f"the token cannot be read from {named}: {str(reason).lower()}") from None


# --- forms ------------------------------------------------------------------------------------------


def _space(namespace: str) -> str:
    return f"/v1/namespaces/{quote(namespace, safe='')}"


def _some(ids: Iterable[UUID] | None) -> Iterator[Sequence[UUID]]:
    """Yield the ids in pieces that an address can hold; one empty piece stands for all there is."""
    if ids is None:
        yield ()
        return
    every = list(dict.fromkeys(ids))
    for start in range(0, len(every), IDS):
        yield every[start : start + IDS]


def _few(words: Iterable[str]) -> Iterator[Sequence[str]]:
    """Yield the texts in pieces that an address can hold."""
    some: list[str] = []
    size = 0
    for word in words:
        try:
            length = len(quote(word, safe=""))
        except UnicodeEncodeError:
            # Half of a character pair: no document that came over the network holds one.
            continue
        if some and size + length > WORDS:
            yield some
            some, size = [], 0
        some.append(word)
        size += length + 10
    if some:
        yield some


def _sent(change: Change) -> dict[str, Any]:
    data: dict[str, Any]
    if isinstance(change, Put):
        resource = change.resource
        entry = data_of(resource, namespace="")
        data = {"put": marked({**entry, "id": str(resource.id)})}
    else:
        data = {"delete": {"type": change.type.__name__.lower(), "id": str(change.id)}}
    return data if change.revision is None else {**data, "revision": change.revision}


def _spec(item: Any) -> Spec:
    return _read(spec_of(unmarked(item["spec"]), revision=item["revision"]))


def _value(item: Any) -> Value:
    return _read(value_of(unmarked(item["value"]), revision=item["revision"]))


def _resource(item: Any) -> Resource:
    return _spec(item) if "spec" in item else _value(item)


def _read(entry: "tuple[R | None, list[Problem]]") -> R:
    resource, problems = entry
    if resource is None:
        raise SpecError(problems)
    return resource


def _revision(value: Any) -> Revision:
    return Revision(
        number=value["number"],
        time=value["time"],
        author=value["author"],
        message=value["message"],
        turns=tuple(
            RevisionChange(
                before=_resource(turn["before"]) if turn["before"] is not None else None,
                after=_resource(turn["after"]) if turn["after"] is not None else None,
            )
            for turn in value["turns"]
        ),
    )
