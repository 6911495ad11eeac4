"""Changes are planned, checked and made in one way, whoever asks; rejected ones say why."""

import asyncio
from collections.abc import Sequence
from typing import Any

from heddle.extensions.manage import models as shapes
from heddle.extensions.manage import serializers as forms
from heddle.extensions.manage.problem_response import ApiError
from heddle.extensions.manage.request import ApiRequest
from heddle.runtime.changes.plan import ApplyResult, Clash, Plan, Step, apply_plan, plan_steps
from heddle.runtime.changes.wait_live import wait_live
from heddle.schemas.ascii import elements, is_number
from heddle.schemas.errors import NotFoundError, StoreError
from heddle.schemas.pieces import by_turns
from heddle.schemas.problem import Problem
from heddle.specs.merge.merge import MergeConflict, merge_one
from heddle.specs.model.difference import ABSENT
from heddle.specs.model.lossless_json import marked
from heddle.specs.model.report import ReportStore
from heddle.specs.model.revision import Note, RevisionStore
from heddle.specs.model.store import Resource
from heddle.specs.model.value import Value


def note_of(request: ApiRequest, message: str = "") -> Note:
    """Return who asks, and why."""
    message = message or getattr(request.query, "message", "")
    return Note(request.caller.name, message, request.key_of(request.once))


async def carry_out(
    request: ApiRequest, steps: Sequence[Step], *, dry_run: bool, note: Note
) -> shapes.ApplyResultModel:
    """Make these steps, all or none; with `dry_run` only tell."""
    managed = request.managed
    seen = managed.seen({side.namespace for step in steps for side in step if side is not None})
    planned = await plan_steps(managed.store, steps, managed.registry, seen=seen)
    return await finish(request, planned, dry_run=dry_run, note=note)


async def finish(
    request: ApiRequest, planned: Plan, *, dry_run: bool, note: Note
) -> shapes.ApplyResultModel:
    """Make what was planned; Rejection if something is wrong with it."""
    spaces = {
        side.namespace
        for each in planned.changed
        for side in (each.turn.before, each.turn.after)
        if side is not None
    }
    for space in sorted(spaces):
        request.need(request.right, space)
    if planned.problems:
        raise rejected(request, planned.problems)
    if planned.clashes:
        raise await clashed(request, planned.clashes)
    if dry_run:
        return await by_turns(forms.applied(planned.differences, 0, dry_run=True))
    done = await apply_plan(request.managed.store, planned, note)
    if done.problems:
        raise rejected(request, done.problems)
    if done.clashes:
        raise await clashed(request, done.clashes)
    request.made = done.revision, tuple(each.resource.label for each in planned.changed)
    waited = await _waited(request, done)
    return await by_turns(forms.applied(done.differences, done.revision, waited=waited))


async def _waited(request: ApiRequest, done: ApplyResult) -> list[shapes.ArrivalModel]:
    """Return what became of it in the runtimes that follow, if the caller wants to wait for that."""
    seconds = getattr(request.query, "wait", 0.0)
    store = request.managed.store
    if not seconds or not done.revision or not isinstance(store, ReportStore):
        return []
    try:
        waited = await asyncio.gather(
            *(
                wait_live(store, space, done.revision, done.ids(space), timeout=seconds)
                for space in done.namespaces
            )
        )
    except StoreError:
        # It is made: that nobody can say any more what became of it does not apply_plan it a failure.
        return []
    return [forms.arrival(result.namespace, each) for result in waited for each in result.arrivals]


def rejected(request: ApiRequest, problems: Sequence[Problem]) -> ApiError:
    """Return the Rejection of what does not pass its check; no secret stands in it."""
    return ApiError(
        422,
        "invalid",
        "nothing was changed: put the problems right first",
        problems=request.hidden(problems),
    )


async def clashed(request: ApiRequest, clashes: Sequence[Clash]) -> ApiError:
    """Return the Rejection if somebody else was quicker."""
    first = clashes[0]
    more = merged(first.base, first.mine, first.theirs) if len(clashes) == 1 else {}
    if request.header("If-Match"):
        # It was as expected when it was looked at, and is not any more: the same, a moment later.
        return _failed(first.theirs, f"{first}. Nothing was changed", more)
    return ApiError(
        409,
        "conflict",
        "; ".join(str(clash) for clash in clashes) + ". Nothing was changed: look again, and retry",
        revision=first.theirs.revision if first.theirs is not None else 0,
        **more,
    )


# --- what the caller expects ----------------------------------------------------------------------


async def expected(
    request: ApiRequest, old: Resource | None, new: Resource | None, match: str, none_match: str
) -> None:
    """Rejection 412, with what there is and both changes merged, if it is not as expected."""
    if none_match:
        known = [f'"{old.revision}"', "*"] if old is not None else []
        if any(tag in known for tag in _tags(none_match)):
            if old is None:
                raise RuntimeError("only what is there has a tag")
            raise _failed(old, f"it is there, with revision {old.revision}", {})
    if not match:
        return
    tags = _tags(match)
    if old is None:
        raise _failed(None, f"there is none, and If-Match wants {match}", {})
    if "*" in tags or f'"{old.revision}"' in tags or str(old.revision) in tags:
        return
    more: dict[str, Any] = {}
    if new is not None:
        base = await _before(request, old, tags)
        more = merged(base, new, old) if base is not None else {}
    raise _failed(
        old,
        f"somebody else changed it: its revision is {old.revision}, and If-Match wants {match}",
        more,
    )


def _tags(header: str) -> list[str]:
    return elements(header)


def _failed(old: Resource | None, detail: str, more: dict[str, Any]) -> ApiError:
    header = {"ETag": f'"{old.revision}"'} if old is not None else {}
    return ApiError(
        412,
        "revision",
        detail,
        header=header,
        revision=old.revision if old is not None else 0,
        current=forms.sent(old) if old is not None else None,
        **more,
    )


async def _before(request: ApiRequest, old: Resource, tags: Sequence[str]) -> Resource | None:
    """Return what the caller began with; None if the store does not know that any more."""
    store = request.managed.store
    if not isinstance(store, RevisionStore):
        return None
    for tag in tags:
        number = tag.strip('"')
        if not is_number(number) or len(number) > 18:
            continue
        try:
            revision = await store.revision(int(number))
        except NotFoundError:
            continue
        for turn in revision.turns:
            if turn.key == (type(old), old.id) and turn.after is not None:
                return turn.after
    return None


def merged(base: Resource | None, mine: Resource | None, theirs: Resource | None) -> dict[str, Any]:
    """Return both changes in one, or where they cannot be."""
    if base is None or mine is None or theirs is None:
        return {}
    if any(isinstance(resource, Value) and resource.secret for resource in (base, mine, theirs)):
        return {}
    result = merge_one(base, mine, theirs)
    if result.conflicts:
        return {"conflicts": tuple(_conflict(each) for each in result.conflicts)}
    return {"merged": forms.sent(result.resources[0])} if result.resources else {}


def _conflict(conflict: MergeConflict) -> dict[str, Any]:
    sides = {"base": conflict.base, "yours": conflict.ours, "theirs": conflict.theirs}
    data = {name: marked(data) for name, data in sides.items() if data is not ABSENT}
    return {"at": conflict.at, "reason": conflict.reason, **data}
