"""Speaks Ollama's own wire, `/api/…`, all of it over plain HTTP."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import aclosing

from parley_provider_sdk import (
    BadRequest,
    ContextTooLong,
    EmbeddingRequest,
    Embeddings,
    Health,
    ImagePart,
    ModelInfo,
    ProviderError,
    ReplyRequest,
    ReplyStream,
    ToolResultPart,
)
from parley_provider_sdk.embedding import in_batches
from parley_provider_sdk.http import Call, Vendor

from parley_provider_ollama import errors, translate, vectors
from parley_provider_ollama.context import Windows
from parley_provider_ollama.models import Details, Models, parsed
from parley_provider_ollama.reading import ChatReading
from parley_provider_ollama.settings import INFO, OllamaSettings

# Older servers hand the memory of their process to whoever asks (CVE-2026-7482).
SAFE_FROM = (0, 17, 1)
# This wire has no field for these.
_NEVER = frozenset({"parallel_tool_calls", "reasoning_tokens"})


class OllamaProvider:
    """One configured Ollama."""

    def __init__(self, settings: OllamaSettings) -> None:
        self._settings = settings
        headers = {"User-Agent": "parley-provider-ollama"}
        if settings.api_key:
            headers["Authorization"] = f"Bearer {settings.api_key}"
        self._vendor = Vendor(
            settings.address,
            headers=headers,
            failure=errors.from_answer,
            secret=settings.api_key,
            unreachable=settings.advice,
        )
        self._models = Models(self._vendor)
        self._windows = Windows(settings.num_ctx)

    async def chat_completion(self, request: ReplyRequest) -> ReplyStream:
        limits = request.limits
        patience = limits.first_token if request.stream else limits.whole
        details = await self._models.details(request.model, patience)
        _check_images(request, details)
        size = self._windows.fit(request, details)
        body = translate.encode(request, num_ctx=size, keep_alive=self._settings.kept)
        # A stream is read line by line whatever its type is called: servers disagree on that.
        call = Call("/api/chat", body, whole_type="" if request.stream else "application/json")
        reading = ChatReading(request, size, self._settings.api_key)
        try:
            async with aclosing(self._vendor.reply(call, reading, request)) as events:
                async for event in events:
                    yield event
        except ContextTooLong as error:
            error.retryable = self._windows.widen(request.model, size, details)
            raise

    async def list_models(self) -> Sequence[ModelInfo]:
        return await self._models.list()

    async def health_check(self) -> Health:
        try:
            answer = parsed(await self._vendor.ask(Call("/api/version")))
            tags = parsed(await self._vendor.ask(Call("/api/tags")))
        except ProviderError as error:
            return Health(healthy=False, detail=error.message)
        detail = _health(str(answer.get("version", ""))[:40])
        if tags.get("models") == []:
            detail += " It has no model yet: get one with `ollama pull <model>`."
        return Health(healthy=True, detail=detail)

    async def aclose(self) -> None:
        await self._vendor.aclose()

    async def embed(self, request: EmbeddingRequest) -> Embeddings:
        async def ask(texts: Sequence[str]) -> Embeddings:
            kept = self._settings.kept
            call = Call(
                "/api/embed", vectors.encode(request.model, texts, request.dimensions, kept)
            )
            answer = await self._vendor.ask(call, seconds=INFO.first_token_seconds)
            return vectors.read(answer, request.dimensions)

        return await in_batches(request.texts, vectors.TEXTS, ask)

    def unsupported_parameters(self, model: str) -> frozenset[str]:
        details = self._models.known(model)
        return _NEVER | {ours for word, ours in errors.PARAMETERS if details.lacks(word)}


def _check_images(request: ReplyRequest, details: Details) -> None:
    """Refuses images that the server would leave out without a word."""
    parts = [part for message in request.messages for part in message.parts]
    has_images = any(
        isinstance(part, ImagePart) or (isinstance(part, ToolResultPart) and bool(part.images))
        for part in parts
    )
    if has_images and details.lacks("vision"):
        raise BadRequest(f"The model {request.model} takes no images.")


def _health(version: str) -> str:
    found = re.match(r"v?(\d+)\.(\d+)\.(\d+)", version)
    if found and tuple(map(int, found.groups())) < SAFE_FROM:
        floor = ".".join(map(str, SAFE_FROM))
        return (
            f"Ollama {version} answers, but gives its memory to strangers (CVE-2026-7482): "
            f"update it to {floor} or newer."
        )
    return f"Ollama {version} answers." if version else "Ollama answers."
