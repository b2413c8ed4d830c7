"""What goes into the audit log by itself: changes in other services, and refusals."""

from __future__ import annotations

from dataclasses import replace

from fastapi import Request
from parley_rpc.faults import Fault, reason_of
from starlette.types import Receive, Scope, Send
from typing_extensions import override

from parley_gateway.api.bodies import parse
from parley_gateway.api.credential import named_key
from parley_gateway.api.dependencies import BODY, IDENTITY, GuardedRoute, gateway_of
from parley_gateway.api.middleware import Exchange, exchange_of
from parley_gateway.api.origin import whence_of
from parley_gateway.core.entries import ASKED, DONE, LOGIN, Entry, made_by, storable
from parley_gateway.core.model import Identity

# Refusals of somebody who is known, and of somebody who is not.
FORBIDDEN = frozenset({"permission_denied", "scope_missing"})
STRANGER = "unauthenticated"


class AuditedRoute(GuardedRoute):
    """A route that changes something in another service.

    What is asked for is written before it is, so nothing is changed that no entry tells of; what
    came of it is written after it, under the same request id.
    """

    @override
    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] == "GET":
            await super().answer(scope, receive, send)
            return
        audit, exchange = gateway_of(scope).audit, exchange_of(scope)
        entry = self.asked(scope)
        await audit.write(entry)
        try:
            await super().answer(scope, receive, send)
        finally:
            outcome = DONE if succeeded(exchange) else exchange.reason or "unknown"
            details = {**entry.details, **exchange.details}
            audit.keep(replace(entry, outcome=outcome, details=details))

    def asked(self, scope: Scope) -> Entry:
        """Make the entry of a change that is asked for: of what is sent the names of fields."""
        body = parse(scope[BODY]) if self.body_field is not None else None
        sent = body if isinstance(body, dict) else {}
        known = self.body_field.field_info.annotation if self.body_field is not None else None
        fields = sorted(sent.keys() & getattr(known, "model_fields", {}).keys())
        name = sent.get("name")
        target = target_of(scope) or (name if isinstance(name, str) else "")
        whence = whence_of(scope, gateway_of(scope).trusted_proxies)
        entry = made_by(scope[IDENTITY], self.operation_id or self.path, target, whence)
        return replace(entry, outcome=ASKED, details={"fields": fields} if fields else {})


def succeeded(exchange: Exchange) -> bool:
    """Say whether a request was answered with what it asked for."""
    return 200 <= exchange.status < 300


def target_of(scope: Scope) -> str:
    """Return what a path names: `acme`, or `acme/large` for a model of that provider's."""
    return "/".join(map(str, scope.get("path_params", {}).values()))


def note_refusal(request: Request, fault: Fault) -> None:
    """Count a refusal for the log: of keys that are not valid, and of what is forbidden."""
    scope, reason = request.scope, reason_of(fault)
    exchange_of(scope).reason = reason
    if reason not in FORBIDDEN and reason != STRANGER:
        return
    gateway = gateway_of(scope)
    whence = whence_of(scope, gateway.trusted_proxies)
    by: Identity | None = scope.get(IDENTITY)
    if by is None:
        key_id = named_key(scope["headers"])
        gateway.audit.refuse(Entry(LOGIN, reason, None, key_id, key_id, whence))
        return
    action = getattr(scope.get("route"), "operation_id", None) or "unknown"
    entry = made_by(by, action, storable(target_of(scope)), whence)
    gateway.audit.refuse(replace(entry, outcome=reason))
