"""Addresses at which no vendor lives: nobody's, and those where clouds keep machines' secrets.

What is connected to is checked, not what stands in a setting: a name may lead to one address now
and to another then, and literals can be written in many ways.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeAlias

__all__ = [
    "ForbiddenAddress",
    "check",
    "is_never_allowed",
    "parsed",
    "private_allowed",
    "reach",
    "resolved",
]

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

# Finds the addresses of a name; raises OSError when there are none.
Lookup: TypeAlias = Callable[[str, int], Awaitable[Sequence[str]]]

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


class ForbiddenAddress(OSError):  # noqa: N818  (named for what it means, as all failures here)
    """The address is one that this provider must not be connected to."""


# What the service decided for the provider that is just being made.
_private: ContextVar[bool] = ContextVar("parley_private_addresses", default=True)


@contextmanager
def reach(*, private: bool) -> Iterator[None]:
    """Says for what is made meanwhile whether it may be connected to private addresses."""
    token = _private.set(private)
    try:
        yield
    finally:
        _private.reset(token)


def private_allowed() -> bool:
    """Says whether what is made now may be connected to private addresses."""
    return _private.get()


def check(host: str, *, private: bool) -> None:
    """Raises ForbiddenAddress unless an address, which is no name any more, may be connected to."""
    address = parsed(host)
    if address is None or is_never_allowed(address):
        raise ForbiddenAddress("No vendor is at this address.")
    if not private and not address.is_global:
        raise ForbiddenAddress("The operator forbids private addresses.")


async def looked_up(host: str, port: int) -> Sequence[str]:
    """Asks the system for the addresses of a name."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


async def resolved(
    host: str, port: int, *, private: bool, lookup: Lookup = looked_up
) -> Sequence[str]:
    """Returns the addresses of a name or a literal that may be connected to. Raises OSError."""
    found = [host] if parsed(host) else await lookup(host, port)
    allowed, refusal = [], OSError("The name has no address.")
    for one in found:
        try:
            check(one, private=private)
        except ForbiddenAddress as error:
            refusal = error
        else:
            allowed.append(one)
    if not allowed:
        raise refusal
    return allowed
