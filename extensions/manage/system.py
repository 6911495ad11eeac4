"""The system namespace: the flows that are shipped, and a runtime of them beside what they manage."""

from collections.abc import Iterable, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec

from heddle.runtime.assembly.extension import Registry
from heddle.runtime.managed import ManagedStores
from heddle.runtime.runtime import Runtime
from heddle.schemas.errors import SpecError
from heddle.specs.model.spec import Spec
from heddle.specs.model.store import Store
from heddle.specs.stores.overlay import overlay
from heddle.specs.yaml.document import read_path

SYSTEM = "system"
"""The namespace that manages all the others."""

FLOWS = Path(__file__).parent / "flows"

HOST, PORT = "127.0.0.1", 7878


class ApiSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings under which the API is served. `rate` is requests a second of one address, `body` bytes of one body.

    With `cert` it speaks HTTPS. `names` are what it may be called (`Host`), `audit` is the file of
    the audit log; empty is none.
    """

    host: str = HOST
    port: int = PORT
    cert: str = ""
    key: str = ""
    names: tuple[str, ...] = ()
    rate: int = 500
    body: int = 32 * 1024 * 1024
    audit: str = ""

    @property
    def environment(self) -> dict[str, Any]:
        """The values for the blanks of the shipped flows."""
        return {
            "SYSTEM_HOST": self.host,
            "SYSTEM_PORT": self.port,
            "SYSTEM_TLS": {"cert": self.cert, "key": self.key} if self.cert else None,
            "SYSTEM_NAMES": list(self.names),
            "SYSTEM_RATE": self.rate,
            "SYSTEM_BODY": self.body,
        }


@cache
def shipped() -> tuple[Spec, ...]:
    """Return the Specs of the system namespace as they are shipped."""
    reading = read_path(FLOWS, namespace=SYSTEM)
    if reading.problems:
        raise SpecError(reading.problems)
    # Nothing leads to what answers SQL: without the extra it takes all else is there.
    without = "" if find_spec("apsw") is not None else "sql"
    return tuple(spec for spec in reading.specs if spec.name != without)


def texts() -> dict[str, str]:
    """Return the files that they stand in, by name."""
    return {file.name: file.read_text(encoding="utf-8") for file in sorted(FLOWS.glob("*.yaml"))}


def system_runtime(
    store: Store,
    registry: Registry,
    runtimes: Iterable[Runtime] = (),
    *,
    serving: ApiSettings | None = None,
    owned: bool = False,
    environment: Mapping[str, Any] | None = None,
    drain: float = 30.0,
    **options: Any,
) -> Runtime:
    """Return a runtime, not begun yet, that manages this store and the runtimes beside it.

    What the store says of the namespace `system` stands over what is shipped. With `owned` the
    store opens and closes with it. `options` are those of a Runtime.
    """
    serving = serving if serving is not None else ApiSettings()
    managed = ManagedStores(store, registry, runtimes, audit=serving.audit)
    runtime = Runtime(
        namespace=SYSTEM,
        store=overlay(store, shipped(), owned=owned),
        kinds=registry,
        environment={**(environment or {}), **serving.environment},
        managed=managed,
        drain=drain,
        **options,
    )
    # It is managed as well: what it does is seen like everything else.
    managed.runtimes.append(runtime)
    return runtime
