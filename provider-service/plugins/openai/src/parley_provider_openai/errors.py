"""Which of our errors a failure of the vendor's is: three tables, and one sentence for each."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import MappingProxyType
from typing import Any

import aiohttp
import orjson
from parley_provider_sdk import (
    AuthenticationFailed,
    BackendError,
    BackendTimeout,
    BackendUnreachable,
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
)

_Table = Mapping[Any, type[ProviderError]]

# `error.code`, or `error.type` where a server sends no code. It decides before the status does.
BY_CODE: _Table = MappingProxyType(
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
BY_STATUS: _Table = MappingProxyType(
    {
        400: BadRequest,
        401: AuthenticationFailed,
        402: QuotaExhausted,
        403: AuthenticationFailed,
        404: ModelNotFound,
        408: BackendTimeout,
        409: BackendError,
        413: TooLarge,
        422: BadRequest,
        429: RateLimited,
        500: BackendError,
        503: Overloaded,
        504: BackendTimeout,
        529: Overloaded,
    }
)
# In order: the first that fits decides.
BY_CLASS: Mapping[type[BaseException], type[ProviderError]] = MappingProxyType(
    {
        aiohttp.ConnectionTimeoutError: BackendUnreachable,
        TimeoutError: BackendTimeout,
        aiohttp.ClientResponseError: BadResponse,
        aiohttp.ClientPayloadError: BadResponse,
        aiohttp.ClientError: BackendUnreachable,
        OSError: BackendUnreachable,
    }
)
_SENTENCES: Mapping[type[ProviderError], str] = MappingProxyType(
    {
        AuthenticationFailed: "The vendor refused our key; an administrator must check it.",
        BackendError: "The vendor failed.",
        BackendTimeout: "The vendor took too long.",
        BackendUnreachable: "The vendor cannot be reached.",
        BadRequest: "The vendor does not take the request.",
        BadResponse: "What answered does not speak the vendor's wire.",
        ContentRefused: "The vendor's filter refused the request.",
        ContextTooLong: "The conversation is longer than the model's context.",
        ModelNotFound: "The vendor has no such model.",
        Overloaded: "The vendor is overloaded.",
        QuotaExhausted: "Our account with the vendor is used up.",
        RateLimited: "The vendor limits our rate.",
        TooLarge: "The request is larger than the vendor takes.",
    }
)
_QUOTED = 300


def from_answer(status: int, headers: Mapping[str, str], body: bytes, secret: str) -> ProviderError:
    """Returns the error that an answer other than 200 means."""
    error = error_of(_json(body))
    if status < 300:
        return bad_response()
    if status < 400:
        return BadResponse("The vendor's address redirects elsewhere, which is not followed.")
    if status == 404 and not error:
        return BadResponse("There is no such wire at the vendor's address; check the base URL.")
    default = BackendError if status >= 500 else BadRequest
    return _made(BY_STATUS.get(status, default), error, headers, secret)


def from_event(error: Mapping[str, Any], secret: str) -> ProviderError:
    """Returns the error that an `error` within a stream means."""
    return _made(BackendError, error, {}, secret)


def from_exception(error: BaseException) -> ProviderError:
    """Returns the error that a failed connection means. Quotes nothing: headers hold the key."""
    for cause, failure in BY_CLASS.items():
        if isinstance(error, cause):
            return failure(_SENTENCES[failure])
    return BackendError(_SENTENCES[BackendError])


def broken_off() -> ProviderError:
    """Returns the error for a reply that ends without its mark."""
    return BadResponse("The vendor's reply broke off before its end.")


def bad_response() -> ProviderError:
    """Returns the error for what is not the vendor's wire."""
    return BadResponse(_SENTENCES[BadResponse])


def error_of(answer: Any) -> Mapping[str, Any]:
    """Returns the `error` of an answer in any of the forms that servers send; empty without one."""
    error = answer.get("error") if isinstance(answer, dict) else None
    if isinstance(error, dict):
        return error
    return {"message": error} if isinstance(error, str) and error else {}


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Reads how many seconds the vendor asks us to wait; None when it does not say so sensibly."""
    for name, unit in (("retry-after-ms", 1000), ("retry-after", 1)):
        seconds = _seconds(headers.get(name, ""), unit)
        if seconds is not None:
            return seconds if 0 < seconds < math.inf else None
    return None


def _made(
    failure: type[ProviderError], error: Mapping[str, Any], headers: Mapping[str, str], secret: str
) -> ProviderError:
    for word in (error.get("code"), error.get("type")):
        if isinstance(word, str) and word in BY_CODE:
            failure = BY_CODE[word]
            break
    sentence = _SENTENCES[failure]
    said = error.get("message")
    # What is wrong with a request only the vendor knows; of anything else its words are not for
    # the person who asked.
    if issubclass(failure, BadRequest) and isinstance(said, str) and said:
        said = said.replace(secret, "…") if secret else said
        sentence = f"{sentence} It says: {said[:_QUOTED]}"
    return failure(
        sentence,
        retry_after=retry_after(headers),
        retryable={"true": True, "false": False}.get(headers.get("x-should-retry", "")),
    )


def _seconds(text: str, unit: int) -> float | None:
    try:
        return float(text) / unit
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - datetime.now(UTC)).total_seconds()


def _json(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
