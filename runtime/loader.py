"""The Loader makes the table agree with the store.

It is told which keys may have changed, reads them as they are now, and makes the difference: a
doubled, late, reordered or missed change does no harm. A change set goes live as a whole or not at
all; what it refused is looked at again with every later one.
"""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

import msgspec

from heddle.runtime.draft import Draft, Drafter, stopping
from heddle.runtime.events import Events
from heddle.runtime.scheme import Scheme
from heddle.runtime.shift import Shift, ShiftError
from heddle.runtime.symbol import Symbol
from heddle.runtime.table import SymbolTable
from heddle.specs.bind import Values, bind
from heddle.specs.problem import Problem
from heddle.specs.spec import Spec
from heddle.specs.store import ChangeSet, Store


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a change set. `generation` is the number that it went live as, or None."""

    generation: int | None = None
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    reason: str = ""

    @property
    def refused(self) -> bool:
        """Whether something of it, or all of it, is not live."""
        return bool(self.problems or self.reason)


class Loader:
    """Brings one namespace of a store into one table."""

    def __init__(
        self,
        *,
        namespace: str,
        store: Store,
        table: SymbolTable,
        scheme: Scheme,
        shift: Shift,
        events: Events,
        environment: Mapping[str, Any],
    ) -> None:
        self.namespace = namespace
        self.refused: dict[UUID, tuple[Spec, tuple[Problem, ...]]] = {}
        self.unreadable: tuple[Problem, ...] = ()
        self._store = store
        self._table = table
        self._shift = shift
        self._events = events
        self._drafter = Drafter(table, scheme, environment)
        self._scheme = scheme
        self._environment = environment

    def rebuild(self, symbol: Symbol) -> Symbol:
        """A fresh Symbol of the same Spec, for one whose Node was closed meanwhile."""
        return Symbol(symbol.spec, symbol.binding, self._scheme.compile(symbol.binding.spec))

    async def load_all(self) -> Loaded:
        """Load everything that is fit; what is not is left out and told."""
        specs = await self._store.specs(self.namespace)
        values = Values(await self._store.values(self.namespace))
        self.unreadable = tuple(await self._store.problems())
        draft = self._drafter.draft(specs, values)
        self._note(draft)
        return await self._take(draft, (*self.unreadable, *draft.all_problems()), lenient=True)

    async def load(self, changes: ChangeSet, *, trial: bool = False) -> Loaded:
        """Look at the keys of a change set; all that follows from it goes live, or nothing.

        What was refused before is looked at again together with it. Where that does not help, the
        change set is taken by itself: a mistake holds up nothing but itself. A `trial` that is
        refused is not told: its parts are going to be tried one by one.
        """
        keys = set(changes.specs)
        forced = self._bound_to(changes.values, await self._names_of(changes.values))
        waiting = set(self.refused) - keys
        self.unreadable = tuple(await self._store.problems())
        draft = await self._draft(keys | forced | waiting, forced)
        if draft.problems and waiting:
            alone = await self._draft(keys | forced, forced)
            if not alone.problems or set(alone.problems) < set(draft.problems):
                draft = alone
        problems = (*changes.problems, *draft.all_problems())
        if trial and problems:
            return Loaded(problems=problems)
        self._note(draft)
        if draft.problems:
            return self._refuse(problems, changes.origin)
        return await self._take(draft, problems)

    async def _draft(self, keys: set[UUID], forced: set[UUID]) -> Draft:
        specs = await self._store.specs(self.namespace, keys)
        identified = any(entry.identified for spec in specs for entry in spec.env.values())
        nested = any("specs" in spec.fields for spec in specs)
        values = await self._store.values(self.namespace) if identified or nested else ()
        return self._drafter.draft(specs, Values(values), asked=keys, forced=frozenset(forced))

    def _note(self, draft: Draft) -> None:
        """Remember what was refused, and forget what is fit now or gone."""
        for one in (*draft.puts, *draft.removes):
            self.refused.pop(one, None)
        for one, problems in draft.problems.items():
            self.refused[one] = (draft.specs[one], tuple(problems))

    async def _names_of(self, values: Iterable[UUID]) -> frozenset[str]:
        if not values:
            return frozenset()
        found = await self._store.values(self.namespace, values)
        return frozenset(value.name for value in found if value.name is not None)

    def _bound_to(self, values: frozenset[UUID], names: frozenset[str]) -> set[UUID]:
        """Who is bound to these Values, or asks for one of their names."""
        if not values:
            return set()
        wanted: set[UUID | str] = {*values, *names}
        found = {
            symbol.id
            for symbol in self._table.all()
            if symbol.binding.asks
            and (symbol.binding.uses & values or symbol.binding.asks & wanted)
        }
        for one, (spec, _) in self.refused.items():
            if bind(spec, (), self._environment).asks & wanted:
                found.add(one)
        return found

    async def _take(
        self, draft: Draft, problems: tuple[Problem, ...], *, lenient: bool = False
    ) -> Loaded:
        """Make the difference live."""
        if not (draft.puts or draft.removes):
            if problems:
                return self._refuse(problems, "")
            return Loaded()
        removed = tuple(
            sorted(symbol.label for one in draft.removes if (symbol := self._table.get(one)))
        )
        changed = tuple(sorted(symbol.label for symbol in draft.puts.values()))
        try:
            plan = self._table.plan(list(draft.puts.values()), draft.removes)
            stopped = [] if lenient else stopping(plan, self._scheme)
            if stopped:
                for symbol in draft.puts.values():
                    self.refused[symbol.id] = (symbol.spec, tuple(stopped))
                for one in draft.removes:
                    gone = self._table.get(one)
                    if gone is not None:
                        self.refused[one] = (gone.spec, tuple(stopped))
                return self._refuse(tuple(stopped), "")
            await self._shift.make(plan)
        except ShiftError as error:
            if lenient:
                raise
            for symbol in draft.puts.values():
                self.refused[symbol.id] = (symbol.spec, (error.problem,))
            return self._refuse((error.problem,), "")
        number = self._table.wiring.generation.number
        self._events.tell(
            "generation live",
            generation=number,
            reason=_told(changed, removed),
            symbols=len(self._table),
            changed=len(changed),
            removed=len(removed),
            waiting=sum(not self._table.active(symbol) for symbol in self._table.all()),
        )
        for symbol in draft.puts.values():
            if not self._table.active(symbol):
                reason = "; ".join(self._table.reasons(symbol)) or "part of a ring that waits"
                self._events.tell(
                    "symbol waiting", level="warning", symbol=symbol.label, reason=reason
                )
        if problems:
            self._refuse(problems, "")
        return Loaded(generation=number, changed=changed, removed=removed, problems=problems)

    def _refuse(self, problems: tuple[Problem, ...], origin: str) -> Loaded:
        """Tell that what ran goes on running, and why."""
        running = self._table.wiring.generation.number
        self._events.tell(
            "change refused",
            level="error",
            reason=f"generation {running} goes on running" if running else "nothing is live yet",
            problems=problems,
            generation=running,
            **({"origin": origin} if origin else {}),
        )
        return Loaded(problems=problems)


def _told(changed: tuple[str, ...], removed: tuple[str, ...]) -> str:
    """`changed pong, router; removed old`, shortened."""
    parts = []
    for word, labels in (("changed", changed), ("removed", removed)):
        if labels:
            more = f" and {len(labels) - 5} more" if len(labels) > 5 else ""
            parts.append(f"{word} {', '.join(labels[:5])}{more}")
    return "; ".join(parts)
