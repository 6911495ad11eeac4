"""A Symbol is a Spec and the Node built from it, under one name."""

import time
from collections.abc import Sequence
from uuid import UUID

from heddle.runtime.assembly.expansion import HELD, Expansion
from heddle.runtime.flow.node import Node
from heddle.schemas.link import Link
from heddle.schemas.port import LIFECYCLE, canonical
from heddle.specs.binding.bind import BoundSpec
from heddle.specs.model.spec import Spec

LIFECYCLE_NAMES = frozenset(port.name for port in LIFECYCLE)


class Symbol:
    """One Spec of the namespace with its Node.

    `spec` is as written, `binding` what its blanks were filled with. `since` is the number of the
    generation that its Node began in; `opened` says that the Node was used, for a Node begins once.
    A Symbol whose Spec is unchanged keeps its Node, and the Node its state.

    `source` is the id of the Spec in the store that it comes of: its own, or that of the one that
    holds it. `held` are the ids of all that its Spec holds, to any depth, `inlets` the in ports in
    there that its own stand for, and `uses` the names of the Specs that it is made with. `flows`
    are links whose values its holder carries: packets never take them. `made` is
    when it was compiled and `began` when it became active, in seconds since 1970 (0: not yet).
    """

    __slots__ = (
        "began",
        "binding",
        "flows",
        "held",
        "inlets",
        "links",
        "made",
        "node",
        "opened",
        "since",
        "source",
        "spec",
        "uses",
    )

    def __init__(self, spec: Spec, binding: BoundSpec, node: Node) -> None:
        self.spec = spec
        self.binding = binding
        self.node = node
        self.opened = False
        self.since = 0
        self.made = time.time()
        self.began = 0.0
        self.links: dict[str, tuple[Link, ...]] = {}
        for port, links in binding.spec.ports.items():
            name = canonical(port)
            self.links[name] = (*self.links.get(name, ()), *links)
        self.source = spec.id
        self.held: frozenset[UUID] = frozenset()
        self.uses: frozenset[str] = frozenset()
        self.inlets: dict[str, tuple[Link, ...]] = {}
        self.flows: dict[str, tuple[Link, ...]] = {}

    def hold(self, expansion: Expansion, ids: Sequence[UUID]) -> None:
        """Link it to what its Spec holds: it is active only if all of that is."""
        self.links[HELD] = tuple(Link(id=uuid) for uuid in ids)
        for port, ends in expansion.inlets.items():
            inlet = tuple(Link(id=ids[number], port=name) for number, name in ends)
            self.inlets[canonical(port)] = self.links[HELD + canonical(port)] = inlet
        for port, ends in expansion.sends.items():
            self.links[HELD + port] = tuple(
                Link(id=ids[number], port=name) for number, name in ends
            )

    @property
    def sends(self) -> dict[str, tuple[Link, ...]]:
        """The links by which its Node sends to what its Spec holds, by name."""
        return {
            port.removeprefix(HELD): links
            for port, links in self.links.items()
            if port.startswith(HELD) and port != HELD and port[1:] not in self.inlets
        }

    def renewed(self, node: Node) -> "Symbol":
        """Return the same symbol with a fresh Node."""
        fresh = Symbol(self.spec, self.binding, node)
        fresh.links = self.links
        fresh.inlets = self.inlets
        fresh.flows = self.flows
        fresh.source, fresh.held, fresh.uses = self.source, self.held, self.uses
        return fresh

    @property
    def id(self) -> UUID:
        """The id of its Spec."""
        return self.spec.id

    @property
    def label(self) -> str:
        """The label for people."""
        return self.spec.label

    def lifecycle(self, port: str) -> bool:
        """Return whether a flow is linked to this lifecycle port."""
        return bool(self.links.get(port))
