"""Speaks `generateContent` on the wire; asks everything else through the vendor's own library."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING

from parley_provider_sdk import (
    EmbeddingRequest,
    Embeddings,
    Health,
    ModelInfo,
    ProviderError,
    ReplyRequest,
    ReplyStream,
)
from parley_provider_sdk.embedding import in_batches
from parley_provider_sdk.http import Call, Vendor
from parley_provider_sdk.library import Library

from parley_provider_google import errors, generations, translate, vectors
from parley_provider_google.reading import ContentReading

if TYPE_CHECKING:
    from parley_provider_google.models import VendorLibrary
    from parley_provider_google.settings import GoogleSettings

_LIBRARY = "parley_provider_google.models"


class GoogleProvider:
    """One configured address that speaks the Gemini wire."""

    def __init__(self, settings: GoogleSettings) -> None:
        self._settings = settings
        self._vendor = Vendor(
            settings.base_url,
            headers={"User-Agent": "parley-provider-google", "x-goog-api-key": settings.api_key},
            failure=errors.from_answer,
            secret=settings.api_key,
        )
        self._library: Library[VendorLibrary] = Library(_LIBRARY, "VendorLibrary", settings)

    async def chat_completion(self, request: ReplyRequest) -> ReplyStream:
        call = Call(translate.path(request), translate.encode(request))
        reading = ContentReading(request, self._settings.api_key)
        async with aclosing(self._vendor.reply(call, reading, request)) as events:
            async for event in events:
                yield event

    async def list_models(self) -> Sequence[ModelInfo]:
        return await (await self._library.get()).models()

    async def health_check(self) -> Health:
        try:
            await (await self._library.get()).is_well()
        except ProviderError as error:
            return Health(healthy=False, detail=error.message)
        return Health(healthy=True, detail="The vendor answers.")

    async def count_tokens(self, request: ReplyRequest) -> int:
        """Counts the input tokens of a request, instruction and tools included."""
        return await (await self._library.get()).count_tokens(request)

    async def embed(self, request: EmbeddingRequest) -> Embeddings:
        async def ask(texts: Sequence[str]) -> Embeddings:
            body = vectors.encode(request.model, texts, request.dimensions)
            call = Call(vectors.path(request.model), body)
            return vectors.read(await self._vendor.ask(call, seconds=vectors.SECONDS))

        return await in_batches(request.texts, vectors.TEXTS, ask)

    def unsupported_parameters(self, model: str) -> frozenset[str]:
        """Returns what a model's generation is known not to take."""
        return generations.unsupported(model)

    async def aclose(self) -> None:
        await self._vendor.aclose()
        await self._library.aclose()
