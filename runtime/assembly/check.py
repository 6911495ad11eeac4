"""A check tells all that is wrong with some Specs, as far as that shows without running them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec

from heddle.runtime.assembly.codec import GATHERED, codec_failed
from heddle.runtime.assembly.dead_routes import dead_routes
from heddle.runtime.assembly.expander import Expander
from heddle.runtime.assembly.extension import Registry
from heddle.runtime.assembly.flow_graph import Part
from heddle.runtime.assembly.link_check import links_in_pieces
from heddle.runtime.events.events import masked
from heddle.runtime.flow.step import FAILURES
from heddle.schemas.check import in_order
from heddle.schemas.errors import SpecError
from heddle.schemas.pieces import Pieces, at_once
from heddle.schemas.problem import Problem
from heddle.specs.binding.bind import BoundSpec, ValueSet, bind
from heddle.specs.binding.unfilled import unfilled_blanks
from heddle.specs.model.names import new_id
from heddle.specs.model.spec import Binding, Spec
from heddle.specs.secrets.keyring import EXTRA
from heddle.specs.secrets.vault import Vault

LATER = frozenset({"missing-link", "missing-use", "missing-value"})
"""What may come later: nothing that a file alone can know."""


CLOSED = frozenset({"missing-key", "missing-source"})
"""What only the place where the Specs run has to have: keys, and what Values come from."""


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """The Problems by place, and the names that the environment would have to give.

    `closed` are the Values whose data cannot be had here. `dead` are fields that lead to a port without
    a link. `hints` are what is allowed, but probably not meant. `parts` are the Specs as they count, and
    those that they hold: what `check_graph` is asked about.
    """

    problems: tuple[Problem, ...] = ()
    dead: tuple[Problem, ...] = ()
    hints: tuple[Problem, ...] = ()
    parts: tuple[Part, ...] = ()
    missing: tuple[str, ...] = ()
    closed: tuple[str, ...] = ()


def check_specs(
    specs: Sequence[Spec],
    values: ValueSet,
    registry: Registry,
    *,
    spoiled: Sequence[Spec] = (),
    environment: Mapping[str, Any] | None = None,
    only: frozenset[UUID] | None = None,
    later: bool = False,
    strict_env: bool = False,
) -> Checked:
    """Check Specs one by one, and the links between them.

    A Spec with blanks whose names the environment does not give, or whose Values cannot be opened
    here, is checked with them open, and the names are told; with `strict_env` they are Problems. With `only`, these ids alone are
    checked one by one. With `later`, links and Values that are not there yet are no Problems.
    The `spoiled` ones (see Reading) are checked for what reading them did not tell.
    """
    return at_once(
        checked_in_pieces(
            specs,
            values,
            registry,
            spoiled=spoiled,
            environment=environment,
            only=only,
            later=later,
            strict_env=strict_env,
        )
    )


def checked_in_pieces(
    specs: Sequence[Spec],
    values: ValueSet,
    registry: Registry,
    *,
    spoiled: Sequence[Spec] = (),
    environment: Mapping[str, Any] | None = None,
    only: frozenset[UUID] | None = None,
    later: bool = False,
    strict_env: bool = False,
) -> Pieces[Checked]:
    """As `check_specs`, a Spec at a time."""
    problems: list[Problem] = []
    missing: set[str] = set()
    closed: dict[str, None] = {}
    values = values.opened_by(Vault(registry.keys))
    filled: list[Spec] = []
    parts: list[Part] = []
    named = {spec.name: spec for spec in specs if spec.name is not None}
    apart = _apart(specs, spoiled)
    for spec in apart:
        if spec.name is not None:
            named.setdefault(spec.name, spec)
    known = {spec.id for spec in apart}
    told: set[UUID] = set()
    hints: list[Problem] = []
    for spec in (*specs, *apart):
        yield
        given = _Environment(environment or {})
        expander = Expander(registry.scheme, values, given, named.get)
        found: Iterable[Problem] = ()
        known_links = _links_are_known(spec, registry)
        counted = [Part(spec, settled=known_links, bound=False)]
        gathering = GATHERED.set(hints)
        try:
            effective = expander.bind(spec)
            bound = effective.binding
            if spec.id in known and _unread(spec):
                found = registry.scheme.check_unbound(spec)
                given = _Environment({})
            elif bound.problems:
                found = _unbound(spec, bound, values, given, registry, strict_env)
            elif only is None or spec.id in only:
                counted = [Part(bound.spec, settled=known_links, bound=False)]
                counted = [
                    Part(symbol.binding.spec, symbol.inlets, symbol.held)
                    for symbol in expander.symbols(effective)
                ]
            else:
                counted = [Part(bound.spec)]
        except SpecError as error:
            found, bound = error.problems, bind(spec, values, given)
        except FAILURES as error:
            found, bound = (codec_failed(spec, error),), bind(spec, values, given)
        finally:
            GATHERED.reset(gathering)
        if only is None or spec.id in only:
            kept = [problem for problem in found if not (later and problem.code in LATER)]
            if not strict_env:
                away = [problem for problem in kept if _away(problem)]
                closed |= dict.fromkeys(problem.path.rpartition(".")[0] for problem in away)
                kept = [problem for problem in kept if not _away(problem)]
            problems += masked(tuple(kept), bound.secrets)
            missing |= given.missed
        parts += counted
        filled += (part.spec for part in counted)
        if spec.id in known:
            told |= {part.spec.id for part in counted}
    links = yield from links_in_pieces(filled, registry.scheme.schema, spoiled=told)
    problems += [problem for problem in links if not (later and problem.code in LATER)]
    return Checked(
        problems=tuple(in_order(problems)),
        dead=tuple(dead_routes(filled, registry.scheme.schema)) if only is None else (),
        hints=(*unfilled_blanks(specs), *dict.fromkeys(hints)) if only is None else (),
        parts=tuple(parts),
        missing=tuple(sorted(missing)),
        closed=tuple(sorted(closed)),
    )


def _away(problem: Problem) -> bool:
    """Whether a Value cannot be opened here for lack of what another place may have."""
    if problem.code == "missing-extra":
        # That of a kind is a Problem wherever the Spec is checked.
        return problem.wanted == f"the extra {EXTRA}"
    return problem.code in CLOSED


def _apart(specs: Sequence[Spec], spoiled: Sequence[Spec]) -> list[Spec]:
    """The spoiled Specs, each with an id of its own: some have a name, or an id, twice."""
    ids = {spec.id for spec in specs}
    apart: list[Spec] = []
    for spec in spoiled:
        one = msgspec.structs.replace(spec, id=new_id()) if spec.id in ids else spec
        ids.add(one.id)
        apart.append(one)
    return apart


def _unread(spec: Spec) -> bool:
    """Whether some of its `env` could not be read, so that its blanks cannot be filled."""
    return Binding() in spec.env.values()


def _links_are_known(spec: Spec, registry: Registry) -> bool:
    """Return True if all links of a Spec stand under `ports`, whatever else may be wrong with it."""
    kind = registry.scheme.find(spec.kind)
    return kind is not None and kind.expand is None and kind.links is None


class _Environment(dict[str, Any]):
    """An environment that notes which names it was asked for in vain."""

    def __init__(self, names: Mapping[str, Any]) -> None:
        super().__init__(names)
        self.missed: set[str] = set()

    def __bool__(self) -> bool:
        # An empty one is asked, too.
        return True

    def __contains__(self, name: object) -> bool:
        found = super().__contains__(name)
        if not found:
            self.missed.add(str(name))
        return found


def _unbound(
    spec: Spec,
    bound: BoundSpec,
    values: ValueSet,
    environment: _Environment,
    registry: Registry,
    strict_env: bool,
) -> Iterable[Problem]:
    """What is wrong with a Spec that has blanks which cannot be filled."""
    problems = bound.problems
    if environment.missed and not strict_env:
        # What is wrong whatever the missing names may be is wrong for another reason.
        given = {**environment, **dict.fromkeys(environment.missed, "")}
        rest = bind(spec, values, given).problems
        problems = tuple(problem for problem in problems if problem in rest)
    return [*problems, *registry.scheme.check_unbound(spec)]
