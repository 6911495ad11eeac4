"""Specs, Values and what becomes of them, in the form in which they are sent."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from msgspec import UNSET

from heddle.extensions.manage import models as shapes
from heddle.runtime.changes.wait_live import Arrival
from heddle.runtime.flow.contracts import Process
from heddle.schemas.pieces import Pieces
from heddle.specs.model.difference import ABSENT, Diff
from heddle.specs.model.entry import data_of
from heddle.specs.model.lossless_json import marked
from heddle.specs.model.mask import covered
from heddle.specs.model.revision import Revision, RevisionChange
from heddle.specs.model.spec import Spec
from heddle.specs.model.store import Resource
from heddle.specs.model.value import Value
from heddle.specs.secrets.keyring import Keyring


def sort_of(resource: Resource) -> shapes.Sort:
    """`spec` or `value`."""
    return "spec" if isinstance(resource, Spec) else "value"


def entry_of(resource: Resource, *, reveal: bool = False) -> dict[str, Any]:
    """Return the entry that says it, its id and namespace always; the data of a secret is masked.

    What is sealed stays so: see `opened`.
    """
    data = data_of(resource, namespace="")
    entry: dict[str, Any] = {"id": str(resource.id), **{k: v for k, v in data.items() if k != "id"}}
    if isinstance(resource, Value) and resource.secret and not reveal and resource.plain:
        entry["data"] = covered(resource.data)
    return entry


def opened(resource: Resource, keys: Keyring) -> Resource:
    """Return a Value that is sealed with its data instead; raise SecretError if no key opens it."""
    if not isinstance(resource, Value) or not resource.sealed:
        return resource
    return msgspec.structs.replace(resource, data=keys.open(resource), sealed="")


def sent(resource: Resource, *, reveal: bool = False) -> dict[str, Any]:
    """Return the entry as JSON can say it."""
    data: dict[str, Any] = marked(entry_of(resource, reveal=reveal))
    return data


def held(resource: Resource, *, reveal: bool = False) -> shapes.ResourceModel:
    """Return a resource with its revision."""
    entry = sent(resource, reveal=reveal)
    if isinstance(resource, Spec):
        return shapes.ResourceModel(revision=resource.revision, spec=entry)
    return shapes.ResourceModel(revision=resource.revision, value=entry)


def change(difference: Diff) -> shapes.Change:
    """Return what becomes of one resource, field by field; of a secret only which fields."""
    resource = difference.resource
    secret = any(
        isinstance(side, Value) and side.secret
        for side in (difference.turn.before, difference.turn.after)
    )
    return shapes.Change(
        action=difference.action,
        type=sort_of(resource),
        id=resource.id,
        namespace=resource.namespace,
        name=resource.name,
        kind=resource.kind if isinstance(resource, Spec) else UNSET,
        details=[
            shapes.FieldChangeModel(
                at=detail.at,
                before=_side(detail.before, hide=secret and detail.path[:1] == ("data",)),
                after=_side(detail.after, hide=secret and detail.path[:1] == ("data",)),
            )
            for detail in difference.details
        ],
    )


def _side(data: Any, *, hide: bool) -> Any:
    if data is ABSENT:
        return UNSET
    return marked(covered(data) if hide else data)


def applied(
    differences: Iterable[Diff],
    revision: int,
    *,
    dry_run: bool = False,
    waited: Sequence[shapes.ArrivalModel] = (),
) -> Pieces[shapes.ApplyResultModel]:
    """Return what a change set did."""
    changes: list[shapes.Change] = []
    for each in differences:
        changes.append(change(each))
        yield
    return shapes.ApplyResultModel(
        revision=revision, dry_run=dry_run, changes=changes, waited=list(waited)
    )


def arrival(namespace: str, each: Arrival) -> shapes.ArrivalModel:
    """Return how far a runtime has come with a change set."""
    return shapes.ArrivalModel(
        namespace=namespace,
        runtime=each.report.runtime,
        state=each.state,
        symbols=list(each.symbols),
    )


def turn(revision_change: RevisionChange) -> shapes.RevisionChangeModel:
    """Return what a revision made of one resource."""
    return shapes.RevisionChangeModel(
        type=sort_of(revision_change.resource),
        before=held(revision_change.before) if revision_change.before is not None else None,
        after=held(revision_change.after) if revision_change.after is not None else None,
    )


def revision(stored: Revision, turns: Iterable[RevisionChange]) -> Pieces[shapes.RevisionModel]:
    """Return a revision with those of its turns that may be seen."""
    shown: list[shapes.RevisionChangeModel] = []
    for each in turns:
        shown.append(turn(each))
        yield
    return shapes.RevisionModel(
        number=stored.number,
        time=stored.time,
        author=stored.author,
        message=stored.message,
        turns=shown,
    )


def process(each: Process) -> shapes.ProcessModel:
    """Return a process as it is now."""
    return shapes.ProcessModel(
        id=each.id,
        status=each.status.value,
        origin=each.origin,
        generation=each.wiring.generation.number,
        started=each.started,
        parent=each.parent.id if each.parent is not None else None,
        children=[child.id for child in each.children],
        reason=each.reason.message if each.reason is not None else "",
    )
