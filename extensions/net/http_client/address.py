"""The addresses out in the world, and those that are ours alone: this machine, this network.

The address is judged if a socket is made for it: after names were resolved, after redirects, and
for the very address that is connected to. A name that resolves to another address the second time
gains nothing.
"""

import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any, Final

_TRANSLATED: Final = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))


class PrivateAddressError(OSError):
    """The address is not one of the public internet."""


def is_public(text: str) -> bool:
    """Return whether an address belongs to the public internet; IPv4 inside IPv6 is judged as IPv4."""
    try:
        address: IPv4Address | IPv6Address = ip_address(text.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address.teredo is not None:
            inner = address.teredo[1]
        elif any(address in network for network in _TRANSLATED):
            inner = IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            address = inner
    return address.is_global and not address.is_multicast


def public_socket(info: tuple[Any, ...]) -> socket.socket:
    """Return a socket for an address of `getaddrinfo`; PrivateAddress if it is not public."""
    family, kind, protocol, _, address = info
    if not is_public(str(address[0])):
        # One text for all addresses of a name: only then is it told as it stands.
        raise PrivateAddressError("it is not an address of the public internet")
    return socket.socket(family=family, type=kind, proto=protocol)
