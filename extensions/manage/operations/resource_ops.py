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
    """What the operations on Specs and those on Values do not have in common."""

    def __init__(self, type_: type[Spec] | type[Value]) -> None:
        self.type: type[Spec] | type[Value] = type_
        self.word = lower(type_.__name__)
        self.words: Any = f"{self.word}s"

    async def read(
        self, store: Store, namespace: str | None, ids: Sequence[UUID] | None = None
    ) -> Sequence[Resource]:
        """Those of a namespace (None: of all)."""
        if self.type is Spec:
            return await store.specs(namespace, ids)
        return await store.values(namespace, ids)

    async def find(self, store: Store, namespace: str, key: str) -> Resource | None:
        """The one of this name or id; None where there is none."""
        id_ = parse_id(key)
        wanted = named_id(self.word, namespace, key)
        near = await self.read(store, namespace, [wanted] if id_ is None else [id_, wanted])
        for one in near:
            if one.id == id_ or one.name == key:
                return one
        every = await named(store, namespace, [key])
        return next((one for one in every if isinstance(one, self.type)), None)

    async def get(self, asked: ApiRequest) -> Resource:
        """The one that the path names; Refusal 404 with the nearest name."""
        if asked.namespace is None:
            raise RuntimeError("the operation needs a namespace in its path")
        found = await self.find(asked.managed.store, asked.namespace, asked.key)
        if found is None:
            every = await self.read(asked.managed.store, asked.namespace)
            raise missing(asked, self.word, [one.name for one in every if one.name is not None])
        return found

    def path(self, one: Resource) -> str:
        """Where it is found."""
        key = quote(one.name or str(one.id), safe="")
        return f"/v1/namespaces/{quote(one.namespace, safe='')}/{self.words}/{key}"

    # -- looking -----------------------------------------------------------------------------

    async def page(self, asked: ApiRequest) -> ApiReply:
        """Some of them."""
        query, store = asked.query, asked.managed.store
        reveal = getattr(query, "reveal", False)
        revision = await store.newest()
        found = await self._seen(asked, reveal)
        kept = await by_turns(self._kept(found, query))
        page, cursor = page_of(kept, query.cursor, query.limit)
        if reveal:
            await have_keys(page, asked.managed.registry.keys)
            page = [_opened(asked, one) for one in page]
        items = [forms.held(one, reveal=reveal) for one in page]
        body = (shapes.SpecList if self.type is Spec else shapes.ValueList)(
            items=items,  # type: ignore[arg-type]
            revision=revision,
            cursor=cursor,
        )
        return ApiReply(
            body,
            resources=lambda: [forms.entry_of(one, reveal=reveal) for one in page],
            header={"Cache-Control": "no-store"} if reveal else {},
            names=tuple(one.label for one in page) if reveal else (),
        )

    async def _seen(self, asked: ApiRequest, reveal: bool) -> list[Resource]:
        """Those that the caller may look at."""
        query = asked.query
        ids = _ids(query.id) if query.id else None
        spaces: list[str | None] = [asked.namespace]
        if asked.namespace is None:
            spaces = list(query.namespace) or [None]
        for space in spaces:
            if space is not None:
                asked.need("admin" if reveal else "read", space)
        found: list[Resource] = []
        for space in spaces:
            found += await self._found(asked.managed.store, space, ids, query)
        if asked.namespace is None and not query.namespace:
            found = [one for one in found if asked.sees(one.namespace)]
            if reveal:
                for space in {one.namespace for one in found}:
                    asked.need("admin", space)
        return found

    async def _found(
        self, store: Store, namespace: str | None, ids: Sequence[UUID] | None, query: Any
    ) -> Sequence[Resource]:
        """Those of a namespace (None: of all) among which all are that are asked for."""
        mentions = getattr(query, "mentions", [])
        space = namespace if ids is None else None
        if space is not None and mentions:
            return await mentioning(store, space, mentions)
        if space is not None and query.name and all(legal_name(name) for name in query.name):
            every = await named(store, space, query.name)
            return [one for one in every if isinstance(one, self.type)]
        found = await self.read(store, namespace, ids)
        if not mentions:
            return found
        return [
            one
            for one in found
            if isinstance(one, Spec) and not mentions_of(one).isdisjoint(mentions)
        ]

    def _kept(self, found: Sequence[Resource], query: Any) -> Pieces[list[Resource]]:
        """Those that are asked for, in order."""
        kept: list[tuple[tuple[str, str, str], int, Resource]] = []
        for number, one in enumerate(found):
            yield
            if self._fits(one, query):
                kept.append((order(one), number, one))
        kept.sort(key=lambda each: each[:2])
        return [one for _, _, one in kept]

    def _fits(self, one: Resource, query: Any) -> bool:
        if query.name and not any(fnmatchcase(one.name or "", name) for name in query.name):
            return False
        if isinstance(one, Spec) and query.kind and one.kind not in query.kind:
            return False
        for annotation in query.annotation:
            key, equals, value = annotation.partition("=")
            held = one.annotations.get(key)
            if held is None or (equals and held != value):
                return False
        return True

    async def show(self, asked: ApiRequest) -> ApiReply:
        """One of them."""
        reveal = getattr(asked.query, "reveal", False)
        if reveal:
            if asked.namespace is None:
                raise RuntimeError("the operation needs a namespace in its path")
            asked.need("admin", asked.namespace)
        one = await self.get(asked)
        tag = etag(one)
        if reveal:
            await have_keys([one], asked.managed.registry.keys)
            one = forms.opened(one, asked.managed.registry.keys)
        header = {"ETag": tag, "Cache-Control": "no-store" if reveal else "no-cache"}
        if tag in _tags(asked.header("If-None-Match")):
            return ApiReply(status=304, header=header)
        return ApiReply(
            forms.sent(one, reveal=reveal),
            header=header,
            resources=lambda: forms.entry_of(one, reveal=reveal),
            names=(one.label,) if reveal else (),
        )

    # -- changing ----------------------------------------------------------------------------

    async def create(self, asked: ApiRequest) -> ApiReply:
        """A new one; its name and its id must be free."""
        if asked.namespace is None:
            raise RuntimeError("the operation needs a namespace in its path")
        new, said = await sent_entry(asked, asked.namespace, self.words)
        same_space(asked, new)
        old = await self._taken(asked, new)
        if old is not None and not asked.sees(old.namespace):
            raise ApiError(409, "exists", f"its id {new.id} is taken. Leave the id out")
        if old is not None:
            raise ApiError(
                409,
                "exists",
                f"there is a {self.word} {old.label} in the namespace {old.namespace} already. "
                f"Try: PUT {self.path(old)}",
                revision=old.revision,
            )
        if new.name is None and not said:
            new = msgspec.structs.replace(new, id=new_id())
        return await self._write(asked, None, new, 201)

    async def _taken(self, asked: ApiRequest, new: Resource) -> Resource | None:
        store = asked.managed.store
        found = await self.read(store, None, [new.id])
        if new.name is not None:
            named = await self.find(store, new.namespace, new.name)
            return (
                named
                or next((one for one in found if one.name == new.name), None)
                or (None if _derived(new, self.word) else next(iter(found), None))
            )
        return next(iter(found), None)

    async def replace(self, asked: ApiRequest) -> ApiReply:
        """Put it in the place of what the path names, or create it there."""
        if asked.namespace is None:
            raise RuntimeError("the operation needs a namespace in its path")
        store = asked.managed.store
        old = await self.find(store, asked.namespace, asked.key)
        id_ = parse_id(asked.key)
        named = asked.key if id_ is None else (old.name if old is not None else None)
        if old is None and id_ is None and not legal_name(asked.key):
            raise ApiError(
                422,
                "name",
                f"{json.dumps(asked.key[:40])} in the path cannot be the name of a {self.word} "
                f"(wanted: {NAME_RULE})",
            )
        new, said = await sent_entry(asked, asked.namespace, self.words, named=named)
        same_space(asked, new)
        kept = old.id if old is not None else id_
        if not said and kept is None and new.name is not None:
            new = msgspec.structs.replace(new, id=named_id(self.word, new.namespace, new.name))
        derived = _derived(new, self.word)
        if kept is not None and new.id != kept:
            if said and not derived:
                raise ApiError(
                    409,
                    "id",
                    f"its id is {kept}, and what was sent says {new.id}. Leave the id out",
                )
            new = msgspec.structs.replace(new, id=kept)
        if old is None and id_ is None and new.name != asked.key:
            raise ApiError(
                422,
                "name",
                f'what was sent is called "{new.name}", and the path says "{asked.key}". '
                "Leave the name out",
            )
        await self._expected(asked, old, new)
        if old is None and id_ is None and derived and await self.read(store, None, [new.id]):
            # The id that its name leads to belongs to one that was renamed since.
            new = msgspec.structs.replace(new, id=new_id())
        return await self._write(asked, old, new, 200 if old is not None else 201)

    async def patch(self, asked: ApiRequest) -> ApiReply:
        """Change some fields of it, and leave the others."""
        if asked.namespace is None:
            raise RuntimeError("the operation needs a namespace in its path")
        old = await self.get(asked)
        patch = await sent_patch(asked)
        held = forms.entry_of(old, reveal=True)
        if patch.keys() & _SAYS:
            # A Value says its data in one way: the way of the patch takes the place of another.
            held = {key: said for key, said in held.items() if key not in _SAYS or key in patch}
        patched = merge_patch(held, patch)
        [new] = read_entries(patched, asked.namespace, self.words)
        same_space(asked, new)
        if new.id != old.id:
            raise ApiError(422, "id", "an id never changes. Leave it out")
        if isinstance(old, Value) and isinstance(new, Value) and old.secret and not new.secret:
            # What a patch leaves as it is would be shown from now on: that is to reveal it.
            asked.need("admin", old.namespace)
        await self._expected(asked, old, new)
        return await self._write(asked, old, new, 200)

    async def delete(self, asked: ApiRequest) -> ApiReply:
        """Take it out."""
        old = await self.get(asked)
        await self._expected(asked, old, None)
        query = asked.query
        done = await carry_out(asked, [(old, None)], dry_run=query.dry_run, note=note_of(asked))
        if query.dry_run:
            return ApiReply(done, names=(old.label,))
        return ApiReply(status=204, names=(old.label,), revision=done.revision)

    async def _expected(
        self, asked: ApiRequest, old: Resource | None, new: Resource | None
    ) -> None:
        """Refusal 412 where it is not as the caller expects it to be."""
        await expected(asked, old, new, asked.header("If-Match"), asked.header("If-None-Match"))

    async def _write(
        self, asked: ApiRequest, old: Resource | None, new: Resource, status: int
    ) -> ApiReply:
        query = asked.query
        done = await carry_out(asked, [(old, new)], dry_run=query.dry_run, note=note_of(asked))
        if query.dry_run:
            return ApiReply(done, names=(new.label,))
        [now] = await self.read(asked.managed.store, new.namespace, [new.id]) or [new]
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


def etag(one: Resource) -> str:
    """Its revision, as an entity tag."""
    return f'"{one.revision}"'


def _tags(header: str) -> list[str]:
    return [tag.removeprefix("W/") for tag in elements(header)]


def _opened(asked: ApiRequest, one: Resource) -> Resource:
    """A resource with its secret opened; one that no key opens stays sealed."""
    try:
        return forms.opened(one, asked.managed.registry.keys)
    except SecretError:
        return one


def same_space(asked: ApiRequest, new: Resource) -> None:
    """Refusal where an entry is of another namespace than the path."""
    if new.namespace != asked.namespace:
        raise ApiError(
            422,
            "namespace",
            f"what was sent is of the namespace {new.namespace}, and the path says "
            f"{asked.namespace}. Leave the namespace out",
        )


def missing(asked: ApiRequest, word: str, names: Sequence[str]) -> ApiError:
    """The Refusal of what is not there, with the nearest name."""
    near = did_you_mean(asked.key, list(names))
    detail = f'there is no {word} "{asked.key}" in the namespace {asked.namespace}. {near}'
    return ApiError(404, "not-found", detail.rstrip(" ").removesuffix(". "))


def _derived(one: Resource, word: str) -> bool:
    return one.name is not None and one.id == named_id(word, one.namespace, one.name)


def _ids(texts: Sequence[str]) -> list[UUID]:
    found = [(text, parse_id(text)) for text in texts]
    for text, id_ in found:
        if id_ is None:
            raise ApiError(400, "query", f'id: "{text}" is not a UUID')
    return [id_ for _, id_ in found if id_ is not None]
