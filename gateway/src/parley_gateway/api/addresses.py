"""Where a request comes from: the peer, or whom proxies that are trusted name in its place."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import TypeAlias

from starlette.types import Scope

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

FORWARDED = b"x-forwarded-for"
# One household, or one machine: an address of its own costs nothing within it.
HOUSEHOLD = 64


class Proxies:
    """The proxies that are believed when they name their client in `X-Forwarded-For`."""

    def __init__(self, networks: Sequence[Network] = ()) -> None:
        self._networks = tuple(networks)

    def client_of(self, scope: Scope) -> str:
        """Return the address of who asks; nothing for one on a unix socket.

        Each proxy adds its own client at the end. So the list is read from its end, as long as
        who wrote it is trusted; what stands before that anybody may have made up.
        """
        found = (scope.get("client") or ("",))[0]
        if not self._networks:
            return found
        for named in named_clients(scope):
            if not self._trusts(found):
                break
            address = parsed(named)
            if address is None:
                break
            found = str(address)
        return found

    def _trusts(self, text: str) -> bool:
        # A peer on a unix socket is on this machine, and only a proxy listens there.
        address = parsed(text)
        return not text or (address is not None and any(address in net for net in self._networks))


def named_clients(scope: Scope) -> Iterator[str]:
    """Yield what `X-Forwarded-For` holds, the last one first."""
    values = [value for name, value in scope["headers"] if name == FORWARDED]
    for value in reversed(values):
        yield from (part.strip() for part in reversed(value.decode("latin-1").split(",")))


def parsed(text: str) -> Address | None:
    """Read an address, with a port or without; IPv4 in IPv6 is IPv4."""
    bare = text[1:].partition("]")[0] if text.startswith("[") else text
    if bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


@lru_cache(maxsize=1024)
def household(text: str) -> str:
    """Return what stands for all addresses that one machine may have at once."""
    address = parsed(text)
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, HOUSEHOLD), strict=False))
    return text
