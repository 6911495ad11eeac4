"""Bonds are an index of who is made with what: the Values that a symbol asks for, the Specs that it uses."""

from collections.abc import Collection, Iterable
from typing import TypeAlias
from uuid import UUID

from heddle.runtime.assembly.symbol import Symbol

Word: TypeAlias = UUID | str
"""The id or the name of a Value."""


class Bonds:
    """The symbols of one table by what they are bound to. It follows the table, change by change."""

    def __init__(self) -> None:
        self._asking: dict[Word, dict[UUID, None]] = {}
        self._using: dict[Word, dict[UUID, None]] = {}

    def put(self, symbol: Symbol) -> None:
        """Note what a symbol is bound to."""
        for word in (*symbol.binding.asks, *symbol.binding.uses):
            self._asking.setdefault(word, {})[symbol.id] = None
        for name in symbol.uses:
            self._using.setdefault(name, {})[symbol.id] = None

    def drop(self, symbol: Symbol) -> None:
        """Forget what a symbol is bound to."""
        for word in (*symbol.binding.asks, *symbol.binding.uses):
            _drop(self._asking, word, symbol.id)
        for name in symbol.uses:
            _drop(self._using, name, symbol.id)

    def asking(self, words: Iterable[Word]) -> set[UUID]:
        """Return who asks for one of these Values, or was given it."""
        return {uuid for word in words for uuid in self._asking.get(word, ())}

    def using(self, names: Collection[str]) -> set[UUID]:
        """Return who is made with one of these Specs."""
        return {uuid for name in names for uuid in self._using.get(name, ())}


def _drop(index: dict[Word, dict[UUID, None]], word: Word, uuid: UUID) -> None:
    ids = index.get(word)
    if ids is not None:
        ids.pop(uuid, None)
        if not ids:
            del index[word]
