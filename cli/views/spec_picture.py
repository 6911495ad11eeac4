"""Specs as a Picture: with the links that stand among their fields, and labels at their out ports."""

from collections.abc import Iterable, Mapping

import msgspec

from heddle.extensions.drawing import Picture
from heddle.runtime.assembly.scheme import Scheme
from heddle.schemas.check import decode
from heddle.schemas.errors import SpecError
from heddle.schemas.port import canonical
from heddle.specs.model.spec import Spec


def picture_of_specs(specs: Iterable[Spec], scheme: Scheme) -> Picture:
    """Return the Picture of some Specs. One whose fields do not decode is drawn by its `ports` alone."""
    labels: dict[int, Mapping[str, str]] = {}
    drawn: list[Spec] = []
    for spec in specs:
        whole, texts = _read(spec, scheme)
        labels[id(whole)] = texts
        drawn.append(whole)
    return Picture.of(drawn, labels=lambda spec: labels[id(spec)])


def _read(spec: Spec, scheme: Scheme) -> tuple[Spec, Mapping[str, str]]:
    """Return a Spec with all of its links, and the labels of its out ports as they are written."""
    kind = scheme.find(spec.kind)
    if kind is None or (kind.links is None and kind.schema.labels is None):
        return spec, {}
    try:
        fields = decode(spec, kind.schema)
    except SpecError:
        return spec, {}
    ports = dict(spec.ports)
    for port, links in (kind.links(fields) if kind.links is not None else {}).items():
        ports[port] = (*ports.get(port, ()), *links)
    texts = kind.schema.labels(fields) if kind.schema.labels is not None else {}
    labels = {port: texts[canonical(port)] for port in ports if canonical(port) in texts}
    return msgspec.structs.replace(spec, ports=ports), labels
