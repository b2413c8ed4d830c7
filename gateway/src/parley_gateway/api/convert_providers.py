"""Providers and models: the contract ⇄ HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from parley_rpc.context import Caller

from parley.provider.v1 import model_pb2, provider_pb2
from parley_gateway.api.convert import dollars, instant, model_choice, nano_dollars, words
from parley_gateway.api.schemas import providers

PROVIDER_STATUSES = words(provider_pb2.ProviderStatus, "PROVIDER_STATUS_")
CIRCUITS = words(provider_pb2.Circuit, "CIRCUIT_")
CREDENTIAL_SOURCES = words(provider_pb2.CredentialSource, "CREDENTIAL_SOURCE_")
# What input costs that does not cost as any.
SPECIAL_RATES = (
    "cached_input_nano_usd_per_million",
    "cache_write_nano_usd_per_million",
    "long_cache_write_nano_usd_per_million",
)
# What a price's fields are called in HTTP.
PRICE_NAMES: Mapping[str, str] = {
    "price.input_nano_usd_per_million": "price.input",
    "price.output_nano_usd_per_million": "price.output",
    "price.cached_input_nano_usd_per_million": "price.cached_input",
    "price.cache_write_nano_usd_per_million": "price.cache_write",
    "price.long_cache_write_nano_usd_per_million": "price.long_cache_write",
}


def provider(known: provider_pb2.Provider, by: Caller) -> providers.Provider:
    """Return a provider; how it is configured is for administrators."""
    shown = by.is_admin and known.HasField("configuration")
    return providers.Provider(
        name=known.name,
        display_name=known.display_name,
        kind=known.plugin or known.name,
        status=PROVIDER_STATUSES.get(known.status, "unknown"),
        enabled=known.enabled,
        is_default=known.is_default,
        default_model=known.default_model or None,
        models=list(known.models),
        plugin=providers.Plugin(package=known.plugin_package, version=known.plugin_version),
        error=known.error or None,
        circuit=CIRCUITS.get(known.circuit, "unknown"),
        running=known.running,
        configuration=configuration(known.configuration) if shown else None,
    )


def configuration(known: provider_pb2.Configuration) -> providers.Configuration:
    """Return how a provider is configured."""
    source = CREDENTIAL_SOURCES.get(known.credential_source)
    return providers.Configuration(
        base_url=known.base_url or None,
        priority=known.priority,
        max_replies=known.max_replies,
        fallbacks=list(known.fallbacks),
        retry_timeouts=known.retry_timeouts,
        credential=providers.ShownCredential(source=source, last4=known.credential_last4 or None)
        if source
        else None,
        default_model_chosen=known.default_model_chosen,
    )


def provider_create(body: providers.ProviderCreate) -> provider_pb2.CreateProviderRequest:
    """Write a new configuration as the contract has it."""
    return provider_pb2.CreateProviderRequest(
        name=body.name,
        plugin=body.plugin,
        display_name=body.display_name or "",
        base_url=body.base_url or "",
    )


def provider_update(
    name: str, body: providers.ProviderUpdate
) -> provider_pb2.UpdateProviderRequest:
    """Write what was sent of a change as the contract has it; what was not stays absent."""
    sent = body.model_dump(exclude_unset=True)
    fallbacks = sent.pop("fallbacks", None) or []
    taken_back: Mapping[str, Any] = {
        "default_model": "",
        "base_url": "",
        "display_name": "",
        "max_replies": 0,
    }
    fields = {field: taken_back[field] if value is None else value for field, value in sent.items()}
    request = provider_pb2.UpdateProviderRequest(provider=name, **fields)
    if "fallbacks" in body.model_fields_set:
        policy = provider_pb2.FallbackPolicy(choices=[model_choice(text) for text in fallbacks])
        request.fallbacks.CopyFrom(policy)
    return request


def offered_model(known: model_pb2.Model) -> providers.Model:
    """Return a model."""
    return providers.Model(
        name=known.name,
        display_name=known.display_name,
        context_window=known.context_window or None,
        max_output_tokens=known.max_output_tokens or None,
        capabilities=list(known.capabilities),
        price=price(known.price) if known.HasField("price") else None,
        overridden=known.overridden,
        gone_at=instant(known.gone_at) if known.HasField("gone_at") else None,
    )


def price(known: model_pb2.Price) -> providers.Price:
    """Return a price."""
    said = {field.name: value for field, value in known.ListFields()}
    cached, write, lasting = (
        dollars(said[name]) if name in said else None for name in SPECIAL_RATES
    )
    return providers.Price(
        input=dollars(known.input_nano_usd_per_million),
        output=dollars(known.output_nano_usd_per_million),
        cached_input=cached,
        cache_write=write,
        long_cache_write=lasting,
        version=known.version,
    )


def model_update(
    provider: str, name: str, body: providers.ModelUpdate
) -> model_pb2.UpdateModelRequest:
    """Write what was sent of a change as the contract has it; what was not stays absent."""
    sent = body.model_dump(exclude_unset=True, exclude={"price"})
    request = model_pb2.UpdateModelRequest(provider=provider, model=name, **sent)
    request.set_capabilities = "capabilities" in body.model_fields_set
    if body.price is not None:
        request.price.CopyFrom(price_set(body.price))
    return request


def price_set(body: providers.PriceSet) -> model_pb2.Price:
    """Write a price as the contract has it."""
    return model_pb2.Price(
        input_nano_usd_per_million=nano_dollars(body.input),
        output_nano_usd_per_million=nano_dollars(body.output),
        cached_input_nano_usd_per_million=special_rate(body.cached_input),
        cache_write_nano_usd_per_million=special_rate(body.cache_write),
        long_cache_write_nano_usd_per_million=special_rate(body.long_cache_write),
    )


def special_rate(amount: str | None) -> int | None:
    """Read what some input costs; None when it costs as any."""
    return None if amount is None else nano_dollars(amount)
