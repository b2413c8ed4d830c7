"""The calls of ProviderService that are an administrator's."""

from __future__ import annotations

from abc import ABC
from datetime import UTC, datetime

from parley_rpc.context import ServerContext, require_admin
from typing_extensions import override

from parley.provider.v1 import model_pb2, provider_pb2
from parley.provider.v1.provider_pb2_grpc import ProviderServiceServicer
from parley_provider_service.api.configurations import (
    from_changes,
    from_model_change,
    to_model,
    to_provider,
)
from parley_provider_service.api.fields import owner_of, seconds_left
from parley_provider_service.core.administration import Administration, NewProvider


class AdministrationCalls(ProviderServiceServicer, ABC):
    """Answers what changes providers, their keys and what is known of their models."""

    def __init__(self, administration: Administration) -> None:
        self.administration = administration

    @override
    async def CreateProvider(
        self, request: provider_pb2.CreateProviderRequest, context: ServerContext
    ) -> provider_pb2.CreateProviderResponse:
        by = owner_of(require_admin(context))
        wanted = NewProvider(request.name, request.plugin, request.display_name, request.base_url)
        listing = await self.administration.create(wanted, by)
        return provider_pb2.CreateProviderResponse(provider=to_provider(listing, configured=True))

    @override
    async def UpdateProvider(
        self, request: provider_pb2.UpdateProviderRequest, context: ServerContext
    ) -> provider_pb2.UpdateProviderResponse:
        by = owner_of(require_admin(context))
        listing = await self.administration.update(request.provider, from_changes(request), by)
        return provider_pb2.UpdateProviderResponse(provider=to_provider(listing, configured=True))

    @override
    async def DeleteProvider(
        self, request: provider_pb2.DeleteProviderRequest, context: ServerContext
    ) -> provider_pb2.DeleteProviderResponse:
        require_admin(context)
        await self.administration.delete(request.provider)
        return provider_pb2.DeleteProviderResponse()

    @override
    async def SetCredential(
        self, request: provider_pb2.SetCredentialRequest, context: ServerContext
    ) -> provider_pb2.SetCredentialResponse:
        by = owner_of(require_admin(context))
        listing = await self.administration.set_credential(request.provider, request.api_key, by)
        return provider_pb2.SetCredentialResponse(provider=to_provider(listing, configured=True))

    @override
    async def DeleteCredential(
        self, request: provider_pb2.DeleteCredentialRequest, context: ServerContext
    ) -> provider_pb2.DeleteCredentialResponse:
        by = owner_of(require_admin(context))
        listing = await self.administration.delete_credential(request.provider, by)
        return provider_pb2.DeleteCredentialResponse(provider=to_provider(listing, configured=True))

    @override
    async def RotateCredentials(
        self, request: provider_pb2.RotateCredentialsRequest, context: ServerContext
    ) -> provider_pb2.RotateCredentialsResponse:
        require_admin(context)
        rotated, unreadable = await self.administration.rotate()
        return provider_pb2.RotateCredentialsResponse(rotated=rotated, unreadable=unreadable)

    @override
    async def RefreshModels(
        self, request: model_pb2.RefreshModelsRequest, context: ServerContext
    ) -> model_pb2.RefreshModelsResponse:
        require_admin(context)
        within = seconds_left(context)
        models = await self.administration.refresh_models(request.provider, within=within)
        return model_pb2.RefreshModelsResponse(models=[to_model(model) for model in models])

    @override
    async def UpdateModel(
        self, request: model_pb2.UpdateModelRequest, context: ServerContext
    ) -> model_pb2.UpdateModelResponse:
        require_admin(context)
        change = from_model_change(request, datetime.now(UTC))
        model = await self.administration.change_model(request.provider, request.model, change)
        return model_pb2.UpdateModelResponse(model=to_model(model))

    @override
    async def ResetModel(
        self, request: model_pb2.ResetModelRequest, context: ServerContext
    ) -> model_pb2.ResetModelResponse:
        require_admin(context)
        await self.administration.reset_model(request.provider, request.model)
        return model_pb2.ResetModelResponse()
