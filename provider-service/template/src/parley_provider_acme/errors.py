"""Which of the SDK's errors Acme's failures are: a table of its codes, before the status."""

from __future__ import annotations

import json
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
from parley_provider_sdk.failures import Refusal, failure

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
    error = _error_of(answer.body)
    return answer.failure(BY_CODE.get(str(error.get("code"))), said=error.get("message"))


def from_event(error: Mapping[str, Any], secret: str) -> ProviderError:
    """Returns the error that one within a stream means."""
    kind = BY_CODE.get(str(error.get("code")), BackendError)
    return failure(kind, said=error.get("message"), secret=secret)


def _error_of(body: bytes) -> Mapping[str, Any]:
    try:
        answer = json.loads(body)
    except ValueError:
        return {}
    error = answer.get("error") if isinstance(answer, dict) else None
    return error if isinstance(error, dict) else {}
