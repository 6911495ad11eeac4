"""A start tries the newest of everything beside the table, and falls back to what was accepted last.

What was accepted goes into a table of its own first, in which nothing begins. The newest is then a
change of that, which is accepted or rejected by the rules for any other change. So a start serves
what a runtime would serve that had never ended.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from heddle.runtime.assembly.accepter import LastAccepted
from heddle.runtime.assembly.draft import Draft, Drafter, stopping
from heddle.runtime.assembly.rejection import Rejection
from heddle.runtime.assembly.scheme import Scheme
from heddle.runtime.assembly.symbol import Symbol
from heddle.runtime.assembly.table import SymbolTable, TablePlan
from heddle.schemas.link import Link
from heddle.schemas.pieces import Pieces
from heddle.schemas.problem import Problem
from heddle.specs.binding.bind import ValueSet
from heddle.specs.model.spec import Spec
from heddle.specs.model.value import Value


class Start:
    """One try: the symbols to begin with, and what is rejected of the newest, once `begin` is done.

    `failures` are Specs that could not begin, and why: their newest revision does not count.
    """

    def __init__(
        self,
        last: LastAccepted,
        specs: Sequence[Spec],
        *,
        values: ValueSet,
        accepted: ValueSet,
        changed: frozenset[UUID],
        problems: Sequence[Problem],
        scheme: Scheme,
        environment: Mapping[str, Any],
        failures: Mapping[UUID, tuple[Problem, ...]],
    ) -> None:
        """Keep `accepted`, the Values as they were accepted, and `changed`, the ids of those that differ now."""
        self.rejected: dict[UUID, Rejection] = {}
        self.blocked: dict[UUID, Rejection] = {}
        """The Specs that serve because the newest cannot be read, and why."""
        self.newest: set[UUID] = set()
        """The Specs that serve as the newest has them."""
        self._forced: set[UUID] = set()
        self._last = last
        self._newest = {spec.id: spec for spec in specs}
        self._scheme = scheme
        self._table = SymbolTable(
            lambda symbol: symbol.renewed(scheme.compile(symbol.binding.spec))
        )
        self._drafter = Drafter(self._table, scheme, environment)
        self._base: set[UUID] = set()
        self._values, self._accepted_values, self._changed = values, accepted, changed
        self._problems = problems
        self._failures = failures

    def begin(self) -> Pieces[None]:
        """Try everything, a Spec at a time."""
        draft = yield from self._drafter.draft_in_pieces(
            self._accepted(), self._accepted_values, only=()
        )
        yield from self._put(draft)
        self._base = {symbol.source for symbol in self._table.all()}
        yield from self._block(self._problems)
        left = set(self._newest) | self._base
        left -= set(self.blocked)
        for uuid, why in self._failures.items():
            self._reject(uuid, why)
            left.discard(uuid)
        yield from self._take(left)

    @property
    def symbols(self) -> list[Symbol]:
        """The symbols to begin with."""
        return list(self._table.all())

    @property
    def fallbacks(self) -> list[UUID]:
        """The Specs of which the last accepted revision serves, and not the newest."""
        return [uuid for uuid in (*self.blocked, *self.rejected) if uuid in self._base]

    def may_fall_back(self, uuid: UUID) -> bool:
        """Return whether a Spec could fall back: it serves as the newest has it, and was accepted otherwise."""
        before = self._last.specs.get(uuid)
        newest = self._newest.get(uuid)
        if uuid not in self._base or uuid not in self.newest or before is None or newest is None:
            return False
        return not before.same(newest)

    def waiting_sources(self) -> dict[UUID, str]:
        """Return the sources that were active and are not any more, though nobody took them out."""
        sources = self._last.sources(self._has_no_ins)
        mapping: dict[UUID, str] = {}
        for source in sources:
            symbol = self._table.get(source)
            known = source in self._newest or source in self.blocked or source in self.rejected
            if known and (symbol is None or not self._table.active(symbol)):
                mapping[source] = self._last.specs[source].label
        return mapping

    def _has_no_ins(self, kind: str) -> bool:
        schema = self._scheme.schema(kind)
        return schema is not None and not schema.ins

    # --- trying ---

    def _accepted(self) -> list[Spec]:
        """Return what was accepted; of the same two the newest, which knows where it stands."""
        specs: list[Spec] = []
        for uuid, spec in self._last.specs.items():
            newest = self._newest.get(uuid)
            specs.append(newest if newest is not None and newest.same(spec) else spec)
        return specs

    def _plan(self, draft: Draft) -> Pieces[TablePlan]:
        return self._table.plan_in_pieces(list(draft.puts.values()), draft.removes)

    def _put(self, draft: Draft, plan: TablePlan | None = None) -> Pieces[None]:
        """Have a draft in the table; nothing of it begins."""
        if plan is None:
            plan = yield from self._plan(draft)
        self._table.commit(plan)
        for symbol, binding in draft.rebound:
            self._table.rebind(symbol, binding)

    def _block(self, problems: Sequence[Problem]) -> Pieces[None]:
        """Leave out what stands in documents that cannot be read: what was accepted goes on."""
        for uuid in self._base & set(self._last.specs):
            yield
            why = self._last.blocking(uuid, problems, present=uuid in self._newest)
            if why:
                self.blocked[uuid] = Rejection(spec=self._last.specs[uuid], problems=why)
                self._newest.pop(uuid, None)

    def _take(self, left: set[UUID]) -> Pieces[None]:
        """Take up as much of the newest as is fit together."""
        while left:
            draft = yield from self._draft(left)
            plan: TablePlan | None = None
            if draft.problems:
                problems, culprits = draft.all_problems(), self._culprits(draft, left)
            else:
                plan = yield from self._plan(draft)
                problems = tuple((yield from stopping(plan, self._scheme)))
                culprits = self._stoppers(draft, plan) if problems else set()
            if not problems:
                yield from self._put(draft, plan)
                break
            invalid = culprits & left or set(left)
            for uuid in invalid:
                self._reject(uuid, tuple(draft.problems.get(uuid, problems)))
            left -= invalid
        self.newest = left

    def _draft(self, left: set[UUID]) -> Pieces[Draft]:
        forced = {symbol.source for symbol in self._table.asking(self._changed)}
        self._forced = forced & left
        specs = [spec for uuid, spec in self._newest.items() if uuid in left]
        return self._drafter.draft_in_pieces(
            specs, self._values, only=left, forced=frozenset(self._forced)
        )

    def _culprits(self, draft: Draft, left: set[UUID]) -> set[UUID]:
        """Return whose Problems these are; of what does not change, who around it does."""
        uuids: set[UUID] = set()
        for problem in draft.problems:
            symbol, newest = self._table.get(problem), self._newest.get(problem)
            same = symbol is not None and newest is not None and symbol.spec.same(newest)
            if symbol is None or (problem in left and not same) or problem in self._forced:
                uuids.add(problem)
            else:
                uuids |= self._changing_around(symbol, draft)
        return uuids & left or set(draft.problems)

    def _changing_around(self, symbol: Symbol, draft: Draft) -> set[UUID]:
        """Return what changes of all that a symbol leads to, is led to by, or is made with."""
        near = {each.id: each.source for each in self._table.neighbours(symbol)}
        names: set[str | UUID | None] = set(symbol.uses)
        for links in symbol.links.values():
            names |= {link.id if link.id is not None else link.name for link in links}
        for name in symbol.uses:
            used = self._table.get(name)
            if used is not None:
                near[used.id] = used.source
        uuids = {
            source for id_, source in near.items() if id_ in draft.puts or id_ in draft.removes
        }
        return uuids | {
            put.source for put in draft.puts.values() if {put.id, put.spec.name} & names
        }

    def _stoppers(self, draft: Draft, plan: TablePlan) -> set[UUID]:
        """Return who makes others stop: who goes or takes another name, else who changed and stops."""
        gone: set[UUID] = set()
        for symbol in plan.stops:
            for links in symbol.links.values():
                for link in links:
                    target = self._target(link)
                    if target is not None and self._leaves(target, draft):
                        gone.add(target.source)
        return gone or {symbol.source for symbol in plan.stops if symbol.id in draft.puts}

    def _target(self, link: Link) -> Symbol | None:
        return self._table.get(link.id if link.id is not None else link.name or "")

    def _leaves(self, symbol: Symbol, draft: Draft) -> bool:
        new = draft.puts.get(symbol.id)
        return symbol.id in draft.removes or (new is not None and new.spec.name != symbol.spec.name)

    def _reject(self, uuid: UUID, problems: tuple[Problem, ...]) -> None:
        spec, runs = self._newest.get(uuid), self._table.get(uuid)
        if spec is None and runs is None:
            return
        shown = spec if spec is not None else runs.spec if runs is not None else None
        if shown is not None:
            self.rejected[uuid] = Rejection(spec=shown, problems=problems, gone=spec is None)


def accepted_values(
    last: LastAccepted, current: Sequence[Value], history: Mapping[UUID, Value]
) -> tuple[list[Value], frozenset[UUID]]:
    """Return the Values as they were accepted, over the current ones, and which of them differ now.

    A secret that was accepted in clear was not written down: it is as it is now, or as the history
    of the store has it.
    """
    ids = {value.id: value for value in current}
    names = {value.name: value for value in current if value.name is not None}
    merged: dict[UUID, Value] = dict(ids)
    changed: set[UUID] = set()
    for uuid, value in last.values.items():
        now = ids.get(uuid) or names.get(value.name or "")
        withheld = value.secret and value.plain
        kept = (now or history.get(uuid) or value) if withheld else value
        if ids.get(uuid) != kept:
            changed.add(uuid)
            if now is not None:
                merged.pop(now.id, None)
        merged[uuid] = kept
    return list(merged.values()), frozenset(changed)
