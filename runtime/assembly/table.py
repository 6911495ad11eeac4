"""The SymbolTable keeps the Symbols of a namespace and joins their ports.

Its state is replaced as a whole: a Plan is made beside it, from the change alone, and a commit
swaps it in. What a change does not touch is shared between the old state and the new one.
"""

from collections.abc import (
    Callable,
    Collection,
    Iterable,
    Sequence,
)
from typing import Any
from uuid import UUID

from heddle.runtime.assembly.bonds import Bonds
from heddle.runtime.assembly.symbol import Symbol
from heddle.runtime.assembly.table_state import (
    TableState,
    TargetName,
    activate,
    deactivate,
    find_moved,
    targets_first,
)
from heddle.runtime.flow.generation import Ended, Failed, Generation
from heddle.runtime.flow.wiring import Lens, Wiring
from heddle.schemas.path import Path
from heddle.schemas.pieces import Pieces, at_once
from heddle.specs.binding.bind import BoundSpec


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

    def get(self, key: TargetName) -> Symbol | None:
        """Return the symbol of this id or name."""
        if isinstance(key, str):
            name = self._layout.names.get(key)
            return self._layout.symbols.get(name) if name is not None else None
        return self._layout.symbols.get(key)

    def all(self) -> Iterable[Symbol]:
        """Return every symbol of the current state."""
        return self._layout.symbols.values()

    def using(self, names: Collection[str]) -> list[Symbol]:
        """Return the symbols of the Specs in the store that are made with one of these."""
        return self._sources(self._bonds.using(names))

    def asking(self, values: Iterable[TargetName]) -> list[Symbol]:
        """Return the symbols of the Specs in the store that ask for one of these Values, or were given it.

        A Value is asked for by its id or name, by the Spec itself or by one that it holds.
        """
        return self._sources(self._bonds.asking(values))

    def _sources(self, ids: Iterable[UUID]) -> list[Symbol]:
        """Return the symbols that these come of, each once."""
        symbols = self._layout.symbols
        return [symbols[source] for source in {symbols[uuid].source for uuid in ids}]

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
        """Return the symbols that are not active; this costs what they are, not what the table holds."""
        return [self._layout.symbols[uuid] for uuid in self._layout.waiting]

    def active(self, symbol: Symbol) -> bool:
        """Return whether everything that it leads to is there and compiled."""
        return symbol.id in self._layout.active

    def neighbours(self, symbol: Symbol) -> list[Symbol]:
        """Return who is linked to it, and who it is linked to."""
        layout = self._layout
        ids = layout.sources(symbol)
        for links in symbol.links.values():
            ids |= {uuid for link in links if (uuid := layout.find(link)) is not None}
        return [layout.symbols[each] for each in ids]

    def wanting(self, name: str) -> list[Symbol]:
        """Return who has a link to this name, whether or not somebody bears it."""
        return [self._layout.symbols[uuid] for uuid in self._layout.linked_from.get(name, ())]

    def reasons(self, symbol: Symbol) -> list[str]:
        """Return why it is not active: one line for each link that leads nowhere; empty if it is active."""
        return self._layout.reasons(symbol)

    def lacks(self, symbol: Symbol) -> tuple[Path, str] | None:
        """Return the path of its first link that leads nowhere, and why; None if it is active."""
        return next(self._layout.lacks(symbol), None)

    def look_through(self, lens: Lens | None) -> None:
        """Observe through a lens from now on; processes that run go on unobserved."""
        self._lens = lens
        self._look += 1
        self.wiring = self.wiring.observed(lens)

    def listen(self, ended: Ended) -> Callable[[], None]:
        """Be told of each process that ends, but for those of generations that drain already."""
        self._ends.append(ended)
        self.wiring.listen(self._ends)
        return lambda: self._ends.remove(ended) if ended in self._ends else None

    # -- change ------------------------------------------------------------------------------

    def plan(self, puts: Sequence[Symbol], removes: Iterable[UUID]) -> TablePlan:
        """Return the state after these changes, made beside the current one. SpecError from `rebuild`."""
        return at_once(self.plan_in_pieces(puts, removes))

    def plan_in_pieces(self, puts: Sequence[Symbol], removes: Iterable[UUID]) -> Pieces[TablePlan]:
        """As `plan`, a Symbol at a time; the table must not change meanwhile."""
        # One function: each step works on what those before it came to, and yields for the event loop.
        old = self._layout
        leaving = [old.symbols[remove] for remove in removes if remove in old.symbols]
        new = TableState(old, len(puts) + len(leaving))
        yield
        replaced = [old.symbols[symbol.id] for symbol in puts if symbol.id in old.symbols]
        yield
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
        moved = yield from find_moved(old, new, (*leaving, *replaced, *puts))
        relink = changed | moved
        for symbol in (*replaced, *puts):
            yield
            if symbol.inlets:
                # Who leads to it leads past it, to what may be somebody else now.
                relink |= new.sources(new.symbols[symbol.id])
        touched = {symbol.id for symbol in leaving}
        for each in touched:
            yield
            new.active.pop(each, None)
        touched |= yield from deactivate(old, new, relink, leaving)
        touched |= yield from activate(new, relink | touched)
        yield
        new.note(touched | changed)
        yield
        # Who went and came back within this one change was never away, and keeps its Node.
        went = {each for each in touched if each in old.active and each not in new.active}
        yield
        begun = {each for each in touched if each in new.active and each not in old.active}
        yield
        opens = yield from self._opening(
            new, begun | {each for each in changed if each in new.active}
        )
        opened = {symbol.id for symbol in opens}
        for uuid in went:
            yield
            new.wired.pop(uuid, None)
        yield
        for uuid in {each for each in relink if each in new.active} | opened:
            yield
            new.wired[uuid] = new.wire(new.symbols[uuid])
        yield
        gone = [
            old.symbols[each] for each in went | {each for each in opened if each in old.active}
        ]
        leave = yield from targets_first(old, gone)
        retires = [symbol for symbol in reversed(leave) if symbol.opened]
        leavers = {symbol.id for symbol in retires}
        heirs: dict[UUID, Symbol] = {}
        for symbol in opens:
            yield
            if heir := _heir_of(symbol, old, leavers, opened):
                heirs[symbol.id] = heir
        generation = Generation(self.wiring.generation.number + 1, self._ends, self.failed)
        wiring = Wiring(new.wired, new.inputs, generation, self._lens)
        stops = [new.symbols[each] for each in went if each in new.symbols]
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
        """Return the symbols that begin, targets before sources; one that began before gets a fresh Node."""
        for uuid in ids:
            yield
            if new.symbols[uuid].opened:
                new.symbols[uuid] = self._rebuild(new.symbols[uuid])
        return (yield from targets_first(new, [new.symbols[each] for each in ids]))


def _heir_of(
    symbol: Symbol, old: TableState, leavers: set[UUID], opened: set[UUID]
) -> Symbol | None:
    """Return the symbol that this one takes over from, or None.

    It leaves, has the same id (or the same name, if nobody has its id any more), and has the same sort
    of Node.
    """
    before = old.symbols.get(symbol.id)
    if before is None and symbol.spec.name is not None:
        before = old.symbols.get(old.names.get(symbol.spec.name, symbol.id))
        if before is not None and before.id in opened:
            return None
    if before is None or before.id not in leavers or type(before.node) is not type(symbol.node):
        return None
    return before
