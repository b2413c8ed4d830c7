"""Speaks `/v1/messages` on the wire; asks everything else through the vendor's own library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import aclosing
from types import MappingProxyType
from typing import TYPE_CHECKING

from parley_provider_sdk import Health, ModelInfo, ProviderError, ReplyRequest, ReplyStream
from parley_provider_sdk.http import Call, Vendor
from parley_provider_sdk.library import Library

from parley_provider_anthropic import errors, translate
from parley_provider_anthropic.generations import generation_of
from parley_provider_anthropic.reading import MessagesReading

if TYPE_CHECKING:
    from parley_provider_anthropic.models import VendorLibrary
    from parley_provider_anthropic.settings import AnthropicSettings

_LIBRARY = "parley_provider_anthropic.models"


class AnthropicProvider:
    """One configured address that speaks Anthropic's wire."""

    def __init__(self, settings: AnthropicSettings) -> None:
        self._settings = settings
        self._origin = settings.origin
        self._vendor = Vendor(
            settings.address,
            headers={
                "User-Agent": "parley-provider-anthropic",
                # Anthropic takes either and prefers the first; compatible servers know one of them.
                "x-api-key": settings.api_key,
                "Authorization": f"Bearer {settings.api_key}",
            },
            failure=errors.from_answer,
            secret=settings.api_key,
        )
        # What each model may say at most, as its vendor said when it was last asked.
        self._most: Mapping[str, int] = MappingProxyType({})
        self._library: Library[VendorLibrary] = Library(_LIBRARY, "VendorLibrary", settings)

    async def chat_completion(self, request: ReplyRequest) -> ReplyStream:
        body = self._body(request)
        call = Call("/v1/messages", translate.encode(body), translate.headers(body))
        reading = MessagesReading(request, self._settings.api_key, self._origin)
        async with aclosing(self._vendor.reply(call, reading, request)) as events:
            async for event in events:
                yield event

    async def list_models(self) -> Sequence[ModelInfo]:
        models = await (await self._library.get()).models()
        self._most = MappingProxyType({one.name: one.max_output_tokens for one in models})
        return models

    async def health_check(self) -> Health:
        try:
            models = await self.list_models()
        except ProviderError as error:
            return Health(healthy=False, detail=error.message)
        return Health(healthy=True, detail=f"The vendor lists {len(models)} models.")

    async def count_tokens(self, request: ReplyRequest) -> int:
        return await (await self._library.get()).count(self._body(request))

    def unsupported_parameters(self, model: str) -> frozenset[str]:
        return generation_of(model).unsupported

    def excluded_parameters(self, request: ReplyRequest) -> frozenset[str]:
        return translate.left_out(request, self._most.get(request.model))

    async def aclose(self) -> None:
        await self._vendor.aclose()
        await self._library.aclose()

    def _body(self, request: ReplyRequest) -> translate.JSON:
        most = self._most.get(request.model)
        return translate.body(request, self._origin, most)
