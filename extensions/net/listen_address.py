"""The addresses that a listener claims, as far as they are known before it listens."""

from ipaddress import ip_address

from heddle.schemas.ascii import lower
from heddle.schemas.exclusive import EVERY, ExclusiveUse

_ALL = frozenset({("4", EVERY), ("6", EVERY)})
_LOCAL = frozenset({("4", "127.0.0.1"), ("6", "::1")})


def address_use(host: str, port: int) -> list[ExclusiveUse]:
    """Return the claim to an address; none for port 0, which is a free one.

    A name that is not an address is compared as a name: what it resolves to is known by the machine
    that listens.
    """
    if not port:
        return []
    shown = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return [
        ExclusiveUse(
            ("port",),
            f"port {port}",
            _parts(host),
            f"the address {shown}",
            "Give it another port, or link both routers to one listener.",
        )
    ]


def _parts(host: str) -> frozenset[tuple[str, str]]:
    if not host:
        return _ALL
    name = lower(host).rstrip(".")
    if name == "localhost":
        return _LOCAL
    try:
        address = ip_address(name)
    except ValueError:
        return frozenset({("name", name)})
    member = EVERY if address.is_unspecified else address.compressed
    return frozenset({(str(address.version), member)})
