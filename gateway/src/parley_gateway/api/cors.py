"""Pages of other origins: those that are allowed may ask, with a key that they hold."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from parley_gateway.api.door import Headers
from parley_gateway.api.middleware import exchange_of, header

PREFLIGHT: Headers = [
    (b"access-control-allow-methods", b"GET, POST, PUT, PATCH, DELETE"),
    (
        b"access-control-allow-headers",
        b"authorization, content-type, idempotency-key, last-event-id, x-api-key, x-request-id",
    ),
    # How long a browser may remember it.
    (b"access-control-max-age", b"600"),
]
READABLE = (
    b"ratelimit, ratelimit-policy, retry-after, www-authenticate, x-ratelimit-limit-requests, "
    b"x-ratelimit-remaining-requests, x-ratelimit-reset-requests, x-request-id"
)
SHOWN = (b"access-control-expose-headers", READABLE)
VARY = (b"vary", b"origin")


class CrossOrigins:
    """Tells browsers which origins may ask. Nothing is ever sent along by the browser itself.

    An origin that is not allowed is answered as if nobody had asked from a page, and its browser
    keeps the answer from it.
    """

    def __init__(self, app: ASGIApp, origins: Sequence[str]) -> None:
        self.app = app
        self.origins = frozenset(origin.encode() for origin in origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on; a browser's question before a request is answered here."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        said = exchange_of(scope).headers
        said.append(VARY)
        origin = header(scope, b"origin") or b""
        if origin in self.origins:
            said += [(b"access-control-allow-origin", origin), SHOWN]
            if scope["method"] == "OPTIONS" and header(scope, b"access-control-request-method"):
                said += PREFLIGHT
                await Response(status_code=204)(scope, receive, send)
                return
        await self.app(scope, receive, send)
