"""A Draft is what a change comes to: Specs read, bound and compiled, with every Problem found.

Nothing of it is live. Every Problem belongs to a Spec: a runtime that starts leaves out the Specs
with Problems, and one that runs rejects the whole change.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from heddle.runtime.assembly.assembler import AssembledSpec, Context, assemble
from heddle.runtime.assembly.exclusive_check import IN_USE
from heddle.runtime.assembly.expander import moved
from heddle.runtime.assembly.link_check import (
    REJECTED,
    LinkProblem,
    SchemaOf,
    check_links_in_pieces,
)
from heddle.runtime.assembly.scheme import Scheme
from heddle.runtime.assembly.symbol import Symbol
from heddle.runtime.assembly.table import SymbolTable, TablePlan
from heddle.runtime.events.events import masked
from heddle.runtime.flow.node import dissolve
from heddle.schemas.link import Link
from heddle.schemas.pieces import Pieces, by_turns
from heddle.schemas.problem import Problem
from heddle.specs.binding.bind import BoundSpec, ValueSet
from heddle.specs.model.spec import Spec


class Draft:
    """Symbols to put, ids to remove, and the Problems of each Spec that is not fit.

    `rebound` are symbols that come to the same as before, and what they are bound to now.
    """

    def __init__(self) -> None:
        self.puts: dict[UUID, Symbol] = {}
        self.removes: set[UUID] = set()
        self.problems: dict[UUID, list[Problem]] = {}
        self.specs: dict[UUID, Spec] = {}
        self.rebound: list[tuple[Symbol, BoundSpec]] = []
        self.values = ValueSet()

    @property
    def empty(self) -> bool:
        """Whether it changes nothing that could be seen."""
        return not (self.puts or self.removes)

    @property
    def ids(self) -> set[UUID]:
        """Every key that it changes, or finds something wrong with."""
        return {*self.puts, *self.removes, *self.problems}

    def all_problems(self) -> tuple[Problem, ...]:
        """Return every Problem of every Spec, by place, each once."""
        problems = {problem for problems in self.problems.values() for problem in problems}
        return tuple(
            sorted(
                problems,
                key=lambda problem: (
                    problem.place.file,
                    problem.place.line,
                    problem.place.column,
                    problem.path,
                ),
            )
        )

    def reject(self, spec: Spec, problems: Iterable[Problem]) -> None:
        """Leave a Spec out for these Problems."""
        symbol = self.puts.pop(spec.id, None)
        held = symbol.held if symbol is not None else ()
        for each in (symbol, *(self.puts.pop(uuid, None) for uuid in held)):
            if each is not None:
                dissolve(each.node)
        self.specs[spec.id] = spec
        self.problems.setdefault(spec.id, []).extend(problems)


class TableContext(Context):
    """The part of a running table that surrounds a change of it."""

    failed_count = False

    def __init__(
        self,
        table: SymbolTable,
        scheme: Scheme,
        values: ValueSet,
        environment: Mapping[str, Any],
        change: "TableChange",
    ) -> None:
        super().__init__(scheme, values, environment)
        self._table = table
        self._removes = change.removes
        self._ids = {spec.id for spec in change.specs} | change.removes
        self._goes = {spec.id for spec in change.anew} | change.removes
        self._named = {spec.name: spec for spec in change.specs if spec.name is not None}

    def find(self, name: str) -> Spec | None:
        """Return a Spec of the change, or else of the table."""
        if name in self._named:
            return self._named[name]
        symbol = self._table.get(name)
        # One of the change with this name in the table goes, or has another name from now on.
        return symbol.spec if symbol is not None and symbol.id not in self._ids else None

    def running(self, spec: Spec) -> Symbol | None:
        """Return the Symbol of this very Spec."""
        symbol = self._table.get(spec.id)
        return symbol if symbol is not None and symbol.spec.same(spec) else None

    def bears(self, spec: Spec) -> bool:
        """Return True if it has its name already."""
        bearer = self._table.get(spec.name) if spec.name is not None else None
        return bearer is not None and bearer.id == spec.id

    def beside(self, link: Link) -> UUID | None:
        """Return the active Symbol of the table that a link leads to, if it stays as it is."""
        symbol = self._table.get(link.id if link.id is not None else link.name or "")
        if symbol is None or symbol.source in self._goes or not self._table.active(symbol):
            return None
        return symbol.id

    def users(self, specs: Sequence[AssembledSpec]) -> Iterable[Spec]:
        """Return who is made with what changes here, and does not change itself."""
        changed = [each.spec for each in specs if not each.same]
        ids = {spec.id for spec in changed} | self._removes
        changed += [symbol.spec for uuid in ids if (symbol := self._table.get(uuid)) is not None]
        names = {spec.name for spec in changed if spec.name}
        seen = {each.spec.id for each in specs} | self._removes
        return [each.spec for each in self._table.using(names) if each.id not in seen]

    def around(self, specs: Sequence[AssembledSpec]) -> Pieces[list[AssembledSpec]]:
        """Return the neighbours of the new Symbols in the table."""
        made = {symbol.id for each in specs for symbol in each.symbols}
        made |= {each.spec.id for each in specs if each.same}
        symbols: dict[UUID, Symbol] = {}
        for each in specs if len(self._table) else ():
            for symbol in each.symbols:
                yield
                near = self._table.neighbours(symbol)
                keys = [
                    link.id or link.name or "" for links in symbol.links.values() for link in links
                ]
                name = symbol.spec.name
                if name is not None:
                    near += self._table.wanting(name)
                    keys.append(name)
                near += [target for key in keys if (target := self._table.get(key)) is not None]
                symbols.update((other.id, other) for other in near)
        return [
            AssembledSpec(symbol.spec, symbol.binding)
            for uuid, symbol in symbols.items()
            if uuid not in made and uuid not in self._removes
        ]

    def rivals(self, specs: Sequence[AssembledSpec]) -> Pieces[list[Spec]]:
        """Return the Symbols of the table that claim something, but for those of what changes."""
        changed = {each.spec.id for each in specs if not each.same} | self._removes
        rivals: list[Spec] = []
        for symbol in self._table.all():
            yield
            if self.scheme.exclusive(symbol.spec.kind) and symbol.source not in changed:
                rivals.append(symbol.binding.spec)
        return rivals


class TableChange(NamedTuple):
    """A change of a table: what is assembled anew, what stays, and what goes."""

    specs: Sequence[Spec]
    anew: Sequence[Spec]
    removes: frozenset[UUID]


class Drafter:
    """Makes Drafts against the current state of a table."""

    def __init__(self, table: SymbolTable, scheme: Scheme, environment: Mapping[str, Any]) -> None:
        self._table = table
        self._scheme = scheme
        self._environment = environment

    async def draft(
        self,
        specs: Sequence[Spec],
        values: ValueSet,
        *,
        only: Iterable[UUID] | None = None,
        forced: frozenset[UUID] = frozenset(),
    ) -> Draft:
        """Return what these Specs come to, as they are in the store now.

        `only` are the ids that were looked for (None: all there are): one that the store does not
        have is removed. `forced` are rebuilt although their Spec is the same: a Value of theirs
        has changed.
        """
        return await by_turns(self.draft_in_pieces(specs, values, only=only, forced=forced))

    def draft_in_pieces(
        self,
        specs: Sequence[Spec],
        values: ValueSet,
        *,
        only: Iterable[UUID] | None = None,
        forced: frozenset[UUID] = frozenset(),
    ) -> Pieces[Draft]:
        """Do as `draft`, a Spec at a time; the table must not change meanwhile."""
        draft = Draft()
        draft.values = values
        change = yield from self._change(specs, only, forced)
        draft.removes |= change.removes
        context = TableContext(self._table, self._scheme, values, self._environment, change)
        assembly = yield from assemble(change.anew, context)
        for each in assembly.specs:
            yield
            self._take(draft, each)
        rejected: list[tuple[Spec, tuple[Problem, ...]]] = []
        for owner, problem in assembly.links:
            yield
            if problem.code in REJECTED or problem.code == IN_USE:
                rejected.append(self._rejected(draft, owner, problem))
        # Not before all are known: a Spec that is rejected is not in the Draft any more.
        for spec, problems in rejected:
            draft.reject(spec, problems)
        yield from self._let_go(draft)
        return draft

    def _change(
        self, specs: Sequence[Spec], uuids: Iterable[UUID] | None, forced: frozenset[UUID]
    ) -> Pieces[TableChange]:
        stored = {spec.id for spec in specs}
        removes: set[UUID] = set()
        yield
        for uuid in uuids if uuids is not None else [symbol.id for symbol in self._table.all()]:
            yield
            symbol = self._table.get(uuid)
            if symbol is not None and symbol.source == uuid and uuid not in stored:
                removes.add(uuid)
        anew: list[Spec] = []
        for spec in specs:
            yield
            symbol = self._table.get(spec.id)
            if symbol is not None and spec.id not in forced and symbol.spec.same(spec):
                # Its lines may have moved in the file: Problems should point at where they are now.
                moved(symbol, spec)
            else:
                anew.append(spec)
        return TableChange(specs, anew, frozenset(removes))

    def _take(self, draft: Draft, assembled: AssembledSpec) -> None:
        """Have a Draft hold what a Spec comes to."""
        spec = assembled.spec
        symbol = self._table.get(spec.id)
        changed = {each.id for each in assembled.symbols if not self._stays(draft, each)}
        if symbol is not None and (assembled.same or (assembled.symbols and not changed)):
            moved(symbol, spec)
        if assembled.same and symbol is not None:
            draft.rebound.append((symbol, assembled.binding))
        if assembled.problems:
            draft.reject(spec, assembled.problems)
        for each in assembled.symbols:
            if not changed:
                dissolve(each.node)
            elif each.id == spec.id or each.id in changed:
                # What is held and stays as it is keeps its Node; whoever holds what changes does not.
                draft.puts[each.id] = each

    def _stays(self, draft: Draft, symbol: Symbol) -> bool:
        """Return whether the table has a symbol like this one already, and note what that is bound to now."""
        before = self._table.get(symbol.id)
        if before is None or not _alike(before, symbol):
            return False
        draft.rebound.append((before, symbol.binding))
        return True

    def _rejected(
        self, draft: Draft, owner: Spec, problem: Problem
    ) -> tuple[Spec, tuple[Problem, ...]]:
        """Return the Spec that is left out for a Problem with its links, or those of what it holds."""
        symbol = draft.puts.get(owner.id) or self._table.get(owner.id)
        if symbol is None:
            return owner, (problem,)
        outer = draft.puts.get(symbol.source) or self._table.get(symbol.source) or symbol
        return outer.spec, masked((problem,), symbol.binding.secrets)

    def _let_go(self, draft: Draft) -> Pieces[None]:
        """Take out what was held by a Spec that goes, or holds it no longer."""
        for remove in tuple(draft.removes):
            yield
            symbol = self._table.get(remove)
            draft.removes |= symbol.held if symbol is not None else frozenset()
        for symbol in tuple(draft.puts.values()):
            yield
            before = self._table.get(symbol.id)
            if before is not None and before.held:
                draft.removes |= before.held - symbol.held


def _alike(before: Symbol, after: Symbol) -> bool:
    """Return whether two symbols of one held Spec say the same."""
    return (
        before.spec.same(after.spec)
        and before.binding.spec.same(after.binding.spec)
        and before.source == after.source
    )


def stopping(plan: TablePlan, scheme: Scheme) -> Pieces[list[Problem]]:
    """Return the links by which a plan would stop symbols that are active now, and stay in the store.

    That is what a mistyped name or a premature deletion looks like: a Problem, if a link of a
    new symbol that leads nowhere yet is none.
    """
    stops = [symbol.binding.spec for symbol in plan.stops]
    if not stops:
        return []
    near = {spec.id: spec for spec in stops}
    for symbol in plan.stops:
        yield
        for links in symbol.links.values():
            uuids = (plan.layout.find(link) for link in links)
            targets = (plan.layout.symbols[uuid] for uuid in uuids if uuid is not None)
            near.update((target.id, target.binding.spec) for target in targets)
    # A mistyped name is told with the one that was meant: that may be any.
    names = [(spec.namespace, name) for spec in stops[:1] for name in plan.layout.names]
    lost = yield from stopped(stops, list(near.values()), _waiting(plan), scheme.schema, names)
    return [each.problem for each in lost]


def stopped(
    stops: Sequence[Spec],
    specs: Sequence[Spec],
    waiting: Iterable[LinkProblem],
    schema_of: SchemaOf,
    names: Sequence[tuple[str, str]] = (),
) -> Pieces[list[LinkProblem]]:
    """Return the Problems with the links of Specs that would stop; `specs` are those around them.

    `names` are more that a link may have meant, by namespace.
    """
    ids = {spec.id for spec in stops}
    entries: list[LinkProblem] = []
    links = yield from check_links_in_pieces(specs, schema_of, names=names)
    for owner, problem in (*links, *waiting):
        yield
        if owner.id in ids and problem.code in ("missing-link", "waiting-link"):
            hint = f"{problem.hint} {owner.label} is active and would stop.".lstrip()
            entries.append(LinkProblem(owner, msgspec.structs.replace(problem, hint=hint)))
    return entries


def _waiting(plan: TablePlan) -> Iterator[LinkProblem]:
    """Links of what stops to what is there, but was not active before and is not now."""
    stops = {symbol.id for symbol in plan.stops}
    for symbol in plan.stops:
        for port, links in symbol.binding.spec.ports.items():
            for index, link in enumerate(links):
                target = plan.layout.find(link)
                if target is None or target in plan.layout.active or target in stops:
                    continue
                waits = plan.layout.symbols[target]
                why = "; ".join(plan.layout.reasons(waits))
                problem = Problem(
                    code="waiting-link",
                    found=f'"{waits.label}" is not active: {why}',
                    place=symbol.spec.place(("ports", port, index)),
                    path=symbol.spec.at(("ports", port)),
                )
                yield LinkProblem(symbol.binding.spec, problem)
