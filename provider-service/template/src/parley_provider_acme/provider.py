"""Asks Acme."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import aclosing

from parley_provider_sdk import (
    Health,
    ModelInfo,
    ProviderError,
    ReplyRequest,
    ReplyStream,
)
from parley_provider_sdk.failures import bad_response
from parley_provider_sdk.http import Call, Vendor

from parley_provider_acme import errors, translate
from parley_provider_acme.reading import AcmeReading
from parley_provider_acme.settings import AcmeSettings

UNSUPPORTED = frozenset(
    {
        "frequency_penalty",
        "output",
        "parallel_tool_calls",
        "presence_penalty",
        "reasoning_effort",
        "reasoning_tokens",
        "seed",
        "tool_choice",
        "top_k",
        "top_logprobs",
        "top_p",
    }
)


class AcmeProvider:
    """One configured account with Acme."""

    def __init__(self, settings: AcmeSettings) -> None:
        self._secret = settings.api_key
        self._vendor = Vendor(
            settings.base_url,
            headers={"X-Acme-Key": settings.api_key},
            failure=errors.from_answer,
            secret=settings.api_key,
        )

    async def chat_completion(self, request: ReplyRequest) -> ReplyStream:
        call = Call("/replies", translate.encode(request))
        reading = AcmeReading(request, self._secret)
        async with aclosing(self._vendor.reply(call, reading, request)) as events:
            async for event in events:
                yield event

    async def list_models(self) -> Sequence[ModelInfo]:
        return _models(await self._vendor.ask(Call("/models")))

    async def health_check(self) -> Health:
        try:
            models = await self.list_models()
        except ProviderError as error:
            return Health(healthy=False, detail=error.message)
        return Health(healthy=True, detail=f"Acme lists {len(models)} models.")

    def unsupported_parameters(self, _: str) -> frozenset[str]:
        """Acme's wire has no field for these, whatever the model."""
        return UNSUPPORTED

    async def aclose(self) -> None:
        await self._vendor.aclose()


def _models(body: bytes) -> Sequence[ModelInfo]:
    try:
        return [
            ModelInfo(one["id"], one.get("name", ""), one.get("context", 0))
            for one in json.loads(body)["models"]
        ]
    except (ValueError, TypeError, LookupError, AttributeError):
        raise bad_response() from None
