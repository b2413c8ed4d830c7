"""Every way in which a vendor can fail, one class each.

ProviderError                 provider_error    what fits nowhere else
├── AuthenticationFailed      provider_auth     the vendor refuses our credential
├── QuotaExhausted            provider_quota    our account with the vendor is used up
├── RateLimited               rate_limited      we ask too often; `retry_after` says how long
├── BackendError              provider_error    the vendor failed
│   ├── Overloaded            overloaded        … because too many ask at once
│   ├── BackendTimeout        timeout           … to answer in time
│   ├── BackendUnreachable    unreachable       … to be there at all
│   └── BadResponse           bad_response      … to speak its own wire, or broke off in the middle
└── BadRequest                bad_request       the vendor does not take the request as it is
    ├── ContextTooLong        context_length    … it is longer than the model's context
    ├── UnsupportedParameter  bad_request       … it names a parameter that the model does not take
    ├── TooLarge              too_large         … it has more bytes than the vendor takes
    ├── ContentRefused        content_filtered  … a filter of the vendor's refused it
    └── ModelNotFound         model_not_found   … it names a model that is not there
"""

# ruff: noqa: N818  (named for what happened, as the taxonomy names it)

from __future__ import annotations

from typing import ClassVar


class ProviderError(Exception):
    """Base of all failures a provider may raise; anything else that it raises is a bug of its.

    The message is one sentence for the person who asked. It is shown, so it must hold no
    credential; it may quote the vendor, so it is never logged.
    """

    # Names the failure to every caller of Parley (error_reason.proto, in lower case).
    reason: ClassVar[str] = "provider_error"
    # Says whether the same request may succeed later. Whether it is sent again is the service's
    # decision: a provider never retries.
    retryable: bool = False

    def __init__(
        self, message: str, *, retry_after: float | None = None, retryable: bool | None = None
    ) -> None:
        super().__init__(message)
        if retryable is not None:  # The vendor said so itself.
            self.retryable = retryable
        self.message = message
        # Seconds that the vendor asks us to wait; None when it did not say.
        self.retry_after = retry_after


class AuthenticationFailed(ProviderError):
    reason = "provider_auth"


class QuotaExhausted(ProviderError):
    reason = "provider_quota"


class RateLimited(ProviderError):
    reason = "rate_limited"
    retryable = True


class BackendError(ProviderError):
    reason = "provider_error"
    retryable = True


class Overloaded(BackendError):
    reason = "overloaded"


class BackendTimeout(BackendError):
    reason = "timeout"


class BackendUnreachable(BackendError):
    reason = "unreachable"


class BadResponse(BackendError):
    reason = "bad_response"


class BadRequest(ProviderError):
    reason = "bad_request"


class ContextTooLong(BadRequest):
    reason = "context_length"


class UnsupportedParameter(BadRequest):
    """The model does not take `parameter`, by our name for it: a field of ReplyRequest.

    The service leaves it out and asks again, or refuses, as an administrator wants it; it
    remembers either way. A vendor that names the parameter in its answer is translated to this.
    """

    def __init__(self, message: str, parameter: str, *, retry_after: float | None = None) -> None:
        super().__init__(message, retry_after=retry_after)
        self.parameter = parameter


class TooLarge(BadRequest):
    reason = "too_large"


class ContentRefused(BadRequest):
    reason = "content_filtered"


class ModelNotFound(BadRequest):
    reason = "model_not_found"
