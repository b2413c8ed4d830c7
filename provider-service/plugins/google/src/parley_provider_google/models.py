"""What is asked rarely, through the vendor's own library: models, health, counts of tokens.

Imported on first use and in a thread, because the library takes a second or two to load.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TypeVar

import httpx2
import orjson
from google import genai
from google.genai import errors as vendor_errors
from google.genai import types
from google.genai.client import DebugConfig
from parley_provider_sdk import ModelInfo, ProviderError, ReplyRequest
from parley_provider_sdk.failures import Refusal, bad_response
from parley_provider_sdk.http import from_exception
from parley_provider_sdk.pinning import PinnedTransport

from parley_provider_google import errors, translate
from parley_provider_google.settings import GoogleSettings

T = TypeVar("T")

_TIMEOUT = 10.0
# The most models that the vendor gives on a page, and more pages than any vendor has.
_PAGE = 1000
_PAGES = 100
_MAKES_REPLIES = "generateContent"
_MAKES_VECTORS = "embedContent"
# The library would look for a key in the environment if it were given none.
_NO_KEY = "none"


class VendorLibrary:
    """The vendor's client without its retries, its redirects and its looks into the environment."""

    def __init__(self, settings: GoogleSettings) -> None:
        self._secret = settings.api_key
        self._http = httpx2.AsyncClient(
            transport=PinnedTransport(),
            timeout=_TIMEOUT,
            follow_redirects=False,
            trust_env=False,
        )
        options = types.HttpOptions(
            base_url=settings.base_url,
            api_version=translate.API,
            retry_options=types.HttpRetryOptions(attempts=1),
            httpx_async_client=self._http,
        )
        self._client = genai.Client(
            enterprise=False,
            vertexai=False,
            api_key=settings.api_key or _NO_KEY,
            debug_config=DebugConfig(client_mode=None, replays_directory=None, replay_id=None),
            http_options=options,
        )
        self._models = self._client.aio.models

    async def models(self) -> list[ModelInfo]:
        """Lists the models, page by page. Raises ProviderError."""
        return [_model(row) for row in await self._made(self._rows()) if row.name]

    async def is_well(self) -> None:
        """Asks for one model. Raises ProviderError."""
        await self._made(self._models.list(config=types.ListModelsConfig(page_size=1)))

    async def count_tokens(self, request: ReplyRequest) -> int:
        """Counts what a request would be charged for. Raises ProviderError."""
        # The library sends `contents` alone; the instruction and the tools count too.
        whole = {"model": translate.resource(request.model), **translate.body(request)}
        options = types.HttpOptions(extra_body={"contents": [], "generateContentRequest": whole})
        asked = self._models.count_tokens(
            model=request.model,
            contents="The library wants some; the options above take their place.",
            config=types.CountTokensConfig(http_options=options),
        )
        count = (await self._made(asked)).total_tokens
        if count is None:
            raise bad_response()
        return count

    async def aclose(self) -> None:
        await self._http.aclose()
        self._client.close()

    async def _rows(self) -> list[types.Model]:
        pager = await self._models.list(config=types.ListModelsConfig(page_size=_PAGE))
        rows = list(pager.page)
        for _ in range(_PAGES):
            try:
                rows += await pager.next_page()
            except IndexError:
                return rows
        raise bad_response()

    async def _made(self, asked: Awaitable[T]) -> T:
        try:
            return await asked
        except vendor_errors.APIError as error:
            failure = self._refused(error)
        except httpx2.HTTPError as error:
            failure = _unanswered(error)
        except (AttributeError, LookupError, TypeError, ValueError):
            # The library lets through what is not the wire, and trips over it.
            failure = bad_response()
        # Raised out here, because the library's error holds the request and so the key.
        raise failure

    def _refused(self, error: vendor_errors.APIError) -> ProviderError:
        headers = {name.lower(): value for name, value in error.response.headers.items()}
        body = orjson.dumps(error.details)
        return errors.from_answer(Refusal(error.code, headers, body, self._secret))


def _unanswered(error: httpx2.HTTPError) -> ProviderError:
    match error:
        case httpx2.ConnectTimeout() | httpx2.NetworkError():
            return from_exception(OSError())
        case httpx2.TimeoutException():
            return from_exception(TimeoutError())
    return bad_response()


def _model(row: types.Model) -> ModelInfo:
    actions = row.supported_actions or ()
    # What else its models can do, the vendor does not say.
    said = {
        "text": _MAKES_REPLIES in actions,
        "reasoning": row.thinking,
        "embedding": _MAKES_VECTORS in actions,
    }
    return ModelInfo(
        (row.name or "").removeprefix("models/"),
        display_name=row.display_name or "",
        context_window=row.input_token_limit or 0,
        max_output_tokens=row.output_token_limit or 0,
        capabilities=frozenset(name for name, is_said in said.items() if is_said),
    )
