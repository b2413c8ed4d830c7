"""Routes of providers and their models, as administrators decide about them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from parley.provider.v1 import model_pb2, provider_pb2
from parley_gateway.api import convert, convert_providers
from parley_gateway.api.auditing import AuditedRoute
from parley_gateway.api.dependencies import (
    ADMINISTRATORS,
    READ_SECONDS,
    ActingAdministrator,
    ThisExchange,
    UsedGateway,
    guarded,
)
from parley_gateway.api.openapi import BODY_REFUSALS, VENDOR_REFUSALS, refusals
from parley_gateway.api.providers import VENDOR_SECONDS, ProviderName
from parley_gateway.api.schemas import providers

Route = guarded(reading=ADMINISTRATORS, changing=ADMINISTRATORS, among=AuditedRoute)
router = APIRouter(route_class=Route, tags=["Providers"])
ModelName = Annotated[
    str,
    Path(
        min_length=1,
        max_length=200,
        description="The model's name, percent-encoded: it may hold `/` (as it is, or as `%2F`) "
        "and `:`; `?` and `#` must be `%3F` and `%23`, and a `%` is `%25`.",
    ),
]


@router.post(
    "/providers",
    summary="Add a provider",
    operation_id="create_provider",
    status_code=201,
    responses=refusals(*BODY_REFUSALS, "permission_denied", "provider_exists", "plugin_not_found"),
)
async def create_provider(
    body: providers.ProviderCreate, gateway: UsedGateway, by: ActingAdministrator
) -> providers.Provider:
    """Add a configuration of an installed plugin under a name of its own. For administrators."""
    answer = await gateway.provider.unary(
        gateway.provider.stub.CreateProvider,
        convert_providers.provider_create(body),
        by,
        READ_SECONDS,
    )
    return convert_providers.provider(answer.provider, by)


# Before the routes that take a provider's name in the place of `credentials`.
@router.post(
    "/providers/credentials/rotate",
    summary="Encrypt all keys anew",
    operation_id="rotate_credentials",
    responses=refusals("permission_denied", "master_key_missing"),
)
async def rotate_credentials(gateway: UsedGateway, by: ActingAdministrator) -> providers.Rotation:
    """Encrypt all stored keys anew with the newest master key. For administrators.

    What no master key opens is named in `unreadable` and left as it is.
    """
    answer = await gateway.provider.unary(
        gateway.provider.stub.RotateCredentials,
        provider_pb2.RotateCredentialsRequest(),
        by,
        VENDOR_SECONDS,
    )
    return providers.Rotation(rotated=answer.rotated, unreadable=list(answer.unreadable))


@router.patch(
    "/providers/{provider}",
    summary="Change a provider",
    operation_id="update_provider",
    responses=refusals(*BODY_REFUSALS, "permission_denied", "provider_not_found"),
)
async def update_provider(
    provider: ProviderName,
    body: providers.ProviderUpdate,
    gateway: UsedGateway,
    by: ActingAdministrator,
    exchange: ThisExchange,
) -> providers.Provider:
    """Change what is sent of a provider; it holds everywhere within 5 s. For administrators."""
    request = convert_providers.provider_update(provider, body)
    with convert.naming():
        answer = await gateway.provider.unary(
            gateway.provider.stub.UpdateProvider, request, by, READ_SECONDS
        )
    changed = convert_providers.provider(answer.provider, by)
    if "base_url" in body.model_fields_set and changed.configuration is not None:
        # Another address clears the stored key.
        credential = changed.configuration.credential
        exchange.details["credential"] = credential.source if credential else None
    return changed


@router.delete(
    "/providers/{provider}",
    summary="Delete a provider",
    operation_id="delete_provider",
    status_code=204,
    responses=refusals(
        "invalid_argument", "permission_denied", "provider_not_found", "provider_built_in"
    ),
)
async def delete_provider(
    provider: ProviderName, gateway: UsedGateway, by: ActingAdministrator
) -> None:
    """Take away a configuration that was added; what it cost stays on record."""
    request = provider_pb2.DeleteProviderRequest(provider=provider)
    await gateway.provider.unary(gateway.provider.stub.DeleteProvider, request, by, READ_SECONDS)


@router.put(
    "/providers/{provider}/credentials",
    summary="Set a provider's key",
    operation_id="set_credential",
    responses=refusals(
        *BODY_REFUSALS, "permission_denied", "provider_not_found", "master_key_missing"
    ),
)
async def set_credential(
    provider: ProviderName,
    body: providers.Credential,
    gateway: UsedGateway,
    by: ActingAdministrator,
) -> providers.Provider:
    """Keep a vendor's key, encrypted; of it only the last four characters are ever answered."""
    request = provider_pb2.SetCredentialRequest(provider=provider, api_key=body.api_key)
    answer = await gateway.provider.unary(
        gateway.provider.stub.SetCredential, request, by, READ_SECONDS
    )
    return convert_providers.provider(answer.provider, by)


@router.delete(
    "/providers/{provider}/credentials",
    summary="Forget a provider's key",
    operation_id="delete_credential",
    responses=refusals("invalid_argument", "permission_denied", "provider_not_found"),
)
async def delete_credential(
    provider: ProviderName, gateway: UsedGateway, by: ActingAdministrator
) -> providers.Provider:
    """Forget a provider's stored key; one from the environment counts again."""
    request = provider_pb2.DeleteCredentialRequest(provider=provider)
    answer = await gateway.provider.unary(
        gateway.provider.stub.DeleteCredential, request, by, READ_SECONDS
    )
    return convert_providers.provider(answer.provider, by)


@router.post(
    "/providers/{provider}/models/refresh",
    summary="Refresh a provider's models",
    operation_id="refresh_models",
    responses=refusals("invalid_argument", *VENDOR_REFUSALS, "permission_denied"),
)
async def refresh_models(
    provider: ProviderName, gateway: UsedGateway, by: ActingAdministrator
) -> providers.ModelList:
    """Ask a vendor for its models now. For administrators."""
    request = model_pb2.RefreshModelsRequest(provider=provider)
    answer = await gateway.provider.unary(
        gateway.provider.stub.RefreshModels, request, by, VENDOR_SECONDS
    )
    return providers.ModelList(
        provider=provider,
        models=[convert_providers.offered_model(model) for model in answer.models],
    )


@router.patch(
    "/providers/{provider}/models/{model:path}",
    summary="Change a model",
    operation_id="update_model",
    responses=refusals(*BODY_REFUSALS, "permission_denied", "provider_not_found"),
)
async def update_model(
    provider: ProviderName,
    model: ModelName,
    body: providers.ModelUpdate,
    gateway: UsedGateway,
    by: ActingAdministrator,
) -> providers.Model:
    """Lay something over what is known of a model, or add one that is not listed."""
    request = convert_providers.model_update(provider, model, body)
    with convert.naming(**convert_providers.PRICE_NAMES):
        answer = await gateway.provider.unary(
            gateway.provider.stub.UpdateModel, request, by, READ_SECONDS
        )
    return convert_providers.offered_model(answer.model)


@router.delete(
    "/providers/{provider}/models/{model:path}",
    summary="Reset a model",
    operation_id="reset_model",
    status_code=204,
    responses=refusals(
        "invalid_argument", "permission_denied", "provider_not_found", "model_not_found"
    ),
)
async def reset_model(
    provider: ProviderName, model: ModelName, gateway: UsedGateway, by: ActingAdministrator
) -> None:
    """Take back what was laid over a model; one that was added goes. For administrators."""
    request = model_pb2.ResetModelRequest(provider=provider, model=model)
    await gateway.provider.unary(gateway.provider.stub.ResetModel, request, by, READ_SECONDS)
