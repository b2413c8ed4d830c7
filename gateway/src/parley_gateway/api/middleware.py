"""What every request passes on its way in and every answer on its way out."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from parley_rpc import log
from parley_rpc.faults import Fault, Internal, Unavailable
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uuid_utils.compat import uuid7

from parley_gateway.api.door import Door, Headers
from parley_gateway.core.entries import Whence
from parley_gateway.core.faults import MalformedRequest

SCOPE_KEY = "parley.exchange"
UNEXPECTED = "Parley failed; the request id finds the cause in the log."
SANE_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,100}")

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Exchange:
    """One request and its answer: what is known of it, and what its answer says besides."""

    request_id: str
    # Where it comes from: of the client, not of a proxy that is trusted.
    address: str = ""
    user_id: str = ""
    status: int = 0
    headers: Headers = field(default_factory=list)
    # Why it was refused, and what the audit log is to say of it.
    reason: str = ""
    details: dict[str, object] = field(default_factory=dict)

    @property
    def whence(self) -> Whence:
        """Where it comes from, for the audit log."""
        return Whence(self.address, self.request_id)


class Exchanges:
    """Names each request, adds the headers of every answer, and logs one line.

    Anything raised that got so far is our own mistake: it is logged with its traceback under
    the request id, and the caller is told a fixed sentence.
    """

    def __init__(
        self, app: ASGIApp, door: Door, respond: Callable[[Fault, Scope], Response]
    ) -> None:
        self.app = app
        self.door = door
        # Makes the answer that tells a fault.
        self.respond = respond
        self.always = door.always()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = time.perf_counter()
        exchange = scope[SCOPE_KEY] = Exchange(
            request_id_of(scope["headers"]), self.door.proxies.client_of(scope)
        )

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
                message = {**message, "headers": self.complete(message["headers"], exchange)}
            await send(message)

        try:
            self.door.check_host(scope)
            await self.app(scope, receive, answer)
        except MalformedRequest as fault:
            exchange.headers.append((b"connection", b"close"))
            await self.excuse(fault, scope, receive, answer)
        except asyncio.CancelledError:
            # The server cancels what still runs when it has waited long enough.
            await self.excuse(Unavailable("The gateway is stopping."), scope, receive, answer)
        except Exception:
            fields = {"request_id": exchange.request_id, "route": route_of(scope)}
            logger.exception("failed", extra={"fields": fields})
            await self.excuse(Internal(UNEXPECTED), scope, receive, answer)
        finally:
            note(scope, exchange, began)

    async def excuse(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with a fault, unless the answer has begun."""
        if not exchange_of(scope).status:
            await self.respond(fault, scope)(scope, receive, send)

    def complete(self, headers: Headers, exchange: Exchange) -> Headers:
        """Add what every answer says; what it says itself stands."""
        said = {name.lower() for name, _ in headers}
        return [
            *headers,
            *(pair for pair in self.always if pair[0] not in said),
            *exchange.headers,
            (b"x-request-id", exchange.request_id.encode()),
        ]


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
