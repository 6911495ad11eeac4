"""The SymbolTable keeps the Symbols of a namespace and joins their ports.

Its state is replaced as a whole: a Plan is made beside it, from the change alone, and a commit
swaps it in. What a change does not touch is shared between the old state and the new one.
"""

from collections.abc import (
    Callable,
    Collection,
    Hashable,
    Iterable,
    Iterator,
    MutableMapping,
    Sequence,
)
from typing import Any, TypeAlias
from uuid import UUID

from heddle.runtime.assembly.bonds import Bonds
from heddle.runtime.assembly.expansion import HELD
from heddle.runtime.assembly.overlay_map import branch
from heddle.runtime.assembly.symbol import Symbol
from heddle.runtime.flow.contracts import Key, Target
from heddle.runtime.flow.generation import Ended, Failed, Generation
from heddle.runtime.flow.wiring import Lens, WiredSymbol, Wiring
from heddle.schemas.link import Link
from heddle.schemas.path import Path
from heddle.schemas.pieces import Pieces, at_once
from heddle.schemas.port import canonical, parse_port
from heddle.specs.binding.bind import BoundSpec

Wanted: TypeAlias = str | UUID
"""What a link names its target by."""


class TableState:
    """One state of the table: who is there, under which name, linked by whom, and who is active."""

    __slots__ = ("_own", "active", "names", "symbols", "waiting", "wanted", "wired")

    def __init__(self, layout: "TableState | None" = None, changes: int = 0) -> None:
        self.symbols: MutableMapping[UUID, Symbol] = {}
        self.names: MutableMapping[str, UUID] = {}
        self.wanted: MutableMapping[Wanted, set[UUID]] = {}
        self.active: MutableMapping[UUID, None] = {}
        self.waiting: MutableMapping[UUID, None] = {}
        self.wired: MutableMapping[Hashable, WiredSymbol] = {}
        # The sets of `wanted` that are this layout's own: the others belong to an older one too.
        self._own: set[Wanted] = set()
        if layout is not None:
            self.symbols = branch(layout.symbols, changes)
            self.names = branch(layout.names, changes)
            self.wanted = branch(layout.wanted, changes)
            self.active = branch(layout.active, changes)
            self.waiting = branch(layout.waiting, changes)
            self.wired = branch(layout.wired, changes)

    def find(self, link: Link) -> UUID | None:
        """Who a link leads to; None where nobody is there yet."""
        if link.id is not None:
            return link.id if link.id in self.symbols else None
        return self.names.get(link.name or "")

    def sources(self, symbol: Symbol) -> set[UUID]:
        """Who has a link to this symbol."""
        found = set(self.wanted.get(symbol.id, ()))
        if symbol.spec.name is not None and self.names.get(symbol.spec.name) == symbol.id:
            found |= self.wanted.get(symbol.spec.name, set())
        return found

    def attach(self, symbol: Symbol) -> None:
        """Put a symbol in, with its name and its links."""
        self.symbols[symbol.id] = symbol
        if symbol.spec.name is not None:
            self.names[symbol.spec.name] = symbol.id
        for key in _wants(symbol):
            self._wanting(key).add(symbol.id)

    def detach(self, symbol: Symbol) -> None:
        """Take a symbol out, with its name and its links."""
        del self.symbols[symbol.id]
        if symbol.spec.name is not None and self.names.get(symbol.spec.name) == symbol.id:
            del self.names[symbol.spec.name]
        for key in _wants(symbol):
            self._unwant(key, symbol.id)

    def replace(self, old: Symbol, new: Symbol) -> None:
        """Put a symbol in the place of one with the same id; only what differs is touched."""
        self.symbols[new.id] = new
        if old.spec.name != new.spec.name:
            if old.spec.name is not None and self.names.get(old.spec.name) == new.id:
                del self.names[old.spec.name]
            if new.spec.name is not None:
                self.names[new.spec.name] = new.id
        before, after = _wants(old), _wants(new)
        for key in before - after:
            self._unwant(key, new.id)
        for key in after - before:
            self._wanting(key).add(new.id)

    def _unwant(self, key: Wanted, one: UUID) -> None:
        """This one wants the key no more."""
        left = self._wanting(key)
        left.discard(one)
        if not left:
            del self.wanted[key]

    def _wanting(self, key: Wanted) -> set[UUID]:
        """Who wants this key, to be changed."""
        if key not in self._own or key not in self.wanted:
            self._own.add(key)
            self.wanted[key] = set(self.wanted.get(key, ()))
        return self.wanted[key]

    def stuck(self, symbol: Symbol) -> bool:
        """Whether a link of this symbol leads to nobody, or to one who is not active."""
        for links in symbol.links.values():
            for link in links:
                target = self.find(link)
                if target is None or target not in self.active:
                    return True
        return False

    def wire(self, symbol: Symbol) -> WiredSymbol:
        """The symbol with its links resolved."""
        links: dict[str, tuple[Target, ...]] = {}
        for port, wanted in symbol.links.items():
            if port != HELD:
                links[port] = tuple(target for link in wanted for target in self._leads(link))
        return WiredSymbol(symbol.label, symbol.node, links)

    def _leads(self, link: Link) -> Iterator[Target]:
        """Where a packet that takes a link gets to: past a symbol that holds others, straight inside."""
        key = self.find(link)
        if key is None:
            return
        port = canonical(link.port)
        symbol = self.symbols[key]
        inlet = symbol.inlets.get(port) if symbol.inlets else None
        if inlet is None or symbol.node.guard is not None:
            yield key, port
            return
        for one in inlet:
            yield from self._leads(one)

    def note(self, ids: Iterable[UUID]) -> None:
        """Note which of these wait now."""
        for one in ids:
            if one in self.symbols and one not in self.active:
                self.waiting[one] = None
            else:
                self.waiting.pop(one, None)

    def lacks(self, symbol: Symbol) -> Iterator[tuple[Path, str]]:
        """Each link of a symbol that is not active which leads nowhere: its path, and why."""
        if symbol.id in self.active:
            return
        for port, links in symbol.links.items():
            where = "which it holds" if port.startswith(HELD) else f"linked at ports.{port}"
            for number, link in enumerate(links):
                target = self.find(link)
                if target is None:
                    yield ("ports", port, number), f'waits for "{link.target}", {where}'
                elif target not in self.active and target != symbol.id:
                    label = self.symbols[target].label
                    yield ("ports", port, number), f'"{label}" is not active, {where}'

    def reasons(self, symbol: Symbol) -> list[str]:
        """Why a symbol is not active: one line for each link that leads nowhere."""
        return list(dict.fromkeys(why for _, why in self.lacks(symbol)))

    def inputs(self, owner: Key) -> Sequence[str]:
        """The in ports of a symbol that an active symbol is linked to, in order."""
        symbol = self.symbols.get(owner) if isinstance(owner, UUID) else None
        if symbol is None:
            return ()
        found = {
            name
            for source in self.sources(symbol)
            if source in self.active
            for targets in self.wired[source].links.values()
            for key, name in targets
            if key == owner
        }
        return sorted(found, key=_number)


class TablePlan:
    """A next state of the table, and what it takes to get there.

    `opens` are the symbols whose nodes begin, targets before sources; `retires` those that leave,
    sources before targets. `heirs` gives each opening symbol the one that it takes over from.
    `stops` are those that are still there and are active no longer. `swaps` is what comes in the
    place of what. `look` is the state of observation that it was made in.
    """

    __slots__ = ("heirs", "layout", "look", "opens", "retires", "stops", "swaps", "wiring")

    def __init__(
        self,
        layout: TableState,
        wiring: Wiring,
        opens: list[Symbol],
        retires: list[Symbol],
        heirs: dict[UUID, Symbol],
        stops: list[Symbol],
        swaps: list[tuple[Symbol | None, Symbol | None]],
        look: int,
    ) -> None:
        self.layout = layout
        self.wiring = wiring
        self.opens = opens
        self.retires = retires
        self.heirs = heirs
        self.stops = stops
        self.swaps = swaps
        self.look = look


class SymbolTable:
    """The current state, and the way to the next. `rebuild` makes a fresh Node for a Symbol."""

    def __init__(self, rebuild: Callable[[Symbol], Symbol]) -> None:
        self._rebuild = rebuild
        self.shared: dict[Any, Any] = {}
        self._ends: list[Ended] = []
        self.failed: Failed | None = None
        """Called with the failures of tasks of processes that nobody awaits."""
        self._lens: Lens | None = None
        self._look = 0
        self._layout = TableState()
        self._bonds = Bonds()
        self.wiring = Wiring({})

    def __len__(self) -> int:
        return len(self._layout.symbols)

    def get(self, key: Wanted) -> Symbol | None:
        """The symbol of this id or name."""
        if isinstance(key, str):
            found = self._layout.names.get(key)
            return self._layout.symbols.get(found) if found is not None else None
        return self._layout.symbols.get(key)

    def all(self) -> Iterable[Symbol]:
        """Every symbol of the current state."""
        return self._layout.symbols.values()

    def using(self, names: Collection[str]) -> list[Symbol]:
        """The symbols whose Specs are made with one of these."""
        return [self._layout.symbols[one] for one in self._bonds.using(names)]

    def asking(self, values: Iterable[Wanted]) -> list[Symbol]:
        """The symbols that ask for one of these Values by its id or name, or were given it."""
        return [self._layout.symbols[one] for one in self._bonds.asking(values)]

    def rebind(self, symbol: Symbol, binding: BoundSpec) -> None:
        """Note what a symbol is bound to now; it comes to the same as before."""
        self._bonds.drop(symbol)
        symbol.binding = binding
        self._bonds.put(symbol)

    @property
    def waiting(self) -> int:
        """How many symbols are not active."""
        return len(self._layout.waiting)

    def waiters(self) -> list[Symbol]:
        """The symbols that are not active; this costs what they are, not what the table holds."""
        return [self._layout.symbols[one] for one in self._layout.waiting]

    def active(self, symbol: Symbol) -> bool:
        """Whether everything that it leads to is there and compiled."""
        return symbol.id in self._layout.active

    def neighbours(self, symbol: Symbol) -> list[Symbol]:
        """Who is linked to it, and who it is linked to."""
        layout = self._layout
        ids = layout.sources(symbol)
        for links in symbol.links.values():
            ids |= {found for link in links if (found := layout.find(link)) is not None}
        return [layout.symbols[one] for one in ids]

    def wanting(self, name: str) -> list[Symbol]:
        """Who has a link to this name, whether or not somebody bears it."""
        return [self._layout.symbols[one] for one in self._layout.wanted.get(name, ())]

    def reasons(self, symbol: Symbol) -> list[str]:
        """Why it is not active: one line for each link that leads nowhere; empty where it is."""
        return self._layout.reasons(symbol)

    def lacks(self, symbol: Symbol) -> tuple[Path, str] | None:
        """The path of its first link that leads nowhere, and why; None where it is active."""
        return next(self._layout.lacks(symbol), None)

    def look_through(self, lens: Lens | None) -> None:
        """Observe through a lens from now on; processes that run go on unobserved."""
        self._lens = lens
        self._look += 1
        self.wiring = self.wiring.observed(lens)

    def listen(self, ended: Ended) -> Callable[[], None]:
        """Be told of each process that ends, but for those of generations that drain already."""
        self._ends.append(ended)
        self.wiring.tell(self._ends)
        return lambda: self._ends.remove(ended) if ended in self._ends else None

    # -- change ------------------------------------------------------------------------------

    def plan(self, puts: Sequence[Symbol], removes: Iterable[UUID]) -> TablePlan:
        """The state after these changes, made beside the current one. SpecError from `rebuild`."""
        return at_once(self.plan_in_pieces(puts, removes))

    def plan_in_pieces(self, puts: Sequence[Symbol], removes: Iterable[UUID]) -> Pieces[TablePlan]:
        """As `plan`, a Symbol at a time; the table must not change meanwhile."""
        old = self._layout
        leaving = [old.symbols[one] for one in removes if one in old.symbols]
        new = TableState(old, len(puts) + len(leaving))
        replaced = [old.symbols[symbol.id] for symbol in puts if symbol.id in old.symbols]
        swaps: list[tuple[Symbol | None, Symbol | None]] = [(symbol, None) for symbol in leaving]
        swaps += [(old.symbols.get(symbol.id), symbol) for symbol in puts]
        for symbol in leaving:
            yield
            new.detach(symbol)
        for symbol in puts:
            yield
            if symbol.id in new.symbols:
                new.replace(new.symbols[symbol.id], symbol)
            else:
                new.attach(symbol)
        changed = {symbol.id for symbol in puts}
        moved = yield from _moved(old, new, (*leaving, *replaced, *puts))
        relink = changed | moved
        for symbol in (*replaced, *puts):
            if symbol.inlets:
                # Who leads to it leads past it, to what may be somebody else now.
                relink |= new.sources(new.symbols[symbol.id])
        touched = {symbol.id for symbol in leaving}
        for one in touched:
            new.active.pop(one, None)
        touched |= yield from _deactivate(old, new, relink, leaving)
        touched |= yield from _activate(new, relink | touched)
        new.note(touched | changed)
        # Who went and came back within this one change was never away, and keeps its Node.
        went = {one for one in touched if one in old.active and one not in new.active}
        came = {one for one in touched if one in new.active and one not in old.active}
        opens = yield from self._opening(new, came | {one for one in changed if one in new.active})
        opened = {symbol.id for symbol in opens}
        for one in went:
            new.wired.pop(one, None)
        for one in {one for one in relink if one in new.active} | opened:
            yield
            new.wired[one] = new.wire(new.symbols[one])
        gone = [old.symbols[one] for one in went | {one for one in opened if one in old.active}]
        leave = yield from _in_order(old, gone)
        retires = [symbol for symbol in reversed(leave) if symbol.opened]
        leavers = {symbol.id for symbol in retires}
        heirs: dict[UUID, Symbol] = {}
        for symbol in opens:
            yield
            if heir := _heir_of(symbol, old, leavers, opened):
                heirs[symbol.id] = heir
        generation = Generation(self.wiring.generation.number + 1, self._ends, self.failed)
        wiring = Wiring(new.wired, new.inputs, generation, self._lens)
        stops = [new.symbols[one] for one in went if one in new.symbols]
        return TablePlan(new, wiring, opens, retires, heirs, stops, swaps, self._look)

    def commit(self, plan: TablePlan) -> Wiring:
        """Swap the plan in; returns the wiring of the generation that it replaces."""
        replaced, self._layout = self.wiring, plan.layout
        for before, after in plan.swaps:
            if before is not None:
                self._bonds.drop(before)
            if after is not None:
                self._bonds.put(after)
        # Somebody may have begun to watch, or ended it, since the plan was made.
        same = plan.look == self._look
        self.wiring = plan.wiring if same else plan.wiring.observed(self._lens)
        return replaced

    def _opening(self, new: TableState, ids: set[UUID]) -> Pieces[list[Symbol]]:
        """The symbols that begin, targets before sources; one that began before gets a fresh Node."""
        for one in ids:
            yield
            if new.symbols[one].opened:
                new.symbols[one] = self._rebuild(new.symbols[one])
        return (yield from _in_order(new, [new.symbols[one] for one in ids]))


def _number(port: str) -> tuple[str, int]:
    """What ports are ordered by: `in`, `in[1]`, `in[2]`, `in[10]`."""
    base, number = parse_port(port) or (port, None)
    return base, number or 0


def _heir_of(
    symbol: Symbol, old: TableState, leavers: set[UUID], opened: set[UUID]
) -> Symbol | None:
    """The symbol that this one takes over from: one that leaves, of the same id, or else of the
    same name where nobody has its id any more; and of the same sort of Node."""
    before = old.symbols.get(symbol.id)
    if before is None and symbol.spec.name is not None:
        before = old.symbols.get(old.names.get(symbol.spec.name, symbol.id))
        if before is not None and before.id in opened:
            return None
    if before is None or before.id not in leavers or type(before.node) is not type(symbol.node):
        return None
    return before


def _wants(symbol: Symbol) -> set[Wanted]:
    """What its links name their targets by."""
    return {
        link.id if link.id is not None else link.name or ""
        for links in symbol.links.values()
        for link in links
    }


def _moved(old: TableState, new: TableState, touched: Iterable[Symbol]) -> Pieces[set[UUID]]:
    """Who has a link that leads to somebody else now: its target came, went, or took a name."""
    found: set[UUID] = set()
    for symbol in touched:
        yield
        if (symbol.id in old.symbols) != (symbol.id in new.symbols):
            found |= new.wanted.get(symbol.id, set())
        name = symbol.spec.name
        if name is not None and old.names.get(name) != new.names.get(name):
            found |= new.wanted.get(name, set())
    return found


def _deactivate(
    old: TableState, new: TableState, relink: set[UUID], leaving: Iterable[Symbol]
) -> Pieces[set[UUID]]:
    """Take out whoever is stuck now, and whoever is stuck by that; returns who went."""
    went: set[UUID] = set()
    todo = [one for one in relink if one in new.active]
    for symbol in leaving:
        todo.extend(one for one in old.sources(symbol) if one in new.active)
    while todo:
        yield
        one = todo.pop()
        if one not in new.active or not new.stuck(new.symbols[one]):
            continue
        del new.active[one]
        went.add(one)
        todo.extend(new.sources(new.symbols[one]))
    return went


def _activate(new: TableState, touched: set[UUID]) -> Pieces[set[UUID]]:
    """Take in whoever is stuck no longer; a ring comes in as a whole. Returns who came."""
    hopeful: set[UUID] = set()
    todo = [one for one in touched if one in new.symbols]
    while todo:
        yield
        one = todo.pop()
        if one in hopeful or one in new.active:
            continue
        hopeful.add(one)
        todo.extend(new.sources(new.symbols[one]))
    if not hopeful:
        return hopeful
    for one in hopeful:
        new.active[one] = None
    todo = list(hopeful)
    while todo:
        yield
        one = todo.pop()
        if one not in hopeful or not new.stuck(new.symbols[one]):
            continue
        hopeful.discard(one)
        del new.active[one]
        todo.extend(new.sources(new.symbols[one]))
    return hopeful


def _in_order(layout: TableState, symbols: Iterable[Symbol]) -> Pieces[list[Symbol]]:
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
