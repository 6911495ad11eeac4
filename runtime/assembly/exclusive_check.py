"""The check that only one Spec of a namespace claims what only one can have, such as an address to listen on."""

from collections.abc import Iterable, Sequence

from heddle.runtime.assembly.link_check import LinkProblem
from heddle.runtime.assembly.scheme import Scheme
from heddle.schemas.check import decode
from heddle.schemas.errors import SpecError
from heddle.schemas.exclusive import ExclusiveUse
from heddle.schemas.pieces import Pieces
from heddle.schemas.problem import Problem
from heddle.specs.model.spec import Spec

IN_USE = "in-use"
"""The code of the Problem: another Spec has what this one claims."""


def check_exclusive(
    specs: Sequence[Spec], rivals: Iterable[Spec], scheme: Scheme
) -> Pieces[list[LinkProblem]]:
    """Return a Problem for each claim of these Specs that a rival has, or one of them that comes before."""
    claims: dict[tuple[str, str], list[tuple[Spec, ExclusiveUse]]] = {}
    ids = {spec.id for spec in specs}
    for spec in rivals:
        yield
        for use in uses_of(spec, scheme) if spec.id not in ids else ():
            claims.setdefault((spec.namespace, use.resource), []).append((spec, use))
    problems: list[LinkProblem] = []
    for spec in specs:
        yield
        for use in uses_of(spec, scheme):
            others = claims.setdefault((spec.namespace, use.resource), [])
            first = next((other for other, its in others if its.overlaps(use)), None)
            if first is not None:
                problems.append(LinkProblem(spec, _problem(spec, use, first)))
            else:
                others.append((spec, use))
    return problems


def uses_of(spec: Spec, scheme: Scheme) -> Iterable[ExclusiveUse]:
    """Return what a Spec claims; nothing if its kind claims nothing, or its fields do not decode."""
    schema = scheme.schema(spec.kind)
    if schema is None or schema.exclusive is None:
        return ()
    try:
        return tuple(schema.exclusive(decode(spec, schema)))
    except SpecError:
        return ()


def _problem(spec: Spec, use: ExclusiveUse, first: Spec) -> Problem:
    place = first.place()
    return Problem(
        code=IN_USE,
        found=f'{use.shown} is in use by "{first.label}"' + (f" at {place}" if place.line else ""),
        hint=use.hint,
        place=spec.place(use.path),
        path=spec.at(use.path),
    )
