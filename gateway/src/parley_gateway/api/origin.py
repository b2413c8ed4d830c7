"""Where a request comes from: its peer, or whom a trusted proxy names."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from starlette.types import Scope

from parley_gateway.api.middleware import exchange_of
from parley_gateway.core.entries import Whence

FORWARDED = b"x-forwarded-for"
Networks = Sequence[IPv4Network | IPv6Network]


def whence_of(scope: Scope, trusted: Networks) -> Whence:
    """Say where a request comes from, and what it is called."""
    return Whence(address_of(scope, trusted), exchange_of(scope).request_id)


def address_of(scope: Scope, trusted: Networks) -> str:
    """Return the address of whoever asks.

    What `X-Forwarded-For` says is believed from the right, as far as trusted proxies wrote it.
    """
    address: str = (scope.get("client") or ("", 0))[0]
    lines = [value for name, value in scope["headers"] if name == FORWARDED]
    hops = [hop.strip() for line in lines for hop in line.decode("latin-1").split(",")]
    while hops and is_trusted(address, trusted) and parsed(hops[-1]) is not None:
        address = hops.pop()
    return address


def is_trusted(address: str, trusted: Networks) -> bool:
    """Say whether an address is one of our proxies."""
    known = parsed(address)
    return known is not None and any(known in network for network in trusted)


def parsed(address: str) -> IPv4Address | IPv6Address | None:
    """Read an address; one of IPv4 that is written as IPv6 is itself."""
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return None
    return getattr(known, "ipv4_mapped", None) or known
