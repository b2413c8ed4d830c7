"""What every request passes on its way in and every answer on its way out."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from dataclasses import dataclass, field

from parley_rpc import log
from parley_rpc.faults import Fault, Internal, Unavailable
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uuid_utils.compat import uuid7

from parley_gateway.api import problems

SCOPE_KEY = "parley.exchange"
UNEXPECTED = "Parley failed; the request id finds the cause in the log."
SANE_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,100}")
Headers = list[tuple[bytes, bytes]]
ALWAYS: Headers = [
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
]

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Exchange:
    """One request and its answer: what is known of it, and what its answer says besides."""

    request_id: str
    user_id: str = ""
    status: int = 0
    headers: Headers = field(default_factory=list)
    # Why it was refused, and what the audit log is to say of it.
    reason: str = ""
    details: dict[str, object] = field(default_factory=dict)


class Exchanges:
    """Names each request, adds the headers of every answer, and logs one line.

    Anything raised that got so far is our own mistake: it is logged with its traceback under
    the request id, and the caller is told a fixed sentence.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = time.perf_counter()
        exchange = scope[SCOPE_KEY] = Exchange(request_id_of(scope["headers"]))

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
                message = {**message, "headers": complete(message["headers"], exchange)}
            await send(message)

        try:
            await self.app(scope, receive, answer)
        except asyncio.CancelledError:
            # The server cancels what still runs when it has waited long enough.
            await excuse(Unavailable("The gateway is stopping."), scope, receive, answer)
        except Exception:
            fields = {"request_id": exchange.request_id, "route": route_of(scope)}
            logger.exception("failed", extra={"fields": fields})
            await excuse(Internal(UNEXPECTED), scope, receive, answer)
        finally:
            note(scope, exchange, began)


async def excuse(fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with a fault, unless the answer has begun."""
    exchange = exchange_of(scope)
    if not exchange.status:
        await problems.response(fault, exchange.request_id)(scope, receive, send)


def exchange_of(scope: Scope) -> Exchange:
    """Return the exchange that a scope belongs to."""
    exchange: Exchange = scope[SCOPE_KEY]
    return exchange


def header(scope: Scope, name: bytes) -> bytes | None:
    """Return the first header of that name, which is in lower case."""
    return next((value for key, value in scope["headers"] if key == name), None)


def request_id_of(headers: Headers) -> str:
    """Take the request id that the client gave when it is sane, or make one."""
    given = next((value for name, value in headers if name == b"x-request-id"), b"")
    return given.decode() if SANE_REQUEST_ID.fullmatch(given) else str(uuid7())


def complete(headers: Headers, exchange: Exchange) -> Headers:
    """Add what every answer says; what it says itself stands."""
    said = {name.lower() for name, _ in headers}
    return [
        *headers,
        *(pair for pair in ALWAYS if pair[0] not in said),
        *exchange.headers,
        (b"x-request-id", exchange.request_id.encode()),
    ]


def route_of(scope: Scope) -> str:
    """Return the template of the route, such as `/chat/history/{chat_id}`, or nothing."""
    return getattr(scope.get("route"), "path", "")


def note(scope: Scope, exchange: Exchange, began: float) -> None:
    """Log the line of a request: no path, no query and no body, for they may hold secrets."""
    fields = {
        "method": scope["method"],
        "route": route_of(scope),
        "status": exchange.status,
        "ms": round((time.perf_counter() - began) * 1000, 2),
        "request_id": exchange.request_id,
        "user_id": exchange.user_id,
    }
    log.access.info("request", extra={"fields": fields})
