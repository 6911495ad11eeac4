"""What is wrong, besides what is told already, with Specs that cannot go live as they were read."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any
from uuid import UUID

import msgspec

from heddle.runtime.assembly.codec import codec_failed
from heddle.runtime.assembly.expander import Expander
from heddle.runtime.assembly.link_check import links_in_pieces
from heddle.runtime.assembly.scheme import Scheme
from heddle.runtime.events.events import masked
from heddle.runtime.flow.step import FAILURES
from heddle.schemas.check import in_order
from heddle.schemas.errors import SpecError
from heddle.schemas.pieces import Pieces, at_once
from heddle.schemas.problem import Problem
from heddle.specs.binding.bind import ValueSet
from heddle.specs.model.names import new_id
from heddle.specs.model.spec import Binding, Spec


def check_spoiled(
    spoiled: Sequence[Spec],
    others: Iterable[Spec],
    values: ValueSet,
    scheme: Scheme,
    environment: Mapping[str, Any],
) -> tuple[Problem, ...]:
    """The Problems of Specs with their kinds, fields, code and ports, by place, secrets masked.

    `others` are the Specs beside them: links may lead there, and they may be used. Links to what is
    not there are no Problems, and nothing is told of the others.
    """
    return at_once(spoiled_in_pieces(spoiled, others, values, scheme, environment))


def spoiled_in_pieces(
    spoiled: Sequence[Spec],
    others: Iterable[Spec],
    values: ValueSet,
    scheme: Scheme,
    environment: Mapping[str, Any],
) -> Pieces[tuple[Problem, ...]]:
    """As `check_spoiled`, a Spec at a time."""
    apart = _apart(spoiled)
    around = _others(apart, others)
    named = {spec.name: spec for spec in (*around, *apart) if spec.name is not None}
    expander = Expander(scheme, values, environment, named.get)
    problems: list[Problem] = []
    filled: dict[UUID, Spec] = {}
    secrets: set[str] = set()
    for spec in apart:
        yield
        filled[spec.id] = spec
        hidden: tuple[str, ...] = ()
        try:
            if Binding() in spec.env.values():
                # Some of its `env` could not be read, so its blanks cannot be filled.
                problems += scheme.check_unbound(spec)
                continue
            effective = expander.bind(spec)
            hidden = effective.binding.secrets
            filled[spec.id] = effective.binding.spec
            if effective.binding.problems:
                problems += masked(effective.binding.problems, hidden)
                with suppress(*FAILURES):
                    problems += masked(tuple(scheme.check_unbound(spec)), hidden)
                continue
            made = expander.symbols(effective)
            filled.update((symbol.id, symbol.binding.spec) for symbol in made)
        except SpecError as error:
            problems += masked(error.problems, hidden)
        except FAILURES as error:
            problems += masked((codec_failed(spec, error),), hidden)
        secrets.update(hidden)
    secret = sorted(secrets, key=len, reverse=True)
    problems += yield from _links(filled, around, scheme, secret)
    return tuple(dict.fromkeys(in_order(problems)))


def _apart(spoiled: Sequence[Spec]) -> list[Spec]:
    """The Specs with an id each: some have a name, or an id, twice."""
    ids: set[UUID] = set()
    apart: list[Spec] = []
    for spec in spoiled:
        one = msgspec.structs.replace(spec, id=new_id()) if spec.id in ids else spec
        ids.add(one.id)
        apart.append(one)
    return apart


def _others(apart: Sequence[Spec], others: Iterable[Spec]) -> list[Spec]:
    """Those of the others that the spoiled ones do not stand for: the file says them anew."""
    ids = {spec.id for spec in apart}
    names = {spec.name for spec in apart if spec.name is not None}
    return [spec for spec in others if spec.id not in ids and spec.name not in names]


def _links(
    filled: Mapping[UUID, Spec], around: Sequence[Spec], scheme: Scheme, secrets: Sequence[str]
) -> Pieces[tuple[Problem, ...]]:
    """Links from and to ports that are not there; what was wrong without these is left out."""
    schema_of: Callable[[str], Any] = scheme.schema
    told = yield from links_in_pieces(around, schema_of)
    found = yield from links_in_pieces(
        [*filled.values(), *around], schema_of, spoiled=filled.keys()
    )
    ours = tuple(one for one in found if one.code == "unknown-port" and one not in told)
    return masked(ours, secrets)
