"""The API as the settings say: the namespace `system`, alone or beside a runtime."""

from typing import TYPE_CHECKING, Any

from heddle.cli.exit_codes import CommandError
from heddle.cli.settings import Settings

if TYPE_CHECKING:
    from heddle.extensions.manage.system import ApiSettings
    from heddle.runtime.assembly.extension import Registry
    from heddle.runtime.runtime import Runtime
    from heddle.specs.model.store import Store

WANTED = "HOST:PORT, such as 127.0.0.1:7878 or [::1]:7878"


def address(text: str) -> tuple[str, int]:
    """Host and port of a text such as `127.0.0.1:7878`, `:7878` or `7878`; raise CommandError if it is none."""
    host, _, port = text.rpartition(":")
    if not port.isascii() or not port.isdecimal() or int(port) > 65535:
        raise CommandError(f'"{text}" is not an address (expected: {WANTED})')
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise CommandError(f'"{text}" is not an address (expected: {WANTED})')
    return host or "127.0.0.1", int(port)


def serving(settings: Settings) -> "ApiSettings":
    """Return how the API is served."""
    from heddle.extensions.manage.system import ApiSettings

    host, port = address(settings.system or settings.system_listen)
    return ApiSettings(
        host=host,
        port=port,
        cert=settings.system_cert,
        key=settings.system_key,
        names=settings.system_hosts,
        rate=settings.system_rate,
        body=settings.system_body,
        audit=settings.system_audit,
    )


def system(
    settings: Settings,
    store: "Store | str",
    registry: "Registry",
    *beside: "Runtime",
    **options: Any,
) -> "Runtime":
    """Return the runtime of the API, not begun yet; alone it owns the store, beside a runtime that does."""
    from heddle.extensions.manage.system import SYSTEM, system_runtime

    made = registry.stores.make(store, namespace=SYSTEM) if isinstance(store, str) else store
    return system_runtime(
        made,
        registry,
        beside,
        serving=serving(settings),
        owned=not beside,
        environment=settings.environment,
        drain=settings.drain,
        redactor=settings.redactor,
        **options,
    )
