"""A dead route: a field names an out port that no link leaves from, so its packets end there."""

from collections.abc import Iterable, Iterator, Set
from typing import Any

from heddle.runtime.assembly.link_check import SchemaOf
from heddle.schemas.check import decode, in_order
from heddle.schemas.errors import SpecError
from heddle.schemas.port import canonical, find_port
from heddle.schemas.problem import Problem
from heddle.schemas.schema import Schema
from heddle.specs.model.spec import Spec


def dead_routes(specs: Iterable[Spec], schema_of: SchemaOf) -> list[Problem]:
    """Return a Problem for each field that leads to an out port without a link.

    It runs all the same: the packet itself is then the answer, which a route rarely means.
    """
    problems: list[Problem] = []
    specs = list(specs)
    exported = {end for spec in specs for end in _exports(spec)}
    for spec in specs:
        schema = schema_of(spec.kind)
        if schema is not None and schema.leads is not None:
            problems += _of(spec, schema, exported)
    return in_order(problems)


def _exports(spec: Spec) -> Iterator[tuple[str, str]]:
    """Yield the ports of held Specs that stand for out ports of the Spec which holds them."""
    outbounds = spec.fields.get("outbounds")
    for ends in outbounds.values() if isinstance(outbounds, dict) else ():
        for end in ends if isinstance(ends, list) else (ends,):
            if isinstance(end, dict):
                yield f"{spec.label}/{end.get('name')}", canonical(str(end.get("port")))


def _of(spec: Spec, schema: Schema[Any], exported: Set[tuple[str, str]]) -> list[Problem]:
    try:
        fields = decode(spec, schema)
    except SpecError:
        return []  # what is wrong with its fields is a Problem already
    linked = {canonical(port) for port, links in spec.ports.items() if links}
    leads = schema.leads(fields) if schema.leads is not None else ()
    return [
        Problem(
            code="dead-route",
            found=f'the out port "{port}" has no link',
            expected="a link at each port that a route leads to",
            hint=f"Add it under ports, such as {port}: [{{name: …, port: in}}], or remove the route.",
            place=spec.place(path),
            path=spec.at(path),
        )
        for path, port in leads
        if find_port(schema.ports_of(fields)[1], port) is not None
        and canonical(port) not in linked
        and (spec.label, canonical(port)) not in exported
    ]
