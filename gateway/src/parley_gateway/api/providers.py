"""Routes of providers and their models, as everybody may read them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from parley_rpc.context import Caller

from parley.provider.v1 import model_pb2, provider_pb2
from parley_gateway.api import convert, convert_providers
from parley_gateway.api.dependencies import (
    NOBODY,
    READ_SECONDS,
    ActingCaller,
    Gateway,
    UsedGateway,
    guarded,
)
from parley_gateway.api.openapi import VENDOR_REFUSALS, refusals
from parley_gateway.api.schemas import providers
from parley_gateway.core.scopes import ANY

# Where a vendor has to be asked first.
VENDOR_SECONDS = 15.0
Route = guarded(reading=ANY, changing=NOBODY)
router = APIRouter(route_class=Route, tags=["Providers"])
ProviderName = Annotated[str, Path(description="The provider's name.")]


@router.get(
    "/providers",
    summary="List providers",
    operation_id="list_providers",
    responses=refusals(),
)
async def list_providers(gateway: UsedGateway, caller: ActingCaller) -> providers.ProviderList:
    """List all providers and how they stand, those that cannot be used included."""
    known = await all_providers(gateway, caller)
    return providers.ProviderList(
        providers=[convert_providers.provider(one, caller) for one in known]
    )


async def all_providers(gateway: Gateway, caller: Caller) -> list[provider_pb2.Provider]:
    """Collect the pages of all providers."""
    known: list[provider_pb2.Provider] = []
    request = provider_pb2.ListProvidersRequest()
    while True:
        answer = await gateway.provider.unary(
            gateway.provider.stub.ListProviders, request, caller, READ_SECONDS
        )
        known += answer.providers
        request.page_token = answer.next_page_token
        if not request.page_token:
            return known


@router.get(
    "/providers/{provider}/models",
    summary="List a provider's models",
    operation_id="list_models",
    responses=refusals("invalid_argument", *VENDOR_REFUSALS),
)
async def list_models(
    provider: ProviderName,
    gateway: UsedGateway,
    caller: ActingCaller,
    include_gone: Annotated[
        bool, Query(description="With those that the vendor lists no more.")
    ] = False,
) -> providers.ModelList:
    """List the models of a provider: as its vendor lists them, and what administrators added."""
    models: list[model_pb2.Model] = []
    request = model_pb2.ListModelsRequest(provider=provider, include_gone=include_gone)
    while True:
        answer = await gateway.provider.unary(
            gateway.provider.stub.ListModels, request, caller, VENDOR_SECONDS
        )
        models += answer.models
        request.page_token = answer.next_page_token
        if not request.page_token:
            break
    return providers.ModelList(
        provider=provider, models=[convert_providers.offered_model(model) for model in models]
    )


@router.get(
    "/providers/{provider}/health",
    summary="Check a provider",
    operation_id="check_provider",
    responses=refusals("invalid_argument", "provider_not_found"),
)
async def check_provider(
    provider: ProviderName, gateway: UsedGateway, caller: ActingCaller
) -> providers.ProviderHealth:
    """Ask a provider how it is, just now; 200 also when it is not well."""
    request = provider_pb2.CheckProviderRequest(provider=provider)
    answer = await gateway.provider.unary(
        gateway.provider.stub.CheckProvider, request, caller, VENDOR_SECONDS
    )
    return providers.ProviderHealth(
        provider=answer.provider,
        status=convert_providers.PROVIDER_STATUSES.get(answer.status, "unknown"),
        latency_ms=answer.latency_ms,
        checked_at=convert.instant(answer.checked_at),
        detail=answer.detail,
    )
