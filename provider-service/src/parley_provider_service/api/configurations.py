"""Providers and models: between the contract's messages and the core's values."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from parley_rpc.faults import InvalidArgument

from parley.provider.v1 import model_pb2, provider_pb2
from parley_provider_service.core.model import (
    Checkup,
    CredentialSource,
    Listing,
    Model,
    ModelChange,
    ModelChoice,
    Price,
    ProviderStatus,
)

STATUSES = {
    ProviderStatus.READY: provider_pb2.PROVIDER_STATUS_READY,
    ProviderStatus.UNCONFIGURED: provider_pb2.PROVIDER_STATUS_UNCONFIGURED,
    ProviderStatus.UNHEALTHY: provider_pb2.PROVIDER_STATUS_UNHEALTHY,
    ProviderStatus.DISABLED: provider_pb2.PROVIDER_STATUS_DISABLED,
    ProviderStatus.BROKEN: provider_pb2.PROVIDER_STATUS_BROKEN,
}
CIRCUITS = {
    "closed": provider_pb2.CIRCUIT_CLOSED,
    "open": provider_pb2.CIRCUIT_OPEN,
    "half_open": provider_pb2.CIRCUIT_HALF_OPEN,
}
SOURCES = {
    CredentialSource.NONE: provider_pb2.CREDENTIAL_SOURCE_UNSPECIFIED,
    CredentialSource.ENVIRONMENT: provider_pb2.CREDENTIAL_SOURCE_ENVIRONMENT,
    CredentialSource.STORED: provider_pb2.CREDENTIAL_SOURCE_STORED,
    CredentialSource.UNREADABLE: provider_pb2.CREDENTIAL_SOURCE_UNREADABLE,
}
# Fields of UpdateProviderRequest that are fields of a Config by the same name.
CHANGES = (
    "enabled",
    "is_default",
    "default_model",
    "base_url",
    "priority",
    "max_replies",
    "retry_timeouts",
    "display_name",
)
CAPABILITIES = frozenset({"text", "images", "files", "tools", "reasoning", "structured_output"})


def to_provider(listing: Listing, *, configured: bool = False) -> provider_pb2.Provider:
    """Write a provider; how it is `configured` is for administrators."""
    installed = listing.installed
    written = provider_pb2.Provider(
        name=installed.name,
        display_name=installed.display_name,
        status=STATUSES[listing.status],
        enabled=listing.enabled,
        is_default=listing.is_default,
        default_model=listing.default_model,
        models=listing.models,
        plugin_package=installed.package,
        plugin_version=installed.version,
        error=listing.error,
        plugin=installed.kind or installed.name,
        circuit=CIRCUITS[listing.circuit],
        running=listing.running,
    )
    if configured:
        written.configuration.CopyFrom(to_configuration(listing))
    return written


def to_configuration(listing: Listing) -> provider_pb2.Configuration:
    """Write how a provider is configured."""
    installed, config = listing.installed, listing.config
    return provider_pb2.Configuration(
        base_url=installed.base_url,
        priority=config.priority,
        max_replies=listing.max_replies,
        fallbacks=config.fallbacks,
        retry_timeouts=config.retry_timeouts,
        credential_source=SOURCES[installed.credential.source],
        credential_last4=installed.credential.last4,
        default_model_chosen=bool(config.default_model),
    )


def to_checkup(checkup: Checkup) -> provider_pb2.CheckProviderResponse:
    """Write what came of asking a provider how it is."""
    written = provider_pb2.CheckProviderResponse(
        provider=checkup.provider,
        status=STATUSES[checkup.status],
        latency_ms=checkup.latency_ms,
        detail=checkup.detail,
    )
    written.checked_at.FromDatetime(checkup.checked_at)
    return written


def to_model(model: Model) -> model_pb2.Model:
    """Write a model."""
    written = model_pb2.Model(
        provider=model.provider,
        name=model.name,
        display_name=model.display_name,
        context_window=model.context_window,
        max_output_tokens=model.max_output_tokens,
        capabilities=sorted(model.capabilities),
        overridden=model.overridden,
    )
    if model.price is not None:
        written.price.CopyFrom(to_price(model.price))
    if model.gone_at is not None:
        written.gone_at.FromDatetime(model.gone_at)
    return written


def from_changes(request: provider_pb2.UpdateProviderRequest) -> Mapping[str, Any]:
    """Read what is to change in a Config, by field."""
    changes: dict[str, Any] = {
        name: getattr(request, name)
        for name in CHANGES
        if request.HasField(name)  # type: ignore[arg-type]  # names of optional fields only
    }
    if request.HasField("fallbacks"):
        choices = request.fallbacks.choices
        changes["fallbacks"] = [ModelChoice(one.provider, one.model) for one in choices]
    return changes


def from_model_change(request: model_pb2.UpdateModelRequest, today: datetime) -> ModelChange:
    """Read what an administrator lays over a model; InvalidArgument."""
    if unknown := sorted(set(request.capabilities) - CAPABILITIES):
        rule = f"must be of {', '.join(sorted(CAPABILITIES))}, not {unknown[0]}"
        raise InvalidArgument.of("capabilities", rule)
    return ModelChange(
        display_name=request.display_name if request.HasField("display_name") else None,
        context_window=request.context_window if request.HasField("context_window") else None,
        max_output_tokens=(
            request.max_output_tokens if request.HasField("max_output_tokens") else None
        ),
        capabilities=frozenset(request.capabilities) if request.set_capabilities else None,
        price=from_price(request.price, today) if request.HasField("price") else None,
    )


def to_price(price: Price) -> model_pb2.Price:
    """Write a price."""
    return model_pb2.Price(
        input_nano_usd_per_million=price.input,
        output_nano_usd_per_million=price.output,
        version=price.version,
        cached_input_nano_usd_per_million=price.cached_input,
        cache_write_nano_usd_per_million=price.cache_write,
        long_cache_write_nano_usd_per_million=price.long_cache_write,
    )


def from_price(price: model_pb2.Price, today: datetime) -> Price:
    """Read a price that is in force from today."""
    said = {field.name: value for field, value in price.ListFields()}
    return Price(
        price.input_nano_usd_per_million,
        price.output_nano_usd_per_million,
        said.get("cached_input_nano_usd_per_million"),
        f"set by an administrator {today:%Y-%m-%d}",
        cache_write=said.get("cache_write_nano_usd_per_million"),
        long_cache_write=said.get("long_cache_write_nano_usd_per_million"),
    )
