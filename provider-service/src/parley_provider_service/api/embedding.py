"""The call of ProviderService that makes vectors."""

from __future__ import annotations

import asyncio
from abc import ABC
from collections.abc import Sequence

import parley_provider_sdk as sdk
from parley_rpc.client import MAX_MESSAGE_BYTES
from parley_rpc.context import Caller, ServerContext, caller_of
from parley_rpc.faults import Internal, InvalidArgument
from typing_extensions import override

from parley.provider.v1 import embedding_pb2
from parley.provider.v1.provider_pb2_grpc import ProviderServiceServicer
from parley_provider_service.api.allowances import from_allowances
from parley_provider_service.api.convert import to_cost, to_usage
from parley_provider_service.api.fields import from_uuid, owner_of, seconds_left
from parley_provider_service.core.embedding import NUMBERS_AT_ONCE, as_reply
from parley_provider_service.core.generation import Generation
from parley_provider_service.core.model import Ask, Ended, Vectors

NUMBER_BYTES = 4
# For all that is in an answer beside the numbers.
SPARE_BYTES = 64 * 1024


class EmbeddingCalls(ProviderServiceServicer, ABC):
    """Answers with vectors, once they are paid for."""

    generation: Generation

    @override
    async def CreateEmbeddings(
        self, request: embedding_pb2.CreateEmbeddingsRequest, context: ServerContext
    ) -> embedding_pb2.CreateEmbeddingsResponse:
        ask = from_request(request, caller_of(context), seconds_left(context))
        reply = await self.generation.begin(ask)
        # However this call ends, nothing is made any more, and what was is settled.
        context.add_done_callback(lambda _: reply.stop())  # type: ignore[arg-type]
        made: Sequence[Sequence[float]] = ()
        async for event in self.generation.events(reply):
            if isinstance(event, Vectors):
                made = event.vectors
            elif isinstance(event, Ended):
                return await to_answer(made, event)
        raise Internal("The embeddings have no end.")


def from_request(
    request: embedding_pb2.CreateEmbeddingsRequest, caller: Caller, seconds: float
) -> Ask:
    """Read what somebody wants; InvalidArgument."""
    dimensions = request.dimensions if request.HasField("dimensions") else None
    wanted = sdk.EmbeddingRequest(request.model, tuple(request.texts), dimensions)
    return Ask(
        usage_id=from_uuid("usage_id", request.usage_id),
        owner_id=owner_of(caller),
        key_id=caller.key_id,
        provider=request.provider,
        request=as_reply(wanted),
        seconds=seconds,
        scopes=caller.scopes,
        allowances=from_allowances(caller.allowances),
        embedding=wanted,
    )


async def to_answer(
    vectors: Sequence[Sequence[float]], ended: Ended
) -> embedding_pb2.CreateEmbeddingsResponse:
    """Write vectors, letting others have their turn; InvalidArgument for more than can be sent."""
    if sum(map(len, vectors)) * NUMBER_BYTES > MAX_MESSAGE_BYTES - SPARE_BYTES:
        rule = f"make more than {MAX_MESSAGE_BYTES} bytes of vectors: send fewer at once"
        raise InvalidArgument.of("texts", rule)
    answer = embedding_pb2.CreateEmbeddingsResponse(
        usage=to_usage(ended.usage), provider=ended.provider, model=ended.model
    )
    if ended.cost is not None:
        answer.cost.CopyFrom(to_cost(ended.cost))
    written = 0
    for vector in vectors:
        answer.embeddings.add(values=vector)
        written += len(vector)
        if written > NUMBERS_AT_ONCE:
            written = 0
            await asyncio.sleep(0)
    return answer
