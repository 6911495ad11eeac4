"""A Recovery knows what serves since a start in the place of the newest, and notes what is accepted."""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence, Set
from uuid import UUID

from heddle.runtime.assembly.accepter import Accepter, LastAccepted
from heddle.runtime.assembly.draft import Draft
from heddle.runtime.assembly.rejection import Rejection
from heddle.runtime.assembly.start import Start, accepted_values
from heddle.runtime.assembly.symbol import Symbol
from heddle.runtime.assembly.table import SymbolTable, TablePlan
from heddle.schemas.errors import NotFoundError
from heddle.schemas.pieces import LoopYield
from heddle.schemas.problem import Problem
from heddle.specs.binding.bind import ValueSet
from heddle.specs.model.revision import RevisionStore
from heddle.specs.model.spec import Spec
from heddle.specs.model.store import Store
from heddle.specs.model.value import Value
from heddle.specs.secrets.vault import Vault


class Recovery:
    """The memory of one Loader. Without an Accepter nothing is kept, and there is nothing to fall back to."""

    def __init__(
        self,
        table: SymbolTable,
        store: Store,
        namespace: str,
        vault: Vault,
        accepter: Accepter | None,
    ) -> None:
        self.last = LastAccepted()
        self.blocked: dict[UUID, Rejection] = {}
        """The Specs that serve because their document cannot be read, and why."""
        self._table = table
        self._store = store
        self._namespace = namespace
        self._vault = vault
        self._accepter = accepter
        self._fallbacks: set[UUID] = set()
        self._sources: dict[UUID, str] = {}
        self._waiting: set[UUID] = set()

    async def read(self) -> LastAccepted:
        """Read what was accepted last."""
        if self._accepter is not None:
            self.last = await self._accepter.read()
        return self.last

    async def values(self) -> tuple[ValueSet, frozenset[UUID]]:
        """Return the Values as they were accepted, and the ids of those that differ now."""
        # What was accepted is read only now, and there may be much of it.
        await asyncio.to_thread(self.last.load)
        current = await self._store.values(self._namespace)
        ids = {value.id for value in current}
        history: dict[UUID, Value] = {}
        if isinstance(self._store, RevisionStore):
            for uuid, value in self.last.values.items():
                if uuid not in ids and value.secret and value.plain and value.revision > 0:
                    with contextlib.suppress(NotFoundError):
                        revision = await self._store.revision(value.revision)
                        for turn in revision.turns:
                            if isinstance(turn.after, Value) and turn.after.id == uuid:
                                history[uuid] = turn.after
        merged, changed = accepted_values(self.last, current, history)
        await self._vault.ready(merged)
        return ValueSet(merged, self._vault), changed

    # --- what serves instead ---

    def remember(self, start: Start) -> list[str]:
        """Remember what a start fell back to; return the labels."""
        self.blocked = start.blocked
        self._fallbacks = set(start.fallbacks)
        self._sources = start.waiting_sources()
        return sorted(self.last.specs[fallback].label for fallback in self._fallbacks)

    def fallbacks(self, not_live: Mapping[UUID, Rejection]) -> list[UUID]:
        """Return the Specs of which the last accepted revision serves still, and not the newest."""
        return (
            [fallback for fallback in self._fallbacks if fallback in not_live]
            if self._fallbacks
            else []
        )

    def waiting_sources(self, not_live: Mapping[UUID, Rejection]) -> dict[UUID, str]:
        """Return the labels of the sources that were active before the start, and wait still."""
        for source in list(self._sources):
            symbol = self._table.get(source)
            if self._table.active(symbol) if symbol is not None else source not in not_live:
                del self._sources[source]
        return self._sources

    async def unblock(self, problems: Sequence[Problem]) -> set[UUID]:
        """Return what is to be looked at again, as its document can be read by now."""
        if not self.blocked:
            return set()
        there = {spec.id for spec in await self._store.specs(self._namespace, set(self.blocked))}
        free = {
            each
            for each in self.blocked
            if not self.last.blocking(each, problems, present=each in there)
        }
        for uuid in free:
            del self.blocked[uuid]
        return free

    def stand_in(self, specs: list[Spec], keys: Set[UUID]) -> list[Spec]:
        """Return the Specs of these keys with what was accepted for those that cannot be read."""
        if not self.blocked:
            return specs
        usable = [spec for spec in specs if spec.id not in self.blocked]
        return [*usable, *(self.blocked[key].spec for key in keys if key in self.blocked)]

    # --- what is accepted ---

    async def note_start(
        self, newest: Set[UUID], values: ValueSet, not_live: Mapping[UUID, Rejection]
    ) -> None:
        """Note what a start has taken up (`newest`), and what is gone since."""
        if self._accepter is None:
            return
        turns = LoopYield()
        symbols = [symbol for symbol in self._table.all() if symbol.source == symbol.id]
        active = {symbol.id for symbol in symbols if self._table.active(symbol)}
        self._waiting = self.last.active - active
        for symbol in symbols:
            await turns.rest()
            if symbol.id in newest:
                self._note(symbol, values)
            else:
                self._accepter.hold(symbol.id, self._uses(symbol))
        for file in self.last.files:
            await turns.rest()
            if self._table.get(file) is None and file not in not_live:
                self._accepter.forget(file)
        if not not_live:
            self._accepter.drop_unused()
        if not self.blocked:
            self.last = LastAccepted()

    async def note_change(self, draft: Draft, plan: TablePlan | None) -> None:
        """Note what a change has brought to life, or taken out."""
        if self._accepter is None:
            return
        turns = LoopYield()
        put = [*draft.puts, *(symbol.id for symbol, _ in draft.rebound)]
        near = [symbol.id for symbol in (*plan.opens, *plan.stops)] if plan is not None else []
        fresh = {symbol.source for uuid in put if (symbol := self._table.get(uuid)) is not None}
        moved = {symbol.source for uuid in near if (symbol := self._table.get(uuid)) is not None}
        for remove in fresh | moved:
            await turns.rest()
            symbol = self._table.get(remove)
            if symbol is not None and remove not in self.blocked:
                self._note(symbol, draft.values if remove in fresh else None)
        for remove in draft.removes:
            await turns.rest()
            if self._table.get(remove) is None:
                self._waiting.discard(remove)
                self._accepter.forget(remove)

    def _note(self, symbol: Symbol, values: ValueSet | None) -> None:
        if self._accepter is None:
            return
        active = self._table.active(symbol)
        if active:
            self._waiting.discard(symbol.id)
        used = values.of(self._uses(symbol)) if values is not None else None
        # Who was active before the start and waits since is still to be active: nobody changed that.
        self._accepter.note(symbol.spec, active=active or symbol.id in self._waiting, values=used)

    def _uses(self, symbol: Symbol) -> frozenset[UUID]:
        """Return the ids of the Values that a Spec is bound to, and those that it holds."""
        held = (self._table.get(uuid) for uuid in symbol.held)
        return symbol.binding.uses.union(
            *(symbol.binding.uses for symbol in held if symbol is not None)
        )
