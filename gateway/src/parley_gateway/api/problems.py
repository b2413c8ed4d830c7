"""Failures as HTTP tells them: one table, one document (RFC 9457)."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import orjson
from parley_rpc import faults
from parley_rpc.faults import Fault, kind_of, reason_of
from starlette.responses import Response

MEDIA_TYPE = "application/problem+json"
# Where a document's `type` leads: a page of the gateway's, and a heading in its README.
PROBLEM_TYPES = "/docs/problems/"
COME_BACK_SECONDS = 1.0


class Row(NamedTuple):
    """What HTTP makes of a reason: the status, a fixed title, and whether to try again."""

    status: int
    title: str
    retryable: bool = False


PROBLEMS: dict[str, Row] = {
    "invalid_argument": Row(422, "A field breaks its rule"),
    "unauthenticated": Row(401, "No valid key"),
    "permission_denied": Row(403, "Not allowed"),
    "scope_missing": Row(403, "The key may not do this"),
    "limit_exceeded": Row(429, "A limit is reached", retryable=True),
    "unavailable": Row(503, "A service is away", retryable=True),
    "database_unavailable": Row(503, "The database is away", retryable=True),
    "deadline_exceeded": Row(504, "It took too long", retryable=True),
    "too_busy": Row(503, "Too much at once", retryable=True),
    "unimplemented": Row(501, "Not served"),
    "internal": Row(500, "A fault of Parley's own"),
    "chat_not_found": Row(404, "No such chat"),
    "message_not_found": Row(404, "No such reply"),
    "chat_busy": Row(409, "Too many turns wait in this chat", retryable=True),
    "idempotency_key_reused": Row(422, "The idempotency key was used with another body"),
    "turn_interrupted": Row(503, "The reply was interrupted", retryable=True),
    "chat_deleted": Row(409, "The chat was deleted meanwhile"),
    "tool_calls_too_large": Row(502, "The reply calls tools with too much"),
    "prompt_not_found": Row(404, "No such prompt"),
    "prompt_exists": Row(409, "The prompt's name is taken"),
    "prompt_shared": Row(409, "A shared prompt cannot be changed"),
    "provider_not_found": Row(404, "No such provider"),
    "provider_not_ready": Row(409, "The provider cannot be used"),
    "model_not_found": Row(404, "No such model"),
    "alias_not_found": Row(404, "No such alias"),
    "usage_exists": Row(409, "The usage id was used before"),
    "provider_exists": Row(409, "The provider's name is taken"),
    "plugin_not_found": Row(404, "No such plugin"),
    "provider_built_in": Row(409, "The provider comes with its plugin"),
    "master_key_missing": Row(409, "There is no master key"),
    "provider_auth": Row(502, "The provider refused our credential"),
    "provider_quota": Row(402, "Our account with the provider is used up"),
    "rate_limited": Row(429, "The provider limits our rate", retryable=True),
    "overloaded": Row(503, "The provider is overloaded", retryable=True),
    "provider_error": Row(502, "The provider failed", retryable=True),
    "timeout": Row(504, "The provider took too long", retryable=True),
    "context_length": Row(422, "The conversation is too long for the model"),
    "too_large": Row(413, "The request is too large for the provider"),
    "content_filtered": Row(422, "The provider's filter refused the request"),
    "bad_request": Row(422, "The provider does not take the request as it is"),
    "unreachable": Row(502, "The provider cannot be reached", retryable=True),
    "bad_response": Row(502, "The provider's answer cannot be understood", retryable=True),
    "circuit_open": Row(503, "The provider is left alone for a while", retryable=True),
    "budget_exceeded": Row(402, "A budget is used up"),
    "price_unknown": Row(402, "The model's price is not known"),
    "route_not_found": Row(404, "No such route"),
    "method_not_allowed": Row(405, "The route does not take this method"),
    "malformed_body": Row(400, "The body is not JSON"),
    "body_too_large": Row(413, "The body is too large"),
    "slow_body": Row(408, "The body came too slowly", retryable=True),
    "encoded_body": Row(415, "The body is compressed"),
    "head_too_large": Row(431, "The headers are too large"),
    "malformed_request": Row(400, "The request is not right"),
    "too_many_attempts": Row(429, "Too many wrong keys", retryable=True),
    "user_not_found": Row(404, "No such user"),
    "key_not_found": Row(404, "No such key"),
    "user_exists": Row(409, "The user's name is taken"),
    "last_administrator": Row(409, "Somebody must be able to administer"),
    "key_rotated": Row(409, "The key has a successor"),
    "chat_goes_on": Row(409, "The chat holds more than that"),
}
# For a reason that a newer service knows and this gateway does not.
UNKNOWN: dict[type[Fault], Row] = {
    faults.InvalidArgument: Row(422, "The request is not valid"),
    faults.Unauthenticated: PROBLEMS["unauthenticated"],
    faults.PermissionDenied: PROBLEMS["permission_denied"],
    faults.NotFound: Row(404, "Not found"),
    faults.AlreadyExists: Row(409, "Exists already"),
    faults.Aborted: Row(409, "Somebody else was at it", retryable=True),
    faults.FailedPrecondition: Row(409, "Not in this state"),
    faults.LimitExceeded: Row(429, "A limit is reached", retryable=True),
    faults.Unavailable: PROBLEMS["unavailable"],
    faults.DeadlineExceeded: PROBLEMS["deadline_exceeded"],
    faults.Unimplemented: PROBLEMS["unimplemented"],
    faults.BadGateway: PROBLEMS["provider_error"],
}


def row_of(fault: Fault) -> Row:
    """Return what HTTP makes of a fault."""
    row = PROBLEMS.get(reason_of(fault))
    if row is not None:
        return row
    kinds = (UNKNOWN[cls] for cls in kind_of(fault).__mro__ if cls in UNKNOWN)
    return next(kinds, PROBLEMS["internal"])


def document(fault: Fault, request_id: str) -> dict[str, Any]:
    """Write the problem document of a fault."""
    row, reason = row_of(fault), reason_of(fault)
    problem: dict[str, Any] = {
        "type": f"{PROBLEM_TYPES}{reason}",
        "title": row.title,
        "status": row.status,
        "detail": fault.sentence,
        "instance": request_id,
        "reason": reason,
        "retryable": row.retryable,
        "metadata": fault.metadata,
    }
    if fault.violations:
        problem["errors"] = [
            {"pointer": pointer(violation.field), "detail": violation.description}
            for violation in fault.violations
        ]
    return problem


def response(fault: Fault, request_id: str) -> Response:
    """Answer with a fault."""
    problem = document(fault, request_id)
    headers = {}
    if problem["status"] in {429, 503}:
        wait = COME_BACK_SECONDS if fault.retry_after is None else fault.retry_after
        headers["Retry-After"] = str(max(1, math.ceil(wait)))
    if problem["status"] == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="parley"'
    return Response(orjson.dumps(problem), problem["status"], headers, MEDIA_TYPE)


def pointer(field: str) -> str:
    """Write a field of a contract, such as `parts[0].text`, as a JSON Pointer."""
    if not field or field.startswith("/"):
        return field
    return "/" + field.replace("[", ".").replace("]", "").replace(".", "/")
