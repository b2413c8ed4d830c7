"""Which of our errors a failure of the vendor's is: a table of its words, before its status.

`error.details.error_code` names the cause, `error.type` the kind. A few causes have neither: they
are told by the vendor's own sentence, from its beginning, and by nothing looser than that.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from parley_provider_sdk import (
    AuthenticationFailed,
    BackendError,
    BackendTimeout,
    BadRequest,
    BadResponse,
    ContentRefused,
    ContextTooLong,
    ModelNotFound,
    Overloaded,
    ProviderError,
    QuotaExhausted,
    RateLimited,
    TooLarge,
    UnsupportedParameter,
)
from parley_provider_sdk.failures import Refusal, error_in, failure

# `error.details.error_code`: the names are those of `_error_classes.py` of the vendor's library.
BY_CODE: Mapping[str, type[ProviderError]] = MappingProxyType(
    {
        "contract_spend_limit_reached": QuotaExhausted,
        "enforced_spend_limit_reached": QuotaExhausted,
        "linked_organization_billing_unavailable": QuotaExhausted,
        "linked_organization_spend_limit_reached": QuotaExhausted,
        "organization_on_hold": AuthenticationFailed,
        "ramp_limit_exceeded": RateLimited,
        "request_body_too_large_after_decoding": TooLarge,
    }
)
# `error.type`: `types/shared/error_type.py`. `invalid_request_error` and `api_error` are not here:
# what they mean, the status says.
BY_TYPE: Mapping[str, type[ProviderError]] = MappingProxyType(
    {
        "authentication_error": AuthenticationFailed,
        "billing_error": QuotaExhausted,
        "conflict_error": BackendError,
        "not_found_error": ModelNotFound,
        "overloaded_error": Overloaded,
        "permission_error": AuthenticationFailed,
        "rate_limit_error": RateLimited,
        "request_too_large": TooLarge,
        "timeout_error": BackendTimeout,
    }
)
# How sentences begin that the vendor gives no word with.
BY_SENTENCE: Mapping[str, type[ProviderError]] = MappingProxyType(
    {
        "prompt is too long: ": ContextTooLong,
        "input length and `max_tokens` exceed context limit: ": ContextTooLong,
        "You have reached your specified API usage limits": QuotaExhausted,
        "You have reached your specified workspace API usage limits": QuotaExhausted,
        "Your credit balance is too low to access the Anthropic API": QuotaExhausted,
        "This request would exceed your account's monthly spend limit": QuotaExhausted,
        "Output blocked by content filtering policy": ContentRefused,
    }
)
# The sentences that name a parameter which the model does not take, by its name on the wire.
_UNSUPPORTED = (
    re.compile(r"`(\w+)` is deprecated for this model"),
    re.compile(r"([\w.]+): Extra inputs are not permitted"),
    re.compile(r"This model does not support the (\w+) parameter"),
    re.compile(r'"(thinking)\.type\.\w+" is not supported for this model'),
    re.compile(r'(tool_choice): type "tool" and "any" are not supported for this model'),
)
# The wire's names of parameters, and ours.
PARAMETERS: Mapping[str, str] = MappingProxyType(
    {
        "effort": "reasoning_effort",
        # Effort goes only to models that take it, so this is the schema.
        "output_config": "output",
        "output_config.effort": "reasoning_effort",
        "output_config.format": "output",
        "stop_sequences": "stop",
        "temperature": "temperature",
        "thinking": "reasoning_effort",
        "tool_choice": "tool_choice",
        "tool_choice.disable_parallel_tool_use": "parallel_tool_calls",
        "tools": "tools",
        "top_k": "top_k",
        "top_p": "top_p",
    }
)


def from_answer(answer: Refusal) -> ProviderError:
    """Returns the error that an answer other than 200 means."""
    error = error_in(answer.json())
    if answer.is_elsewhere(is_wire=bool(error)):
        return BadResponse("There is no such wire at the vendor's address; check the base URL.")
    made = answer.failure(kind_of(error), said=error.get("message"))
    parameter = parameter_of(error)
    if type(made) is BadRequest and parameter:
        return UnsupportedParameter(made.message, parameter)
    return made


def from_event(error: Mapping[str, Any], secret: str) -> ProviderError:
    """Returns the error that an `error` within a stream means, where there is no status."""
    is_ours = error.get("type") == "invalid_request_error"
    kind = kind_of(error) or (BadRequest if is_ours else BackendError)
    return failure(kind, said=error.get("message"), secret=secret)


def kind_of(error: Mapping[str, Any]) -> type[ProviderError] | None:
    """Returns what the vendor's words mean; None when the status has to say."""
    details = error.get("details")
    code = details.get("error_code") if isinstance(details, dict) else None
    return BY_CODE.get(str(code)) or _spoken(error) or BY_TYPE.get(str(error.get("type")))


def parameter_of(error: Mapping[str, Any]) -> str | None:
    """Returns our name of the parameter that the vendor says the model does not take."""
    message = error.get("message")
    if not isinstance(message, str):
        return None
    found = next((match[1] for one in _UNSUPPORTED if (match := one.match(message))), "")
    return PARAMETERS.get(found)


def _spoken(error: Mapping[str, Any]) -> type[ProviderError] | None:
    message = str(error.get("message"))
    return next((kind for said, kind in BY_SENTENCE.items() if message.startswith(said)), None)
