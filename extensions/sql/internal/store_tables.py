"""Specs, Values and what they say: the tables of the store."""

from collections.abc import Iterable
from typing import Any

import msgspec

from heddle.extensions.sql.internal.table import Values, View, VirtualTable, columns
from heddle.specs.model.entry import data_of
from heddle.specs.model.mask import covered
from heddle.specs.model.revision import RevisionStore
from heddle.specs.model.spec import Spec
from heddle.specs.model.value import Value

SPEC_COLUMNS = columns(
    id="TEXT the id",
    kind="TEXT the kind",
    namespace="TEXT the namespace",
    name="TEXT the name, or null",
    annotations="JSON what its author noted",
    env="JSON what it asks for",
    ports="JSON if its ports lead",
    fields="JSON the kind's own fields",
    revision="INTEGER the revision that changed it last",
    place="TEXT where it is written",
)
VALUE_COLUMNS = columns(
    id="TEXT the id",
    namespace="TEXT the namespace",
    name="TEXT the name, or null",
    annotations="JSON what its author noted",
    data="JSON the data; masked if it is secret",
    secret="BOOLEAN whether it is secret",
    sealed="BOOLEAN whether it is sealed",
    source="JSON if its data comes from, or null",
    revision="INTEGER the revision that changed it last",
    place="TEXT where it is written",
)


def spec_row(spec: Spec) -> Values:
    """Return one Spec as a row."""
    data = data_of(spec)
    return (
        str(spec.id),
        spec.kind,
        spec.namespace,
        spec.name,
        data.get("annotations", {}),
        data.get("env", {}),
        data.get("ports", {}),
        dict(spec.fields),
        spec.revision,
        str(spec.place()) if spec.places is not None else None,
    )


def value_row(value: Value) -> Values:
    """Return one Value as a row; what is secret is not in it."""
    hidden = value.secret or bool(value.sealed)
    return (
        str(value.id),
        value.namespace,
        value.name,
        dict(value.annotations),
        # As JSON text: a text, too, is told from a map that looks like it.
        msgspec.json.encode(covered(value.data) if hidden else value.data, enc_hook=str).decode(),
        value.secret,
        bool(value.sealed),
        msgspec.to_builtins(value.source),
        value.revision,
        str(value.place()) if value.places is not None else None,
    )


async def specs_of(view: View) -> list[Spec]:
    """Return the Specs that may be seen, as the store has them now."""
    return [
        spec for spec in await view.managed.store.specs() if view.managed.covers(spec.namespace)
    ]


async def values_of(view: View) -> list[Value]:
    """Return the Values that may be seen, as the store has them now."""
    values = await view.managed.store.values()
    return [value for value in values if view.managed.covers(value.namespace)]


async def _specs(view: View) -> Iterable[Values]:
    return map(spec_row, await specs_of(view))


async def _values(view: View) -> Iterable[Values]:
    return map(value_row, await values_of(view))


async def _revisions(view: View) -> Iterable[Values]:
    store = view.managed.store
    if not isinstance(store, RevisionStore):
        return []
    entries: list[Values] = []
    for revision in await store.history(limit=1000):
        turns = [turn for turn in revision.turns if view.managed.covers(turn.resource.namespace)]
        if turns:
            changed: list[Any] = [
                {
                    "action": "deleted"
                    if turn.after is None
                    else "created"
                    if turn.before is None
                    else "updated",
                    "type": type(turn.resource).__name__.lower(),
                    "id": str(turn.resource.id),
                    "name": turn.resource.name,
                    "namespace": turn.resource.namespace,
                }
                for turn in turns
            ]
            entries.append(
                (revision.number, revision.time, revision.author, revision.message, changed)
            )
    return entries


TABLES = (
    VirtualTable(
        name="specs",
        help="The Specs of the store, as they are written.",
        columns=SPEC_COLUMNS,
        rows=_specs,
        writable=True,
    ),
    VirtualTable(
        name="values",
        help='The Values of the store. `VALUES` is a word of SQL: write "values".',
        columns=VALUE_COLUMNS,
        rows=_values,
        writable=True,
    ),
    VirtualTable(
        name="revisions",
        help="The last thousand revisions of the store, where it keeps them.",
        columns=columns(
            revision="INTEGER its number",
            time="REAL when it was made, in seconds since 1970",
            author="TEXT who made it",
            message="TEXT why",
            changes="JSON what it changed: [{action, type, id, name, namespace}]",
        ),
        rows=_revisions,
    ),
)
