"""The entries that a runtime accepted last, kept for the runtimes that follow the store over the API."""

import msgspec

from heddle.extensions.manage import models as shapes
from heddle.extensions.manage.operation import JSON, ApiReply, BodyForm, Operation, ResponseForm
from heddle.extensions.manage.problem_response import ApiError, ProblemModel, wrong
from heddle.extensions.manage.request import ApiRequest
from heddle.extensions.manage.request_body import sent_json
from heddle.schemas.errors import HeddleError, NotFoundError
from heddle.specs.model.accepted import AcceptanceStore, AcceptedKey, AcceptedResource
from heddle.specs.model.record import recorded
from heddle.specs.model.revision import RevisionStore
from heddle.specs.model.spec import Spec
from heddle.specs.model.store import Resource, Store


class AcceptedRevisions(shapes.ApiModel, frozen=True, kw_only=True):
    """The entries that a runtime accepted last in a namespace."""

    items: list[AcceptedResource]
    problems: list[ProblemModel] = msgspec.field(default_factory=list)


class Accept(shapes.ApiModel, frozen=True, kw_only=True):
    """Records to keep in the place of those before, and keys of records to drop."""

    kept: list[AcceptedResource] = msgspec.field(default_factory=list)
    dropped: list[AcceptedKey] = msgspec.field(default_factory=list)


def _accepting(request: ApiRequest) -> tuple[AcceptanceStore, str]:
    store = request.managed.store
    if isinstance(store, AcceptanceStore) and request.namespace is not None:
        return store, request.namespace
    raise ApiError(501, "not-kept", f"the store {store.url} does not keep what was accepted last")


async def accepted(request: ApiRequest) -> ApiReply:
    """List what a runtime accepted last."""
    store, namespace = _accepting(request)
    state = await store.accepted(namespace)
    return ApiReply(
        AcceptedRevisions(
            items=list(state.items), problems=[wrong(problem) for problem in state.problems]
        ),
        header={"Cache-Control": "no-store"},
    )


async def accept(request: ApiRequest) -> ApiReply:
    """Keep what a runtime has accepted: only what the store holds or held, so that nobody slips in more."""
    store, namespace = _accepting(request)
    sent: Accept = await sent_json(request, Accept)
    for resource in sent.kept:
        if not await _was_stored(request.managed.store, resource, namespace):
            raise ApiError(
                422,
                "never-stored",
                f"the {resource.sort} {resource.id} never was in the namespace {namespace} as it is sent at "
                f"revision {resource.revision} (expected: what the store holds, or held at that revision)",
            )
    await store.accept(namespace, sent.kept, sent.dropped)
    return ApiReply(status=204)


async def _was_stored(store: Store, resource: AcceptedResource, namespace: str) -> bool:
    """Return whether the store holds what a record says, or held it at its revision."""
    try:
        accepted = resource.resource
    except (HeddleError, msgspec.DecodeError):
        return False
    if accepted.id != resource.id or accepted.namespace != namespace:
        return False
    find = store.specs if isinstance(accepted, Spec) else store.values
    now: list[Resource] = list(await find(namespace, [resource.id]))
    if any(recorded(each) == accepted for each in now):
        return True
    if not isinstance(store, RevisionStore) or resource.revision <= 0:
        return False
    try:
        revision = await store.revision(resource.revision)
    except NotFoundError:
        return False
    return any(
        turn.after is not None and recorded(turn.after) == accepted for turn in revision.turns
    )


OPERATIONS = [
    Operation(
        name="accepted.list",
        summary="What a runtime accepted last: what a start serves if the newest has problems.",
        run=accepted,
        replies={200: ResponseForm(about="The records.", type=AcceptedRevisions)},
        rejections=(501,),
    ),
    Operation(
        name="accepted.put",
        summary="Keep what a runtime has accepted.",
        details="Only what the store holds, or held at the revision that a record names.",
        run=accept,
        right="operate",
        body=BodyForm(about="The records.", type=Accept, media=(JSON,)),
        replies={204: ResponseForm(about="Kept.")},
        rejections=(422, 501),
    ),
]
