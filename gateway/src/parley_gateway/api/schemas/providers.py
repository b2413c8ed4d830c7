"""Providers and models over HTTP."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel

from parley_gateway.api import examples
from parley_gateway.api.schemas.fields import example


class Plugin(BaseModel):
    """Where a provider comes from."""

    package: str
    version: str


class Provider(BaseModel):
    """Somebody who offers models."""

    name: str
    display_name: str
    status: str
    enabled: bool
    is_default: bool
    default_model: str | None
    models: list[str]
    plugin: Plugin
    error: str | None


class ProviderList(BaseModel):
    """All providers, in order of preference."""

    model_config = example(examples.PROVIDER_LIST)

    providers: list[Provider]


class Price(BaseModel):
    """What a million tokens cost, as decimal numbers."""

    input: str
    output: str
    currency: Literal["USD"] = "USD"
    version: str


class Model(BaseModel):
    """A model; null where its vendor says nothing."""

    name: str
    display_name: str
    context_window: int | None
    max_output_tokens: int | None
    capabilities: list[str]
    price: Price | None


class ModelList(BaseModel):
    """The models of a provider."""

    model_config = example(examples.MODEL_LIST)

    provider: str
    models: list[Model]


class ProviderHealth(BaseModel):
    """How a provider is, asked just now."""

    model_config = example(examples.PROVIDER_HEALTH)

    provider: str
    status: str
    latency_ms: float
    checked_at: datetime
    detail: str
