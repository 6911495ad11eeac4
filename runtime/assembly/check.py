"""A check tells all that is wrong with some Specs, as far as that shows without running them."""

from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any, TypeAlias
from uuid import UUID

import msgspec

from heddle.runtime.assembly.assembler import AssembledSpec, Assembler, Assembly, Context, assemble
from heddle.runtime.assembly.dead_routes import dead_routes
from heddle.runtime.assembly.extension import Registry
from heddle.runtime.assembly.flow_graph import FlowPart
from heddle.runtime.assembly.link_check import check_links_in_pieces
from heddle.runtime.assembly.scheme import Scheme
from heddle.runtime.events.events import masked
from heddle.schemas.check import in_order
from heddle.schemas.link import Link
from heddle.schemas.pieces import Pieces, at_once
from heddle.schemas.problem import Problem
from heddle.specs.binding.bind import ValueSet
from heddle.specs.binding.unfilled import unfilled_blanks
from heddle.specs.model.names import new_id
from heddle.specs.model.spec import Spec
from heddle.specs.secrets.keyring import EXTRA
from heddle.specs.secrets.mask import in_order as longest_first
from heddle.specs.secrets.vault import Vault

Served: TypeAlias = Mapping[UUID, Spec | None]
"""The running Specs of which a runtime has rejected the newest; None: nothing of it."""

NOBODY: Served = {}

LATER = frozenset({"missing-link", "missing-use", "missing-value"})
"""The Problems that may go away later: a file alone cannot know."""


CLOSED = frozenset({"missing-key", "missing-source"})
"""The Problems that depend on the place where the Specs run: keys, and the sources of Values."""


class CheckResult(msgspec.Struct, frozen=True, kw_only=True):
    """The Problems by place, and the names that the environment would have to give.

    `closed` are the Values whose data cannot be had here. `dead` are fields that lead to a port without
    a link. `hints` are what is allowed, but probably not meant. `parts` are the Specs as they count, and
    those that they hold: what `check_graph` is asked about. They have their blanks filled, so whatever is
    shown of them is masked by the `secrets`; the Problems are masked already.
    """

    problems: tuple[Problem, ...] = ()
    dead: tuple[Problem, ...] = ()
    hints: tuple[Problem, ...] = ()
    parts: tuple[FlowPart, ...] = ()
    missing: tuple[str, ...] = ()
    closed: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()


class SpecsContext(Context):
    """Other Specs stand around those that are assembled, as files or a store hold them."""

    hints = True

    def __init__(
        self,
        scheme: Scheme,
        values: ValueSet,
        environment: Mapping[str, Any],
        *,
        specs: Iterable[Spec],
        others: Sequence[Spec] = (),
        partial: Sequence[Spec] = (),
        lenient: bool = False,
        served: Served = NOBODY,
        bearers: Set[UUID] = frozenset(),
        holders: Set[UUID] = frozenset(),
    ) -> None:
        super().__init__(scheme, values, environment)
        self.lenient = lenient
        self.partial = {spec.id for spec in partial}
        self._others = others
        self._served = served
        self._bearers = bearers
        self._holders = holders
        self._named: dict[str, Spec] = {}
        for spec in (*specs, *partial):
            if spec.name is not None and (
                spec.name not in self._named or spec.id not in self.partial
            ):
                self._named[spec.name] = spec

    def find(self, name: str) -> Spec | None:
        """Return one of these Specs, or of those that could be read only in part."""
        return self._named.get(name)

    def beside(self, link: Link) -> UUID | None:
        """Return the other that a link leads to: it may well be active."""
        if link.id is not None:
            return link.id if any(spec.id == link.id for spec in self._others) else None
        holder = (link.name or "").partition("/")[0]
        names = (link.name, holder)
        return next((spec.id for spec in self._others if spec.name in names), None)

    def around(self, specs: Sequence[AssembledSpec]) -> Pieces[list[AssembledSpec]]:
        """Return all of the others: whoever asks gives those that are concerned."""
        del specs
        assembler = Assembler(self)
        entries: list[AssembledSpec] = []
        for spec in self._others:
            yield
            entries.append(assembler.bind(spec))
        return entries

    def bears(self, spec: Spec) -> bool:
        """Return True if it has its name already."""
        return spec.id in self._bearers

    def holds(self, spec: Spec) -> bool:
        """Return True if its claims were made before the change."""
        return spec.id in self._holders

    def rivals(self, specs: Sequence[AssembledSpec]) -> Pieces[list[Spec]]:
        """Return the others that claim something, as they run, and those that they hold."""
        del specs
        assembler = Assembler(self)
        rivals: list[Spec] = []
        for other in self._others:
            yield
            spec = self._served.get(other.id, other)
            if spec is None:
                continue
            if self.scheme.expands(spec.kind):
                rivals += assembler.assemble(spec).parts
            elif self.scheme.exclusive(spec.kind):
                rivals += assembler.bind(spec).parts
        return [spec for spec in rivals if self.scheme.exclusive(spec.kind)]


def check_specs(
    specs: Sequence[Spec],
    values: ValueSet,
    registry: Registry,
    *,
    partial: Sequence[Spec] = (),
    environment: Mapping[str, Any] | None = None,
    only: frozenset[UUID] | None = None,
    later: bool = False,
    strict_env: bool = False,
) -> CheckResult:
    """Check Specs one by one, and the links between them.

    A Spec with blanks whose names the environment does not give, or whose Values cannot be opened
    here, is checked with them open, and the names are told; with `strict_env` they are Problems.
    With `only`, these ids alone are checked one by one. With `later`, links and Values that are not
    there yet are no Problems. The `partial` ones (see ReadText) are checked for what reading them
    did not tell.
    """
    return at_once(
        check_in_pieces(
            specs,
            values,
            registry,
            partial=partial,
            environment=environment,
            only=only,
            later=later,
            strict_env=strict_env,
        )
    )


def check_in_pieces(
    specs: Sequence[Spec],
    values: ValueSet,
    registry: Registry,
    *,
    partial: Sequence[Spec] = (),
    environment: Mapping[str, Any] | None = None,
    only: frozenset[UUID] | None = None,
    later: bool = False,
    strict_env: bool = False,
    served: Served = NOBODY,
    bearers: Set[UUID] = frozenset(),
    holders: Set[UUID] = frozenset(),
) -> Pieces[CheckResult]:
    """Do as `check_specs`, a Spec at a time.

    `served` is what runs of those that a runtime has rejected the newest of, `bearers` are those that
    have their names already: they come first if several claim what only one can have. What `holders`
    claim was claimed before the change, so it is a Problem of whoever else claims it.
    """
    scheme = registry.scheme
    values = values.opened_by(Vault(registry.keys))
    apart = _apart(specs, partial)
    chosen = [spec for spec in (*specs, *apart) if only is None or spec.id in only]
    yield
    context = SpecsContext(
        scheme,
        values,
        environment or {},
        specs=specs,
        others=[spec for spec in specs if only is not None and spec.id not in only],
        partial=apart,
        lenient=not strict_env,
        served=served,
        bearers=bearers,
        holders=holders,
    )
    assembly = yield from assemble(chosen, context)
    problems, missing, closed = yield from _gather(assembly.specs, strict_env=strict_env)
    secrets = _secrets_of(assembly)
    problems += masked(tuple(each.problem for each in assembly.links), secrets)
    parts = yield from _parts_of(assembly.specs, scheme)
    filled = [part.spec for part in parts]
    return CheckResult(
        problems=tuple(
            in_order([problem for problem in problems if not (later and problem.code in LATER)])
        ),
        dead=masked(tuple(dead_routes(filled, scheme.schema)), secrets) if only is None else (),
        hints=masked(_hints(specs, assembly), secrets) if only is None else (),
        parts=tuple(parts),
        missing=tuple(sorted(missing)),
        closed=tuple(sorted(closed)),
        secrets=secrets,
    )


def _secrets_of(assembly: Assembly) -> tuple[str, ...]:
    """Return the texts that blanks were filled with and that nobody may see."""
    specs = (*assembly.specs, *assembly.around)
    return longest_first(secret for each in specs for secret in each.binding.secrets)


def _hints(specs: Iterable[Spec], assembly: Assembly) -> tuple[Problem, ...]:
    """Return what is allowed, but probably not meant."""
    hints = dict.fromkeys(hint for each in assembly.specs for hint in each.hints)
    return (*unfilled_blanks(specs), *hints)


def _gather(
    specs: Iterable[AssembledSpec], *, strict_env: bool
) -> Pieces[tuple[list[Problem], set[str], dict[str, None]]]:
    """Return the Problems of Specs, the names that miss, and the paths of Values closed here."""
    problems: list[Problem] = []
    missing: set[str] = set()
    closed: dict[str, None] = {}
    for each in specs:
        yield
        missing |= each.missing
        for problem in each.problems:
            if _away(problem) and not strict_env:
                closed[problem.path.rpartition(".")[0]] = None
            else:
                problems.append(problem)
    return problems, missing, closed


def check_partial(
    partial: Sequence[Spec],
    others: Iterable[Spec],
    values: ValueSet,
    scheme: Scheme,
    environment: Mapping[str, Any],
) -> tuple[Problem, ...]:
    """Return what is wrong with Specs that could be read only in part, besides what reading told.

    Their kinds, fields, code and ports, by place, secrets masked. `others` are the Specs beside them:
    links may lead there, and they may be used. Links to what is not there are no Problems, and
    nothing is told of the others.
    """
    return at_once(check_partial_in_pieces(partial, others, values, scheme, environment))


def check_partial_in_pieces(
    partial: Sequence[Spec],
    others: Iterable[Spec],
    values: ValueSet,
    scheme: Scheme,
    environment: Mapping[str, Any],
) -> Pieces[tuple[Problem, ...]]:
    """Do as `check_partial`, a Spec at a time."""
    apart = _apart((), partial)
    around = _beside(apart, others)
    context = SpecsContext(scheme, values, environment, specs=around, others=around, partial=apart)
    assembly = yield from assemble(apart, context)
    bound = [part for each in assembly.around for part in each.parts]
    before = yield from check_links_in_pieces(bound, scheme.schema)
    known = {each.problem for each in before}
    links = [each.problem for each in assembly.links if each.problem.code == "unknown-port"]
    secrets = {secret for each in assembly.specs for secret in each.binding.secrets}
    ours = masked(
        tuple(problem for problem in links if problem not in known),
        sorted(secrets, key=len, reverse=True),
    )
    return tuple(
        in_order([*(problem for each in assembly.specs for problem in each.problems), *ours])
    )


def _parts_of(specs: Iterable[AssembledSpec], scheme: Scheme) -> Pieces[list[FlowPart]]:
    """Return Specs as they count in the graph, and those that they hold; a Spec at a time."""
    parts: list[FlowPart] = []
    for each in specs:
        yield
        parts += _parts(each, scheme)
    return parts


def _parts(assembled: AssembledSpec, scheme: Scheme) -> list[FlowPart]:
    """Return a Spec as it counts in the graph, and those that it holds."""
    if assembled.symbols:
        symbols = assembled.symbols
        return [
            FlowPart(symbol.binding.spec, symbol.inlets, symbol.held, sends=symbol.sends)
            for symbol in symbols
        ]
    kind = assembled.spec.kind
    # All of its links stand under `ports`, whatever else may be wrong with it.
    settled = scheme.schema(kind) is not None and not scheme.leads(kind)
    return [FlowPart(spec, settled=settled, bound=False) for spec in assembled.parts]


def _away(problem: Problem) -> bool:
    """Return whether a Value cannot be opened here for lack of what another place may have."""
    if problem.code == "missing-extra":
        # That of a kind is a Problem wherever the Spec is checked.
        return problem.expected == f"the extra {EXTRA}"
    return problem.code in CLOSED


def _apart(specs: Sequence[Spec], partial: Sequence[Spec]) -> list[Spec]:
    """Return the partial Specs, each with an id of its own: some have a name, or an id, twice."""
    ids = {spec.id for spec in specs}
    apart: list[Spec] = []
    for spec in partial:
        each = msgspec.structs.replace(spec, id=new_id()) if spec.id in ids else spec
        ids.add(each.id)
        apart.append(each)
    return apart


def _beside(apart: Sequence[Spec], others: Iterable[Spec]) -> list[Spec]:
    """Return the others that the partial ones do not stand for: the file says those anew."""
    ids = {spec.id for spec in apart}
    names = {spec.name for spec in apart if spec.name is not None}
    return [spec for spec in others if spec.id not in ids and spec.name not in names]
