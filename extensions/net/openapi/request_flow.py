"""A RequestFlow follows requests through the Specs of a namespace: from a listener to its routes, and on."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple
from uuid import UUID

from heddle.schemas.check import decode
from heddle.schemas.errors import SpecError
from heddle.schemas.link import Link
from heddle.schemas.port import canonical
from heddle.specs.model.spec import Spec

_PASSING: Final = frozenset(
    [
        "auth",
        "breaker",
        "cookies",
        "cors",
        "dedupe",
        "if",
        "nop",
        "retry",
        "switch",
        "throttle",
        "try",
        "validate",
    ]
)
"""Kinds that send the request itself on."""


class KindSource:
    """Gives the fields and the links of Specs, by what their kinds declare."""

    def __init__(self, specs: Iterable[Spec], scheme: Any) -> None:
        self.specs = tuple(specs)
        self._scheme = scheme
        self._ids = {spec.id: spec for spec in self.specs}
        self._names = {spec.name: spec for spec in self.specs if spec.name is not None}
        self._read: dict[UUID, tuple[Any, Mapping[str, tuple[Link, ...]]]] = {}

    def fields(self, spec: Spec) -> Any:
        """Return the decoded fields of a Spec; None if they cannot be decoded."""
        return self._of(spec)[0]

    def targets(self, spec: Spec, *ports: str) -> Iterator[Spec]:
        """Yield where the out ports of a Spec lead, or those of these names."""
        for port, links in self._of(spec)[1].items():
            if ports and canonical(port) not in ports:
                continue
            for link in links:
                target = self._ids.get(link.id) if link.id else self._names.get(link.name or "")
                if target is not None:
                    yield target

    def _of(self, spec: Spec) -> tuple[Any, Mapping[str, tuple[Link, ...]]]:
        if spec.id not in self._read:
            self._read[spec.id] = self._decoded(spec)
        return self._read[spec.id]

    def _decoded(self, spec: Spec) -> tuple[Any, Mapping[str, tuple[Link, ...]]]:
        kind = self._scheme.find(spec.kind)
        if kind is None:
            return None, spec.ports
        try:
            fields = decode(spec, kind.schema)
        except SpecError:
            return None, spec.ports
        made = kind.links(fields) if kind.links is not None else {}
        # Specs of a runtime have these links among their ports already.
        return fields, {**made, **spec.ports}


class Stage(NamedTuple):
    """A node on the way of a request, and whether it is still the request itself that comes there."""

    spec: Spec
    fields: Any
    request: bool


class RouteFlow(NamedTuple):
    """A route, the nodes before it, and those behind it."""

    route: Any
    before: tuple[Stage, ...]
    behind: tuple[Stage, ...]
    target: Spec


class RequestFlow:
    """The routes that the requests of listeners may take."""

    def __init__(self, source: KindSource) -> None:
        self._source = source

    def routes(self, listener: str | None = None) -> Iterator[RouteFlow]:
        """Yield each route behind a listener, or behind that of this name, in the order of the Specs."""
        for spec in self._source.specs:
            if spec.kind == "listener" and listener in (None, spec.name):
                yield from self._routes(spec, (), {spec.id})

    def _routes(
        self, spec: Spec, before: tuple[Stage, ...], seen: set[UUID]
    ) -> Iterator[RouteFlow]:
        from heddle.extensions.net.router import ports_of

        fields = self._source.fields(spec)
        if spec.kind == "router" and fields is not None:
            for route, port in zip(fields.routes, ports_of(fields), strict=True):
                for target in self._source.targets(spec, port):
                    if target.kind == "router" and target.id not in seen:
                        yield from self._routes(target, before, seen | {target.id})
                        continue
                    yield RouteFlow(route, before, tuple(self._behind(target)), target)
            return
        stage = Stage(spec, fields, True)
        for target in self._source.targets(spec, *_onward(spec.kind)):
            if target.id not in seen:
                seen.add(target.id)
                yield from self._routes(target, (*before, stage), seen)

    def _behind(self, target: Spec) -> Iterator[Stage]:
        """Yield the nodes that a request may come to from a route on, each once."""
        todo = [(target, True)]
        seen: set[UUID] = set()
        while todo:
            spec, request = todo.pop(0)
            if spec.id in seen:
                continue
            seen.add(spec.id)
            fields = self._source.fields(spec)
            yield Stage(spec, fields, request)
            if spec.kind == "fork":
                # What goes on there is not the answer.
                continue
            kept = request and (spec.kind in _PASSING or getattr(fields, "as_", None) is not None)
            todo += [(each, kept) for each in self._source.targets(spec) if each.kind != "listener"]


def _onward(kind: str) -> tuple[str, ...]:
    """Return the ports by which a request goes on from a node before the router; all if it may be any."""
    return (
        ("out",) if kind in ("listener", "auth", "cors", "cookies", "validate", "throttle") else ()
    )
