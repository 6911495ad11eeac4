"""A Draft is what a change comes to: Specs read, bound and compiled, with every Problem found.

Nothing of it is live. What is wrong is told spec by spec, so that a runtime that starts can leave
out what is broken, and one that runs can refuse the change as a whole.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any
from uuid import UUID

import msgspec

from heddle.runtime.assembly.codec import codec_failed
from heddle.runtime.assembly.expander import Expander, moved
from heddle.runtime.assembly.link_check import links_in_pieces
from heddle.runtime.assembly.scheme import Scheme
from heddle.runtime.assembly.symbol import Symbol
from heddle.runtime.assembly.table import Plan, SymbolTable
from heddle.runtime.events.events import masked
from heddle.runtime.flow.node import dissolve
from heddle.runtime.flow.step import FAILURES
from heddle.schemas.errors import SpecError
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
        """Whatever it changes, or finds something wrong with."""
        return {*self.puts, *self.removes, *self.problems}

    def all_problems(self) -> tuple[Problem, ...]:
        """Every Problem of every Spec, by place, each once."""
        found = {problem for problems in self.problems.values() for problem in problems}
        return tuple(
            sorted(
                found, key=lambda one: (one.place.file, one.place.line, one.place.column, one.path)
            )
        )

    def refuse(self, spec: Spec, problems: Iterable[Problem]) -> None:
        """Leave a Spec out for these Problems."""
        symbol = self.puts.pop(spec.id, None)
        held = symbol.held if symbol is not None else ()
        for one in (symbol, *(self.puts.pop(one, None) for one in held)):
            if one is not None:
                dissolve(one.node)
        self.specs[spec.id] = spec
        self.problems.setdefault(spec.id, []).extend(problems)


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
        asked: Iterable[UUID] | None = None,
        forced: frozenset[UUID] = frozenset(),
    ) -> Draft:
        """What these Specs come to, as they are in the store now.

        `asked` are the ids that were looked for (None: all there are): one that the store does not
        have is removed. `forced` are rebuilt although their Spec is the same: a Value of theirs
        has changed.
        """
        return await by_turns(self.draft_in_pieces(specs, values, asked=asked, forced=forced))

    def draft_in_pieces(
        self,
        specs: Sequence[Spec],
        values: ValueSet,
        *,
        asked: Iterable[UUID] | None = None,
        forced: frozenset[UUID] = frozenset(),
    ) -> Pieces[Draft]:
        """As `draft`, a Spec at a time; the table must not change meanwhile."""
        draft = Draft()
        draft.values = values
        stored = {spec.id for spec in specs}
        yield
        known = asked if asked is not None else [symbol.id for symbol in self._table.all()]
        for one in known:
            yield
            symbol = self._table.get(one)
            if symbol is not None and symbol.source == one and one not in stored:
                draft.removes.add(one)
        yield
        expander = self._expander(draft, specs, values)
        compiled: set[UUID] = set()
        for spec in specs:
            yield
            symbol = self._table.get(spec.id)
            if symbol is not None and spec.id not in forced and symbol.spec.same(spec):
                # Its lines may have moved in the file: Problems should point at where they are now.
                moved(symbol, spec)
            else:
                compiled.add(spec.id)
                self._compile(draft, spec, expander, symbol)
        for symbol in self._users(draft, compiled):
            yield
            self._compile(draft, symbol.spec, expander, symbol)
        yield
        self._names(draft)
        yield
        yield from self._links(draft)
        self._let_go(draft)
        return draft

    def _expander(self, draft: Draft, specs: Sequence[Spec], values: ValueSet) -> Expander:
        """What expands Specs; those of the change may be used, and those of the table."""
        named = {spec.name: spec for spec in specs if spec.name is not None}

        def find(name: str) -> Spec | None:
            if name in named:
                return named[name]
            symbol = self._table.get(name)
            gone = symbol is None or symbol.id in draft.removes
            return symbol.spec if symbol is not None and not gone else None

        return Expander(self._scheme, values, self._environment, find)

    def _users(self, draft: Draft, compiled: set[UUID]) -> list[Symbol]:
        """Who is made with what changes here, and does not change itself."""
        changed = [symbol.spec for one in draft.ids if (symbol := self._table.get(one))]
        changed += [symbol.spec for symbol in draft.puts.values()]
        names = {spec.name for spec in changed if spec.name and "specs" in spec.fields}
        if not names:
            return []
        seen = compiled | draft.removes
        return [one for one in self._table.using(names) if one.id not in seen]

    def _let_go(self, draft: Draft) -> None:
        """What was held by a Spec goes with it, or when it is held no longer."""
        for one in tuple(draft.removes):
            symbol = self._table.get(one)
            draft.removes |= symbol.held if symbol is not None else frozenset()
        for symbol in tuple(draft.puts.values()):
            before = self._table.get(symbol.id)
            if before is not None and before.held:
                draft.removes |= before.held - symbol.held

    def _compile(self, draft: Draft, spec: Spec, expander: Expander, symbol: Symbol | None) -> None:
        secrets: tuple[str, ...] = ()
        try:
            effective = expander.bind(spec)
            binding = effective.binding
            if binding.problems:
                problems = list(binding.problems)
                # Blanks that stay open hide nothing else: tell what is wrong with the rest as well.
                with suppress(*FAILURES):
                    problems += self._scheme.check_unbound(spec)
                draft.refuse(spec, problems)
                return
            same = symbol is not None and symbol.spec.same(spec)
            if symbol is not None and same and symbol.binding.spec.same(binding.spec):
                moved(symbol, spec)
                draft.rebound.append((symbol, binding))
                return
            secrets = binding.secrets
            made = expander.symbols(effective)
        except SpecError as error:
            draft.refuse(spec, masked(error.problems, secrets))
        except FAILURES as error:
            draft.refuse(spec, masked((codec_failed(spec, error),), secrets))
        else:
            for one in made:
                before = self._table.get(one.id)
                # What is held and stays as it is keeps its Node.
                if before is None or one.id == spec.id or not _alike(before, one):
                    draft.puts[one.id] = one

    def _names(self, draft: Draft) -> None:
        """A name has one bearer: who bears it already keeps it."""
        taken: dict[str, Spec] = {}
        for symbol in list(draft.puts.values()):
            name = symbol.spec.name
            if name is None or symbol.source != symbol.id:
                continue
            first = taken.get(name)
            bearer = self._table.get(name)
            if first is None and bearer is not None and bearer.id != symbol.id:
                moved = draft.puts.get(bearer.id)
                gone = bearer.id in draft.removes or (moved is not None and moved.spec.name != name)
                first = None if gone else bearer.spec
            if first is None:
                taken[name] = symbol.spec
                continue
            problem = Problem(
                code="duplicate-name",
                found=f'the name "{name}" is taken by {first.kind} at {first.place()}',
                hint="Names are unique in a namespace.",
                place=symbol.spec.place(("name",)),
                path=symbol.spec.at(("name",)),
            )
            draft.refuse(symbol.spec, [problem])

    def _links(self, draft: Draft) -> Pieces[None]:
        """Links to ports that are not there, of what changes and of whoever is linked to it."""
        if not draft.puts:
            return
        around: dict[UUID, Spec] = {one: symbol.binding.spec for one, symbol in draft.puts.items()}
        if len(self._table):
            for symbol in list(draft.puts.values()):
                yield
                near = self._table.neighbours(symbol)
                near += [
                    found
                    for links in symbol.links.values()
                    for link in links
                    if (found := self._table.get(link.id or link.name or "")) is not None
                ]
                if symbol.spec.name is not None:
                    near += self._table.wanting(symbol.spec.name)
                for other in near:
                    if other.id not in draft.removes:
                        around.setdefault(other.id, other.binding.spec)
        found_links = yield from links_in_pieces(around.values(), self._scheme.schema)
        for problem in found_links:
            if problem.code != "unknown-port":
                continue
            spec = label_owner(problem, around.values())
            if spec is not None:
                bound = draft.puts.get(spec.id) or self._table.get(spec.id)
                secrets = bound.binding.secrets if bound is not None else ()
                if bound is not None and bound.source != bound.id:
                    outer = draft.puts.get(bound.source) or self._table.get(bound.source)
                    spec = outer.spec if outer is not None else spec
                draft.refuse(spec, masked((problem,), secrets))


def _alike(before: Symbol, after: Symbol) -> bool:
    """Whether two symbols of one held Spec say the same."""
    return (
        before.spec.same(after.spec)
        and before.binding.spec.same(after.binding.spec)
        and before.source == after.source
    )


def stopping(plan: Plan, scheme: Scheme) -> Pieces[list[Problem]]:
    """The links by which a plan would stop symbols that are active now, and stay in the store.

    That is what a mistyped name or a premature deletion looks like: a Problem, where a link of a
    new symbol that leads nowhere yet is none.
    """
    stops = [symbol.binding.spec for symbol in plan.stops]
    if not stops:
        return []
    near = {spec.id: spec for spec in stops}
    for symbol in plan.stops:
        yield
        for links in symbol.links.values():
            found = (plan.layout.find(link) for link in links)
            targets = (plan.layout.symbols[one] for one in found if one is not None)
            near.update((target.id, target.binding.spec) for target in targets)
    # A mistyped name is told with the one that was meant: that may be any.
    names = [(spec.namespace, name) for spec in stops[:1] for name in plan.layout.names]
    return (yield from stopped(stops, list(near.values()), _waiting(plan), scheme.schema, names))


def stopped(
    stops: Sequence[Spec],
    specs: Sequence[Spec],
    waiting: Iterable[Problem],
    schema_of: Callable[[str], Any],
    names: Sequence[tuple[str, str]] = (),
) -> Pieces[list[Problem]]:
    """Return the Problems with the links of Specs that would stop; `specs` are those around them.

    `names` are more that a link may have meant, by namespace.
    """
    found = []
    links = yield from links_in_pieces(specs, schema_of, names=names)
    for problem in (*links, *waiting):
        yield
        linked = problem.code in ("missing-link", "waiting-link")
        spec = label_owner(problem, stops) if linked else None
        if spec is not None:
            hint = f"{problem.hint} {spec.label} is active and would stop.".lstrip()
            found.append(msgspec.structs.replace(problem, hint=hint))
    return found


def _waiting(plan: Plan) -> Iterator[Problem]:
    """Links of what stops to what is there, but was not active before and is not now."""
    stops = {symbol.id for symbol in plan.stops}
    for symbol in plan.stops:
        for port, links in symbol.binding.spec.ports.items():
            for index, link in enumerate(links):
                target = plan.layout.find(link)
                if target is None or target in plan.layout.active or target in stops:
                    continue
                waits = plan.layout.symbols[target]
                why = "; ".join(plan.layout.reasons(waits)) or "part of a ring that waits"
                yield Problem(
                    code="waiting-link",
                    found=f'"{waits.label}" is not active: {why}',
                    place=symbol.spec.place(("ports", port, index)),
                    path=symbol.spec.at(("ports", port)),
                )


def label_owner(problem: Problem, specs: Iterable[Spec]) -> Spec | None:
    """Whose Problem with a link it is: one name may begin as another does, and have dots in it."""
    found: Spec | None = None
    for spec in specs:
        label = spec.label
        fits = problem.path == label or problem.path.startswith(f"{label}.ports")
        if fits and (found is None or len(label) > len(found.label)):
            found = spec
    return found
