"""Which of our errors a failure of the vendor's is: a table of its words, before its status."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from parley_provider_sdk import (
    AuthenticationFailed,
    BackendError,
    BadResponse,
    ContentRefused,
    ContextTooLong,
    ModelNotFound,
    ProviderError,
    QuotaExhausted,
    RateLimited,
    UnsupportedParameter,
)
from parley_provider_sdk.failures import Refusal, failure

# `error.code`, or `error.type` where a server sends no code. It decides before the status does.
BY_CODE: Mapping[str, type[ProviderError]] = MappingProxyType(
    {
        "invalid_api_key": AuthenticationFailed,
        "insufficient_quota": QuotaExhausted,
        "billing_hard_limit_reached": QuotaExhausted,
        "billing_not_active": QuotaExhausted,
        "rate_limit_exceeded": RateLimited,
        "context_length_exceeded": ContextTooLong,
        "exceed_context_size_error": ContextTooLong,
        "content_policy_violation": ContentRefused,
        "content_filter": ContentRefused,
        "model_not_found": ModelNotFound,
    }
)
# The vendor's names of parameters that some models do not take, and ours.
PARAMETERS: Mapping[str, str] = MappingProxyType(
    {
        "temperature": "temperature",
        "top_p": "top_p",
        "stop": "stop",
        "seed": "seed",
        "tools": "tools",
        "tool_choice": "tool_choice",
        "parallel_tool_calls": "parallel_tool_calls",
        "response_format": "output",
        "reasoning_effort": "reasoning_effort",
    }
)
_UNSUPPORTED = frozenset({"unsupported_value", "unsupported_parameter"})


def from_answer(answer: Refusal) -> ProviderError:
    """Returns the error that an answer other than 200 means."""
    error = error_of(_json(answer.body))
    if answer.is_elsewhere(is_wire=bool(error)):
        return BadResponse("There is no such wire at the vendor's address; check the base URL.")
    kind, said = kind_of(error), error.get("message")
    made = answer.failure(kind, said=said)
    parameter = PARAMETERS.get(str(error.get("param")))
    if error.get("code") in _UNSUPPORTED and parameter:
        return UnsupportedParameter(made.message, parameter)
    return made


def from_event(error: Mapping[str, Any], secret: str) -> ProviderError:
    """Returns the error that an `error` within a stream means."""
    return failure(kind_of(error) or BackendError, said=error.get("message"), secret=secret)


def kind_of(error: Mapping[str, Any]) -> type[ProviderError] | None:
    """Returns what the vendor's words mean; None when the status has to say."""
    words = (error.get("code"), error.get("type"))
    return next(
        (BY_CODE[word] for word in words if isinstance(word, str) and word in BY_CODE), None
    )


def error_of(answer: Any) -> Mapping[str, Any]:
    """Returns the `error` of an answer in any of the forms that servers send; empty without one."""
    error = answer.get("error") if isinstance(answer, dict) else None
    if isinstance(error, dict):
        return error
    return {"message": error} if isinstance(error, str) and error else {}


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None
