"""Binding gives a Spec what its `env` asks for and fills its blanks."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias
from uuid import UUID

import msgspec

from heddle.schemas.errors import SecretError
from heddle.schemas.path import Path
from heddle.schemas.problem import NOWHERE, Problem
from heddle.schemas.suggestion import did_you_mean
from heddle.specs.binding.template import (
    BlankError,
    BlankScope,
    derived,
    failures,
    fill,
    has_braces,
)
from heddle.specs.model.entry import bindings_of
from heddle.specs.model.spec import Binding, Spec
from heddle.specs.model.value import Value
from heddle.specs.secrets.mask import in_order, secrets_in
from heddle.specs.secrets.vault import Vault

Reference: TypeAlias = UUID | str
"""A reference of a Spec to a Value: its id or its name."""


class BoundSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A Spec with its blanks filled, and what that took.

    `spec` is for compiling only: it may hold secrets in clear. `uses` are the Values that were
    found, `asks` the ids and names that were looked for, found or not. `secrets` are the texts
    to mask wherever people look. With `problems` the Spec is not fit to compile.
    """

    spec: Spec
    problems: tuple[Problem, ...] = ()
    uses: frozenset[UUID] = frozenset()
    asks: frozenset[Reference] = frozenset()
    secrets: tuple[str, ...] = ()

    def __repr__(self) -> str:
        # Its Spec may hold secrets in clear.
        return f"Bound({self.spec.label!r}, {len(self.problems)} problems)"


class OpenedValue(NamedTuple):
    """The data of a Value, and the texts to mask on its account."""

    data: Any
    secrets: tuple[str, ...] = ()


class ValueSet:
    """The Values that Specs may ask for, by id and by name; a Vault gives their data."""

    __slots__ = ("_by_id", "_by_name", "_opened", "_vault")

    def __init__(self, values: Iterable[Value] = (), vault: Vault | None = None) -> None:
        self._vault = vault if vault is not None else Vault()
        self._opened: dict[UUID, OpenedValue | Sequence[Problem]] = {}
        self._by_id: dict[UUID, Value] = {}
        self._by_name: dict[tuple[str, str], Value] = {}
        for value in values:
            self._by_id[value.id] = value
            if value.name is not None:
                self._by_name[(value.namespace, value.name)] = value

    def find(self, binding: Binding, namespace: str) -> Value | None:
        """Exactly the Value that the binding asks for, from this namespace; None if there is none."""
        if binding.id is not None:
            value = self._by_id.get(binding.id)
            return value if value is not None and value.namespace == namespace else None
        return self._by_name.get((namespace, binding.name or ""))

    def of(self, ids: Iterable[UUID]) -> dict[UUID, Value]:
        """Return the Values of these ids that are here."""
        return {uuid: self._by_id[uuid] for uuid in ids if uuid in self._by_id}

    def open(self, value: Value) -> "OpenedValue":
        """Return the data of a Value, the same for everybody who asks; raise SecretError if it cannot be had here."""
        opened = self._opened.get(value.id)
        if opened is None:
            try:
                data = self._vault.open(value)
                opened = OpenedValue(data, in_order(secrets_in(data)) if value.secret else ())
            except SecretError as error:
                opened = error.problems
            self._opened[value.id] = opened
        if not isinstance(opened, OpenedValue):
            raise SecretError(opened)
        return opened

    def opened_by(self, vault: Vault) -> "ValueSet":
        """Return the same Values with another Vault."""
        same = ValueSet((), vault)
        same._by_id, same._by_name = self._by_id, self._by_name
        return same

    def names(self, namespace: str) -> list[str]:
        """Return the names of the Values of a namespace."""
        return [name for space, name in self._by_name if space == namespace]


def bind(
    spec: Spec,
    values: ValueSet | Iterable[Value] = (),
    environment: Mapping[str, Any] | None = None,
    *,
    names: Mapping[str, Any] | None = None,
) -> BoundSpec:
    """Fill the blanks of a Spec with what its `env` asks for.

    An entry with an id or a name gets exactly that Value of the Spec's namespace; its `data`, if
    it has any, is filled from the Value's data. An entry with only `data` is filled from
    `environment`. A Spec without `env` is left alone, braces and all. `names` are known beside
    those of `env`, which come first. Never raises for what the Spec says: everything that is wrong
    is among the Problems.
    """
    if not spec.env and not names and not _may_hold_env(spec.fields):
        return BoundSpec(spec=spec)
    known = values if isinstance(values, ValueSet) else ValueSet(values)
    binder = _Binder(spec, known, environment or {})
    outer = BlankScope(names=names, owner="params") if names is not None else None
    scope = binder.scope(spec.env, ("env",), outer)
    fields = binder.data(spec.fields, (), scope)
    if fields is not spec.fields:
        spec = msgspec.structs.replace(spec, fields=fields)
    return BoundSpec(
        spec=spec,
        problems=tuple(binder.problems),
        uses=frozenset(binder.uses),
        asks=frozenset(binder.asks),
        secrets=in_order(binder.secrets),
    )


def _may_hold_env(fields: Mapping[str, Any]) -> bool:
    """Return whether a Spec inside these fields may have an `env` of its own."""
    return "specs" in fields or ("tasks" in fields and _has_env_in_do(fields["tasks"]))


def _has_env_in_do(data: Any) -> bool:
    """Return whether a Spec that does the work of a task, at any depth, may have an `env` of its own."""
    if isinstance(data, list):
        return any(_has_env_in_do(item) for item in data)
    if not isinstance(data, dict):
        return False
    work = data.get("do")
    if isinstance(work, dict) and ("env" in work or "specs" in work):
        return True
    return any(_has_env_in_do(value) for value in data.values())


class _Binder:
    """Binds one Spec."""

    def __init__(self, spec: Spec, values: ValueSet, environment: Mapping[str, Any]) -> None:
        self.spec = spec
        self.values = values
        self.environment = BlankScope(
            names=environment,
            owner="the environment",
            advice=(
                "Give it with -e NAME=… or HEDDLE_ENVIRONMENT_NAME=…, "
                "or write {{ .NAME | default(…) }}"
            ),
        )
        self.problems: list[Problem] = []
        self.uses: set[UUID] = set()
        self.asks: set[Reference] = set()
        self.secrets: set[str] = set()

    def scope(
        self, env: Mapping[str, Binding], path: Path, outer: BlankScope | None
    ) -> BlankScope | None:
        """Return what the keys of this `env` stand for, over those of the Spec around it."""
        if not env:
            return outer
        names: dict[str, Any] = dict(outer.names) if outer is not None else {}
        failed = set(outer.failed) if outer is not None else set()
        hidden = set(outer.hidden) if outer is not None else set()
        for key, binding in env.items():
            before = len(self.problems)
            if not binding.identified and binding.data is msgspec.UNSET:
                # It could not be read, which is a Problem already.
                failed.add(key)
                names.pop(key, None)
                continue
            value = self.entry(binding, (*path, key))
            (hidden.add if self.secret(binding) else hidden.discard)(key)
            if len(self.problems) > before:
                failed.add(key)
                names.pop(key, None)
            else:
                names[key] = value
                failed.discard(key)
        return BlankScope(
            names=names, owner="env", failed=frozenset(failed), hidden=frozenset(hidden)
        )

    def secret(self, binding: Binding) -> bool:
        """Return whether an entry of `env` asks for a secret."""
        if not binding.identified:
            return False
        value = self.values.find(binding, self.spec.namespace)
        return value is not None and value.secret

    def entry(self, binding: Binding, path: Path) -> Any:
        """Return what one entry of `env` stands for."""
        if not binding.identified:
            return self.data(binding.data, (*path, "data"), self.environment)
        reference: Reference = binding.id if binding.id is not None else binding.name or ""
        self.asks.add(reference)
        value = self.values.find(binding, self.spec.namespace)
        if value is None:
            self.missing(binding, path)
            return None
        self.uses.add(value.id)
        try:
            data, secrets = self.values.open(value)
        except SecretError as error:
            self.closed(error, path)
            return None
        if binding.data is not msgspec.UNSET:
            scope = BlankScope(
                names=data if isinstance(data, dict) else {},
                owner=f'the Value "{value.name or value.id}"',
                whole=data,
            )
            data = self.data(binding.data, (*path, "data"), scope)
            if value.secret:
                self.secrets.update(secrets_in(data))
        self.secrets.update(secrets)
        return data

    def closed(self, error: SecretError, path: Path) -> None:
        """Tell that a Value has no data here, at its line; at that of who asks where it has none."""
        for problem in error.problems:
            if problem.place == NOWHERE:
                problem = msgspec.structs.replace(problem, place=self.spec.place(path))
            self.problems.append(problem)

    def missing(self, binding: Binding, path: Path) -> None:
        """Tell that there is no such Value, and the nearest name."""
        where = f" in the namespace {self.spec.namespace}"
        if binding.id is not None:
            self.problem((*path, "id"), "missing-value", f"there is no Value {binding.id}{where}")
            return
        near = did_you_mean(binding.name or "", self.values.names(self.spec.namespace))
        actual = f'there is no Value "{binding.name}"{where}'
        self.problem((*path, "name"), "missing-value", actual, hint=near)

    def data(self, data: Any, path: Path, scope: BlankScope | None) -> Any:
        """Return the data with its blanks filled, keys too; the very same data if there are none."""
        if isinstance(data, str):
            return self.text(data, path, scope) if scope is not None and has_braces(data) else data
        if isinstance(data, list):
            items = [self.data(item, (*path, number), scope) for number, item in enumerate(data)]
            same = all(new is old for new, old in zip(items, data, strict=True))
            return data if same else items
        return self.mapping(data, path, scope) if isinstance(data, dict) else data

    def mapping(self, data: dict[str, Any], path: Path, scope: BlankScope | None) -> dict[str, Any]:
        """Return a mapping with its blanks filled."""
        if path and data.get("env") and "kind" in data:
            data, scope = self.inner(data, path, scope)
        result: dict[str, Any] = {}
        same = True
        for key, value in data.items():
            new_key = key
            if scope is not None and has_braces(key):
                filled = self.text(key, (*path, key), scope)
                new_key = (
                    filled if isinstance(filled, str) else msgspec.json.encode(filled).decode()
                )
            if new_key in result:
                actual = f'two entries become "{new_key}"'
                self.problem((*path, key), "duplicate-key", actual)
            new = self.data(value, (*path, key), scope)
            same = same and new is value and new_key is key
            result[new_key] = new
        return data if same else result

    def inner(
        self, data: dict[str, Any], path: Path, scope: BlankScope | None
    ) -> tuple[dict[str, Any], BlankScope | None]:
        """Return a Spec inside a field, with an `env` of its own: it sees that over the one around it."""
        env, problems = bindings_of(data["env"], label=self.spec.at(path))
        self.problems.extend(
            msgspec.structs.replace(problem, place=self.spec.place((*path, "env")))
            for problem in problems
        )
        rest = {key: value for key, value in data.items() if key != "env"}
        return rest, self.scope(env, (*path, "env"), scope)

    def text(self, text: str, path: Path, scope: BlankScope) -> Any:
        """Return a text with its blanks filled; as it was, with a Problem, if one cannot be."""
        try:
            filled = fill(text, scope)
            if scope.hidden:
                made = [
                    each for each in derived(text, scope) if isinstance(each, str | list | dict)
                ]
                self.secrets.update(secrets_in(made))
            return filled
        except BlankError:
            for error in failures(text, scope):
                actual = f"the blank {error.blank}: {error.found}"
                self.problem(path, "blank", actual, error.expected, error.hint)
            return text

    def problem(
        self, path: Path, code: str, actual: str, expected: str = "", hint: str = ""
    ) -> None:
        """Note one thing wrong at this path of the Spec."""
        self.problems.append(
            Problem(
                code=code,
                found=actual,
                expected=expected,
                hint=hint,
                place=self.spec.place(path),
                path=self.spec.at(path),
            )
        )
