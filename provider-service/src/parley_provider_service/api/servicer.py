"""ProviderService as the contract has it: who offers what, one reply, and the ledger."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import UUID

from parley_rpc.context import ServerContext, caller_of
from typing_extensions import override

from parley.provider.v1 import model_pb2, provider_pb2, reply_pb2, usage_pb2
from parley_provider_service.api.administration import AdministrationCalls
from parley_provider_service.api.aliases import AliasCalls
from parley_provider_service.api.allowances import from_allowances, to_allowances
from parley_provider_service.api.configurations import to_checkup, to_model, to_provider
from parley_provider_service.api.convert import (
    SOURCES,
    from_ask,
    from_request,
    owners_of,
    to_event,
)
from parley_provider_service.api.embedding import EmbeddingCalls
from parley_provider_service.api.fields import (
    cut,
    from_token,
    from_uuid,
    owner_of,
    page_size,
    seconds_left,
)
from parley_provider_service.api.records import (
    MOST_RECORDS,
    few_enough,
    from_filter,
    from_groups,
    from_usage_ids,
    to_record,
    to_sum,
)
from parley_provider_service.core.administration import Administration
from parley_provider_service.core.aliases import Aliases
from parley_provider_service.core.catalog import Catalog
from parley_provider_service.core.counting import Counting
from parley_provider_service.core.generation import Generation
from parley_provider_service.core.ports import Ledger

MOST_PROVIDERS = 100
MOST_MODELS = 1_000
USUAL_RECORDS = 100


class ProviderServicer(AdministrationCalls, AliasCalls, EmbeddingCalls):
    """Answers each call."""

    def __init__(
        self,
        catalog: Catalog,
        generation: Generation,
        ledger: Ledger,
        administration: Administration,
    ) -> None:
        super().__init__(administration)
        self.catalog = catalog
        self.generation = generation
        self.ledger = ledger
        self.counting = Counting(catalog)
        self.aliases = Aliases(catalog, administration.store)

    @override
    async def ListProviders(
        self, request: provider_pb2.ListProvidersRequest, context: ServerContext
    ) -> provider_pb2.ListProvidersResponse:
        size = page_size(request.page_size, MOST_PROVIDERS)
        configured = caller_of(context).is_admin
        # In order of preference, so a page goes on after a name wherever that stands now.
        listings = self.catalog.roster.listings()
        names = [listing.installed.name for listing in listings]
        after = from_token(request.page_token)
        start = names.index(after) + 1 if after in names else 0
        page, token = cut(listings[start:], size, lambda listing: listing.installed.name)
        providers = [to_provider(listing, configured=configured) for listing in page]
        return provider_pb2.ListProvidersResponse(providers=providers, next_page_token=token)

    @override
    async def CheckProvider(
        self, request: provider_pb2.CheckProviderRequest, context: ServerContext
    ) -> provider_pb2.CheckProviderResponse:
        return to_checkup(await self.catalog.check(request.provider, within=seconds_left(context)))

    @override
    async def ListModels(
        self, request: model_pb2.ListModelsRequest, context: ServerContext
    ) -> model_pb2.ListModelsResponse:
        size, after = page_size(request.page_size, MOST_MODELS), from_token(request.page_token)
        known = await self.catalog.models(
            request.provider, gone=request.include_gone, within=seconds_left(context)
        )
        left = [model for model in known if model.name > after]
        page, token = cut(left, size, lambda model: model.name)
        return model_pb2.ListModelsResponse(
            models=[to_model(model) for model in page], next_page_token=token
        )

    @override
    async def GetModel(
        self, request: model_pb2.GetModelRequest, context: ServerContext
    ) -> model_pb2.GetModelResponse:
        model = await self.catalog.find(
            request.provider, request.model, within=seconds_left(context)
        )
        return model_pb2.GetModelResponse(model=to_model(model))

    @override
    async def GenerateReply(
        self, request: reply_pb2.GenerateReplyRequest, context: ServerContext
    ) -> AsyncIterator[reply_pb2.GenerateReplyResponse]:
        seconds = context.time_remaining() or 0.0
        reply = await self.generation.begin(from_ask(request, caller_of(context), seconds))
        # However this call ends, nothing is produced any more. (The stubs want a class that
        # exists in them alone.)
        context.add_done_callback(lambda _: reply.stop())  # type: ignore[arg-type]
        async for event in self.generation.events(reply):
            for message in to_event(event):
                yield message

    @override
    async def CountTokens(
        self, request: reply_pb2.CountTokensRequest, context: ServerContext
    ) -> reply_pb2.CountTokensResponse:
        asked = from_request(request.request)
        counted = await self.counting.count(
            request.request.provider,
            asked,
            dialect=request.request.options_dialect,
            owners=owners_of(request.request),
            scopes=caller_of(context).scopes,
            within=seconds_left(context),
        )
        return reply_pb2.CountTokensResponse(
            input_tokens=counted.input_tokens, source=SOURCES[counted.source]
        )

    @override
    async def ListUsage(
        self, request: usage_pb2.ListUsageRequest, context: ServerContext
    ) -> usage_pb2.ListUsageResponse:
        owner = owner_of(caller_of(context))
        ids = from_usage_ids(request)
        size, after = page_size(request.page_size, MOST_RECORDS), from_token(request.page_token)
        records = await self.ledger.find(owner, [one for one in ids if str(one) > after])
        page, token = cut(records, size, lambda record: str(record.usage_id))
        return usage_pb2.ListUsageResponse(
            records=[to_record(record) for record in page], next_page_token=token
        )

    @override
    async def GetUsage(
        self, request: usage_pb2.GetUsageRequest, context: ServerContext
    ) -> usage_pb2.GetUsageResponse:
        records = await self.ledger.find(None, from_usage_ids(request))
        return usage_pb2.GetUsageResponse(records=[to_record(record) for record in records])

    @override
    async def ListUsageRecords(
        self, request: usage_pb2.ListUsageRecordsRequest, context: ServerContext
    ) -> usage_pb2.ListUsageRecordsResponse:
        which = from_filter(request, caller_of(context))
        size = page_size(request.page_size, MOST_RECORDS) if request.page_size else USUAL_RECORDS
        place = from_token(request.page_token)
        before: UUID | None = from_uuid("page_token", place) if place else None
        records = await self.ledger.page(which, before, size + 1)
        page, token = cut(records, size, lambda record: str(record.usage_id))
        return usage_pb2.ListUsageRecordsResponse(
            records=[to_record(record) for record in page], next_page_token=token
        )

    @override
    async def SummarizeUsage(
        self, request: usage_pb2.SummarizeUsageRequest, context: ServerContext
    ) -> usage_pb2.SummarizeUsageResponse:
        which, groups = from_filter(request, caller_of(context)), from_groups(request)
        [total] = await self.ledger.sums(which, [])
        rows = few_enough(await self.ledger.sums(which, groups)) if groups else []
        return usage_pb2.SummarizeUsageResponse(
            rows=[to_sum(row) for row in rows], total=to_sum(total)
        )

    @override
    async def GetAllowances(
        self, request: usage_pb2.GetAllowancesRequest, context: ServerContext
    ) -> usage_pb2.GetAllowancesResponse:
        allowances = from_allowances(caller_of(context).allowances)
        balances = await self.ledger.balances(allowances) if allowances else []
        return to_allowances(balances)
