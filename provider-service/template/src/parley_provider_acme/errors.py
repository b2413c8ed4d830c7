"""Which of the SDK's errors Acme's failures are: a table of its codes, before the status."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from parley_provider_sdk import (
    AuthenticationFailed,
    BackendError,
    ContextTooLong,
    ModelNotFound,
    Overloaded,
    ProviderError,
    QuotaExhausted,
    RateLimited,
)
from parley_provider_sdk.failures import Refusal, error_in, failure

BY_CODE: Mapping[str, type[ProviderError]] = MappingProxyType(
    {
        "bad_key": AuthenticationFailed,
        "busy": Overloaded,
        "no_credit": QuotaExhausted,
        "no_such_model": ModelNotFound,
        "too_fast": RateLimited,
        "too_long": ContextTooLong,
    }
)


def from_answer(answer: Refusal) -> ProviderError:
    """Returns the error that an answer other than 200 means."""
    error = error_in(answer.json())
    return answer.failure(BY_CODE.get(str(error.get("code"))), said=error.get("message"))


def from_event(error: Mapping[str, Any], secret: str) -> ProviderError:
    """Returns the error that one within a stream means."""
    kind = BY_CODE.get(str(error.get("code")), BackendError)
    return failure(kind, said=error.get("message"), secret=secret)
