"""The door: which hosts and origins are let through, and what every answer says of itself."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from starlette.types import Scope

from parley_gateway.api.addresses import Proxies
from parley_gateway.core.faults import MalformedRequest

Headers = list[tuple[bytes, bytes]]

# A name as resolvers take it, or an address, with a port or without.
HOST = re.compile(
    rb"((?:[A-Za-z0-9_-]{1,63}\.)*[A-Za-z0-9_-]{1,63}\.?|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?"
)
ALWAYS: Headers = [
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
]


@dataclass(frozen=True)
class Door:
    """What is let through; without anything said, any well-formed host and no other origin."""

    # Names, in lower case and without a port; `.example.com` means all names below it.
    hosts: Sequence[str] = ()
    # Exact origins of pages in browsers that may ask: `https://chat.example.com`.
    origins: Sequence[str] = ()
    proxies: Proxies = field(default_factory=Proxies)
    # Whether `/docs`, `/redoc` and `/openapi.json` are there.
    docs: bool = True
    # For how long browsers shall come by TLS only; 0 says nothing of it.
    hsts_seconds: int = 0

    def always(self) -> Headers:
        """Return what every answer says."""
        if not self.hsts_seconds:
            return ALWAYS
        policy = b"max-age=%d" % self.hsts_seconds
        return [*ALWAYS, (b"strict-transport-security", policy)]

    def check_host(self, scope: Scope) -> None:
        """Refuse a request whose Host is missing, odd, or none of ours; MalformedRequest.

        What a Host may hold beside a name has been taken for a part of the path elsewhere.
        """
        named = [value for name, value in scope["headers"] if name == b"host"]
        if not named and scope.get("http_version") != "1.1":
            return
        found = HOST.fullmatch(named[0]) if len(named) == 1 else None
        if found is None:
            raise MalformedRequest("The request needs one Host header, a name or an address.")
        if self.hosts and not self._is_ours(found[1].decode().lower().removesuffix(".")):
            raise MalformedRequest("The Host header names another server: see ALLOWED_HOSTS.")

    def _is_ours(self, name: str) -> bool:
        return any(
            name.endswith(host) if host.startswith(".") else name == host for host in self.hosts
        )
