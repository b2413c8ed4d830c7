"""The vendor's failures in its own words."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

_INVALID = "invalid_request_error"
_LIMITED = "rate_limit_error"


class VendorError(NamedTuple):
    """One of the vendor's failures."""

    status: int
    type: str
    message: str
    # `error.details.error_code`, where it has one.
    code: str = ""


ERRORS: Mapping[str, VendorError] = MappingProxyType(
    {
        # The full key comes back on purpose: a client that shows the vendor's words shows the key.
        "authentication": VendorError(401, "authentication_error", "invalid x-api-key: {key}"),
        "permission": VendorError(
            403, "permission_error", "Your API key does not have permission to use it."
        ),
        "on_hold": VendorError(
            400, _INVALID, "This organization has been disabled.", "organization_on_hold"
        ),
        "model_not_found": VendorError(404, "not_found_error", "model: {model}"),
        "bad_request": VendorError(400, _INVALID, "messages: at least one message is required"),
        "unprocessable": VendorError(422, _INVALID, "The request is not valid."),
        "temperature": VendorError(400, _INVALID, "`temperature` is deprecated for this model."),
        "extra_inputs": VendorError(400, _INVALID, "top_p: Extra inputs are not permitted"),
        "effort": VendorError(400, _INVALID, "This model does not support the effort parameter."),
        "thinking": VendorError(
            400,
            _INVALID,
            '"thinking.type.enabled" is not supported for this model. Use "thinking.type.adaptive" '
            'and "output_config.effort" to control thinking behavior.',
        ),
        "forced_tool": VendorError(
            400, _INVALID, 'tool_choice: type "tool" and "any" are not supported for this model.'
        ),
        "prompt_too_long": VendorError(
            400, _INVALID, "prompt is too long: 208656 tokens > 200000 maximum"
        ),
        "context_limit": VendorError(
            400,
            _INVALID,
            "input length and `max_tokens` exceed context limit: 178959 + 64000 > 200000, "
            "decrease input length or `max_tokens` and try again",
        ),
        "content_filter": VendorError(400, _INVALID, "Output blocked by content filtering policy"),
        "own_spend_limit": VendorError(
            400,
            _INVALID,
            "You have reached your specified API usage limits. "
            "You will regain access on 2026-12-01 at 00:00 UTC.",
        ),
        "credit_balance": VendorError(
            400,
            _INVALID,
            "Your credit balance is too low to access the Anthropic API. "
            "Please go to Plans & Billing to upgrade or purchase credits.",
        ),
        "billing": VendorError(402, "billing_error", "There is an issue with your payment."),
        "rate_limit": VendorError(
            429,
            _LIMITED,
            "This request would exceed your account's rate limit. Please try again later.",
        ),
        "ramp_limit": VendorError(
            429, _LIMITED, "This request would exceed a ramp limit.", "ramp_limit_exceeded"
        ),
        "enforced_spend_limit": VendorError(
            429,
            _LIMITED,
            "Your organization has crossed its monthly usage threshold.",
            "enforced_spend_limit_reached",
        ),
        "monthly_spend_limit": VendorError(
            429,
            _LIMITED,
            "This request would exceed your account's monthly spend limit. Please try again later.",
        ),
        "request_timeout": VendorError(408, _INVALID, "Request timed out."),
        "conflict": VendorError(409, "conflict_error", "The resource was changed."),
        "too_large": VendorError(
            413, "request_too_large", "Request exceeds the maximum allowed number of bytes."
        ),
        "api_error": VendorError(500, "api_error", "Internal server error"),
        "unavailable": VendorError(503, "api_error", "Service unavailable"),
        "timeout": VendorError(504, "timeout_error", "The request timed out."),
        "overloaded": VendorError(529, "overloaded_error", "Overloaded"),
    }
)


def error_body(name: str, **words: str) -> dict[str, Any]:
    """Returns the vendor's body for a failure; `words` are `key` and `model`."""
    error = ERRORS[name]
    message = error.message.format(**{"key": "", "model": "", **words})
    return body_of(error.type, message, error.code)


def body_of(kind: str, message: str, code: str = "") -> dict[str, Any]:
    """Returns the vendor's body for an error of this type."""
    details = {"error_code": code} if code else None
    error = {"details": details, "type": kind, "message": message}
    return {"type": "error", "error": error, "request_id": "req_peer"}
