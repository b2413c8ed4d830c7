"""ProviderService as the contract has it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import TypeVar

from parley_rpc.context import ServerContext, caller_of
from parley_rpc.faults import InvalidArgument
from typing_extensions import override

from parley.provider.v1 import model_pb2, provider_pb2, reply_pb2, usage_pb2
from parley.provider.v1.provider_pb2_grpc import ProviderServiceServicer
from parley_provider_service.api.convert import (
    from_ask,
    from_token,
    from_uuid,
    owner_of,
    page_size,
    to_checkup,
    to_event,
    to_model,
    to_provider,
    to_record,
    to_token,
)
from parley_provider_service.core.catalog import Catalog
from parley_provider_service.core.generation import Generation
from parley_provider_service.core.ports import Ledger

MOST_PROVIDERS = 100
MOST_MODELS = 1_000
MOST_RECORDS = 500

Item = TypeVar("Item")


class ProviderServicer(ProviderServiceServicer):
    """Answers each call."""

    def __init__(self, catalog: Catalog, generation: Generation, ledger: Ledger) -> None:
        self.catalog = catalog
        self.generation = generation
        self.ledger = ledger

    @override
    async def ListProviders(
        self, request: provider_pb2.ListProvidersRequest, context: ServerContext
    ) -> provider_pb2.ListProvidersResponse:
        size = page_size(request.page_size, MOST_PROVIDERS)
        # In order of preference, so a page goes on after a name wherever that stands now.
        listings = self.catalog.roster.listings()
        names = [listing.installed.name for listing in listings]
        after = from_token(request.page_token)
        start = names.index(after) + 1 if after in names else 0
        page, token = cut(listings[start:], size, lambda listing: listing.installed.name)
        return provider_pb2.ListProvidersResponse(
            providers=[to_provider(listing) for listing in page], next_page_token=token
        )

    @override
    async def CheckProvider(
        self, request: provider_pb2.CheckProviderRequest, context: ServerContext
    ) -> provider_pb2.CheckProviderResponse:
        return to_checkup(await self.catalog.check(request.provider))

    @override
    async def ListModels(
        self, request: model_pb2.ListModelsRequest, context: ServerContext
    ) -> model_pb2.ListModelsResponse:
        size, after = page_size(request.page_size, MOST_MODELS), from_token(request.page_token)
        models = [m for m in await self.catalog.models(request.provider) if m.name > after]
        page, token = cut(models, size, lambda model: model.name)
        return model_pb2.ListModelsResponse(
            models=[to_model(model) for model in page], next_page_token=token
        )

    @override
    async def GetModel(
        self, request: model_pb2.GetModelRequest, context: ServerContext
    ) -> model_pb2.GetModelResponse:
        model = await self.catalog.find(request.provider, request.model)
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
            yield to_event(event)

    @override
    async def ListUsage(
        self, request: usage_pb2.ListUsageRequest, context: ServerContext
    ) -> usage_pb2.ListUsageResponse:
        owner = owner_of(caller_of(context))
        if len(request.usage_ids) > MOST_RECORDS:
            raise InvalidArgument.of("usage_ids", f"must be at most {MOST_RECORDS}")
        size, after = page_size(request.page_size, MOST_RECORDS), from_token(request.page_token)
        ids = [from_uuid("usage_ids", text) for text in request.usage_ids]
        records = await self.ledger.find(owner, [one for one in ids if str(one) > after])
        page, token = cut(records, size, lambda record: str(record.usage_id))
        return usage_pb2.ListUsageResponse(
            records=[to_record(record) for record in page], next_page_token=token
        )


def cut(
    items: Sequence[Item], size: int, place: Callable[[Item], str]
) -> tuple[Sequence[Item], str]:
    """Return the first page of what is left, and the token of the next; empty at the end."""
    page = items[:size]
    return page, to_token(place(page[-1])) if len(items) > size else ""
