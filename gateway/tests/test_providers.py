"""Providers and models over HTTP."""

from __future__ import annotations

import httpx
import pytest
from parley_rpc.faults import NotFound, Origin, RemoteFault

from parley.provider.v1.model_pb2 import ListModelsResponse, Model, Price
from parley.provider.v1.provider_pb2 import (
    CIRCUIT_HALF_OPEN,
    CREDENTIAL_SOURCE_STORED,
    PROVIDER_STATUS_READY,
    PROVIDER_STATUS_UNHEALTHY,
    CheckProviderResponse,
    Configuration,
    ListProvidersResponse,
    Provider,
)

from .fakes import Script
from .turns import AT, vendor_fault

pytestmark = pytest.mark.unit


DEMO = Provider(
    name="demo-eu",
    display_name="Demo",
    status=PROVIDER_STATUS_READY,
    enabled=True,
    is_default=True,
    models=["demo-1"],
    plugin_package="parley-provider-demo",
    plugin_version="0.1.0",
    plugin="demo",
    circuit=CIRCUIT_HALF_OPEN,
    running=3,
    configuration=Configuration(
        priority=10,
        max_replies=128,
        fallbacks=["acme/large"],
        credential_source=CREDENTIAL_SOURCE_STORED,
        credential_last4="x7Qz",
    ),
)
SHOWN = {
    "name": "demo-eu",
    "display_name": "Demo",
    "kind": "demo",
    "status": "ready",
    "enabled": True,
    "is_default": True,
    "default_model": None,
    "models": ["demo-1"],
    "plugin": {"package": "parley-provider-demo", "version": "0.1.0"},
    "error": None,
    "circuit": "half_open",
    "running": 3,
}
CONFIGURED = {
    "base_url": None,
    "priority": 10,
    "max_replies": 128,
    "fallbacks": ["acme/large"],
    "retry_timeouts": False,
    "credential": {"source": "stored", "last4": "x7Qz"},
    "default_model_chosen": False,
}


async def test_providers_are_listed_to_administrators_with_their_configuration(
    client: httpx.AsyncClient, script: Script
) -> None:
    script.answers["ListProviders"] = ListProvidersResponse(providers=[DEMO])

    answer = await client.get("/providers")

    assert {"providers": [{**SHOWN, "configuration": CONFIGURED}]} == answer.json()


async def test_a_configuration_is_for_administrators_even_when_the_service_tells_it(
    client: httpx.AsyncClient, script: Script, user_key: str
) -> None:
    script.answers["ListProviders"] = ListProvidersResponse(providers=[DEMO])
    client.headers["Authorization"] = f"Bearer {user_key}"

    answer = await client.get("/providers")

    assert {"providers": [{**SHOWN, "configuration": None}]} == answer.json()


async def test_a_provider_without_a_key_has_no_credential(
    client: httpx.AsyncClient, script: Script
) -> None:
    bare = Provider(name="bare", configuration=Configuration())
    script.answers["ListProviders"] = ListProvidersResponse(providers=[bare])

    shown = (await client.get("/providers")).json()["providers"][0]

    assert ("bare", None) == (shown["kind"], shown["configuration"]["credential"])


PRICED = Price(
    input_nano_usd_per_million=1_250_000_000,
    output_nano_usd_per_million=10_000_000_000,
    cached_input_nano_usd_per_million=0,
    cache_write_nano_usd_per_million=0,
    long_cache_write_nano_usd_per_million=1,
    version="prices 1",
)


async def test_models_are_listed(client: httpx.AsyncClient, script: Script) -> None:
    known = Model(
        name="demo-1",
        display_name="Demo 1",
        context_window=1000,
        capabilities=["text"],
        price=PRICED,
        overridden=True,
        gone_at=AT,
    )
    script.answers["ListModels"] = ListModelsResponse(models=[known, Model(name="demo-2")])

    answer = (await client.get("/providers/demo/models?include_gone=true")).json()

    assert ("demo", True) == (answer["provider"], script.last.request.include_gone)
    assert {
        "name": "demo-1",
        "display_name": "Demo 1",
        "context_window": 1000,
        "max_output_tokens": None,
        "capabilities": ["text"],
        "price": {
            "input": "1.25",
            "output": "10",
            "cached_input": "0",
            "cache_write": "0",
            "long_cache_write": "0.000000001",
            "currency": "USD",
            "version": "prices 1",
        },
        "overridden": True,
        "gone_at": "2026-11-23T12:00:00.250000Z",
    } == answer["models"][0]
    bare = answer["models"][1]
    assert (None, None, False) == (bare["price"], bare["gone_at"], bare["overridden"])


async def test_a_price_without_a_cached_one_says_so(
    client: httpx.AsyncClient, script: Script
) -> None:
    priced = Model(name="a", price=Price(input_nano_usd_per_million=1))
    script.answers["ListModels"] = ListModelsResponse(models=[priced])

    answer = (await client.get("/providers/demo/models")).json()

    assert False is script.last.request.include_gone
    assert ("0.000000001", None) == (
        answer["models"][0]["price"]["input"],
        answer["models"][0]["price"]["cached_input"],
    )


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
