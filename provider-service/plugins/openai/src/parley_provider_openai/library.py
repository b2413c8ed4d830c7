"""What is asked rarely, through the vendor's own library: models and counts of tokens.

Imported on first use and in a thread, because the library takes half a second to load.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import openai
import orjson
from parley_provider_sdk import ModelInfo, ProviderError
from parley_provider_sdk.failures import Refusal, bad_response
from parley_provider_sdk.http import from_exception
from parley_provider_sdk.pinning import PinnedTransport

from parley_provider_openai import errors
from parley_provider_openai.wire import JSON, not_sendable

if TYPE_CHECKING:
    from parley_provider_openai.settings import OpenAISettings

_TIMEOUT = 10.0
# The library wants a key even for servers that want none.
_NO_KEY = "none"

_T = TypeVar("_T")


class VendorLibrary:
    """The vendor's client without its retries, its redirects and its looks into the environment."""

    def __init__(self, settings: OpenAISettings) -> None:
        self._secret = settings.api_key
        self._client = openai.AsyncOpenAI(
            api_key=settings.api_key or _NO_KEY,
            base_url=settings.base_url,
            max_retries=0,
            timeout=_TIMEOUT,
            http_client=openai.DefaultAsyncHttpx2Client(
                transport=PinnedTransport(), follow_redirects=False, trust_env=False
            ),
        )
        self._client.organization = None
        self._client.project = None
        # Each of these loads a part of the library, which is better done here, in a thread.
        self._models_resource = self._client.models
        self._tokens = self._client.responses.input_tokens

    async def models(self) -> list[ModelInfo]:
        """Lists the models. Raises ProviderError."""
        return await self._asked(self._models)

    async def input_tokens(self, fields: JSON) -> int:
        """Counts the input tokens of a request to `/responses`. Raises ProviderError."""
        return await self._asked(partial(self._input_tokens, fields))

    async def aclose(self) -> None:
        await self._client.close()

    async def _models(self) -> list[ModelInfo]:
        page = await self._models_resource.list()
        return [_model(row.id, row.model_extra or {}) for row in page.data]

    async def _input_tokens(self, fields: JSON) -> int:
        return _counted((await self._tokens.count(**fields)).input_tokens)

    async def _asked(self, ask: Callable[[], Awaitable[_T]]) -> _T:
        try:
            return await ask()
        except openai.OpenAIError as error:
            failure = self._failure(error)
        except UnicodeEncodeError:
            failure = not_sendable()
        except (AttributeError, TypeError, ValueError):
            # The library lets through what is not the wire, and trips over it.
            failure = bad_response()
        # Raised out here, because the library's error holds the request and so the key.
        raise failure

    def _failure(self, error: openai.OpenAIError) -> ProviderError:
        match error:
            case openai.APIStatusError():
                answer, body = error.response, orjson.dumps({"error": error.body})
                headers = {name.lower(): value for name, value in answer.headers.items()}
                refusal = Refusal(answer.status_code, headers, body, self._secret)
                return errors.from_answer(refusal)
            case openai.APITimeoutError():
                return from_exception(TimeoutError())
            case openai.APIConnectionError():
                return from_exception(OSError())
        return bad_response()


def _model(name: str, extra: dict[str, Any]) -> ModelInfo:
    # OpenAI says no more than the name; the others are what compatible servers add.
    window = extra.get("context_length") or extra.get("max_model_len")
    title = extra.get("name")
    return ModelInfo(
        name,
        display_name=title if isinstance(title, str) else "",
        context_window=window if isinstance(window, int) else 0,
    )


def _counted(number: object) -> int:
    if not isinstance(number, int):
        raise TypeError
    return number
