"""A ValueReader reads the Values that Specs are made with, and says who is bound to which."""

from collections.abc import Iterable, Sequence, Set
from uuid import UUID

from heddle.runtime.assembly.scheme import Scheme
from heddle.runtime.assembly.table import SymbolTable
from heddle.schemas.pieces import LoopYield
from heddle.specs.binding.bind import ValueSet
from heddle.specs.model.lookup import called
from heddle.specs.model.mentions import needs_of
from heddle.specs.model.spec import Spec
from heddle.specs.model.store import Store
from heddle.specs.model.value import Value
from heddle.specs.secrets.vault import Vault

MANY = 100
"""Specs in one change from which on all Values are read together."""


class ValueReader:
    """Reads the Values of one namespace, ready to be opened."""

    def __init__(
        self, store: Store, namespace: str, table: SymbolTable, scheme: Scheme, vault: Vault
    ) -> None:
        self._store = store
        self._namespace = namespace
        self._table = table
        self._scheme = scheme
        self._vault = vault

    async def all(self) -> ValueSet:
        """Return every Value of the namespace."""
        return await self._ready(await self._store.values(self._namespace))

    async def needed(self, specs: Sequence[Spec], keys: Set[UUID]) -> ValueSet:
        """Return the Values that these Specs, and those that are made with them, need.

        `keys` are the ids of what changes. All Values are returned if one is not there: what is missing
        is told with the name that was probably meant. Nothing is read if no Value is needed.
        """
        before = [symbol.spec for key in keys if (symbol := self._table.get(key)) is not None]
        changed = {spec.name: spec.kind for spec in (*before, *specs) if spec.name is not None}
        todo = [*specs, *(symbol.spec for symbol in self._table.using(changed))]
        if not await _any_needs(todo):
            return ValueSet()
        if len(specs) > MANY:
            return await self.all()
        words: set[str] = set()
        definitions = {name for name, kind in changed.items() if self._scheme.expands(kind)}
        while todo:
            fresh = {word for spec in todo for word in needs_of(spec)} - words
            words |= fresh
            symbols = [symbol for word in fresh if (symbol := self._table.get(word)) is not None]
            todo = [symbol.spec for symbol in symbols if self._scheme.expands(symbol.spec.kind)]
            definitions |= {spec.name for spec in todo if spec.name is not None}
        resources = await called(self._store, self._namespace, words)
        values = [resource for resource in resources if isinstance(resource, Value)]
        known = {word for value in values for word in (str(value.id), value.name)}
        if not words <= known | definitions:
            return await self.all()
        return await self._ready(values)

    async def bound_to(self, values: Set[UUID]) -> tuple[set[UUID], set[UUID | str]]:
        """Return who is bound to these Values, or asks for one of their names; and these ids and names."""
        if not values:
            return set(), set()
        stored = await self._store.values(self._namespace, values)
        words: set[UUID | str] = set(values)
        words |= {value.name for value in stored if value.name is not None}
        return {symbol.id for symbol in self._table.asking(words)}, words

    async def _ready(self, values: Iterable[Value]) -> ValueSet:
        kept = list(values)
        await self._vault.ready(kept)
        return ValueSet(kept, self._vault)


async def _any_needs(specs: Iterable[Spec]) -> bool:
    """Return whether one of these Specs needs a Value or a definition."""
    turns = LoopYield()
    for spec in specs:
        await turns.rest()
        if needs_of(spec):
            return True
    return False
