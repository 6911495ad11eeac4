"""A Picture is what a drawing shows of some Specs: nodes, and the edges that their Links make."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal, TypeAlias
from uuid import UUID

import msgspec

from heddle.schemas.link import Link
from heddle.specs.model.spec import Spec

LIFECYCLE = ("init", "active", "deactive", "deinit")
"""The ports through which a node tells that it comes and goes; they carry no traffic."""

Strand: TypeAlias = Literal["plain", "error", "lifecycle"]
"""The meaning of an edge: traffic, failures, or news of coming and going."""

OutPorts: TypeAlias = Callable[[Spec], Iterable[str]]
Labels: TypeAlias = Callable[[Spec], Mapping[str, str]]

_INDEXED = re.compile(r"(.*?)\[(\d+)\]\Z", re.DOTALL)


class PictureNode(msgspec.Struct, frozen=True, kw_only=True):
    """One node as drawn. A node that is only linked to, and not there yet, is `waiting`.

    `id` is that of the Spec; `namespace/name` where only a name is linked to.
    `outs` and `ins` are port names in the order in which people count them; `outs` may hold
    ports that no edge leaves. `named` is false if the label is made from the kind and id.
    `labels` are what leaves by its out ports, in a few words, for a port whose name says less.
    """

    label: str
    kind: str
    namespace: str
    id: str = ""
    named: bool = True
    waiting: bool = False
    outs: tuple[str, ...] = ()
    ins: tuple[str, ...] = ()
    labels: Mapping[str, str] = {}

    def label_of(self, out: str) -> str:
        """Return what is written at an out port: its label, or its name."""
        return self.labels.get(out) or out


class PictureEdge(msgspec.Struct, frozen=True, kw_only=True):
    """One Link as drawn: `source` and `target` count the nodes of the Picture from 0."""

    source: int
    out: str
    target: int
    port: str

    @property
    def strand(self) -> Strand:
        """Return what it carries, as its out port tells."""
        return strand(self.out)


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """Nodes and edges, in the order of the Specs; the same Specs make the same Picture."""

    nodes: tuple[PictureNode, ...] = ()
    edges: tuple[PictureEdge, ...] = ()

    @classmethod
    def of(
        cls, specs: Iterable[Spec], ports: OutPorts | None = None, labels: Labels | None = None
    ) -> "Picture":
        """Show every Spec once, every Link once, and a waiting node for each target that is missing.

        `ports` tells which out ports a Spec has besides those it links, `labels` what leaves by an
        out port if its name says less (its Schema knows both).
        """
        return _Painter(tuple(specs), ports, labels).paint()

    @property
    def namespaces(self) -> tuple[str, ...]:
        """Return the namespaces shown, in the order in which they first appear."""
        return tuple(dict.fromkeys(node.namespace for node in self.nodes))

    def within(self, namespace: str) -> tuple[int, ...]:
        """Return which nodes stand in the namespace."""
        return tuple(index for index, node in enumerate(self.nodes) if node.namespace == namespace)

    def edge_text(self, edge: PictureEdge) -> str:
        """Return the edge in words: `listener.out → router.in`."""
        source, target = self.nodes[edge.source], self.nodes[edge.target]
        label = source.labels.get(edge.out)
        routed = f" ({label})" if label else ""
        return f"{source.label}.{edge.out}{routed} → {target.label}.{edge.port}"

    def edge_label(self, edge: PictureEdge) -> str:
        """Return what is written beside an edge: what leaves its out port, and its in port if not `in`."""
        label = self.nodes[edge.source].label_of(edge.out)
        return label if edge.port == "in" else f"{label} → {edge.port}"


def strand(port: str) -> Strand:
    """Return what leaves through an out port of this name."""
    if port in LIFECYCLE:
        return "lifecycle"
    return "error" if _counted(port)[0] == "error" else "plain"


def in_order(ports: Iterable[str]) -> tuple[str, ...]:
    """Return port names as people count them: `out`, `out[2]`, `out[10]`, then `error`, then lifecycle."""
    ranks = {"plain": 0, "error": 1, "lifecycle": 2}

    def rank(port: str) -> tuple[int, int, str, int]:
        age = LIFECYCLE.index(port) if port in LIFECYCLE else 0
        return ranks[strand(port)], age, *_counted(port)

    return tuple(sorted(set(ports), key=rank))


def _counted(port: str) -> tuple[str, int]:
    match = _INDEXED.match(port)
    # int() rejects thousands of digits: such a name is not an index but somebody's joke.
    return (match[1], int(match[2])) if match and len(match[2]) < 10 else (port, -1)


class _Painter:
    """Finds the target of every Link, and makes one up if there is none."""

    def __init__(
        self, specs: Sequence[Spec], ports: OutPorts | None, labels: Labels | None
    ) -> None:
        self._specs = specs
        self._ports = ports
        self._texts = labels
        self._ids: dict[tuple[str, UUID], int] = {}
        self._names: dict[tuple[str, str], int] = {}
        for index, spec in enumerate(specs):
            self._ids.setdefault((spec.namespace, spec.id), index)
            if spec.name is not None:
                self._names.setdefault((spec.namespace, spec.name), index)
        self._waiting: dict[tuple[str, UUID | str], int] = {}
        self._labels: list[tuple[str, str, str]] = []

    def paint(self) -> Picture:
        edges = tuple(
            PictureEdge(source=index, out=out, target=self._target(spec, link), port=link.port)
            for index, spec in enumerate(self._specs)
            for out in in_order(spec.ports)
            for link in spec.ports[out]
        )
        ins: dict[int, set[str]] = {}
        for edge in edges:
            ins.setdefault(edge.target, set()).add(edge.port)
        present = [self._node(spec, ins.get(i, ())) for i, spec in enumerate(self._specs)]
        missing = self._missing(ins)
        return Picture(nodes=(*present, *missing), edges=edges)

    def _node(self, spec: Spec, ins: Iterable[str]) -> PictureNode:
        outs = [*spec.ports, *(self._ports(spec) if self._ports else ())]
        return PictureNode(
            label=spec.label,
            kind=spec.kind,
            namespace=spec.namespace,
            id=str(spec.id),
            named=spec.name is not None,
            outs=in_order(outs),
            ins=in_order(ins),
            labels=self._texts(spec) if self._texts else {},
        )

    def _missing(self, ins: Mapping[int, Iterable[str]]) -> list[PictureNode]:
        return [
            PictureNode(
                label=label,
                kind="waiting",
                namespace=namespace,
                id=id_,
                waiting=True,
                ins=in_order(ins[index]),
            )
            for index, (namespace, label, id_) in enumerate(self._labels, len(self._specs))
        ]

    def _target(self, spec: Spec, link: Link) -> int:
        known = (
            self._ids.get((spec.namespace, link.id))
            if link.id is not None
            else self._names.get((spec.namespace, link.name or ""))
        )
        return known if known is not None else self._wait(spec.namespace, link)

    def _wait(self, namespace: str, link: Link) -> int:
        key = (namespace, link.id or link.name or "")
        if key not in self._waiting:
            self._waiting[key] = len(self._specs) + len(self._labels)
            label = link.name or str(link.id or "(no name)")
            self._labels.append((namespace, label, str(link.id or f"{namespace}/{label}")))
        return self._waiting[key]
