"""Failures in the words of the dialect that a route speaks; everywhere else, problem documents."""

from __future__ import annotations

import math
from enum import StrEnum
from typing import Any, NamedTuple

import orjson
from parley_rpc.faults import Fault, reason_of
from starlette.responses import Response
from starlette.types import Scope

from parley_gateway.api import problems
from parley_gateway.api.middleware import exchange_of, header

# Whose clients send it with every request, on routes that both dialects have.
ANTHROPIC_VERSION = b"anthropic-version"
# In a fault's metadata: what Anthropic's clients know a cause by, and go on without it.
ERROR_CODE = "error_code"
# Likewise what OpenAI's clients know a cause by that has no reason of its own here.
OPENAI_CODE = "openai_code"


class Dialect(StrEnum):
    """Whose API a route speaks."""

    OPENAI = "openai"
    ANTHROPIC = "anthropic"


class Word(NamedTuple):
    """What a dialect makes of a status or a reason: the status and its own name for it."""

    status: int
    type: str
    code: str | None = None


# By reason, before by status: types and codes as the vendors' own clients and guides name them.
OPENAI_REASONS: dict[str, Word] = {
    "unauthenticated": Word(401, "invalid_request_error", "invalid_api_key"),
    "budget_exceeded": Word(429, "insufficient_quota", "insufficient_quota"),
    "provider_quota": Word(429, "insufficient_quota", "insufficient_quota"),
    # Nothing that waiting or paying helps with.
    "price_unknown": Word(400, "invalid_request_error"),
    "limit_exceeded": Word(429, "rate_limit_error", "rate_limit_exceeded"),
    "rate_limited": Word(429, "rate_limit_error", "rate_limit_exceeded"),
    "model_not_found": Word(404, "invalid_request_error", "model_not_found"),
    "provider_not_found": Word(404, "invalid_request_error", "model_not_found"),
    "context_length": Word(400, "invalid_request_error", "context_length_exceeded"),
    "content_filtered": Word(400, "invalid_request_error", "content_filter"),
    "overloaded": Word(503, "server_error", "server_is_overloaded"),
}
OPENAI_STATUSES: dict[int, Word] = {
    401: Word(401, "authentication_error"),
    403: Word(403, "permission_error"),
    409: Word(409, "conflict_error"),
    422: Word(400, "invalid_request_error"),
    429: Word(429, "rate_limit_error"),
}
ANTHROPIC_REASONS: dict[str, Word] = {
    "price_unknown": Word(400, "invalid_request_error"),
    "provider_not_found": Word(404, "not_found_error"),
    "overloaded": Word(529, "overloaded_error"),
    "too_busy": Word(529, "overloaded_error"),
}
ANTHROPIC_STATUSES: dict[int, Word] = {
    401: Word(401, "authentication_error"),
    402: Word(402, "billing_error"),
    403: Word(403, "permission_error"),
    404: Word(404, "not_found_error"),
    413: Word(413, "request_too_large"),
    422: Word(400, "invalid_request_error"),
    429: Word(429, "rate_limit_error"),
    504: Word(504, "timeout_error"),
}


def dialect_of(scope: Scope) -> Dialect | None:
    """Say whose API a request speaks; None when it is our own."""
    path: str = scope["path"]
    if path != "/v1" and not path.startswith("/v1/"):
        return None
    if path == "/v1/messages" or path.startswith("/v1/messages/"):
        return Dialect.ANTHROPIC
    is_models = path == "/v1/models" or path.startswith("/v1/models/")
    if is_models and header(scope, ANTHROPIC_VERSION) is not None:
        return Dialect.ANTHROPIC
    return Dialect.OPENAI


def response(fault: Fault, scope: Scope) -> Response:
    """Answer with a fault, as the clients of the route read it."""
    request_id, dialect = exchange_of(scope).request_id, dialect_of(scope)
    if dialect is None:
        return problems.response(fault, request_id)
    made = problems.response(fault, request_id)
    headers = {
        name: made.headers[name]
        for name in ("retry-after", "www-authenticate")
        if name in made.headers
    }
    # Both vendors' clients obey it; by the status alone they would ask again what cannot change.
    headers["x-should-retry"] = "true" if problems.row_of(fault).retryable else "false"
    if dialect is Dialect.ANTHROPIC:
        headers["request-id"] = request_id
    status, document = word_of(fault, dialect).status, document_of(fault, dialect, request_id)
    if status in {429, 503, 529} and "retry-after" not in headers:
        wait = problems.COME_BACK_SECONDS if fault.retry_after is None else fault.retry_after
        headers["retry-after"] = str(max(1, math.ceil(wait)))
    return Response(orjson.dumps(document), status, headers, "application/json")


def document_of(fault: Fault, dialect: Dialect, request_id: str) -> dict[str, Any]:
    """Write the document of a fault; in a stream it is the last event's data."""
    word = word_of(fault, dialect)
    if dialect is Dialect.ANTHROPIC:
        error: dict[str, Any] = {"type": word.type, "message": fault.sentence}
        if ERROR_CODE in fault.metadata:
            error["details"] = {ERROR_CODE: fault.metadata[ERROR_CODE]}
        return {"type": "error", "error": error, "request_id": request_id}
    return {
        "error": {
            "message": fault.sentence,
            "type": word.type,
            "param": parameter(fault),
            "code": fault.metadata.get(OPENAI_CODE) or word.code or reason_of(fault),
        }
    }


def word_of(fault: Fault, dialect: Dialect) -> Word:
    """Return what a dialect calls a fault, and with which status."""
    is_openai = dialect is Dialect.OPENAI
    reasons = OPENAI_REASONS if is_openai else ANTHROPIC_REASONS
    statuses = OPENAI_STATUSES if is_openai else ANTHROPIC_STATUSES
    status = problems.row_of(fault).status
    known = reasons.get(reason_of(fault)) or statuses.get(status)
    if known is not None:
        return known
    if status >= 500:
        return Word(status, "server_error" if is_openai else "api_error")
    return Word(status, "invalid_request_error")


def parameter(fault: Fault) -> str | None:
    """Return the field that breaks its rule, such as `messages[0].content`; None without one."""
    return (fault.violations[0].field or None) if fault.violations else None
