"""Where an administrator may point a provider: an address that means one thing to everybody."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, urlsplit

from parley_provider_sdk.addresses import is_never_allowed, parsed
from parley_rpc.faults import InvalidArgument

LONGEST_ADDRESS = 500
# Ports of other protocols, which a request in HTTP could be smuggled into.
FOREIGN_PORTS = frozenset(
    {7, 9, 19, 20, 21, 22, 23, 25, 53, 79, 110, 111, 119, 135, 139, 143, 389, 445, 465, 514, 587}
    | {636, 873, 993, 995, 1433, 2049, 3306, 3389, 5432, 6379, 11211, 27017}
)
# A name as resolvers take it, or an address. Everything else is read in more than one way.
HOST = re.compile(r"([a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63}\.?|[0-9a-f]*:[0-9a-f:.]*")
# Of digits and dots, and no plain IPv4 address: `0x7f.1`, `2130706433`, `0177.0.0.1`.
NUMERIC = re.compile(r"(0[xX][0-9a-fA-F]*|[0-9]+)(\.(0[xX][0-9a-fA-F]*|[0-9]+))*\.?")


def check_address(text: str, *, private: bool) -> str:
    """Return an address as it is stored; InvalidArgument says what is wrong with it.

    `private` allows addresses of this machine and of private networks. Link-local ones and others
    where clouds keep their machines' secrets are never allowed.
    """
    address = text.strip().rstrip("/")
    if len(address) > LONGEST_ADDRESS or not address.isascii() or not address.isprintable():
        raise wrong(f"must be printable ASCII of at most {LONGEST_ADDRESS} characters")
    try:
        url = urlsplit(address)
        port = url.port
    except ValueError:
        raise wrong("must be an http or https address") from None
    if url.scheme not in ("http", "https") or not url.hostname or " " in address:
        raise wrong("must be an http or https address")
    if url.username is not None or url.password is not None:
        raise wrong("must not hold a user or a password")
    if "?" in address or "#" in address:
        raise wrong("must not hold a query or a fragment")
    if port is not None and (port == 0 or port in FOREIGN_PORTS):
        raise wrong("must not lead to a port of another protocol")
    check_host(url, private=private)
    return address


def check_host(url: SplitResult, *, private: bool) -> None:
    """Refuse hosts that are written in odd ways, or lead where nobody may go; InvalidArgument."""
    host = url.hostname or ""
    written = f"[{host}]" if ":" in host else host
    if not HOST.fullmatch(host) or url.netloc.lower() not in (written, f"{written}:{url.port}"):
        raise wrong("must write its host as a plain name or address")
    found = parsed(host)
    if found is None and NUMERIC.fullmatch(host):
        raise wrong("must write an IP address in its usual form")
    if host.endswith("."):
        raise wrong("must not end its host with a dot")
    if found is not None and is_never_allowed(found):
        raise wrong("must not lead to a link-local address, or to one that is nobody's")
    is_inner = host == "localhost" or host.endswith(".localhost")
    if found is not None:
        is_inner = not found.is_global
    if is_inner and not private:
        raise wrong("must not lead to a private address; the operator's settings forbid it")


def wrong(rule: str) -> InvalidArgument:
    """Return the fault of an address that breaks a rule."""
    return InvalidArgument.of("base_url", rule)
