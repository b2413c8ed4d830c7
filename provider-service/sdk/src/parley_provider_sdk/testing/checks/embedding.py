"""Texts that become vectors: one for each, in order, counted, and left when nobody waits."""

# ruff: noqa: S101  (these are tests)

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from typing import cast

from parley_provider_sdk.errors import (
    ContentRefused,
    ModelNotFound,
    ProviderError,
    RateLimited,
)
from parley_provider_sdk.provider import Embedder, Provider
from parley_provider_sdk.testing.checks.bench import Bench
from parley_provider_sdk.testing.report import Rung, check
from parley_provider_sdk.testing.vendor import ScriptedVendor
from parley_provider_sdk.types import EmbeddingRequest, Embeddings

__all__ = ["Embedding"]

# More than any vendor takes at once, and a few to look at.
MANY = 300
TEXTS = ("Grüße, 世界", "two words", " 👩‍🚀 ", "two words")
_DIMENSIONS = 8
# Seconds for many texts.
_PATIENCE = 30.0


class Embedding(Bench):
    """It makes vectors."""

    @check(
        Rung.GOLD,
        "Searches find what was not meant: the vectors belong to other texts.",
        "Return one vector for each text, in the order of the texts, however many there are.",
        feature="embeddings",
    )
    async def test_vectors_come_in_order(self, provider: Provider, peer: ScriptedVendor) -> None:
        peer.says(())
        texts = [*TEXTS, *(f"text {number}" for number in range(MANY - len(TEXTS)))]
        vectors = await self._vectors(provider, texts)
        assert len(vectors) == len(texts), "There is not one for each text."
        assert len({len(vector) for vector in vectors}) == 1, "They differ in length."
        assert all(math.isfinite(number) for vector in vectors for number in vector)
        assert vectors[1] == vectors[3] != vectors[0], "Another text has another vector."
        assert vectors[-1:] == await self._vectors(provider, texts[-1:]), "They are out of order."
        assert vectors[:1] == await self._vectors(provider, texts[:1]), "They are out of order."

    @check(
        Rung.GOLD,
        "The vectors do not fit into the index that they are made for.",
        "Ask the vendor for as many numbers as the request says (dimensions).",
        feature="embeddings",
    )
    async def test_dimensions_are_kept(self, provider: Provider, peer: ScriptedVendor) -> None:
        peer.says(())
        vectors = await self._vectors(provider, TEXTS, _DIMENSIONS)
        assert [len(vector) for vector in vectors] == [_DIMENSIONS] * len(TEXTS)

    @check(
        Rung.GOLD,
        "Budgets and bills are wrong.",
        "Put the vendor's count into Embeddings.usage, added up over all that it was asked.",
        feature="embeddings",
    )
    async def test_vectors_are_counted(self, provider: Provider, peer: ScriptedVendor) -> None:
        peer.says(())
        one = await self._embedded(provider, ["some words"])
        many = await self._embedded(provider, ["some words"] * MANY)
        assert one.usage, "Nothing was counted."
        assert many.usage, "Nothing was counted."
        assert one.usage.input_tokens > 0
        assert many.usage.input_tokens >= MANY, "Not all of it was counted."
        assert one.usage.output_tokens == many.usage.output_tokens == 0, "There is no output."

    @check(
        Rung.GOLD,
        "The service retries what is hopeless, gives up what is not, and tells users wrong.",
        "Map the failures of vectors to the error classes, as those of replies.",
        feature="embeddings",
    )
    async def test_vectors_fail_with_their_class(
        self, provider: Provider, peer: ScriptedVendor
    ) -> None:
        # What is refused for its content is an answer that was not made; here none is.
        for failure in (one for one in peer.failures if one is not ContentRefused):
            error = await self._refused(provider, [peer.fails(failure)], self.embedding_model)
            self.assert_failure(error, failure)
            if failure is RateLimited:
                assert error.retry_after == peer.retry_after
        peer.says(())
        error = await self._refused(provider, ["never"], "no-such-model")
        self.assert_failure(error, ModelNotFound)

    @check(
        Rung.GOLD,
        "Whoever no longer waits goes on paying, and connections pile up until none is left.",
        "Let CancelledError through, and close the connection in a `finally`.",
        feature="embeddings",
    )
    async def test_cancelled_vectors_hang_up(
        self, provider: Provider, peer: ScriptedVendor
    ) -> None:
        before = asyncio.all_tasks()
        text = peer.falls_silent(())
        asking = asyncio.create_task(self._asked(provider, [text]))
        await self.within(peer.reached(), "nothing was asked")
        asking.cancel()
        hung_up = asyncio.ensure_future(peer.hung_up())
        await asyncio.wait({hung_up}, timeout=1)
        is_left = hung_up.cancel()
        assert not is_left, "The vendor's connection was still open after a second."
        await asyncio.wait({asking}, timeout=1)
        assert asking.cancelled(), "The cancellation was swallowed."
        await self.assert_no_task_left(before)

    async def _vectors(
        self, provider: Provider, texts: Sequence[str], dimensions: int | None = None
    ) -> list[list[float]]:
        made = await self._embedded(provider, texts, dimensions)
        return [list(vector) for vector in made.vectors]

    async def _embedded(
        self, provider: Provider, texts: Sequence[str], dimensions: int | None = None
    ) -> Embeddings:
        asked = self._asked(provider, texts, dimensions)
        return await self.within(asked, "there were no vectors", seconds=_PATIENCE)

    async def _asked(
        self, provider: Provider, texts: Sequence[str], dimensions: int | None = None
    ) -> Embeddings:
        request = EmbeddingRequest(self.embedding_model, texts, dimensions)
        made = await self._embedder(provider).embed(request)
        assert isinstance(made, Embeddings)
        return made

    async def _refused(self, provider: Provider, texts: Sequence[str], model: str) -> ProviderError:
        asked = self._embedder(provider).embed(EmbeddingRequest(model, texts))
        try:
            await self.within(asked, "there was neither failure nor vector")
        except ProviderError as error:
            return error
        raise AssertionError("There were vectors where there is a failure.")

    @staticmethod
    def _embedder(provider: Provider) -> Embedder:
        assert isinstance(provider, Embedder), "It has no method `embed`."
        return cast("Embedder", provider)
