"""Change sets: applied, looked back at, rolled back; and as the contract of a store has them."""

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from msgspec import UNSET

from heddle.extensions.extension import about
from heddle.extensions.manage import models as shapes
from heddle.extensions.manage import serializers as forms
from heddle.extensions.manage.change import finish, note_of, rejected
from heddle.extensions.manage.idempotency import REPLAYED, made_before
from heddle.extensions.manage.operation import JSON, ApiReply, BodyForm, Operation, ResponseForm
from heddle.extensions.manage.operations.query_params import DryRun, Message, Wait
from heddle.extensions.manage.problem_response import ApiError, wrong
from heddle.extensions.manage.request import KEY, ApiRequest
from heddle.extensions.manage.request_body import read_entries, sent_entries, sent_json
from heddle.runtime.changes.apply import plan_apply
from heddle.runtime.changes.plan import Step, check_change, current
from heddle.runtime.changes.rollback import plan_rollback
from heddle.runtime.changes.sealing import have_keys, kept_all
from heddle.schemas.ascii import is_number
from heddle.schemas.link import DEFAULT_NAMESPACE
from heddle.schemas.pieces import by_turns
from heddle.schemas.problem import Problem
from heddle.specs.model.index import Key, key_of
from heddle.specs.model.keyed import KeyedStore, put_under
from heddle.specs.model.mask import MASK
from heddle.specs.model.report import ReportStore
from heddle.specs.model.revision import Note, RevisionChange, RevisionStore
from heddle.specs.model.revision import Revision as Kept
from heddle.specs.model.spec import Spec
from heddle.specs.model.store import Change, Delete, Put, Resource
from heddle.specs.model.value import Value


class ApplyQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Options of applying."""

    prune: Annotated[
        bool,
        about(
            "Delete what was not sent: Specs of the namespace where Specs were, Values if Values were."
        ),
    ] = False
    base: Annotated[
        Annotated[int, msgspec.Meta(ge=0)] | None,
        about(
            "The revision that what was sent was made from: changes of others since then are kept."
        ),
    ] = None
    dry_run: DryRun = msgspec.field(name="dryRun", default=False)
    wait: Wait = 0.0
    message: Message = ""


class RollbackQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Options of a rollback."""

    dry_run: DryRun = msgspec.field(name="dryRun", default=False)
    wait: Wait = 0.0
    message: Message = ""


class RevisionsQuery(msgspec.Struct, frozen=True, kw_only=True):
    """The selection of revisions."""

    name: Annotated[
        list[str], about("Only those that changed something of this name. Repeatable.")
    ] = []
    before: Annotated[
        Annotated[int, msgspec.Meta(ge=0)] | None, about("Only older ones than this number.")
    ] = None
    key: Annotated[
        str, about("Only the one that you have made with this `Idempotency-Key`.", max_length=255)
    ] = ""
    limit: Annotated[int, about("How many at most.", ge=1, le=500)] = 50


class StoreQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Options of storing."""

    check: Annotated[
        bool,
        about(
            "Refuse Specs with Problems; without, they are kept as they are. What would stop what is "
            "active is rejected always."
        ),
    ] = True


# --- applying -------------------------------------------------------------------------------------


async def apply(request: ApiRequest) -> ApiReply:
    """Create or update what was sent, all or none."""
    if request.namespace is None:
        raise RuntimeError("the operation needs a namespace in its path")
    query = request.query
    resources, unwritten = await sent_entries(request, request.namespace, None)
    for space in sorted({resource.namespace for resource in resources}):
        request.need("edit", space)
    planned = await plan_apply(
        request.managed.store,
        resources,
        request.managed.registry,
        anonymous=unwritten,
        prune=query.prune,
        base=query.base,
        seen=request.managed.seen({resource.namespace for resource in resources}),
    )
    done = await finish(request, planned, dry_run=query.dry_run, note=note_of(request))
    names = tuple(each.resource.label for each in planned.changed)
    return ApiReply(done, names=names, revision=done.revision)


async def rollback(request: ApiRequest) -> ApiReply:
    """Bring a namespace back to what it said at a revision, by a new one."""
    query = request.query
    back: shapes.RollbackModel = await sent_json(request, shapes.RollbackModel)
    _recording(request)
    planned = await plan_rollback(
        request.managed.store, back.revision, request.managed.registry, namespace=request.namespace
    )
    note = note_of(request, query.message or f"rolled back to revision {back.revision}")
    done = await finish(request, planned, dry_run=query.dry_run, note=note)
    names = tuple(each.resource.label for each in planned.changed)
    return ApiReply(done, names=names, revision=done.revision)


# --- looking back ---------------------------------------------------------------------------------


async def revisions(request: ApiRequest) -> ApiReply:
    """Return the revisions, the newest first."""
    query, store = request.query, _recording(request)
    if query.key:
        made = (
            await store.keyed(request.key_of(query.key)) if isinstance(store, KeyedStore) else None
        )
        turns = _visible(request, made.turns, query.name) if made is not None else []
        if made is None or not turns:
            return ApiReply(shapes.Revisions(items=[]))
        return ApiReply(shapes.Revisions(items=[await by_turns(forms.revision(made, turns))]))
    models: list[shapes.RevisionModel] = []
    before: int | None = query.before
    more = True
    while more:
        page = await store.history(request.namespace, before=before, limit=query.limit)
        for each in page:
            turns = _visible(request, each.turns, query.name)
            if turns and len(models) == query.limit:
                return ApiReply(shapes.Revisions(items=models, before=models[-1].number))
            if turns:
                models.append(await by_turns(forms.revision(each, turns)))
        more = len(page) == query.limit
        before = page[-1].number if page else None
    return ApiReply(shapes.Revisions(items=models))


async def revision(request: ApiRequest) -> ApiReply:
    """Return one revision."""
    number = request.params.get("number", "")
    store = _recording(request)
    if not is_number(number) or len(number) > 18:
        raise ApiError(400, "revision", f'"{number}" is not a number of a revision')
    kept: Kept = await store.revision(int(number))
    if request.namespace is not None:
        kept = kept.within(request.namespace)
    turns = _visible(request, kept.turns, [])
    if not turns:
        where = f" in the namespace {request.namespace}" if request.namespace is not None else ""
        raise ApiError(404, "not-found", f"revision {number} changed nothing{where}")
    return ApiReply(await by_turns(forms.revision(kept, turns)))


def _visible(
    request: ApiRequest, turns: tuple[RevisionChange, ...], names: list[str]
) -> list[RevisionChange]:
    """Return the turns that the caller may look at, of these names."""
    return [
        turn
        for turn in turns
        if all(
            request.sees(side.namespace) for side in (turn.before, turn.after) if side is not None
        )
        and (
            not names
            or any(
                side is not None and {side.name, str(side.id)} & set(names)
                for side in (turn.before, turn.after)
            )
        )
    ]


def _recording(request: ApiRequest) -> RevisionStore:
    store = request.managed.store
    if isinstance(store, RevisionStore):
        return store
    raise ApiError(501, "no-history", f"the store {store.url} keeps no revisions")


# --- the contract of a store ----------------------------------------------------------------------


async def newest(request: ApiRequest) -> ApiReply:
    """Return how far the store has come."""
    store = request.managed.store
    return ApiReply(
        shapes.NewestModel(
            revision=await store.newest(),
            url=request.relative(store.url),
            records=isinstance(store, RevisionStore),
            reports=isinstance(store, ReportStore),
        ),
        header={"Cache-Control": "no-store"},
    )


async def problems(request: ApiRequest) -> ApiReply:
    """Return what cannot be read in the store at this moment."""
    listed = await request.managed.store.problems()
    items = shapes.Problems(items=[wrong(problem) for problem in request.hidden(listed)])
    return ApiReply(request.relative(msgspec.to_builtins(items)))


async def store_changes(request: ApiRequest) -> ApiReply:
    """Make changes as the contract of a store has them."""
    sent: shapes.ChangeSetModel = await sent_json(request, shapes.ChangeSetModel)
    changes = [_change(each) for each in sent.changes]
    store = request.managed.store
    made = await made_before(request)
    if made is not None:
        items = [forms.held(each) for each in put_under(changes, made)]
        done = shapes.StoreResultModel(revision=made.number, items=items)
        return ApiReply(done, header=REPLAYED, revision=made.number)
    now = await current(store, [_key(each) for each in changes])
    steps: list[Step] = []
    for change in changes:
        old = now.get(_key(change))
        new = change.resource if isinstance(change, Put) else None
        for side in (old, new):
            if side is not None:
                request.need("edit", side.namespace)
        steps.append((old, new))
    await have_keys([side for step in steps for side in step], request.managed.registry.keys)
    changes, unsealed = _sealed(request, changes, now)
    if unsealed:
        raise rejected(request, unsealed)
    seen = request.managed.seen(
        {resource.namespace for step in steps for resource in step if resource is not None}
    )
    problems = await check_change(seen, steps, request.managed.registry, whole=request.query.check)
    if problems:
        raise rejected(request, problems)
    note = Note(_author(request, sent.author), sent.message, request.key_of(request.once))
    put = await store.apply(changes, note)
    reached = max((each.revision for each in put), default=0) or await store.newest()
    touched = [new if new is not None else old for old, new in steps]
    names = tuple(each.label for each in touched if each is not None)
    request.made = reached, names
    return ApiReply(
        shapes.StoreResultModel(revision=reached, items=[forms.held(each) for each in put]),
        names=names,
        revision=reached,
    )


def _author(request: ApiRequest, text: str) -> str:
    """Return who stands in the history: the token, whatever the request says.

    Without a token nobody is known: what the request says is kept, and marked as no more than that.
    """
    name = request.caller.name
    return f"{text} (as {name})" if text and text != name and not request.caller.known else name


def _sealed(
    request: ApiRequest, changes: list[Change], now: Mapping[Key, Resource | None]
) -> tuple[list[Change], list[Problem]]:
    """Return the changes with their secrets sealed, as everything that gets into a store."""
    items: list[Change] = []
    problems: list[Problem] = []
    for change in changes:
        if isinstance(change, Put):
            step = now.get(_key(change)), change.resource
            [(_, kept)], wrong = kept_all([step], request.managed.registry.keys)
            problems += wrong
            if kept is None:
                raise RuntimeError("a change that is written has a resource")
            change = msgspec.structs.replace(change, resource=kept)
        items.append(change)
    return items, problems


def _key(change: Change) -> Key:
    return key_of(change.resource) if isinstance(change, Put) else (change.type, change.id)


def _change(sent: shapes.StoreChange) -> Change:
    if (sent.put is UNSET) == (sent.delete is UNSET):
        raise ApiError(422, "invalid", "each change says either put or delete")
    if sent.delete is not UNSET:
        sort: type[Spec] | type[Value] = Spec if sent.delete.type == "spec" else Value
        return Delete(type=sort, id=sent.delete.id, revision=sent.revision)
    entries = read_entries(sent.put, DEFAULT_NAMESPACE, None)
    if len(entries) != 1:
        raise ApiError(422, "invalid", "each change puts one Spec or Value")
    if isinstance(entries[0], Value) and entries[0].secret and _masked(entries[0].data):
        # Whoever read it masked would lose it by putting it back.
        raise ApiError(
            422,
            "masked",
            f"the secret {entries[0].label} is masked ({MASK}). Leave out what does not change, or read "
            "it with reveal=true",
        )
    return Put(resource=entries[0], revision=sent.revision)


def _masked(data: Any) -> bool:
    if isinstance(data, Mapping):
        return any(_masked(each) for each in data.values())
    if isinstance(data, list):
        return any(_masked(each) for each in data)
    return bool(data == MASK)


_DONE = {200: ResponseForm(about="What it did, or would do.", type=shapes.ApplyResultModel)}

OPERATIONS = [
    Operation(
        name="namespace.apply",
        summary="Apply Specs and Values as one change set.",
        details=(
            "All of them or none, checked before. One with an id is the one with that id; without, "
            "the one of its name in its namespace; with neither, it is new."
        ),
        run=apply,
        right="edit",
        query=ApplyQuery,
        body=BodyForm(
            about="One entry, or a list of them.", type=shapes.Entry | list[shapes.Entry]
        ),
        headers=(KEY,),
        replies=_DONE,
        rejections=(409, 422),
        audit=True,
    ),
    Operation(
        name="namespace.rollback",
        summary="Bring a namespace back to what it said at a revision.",
        details="It is a new revision, checked as every other.",
        run=rollback,
        right="edit",
        query=RollbackQuery,
        body=BodyForm(about="Where to.", type=shapes.RollbackModel, media=(JSON,)),
        headers=(KEY,),
        replies=_DONE,
        rejections=(404, 409, 422, 501),
        audit=True,
    ),
    Operation(
        name="revisions.list",
        summary="Look at the history, the newest revision first.",
        run=revisions,
        query=RevisionsQuery,
        replies={200: ResponseForm(about="Some revisions.", type=shapes.Revisions)},
        rejections=(501,),
    ),
    Operation(
        name="revisions.get",
        summary="Look at one revision.",
        run=revision,
        replies={200: ResponseForm(about="The revision.", type=shapes.RevisionModel)},
        rejections=(404, 501),
    ),
    Operation(
        name="store.newest",
        summary="How far the store has come, and what it can.",
        run=newest,
        replies={200: ResponseForm(about="The newest revision.", type=shapes.NewestModel)},
    ),
    Operation(
        name="store.problems",
        summary="What cannot be read in the store at this moment.",
        run=problems,
        replies={200: ResponseForm(about="All of it.", type=shapes.Problems)},
    ),
    Operation(
        name="store.apply",
        summary="Make changes with the revisions that they are made from, in any namespaces.",
        details="As the contract of a store has it: for programs that are one themselves.",
        run=store_changes,
        right="edit",
        query=StoreQuery,
        body=BodyForm(about="The changes.", type=shapes.ChangeSetModel, media=(JSON,)),
        headers=(KEY,),
        replies={200: ResponseForm(about="What was put.", type=shapes.StoreResultModel)},
        rejections=(404, 409, 422),
        audit=True,
    ),
]
