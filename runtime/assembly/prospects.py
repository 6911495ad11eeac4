"""Prospects: which Symbols that are assembled together could be active, as all of their links lead to some that could."""

from collections.abc import Callable, Iterable, Set
from uuid import UUID

from heddle.runtime.assembly.symbol import Symbol
from heddle.schemas.link import Link
from heddle.schemas.pieces import Pieces


def find_able(
    symbols: Iterable[Symbol], invalid: Set[UUID], beside: Callable[[Link], UUID | None]
) -> Pieces[set[UUID]]:
    """Return the ids of the Symbols that could be active, a cycle as a whole.

    `invalid` are those that are rejected anyway. `beside` returns who else a link leads to and is active.
    """
    able: dict[UUID, Symbol] = {}
    names: dict[str, UUID] = {}
    sources: dict[UUID, set[UUID]] = {}
    for symbol in symbols:
        yield
        if symbol.id not in invalid:
            able[symbol.id] = symbol
            if symbol.spec.name is not None:
                names.setdefault(symbol.spec.name, symbol.id)
    todo: list[UUID] = []
    for symbol in able.values():
        yield
        for links in symbol.links.values():
            for link in links:
                target = link.id if link.id in able else names.get(link.name or "")
                if target is not None:
                    sources.setdefault(target, set()).add(symbol.id)
                elif beside(link) is None:
                    todo.append(symbol.id)
    while todo:
        yield
        uuid = todo.pop()
        if able.pop(uuid, None) is not None:
            todo.extend(sources.get(uuid, ()))
    return set(able)
