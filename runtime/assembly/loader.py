"""The Loader makes the table agree with the store.

It is told which keys may have changed, reads them as they are now, and makes the difference: a
doubled, late, reordered or missed change does no harm. A change set goes live as a whole or not at
all; what it rejected is looked at again with every later one.
"""

from collections.abc import Mapping, Sequence, Set
from typing import Any
from uuid import UUID

import msgspec

from heddle.runtime.assembly.accepter import Accepter
from heddle.runtime.assembly.check import check_partial_in_pieces
from heddle.runtime.assembly.draft import Draft, Drafter, stopping
from heddle.runtime.assembly.outcome import LoadResult, TryResult, some_of, summary_of
from heddle.runtime.assembly.recovery import Recovery
from heddle.runtime.assembly.rejected_values import RejectedValues
from heddle.runtime.assembly.rejection import Rejection, of_invalid
from heddle.runtime.assembly.rollout import Shift, ShiftError
from heddle.runtime.assembly.scheme import Scheme
from heddle.runtime.assembly.start import Start
from heddle.runtime.assembly.symbol import Symbol
from heddle.runtime.assembly.table import SymbolTable, TablePlan
from heddle.runtime.assembly.value_reader import ValueReader
from heddle.runtime.events.events import Events
from heddle.runtime.flow.node import dissolve
from heddle.schemas.check import in_order
from heddle.schemas.collector import COLLECTOR
from heddle.schemas.pieces import LoopYield, by_turns
from heddle.schemas.problem import Problem
from heddle.specs.binding.bind import ValueSet, bind
from heddle.specs.model.spec import Spec
from heddle.specs.model.store import ChangeSet, PartialStore, Store
from heddle.specs.secrets.vault import Vault

MANY = 100
"""Symbols that make a change a large one."""


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
        vault: Vault | None = None,
        accepter: Accepter | None = None,
    ) -> None:
        self.namespace = namespace
        self.vault = vault if vault is not None else Vault()
        self.rejected: dict[UUID, Rejection] = {}
        """The entries of the store that the table does not have, and why."""
        self.rejected_values = RejectedValues()
        self.invalid: dict[UUID, Rejection] = {}
        """The Problems of documents that cannot be read as they are, and that the table does not have."""
        self.unreadable: tuple[Problem, ...] = ()
        self._store = store
        self._table = table
        self._shift = shift
        self._events = events
        self._drafter = Drafter(table, scheme, environment)
        self._scheme = scheme
        self._environment = environment
        self._again: set[UUID] = set()
        self._values = ValueReader(store, namespace, table, scheme, self.vault)
        self._recovery = Recovery(table, store, namespace, self.vault, accepter)

    @property
    def not_live(self) -> dict[UUID, Rejection]:
        """The Problems of everything that is written and is not live."""
        blocked = self._recovery.blocked
        return (
            {**blocked, **self.rejected, **self.invalid}
            if blocked or self.invalid
            else self.rejected
        )

    @property
    def fallbacks(self) -> list[UUID]:
        """The Specs of which, since the start, the last accepted revision serves and not the newest."""
        return self._recovery.fallbacks(self.not_live)

    @property
    def waiting_sources(self) -> dict[UUID, str]:
        """The labels of sources that were active before the start, and have waited since."""
        return self._recovery.waiting_sources(self.not_live)

    def rebuild(self, symbol: Symbol) -> Symbol:
        """Return a fresh Symbol of the same Spec, for one whose Node was closed meanwhile."""
        return symbol.renewed(self._scheme.compile(symbol.binding.spec))

    async def load_all(self) -> LoadResult:
        """Load everything that is fit; what is not is left out and told."""
        specs = await self._store.specs(self.namespace)
        values = await self._values.all()
        self.unreadable = tuple(await self._store.problems())
        if await self._recovery.read():
            return await self._load_over(specs, values)
        draft = await self._drafter.draft(specs, values)
        self._reject(draft, set(draft.problems), draft.all_problems())
        self._note_values(values)
        invalid: Sequence[Spec] = ()
        if self.unreadable and isinstance(self._store, PartialStore):
            invalid = await self._store.invalid(self.namespace)
        unread = await self._with_invalid(self.unreadable, invalid, specs)
        self.invalid = self._of_invalid(invalid, unread)
        problems = tuple(dict.fromkeys((*unread, *draft.all_problems())))
        if draft.empty:
            return self._emit_left_out(problems) if problems else LoadResult()
        plan = await self._planned(draft)
        loaded = await self._live(draft, plan, problems)
        await self._recovery.note_start(set(draft.puts), values, self.not_live)
        return loaded

    async def _planned(self, draft: Draft) -> TablePlan:
        return await by_turns(self._table.plan_in_pieces(list(draft.puts.values()), draft.removes))

    async def _load_over(self, specs: Sequence[Spec], values: ValueSet) -> LoadResult:
        """Load the newest; of what is not fit, what was accepted last."""
        if not self.unreadable:
            draft = await self._drafter.draft(specs, values)
            plan = await self._planned(draft)
            ids = {spec.id for spec in specs}
            before = self._recovery.last.active
            waiting = any(uuid in ids and uuid not in plan.layout.active for uuid in before)
            if not (draft.problems or waiting):
                try:
                    loaded = await self._live(draft, plan, ()) if not draft.empty else LoadResult()
                except ShiftError as error:
                    return await self._fall_back(specs, values, error)
                await self._recovery.note_start(ids, values, self.not_live)
                return loaded
        return await self._fall_back(specs, values, None)

    async def _fall_back(
        self, specs: Sequence[Spec], values: ValueSet, failed: ShiftError | None
    ) -> LoadResult:
        """Load as much of the newest as is fit, and of the rest what was accepted last."""
        accepted, changed = await self._recovery.values()
        failures: dict[UUID, tuple[Problem, ...]] = {}
        while True:
            start = Start(
                self._recovery.last,
                specs,
                values=values,
                accepted=accepted,
                changed=changed,
                problems=self.unreadable,
                scheme=self._scheme,
                environment=self._environment,
                failures=failures,
            )
            await by_turns(start.begin())
            if failed is not None:
                source = failed.symbol.source
                if not start.may_fall_back(source):
                    raise failed
                failures[source], failed = (failed.problem,), None
                continue
            draft = Draft()
            draft.puts = {symbol.id: symbol for symbol in start.symbols}
            plan = await self._planned(draft)
            try:
                loaded = await self._live(draft, plan, ()) if start.symbols else LoadResult()
            except ShiftError as error:
                failed = error
                continue
            return await self._report_fallback(start, loaded, specs, values)

    async def _report_fallback(
        self, start: Start, loaded: LoadResult, specs: Sequence[Spec], values: ValueSet
    ) -> LoadResult:
        """Remember what serves instead of the newest, and tell of it."""
        self.rejected = start.rejected
        self._again = set(start.rejected)
        self._note_values(values)
        labels = self._recovery.remember(start)
        invalid: Sequence[Spec] = ()
        if self.unreadable and isinstance(self._store, PartialStore):
            invalid = await self._store.invalid(self.namespace)
        unread = await self._with_invalid(self.unreadable, invalid, specs)
        self.invalid = self._of_invalid(invalid, unread)
        wrong = [problem for rejection in start.rejected.values() for problem in rejection.problems]
        problems = tuple(dict.fromkeys((*unread, *in_order(wrong))))
        await self._recovery.note_start(start.newest, values, self.not_live)
        if labels:
            self._events.emit(
                "last accepted revision serves",
                level="error",
                reason=f"the newest of {some_of(labels)} has problems",
                problems=problems,
                generation=self._table.wiring.generation.number,
                symbols=labels,
            )
        left_out = set(start.rejected) - set(start.fallbacks)
        if problems and (left_out or not labels):
            self._emit_left_out(problems)
        waiting = self.waiting_sources
        if waiting:
            self._events.emit(
                "source waits",
                level="error",
                reason=f"{some_of(sorted(waiting.values()))} was active before this start",
            )
        return msgspec.structs.replace(loaded, problems=problems)

    async def load(self, changes: ChangeSet, *, trial: bool = False) -> LoadResult:
        """Look at the keys of a change set; all that follows from it goes live, or nothing.

        What was rejected before is looked at again: together with it if it is not fit by itself,
        after it otherwise. So a mistake holds up nothing but itself, and goes live as soon as what
        it lacked is there. A `trial` that is rejected is not told: its parts are tried one by one.
        """
        self.vault.forget(changes.values)
        before = self.unreadable
        degraded = bool(self.rejected or before)
        self.unreadable = tuple(await self._store.problems())
        if trial and changes.problems:
            return LoadResult(problems=changes.problems)
        free = await self._recovery.unblock(self.unreadable)
        if free:
            changes = msgspec.structs.replace(changes, specs=changes.specs | free)
        loaded = await self._load(changes, trial=trial)
        if changes.problems or changes.invalid or before != self.unreadable:
            await self._look_at_invalid()
        if degraded and loaded.generation is None and not loaded.rejected:
            self._emit_recovery()
        return loaded

    async def _load(self, changes: ChangeSet, *, trial: bool) -> LoadResult:
        forced = await self._bound_to(changes.values)
        uuids = {*changes.specs, *forced}
        unread = await self._with_invalid(changes.problems, changes.invalid)
        tried = await self._try(uuids, forced)
        before = self._again - uuids
        if tried.rejected and before and not tried.undone:
            with_those = await self._try_most(before, required=uuids, forced=forced)
            tried = tried if with_those.rejected else with_those
        if not tried.rejected:
            self.rejected_values.forget(changes.values)
            if self._again - uuids:
                await self._try_most(self._again - uuids)
            if unread:
                self._emit_rejection(unread, changes.origin)
            return msgspec.structs.replace(tried.loaded, problems=unread)
        problems = tuple(dict.fromkeys((*unread, *tried.problems)))
        if trial:
            return LoadResult(problems=problems)
        self._reject(tried.draft, uuids, tried.problems)
        self.rejected_values.note(changes.values, tried.draft.ids & uuids)
        return self._emit_rejection(problems, changes.origin)

    async def look_again(self) -> None:
        """Look at everything: changes may have been missed. What is not fit stays as it is."""
        specs = await self._store.specs(self.namespace)
        known = {symbol.id for symbol in self._table.all()}
        self.unreadable = tuple(await self._store.problems())
        before = dict(self.rejected)
        await self._recovery.unblock(self.unreadable)
        await self._try_most({spec.id for spec in specs} | known | self._again)
        await self._look_at_invalid()
        if self.rejected:
            self._note_values(await self._values.all())
        problems = {
            problem for rejection in self.rejected.values() for problem in rejection.problems
        }
        problems -= {problem for rejection in before.values() for problem in rejection.problems}
        if problems:
            self._emit_rejection(tuple(in_order(sorted(problems, key=str))), "")

    # -- trying --------------------------------------------------------------------------------

    async def _try(self, uuids: set[UUID], forced: set[UUID]) -> "TryResult":
        """Make what these keys come to live, as a whole; or say why not."""
        draft = await self._draft(uuids, forced)
        tried = await self._try_draft(draft, uuids)
        if tried.rejected:
            for symbol in draft.puts.values():
                dissolve(symbol.node)
        return tried

    async def _try_draft(self, draft: Draft, uuids: set[UUID]) -> "TryResult":
        if draft.problems:
            return TryResult(draft, draft.all_problems(), set(draft.problems))
        if draft.empty:
            self._accept(draft, uuids)
            await self._recovery.note_change(draft, None)
            return TryResult(draft, loaded=LoadResult())
        plan = await self._planned(draft)
        stopped = await by_turns(stopping(plan, self._scheme))
        if stopped:
            put = {put.source for put in draft.puts.values()}
            culprits = draft.removes | {stop.source for stop in plan.stops if stop.source in put}
            return TryResult(draft, tuple(stopped), culprits)
        try:
            loaded = await self._live(draft, plan, ())
        except ShiftError as error:
            return TryResult(draft, (error.problem,), {error.symbol.source}, undone=True)
        self._accept(draft, uuids)
        await self._recovery.note_change(draft, plan)
        return TryResult(draft, loaded=loaded)

    async def _try_most(
        self,
        optional: set[UUID],
        *,
        required: Set[UUID] = frozenset(),
        forced: Set[UUID] = frozenset(),
    ) -> "TryResult":
        """Make all of the required live, with as much of the optional as is fit together.

        What is optional and is not fit is remembered as rejected.
        """
        left = set(optional)
        while True:
            tried = await self._try(left | required, left | forced)
            if not tried.rejected:
                return tried
            invalid = tried.culprits & left
            if not invalid:
                # Whose mistake it is cannot be told, or it is one of those that are required.
                invalid = set(left)
            if not required:
                self._reject(tried.draft, invalid, tried.problems)
            if not left or (required and not left - invalid):
                return tried
            left -= invalid

    async def _draft(self, keys: set[UUID], forced: set[UUID]) -> Draft:
        turns = LoopYield()
        # What cannot be read at the moment is not gone: what was accepted stands in for it.
        specs = self._recovery.stand_in(list(await self._store.specs(self.namespace, keys)), keys)
        await turns.rest()
        values = await self._values.needed(specs, keys)
        return await self._drafter.draft(specs, values, only=keys, forced=frozenset(forced))

    async def _live(
        self, draft: Draft, plan: TablePlan, problems: tuple[Problem, ...]
    ) -> LoadResult:
        """Make the difference live, and tell it; raise ShiftError if it was undone."""
        turns = LoopYield()
        removed = tuple(
            sorted(symbol.label for remove in draft.removes if (symbol := self._table.get(remove)))
        )
        changed = tuple(sorted(symbol.label for symbol in draft.puts.values()))
        for key in (*draft.puts, *draft.removes):
            await turns.rest()
            if (symbol := self._table.get(key)) is not None:
                COLLECTOR.watch(symbol.node)
        if len(changed) > MANY:
            with COLLECTOR.hold():
                await self._shift.make(plan)
                COLLECTOR.note_much(len(changed), len(self._table))
        else:
            await self._shift.make(plan)
        number = self._table.wiring.generation.number
        self._events.emit(
            "generation live",
            generation=number,
            reason=summary_of(changed, removed),
            symbols=len(self._table),
            changed=len(changed),
            removed=len(removed),
            waiting=self._table.waiting,
        )
        for symbol in {
            symbol.id: symbol for symbol in (*draft.puts.values(), *plan.stops)
        }.values():
            await turns.rest()
            if not self._table.active(symbol):
                reason = "; ".join(self._table.reasons(symbol))
                self._events.emit(
                    "symbol waiting", level="warning", symbol=symbol.label, reason=reason
                )
        if problems:
            self._emit_left_out(problems)
        return LoadResult(generation=number, changed=changed, removed=removed, problems=problems)

    # -- remembering ---------------------------------------------------------------------------

    def _accept(self, draft: Draft, uuids: set[UUID]) -> None:
        """Forget that any of these was rejected, and note what they are bound to now."""
        for uuid in uuids:
            self.rejected.pop(uuid, None)
        self._again -= uuids
        for symbol, binding in draft.rebound:
            if self._table.get(symbol.id) is symbol:
                if self._table.active(symbol):
                    self._events.hide(binding.secrets)
                    self._events.unhide(symbol.binding.secrets)
                self._table.rebind(symbol, binding)

    def _reject(self, draft: Draft, ids: Set[UUID], problems: tuple[Problem, ...]) -> None:
        """Remember what is rejected: each with its own Problems, or those that hold it up."""
        before = {each: self.rejected.pop(each) for each in ids if each in self.rejected}
        self._again = (self._again - ids) | (draft.ids & ids)
        for uuid in draft.ids & ids:
            spec = draft.specs.get(uuid)
            if uuid in draft.puts:
                spec = draft.puts[uuid].spec
            elif spec is None and (gone := self._table.get(uuid)) is not None:
                spec = gone.spec
            if spec is not None:
                why = tuple(draft.problems.get(uuid, problems))
                rejection = Rejection(spec=spec, problems=why, gone=uuid in draft.removes)
                self.rejected[uuid] = rejection.after(before.get(uuid))

    def _note_values(self, values: ValueSet) -> None:
        """Note which Values are not live, as what is made with them is rejected: any may have changed."""
        specs = [rejection.spec for rejection in self.rejected.values() if not rejection.gone]
        named = {spec.name: spec for spec in specs if spec.name is not None}

        def find(name: str) -> Spec | None:
            symbol = self._table.get(name)
            return named.get(name) or (symbol.spec if symbol is not None else None)

        self.rejected_values.note_needs(specs, values, find)

    def _emit_rejection(self, problems: tuple[Problem, ...], origin: str) -> LoadResult:
        """Emit that the change is rejected and the generation before it runs on, and why."""
        running = self._table.wiring.generation.number
        self._events.emit(
            "change rejected",
            level="error",
            reason=f"generation {running} goes on running" if running else "nothing is live yet",
            problems=problems,
            generation=running,
            **({"origin": origin} if origin else {}),
        )
        return LoadResult(problems=problems)

    def _emit_recovery(self) -> None:
        """Tell that what was rejected was taken back, if nothing is amiss any more."""
        if not (self.rejected or self.unreadable):
            running = self._table.wiring.generation.number
            self._events.emit(
                "problems gone",
                generation=running,
                reason=f"generation {running} runs, and the store says the same",
            )

    def _emit_left_out(self, problems: tuple[Problem, ...]) -> LoadResult:
        """Tell what a start goes without, and why."""
        running = self._table.wiring.generation.number
        self._events.emit(
            "specs left out",
            level="error",
            reason="the rest runs" if running else "nothing is live yet",
            problems=problems,
            generation=running,
        )
        return LoadResult(problems=problems)

    async def _look_at_invalid(self) -> None:
        """Note what is wrong now in documents that cannot be read as they are."""
        invalid: Sequence[Spec] = ()
        if self.unreadable and isinstance(self._store, PartialStore):
            invalid = await self._store.invalid(self.namespace)
        self.invalid = self._of_invalid(invalid, await self._with_invalid(self.unreadable, invalid))

    def _of_invalid(
        self, invalid: Sequence[Spec], problems: tuple[Problem, ...]
    ) -> dict[UUID, Rejection]:
        mine = [spec for spec in invalid if spec.namespace == self.namespace]
        running = {spec.id: runs.spec for spec in mine if (runs := self._table.get(spec.id))}
        return of_invalid(mine, problems, self.invalid, running)

    async def _with_invalid(
        self,
        problems: tuple[Problem, ...],
        invalid: Sequence[Spec],
        specs: Sequence[Spec] | None = None,
    ) -> tuple[Problem, ...]:
        """Problems of reading, and whatever else is wrong with what could be read."""
        mine = [spec for spec in invalid if spec.namespace == self.namespace]
        if not mine:
            return problems
        others = specs if specs is not None else await self._store.specs(self.namespace)
        values = await self._values.all()
        reported = await by_turns(
            check_partial_in_pieces(mine, others, values, self._scheme, self._environment)
        )
        return tuple(in_order([*problems, *reported]))

    async def _bound_to(self, values: frozenset[UUID]) -> set[UUID]:
        """Return who is bound to these Values, or asks for uuid of their names, rejected or not."""
        bound, words = await self._values.bound_to(values)
        for uuid, rejection in self.rejected.items() if words else ():
            if bind(rejection.spec, (), self._environment).asks & words:
                bound.add(uuid)
        return bound
