"""A TableState is one state of a SymbolTable: who is there, under which name, linked by whom, and active.

It shares with the state before whatever a change does not touch. The functions below say who is active
with other neighbours: they walk from what changed, and no further.
"""

from collections.abc import (
    Hashable,
    Iterable,
    Iterator,
    MutableMapping,
    Sequence,
)
from typing import Final, TypeAlias
from uuid import UUID

from heddle.runtime.assembly.expansion import HELD
from heddle.runtime.assembly.overlay_map import branch
from heddle.runtime.assembly.symbol import Symbol
from heddle.runtime.assembly.waiting_cycles import find_cycles, labels_of
from heddle.runtime.flow.contracts import Key, Target
from heddle.runtime.flow.wiring import WiredSymbol
from heddle.schemas.link import Link
from heddle.schemas.path import Path
from heddle.schemas.pieces import Pieces
from heddle.schemas.port import canonical, parse_port

CAUSES: Final = 3
LOOKED: Final = 100
"""How many reasons outside of a cycle are given, and how many of its members are looked at for them."""

TargetName: TypeAlias = str | UUID
"""The id or name by which a link names its target."""


class TableState:
    """One state of the table: who is there, under which name, linked by whom, and who is active."""

    __slots__ = ("_cycles", "_own", "active", "linked_from", "names", "symbols", "waiting", "wired")

    def __init__(self, layout: "TableState | None" = None, changes: int = 0) -> None:
        self.symbols: MutableMapping[UUID, Symbol] = {}
        self.names: MutableMapping[str, UUID] = {}
        self.linked_from: MutableMapping[TargetName, set[UUID]] = {}
        self.active: MutableMapping[UUID, None] = {}
        self.waiting: MutableMapping[UUID, None] = {}
        self.wired: MutableMapping[Hashable, WiredSymbol] = {}
        # The sets of `linked_from` that are this layout's own: the others belong to an older one too.
        self._own: set[TargetName] = set()
        self._cycles: dict[UUID, tuple[UUID, ...]] | None = None
        if layout is not None:
            self.symbols = branch(layout.symbols, changes)
            self.names = branch(layout.names, changes)
            self.linked_from = branch(layout.linked_from, changes)
            self.active = branch(layout.active, changes)
            self.waiting = branch(layout.waiting, changes)
            self.wired = branch(layout.wired, changes)

    def find(self, link: Link) -> UUID | None:
        """Return who a link leads to; None if nobody is there yet."""
        if link.id is not None:
            return link.id if link.id in self.symbols else None
        return self.names.get(link.name or "")

    def sources(self, symbol: Symbol) -> set[UUID]:
        """Return who has a link to this symbol."""
        linkers = set(self.linked_from.get(symbol.id, ()))
        if symbol.spec.name is not None and self.names.get(symbol.spec.name) == symbol.id:
            linkers |= self.linked_from.get(symbol.spec.name, set())
        return linkers

    def attach(self, symbol: Symbol) -> None:
        """Put a symbol in, with its name and its links."""
        self.symbols[symbol.id] = symbol
        if symbol.spec.name is not None:
            self.names[symbol.spec.name] = symbol.id
        for key in _target_names(symbol):
            self._own_set(key).add(symbol.id)

    def detach(self, symbol: Symbol) -> None:
        """Take a symbol out, with its name and its links."""
        del self.symbols[symbol.id]
        if symbol.spec.name is not None and self.names.get(symbol.spec.name) == symbol.id:
            del self.names[symbol.spec.name]
        for key in _target_names(symbol):
            self._forget_link(key, symbol.id)

    def replace(self, old: Symbol, new: Symbol) -> None:
        """Put a symbol in the place of one with the same id; only what differs is touched."""
        self.symbols[new.id] = new
        if old.spec.name != new.spec.name:
            if old.spec.name is not None and self.names.get(old.spec.name) == new.id:
                del self.names[old.spec.name]
            if new.spec.name is not None:
                self.names[new.spec.name] = new.id
        before, after = _target_names(old), _target_names(new)
        for key in before - after:
            self._forget_link(key, new.id)
        for key in after - before:
            self._own_set(key).add(new.id)

    def _forget_link(self, key: TargetName, uuid: UUID) -> None:
        """Remove a key that this symbol wants no more."""
        left = self._own_set(key)
        left.discard(uuid)
        if not left:
            del self.linked_from[key]

    def _own_set(self, key: TargetName) -> set[UUID]:
        """Return who wants this key, to be changed."""
        if key not in self._own or key not in self.linked_from:
            self._own.add(key)
            self.linked_from[key] = set(self.linked_from.get(key, ()))
        return self.linked_from[key]

    def stuck(self, symbol: Symbol) -> bool:
        """Return whether a link of this symbol leads to nobody, or to one who is not active."""
        for links in symbol.links.values():
            for link in links:
                target = self.find(link)
                if target is None or target not in self.active:
                    return True
        return False

    def wire(self, symbol: Symbol) -> WiredSymbol:
        """Return the symbol with its links resolved."""
        links: dict[str, tuple[Target, ...]] = {}
        for port, ends in symbol.links.items():
            if port != HELD:
                links[port] = tuple(target for link in ends for target in self._leads(link))
        return WiredSymbol(symbol.label, symbol.node, links)

    def _leads(self, link: Link) -> Iterator[Target]:
        """Yield where a packet that takes a link gets to: past a symbol that holds others, straight inside."""
        key = self.find(link)
        if key is None:
            return
        port = canonical(link.port)
        symbol = self.symbols[key]
        inlet = symbol.inlets.get(port) if symbol.inlets else None
        if inlet is None or symbol.node.guard is not None:
            yield key, port
            return
        for inner in inlet:
            yield from self._leads(inner)

    def note(self, ids: Iterable[UUID]) -> None:
        """Note which of these wait now."""
        self._cycles = None
        for uuid in ids:
            if uuid in self.symbols and uuid not in self.active:
                self.waiting[uuid] = None
            else:
                self.waiting.pop(uuid, None)

    def lacks(self, symbol: Symbol) -> Iterator[tuple[Path, str]]:
        """Yield each link of a symbol that is not active which leads nowhere: its path, and why."""
        if symbol.id in self.active:
            return
        for path, target, why in self._lacks(symbol):
            if target != symbol.id:
                yield path, why

    def _lacks(self, symbol: Symbol) -> Iterator[tuple[Path, UUID | None, str]]:
        """Yield each link that leads nowhere: its path, who is there but is not active, and why."""
        for port, links in symbol.links.items():
            where = "which it holds" if port.startswith(HELD) else f"linked at ports.{port}"
            for number, link in enumerate(links):
                target = self.find(link)
                if target is None:
                    yield ("ports", port, number), None, f'waits for "{link.target}", {where}'
                elif target not in self.active:
                    label = self.symbols[target].label
                    yield ("ports", port, number), target, f'"{label}" is not active, {where}'

    def reasons(self, symbol: Symbol) -> list[str]:
        """Return why a symbol is not active: one line for each link that leads nowhere; empty if it is active."""
        if symbol.id in self.active:
            return []
        cycle = self._cycle(symbol)
        if not cycle:
            return list(dict.fromkeys(why for _, why in self.lacks(symbol)))
        labels = labels_of(self.symbols[each].label for each in cycle)
        # That each waits for the next says nothing: what does any of them wait for outside of it?
        members = (symbol, *(self.symbols[each] for each in cycle if each != symbol.id))
        causes = dict.fromkeys(
            why if member is symbol else f'"{member.label}": {why}'
            for member in members[:LOOKED]
            for _, target, why in self._lacks(member)
            if target not in cycle
        )
        return [f"part of a cycle that is not active ({labels})", *list(causes)[:CAUSES]]

    def _cycle(self, symbol: Symbol) -> tuple[UUID, ...]:
        """Return the members of the cycle that a symbol waits in, in order; () if it waits in none."""
        if self._cycles is None:
            waiting = (self.symbols[each] for each in self.waiting)
            links = {
                each.id: [target for _, target, _ in self._lacks(each) if target is not None]
                for each in sorted(waiting, key=lambda each: each.label)
            }
            self._cycles = find_cycles(links)
        return self._cycles.get(symbol.id, ())

    def inputs(self, owner: Key) -> Sequence[str]:
        """Return the in ports of a symbol that an active symbol is linked to, in order."""
        symbol = self.symbols.get(owner) if isinstance(owner, UUID) else None
        if symbol is None:
            return ()
        texts = {
            name
            for source in self.sources(symbol)
            if source in self.active
            for targets in self.wired[source].links.values()
            for key, name in targets
            if key == owner
        }
        return sorted(texts, key=_number)


def _number(port: str) -> tuple[str, int]:
    """Return what ports are ordered by: `in`, `in[1]`, `in[2]`, `in[10]`."""
    base, number = parse_port(port) or (port, None)
    return base, number or 0


def _target_names(symbol: Symbol) -> set[TargetName]:
    """Return what its links name their targets by."""
    return {
        link.id if link.id is not None else link.name or ""
        for links in symbol.links.values()
        for link in links
    }


def find_moved(old: TableState, new: TableState, touched: Iterable[Symbol]) -> Pieces[set[UUID]]:
    """Return who has a link that leads to somebody else now: its target came, went, or took a name."""
    uuids: set[UUID] = set()
    for symbol in touched:
        yield
        if (symbol.id in old.symbols) != (symbol.id in new.symbols):
            uuids |= new.linked_from.get(symbol.id, set())
        name = symbol.spec.name
        if name is not None and old.names.get(name) != new.names.get(name):
            uuids |= new.linked_from.get(name, set())
    return uuids


def deactivate(
    old: TableState, new: TableState, relink: set[UUID], leaving: Iterable[Symbol]
) -> Pieces[set[UUID]]:
    """Take out whoever is stuck now, and whoever is stuck by that; returns who went."""
    went: set[UUID] = set()
    todo = [each for each in relink if each in new.active]
    for symbol in leaving:
        yield
        todo.extend(source for source in old.sources(symbol) if source in new.active)
    while todo:
        yield
        uuid = todo.pop()
        if uuid not in new.active or not new.stuck(new.symbols[uuid]):
            continue
        del new.active[uuid]
        went.add(uuid)
        todo.extend(new.sources(new.symbols[uuid]))
    return went


def activate(new: TableState, touched: set[UUID]) -> Pieces[set[UUID]]:
    """Take in whoever is stuck no longer; a ring comes in as a whole. Returns who came."""
    hopeful: set[UUID] = set()
    todo = [each for each in touched if each in new.symbols]
    while todo:
        yield
        uuid = todo.pop()
        if uuid in hopeful or uuid in new.active:
            continue
        hopeful.add(uuid)
        todo.extend(new.sources(new.symbols[uuid]))
    if not hopeful:
        return hopeful
    for uuid in hopeful:
        new.active[uuid] = None
    todo = list(hopeful)
    while todo:
        yield
        uuid = todo.pop()
        if uuid not in hopeful or not new.stuck(new.symbols[uuid]):
            continue
        hopeful.discard(uuid)
        del new.active[uuid]
        todo.extend(new.sources(new.symbols[uuid]))
    return hopeful


def targets_first(layout: TableState, symbols: Iterable[Symbol]) -> Pieces[list[Symbol]]:
    """Targets before sources; the members of a ring in the order of their labels."""
    todo = {symbol.id: symbol for symbol in sorted(symbols, key=lambda symbol: symbol.label)}
    done: dict[UUID, Symbol] = {}
    seen: set[UUID] = set()
    for first in todo.values():
        stack: list[tuple[Symbol, bool]] = [(first, False)]
        while stack:
            yield
            symbol, finished = stack.pop()
            if finished:
                done.setdefault(symbol.id, symbol)
                continue
            if symbol.id in seen:
                continue
            seen.add(symbol.id)
            stack.append((symbol, True))
            for links in symbol.links.values():
                for link in links:
                    target = layout.find(link)
                    if target is not None and target in todo and target not in seen:
                        stack.append((todo[target], False))
    return list(done.values())
