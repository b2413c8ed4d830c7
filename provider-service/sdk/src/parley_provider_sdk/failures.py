"""What a vendor's answer means: the part that is alike for all who speak HTTP.

A plugin adds the table of its vendor's own words. They decide before the status does:

    BY_WORD = {"insufficient_quota": QuotaExhausted, …}

    def from_answer(answer: Refusal) -> ProviderError:
        error = error_in(answer.json())
        return answer.failure(BY_WORD.get(str(error.get("code"))), said=error.get("message"))
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import MappingProxyType
from typing import Any

from parley_provider_sdk.errors import (
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

__all__ = [
    "BY_STATUS",
    "SENTENCES",
    "Refusal",
    "bad_response",
    "broken_off",
    "error_in",
    "failure",
    "retry_after",
    "sentence_of",
]

BY_STATUS: Mapping[int, type[ProviderError]] = MappingProxyType(
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
SENTENCES: Mapping[type[ProviderError], str] = MappingProxyType(
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
_NO_ERROR: Mapping[str, Any] = MappingProxyType({})
_SHOULD_RETRY = MappingProxyType({"true": True, "false": False})


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer that is no reply: its status, its headers by lower-case name, its body."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    # Taken out of whatever the vendor says.
    secret: str = field(default="", repr=False)

    def json(self) -> Any:
        """Returns the body's document; None when it is no JSON, as of a proxy that failed."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None

    def failure(
        self,
        kind: type[ProviderError] | None = None,
        *,
        said: object = None,
        retry_after: float | None = None,
    ) -> ProviderError:
        """Returns the error that this means: `kind`, or else what the status says.

        `said` are the vendor's words for a person; `retry_after` is what its body asks us to
        wait, where it says so there and not in a header.
        """
        if self.status < 300:
            return bad_response()
        if self.status < 400:
            return BadResponse("The vendor's address redirects elsewhere, which is not followed.")
        if kind is None:
            default = BackendError if self.status >= 500 else BadRequest
            kind = BY_STATUS.get(self.status, default)
        return failure(
            kind,
            said=said,
            secret=self.secret,
            retry_after=_waited(self.headers, retry_after),
            retryable=_SHOULD_RETRY.get(self.headers.get("x-should-retry", "")),
        )

    def is_elsewhere(self, *, is_wire: bool) -> bool:
        """Says that the address is wrong and not the model: a 404 that is not the vendor's own."""
        return self.status == 404 and not is_wire


def error_in(answer: object) -> Mapping[str, Any]:
    """Returns the `error` of an answer, which may be an object or its sentence; else empty."""
    error = answer.get("error") if isinstance(answer, dict) else None
    if isinstance(error, dict):
        return error
    return {"message": error} if isinstance(error, str) and error else _NO_ERROR


def failure(
    kind: type[ProviderError],
    *,
    said: object = None,
    secret: str = "",
    retry_after: float | None = None,
    retryable: bool | None = None,
) -> ProviderError:
    """Returns an error with our sentence and, where they help who asked, the vendor's words."""
    sentence = sentence_of(kind)
    # What is wrong with a request only the vendor knows; of anything else its words are not for
    # the person who asked.
    if issubclass(kind, BadRequest) and isinstance(said, str) and said:
        words = said.replace(secret, "…") if secret else said
        sentence = f"{sentence} It says: {words[:_QUOTED]}"
    return kind(sentence, retry_after=retry_after, retryable=retryable)


def sentence_of(kind: type[ProviderError]) -> str:
    """Returns what a failure is called before people."""
    return next(SENTENCES[one] for one in (*kind.__mro__, BackendError) if one in SENTENCES)


def broken_off() -> ProviderError:
    """Returns the error for a reply that ends without its mark."""
    return BadResponse("The vendor's reply broke off before its end.")


def bad_response() -> ProviderError:
    """Returns the error for what is not the vendor's wire."""
    return BadResponse(SENTENCES[BadResponse])


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Reads how many seconds the vendor asks us to wait; None when it does not say so sensibly."""
    for name, unit in (("retry-after-ms", 1000), ("retry-after", 1)):
        seconds = _seconds(headers.get(name, ""), unit)
        if seconds is not None:
            return seconds if 0 < seconds < math.inf else None
    return None


def _waited(headers: Mapping[str, str], said: float | None) -> float | None:
    asked = retry_after(headers)
    return said if asked is None else asked


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
