"""The extension library `network`: IP addresses, and ranges of them."""

from collections.abc import Callable
from typing import Any, Final

from heddle.extensions.languages.cel.addresses import Cidr, IpAddress, read_address, read_cidr
from heddle.extensions.languages.cel.errors import CelError
from heddle.extensions.languages.cel.library.function import Function, no_overload, typed


def _is(read: Callable[[str], Any]) -> Callable[[str], bool]:
    def reads(text: str) -> bool:
        try:
            read(text)
        except CelError:
            return False
        return True

    return reads


def _canonical(text: str) -> bool:
    return str(read_address(text)) == text


def _contains_ip(cidr: Any, address: Any) -> bool:
    if isinstance(address, str):
        address = read_address(address)
    if not isinstance(cidr, Cidr) or not isinstance(address, IpAddress):
        raise no_overload("containsIP", cidr, address)
    return cidr.contains(address)


def _contains_cidr(cidr: Any, other: Any) -> bool:
    if isinstance(other, str):
        other = read_cidr(other)
    if not isinstance(cidr, Cidr) or not isinstance(other, Cidr):
        raise no_overload("containsCIDR", cidr, other)
    return cidr.contains_range(other)


def _text(name: str, run: Callable[[str], Any], result: str = "") -> Function:
    return Function(
        name=name, run=typed(name, run, "string"), arity=1, result=result, special=not result
    )


def _method(name: str, kind: str, run: Callable[[Any], Any], result: str = "") -> Function:
    return Function(
        name=name,
        run=typed(name, run, kind),
        arity=1,
        method=True,
        result=result,
        special=not result,
    )


FUNCTIONS: Final = (
    _text("ip", read_address),
    _text("cidr", read_cidr),
    _text("isIP", _is(read_address), "bool"),
    _text("isCIDR", _is(read_cidr), "bool"),
    _text("ip.isCanonical", _canonical, "bool"),
    _method("family", "net.IP", lambda address: address.ip.version, "int"),
    _method("isUnspecified", "net.IP", lambda address: address.ip.is_unspecified, "bool"),
    _method("isLoopback", "net.IP", lambda address: address.ip.is_loopback, "bool"),
    _method("isGlobalUnicast", "net.IP", lambda address: address.global_unicast, "bool"),
    _method("isLinkLocalUnicast", "net.IP", lambda address: address.ip.is_link_local, "bool"),
    _method("isLinkLocalMulticast", "net.IP", lambda a: a.link_local_multicast, "bool"),
    _method("ip", "net.CIDR", lambda cidr: cidr.address),
    _method("masked", "net.CIDR", lambda cidr: cidr.masked()),
    _method("prefixLength", "net.CIDR", lambda cidr: cidr.prefix, "int"),
    Function(name="containsIP", run=_contains_ip, arity=2, method=True, result="bool"),
    Function(name="containsCIDR", run=_contains_cidr, arity=2, method=True, result="bool"),
)
