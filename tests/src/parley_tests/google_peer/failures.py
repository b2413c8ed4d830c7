"""The vendor's failures, in its own words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

_RPC = "type.googleapis.com/google.rpc."
_SPENT = "You exceeded your current quota, please check your plan and billing details."
_MAP = MappingProxyType


class VendorError(NamedTuple):
    """One failure; `{model}` in its message is filled in."""

    code: int
    status: str
    message: str
    details: Sequence[Mapping[str, Any]] = ()


def _reason(reason: str) -> Mapping[str, Any]:
    return _MAP({"@type": f"{_RPC}ErrorInfo", "reason": reason, "domain": "googleapis.com"})


def _quota(quota_id: str) -> Mapping[str, Any]:
    metric = "generativelanguage.googleapis.com/generate_content_free_tier_requests"
    violation = {"quotaMetric": metric, "quotaId": quota_id, "quotaValue": "15"}
    return _MAP({"@type": f"{_RPC}QuotaFailure", "violations": [violation]})


def _retry(delay: str) -> Mapping[str, Any]:
    return _MAP({"@type": f"{_RPC}RetryInfo", "retryDelay": delay})


FAILURES: Mapping[str, VendorError] = _MAP(
    {
        "authentication": VendorError(
            400,
            "INVALID_ARGUMENT",
            "API key not valid. Please pass a valid API key.",
            (_reason("API_KEY_INVALID"),),
        ),
        "unauthenticated": VendorError(
            401, "UNAUTHENTICATED", "Request had invalid authentication credentials."
        ),
        "permission_denied": VendorError(
            403, "PERMISSION_DENIED", "Permission denied on resource {model}."
        ),
        "billing_disabled": VendorError(
            403,
            "PERMISSION_DENIED",
            "This API method requires billing to be enabled.",
            (_reason("BILLING_DISABLED"),),
        ),
        "no_free_tier": VendorError(
            400,
            "FAILED_PRECONDITION",
            "Gemini API free tier is not available in your country. Please enable billing on your "
            "project in Google AI Studio.",
        ),
        "model_not_found": VendorError(
            404,
            "NOT_FOUND",
            "models/{model} is not found for API version v1beta, or is not supported for "
            "generateContent. Call ListModels to see the list of available models.",
        ),
        "context_too_long": VendorError(
            400,
            "INVALID_ARGUMENT",
            "The input token count (1200293) exceeds the maximum number of tokens allowed "
            "(1048576).",
        ),
        "payload_too_large": VendorError(
            400, "INVALID_ARGUMENT", "Request payload size exceeds the limit: 20971520 bytes."
        ),
        "too_large": VendorError(413, "INVALID_ARGUMENT", "Request Entity Too Large"),
        "bad_request": VendorError(
            400, "INVALID_ARGUMENT", "Request contains an invalid argument."
        ),
        "no_thinking": VendorError(
            400, "INVALID_ARGUMENT", "Thinking level is not supported for this model."
        ),
        "no_instruction": VendorError(
            400, "INVALID_ARGUMENT", "Developer instruction is not enabled for models/{model}"
        ),
        "no_tools": VendorError(
            400, "INVALID_ARGUMENT", "Function calling is not enabled for models/{model}"
        ),
        "rate_limited": VendorError(
            429,
            "RESOURCE_EXHAUSTED",
            f"{_SPENT} Please retry in 34.074824224s.",
            (_quota("GenerateRequestsPerMinutePerProjectPerModel-FreeTier"), _retry("34s")),
        ),
        "busy": VendorError(
            429, "RESOURCE_EXHAUSTED", "Resource has been exhausted (e.g. check quota)."
        ),
        "day_used_up": VendorError(
            429,
            "RESOURCE_EXHAUSTED",
            f"{_SPENT} Please retry in 36.429760048s.",
            (_quota("GenerateRequestsPerDayPerProjectPerModel-FreeTier"), _retry("36s")),
        ),
        "quota_exhausted": VendorError(429, "RESOURCE_EXHAUSTED", _SPENT),
        "cancelled": VendorError(499, "CANCELLED", "The operation was cancelled."),
        "internal": VendorError(500, "INTERNAL", "An internal error has occurred."),
        "unimplemented": VendorError(
            501, "UNIMPLEMENTED", "Operation is not implemented, or supported, or enabled."
        ),
        "overloaded": VendorError(
            503, "UNAVAILABLE", "The model is overloaded. Please try again later."
        ),
        "timeout": VendorError(
            504, "DEADLINE_EXCEEDED", "Deadline expired before operation could complete."
        ),
    }
)


def body_of(error: VendorError, **words: str) -> dict[str, Any]:
    """Returns the vendor's body for a failure."""
    # The full key comes back on purpose: a client that shows the vendor's words shows the key.
    quoted = f" (key {words['key']})" if words.get("key") else ""
    message = error.message.replace("{model}", words.get("model", "")) + quoted
    facts: dict[str, Any] = {"code": error.code, "message": message, "status": error.status}
    if error.details:
        facts["details"] = [dict(detail) for detail in error.details]
    return {"error": facts}
