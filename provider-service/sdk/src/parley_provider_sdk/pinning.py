"""Pins a vendor's own library to addresses that were checked, as `http.py` does for the wire.

Needs the extra `library` (httpx2). A plugin gives its library a client:

    httpx2.AsyncClient(transport=PinnedTransport(), follow_redirects=False, trust_env=False)

Proxies of the environment are not used: they would resolve the name themselves, unseen.
"""

from __future__ import annotations

import httpx2
from typing_extensions import override

from parley_provider_sdk.addresses import (
    ForbiddenAddress,
    Lookup,
    looked_up,
    private_allowed,
    resolved,
)

__all__ = ["PinnedTransport"]

_PORTS = {"http": 80, "https": 443}


class PinnedTransport(httpx2.AsyncBaseTransport):
    """Resolves a name once, checks what it led to, and connects to that.

    The name stays what the server is asked for and what its certificate must hold.
    """

    def __init__(self, *, lookup: Lookup = looked_up) -> None:
        self._lookup = lookup
        self._private = private_allowed()
        self._transport = httpx2.AsyncHTTPTransport(trust_env=False)

    @override
    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        addresses = await self._addresses(request)
        for address in addresses[:-1]:
            try:
                return await self._transport.handle_async_request(_pinned(request, address))
            except (httpx2.ConnectError, httpx2.ConnectTimeout):
                continue  # the next one may be well
        return await self._transport.handle_async_request(_pinned(request, addresses[-1]))

    @override
    async def aclose(self) -> None:
        await self._transport.aclose()

    async def _addresses(self, request: httpx2.Request) -> list[str]:
        url = request.url
        port = url.port or _PORTS.get(url.scheme, 0)
        try:
            found = await resolved(url.host, port, private=self._private, lookup=self._lookup)
        except ForbiddenAddress as error:
            raise httpx2.ConnectError(str(error), request=request) from None
        except (OSError, UnicodeError):
            raise httpx2.ConnectError("The name has no address.", request=request) from None
        return list(found)


def _pinned(request: httpx2.Request, address: str) -> httpx2.Request:
    """Returns the same request to an address; its Host header is that of the name already."""
    return httpx2.Request(
        request.method,
        request.url.copy_with(host=address),
        headers=request.headers,
        stream=request.stream,
        extensions={**request.extensions, "sni_hostname": request.url.host},
    )
