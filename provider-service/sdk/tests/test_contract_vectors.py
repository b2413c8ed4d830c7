"""Vectors and probabilities: each wrong provider fails at the check meant for it."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from parley_provider_sdk import (
    EmbeddingRequest,
    Embeddings,
    Logprobs,
    ProviderError,
    ReplyRequest,
    TextDelta,
    Usage,
)
from typing_extensions import override

from .desk import Desk, Honest
from .test_contract import TestHonest as HonestContract

pytestmark = pytest.mark.unit


class ReversesVectors(Honest):
    @override
    async def embed(self, request: EmbeddingRequest) -> Embeddings:
        made = await super().embed(request)
        return Embeddings(made.vectors[::-1], made.usage)


class TakesTheFirstHundred(Honest):
    @override
    async def embed(self, request: EmbeddingRequest) -> Embeddings:
        made = await super().embed(request)
        return Embeddings(made.vectors[:100], made.usage)


class MakesOneOfAll(Honest):
    @override
    def vector(self, text: str, size: int) -> Sequence[float]:
        return [0.5] * size


class MakesNoNumbers(Honest):
    @override
    def vector(self, text: str, size: int) -> Sequence[float]:
        return [*super().vector(text, size)[1:], float("nan")]


class KeepsItsDimensions(Honest):
    @override
    def vector(self, text: str, size: int) -> Sequence[float]:
        return super().vector(text, 16)


class CountsNoTexts(Honest):
    @override
    def counted(self, texts: int) -> Usage | None:
        return None


class CountsTheLastOnly(Honest):
    @override
    def counted(self, texts: int) -> Usage | None:
        return Usage(1, 0)


class CountsAnOutput(Honest):
    @override
    def counted(self, texts: int) -> Usage | None:
        return Usage(texts, texts)


class FailsInOneWay(Honest):
    @override
    def failed(self, failure: type[ProviderError]) -> ProviderError:
        return ProviderError("It failed.")


class ForgetsTheWait(Honest):
    @override
    def failed(self, failure: type[ProviderError]) -> ProviderError:
        return failure("It failed.")


class KnowsAnyModel(Honest):
    @override
    async def embed(self, request: EmbeddingRequest) -> Embeddings:
        return await super().embed(EmbeddingRequest("desk-vectors", request.texts))


class StaysOnTheLine(Honest):
    @override
    def hang_up(self) -> None:
        """Keeps the connection."""


class SwallowsCancellation(Honest):
    @override
    async def silence(self, limit: float) -> None:
        try:
            await asyncio.sleep(limit)
        except asyncio.CancelledError:
            self.hang_up()


class WeighsBeforehand(Honest):
    @override
    def weighed(self, said: TextDelta, request: ReplyRequest) -> Sequence[TextDelta | Logprobs]:
        return super().weighed(said, request)[::-1]


class WeighsTwice(Honest):
    @override
    def weighed(self, said: TextDelta, request: ReplyRequest) -> Sequence[TextDelta | Logprobs]:
        made = super().weighed(said, request)
        return [*made, *made[1:]]


class WeighsUnasked(Honest):
    @override
    def weighed(self, said: TextDelta, request: ReplyRequest) -> Sequence[TextDelta | Logprobs]:
        return super().weighed(said, ReplyRequest("", (), top_logprobs=1))


CONTRACT = HonestContract()
WRONG: list[tuple[type[Honest], Callable[..., Any], tuple[Any, ...]]] = [
    (ReversesVectors, CONTRACT.test_vectors_come_in_order, ()),
    (TakesTheFirstHundred, CONTRACT.test_vectors_come_in_order, ()),
    (MakesOneOfAll, CONTRACT.test_vectors_come_in_order, ()),
    (MakesNoNumbers, CONTRACT.test_vectors_come_in_order, ()),
    (KeepsItsDimensions, CONTRACT.test_dimensions_are_kept, ()),
    (CountsNoTexts, CONTRACT.test_vectors_are_counted, ()),
    (CountsTheLastOnly, CONTRACT.test_vectors_are_counted, ()),
    (CountsAnOutput, CONTRACT.test_vectors_are_counted, ()),
    (FailsInOneWay, CONTRACT.test_vectors_fail_with_their_class, ()),
    (ForgetsTheWait, CONTRACT.test_vectors_fail_with_their_class, ()),
    (KnowsAnyModel, CONTRACT.test_vectors_fail_with_their_class, ()),
    (StaysOnTheLine, CONTRACT.test_cancelled_vectors_hang_up, ()),
    (SwallowsCancellation, CONTRACT.test_cancelled_vectors_hang_up, ()),
    (WeighsBeforehand, CONTRACT.test_probabilities_follow_their_text, (True,)),
    (WeighsTwice, CONTRACT.test_probabilities_follow_their_text, (True,)),
    (WeighsUnasked, CONTRACT.test_probabilities_follow_their_text, (True,)),
]


@pytest.mark.parametrize(
    ("wrong", "test", "arguments"),
    WRONG,
    ids=[f"{row[0].__name__}-{row[1].__name__}" for row in WRONG],
)
async def test_a_wrong_provider_is_caught(
    wrong: type[Honest], test: Callable[..., Any], arguments: tuple[Any, ...]
) -> None:
    desk = Desk()
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        await test(wrong(desk), desk, *arguments)


async def test_what_makes_no_vectors_is_caught() -> None:
    with pytest.raises(AssertionError, match="no method `embed`"):
        await CONTRACT.test_vectors_come_in_order(object(), Desk())  # type: ignore[arg-type]
