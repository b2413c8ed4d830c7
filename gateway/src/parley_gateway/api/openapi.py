"""The OpenAPI document: what FastAPI cannot know by itself."""

from __future__ import annotations

import json
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from parley_gateway.api import problems
from parley_gateway.api.dependencies import GuardedRoute, Scopes
from parley_gateway.api.dialects.documentation import collect
from parley_gateway.api.links import add_links
from parley_gateway.api.schemas.platform import Problem
from parley_gateway.core.scopes import ANY

Document = dict[str, Any]
Responses = dict[int | str, Document]

DESCRIPTION = """\
Conversations with large language models of any vendor.

Every route but the public ones wants a key, as `Authorization: Bearer <key>` or as `x-api-key`.
Every answer carries `X-Request-Id`, and every answer to a key tells in `RateLimit` what is left
of its user's hour. Every failure is a problem document (RFC 9457): branch on its `reason`.
A key may be for some things only: it needs one of the scopes in an operation's `x-scope`.
"""
EVENTS = """\
event: start
id: 0.0
data: {"chat_id":"space-facts","user_message_id":"0199…","message_id":"0199…","provider":"demo",\
"model":"demo"}

event: delta
id: 0.5
data: {"text":"A day"}

event: end
data: {"message_id":"0199…","status":"complete","finish_reason":"stop","usage":null,"cost":null}

"""
EVENT: Document = {
    "type": "object",
    "description": "One event of the stream; `data` is JSON, in one line.",
    "required": ["event", "data"],
    "properties": {
        "event": {"enum": ["start", "delta", "reasoning", "end", "problem"]},
        "id": {"type": "string", "description": "A position to resume from."},
        "data": {"type": "string", "contentMediaType": "application/json"},
    },
}
EVENT_STREAM: Responses = {
    200: {
        "description": "The turn: whole, or as server-sent events.",
        "content": {"text/event-stream": {"schema": EVENT, "example": EVENTS}},
    }
}
SCHEMES: Document = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "A key of Parley's."},
    "x-api-key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
}
# What any guarded route may answer, and what any route with a body may.
ALWAYS = (
    "unauthenticated",
    "limit_exceeded",
    "too_many_attempts",
    "malformed_request",
    "internal",
    "unavailable",
    "database_unavailable",
    "deadline_exceeded",
)
BODY_REFUSALS = (
    "malformed_body",
    "slow_body",
    "body_too_large",
    "encoded_body",
    "invalid_argument",
)
# Why a vendor is not asked, or fails; why it does not take a prompt, and makes no reply; why a chat
# takes no turn.
VENDOR_REFUSALS = (
    "provider_not_found",
    "provider_not_ready",
    "provider_auth",
    "provider_quota",
    "rate_limited",
    "overloaded",
    "provider_error",
    "timeout",
    "unreachable",
    "bad_response",
    "circuit_open",
)
PROMPT_REFUSALS = (
    *VENDOR_REFUSALS,
    "model_not_found",
    "context_length",
    "too_large",
    "bad_request",
)
REPLY_REFUSALS = (
    *PROMPT_REFUSALS,
    "content_filtered",
    "too_busy",
    "budget_exceeded",
    "price_unknown",
)
TURN_REFUSALS = (
    *REPLY_REFUSALS,
    "chat_busy",
    "idempotency_key_reused",
    "turn_interrupted",
    "chat_deleted",
    "tool_calls_too_large",
)
HEADERS: dict[int, tuple[str, str]] = {
    401: ("WWW-Authenticate", "How to show a key."),
    429: ("Retry-After", "Seconds until it is worth trying again."),
    503: ("Retry-After", "Seconds until it is worth trying again."),
}


def refusals(*reasons: str) -> Responses:
    """Document how a guarded route may fail: with these reasons, and as all of them do."""
    return failures(*reasons, *ALWAYS)


def failures(*reasons: str) -> Responses:
    """Document failures: one response for each status, one example for each reason."""
    responses: Responses = {}
    for reason in reasons:
        row = problems.PROBLEMS[reason]
        content = {
            "schema": {"$ref": "#/components/schemas/Problem"},
            "examples": {},
        }
        failure = responses.setdefault(
            row.status, {"description": "", "content": {problems.MEDIA_TYPE: content}}
        )
        if row.status in HEADERS:
            name, meaning = HEADERS[row.status]
            text = {"description": meaning, "schema": {"type": "string"}}
            failure["headers"] = {name: text}
        shown = failure["content"][problems.MEDIA_TYPE]["examples"]
        shown[reason] = {"$ref": f"#/components/examples/{reason}"}
        failure["description"] = ", ".join(f"`{name}`" for name in shown)
    return responses


def example(reason: str) -> Document:
    """Make an example of a failure."""
    row = problems.PROBLEMS[reason]
    shown: Document = {
        "type": f"{problems.PROBLEM_TYPES}{reason}",
        "title": row.title,
        "status": row.status,
        "detail": f"{row.title}.",
        "instance": "01990000-0000-7000-8000-000000000000",
        "reason": reason,
        "retryable": row.retryable,
        "metadata": {},
    }
    if reason == "invalid_argument":
        shown["errors"] = [{"pointer": "/message", "detail": "It must not be blank."}]
    return {"summary": row.title, "value": shown}


def describe(app: FastAPI) -> Document:
    """Make the document; once, for the routes do not change."""
    if app.openapi_schema is None:
        app.openapi_schema = get_openapi(
            title=app.title, version=app.version, description=DESCRIPTION, routes=app.routes
        )
        complete(app.openapi_schema, app)
        collect(app.openapi_schema)
        add_links(app.openapi_schema)
    return app.openapi_schema


def complete(document: Document, app: FastAPI) -> None:
    """Add the problem's schema, and to guarded operations what they want to be shown."""
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= problem.pop("$defs")
    schemas["Problem"] = problem
    components["examples"] = {reason: example(reason) for reason in problems.PROBLEMS}
    components["securitySchemes"] = SCHEMES
    for route in app.routes:
        if isinstance(route, GuardedRoute) and route.include_in_schema:
            for method in route.methods or ():
                operation = document["paths"][route.path_format][method.lower()]
                operation["security"] = [{name: []} for name in SCHEMES]
                is_dialect = route.path.startswith("/v1/")
                tell_scopes(operation, route.scopes_for(method), is_dialect=is_dialect)


def tell_scopes(operation: Document, scopes: Scopes, *, is_dialect: bool) -> None:
    """Tell of which scopes a key needs one; none when any key will do."""
    operation["x-scope"] = [] if scopes == ANY else sorted(scopes)
    if scopes == ANY or is_dialect:
        return
    [(status, refusal)] = failures("scope_missing").items()
    known = operation["responses"].setdefault(str(status), refusal)
    shown = known["content"][problems.MEDIA_TYPE]["examples"]
    shown |= refusal["content"][problems.MEDIA_TYPE]["examples"]
    known["description"] = ", ".join(f"`{name}`" for name in shown)


def written(document: Document) -> str:
    """Write a document so that the same one is always the same text."""
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
