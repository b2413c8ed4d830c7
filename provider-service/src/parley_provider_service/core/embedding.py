"""Vectors for texts: made as a reply is, of which they are the only event."""

from __future__ import annotations

import asyncio
import math
from array import array
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace

import parley_provider_sdk as sdk
from parley_rpc.faults import InvalidArgument

from parley_provider_service.core.attempt import Attempt
from parley_provider_service.core.model import Vectors
from parley_provider_service.core.pricing import estimate
from parley_provider_service.core.roster import Entry

# Others have their turn after so many numbers were looked at.
NUMBERS_AT_ONCE = 100_000


def as_reply(request: sdk.EmbeddingRequest) -> sdk.ReplyRequest:
    """Return the reply that is given these texts; nobody waits for its first token."""
    messages = [sdk.Message(sdk.Role.USER, [sdk.TextPart(text)]) for text in request.texts]
    return sdk.ReplyRequest(request.model, messages, stream=False)


def check_embedder(entry: Entry) -> None:
    """Refuse a provider that makes no vectors; InvalidArgument."""
    if not isinstance(entry.installed.provider, sdk.Embedder):
        rule = f"names a model of '{entry.name}', which makes no embeddings"
        raise InvalidArgument.of("model", rule)


async def embedded(
    attempt: Attempt, provider: sdk.Provider, request: sdk.EmbeddingRequest
) -> AsyncGenerator[Vectors | sdk.Finished, None]:
    """Yield the vectors and the end, like a provider's stream; BadProviderResponse."""
    if not isinstance(provider, sdk.Embedder):  # it was configured anew meanwhile
        raise attempt.broken("makes no embeddings")
    answer: object = await provider.embed(replace(request, model=attempt.model.name))
    if not isinstance(answer, sdk.Embeddings):
        raise attempt.broken(f"gave a {type(answer).__name__} instead of embeddings")
    vectors, seen = [], 0
    for vector in several(attempt, answer.vectors, len(request.texts)):
        vectors.append(numbers(attempt, vector))
        seen += len(vectors[-1])
        if seen > NUMBERS_AT_ONCE:
            seen = 0
            await asyncio.sleep(0)
    yield Vectors(vectors)
    usage = answer.usage
    if usage is None:
        usage = estimate(attempt.input_chars, 0)
    yield sdk.Finished(sdk.FinishReason.STOP, usage)


def several(attempt: Attempt, vectors: object, many: int) -> Sequence[object]:
    """Return vectors when they are so many; BadProviderResponse."""
    if not isinstance(vectors, Sequence) or len(vectors) != many:
        raise attempt.broken("did not make one vector for each text")
    return vectors


def numbers(attempt: Attempt, vector: object) -> Sequence[float]:
    """Return the numbers of a vector, as they travel; BadProviderResponse."""
    if isinstance(vector, Sequence) and not isinstance(vector, bytes | bytearray) and vector:
        try:
            read = array("f", vector)
        except (TypeError, ValueError, OverflowError):
            raise attempt.broken("sent what is no vector") from None
        if math.isfinite(sum(read)):
            return read
    raise attempt.broken("sent what is no vector")
