"""A Sort is what the operations on Specs and those on Values do, each for one of the two."""

import json
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import quote
from uuid import UUID

import msgspec

from heddle.extensions.manage import models as shapes
from heddle.extensions.manage import serializers as forms
from heddle.extensions.manage.change import carry_out, expected, note_of
from heddle.extensions.manage.operation import ApiReply
from heddle.extensions.manage.operations.paging import order, page_of
from heddle.extensions.manage.problem_response import ApiError
from heddle.extensions.manage.request import ApiRequest
from heddle.extensions.manage.request_body import merge_patch, read_entries, sent_entry, sent_patch
from heddle.runtime.changes.sealing import have_keys
from heddle.schemas.ascii import elements, lower
from heddle.schemas.errors import SecretError
from heddle.schemas.pieces import Pieces, by_turns
from heddle.schemas.suggestion import did_you_mean
from heddle.specs.model.lookup import mentioning, named
from heddle.specs.model.mentions import mentions_of
from heddle.specs.model.names import NAME_RULE, legal_name, named_id, new_id, parse_id
from heddle.specs.model.spec import Spec
from heddle.specs.model.store import Resource, Store
from heddle.specs.model.value import Value

_SAYS = frozenset({"data", "sealed", "from"})
"""The ways in which a Value says its data."""


class Sort:
    """The differences between the operations on Specs and those on Values."""

    def __init__(self, type_: type[Spec] | type[Value]) -> None:
        self.type: type[Spec] | type[Value] = type_
        self.word = lower(type_.__name__)
        self.words: Any = f"{self.word}s"

    async def read(
        self, store: Store, namespace: str | None, ids: Sequence[UUID] | None = None
    ) -> Sequence[Resource]:
        """Return those of a namespace (None: of all)."""
        if self.type is Spec:
            return await store.specs(namespace, ids)
        return await store.values(namespace, ids)

    async def find(self, store: Store, namespace: str, key: str) -> Resource | None:
        """Return the one of this name or id; None if there is none."""
        id_ = parse_id(key)
        by_name = named_id(self.word, namespace, key)
        near = await self.read(store, namespace, [by_name] if id_ is None else [id_, by_name])
        for resource in near:
            if resource.id == id_ or resource.name == key:
                return resource
        every = await named(store, namespace, [key])
        return next((resource for resource in every if isinstance(resource, self.type)), None)

    async def get(self, request: ApiRequest) -> Resource:
        """Return the one that the path names; Rejection 404 with the nearest name."""
        if request.namespace is None:
            raise RuntimeError("the operation needs a namespace in its path")
        resource = await self.find(request.managed.store, request.namespace, request.key)
        if resource is None:
            every = await self.read(request.managed.store, request.namespace)
            raise missing(
                request,
                self.word,
                [resource.name for resource in every if resource.name is not None],
            )
        return resource

    def path(self, resource: Resource) -> str:
        """Return where it is found."""
        key = quote(resource.name or str(resource.id), safe="")
        return f"/v1/namespaces/{quote(resource.namespace, safe='')}/{self.words}/{key}"

    # -- looking -----------------------------------------------------------------------------

    async def page(self, request: ApiRequest) -> ApiReply:
        """Return some of them."""
        query, store = request.query, request.managed.store
        reveal = getattr(query, "reveal", False)
        revision = await store.newest()
        resources = await self._seen(request, reveal)
        kept = await by_turns(self._kept(resources, query))
        page, cursor = page_of(kept, query.cursor, query.limit)
        if reveal:
            await have_keys(page, request.managed.registry.keys)
            page = [_opened(request, resource) for resource in page]
        items = [forms.held(resource, reveal=reveal) for resource in page]
        body = (shapes.SpecList if self.type is Spec else shapes.ValueList)(
            items=items,  # type: ignore[arg-type]
            revision=revision,
            cursor=cursor,
        )
        return ApiReply(
            body,
            resources=lambda: [forms.entry_of(resource, reveal=reveal) for resource in page],
            header={"Cache-Control": "no-store"} if reveal else {},
            names=tuple(resource.label for resource in page) if reveal else (),
        )

    async def _seen(self, request: ApiRequest, reveal: bool) -> list[Resource]:
        """Return those that the caller may look at."""
        query = request.query
        ids = _ids(query.id) if query.id else None
        spaces: list[str | None] = [request.namespace]
        if request.namespace is None:
            spaces = list(query.namespace) or [None]
        for space in spaces:
            if space is not None:
                request.need("admin" if reveal else "read", space)
        resources: list[Resource] = []
        for space in spaces:
            resources += await self._matching(request.managed.store, space, ids, query)
        if request.namespace is None and not query.namespace:
            resources = [resource for resource in resources if request.sees(resource.namespace)]
            if reveal:
                for space in {resource.namespace for resource in resources}:
                    request.need("admin", space)
        return resources

    async def _matching(
        self, store: Store, namespace: str | None, ids: Sequence[UUID] | None, query: Any
    ) -> Sequence[Resource]:
        """Return those of a namespace (None: of all) among which all are that are asked for."""
        mentions = getattr(query, "mentions", [])
        space = namespace if ids is None else None
        if space is not None and mentions:
            return await mentioning(store, space, mentions)
        if space is not None and query.name and all(legal_name(name) for name in query.name):
            every = await named(store, space, query.name)
            return [resource for resource in every if isinstance(resource, self.type)]
        resources = await self.read(store, namespace, ids)
        if not mentions:
            return resources
        return [
            resource
            for resource in resources
            if isinstance(resource, Spec) and not mentions_of(resource).isdisjoint(mentions)
        ]

    def _kept(self, resources: Sequence[Resource], query: Any) -> Pieces[list[Resource]]:
        """Return those that are asked for, in order."""
        kept: list[tuple[tuple[str, str, str], int, Resource]] = []
        for number, resource in enumerate(resources):
            yield
            if self._fits(resource, query):
                kept.append((order(resource), number, resource))
        kept.sort(key=lambda each: each[:2])
        return [resource for _, _, resource in kept]

    def _fits(self, resource: Resource, query: Any) -> bool:
        if query.name and not any(fnmatchcase(resource.name or "", name) for name in query.name):
            return False
        if isinstance(resource, Spec) and query.kind and resource.kind not in query.kind:
            return False
        for annotation in query.annotation:
            key, equals, value = annotation.partition("=")
            held = resource.annotations.get(key)
            if held is None or (equals and held != value):
                return False
        return True

    async def show(self, request: ApiRequest) -> ApiReply:
        """Return one of them."""
        reveal = getattr(request.query, "reveal", False)
        if reveal:
            if request.namespace is None:
                raise RuntimeError("the operation needs a namespace in its path")
            request.need("admin", request.namespace)
        resource = await self.get(request)
        tag = etag(resource)
        if reveal:
            await have_keys([resource], request.managed.registry.keys)
            resource = forms.opened(resource, request.managed.registry.keys)
        header = {"ETag": tag, "Cache-Control": "no-store" if reveal else "no-cache"}
        if tag in _tags(request.header("If-None-Match")):
            return ApiReply(status=304, header=header)
        return ApiReply(
            forms.sent(resource, reveal=reveal),
            header=header,
            resources=lambda: forms.entry_of(resource, reveal=reveal),
            names=(resource.label,) if reveal else (),
        )

    # -- changing ----------------------------------------------------------------------------

    async def create(self, request: ApiRequest) -> ApiReply:
        """Return a new one; its name and its id must be free."""
        if request.namespace is None:
            raise RuntimeError("the operation needs a namespace in its path")
        new, reported = await sent_entry(request, request.namespace, self.words)
        same_space(request, new)
        old = await self._taken(request, new)
        if old is not None and not request.sees(old.namespace):
            raise ApiError(409, "exists", f"its id {new.id} is taken. Leave the id out")
        if old is not None:
            raise ApiError(
                409,
                "exists",
                f"there is a {self.word} {old.label} in the namespace {old.namespace} already. "
                f"Try: PUT {self.path(old)}",
                revision=old.revision,
            )
        if new.name is None and not reported:
            new = msgspec.structs.replace(new, id=new_id())
        return await self._write(request, None, new, 201)

    async def _taken(self, request: ApiRequest, new: Resource) -> Resource | None:
        store = request.managed.store
        resources = await self.read(store, None, [new.id])
        if new.name is not None:
            named = await self.find(store, new.namespace, new.name)
            return (
                named
                or next((resource for resource in resources if resource.name == new.name), None)
                or (None if _derived(new, self.word) else next(iter(resources), None))
            )
        return next(iter(resources), None)

    async def replace(self, request: ApiRequest) -> ApiReply:
        """Put it in the place of what the path names, or create it there."""
        if request.namespace is None:
            raise RuntimeError("the operation needs a namespace in its path")
        store = request.managed.store
        old = await self.find(store, request.namespace, request.key)
        id_ = parse_id(request.key)
        named = request.key if id_ is None else (old.name if old is not None else None)
        if old is None and id_ is None and not legal_name(request.key):
            raise ApiError(
                422,
                "name",
                f"{json.dumps(request.key[:40])} in the path cannot be the name of a {self.word} "
                f"(expected: {NAME_RULE})",
            )
        new, reported = await sent_entry(request, request.namespace, self.words, named=named)
        same_space(request, new)
        kept = old.id if old is not None else id_
        if not reported and kept is None and new.name is not None:
            new = msgspec.structs.replace(new, id=named_id(self.word, new.namespace, new.name))
        derived = _derived(new, self.word)
        if kept is not None and new.id != kept:
            if reported and not derived:
                raise ApiError(
                    409,
                    "id",
                    f"its id is {kept}, and what was sent says {new.id}. Leave the id out",
                )
            new = msgspec.structs.replace(new, id=kept)
        if old is None and id_ is None and new.name != request.key:
            raise ApiError(
                422,
                "name",
                f'what was sent is called "{new.name}", and the path says "{request.key}". '
                "Leave the name out",
            )
        await self._expected(request, old, new)
        if old is None and id_ is None and derived and await self.read(store, None, [new.id]):
            # The id that its name leads to belongs to one that was renamed since.
            new = msgspec.structs.replace(new, id=new_id())
        return await self._write(request, old, new, 200 if old is not None else 201)

    async def patch(self, request: ApiRequest) -> ApiReply:
        """Change some fields of it, and leave the others."""
        if request.namespace is None:
            raise RuntimeError("the operation needs a namespace in its path")
        old = await self.get(request)
        patch = await sent_patch(request)
        held = forms.entry_of(old, reveal=True)
        if patch.keys() & _SAYS:
            # A Value says its data in one way: the way of the patch takes the place of another.
            held = {key: value for key, value in held.items() if key not in _SAYS or key in patch}
        patched = merge_patch(held, patch)
        [new] = read_entries(patched, request.namespace, self.words)
        same_space(request, new)
        if new.id != old.id:
            raise ApiError(422, "id", "an id never changes. Leave it out")
        if isinstance(old, Value) and isinstance(new, Value) and old.secret and not new.secret:
            # What a patch leaves as it is would be shown from now on: that is to reveal it.
            request.need("admin", old.namespace)
        await self._expected(request, old, new)
        return await self._write(request, old, new, 200)

    async def delete(self, request: ApiRequest) -> ApiReply:
        """Take it out."""
        old = await self.get(request)
        await self._expected(request, old, None)
        query = request.query
        done = await carry_out(request, [(old, None)], dry_run=query.dry_run, note=note_of(request))
        if query.dry_run:
            return ApiReply(done, names=(old.label,))
        return ApiReply(status=204, names=(old.label,), revision=done.revision)

    async def _expected(
        self, request: ApiRequest, old: Resource | None, new: Resource | None
    ) -> None:
        """Rejection 412 if it is not as the caller expects it to be."""
        await expected(
            request, old, new, request.header("If-Match"), request.header("If-None-Match")
        )

    async def _write(
        self, request: ApiRequest, old: Resource | None, new: Resource, status: int
    ) -> ApiReply:
        query = request.query
        done = await carry_out(request, [(old, new)], dry_run=query.dry_run, note=note_of(request))
        if query.dry_run:
            return ApiReply(done, names=(new.label,))
        [now] = await self.read(request.managed.store, new.namespace, [new.id]) or [new]
        header = {"ETag": etag(now)}
        if status == 201 or (old is not None and old.name != now.name):
            header["Location" if status == 201 else "Content-Location"] = self.path(now)
        return ApiReply(
            forms.sent(now),
            status,
            header=header,
            resources=lambda: forms.entry_of(now),
            names=(now.label,),
            revision=done.revision,
        )


# --- helpers --------------------------------------------------------------------------------------


def etag(resource: Resource) -> str:
    """Return its revision, as an entity tag."""
    return f'"{resource.revision}"'


def _tags(header: str) -> list[str]:
    return [tag.removeprefix("W/") for tag in elements(header)]


def _opened(request: ApiRequest, resource: Resource) -> Resource:
    """Return a resource with its secret opened; one that no key opens stays sealed."""
    try:
        return forms.opened(resource, request.managed.registry.keys)
    except SecretError:
        return resource


def same_space(request: ApiRequest, new: Resource) -> None:
    """Rejection if an entry is of another namespace than the path."""
    if new.namespace != request.namespace:
        raise ApiError(
            422,
            "namespace",
            f"what was sent is of the namespace {new.namespace}, and the path says "
            f"{request.namespace}. Leave the namespace out",
        )


def missing(request: ApiRequest, word: str, names: Sequence[str]) -> ApiError:
    """Return the Rejection of what is not there, with the nearest name."""
    near = did_you_mean(request.key, list(names))
    detail = f'there is no {word} "{request.key}" in the namespace {request.namespace}. {near}'
    return ApiError(404, "not-found", detail.rstrip(" ").removesuffix(". "))


def _derived(resource: Resource, word: str) -> bool:
    return resource.name is not None and resource.id == named_id(
        word, resource.namespace, resource.name
    )


def _ids(texts: Sequence[str]) -> list[UUID]:
    entries = [(text, parse_id(text)) for text in texts]
    for text, id_ in entries:
        if id_ is None:
            raise ApiError(400, "query", f'id: "{text}" is not a UUID')
    return [id_ for _, id_ in entries if id_ is not None]
