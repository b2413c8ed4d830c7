"""The vendor's failures, in its own words."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import orjson
from parley_provider_sdk.testing import Answer

INVALID = "invalid_request_error"


class VendorError(NamedTuple):
    """One of the vendor's failures, in its own words."""

    status: int
    type: str
    message: str
    code: str | None = None
    param: str | None = None


ERRORS: Mapping[str, VendorError] = MappingProxyType(
    {
        "invalid_api_key": VendorError(
            401, INVALID, "Incorrect API key provided: {key}.", "invalid_api_key"
        ),
        "permission_denied": VendorError(403, INVALID, "You have insufficient permissions."),
        "model_not_found": VendorError(
            404,
            INVALID,
            "The model `{model}` does not exist or you do not have access to it.",
            "model_not_found",
        ),
        "context_length_exceeded": VendorError(
            400,
            INVALID,
            "This model's maximum context length is 8192 tokens.",
            "context_length_exceeded",
            "messages",
        ),
        "content_policy_violation": VendorError(
            400,
            INVALID,
            "Your request was rejected as a result of our safety system.",
            "content_policy_violation",
        ),
        "invalid_prompt": VendorError(
            400,
            INVALID,
            "Your prompt was flagged as potentially violating our usage policy.",
            "invalid_prompt",
        ),
        "bad_request": VendorError(
            400,
            INVALID,
            "Unsupported value: 'temperature' does not support 0.2 with this model.",
            "unsupported_value",
            "temperature",
        ),
        "unsupported_parameter": VendorError(
            400,
            INVALID,
            "Unsupported parameter: 'reasoning.effort' is not supported with this model.",
            "unsupported_parameter",
            "reasoning.effort",
        ),
        "timeout": VendorError(408, INVALID, "Request timed out."),
        "conflict": VendorError(409, INVALID, "The resource is locked."),
        "too_large": VendorError(413, INVALID, "Request body is too large."),
        "unprocessable": VendorError(422, INVALID, "The request is not valid."),
        "rate_limit_exceeded": VendorError(
            429,
            "requests",
            "Rate limit reached for {model} on requests per min (RPM): Limit 3, Used 3.",
            "rate_limit_exceeded",
        ),
        "insufficient_quota": VendorError(
            429,
            "insufficient_quota",
            "You exceeded your current quota, please check your plan and billing details.",
            "insufficient_quota",
        ),
        "server_error": VendorError(
            500, "server_error", "The server had an error while processing your request."
        ),
        "overloaded": VendorError(
            503, "server_error", "That model is currently overloaded with other requests."
        ),
        "slow_down": VendorError(
            503, "service_unavailable_error", "Slow down: please reduce your rate.", "slow_down"
        ),
    }
)


def error_body(name: str, **words: str) -> dict[str, Any]:
    """Returns the vendor's body for a failure."""
    return body_of(ERRORS[name], **words)


def body_of(error: VendorError, **words: str) -> dict[str, Any]:
    """Returns the vendor's body for an error."""
    # The full key comes back on purpose: a client that shows the vendor's words shows the key.
    message = error.message.format(**{"key": "", "model": "", **words})
    facts = {"message": message, "type": error.type, "param": error.param, "code": error.code}
    return {"error": facts}


def answer_of(error: VendorError, **words: str) -> Answer:
    """Returns the vendor's answer for an error."""
    return Answer(error.status, orjson.dumps(body_of(error, **words)))
