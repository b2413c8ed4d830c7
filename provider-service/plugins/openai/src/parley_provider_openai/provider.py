"""Speaks `/chat/completions` on the wire; asks everything else through the vendor's own library."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING

from parley_provider_sdk import Health, ModelInfo, ProviderError, ReplyRequest, ReplyStream
from parley_provider_sdk.http import Call, Vendor

from parley_provider_openai import errors, translate
from parley_provider_openai.reading import CompletionReading

if TYPE_CHECKING:
    from parley_provider_openai.models import VendorLibrary
    from parley_provider_openai.settings import OpenAISettings


class OpenAIProvider:
    """One configured address that speaks OpenAI's wire."""

    def __init__(self, settings: OpenAISettings) -> None:
        self._settings = settings
        self._is_own = settings.is_own
        headers = {"User-Agent": "parley-provider-openai"}
        if settings.api_key:
            headers["Authorization"] = f"Bearer {settings.api_key}"
        self._vendor = Vendor(
            settings.base_url,
            headers=headers,
            failure=errors.from_answer,
            secret=settings.api_key,
        )
        self._library: VendorLibrary | None = None
        self._loading = asyncio.Lock()

    async def chat_completion(self, request: ReplyRequest) -> ReplyStream:
        call = Call("/chat/completions", translate.encode(request, own=self._is_own))
        reading = CompletionReading(request, self._settings.api_key)
        async with aclosing(self._vendor.reply(call, reading, request)) as events:
            async for event in events:
                yield event

    async def list_models(self) -> Sequence[ModelInfo]:
        return await (await self._vendor_library()).models()

    async def health_check(self) -> Health:
        try:
            models = await self.list_models()
        except ProviderError as error:
            return Health(healthy=False, detail=error.message)
        return Health(healthy=True, detail=f"The vendor lists {len(models)} models.")

    async def aclose(self) -> None:
        await self._vendor.aclose()
        if self._library:
            await self._library.aclose()

    async def _vendor_library(self) -> VendorLibrary:
        async with self._loading:
            if self._library is None:
                name = "parley_provider_openai.models"
                module = await asyncio.to_thread(importlib.import_module, name)
                self._library = module.VendorLibrary(self._settings)
            return self._library
