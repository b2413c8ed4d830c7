"""The calls of ProviderService that are about names of models."""

from __future__ import annotations

from abc import ABC

from parley_rpc.context import ServerContext, require_admin
from typing_extensions import override

from parley.provider.v1 import alias_pb2
from parley.provider.v1.provider_pb2_grpc import ProviderServiceServicer
from parley_provider_service.api.fields import cut, from_token, owner_of, page_size
from parley_provider_service.core.aliases import Aliases
from parley_provider_service.core.model import ModelChoice
from parley_provider_service.core.naming import Alias

MOST_ALIASES = 100


class AliasCalls(ProviderServiceServicer, ABC):
    """Answers what models are called; administrators change it."""

    aliases: Aliases

    @override
    async def ListAliases(
        self, request: alias_pb2.ListAliasesRequest, context: ServerContext
    ) -> alias_pb2.ListAliasesResponse:
        size, after = page_size(request.page_size, MOST_ALIASES), from_token(request.page_token)
        left = [alias for alias in self.aliases.listed() if alias.name > after]
        page, token = cut(left, size, lambda alias: alias.name)
        return alias_pb2.ListAliasesResponse(
            aliases=[to_alias(alias) for alias in page], next_page_token=token
        )

    @override
    async def UpdateAlias(
        self, request: alias_pb2.UpdateAliasRequest, context: ServerContext
    ) -> alias_pb2.UpdateAliasResponse:
        by = owner_of(require_admin(context))
        meaning = ModelChoice(request.provider, request.model)
        alias = await self.aliases.change(request.alias, meaning, by)
        return alias_pb2.UpdateAliasResponse(alias=to_alias(alias))

    @override
    async def DeleteAlias(
        self, request: alias_pb2.DeleteAliasRequest, context: ServerContext
    ) -> alias_pb2.DeleteAliasResponse:
        require_admin(context)
        await self.aliases.remove(request.alias)
        return alias_pb2.DeleteAliasResponse()


def to_alias(alias: Alias) -> alias_pb2.Alias:
    """Write an alias."""
    written = alias_pb2.Alias(
        alias=alias.name, provider=alias.meaning.provider, model=alias.meaning.model
    )
    if alias.updated_at is not None:
        written.updated_at.FromDatetime(alias.updated_at)
    return written
