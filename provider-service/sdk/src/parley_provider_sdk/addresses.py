"""Addresses at which no vendor lives: nobody's, and those where clouds keep machines' secrets."""

from __future__ import annotations

import ipaddress
from typing import TypeAlias

__all__ = ["is_never_allowed", "parsed"]

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

# Where some clouds keep their machines' secrets besides the link-local addresses.
METADATA = frozenset(
    map(ipaddress.ip_address, ("100.100.100.200", "192.0.0.192", "168.63.129.16", "fd00:ec2::254"))
)
# IPv6 networks whose last 32 bits are an IPv4 address that a translator leads to.
TRANSLATED = tuple(map(ipaddress.IPv6Network, ("::/96", "64:ff9b::/96")))


def parsed(host: str) -> Address | None:
    """Returns a literal address, the IPv4 address inside of an IPv6 one; None for a name."""
    try:
        found = ipaddress.ip_address(host)
    except ValueError:
        return None
    if not isinstance(found, ipaddress.IPv6Address):
        return found
    # The first two of `::/96` are no IPv4 addresses, but IPv6's own: nobody, and this machine.
    if any(found in network for network in TRANSLATED) and int(found) > 1:
        return ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
    return found.ipv4_mapped or found.sixtofour or found


def is_never_allowed(address: Address) -> bool:
    """Says whether no vendor can be at an address."""
    is_nobodys = address.is_multicast or address.is_unspecified
    return address.is_link_local or is_nobodys or address in METADATA
