"""Editing gathers what statements change of Specs and Values, and makes one change set of it."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from heddle.extensions.extension import NodeError
from heddle.extensions.sql.errors import failed, rejected, unconfirmed
from heddle.extensions.sql.internal.table import VirtualTable
from heddle.runtime.changes.plan import apply_plan, plan_steps
from heddle.runtime.managed import ManagedStores
from heddle.schemas.errors import StoreError, UnconfirmedError
from heddle.schemas.problem import Problem
from heddle.specs.model.entry import data_of, spec_of, value_of
from heddle.specs.model.index import Key, key_of
from heddle.specs.model.json_text import decode as decode_json
from heddle.specs.model.revision import Note
from heddle.specs.model.spec import Spec
from heddle.specs.model.store import Resource
from heddle.specs.model.value import Value

_FIXED = frozenset({"revision", "place", "sealed", "source"})
"""Columns that nobody writes."""


class EditBatch:
    """The changes of one transaction; nothing of it is in the store before `commit`."""

    def __init__(self, managed: ManagedStores, author: str, message: str) -> None:
        self._managed = managed
        self._note = Note(author, message)
        self._old: dict[Key, Resource | None] = {}
        self._new: dict[Key, Resource | None] = {}

    @property
    def changed(self) -> bool:
        """Whether there is anything to commit."""
        return bool(self._new)

    def over(self, stored: Sequence[Resource], sort: type[Resource]) -> list[Resource]:
        """Return what is stored of one sort, with what was changed in its place."""
        kept: list[Resource] = []
        seen: set[Key] = set()
        for each in stored:
            key = key_of(each)
            seen.add(key)
            self._old.setdefault(key, each)
            new = self._new.get(key, each)
            if new is not None:
                kept.append(new)
        kept += [
            new
            for key, new in self._new.items()
            if new is not None and key not in seen and key[0] is sort
        ]
        return kept

    def state(self) -> Mapping[Key, Resource | None]:
        """Return what was changed up to now, to come back to."""
        return dict(self._new)

    def back_to(self, state: Mapping[Key, Resource | None]) -> None:
        """Forget what was changed since."""
        self._new = dict(state)

    def forget(self) -> None:
        """Begin anew: the transaction is over, and what it has read is old."""
        self._new, self._old = {}, {}

    def edit(
        self, table: VirtualTable, old: Resource | None, fields: Sequence[Any] | None
    ) -> Resource | None:
        """Change one row: `old` is None for a new one, `fields` None for one that goes. NodeError says why not."""
        if fields is None:
            if old is not None:
                self._check(old.namespace)
                self._new[key_of(old)] = None
            return None
        data = dict(zip((column.name for column in table.columns), fields, strict=True))
        new = self._spec(old, data) if table.name == "specs" else self._value(old, data)
        self._check(new.namespace)
        if old is not None:
            self._check(old.namespace)
            if key_of(old) != key_of(new):
                self._new[key_of(old)] = None
        elif self._new.get(key_of(new), self._old.get(key_of(new))) is not None:
            raise failed(f"there is a {_sort(new)} {new.label} already", "unique-id", ValueError())
        self._new[key_of(new)] = new
        return new

    async def commit(self) -> None:
        """Make one change set of it, checked first; raise NodeError if it cannot be, and nothing is written."""
        steps = [
            (self._old.get(key), new)
            for key, new in self._new.items()
            if self._old.get(key) is not None or new is not None
        ]
        self.forget()
        try:
            planned = await plan_steps(self._managed.store, steps, self._managed.registry)
            applied = await apply_plan(self._managed.store, planned, self._note)
        except UnconfirmedError as error:
            raise unconfirmed(str(error), "store", error) from error
        except StoreError as error:
            raise failed(str(error), "store", error) from error
        if applied.problems:
            raise _wrong(applied.problems)
        if applied.clashes:
            text = "; ".join(map(str, applied.clashes))
            raise failed(text, "40001", ValueError(text))

    def _check(self, namespace: str) -> None:
        if not self._managed.covers(namespace):
            raise failed(
                f"the namespace {namespace} is not managed from here",
                "25006",
                ValueError(namespace),
            )

    def _spec(self, old: Resource | None, data: Mapping[str, Any]) -> Spec:
        entry = dict(_json(data, "fields", {}))
        if not isinstance(data.get("kind"), str):
            raise rejected("a spec needs a kind, such as 'snippet'")
        entry["kind"] = data["kind"]
        _common(entry, old, data)
        for name in ("annotations", "env", "ports"):
            value = _json(data, name, {})
            if value:
                entry[name] = value
        spec, problems = spec_of(entry, revision=old.revision if old is not None else 0)
        if spec is None:
            raise _wrong(problems)
        return spec

    def _value(self, old: Resource | None, given: Mapping[str, Any]) -> Value:
        before = data_of(old) if isinstance(old, Value) else {}
        entry: dict[str, Any] = {
            name: before[name] for name in ("sealed", "from", "data") if name in before
        }
        data = given.get("data")
        shown = _shown(old) if isinstance(old, Value) else None
        if data is not None and data != shown:
            entry.pop("sealed", None)
            entry.pop("from", None)
            entry["data"] = _read(data)
        if given.get("secret"):
            entry["secret"] = True
        elif isinstance(old, Value) and old.secret and "data" in entry and data in (None, shown):
            # What nobody sees is not shown by saying that it is not a secret.
            raise rejected(
                f"the secret {old.label} is none any more only with other data: set data"
            )
        _common(entry, old, given)
        annotations = _json(given, "annotations", {})
        if annotations:
            entry["annotations"] = annotations
        value, problems = value_of(entry, revision=old.revision if old is not None else 0)
        if value is None:
            raise _wrong(problems)
        return value


def _common(entry: dict[str, Any], old: Resource | None, data: Mapping[str, Any]) -> None:
    """Set the id, the namespace and the name, if they are given."""
    if data.get("id") is not None:
        entry["id"] = str(data["id"])
    elif old is not None:
        entry["id"] = str(old.id)
    for name in ("namespace", "name"):
        if data.get(name) is not None:
            entry[name] = data[name]


def _json(data: Mapping[str, Any], name: str, empty: Any) -> Any:
    """Return what a column of JSON says; raise NodeError if it is none."""
    text = data.get(name)
    if text is None:
        return empty
    try:
        value = decode_json(text) if isinstance(text, str | bytes) else text
    except msgspec.DecodeError as error:
        raise rejected(f"the column {name} is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise rejected(f"the column {name} has to be a map, as JSON text")
    return value


def _read(data: Any) -> Any:
    """Return data as it was given: JSON if it is some, the very text otherwise."""
    if not isinstance(data, str):
        return data
    try:
        return decode_json(data)
    except msgspec.DecodeError:
        return data


def _shown(value: Value) -> str:
    from heddle.extensions.sql.internal.store_tables import VALUE_COLUMNS, value_row

    names = [column.name for column in VALUE_COLUMNS]
    shown: str = value_row(value)[names.index("data")]
    return shown


def _sort(resource: Resource) -> str:
    return type(resource).__name__.lower()


def _wrong(problems: Sequence[Problem]) -> NodeError:
    """Return what is wrong with a change set, all of it."""
    first = str(problems[0])
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return failed(f"nothing was changed: {first}{more}", "problems", ValueError(first))
