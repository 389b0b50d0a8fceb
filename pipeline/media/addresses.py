"""Which network addresses a URL from a stranger's list may lead to."""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

_NAT64 = IPv6Network("64:ff9b::/96")
_KINDS = ("unspecified", "loopback", "link_local", "multicast", "private", "reserved")


def outside_internet(address: str) -> str | None:
    """What kind of address it is, when it is none of the public internet; None for a public one.

    address: IPv4 or IPv6 as `socket` gives it. An IPv6 address that carries an IPv4 address (mapped,
    6to4, Teredo, NAT64) counts as that one. Raises ValueError for anything else.
    Source: the IANA special-purpose address registries, as the standard library's `ipaddress` has them.
    """
    for ip in _meant(ip_address(address)):
        for kind in _KINDS:
            if getattr(ip, f"is_{kind}"):
                return kind.replace("_", "-")
        if not ip.is_global:
            return "shared"
    return None


def _meant(ip: IPv4Address | IPv6Address) -> list[IPv4Address | IPv6Address]:
    if isinstance(ip, IPv4Address):
        return [ip]
    if ip.ipv4_mapped is not None:
        return [ip.ipv4_mapped]
    if ip.sixtofour is not None:
        return [ip.sixtofour]
    if ip.teredo is not None:
        return list(ip.teredo)
    if ip in _NAT64:
        return [IPv4Address(int(ip) & 0xFFFFFFFF)]
    return [ip]


def literal(host: str) -> str | None:
    """The address that a URL's host is, in any notation that resolvers take; None for a name."""
    bare = host.removeprefix("[").removesuffix("]")
    try:
        return str(ip_address(bare))
    except ValueError:
        pass
    try:
        return socket.inet_ntoa(socket.inet_aton(bare)) if bare and not bare.isspace() else None  # 2130706433, 0x7f.1
    except (OSError, ValueError):
        return "127.0.0.1" if bare.rstrip(".").lower().rpartition(".")[2] == "localhost" else None
