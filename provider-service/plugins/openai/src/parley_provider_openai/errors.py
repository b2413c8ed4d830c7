"""Which of our errors a failure of the vendor's is: a table of its words, before its status.

The words are those of types/responses/response_error.py in the vendor's library, of its guide to
errors, and of compatible servers where they differ.
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
from parley_provider_sdk.failures import BY_STATUS, Refusal, error_in, failure

from parley_provider_openai.parameters import our_name

# `error.code`, or `error.type` where a server sends no code. It decides before the status does.
BY_CODE: Mapping[str, type[ProviderError]] = MappingProxyType(
    {
        "invalid_api_key": AuthenticationFailed,
        "insufficient_quota": QuotaExhausted,
        "billing_hard_limit_reached": QuotaExhausted,
        "billing_not_active": QuotaExhausted,
        "rate_limit_exceeded": RateLimited,
        "slow_down": Overloaded,
        "server_is_overloaded": Overloaded,
        "context_length_exceeded": ContextTooLong,
        "exceed_context_size_error": ContextTooLong,
        "content_policy_violation": ContentRefused,
        "content_filter": ContentRefused,
        # A prompt that was flagged; a malformed one is an `invalid_request_error`.
        "invalid_prompt": ContentRefused,
        "bio_policy": ContentRefused,
        "misalignment_policy_violation": ContentRefused,
        "image_content_policy_violation": ContentRefused,
        "image_too_large": TooLarge,
        "image_file_too_large": TooLarge,
        "model_not_found": ModelNotFound,
        "vector_store_timeout": BackendTimeout,
    }
)
# What the words mean where no status says it: within a stream, and in a response that failed.
WITHOUT_STATUS: Mapping[str, type[ProviderError]] = MappingProxyType(
    {
        "server_error": BackendError,
        "data_residency_mismatch": BadRequest,
        "invalid_image": BadRequest,
        "invalid_image_format": BadRequest,
        "invalid_base64_image": BadRequest,
        "invalid_image_url": BadRequest,
        "invalid_image_mode": BadRequest,
        "image_too_small": BadRequest,
        "image_parse_error": BadRequest,
        "unsupported_image_media_type": BadRequest,
        "empty_image_file": BadRequest,
        "failed_to_download_image": BadRequest,
        "image_file_not_found": BadRequest,
        # Types, where the code says nothing.
        "authentication_error": AuthenticationFailed,
        "invalid_request_error": BadRequest,
        "requests": RateLimited,
        "tokens": RateLimited,
    }
)
# OpenAI and DeepSeek without a code, vLLM in both its forms, Mistral, LM Studio.
_TOO_LONG = re.compile(r"context length|context window|maximum model length", re.IGNORECASE)
_UNSUPPORTED = frozenset({"unsupported_value", "unsupported_parameter", "unknown_parameter"})


def from_answer(answer: Refusal) -> ProviderError:
    """Returns the error that an answer other than 200 means."""
    error = error_of(answer.json())
    if answer.is_elsewhere(is_wire=bool(error)):
        return BadResponse("There is no such wire at the vendor's address; check the base URL.")
    made = answer.failure(kind_of(error), said=error.get("message"))
    is_unsupported = str(error.get("code")) in _UNSUPPORTED
    parameter = our_name(error.get("param")) if is_unsupported else None
    return UnsupportedParameter(made.message, parameter) if parameter else made


def from_event(error: Mapping[str, Any], secret: str) -> ProviderError:
    """Returns the error that an `error` within a stream means."""
    kind = kind_of(error) or _looked_up(WITHOUT_STATUS, error)
    if kind is None and isinstance(error.get("code"), int):
        # Proxies put the status there that they can no longer send.
        kind = BY_STATUS.get(error["code"])
    return failure(kind or BackendError, said=error.get("message"), secret=secret)


def kind_of(error: Mapping[str, Any]) -> type[ProviderError] | None:
    """Returns what the vendor's words mean; None when the status has to say."""
    kind = _looked_up(BY_CODE, error)
    # Many servers have no word of their own for it, only a sentence.
    is_too_long = kind is None and _TOO_LONG.search(str(error.get("message")))
    return ContextTooLong if is_too_long else kind


def error_of(answer: Any) -> Mapping[str, Any]:
    """Returns the `error` of an answer in any of the forms that servers send; empty without one."""
    # Some servers send its fields without the object around them.
    is_bare = isinstance(answer, dict) and answer.get("object") == "error"
    return answer if is_bare else error_in(answer)


def _looked_up(
    table: Mapping[str, type[ProviderError]], error: Mapping[str, Any]
) -> type[ProviderError] | None:
    words = (error.get("code"), error.get("type"))
    return next((table[word] for word in words if isinstance(word, str) and word in table), None)
