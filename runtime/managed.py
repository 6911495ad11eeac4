"""Managed is what a flow may manage: a store, and the runtimes beside it in this process.

A runtime that was given nothing else lets its flows manage its own namespace; a system namespace
is given the store and the runtimes that it is there for.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from heddle.runtime.runtime import HOME, MANAGED, Runtime

if TYPE_CHECKING:
    from heddle.runtime.assembly.extension import Registry
    from heddle.runtime.flow.contracts import Host
    from heddle.specs.model.store import Store


class ManagedStores:
    """A store, the runtimes that run here, and the namespaces that may be managed (None: all).

    `audit` is a file to which every change is written, a line each; empty is none. `home` is the runtime
    that manages the others, if there is one: tokens and revealed secrets go through it.
    """

    def __init__(
        self,
        store: "Store",
        registry: "Registry",
        runtimes: Iterable[Runtime] = (),
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

    def seen(self, namespaces: Iterable[str]) -> "Store":
        """Return the store as the runtime of these namespaces sees it: with what is shipped for `home`."""
        home = self.home
        return home.store if home is not None and home.namespace in namespaces else self.store

    def covers(self, namespace: str) -> bool:
        """Return whether this namespace may be managed from here."""
        return self.namespaces is None or namespace in self.namespaces

    def runtime(self, namespace: str) -> Runtime | None:
        """Return the runtime of a namespace in this process; None if none runs here."""
        for runtime in self.runtimes:
            if runtime.namespace == namespace:
                return runtime
        return None


def managed_by(host: "Host") -> ManagedStores:
    """Return what the flows of this host's runtime may manage: its own namespace, if nothing else was given."""
    managed: ManagedStores | None = host.shared[MANAGED]
    if managed is None:
        home = home_of(host)
        managed = ManagedStores(home.store, home.registry, [home], namespaces=[home.namespace])
        host.shared[MANAGED] = managed
    return managed


def home_of(host: "Host") -> Runtime:
    """Return the runtime that this host's node runs in."""
    home: Runtime = host.shared[HOME]
    return home
