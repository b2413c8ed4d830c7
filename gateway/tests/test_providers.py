"""Providers and models over HTTP."""

from __future__ import annotations

import httpx
import pytest
from parley_rpc.faults import NotFound, Origin, RemoteFault

from parley.provider.v1.model_pb2 import ListModelsResponse, Model, Price
from parley.provider.v1.provider_pb2 import (
    PROVIDER_STATUS_READY,
    PROVIDER_STATUS_UNHEALTHY,
    CheckProviderResponse,
    ListProvidersResponse,
    Provider,
)

from .fakes import Script
from .turns import AT, vendor_fault

pytestmark = pytest.mark.unit


async def test_providers_are_listed(client: httpx.AsyncClient, script: Script) -> None:
    demo = Provider(
        name="demo",
        display_name="Demo",
        status=PROVIDER_STATUS_READY,
        enabled=True,
        is_default=True,
        models=["demo-1"],
        plugin_package="parley-provider-demo",
        plugin_version="0.1.0",
    )
    script.answers["ListProviders"] = ListProvidersResponse(providers=[demo])

    assert {
        "providers": [
            {
                "name": "demo",
                "display_name": "Demo",
                "status": "ready",
                "enabled": True,
                "is_default": True,
                "default_model": None,
                "models": ["demo-1"],
                "plugin": {"package": "parley-provider-demo", "version": "0.1.0"},
                "error": None,
            }
        ]
    } == (await client.get("/providers")).json()


async def test_models_are_listed(client: httpx.AsyncClient, script: Script) -> None:
    known = Model(
        name="demo-1",
        display_name="Demo 1",
        context_window=1000,
        capabilities=["text"],
        price=Price(
            input_nano_usd_per_million=1_250_000_000,
            output_nano_usd_per_million=10_000_000_000,
            version="prices 1",
        ),
    )
    script.answers["ListModels"] = ListModelsResponse(models=[known, Model(name="demo-2")])

    answer = (await client.get("/providers/demo/models")).json()

    assert "demo" == answer["provider"]
    assert {
        "name": "demo-1",
        "display_name": "Demo 1",
        "context_window": 1000,
        "max_output_tokens": None,
        "capabilities": ["text"],
        "price": {"input": "1.25", "output": "10", "currency": "USD", "version": "prices 1"},
    } == answer["models"][0]
    assert answer["models"][1]["price"] is None


async def test_an_unwell_provider_is_an_answer(client: httpx.AsyncClient, script: Script) -> None:
    script.answers["CheckProvider"] = CheckProviderResponse(
        provider="demo",
        status=PROVIDER_STATUS_UNHEALTHY,
        latency_ms=12.5,
        checked_at=AT,
        detail="It does not answer.",
    )

    answer = await client.get("/providers/demo/health")

    assert 200 == answer.status_code
    assert {
        "provider": "demo",
        "status": "unhealthy",
        "latency_ms": 12.5,
        "checked_at": "2026-11-23T12:00:00.250000Z",
        "detail": "It does not answer.",
    } == answer.json()


@pytest.mark.parametrize("route", ["models", "health"])
async def test_an_unknown_provider_is_404_and_near_ones_are_named(
    client: httpx.AsyncClient, script: Script, route: str
) -> None:
    origin = Origin(NotFound, "provider_not_found", "provider.parley")
    fault = RemoteFault("There is no dmo.", origin, metadata={"near": "demo"})
    script.answers |= {"ListModels": fault, "CheckProvider": fault}

    answer = await client.get(f"/providers/dmo/{route}")

    assert (404, {"near": "demo"}) == (answer.status_code, answer.json()["metadata"])


async def test_a_vendor_that_cannot_be_asked_is_502(
    client: httpx.AsyncClient, script: Script
) -> None:
    script.answers["ListModels"] = vendor_fault("unreachable")

    answer = await client.get("/providers/acme/models")

    assert (502, "unreachable") == (answer.status_code, answer.json()["reason"])


async def test_all_pages_are_collected(client: httpx.AsyncClient, script: Script) -> None:
    pages = {
        "": ListModelsResponse(models=[Model(name="a")], next_page_token="2"),
        "2": ListModelsResponse(models=[Model(name="b")]),
    }
    script.paged["ListModels"] = pages

    models = (await client.get("/providers/demo/models")).json()["models"]

    assert ["a", "b"] == [model["name"] for model in models]
