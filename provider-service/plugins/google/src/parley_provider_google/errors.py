"""Which of our errors a failure of the vendor's is: its details, its status, then HTTP's status.

Status words are those of `google.rpc.Code`, details and reasons those of `google.rpc.error_details`
and `google.api.ErrorReason`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from parley_provider_sdk import (
    AuthenticationFailed,
    BackendError,
    BackendTimeout,
    BadRequest,
    BadResponse,
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

# `reason` in the details. The rest of those that blame the key begin with one of these words.
BY_REASON: Mapping[str, type[ProviderError]] = MappingProxyType(
    {
        "BILLING_DISABLED": QuotaExhausted,
        "RESOURCE_QUOTA_EXCEEDED": QuotaExhausted,
        "RATE_LIMIT_EXCEEDED": RateLimited,
        "SERVICE_DISABLED": AuthenticationFailed,
        "USER_PROJECT_DENIED": AuthenticationFailed,
        "CONSUMER_INVALID": AuthenticationFailed,
        "CONSUMER_SUSPENDED": AuthenticationFailed,
        "CREDENTIALS_MISSING": AuthenticationFailed,
    }
)
_KEY_REASONS = ("API_KEY_", "ACCESS_TOKEN_")
# `status`. INVALID_ARGUMENT is not here: HTTP's status knows more of it.
BY_WORD: Mapping[str, type[ProviderError]] = MappingProxyType(
    {
        "UNAUTHENTICATED": AuthenticationFailed,
        "PERMISSION_DENIED": AuthenticationFailed,
        "NOT_FOUND": ModelNotFound,
        "RESOURCE_EXHAUSTED": RateLimited,
        "CANCELLED": BackendError,
        "UNKNOWN": BackendError,
        "ABORTED": BackendError,
        "DATA_LOSS": BackendError,
        "INTERNAL": BackendError,
        "UNIMPLEMENTED": BadRequest,
        "UNAVAILABLE": Overloaded,
        "DEADLINE_EXCEEDED": BackendTimeout,
    }
)
# What the vendor tells in a fixed sentence only. Each is matched as narrowly as it allows.
BY_SENTENCE: tuple[tuple[re.Pattern[str], type[ProviderError]], ...] = (
    (re.compile(r"^API key (?:not valid|not found|expired)", re.IGNORECASE), AuthenticationFailed),
    (re.compile(r"input token count\b.*\bexceeds the maximum"), ContextTooLong),
    (re.compile(r"^Request payload size exceeds the limit"), TooLarge),
    (re.compile(r"free tier is not available .* enable billing"), QuotaExhausted),
)
_USED_UP = re.compile(r"^You exceeded your current quota, .*billing")
_DAILY = re.compile(r"Per_?Day", re.IGNORECASE)
# How the vendor says that a model does not take something, and how it calls what we call …
_NOT_TAKEN = re.compile(
    r"is not (?:enabled|supported|available)|does not support|Cannot find field"
    r"|only works in thinking mode"
)
PARAMETERS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), name)
    for pattern, name in (
        (r"thinking", "reasoning_effort"),
        (r"developer instruction|system_?\s?instruction", "system"),
        (r"function_?\s?calling_?\s?config|tool_?config", "tool_choice"),
        (r"function calling|function_?declarations|tools?\b", "tools"),
        (r"json mode|response_?(?:mime_?type|json_?schema|schema|format)", "output"),
        (r"stop_?sequences", "stop"),
        (r"top_?p\b", "top_p"),
        (r"top_?k\b", "top_k"),
        (r"logprobs", "top_logprobs"),
        (r"presence_?\s?penalty", "presence_penalty"),
        (r"penalty", "frequency_penalty"),
        (r"temperature", "temperature"),
        (r"\bseed\b", "seed"),
        (r"max_?output_?tokens", "max_tokens"),
    )
)


def from_answer(answer: Refusal) -> ProviderError:
    """Returns the error that an answer other than 200 means."""
    error = error_of(answer.json())
    if answer.is_elsewhere(is_wire=bool(error)):
        return BadResponse("There is no such wire at the vendor's address; check the base URL.")
    said = error.get("message")
    made = answer.failure(kind_of(error), said=said, retry_after=retry_after(error))
    parameter = parameter_of(error)
    if type(made) is BadRequest and parameter:
        return UnsupportedParameter(made.message, parameter)
    return made


def from_event(error: Mapping[str, Any], secret: str) -> ProviderError:
    """Returns the error that an `error` within a stream means; its `code` stands for a status."""
    kind = kind_of(error) or BY_STATUS.get(_whole(error.get("code")), BackendError)
    said = error.get("message")
    return failure(kind, said=said, secret=secret, retry_after=retry_after(error))


def kind_of(error: Mapping[str, Any]) -> type[ProviderError] | None:
    """Returns what the vendor's words mean; None when HTTP's status has to say."""
    if _is_used_up(error):
        return QuotaExhausted
    reasons = [str(detail.get("reason")) for detail in _details(error)]
    for reason in reasons:
        if reason.startswith(_KEY_REASONS):
            return AuthenticationFailed
        if reason in BY_REASON:
            return BY_REASON[reason]
    message = str(error.get("message"))
    for sentence, kind in BY_SENTENCE:
        if sentence.search(message):
            return kind
    return BY_WORD.get(str(error.get("status")))


def parameter_of(error: Mapping[str, Any]) -> str | None:
    """Returns our name of the parameter that the vendor says the model does not take."""
    for text in _complaints(error):
        if _NOT_TAKEN.search(text):
            for pattern, name in PARAMETERS:
                if pattern.search(text):
                    return name
    return None


def retry_after(error: Mapping[str, Any]) -> float | None:
    """Returns the seconds that `RetryInfo` names, such as "34.07s"; None without sensible ones."""
    for detail in _details(error):
        delay = detail.get("retryDelay")
        if isinstance(delay, str):
            try:
                seconds = float(delay.removesuffix("s"))
            except ValueError:
                continue
            return seconds if 0 < seconds < math.inf else None
    return None


def error_of(answer: Any) -> Mapping[str, Any]:
    """Returns the `error` of an answer, alone or in a list of one; empty without one."""
    if isinstance(answer, list):
        answer = answer[0] if answer else None
    return error_in(answer)


def _is_used_up(error: Mapping[str, Any]) -> bool:
    """Says that waiting a little is in vain, whatever the delay that the vendor names.

    Every limit of the free tier is told with the same sentence about billing. What was passed says
    the name of the quota, where there is one; a day's is used up until the vendor's midnight.
    """
    if error.get("status") != "RESOURCE_EXHAUSTED":
        return False
    details = list(_details(error))
    quotas = [one for detail in details for one in _dicts(detail.get("violations"))]
    names = [str(one.get("quotaId")) for one in quotas]
    names += [str(one.get("quota_limit")) for one in _dicts([d.get("metadata") for d in details])]
    if any(map(_DAILY.search, names)):
        return True
    told = bool(quotas) or any("retryDelay" in detail for detail in details)
    return not told and bool(_USED_UP.search(str(error.get("message"))))


def _complaints(error: Mapping[str, Any]) -> Iterator[str]:
    for detail in _details(error):
        for one in _dicts(detail.get("fieldViolations")):
            yield f"{one.get('field')}: {one.get('description')}"
    yield str(error.get("message"))


def _details(error: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    yield from _dicts(error.get("details"))


def _dicts(values: object) -> Iterator[dict[str, Any]]:
    for value in values if isinstance(values, list) else ():
        if isinstance(value, dict):
            yield value


def _whole(code: object) -> int:
    return code if isinstance(code, int) else 0
