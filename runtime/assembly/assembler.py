"""The Assembler is the one road from Specs to what would run of them, among what stands around them.

The Loader assembles a change into a table; `check`, and whoever writes to a store, assemble beside what
files or the store hold. What stands around is asked of a Context, so that the work is that of the change
and its neighbours:

    assemble(specs, context)   Specs bound and compiled, and every Problem of theirs and of their links
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence, Set
from contextlib import suppress
from typing import Any, NamedTuple
from uuid import UUID

from heddle.runtime.assembly.codec import GATHERED, codec_failed
from heddle.runtime.assembly.exclusive_check import check_exclusive
from heddle.runtime.assembly.expander import Expander, Find
from heddle.runtime.assembly.link_check import REJECTED, LinkProblem, check_links_in_pieces
from heddle.runtime.assembly.prospects import find_able
from heddle.runtime.assembly.scheme import Scheme
from heddle.runtime.assembly.symbol import Symbol
from heddle.runtime.events.events import masked
from heddle.runtime.flow.step import FAILURES
from heddle.schemas.errors import SpecError
from heddle.schemas.link import Link
from heddle.schemas.pieces import Pieces
from heddle.schemas.problem import Problem
from heddle.specs.binding.bind import BoundSpec, ValueSet, bind
from heddle.specs.model.spec import Binding, Spec


class AssembledSpec(NamedTuple):
    """The result of assembling one Spec: its Symbols, those that it holds among them, or why there are none.

    `binding` is what its blanks were filled with. `bound` is False if some stay open, or something is
    wrong with it. `same` is True if it comes to what runs already, which has no new Symbols then.
    `missing` are the names that the environment would have to give, `hints` what is allowed, but
    probably not meant. No secret stands in `problems`.
    """

    spec: Spec
    binding: BoundSpec
    symbols: Sequence[Symbol] = ()
    problems: tuple[Problem, ...] = ()
    bound: bool = True
    same: bool = False
    missing: frozenset[str] = frozenset()
    hints: tuple[Problem, ...] = ()

    @property
    def parts(self) -> list[Spec]:
        """The Spec as it counts, and those that it holds."""
        if self.symbols:
            return [symbol.binding.spec for symbol in self.symbols]
        return [self.binding.spec if self.bound else self.spec]


class Assembly(NamedTuple):
    """The result of assembling some Specs together. `around` are the neighbours that were asked about."""

    specs: Sequence[AssembledSpec]
    around: Sequence[AssembledSpec]
    links: Sequence[LinkProblem]


class Context(ABC):
    """The surroundings of the Specs that are assembled, and the tools that they are made with.

    With `lenient`, a Spec with blanks whose names the environment does not give is looked at with these
    open. `partial` are the ids of Specs that could be read only in part.
    """

    partial: Set[UUID] = frozenset()
    lenient = False
    hints = False
    """Whether what is allowed, but probably not meant, is looked for."""
    failed_count = True
    """Whether the links of a Spec with Problems are checked, in the place of what runs of it."""

    def __init__(self, scheme: Scheme, values: ValueSet, environment: Mapping[str, Any]) -> None:
        self.scheme = scheme
        self.values = values
        self.environment = environment

    @abstractmethod
    def find(self, name: str) -> Spec | None:
        """Return the Spec of that name that others may use; None if there is none."""

    def running(self, spec: Spec) -> Symbol | None:
        """Return the Symbol that runs of this Spec; None if none does, or it has to be made anew."""
        del spec
        return None

    def bears(self, spec: Spec) -> bool:
        """Return True if a Spec has had its name before all others that claim it."""
        del spec
        return False

    def holds(self, spec: Spec) -> bool:
        """Return True if a Spec claims what it claimed before, so that its claims are no news."""
        del spec
        return False

    def users(self, specs: Sequence[AssembledSpec]) -> Iterable[Spec]:
        """Return who else has to be assembled, as it is made with what changes here."""
        del specs
        return ()

    @abstractmethod
    def beside(self, link: Link) -> UUID | None:
        """Return the active Spec that a link leads to beside those that are assembled; None if there is none."""

    @abstractmethod
    def around(self, specs: Sequence[AssembledSpec]) -> Pieces[list[AssembledSpec]]:
        """Return who is linked to these, whom they are linked to, and who bears a name of theirs."""

    @abstractmethod
    def rivals(self, specs: Sequence[AssembledSpec]) -> Pieces[list[Spec]]:
        """Return who else there is that claims what only one can have, beside these."""


def assemble(specs: Iterable[Spec], context: Context) -> Pieces[Assembly]:
    """Bind and compile Specs, a Spec at a time, and check the links between them and their neighbours."""
    assembler = Assembler(context)
    assembled: list[AssembledSpec] = []
    for spec in specs:
        yield
        assembled.append(assembler.assemble(spec))
    for spec in context.users(assembled):
        yield
        assembled.append(assembler.assemble(spec))
    around = yield from context.around(assembled)
    counted = [each for each in assembled if context.failed_count or not each.problems]
    # Who was there before has a name first.
    counted.sort(key=lambda each: not context.bears(each.spec))
    parts = [part for each in (*around, *counted) for part in each.parts]
    partial = {
        part.id for each in assembled if each.spec.id in context.partial for part in each.parts
    }
    links = yield from check_links_in_pieces(parts, context.scheme.schema, partial=partial)
    links += yield from _check_claims(assembled, counted, links, context)
    return Assembly(assembled, around, links)


def _check_claims(
    assembled: Sequence[AssembledSpec],
    counted: Sequence[AssembledSpec],
    links: Sequence[LinkProblem],
    context: Context,
) -> Pieces[list[LinkProblem]]:
    """Return a Problem for each claim of what only one can have that another Spec has.

    Who was there before has it, then who could be active: an address is not kept by who only waits.
    """
    exclusive = context.scheme.exclusive
    claiming = [part for each in counted for part in each.parts if exclusive(part.kind)]
    if not claiming:
        return []
    rivals = yield from context.rivals(assembled)
    held = {part.id for each in counted if context.holds(each.spec) for part in each.parts}
    rivals += [part for part in claiming if part.id in held]
    rivals.sort(key=lambda part: part.label)
    first = {part.id for each in counted if context.bears(each.spec) for part in each.parts}
    claiming = [part for part in claiming if part.id not in held]
    claiming.sort(key=lambda part: (part.id not in first, part.label))
    problems = yield from check_exclusive(claiming, rivals, context.scheme)
    if problems and len(claiming) > 1:
        invalid = {owner.id for owner, problem in links if problem.code in REJECTED}
        invalid |= {each.spec.id for each in counted if each.problems}
        symbols = [symbol for each in counted for symbol in each.symbols]
        able = yield from find_able(symbols, invalid, context.beside)
        claiming.sort(key=lambda part: (part.id not in first, part.id not in able, part.label))
        problems = yield from check_exclusive(claiming, rivals, context.scheme)
    return problems


class Assembler:
    """Assembles Specs one by one."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._scheme = context.scheme
        self._find: Find = context.find

    def bind(self, spec: Spec) -> AssembledSpec:
        """Fill the blanks of a Spec, with what it uses put in; nothing is compiled."""
        try:
            binding = self._expander(self._names()).bind(spec).binding
        except FAILURES:
            return AssembledSpec(spec, BoundSpec(spec=spec), bound=False)
        return AssembledSpec(spec, binding, bound=not binding.problems)

    def assemble(self, spec: Spec) -> AssembledSpec:
        """Bind and compile a Spec; whatever is wrong with it is among the `problems`."""
        if not self._context.hints:
            return self._assembled(spec)
        hints: list[Problem] = []
        gathering = GATHERED.set(hints)
        try:
            return self._assembled(spec)._replace(hints=tuple(hints))
        finally:
            GATHERED.reset(gathering)

    def _assembled(self, spec: Spec) -> AssembledSpec:
        context = self._context
        names = self._names()
        if spec.id in context.partial and Binding() in spec.env.values():
            # Some of its `env` could not be read, so its blanks cannot be filled.
            binding = BoundSpec(spec=spec, problems=tuple(self._unfilled(spec)))
            return AssembledSpec(spec, binding, problems=binding.problems, bound=False)
        binding = BoundSpec(spec=spec)
        bound = False
        problems: Sequence[Problem] = ()
        try:
            expander = self._expander(names)
            effective = expander.bind(spec)
            binding = effective.binding
            if not binding.problems:
                bound = True
                running = context.running(spec)
                # Definitions that what it holds is made with show in its Symbols alone.
                whole = running is not None and running.uses <= effective.uses
                if running is not None and whole and running.binding.spec.same(binding.spec):
                    return AssembledSpec(spec, binding, same=True)
                symbols = expander.symbols(effective)
                return AssembledSpec(spec, binding, symbols, missing=frozenset(names.missed))
            # Blanks that stay open hide nothing else: tell what is wrong with the rest as well.
            problems = [*self._open(spec, binding, names), *self._unfilled(spec)]
        except SpecError as error:
            problems = error.problems
        except FAILURES as error:
            problems = (codec_failed(spec, error),)
        secrets = binding.secrets
        if not bound and not binding.problems:
            secrets = bind(spec, context.values, context.environment).secrets
        missing = frozenset(names.missed)
        return AssembledSpec(
            spec, binding, (), masked(tuple(problems), secrets), bound, missing=missing
        )

    def _names(self) -> "_NotingEnvironment":
        return _NotingEnvironment(self._context.environment if self._context.lenient else {})

    def _expander(self, names: "_NotingEnvironment") -> Expander:
        environment = names if self._context.lenient else self._context.environment
        return Expander(self._scheme, self._context.values, environment, self._find)

    def _open(
        self, spec: Spec, binding: BoundSpec, names: "_NotingEnvironment"
    ) -> tuple[Problem, ...]:
        """Return what is wrong with the blanks of a Spec, whatever the missing names may be."""
        if not names.missed:
            return binding.problems
        given = {**names, **dict.fromkeys(names.missed, "")}
        rest = bind(spec, self._context.values, given).problems
        return tuple(problem for problem in binding.problems if problem in rest)

    def _unfilled(self, spec: Spec) -> list[Problem]:
        with suppress(*FAILURES):
            return self._scheme.check_unbound(spec)
        return []


class _NotingEnvironment(dict[str, Any]):
    """An environment that notes which names it was asked for in vain."""

    def __init__(self, names: Mapping[str, Any]) -> None:
        super().__init__(names)
        self.missed: set[str] = set()

    def __bool__(self) -> bool:
        # An empty one is asked, too.
        return True

    def __contains__(self, name: object) -> bool:
        known = super().__contains__(name)
        if not known:
            self.missed.add(str(name))
        return known
