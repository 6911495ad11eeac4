"""IP addresses and ranges of them (CIDR) as values of CEL: `net.IP` and `net.CIDR`."""

import re
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final, TypeAlias

from heddle.extensions.languages.cel.errors import CelError

_Ip: TypeAlias = IPv4Address | IPv6Address

_LONGEST: Final = 64
_PREFIX: Final = re.compile(r"0|[1-9][0-9]{0,2}")
_BROADCAST: Final = IPv4Address("255.255.255.255")


class IpAddress:
    """An IP address; one of IPv4 that stands in IPv6 is one of IPv4."""

    __slots__ = ("ip",)

    def __init__(self, ip: _Ip) -> None:
        mapped = ip.ipv4_mapped if isinstance(ip, IPv6Address) else None
        self.ip: _Ip = ip if mapped is None else mapped

    def __eq__(self, other: object) -> bool:
        return isinstance(other, IpAddress) and self.ip == other.ip

    def __hash__(self) -> int:
        return hash(self.ip)

    def __str__(self) -> str:
        return str(self.ip)

    @property
    def global_unicast(self) -> bool:
        """Whether it may be one machine's beyond its own link, private ones included."""
        ip = self.ip
        special = ip.is_unspecified or ip.is_loopback or ip.is_multicast or ip.is_link_local
        return not special and ip != _BROADCAST

    @property
    def link_local_multicast(self) -> bool:
        """Whether it reaches several machines of its own link."""
        data = self.ip.packed
        if self.ip.version == 4:
            return data[:3] == b"\xe0\x00\x00"
        return data[0] == 0xFF and data[1] & 0x0F == 2


class Cidr:
    """An address with the number of bits that it shares with all of its range."""

    __slots__ = ("address", "prefix")

    def __init__(self, address: IpAddress, prefix: int) -> None:
        self.address = address
        self.prefix = prefix

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Cidr):
            return False
        return (self.address, self.prefix) == (other.address, other.prefix)

    def __hash__(self) -> int:
        return hash((self.address, self.prefix))

    def __str__(self) -> str:
        return f"{self.address}/{self.prefix}"

    def bits(self, address: IpAddress) -> int:
        """Return the bits of an address that count in this range."""
        return int(address.ip) >> (self.address.ip.max_prefixlen - self.prefix)

    def contains(self, address: IpAddress) -> bool:
        """Return whether an address is in the range."""
        same = self.address.ip.version == address.ip.version
        return same and self.bits(address) == self.bits(self.address)

    def contains_range(self, other: "Cidr") -> bool:
        """Return whether all of another range is in it."""
        return self.prefix <= other.prefix and self.contains(other.address)

    def masked(self) -> "Cidr":
        """Return the range with its first address."""
        ip = self.address.ip
        first = self.bits(self.address) << (ip.max_prefixlen - self.prefix)
        return Cidr(IpAddress(type(ip)(first)), self.prefix)


def read_address(text: str) -> IpAddress:
    """Return the address that a text is; a Fault for another text."""
    return IpAddress(_read(text, text))


def read_cidr(text: str) -> Cidr:
    """Return the range that a text such as `10.0.0.0/8` is; a Fault for another text."""
    before, slash, prefix = text.partition("/")
    address = IpAddress(_read(before, text))
    if not slash or not _PREFIX.fullmatch(prefix) or int(prefix) > address.ip.max_prefixlen:
        raise CelError(f'"{text[:_LONGEST]}" is not a range of addresses (as in 10.0.0.0/8)')
    return Cidr(address, int(prefix))


def _read(text: str, whole: str) -> _Ip:
    shown = f'"{whole[:_LONGEST]}"'
    if "%" in text:
        raise CelError(f"{shown} has a zone (expected: an address without one)")
    if ":" in text and "." in text:
        raise CelError(f"{shown} is IPv4 inside of IPv6 (expected: the IPv4 address itself)")
    try:
        return ip_address(text[: _LONGEST + 1])
    except ValueError:
        raise CelError(f"{shown} is not an IP address") from None
