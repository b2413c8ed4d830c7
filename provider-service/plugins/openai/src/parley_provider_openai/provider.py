"""Speaks `/chat/completions` on the wire; asks everything else through the vendor's own library."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import aiohttp
from parley_provider_sdk import (
    Health,
    Limits,
    ModelInfo,
    ProviderError,
    ReplyEvent,
    ReplyRequest,
    ReplyStream,
)

from parley_provider_openai import errors, translate
from parley_provider_openai.patience import Patience
from parley_provider_openai.reading import Reading

if TYPE_CHECKING:
    from parley_provider_openai.models import VendorLibrary
    from parley_provider_openai.settings import OpenAISettings

# Bytes of a reply in one piece, and of an answer that reports a failure.
_WHOLE_LIMIT = 16 << 20
_FAILURE_LIMIT = 64 << 10
# Seconds that an answer may take to end after its mark, so that its connection can be used again.
_DRAIN = 0.2


class OpenAIProvider:
    """Keeps one pool of connections; how many replies are made at once, the service limits."""

    def __init__(self, settings: OpenAISettings) -> None:
        self._settings = settings
        self._is_own = settings.is_own
        self._url = settings.base_url.rstrip("/") + "/chat/completions"
        self._session: aiohttp.ClientSession | None = None
        self._library: VendorLibrary | None = None
        self._loading = asyncio.Lock()

    async def chat_completion(self, request: ReplyRequest) -> ReplyStream:
        limits = request.limits
        wait = limits.first_token if request.stream else limits.whole
        deadline = asyncio.get_running_loop().time() + wait
        body = translate.encode(request, own=self._is_own)
        response = await self._post(body, limits, deadline)
        patience = Patience(response.content, deadline)
        try:
            key = self._settings.api_key
            if response.status != 200:
                content = await patience.read(_FAILURE_LIMIT)
                raise errors.from_answer(response.status, response.headers, content, key)
            answer = _Answer(response, Reading(request, key), patience, limits.idle)
            while events := await answer.more():
                for event in events:
                    yield event
            yield answer.reading.end()
        finally:
            patience.close()
            # Closes the connection too, unless the answer was read to its end.
            response.close()

    async def list_models(self) -> Sequence[ModelInfo]:
        return await (await self._vendor_library()).models()

    async def health_check(self) -> Health:
        try:
            models = await self.list_models()
        except ProviderError as error:
            return Health(healthy=False, detail=error.message)
        return Health(healthy=True, detail=f"The vendor lists {len(models)} models.")

    async def aclose(self) -> None:
        if self._session:
            await self._session.close()
        if self._library:
            await self._library.aclose()

    async def _post(self, body: bytes, limits: Limits, deadline: float) -> aiohttp.ClientResponse:
        timeout = aiohttp.ClientTimeout(connect=limits.connect)
        try:
            async with asyncio.timeout_at(deadline):
                return await self._opened().post(
                    self._url, data=body, timeout=timeout, allow_redirects=False
                )
        except (aiohttp.ClientError, OSError) as error:
            failure = errors.from_exception(error)
        # Raised out here, because the error it would be chained to holds the headers, key included.
        raise failure

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            headers = {"Content-Type": "application/json", "User-Agent": "parley-provider-openai"}
            if self._settings.api_key:
                headers["Authorization"] = f"Bearer {self._settings.api_key}"
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers=headers,
            )
        return self._session

    async def _vendor_library(self) -> VendorLibrary:
        async with self._loading:
            if self._library is None:
                name = "parley_provider_openai.models"
                module = await asyncio.to_thread(importlib.import_module, name)
                self._library = module.VendorLibrary(self._settings)
            return self._library


class _Answer:
    """One answer on its way in, streamed or in one piece."""

    def __init__(
        self, response: aiohttp.ClientResponse, reading: Reading, patience: Patience, idle: float
    ) -> None:
        self.reading = reading
        # Some servers answer in one piece even when they are asked for a stream.
        self._is_whole = response.content_type == "application/json"
        self._patience = patience
        self._idle = idle
        self._is_alive = False
        self._ended = False

    async def more(self) -> list[ReplyEvent]:
        """Returns what is said next, at least one event; nothing at the end."""
        while not (self._ended or self.reading.failure):
            if self._is_whole:
                self.reading.feed_whole(await self._patience.read(_WHOLE_LIMIT))
                self._ended = True
            else:
                if self._is_alive:
                    # Measured from now: the time that our own listener took is not the vendor's.
                    self._patience.extend(self._idle)
                chunk = await self._patience.next()
                # Before the first token nothing but the first token is a sign of life.
                self._is_alive = self.reading.feed(chunk) and self.reading.has_spoken
                self._ended = self.reading.done or not chunk
            if events := self.reading.take():
                return events
        if self.reading.failure:
            raise self.reading.failure
        await self._patience.drain(_DRAIN)
        return []
