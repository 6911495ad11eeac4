"""Specs and Values one by one: list, get, create, replace, merge-patch, delete."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Annotated, Any
from urllib.parse import quote
from uuid import UUID

import msgspec

from heddle.extensions.extension import about
from heddle.extensions.manage import forms, shapes
from heddle.extensions.manage.asked import Asked
from heddle.extensions.manage.changing import carry_out, expected, note_of
from heddle.extensions.manage.operation import JSON, PATCH, YAML, Body, Operation, Outcome, Reply
from heddle.extensions.manage.reading import merge_patch, read_entries, sent_entry, sent_patch
from heddle.extensions.manage.refusal import Refusal
from heddle.specs.errors import SecretError
from heddle.specs.names import named_id, new_id, parse_id
from heddle.specs.problem import did_you_mean
from heddle.specs.spec import Spec
from heddle.specs.store import Resource, Store
from heddle.specs.value import Value

LIMIT = 100
MOST = 10_000

Names = Annotated[
    list[str],
    about("Only those of this name; `*` stands for anything. Repeatable.", examples=["ping*"]),
]
Ids = Annotated[list[str], about("Only those of this id. Repeatable.")]
Annotations = Annotated[
    list[str],
    about(
        "Only those with this annotation, or with this value of it. Repeatable: all must fit.",
        examples=["team=web"],
    ),
]
Limit = Annotated[int, about("How many at most.", ge=1, le=MOST)]
Cursor = Annotated[str, about("What the page before gave: where to go on.")]
Spaces = Annotated[
    list[str],
    about("Only those of this namespace, where the path names none. Repeatable."),
]
Wait = Annotated[
    float,
    about(
        "Wait so many seconds at most until every runtime that follows the namespace has it live, or "
        "has refused it; `waited` tells.",
        ge=0,
        le=300,
    ),
]
DryRun = Annotated[bool, about("Check and tell, but write nothing.")]
Message = Annotated[str, about("Why: it stands in the history.", max_length=1000)]


class ListValues(msgspec.Struct, frozen=True, kw_only=True):
    """Which Values."""

    name: Names = []
    id: Ids = []
    annotation: Annotations = []
    namespace: Spaces = []
    reveal: Annotated[
        bool, about("Show secrets, too: takes the role admin, and is written down.")
    ] = False
    limit: Limit = LIMIT
    cursor: Cursor = ""


class ListSpecs(msgspec.Struct, frozen=True, kw_only=True):
    """Which Specs."""

    kind: Annotated[list[str], about("Only those of this kind. Repeatable.")] = []
    name: Names = []
    id: Ids = []
    annotation: Annotations = []
    namespace: Spaces = []
    limit: Limit = LIMIT
    cursor: Cursor = ""


class GetValue(msgspec.Struct, frozen=True, kw_only=True):
    """How to show it."""

    reveal: Annotated[
        bool, about("Show a secret, too: takes the role admin, and is written down.")
    ] = False


class GetSpec(msgspec.Struct, frozen=True, kw_only=True):
    """How to show it."""


class Writing(msgspec.Struct, frozen=True, kw_only=True):
    """How to change it."""

    dry_run: DryRun = msgspec.field(name="dryRun", default=False)
    message: Message = ""


class Sort:
    """What the operations on Specs and those on Values do not have in common."""

    def __init__(self, type_: type[Spec] | type[Value]) -> None:
        self.type: type[Spec] | type[Value] = type_
        self.word = type_.__name__.lower()
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
        every = await self.read(store, namespace)
        return next((one for one in every if one.name == key), None)

    async def get(self, asked: Asked) -> Resource:
        """The one that the path names; Refusal 404 with the nearest name."""
        assert asked.namespace is not None
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

    async def page(self, asked: Asked) -> Reply:
        """Some of them."""
        query, store = asked.query, asked.managed.store
        reveal = getattr(query, "reveal", False)
        revision = await store.newest()
        found = await self._seen(asked, reveal)
        kept = sorted((one for one in found if self._fits(one, query)), key=_order)
        page, cursor = _page(kept, query.cursor, query.limit)
        if reveal:
            page = [_opened(asked, one) for one in page]
        items = [forms.held(one, reveal=reveal) for one in page]
        body = (shapes.Specs if self.type is Spec else shapes.Values)(
            items=items,  # type: ignore[arg-type]
            revision=revision,
            cursor=cursor,
        )
        return Reply(
            body,
            resources=lambda: [forms.entry_of(one, reveal=reveal) for one in page],
            header={"Cache-Control": "no-store"} if reveal else {},
            names=tuple(one.label for one in page) if reveal else (),
        )

    async def _seen(self, asked: Asked, reveal: bool) -> list[Resource]:
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
            found += await self.read(asked.managed.store, space, ids)
        if asked.namespace is None and not query.namespace:
            found = [one for one in found if asked.sees(one.namespace)]
            if reveal:
                for space in {one.namespace for one in found}:
                    asked.need("admin", space)
        return found

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

    async def show(self, asked: Asked) -> Reply:
        """One of them."""
        reveal = getattr(asked.query, "reveal", False)
        if reveal:
            assert asked.namespace is not None
            asked.need("admin", asked.namespace)
        one = await self.get(asked)
        tag = etag(one)
        if reveal:
            one = forms.opened(one, asked.managed.registry.keys)
        header = {"ETag": tag, "Cache-Control": "no-store" if reveal else "no-cache"}
        if tag in _tags(asked.header("If-None-Match")):
            return Reply(status=304, header=header)
        return Reply(
            forms.sent(one, reveal=reveal),
            header=header,
            resources=lambda: forms.entry_of(one, reveal=reveal),
            names=(one.label,) if reveal else (),
        )

    # -- changing ----------------------------------------------------------------------------

    async def create(self, asked: Asked) -> Reply:
        """A new one; its name and its id must be free."""
        assert asked.namespace is not None
        new, said = await sent_entry(asked, asked.namespace, self.words)
        same_space(asked, new)
        old = await self._taken(asked, new)
        if old is not None:
            raise Refusal(
                409,
                "exists",
                f"there is a {self.word} {old.label} in the namespace {old.namespace} already. "
                f"Try: PUT {self.path(old)}",
                revision=old.revision,
            )
        if new.name is None and not said:
            new = msgspec.structs.replace(new, id=new_id())
        return await self._write(asked, None, new, 201)

    async def _taken(self, asked: Asked, new: Resource) -> Resource | None:
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

    async def replace(self, asked: Asked) -> Reply:
        """Put it in the place of what the path names, or create it there."""
        assert asked.namespace is not None
        store = asked.managed.store
        old = await self.find(store, asked.namespace, asked.key)
        id_ = parse_id(asked.key)
        named = asked.key if id_ is None else (old.name if old is not None else None)
        new, said = await sent_entry(asked, asked.namespace, self.words, named=named)
        same_space(asked, new)
        kept = old.id if old is not None else id_
        if not said and kept is None and new.name is not None:
            new = msgspec.structs.replace(new, id=named_id(self.word, new.namespace, new.name))
        derived = _derived(new, self.word)
        if kept is not None and new.id != kept:
            if said and not derived:
                raise Refusal(
                    409,
                    "id",
                    f"its id is {kept}, and what was sent says {new.id}. Leave the id out",
                )
            new = msgspec.structs.replace(new, id=kept)
        if old is None and id_ is None and new.name != asked.key:
            raise Refusal(
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

    async def patch(self, asked: Asked) -> Reply:
        """Change some fields of it, and leave the others."""
        assert asked.namespace is not None
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
            raise Refusal(422, "id", "an id never changes. Leave it out")
        await self._expected(asked, old, new)
        return await self._write(asked, old, new, 200)

    async def delete(self, asked: Asked) -> Reply:
        """Take it out."""
        old = await self.get(asked)
        await self._expected(asked, old, None)
        query = asked.query
        done = await carry_out(asked, [(old, None)], dry_run=query.dry_run, note=note_of(asked))
        if query.dry_run:
            return Reply(done, names=(old.label,))
        return Reply(status=204, names=(old.label,), revision=done.revision)

    async def _expected(self, asked: Asked, old: Resource | None, new: Resource | None) -> None:
        """Refusal 412 where it is not as the caller expects it to be."""
        await expected(asked, old, new, asked.header("If-Match"), asked.header("If-None-Match"))

    async def _write(self, asked: Asked, old: Resource | None, new: Resource, status: int) -> Reply:
        query = asked.query
        done = await carry_out(asked, [(old, new)], dry_run=query.dry_run, note=note_of(asked))
        if query.dry_run:
            return Reply(done, names=(new.label,))
        [now] = await self.read(asked.managed.store, new.namespace, [new.id]) or [new]
        header = {"ETag": etag(now)}
        if status == 201 or (old is not None and old.name != now.name):
            header["Location" if status == 201 else "Content-Location"] = self.path(now)
        return Reply(
            forms.sent(now),
            status,
            header=header,
            resources=lambda: forms.entry_of(now),
            names=(now.label,),
            revision=done.revision,
        )


_SAYS = frozenset({"data", "sealed", "from"})


# --- helpers --------------------------------------------------------------------------------------


def etag(one: Resource) -> str:
    """Its revision, as an entity tag."""
    return f'"{one.revision}"'


def _tags(header: str) -> list[str]:
    return [tag.strip().removeprefix("W/") for tag in header.split(",") if tag.strip()]


def _opened(asked: Asked, one: Resource) -> Resource:
    """A resource with its secret opened; one that no key opens stays sealed."""
    try:
        return forms.opened(one, asked.managed.registry.keys)
    except SecretError:
        return one


def same_space(asked: Asked, new: Resource) -> None:
    """Refusal where an entry is of another namespace than the path."""
    if new.namespace != asked.namespace:
        raise Refusal(
            422,
            "namespace",
            f"what was sent is of the namespace {new.namespace}, and the path says "
            f"{asked.namespace}. Leave the namespace out",
        )


def missing(asked: Asked, word: str, names: Sequence[str]) -> Refusal:
    """The Refusal of what is not there, with the nearest name."""
    near = did_you_mean(asked.key, list(names))
    detail = f'there is no {word} "{asked.key}" in the namespace {asked.namespace}. {near}'
    return Refusal(404, "not-found", detail.rstrip(" ").removesuffix(". "))


def _derived(one: Resource, word: str) -> bool:
    return one.name is not None and one.id == named_id(word, one.namespace, one.name)


def _ids(texts: Sequence[str]) -> list[UUID]:
    found = [(text, parse_id(text)) for text in texts]
    for text, id_ in found:
        if id_ is None:
            raise Refusal(400, "query", f'id: "{text}" is no UUID')
    return [id_ for _, id_ in found if id_ is not None]


def _order(one: Resource) -> tuple[str, str, str]:
    return one.name or "~", one.namespace, str(one.id)


def _page(
    kept: Sequence[Resource], cursor: str, limit: int
) -> tuple[Sequence[Resource], str | None]:
    """What comes after the cursor, and the cursor of what comes next."""
    if cursor:
        after = _read_cursor(cursor)
        kept = [one for one in kept if _order(one) > after]
    page = kept[:limit]
    return page, _cursor(page[-1]) if len(kept) > limit else None


def _cursor(last: Resource) -> str:
    return urlsafe_b64encode(msgspec.json.encode(_order(last))).decode().rstrip("=")


def _read_cursor(text: str) -> tuple[str, str, str]:
    try:
        data = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
        return msgspec.json.decode(data, type=tuple[str, str, str])
    except (ValueError, msgspec.MsgspecError):
        raise Refusal(
            400, "query", "cursor: it is none that was given out. Leave it out for the first page"
        ) from None


# --- the operations -------------------------------------------------------------------------------

MATCH = ("If-Match", "If-None-Match")


def _operations(sort: Sort, held: Any, many: Any) -> list[Operation]:
    word, words, a = (
        sort.word.capitalize(),
        f"{sort.word.capitalize()}s",
        f"a {sort.word.capitalize()}",
    )
    values = sort.type is Value
    shown = Outcome(about=f"The {word}.", type=held, media=(JSON, YAML), headers=("ETag",))
    dry = Outcome(about="What it would do (`dryRun`), or the result.", type=held, headers=("ETag",))
    entry = Body(
        about=f"The {word}; its namespace, and its name where the path says it, may be left out.",
        type=held,
    )
    new = Outcome(about="Created.", type=held, headers=("ETag", "Location"))
    return [
        Operation(
            name=f"{sort.words}.list",
            summary=f"List {words}.",
            run=sort.page,
            query=ListValues if values else ListSpecs,
            replies={200: Outcome(about=f"{words}, by name.", type=many, media=(JSON, YAML))},
        ),
        Operation(
            name=f"{sort.words}.get",
            summary=f"Get {a}.",
            details="`ETag` is its revision; give it back as `If-Match` with a change.",
            run=sort.show,
            query=GetValue if values else GetSpec,
            headers=("If-None-Match",),
            replies={200: shown, 304: Outcome(about="It is as you have it.")},
            refusals=(404,),
        ),
        Operation(
            name=f"{sort.words}.create",
            summary=f"Create {a}.",
            run=sort.create,
            right="edit",
            query=Writing,
            body=entry,
            replies={201: new, 200: _planned()},
            refusals=(409, 422),
            audit=True,
        ),
        Operation(
            name=f"{sort.words}.replace",
            summary=f"Replace {a}, or create it.",
            details=(
                "With `If-Match`, only where it still has that revision; with `If-None-Match: *`, "
                "only where there is none. Another name renames it."
            ),
            run=sort.replace,
            right="edit",
            query=Writing,
            headers=MATCH,
            body=entry,
            replies={200: dry, 201: new},
            refusals=(409, 412, 422),
            audit=True,
        ),
        Operation(
            name=f"{sort.words}.patch",
            summary=f"Change some fields of {a}.",
            details="A merge patch (RFC 7396): null takes a field away, a list is replaced as a whole.",
            run=sort.patch,
            right="edit",
            query=Writing,
            headers=MATCH,
            body=Body(about="The fields that change.", type=dict[str, Any], media=(PATCH, JSON)),
            replies={200: dry},
            refusals=(404, 409, 412, 422),
            audit=True,
        ),
        Operation(
            name=f"{sort.words}.delete",
            summary=f"Delete {a}.",
            run=sort.delete,
            right="edit",
            query=Writing,
            headers=MATCH,
            replies={204: Outcome(about="Deleted."), 200: _planned()},
            refusals=(404, 409, 412, 422),
            audit=True,
        ),
    ]


def _planned() -> Outcome:
    return Outcome(about="What it would do (`dryRun`).", type=shapes.Applied)


OPERATIONS = [
    *_operations(Sort(Spec), shapes.SpecEntry, shapes.Specs),
    *_operations(Sort(Value), shapes.ValueEntry, shapes.Values),
]
