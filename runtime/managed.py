"""Managed is what a flow may manage: a store, and the runtimes beside it in this process.

A runtime that was given nothing else lets its flows manage its own namespace; a system namespace
is given the store and the runtimes that it is there for.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from heddle.runtime.assembly.extension import Registry
    from heddle.runtime.flow.contracts import Host
    from heddle.runtime.runtime import Runtime
    from heddle.specs.model.store import Store

_MANAGED = "runtime.managed"
_HOME = "runtime.home"


class Managed:
    """A store, the runtimes that run here, and the namespaces that may be managed (None: all).

    `audit` is a file to which every change is written, a line each; empty is none. `home` is the runtime
    that manages the others, where there is one: tokens and revealed secrets go through it.
    """

    def __init__(
        self,
        store: "Store",
        registry: "Registry",
        runtimes: "Iterable[Runtime]" = (),
        *,
        namespaces: Iterable[str] | None = None,
        audit: str = "",
    ) -> None:
        self.store = store
        self.registry = registry
        self.runtimes = list(runtimes)
        self.namespaces = frozenset(namespaces) if namespaces is not None else None
        self.audit = audit
        self.home: Runtime | None = None

    def covers(self, namespace: str) -> bool:
        """Whether this namespace may be managed from here."""
        return self.namespaces is None or namespace in self.namespaces

    def runtime(self, namespace: str) -> "Runtime | None":
        """The runtime of a namespace in this process; None where none runs here."""
        for one in self.runtimes:
            if one.namespace == namespace:
                return one
        return None


def give(runtime: "Runtime", managed: Managed | None) -> None:
    """Let the flows of a runtime manage this, or else its own namespace."""
    if managed is None:
        managed = Managed(
            runtime.store, runtime.registry, [runtime], namespaces=[runtime.namespace]
        )
    else:
        managed.home = runtime
    shared: dict[Any, Any] = runtime.table.shared
    shared[_MANAGED] = managed
    shared[_HOME] = runtime


def managed_by(host: "Host") -> Managed:
    """What the flows of this host's runtime may manage."""
    found: Managed = host.shared[_MANAGED]
    return found


def home_of(host: "Host") -> "Runtime":
    """The runtime that this host's node runs in."""
    found: Runtime = host.shared[_HOME]
    return found
