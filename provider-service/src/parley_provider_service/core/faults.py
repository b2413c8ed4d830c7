"""The faults that only the provider service knows: its own, and one for each failure of a vendor.

The status code and the HTTP status of a vendor's failure belong to its reason; the kind (the base
class here) is what callers fall back to that do not know the reason.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import parley_provider_sdk as sdk
from parley_rpc.faults import (
    AlreadyExists,
    BadGateway,
    DeadlineExceeded,
    FailedPrecondition,
    Fault,
    InvalidArgument,
    LimitExceeded,
    NotFound,
    Unavailable,
)

# A status travels in headers, which are small.
SENTENCE_CHARACTERS = 400
MOST_NAMED = 8
LONGEST_RETRY_AFTER_SECONDS = 3600.0


class ProviderNotFound(NotFound):
    """No provider of that name."""

    reason = "provider_not_found"

    def __init__(self, provider: str, near: Sequence[str]) -> None:
        sentence = f"There is no provider '{provider}'.{hint(near)}"
        super().__init__(sentence, provider=provider, near=", ".join(near))


class ProviderNotReady(FailedPrecondition):
    """The provider is known but cannot be used: switched off, broken, or not configured."""

    reason = "provider_not_ready"

    @classmethod
    def of(cls, provider: str, status: str, error: str) -> ProviderNotReady:
        """Say how it stands and what is wrong."""
        sentence = f"The provider '{provider}' is {status}. {error}".rstrip()
        return cls(sentence, provider=provider, status=status)

    @classmethod
    def none(cls) -> ProviderNotReady:
        """Say that there is not one that is ready."""
        return cls("No provider is ready. ListProviders says what each one needs.", provider="")


class ModelNotFound(NotFound):
    """The provider has no model of that name: the catalogue says so, or the vendor."""

    reason = "model_not_found"

    @classmethod
    def near(cls, provider: str, model: str, near: Sequence[str]) -> ModelNotFound:
        """Name similar ones."""
        sentence = f"The provider '{provider}' has no model '{model}'.{hint(near)}"
        return cls(sentence, provider=provider, model=model, near=", ".join(near))

    @classmethod
    def unknown(cls, model: str, near: Sequence[str]) -> ModelNotFound:
        """Say that no provider has it."""
        sentence = f"No provider has a model '{model}', and no alias is called so.{hint(near)}"
        return cls(sentence, provider="", model=model, near=", ".join(near))

    @classmethod
    def several(cls, model: str, full: Sequence[str]) -> ModelNotFound:
        """Say that it is not clear which one is meant, and what to say instead."""
        names = " or ".join(full[:MOST_NAMED])
        sentence = f"Several providers have a model '{model}'. Say which: {names}."
        return cls(sentence, provider="", model=model, near=", ".join(full[:MOST_NAMED]))


class AliasNotFound(NotFound):
    """No model is called so."""

    reason = "alias_not_found"

    def __init__(self, alias: str) -> None:
        super().__init__(f"There is no alias '{alias}'.", alias=alias)


class UsageExists(AlreadyExists):
    """The usage id was used before."""

    reason = "usage_exists"

    def __init__(self, usage_id: object) -> None:
        super().__init__(f"The usage id {usage_id} was used before.", usage_id=usage_id)


class ProviderExists(AlreadyExists):
    """The provider's name is taken."""

    reason = "provider_exists"

    def __init__(self, provider: str) -> None:
        super().__init__(f"There is a provider '{provider}' already.", provider=provider)


class BudgetExceeded(FailedPrecondition):
    """A budget of the caller's has not enough left."""

    reason = "budget_exceeded"


class PriceUnknown(FailedPrecondition):
    """The caller has a budget, and nobody knows what the model costs."""

    reason = "price_unknown"

    def __init__(self, provider: str, model: str) -> None:
        sentence = f"The price of '{model}' of '{provider}' is not known, and there is a budget."
        super().__init__(sentence, provider=provider, model=model)


class PluginNotFound(NotFound):
    """No plugin of that name is installed."""

    reason = "plugin_not_found"

    def __init__(self, plugin: str, near: Sequence[str]) -> None:
        sentence = f"No plugin '{plugin}' is installed.{hint(near)}"
        super().__init__(sentence, plugin=plugin, near=", ".join(near))


class ProviderBuiltIn(FailedPrecondition):
    """The provider comes with its plugin."""

    reason = "provider_built_in"

    def __init__(self, provider: str) -> None:
        sentence = f"The provider '{provider}' comes with its plugin. Switch it off instead."
        super().__init__(sentence, provider=provider)


class MasterKeyMissing(FailedPrecondition):
    """Nothing can be encrypted or opened."""

    reason = "master_key_missing"

    def __init__(self) -> None:
        super().__init__("There is no master key: set MASTER_KEY or MASTER_KEY_FILE.")


class CircuitOpen(Unavailable):
    """The provider failed too often in a row and is left alone for a while."""

    reason = "circuit_open"

    def __init__(self, provider: str, seconds: float) -> None:
        sentence = f"The provider '{provider}' failed too often and is left alone for a while."
        super().__init__(sentence, retry_after=seconds, provider=provider)


class ProviderAuth(BadGateway):
    """The vendor refused our credential."""

    reason = "provider_auth"


class ProviderQuota(FailedPrecondition):
    """Our account with the vendor is used up."""

    reason = "provider_quota"


class RateLimited(LimitExceeded):
    """The vendor limits our rate."""

    reason = "rate_limited"


class Overloaded(Unavailable):
    """The vendor is overloaded."""

    reason = "overloaded"


class ProviderFailed(BadGateway):
    """The vendor failed, or its plugin did."""

    reason = "provider_error"


class ProviderTimeout(DeadlineExceeded):
    """The vendor took too long."""

    reason = "timeout"


class ContextTooLong(InvalidArgument):
    """The conversation is longer than the model's context."""

    reason = "context_length"


class RequestTooLarge(InvalidArgument):
    """The request is larger than the vendor takes."""

    reason = "too_large"


class ContentFiltered(InvalidArgument):
    """The vendor's filter refused the request."""

    reason = "content_filtered"


class RequestRefused(InvalidArgument):
    """The vendor does not take the request as it is."""

    reason = "bad_request"


class ProviderUnreachable(BadGateway):
    """The vendor cannot be reached."""

    reason = "unreachable"


class BadProviderResponse(BadGateway):
    """What answers there does not speak the vendor's wire, or broke off."""

    reason = "bad_response"


# One class for each reason that a plugin may give.
OF_REASON: dict[str, type[Fault]] = {
    cls.reason: cls
    for cls in (
        ProviderAuth,
        ProviderQuota,
        RateLimited,
        Overloaded,
        ProviderFailed,
        ProviderTimeout,
        ContextTooLong,
        RequestTooLarge,
        ContentFiltered,
        RequestRefused,
        ProviderUnreachable,
        BadProviderResponse,
        ModelNotFound,
    )
}


def fault_of(error: sdk.ProviderError, provider: str, model: str) -> Fault:
    """Translate what a plugin raised; a reason that only it knows is `provider_error`."""
    kind = OF_REASON.get(error.reason, ProviderFailed)
    retry_after = error.retry_after
    if retry_after is not None:
        if math.isfinite(retry_after):
            retry_after = min(max(retry_after, 0.0), LONGEST_RETRY_AFTER_SECONDS)
        else:
            retry_after = None
    sentence = str(error.message)[:SENTENCE_CHARACTERS]
    return kind(sentence, retry_after=retry_after, provider=provider, model=model)


def hint(near: Sequence[str]) -> str:
    """Say what may have been meant."""
    return f" Did you mean {' or '.join(near)}?" if near else ""
