"""Speaks the vendor's wire for replies; asks everything else through the vendor's own library."""

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
from parley_provider_sdk.reading import Reading

from parley_provider_openai import chat, errors, parameters, responses, vectors
from parley_provider_openai.chat.reading import CompletionReading
from parley_provider_openai.responses.reading import ResponseReading

if TYPE_CHECKING:
    from parley_provider_openai.library import VendorLibrary
    from parley_provider_openai.settings import OpenAISettings

_LIBRARY = "parley_provider_openai.library"


class OpenAIProvider:
    """One configured address that speaks OpenAI's wire."""

    def __init__(self, settings: OpenAISettings) -> None:
        self._settings = settings
        self._is_own = settings.is_own
        self._speaks_responses = settings.speaks_responses
        headers = {"User-Agent": "parley-provider-openai"}
        if settings.api_key:
            headers["Authorization"] = f"Bearer {settings.api_key}"
        self._vendor = Vendor(
            settings.base_url,
            headers=headers,
            failure=errors.from_answer,
            secret=settings.api_key,
        )
        self._library: Library[VendorLibrary] = Library(_LIBRARY, "VendorLibrary", settings)

    async def chat_completion(self, request: ReplyRequest) -> ReplyStream:
        call, reading = self._spoken(request)
        async with aclosing(self._vendor.reply(call, reading, request)) as events:
            async for event in events:
                yield event

    async def list_models(self) -> Sequence[ModelInfo]:
        return await (await self._library.get()).models()

    async def health_check(self) -> Health:
        try:
            models = await self.list_models()
        except ProviderError as error:
            return Health(healthy=False, detail=error.message)
        return Health(healthy=True, detail=f"The vendor lists {len(models)} models.")

    async def embed(self, request: EmbeddingRequest) -> Embeddings:
        async def ask(texts: Sequence[str]) -> Embeddings:
            body = vectors.encode(request.model, texts, request.dimensions)
            call = Call("/embeddings", body)
            return vectors.read(await self._vendor.ask(call, seconds=vectors.SECONDS))

        return await in_batches(request.texts, vectors.TEXTS, ask)

    def unsupported_parameters(self, model: str) -> frozenset[str]:
        """What a model takes is known of OpenAI's own only, whatever others are called."""
        if self._speaks_responses:
            of_wire = parameters.NOT_ON_RESPONSES
        else:
            of_wire = parameters.not_on_chat(own=self._is_own)
        return of_wire | parameters.unsupported(model) if self._is_own else of_wire

    async def aclose(self) -> None:
        await self._vendor.aclose()
        await self._library.aclose()

    def _spoken(self, request: ReplyRequest) -> tuple[Call, Reading]:
        secret = self._settings.api_key
        if self._speaks_responses:
            call = Call("/responses", responses.translate.encode(request))
            return call, ResponseReading(request, secret)
        call = Call("/chat/completions", chat.translate.encode(request, own=self._is_own))
        return call, CompletionReading(request, secret)


class CountingProvider(OpenAIProvider):
    """One that can be asked how many tokens a request has, which `/responses` alone offers."""

    async def count_tokens(self, request: ReplyRequest) -> int:
        """Returns the input tokens that the request would be charged for. Raises ProviderError."""
        fields = responses.translate.counted(request)
        return await (await self._library.get()).input_tokens(fields)


def create(settings: OpenAISettings) -> OpenAIProvider:
    """Makes the provider that can do what the wire offers."""
    return CountingProvider(settings) if settings.speaks_responses else OpenAIProvider(settings)
