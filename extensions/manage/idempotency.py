"""A change set that is sent again under its key is answered with what it has become, and not made again."""

from typing import Any

from heddle.extensions.manage import serializers as forms
from heddle.extensions.manage.operation import ApiReply, Operation
from heddle.extensions.manage.problem_response import ApiError
from heddle.extensions.manage.request import KEY, ApiRequest
from heddle.schemas.pieces import by_turns
from heddle.specs.model.difference import difference
from heddle.specs.model.keyed import KeyedStore
from heddle.specs.model.revision import Revision
from heddle.specs.model.spec import Spec
from heddle.specs.model.value import Value

REPLAYED = {"Idempotency-Replayed": "true"}
"""The header of an answer that repeats an earlier one."""


async def repeated(request: ApiRequest, operation: Operation) -> ApiReply | None:
    """Return the answer to a change set that this caller has made before under the same key.

    None if the request brings no key, or nothing was made under it: then it is to be made.
    """
    if KEY not in operation.headers or operation.name == "store.apply":
        return None
    made = await made_before(request)
    if made is None:
        return None
    if not _same(request, operation, made):
        raise ApiError(
            409,
            "key",
            f"{KEY}: revision {made.number} was made of another request under this key "
            "(expected: the same request, or another key)",
        )
    return await _reply(operation.name, made)


def _same(request: ApiRequest, operation: Operation, made: Revision) -> bool:
    """Return whether a revision can be what this request has become."""
    sides = [side for turn in made.turns for side in (turn.before, turn.after) if side is not None]
    if any(side.namespace != request.namespace for side in sides):
        return False
    if operation.group == "namespace":
        return True
    sort = Spec if operation.group == "specs" else Value
    if len(made.turns) != 1 or not isinstance(made.turns[0].resource, sort):
        return False
    turn = made.turns[0]
    if operation.name.endswith(".delete") is not (turn.after is None):
        return False
    names = {name for side in sides for name in (side.name, str(side.id))}
    return operation.name.endswith(".create") or request.key in names


async def made_before(request: ApiRequest) -> Revision | None:
    """Return what this caller has made under the key of the request; None if nothing."""
    store = request.managed.store
    if not request.header(KEY) or not isinstance(store, KeyedStore):
        return None
    if getattr(request.query, "dry_run", False):
        return None
    made = await store.keyed(request.key_of(request.once))
    for turn in made.turns if made is not None else ():
        for side in (turn.before, turn.after):
            if side is not None:
                request.need(request.right, side.namespace)
    return made


async def _reply(operation: str, made: Revision) -> ApiReply:
    names = tuple(turn.resource.label for turn in made.turns)
    header = dict(REPLAYED)
    body: Any
    status = 200
    put = [turn.after for turn in made.turns if turn.after is not None]
    if operation.endswith(".delete"):
        body, status = None, 204
    elif operation.startswith("namespace."):
        changes = [difference(turn.before, turn.after) for turn in made.turns]
        body = await by_turns(forms.applied(changes, made.number))
    else:
        body = forms.sent(put[0])
        status = 201 if operation.endswith(".create") else 200
        header["ETag"] = f'"{put[0].revision}"'
    return ApiReply(body, status, header=header, names=names, revision=made.number)
