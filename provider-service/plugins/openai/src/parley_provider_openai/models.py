"""What is asked rarely, through the vendor's own library: the models, and whether it is well.

Imported on first use and in a thread, because the library takes half a second to load.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import openai
import orjson
from parley_provider_sdk import ModelInfo, ProviderError
from parley_provider_sdk.failures import Refusal, bad_response
from parley_provider_sdk.http import from_exception

from parley_provider_openai import errors

if TYPE_CHECKING:
    from parley_provider_openai.settings import OpenAISettings

_TIMEOUT = 10.0
# The library wants a key even for servers that want none.
_NO_KEY = "none"


class VendorLibrary:
    """The vendor's client without its retries, its redirects and its looks into the environment."""

    def __init__(self, settings: OpenAISettings) -> None:
        self._secret = settings.api_key
        self._client = openai.AsyncOpenAI(
            api_key=settings.api_key or _NO_KEY,
            base_url=settings.base_url,
            max_retries=0,
            timeout=_TIMEOUT,
            http_client=openai.DefaultAsyncHttpx2Client(follow_redirects=False, trust_env=False),
        )
        self._client.organization = None
        self._client.project = None

    async def models(self) -> list[ModelInfo]:
        """Lists the models. Raises ProviderError."""
        try:
            page = await self._client.models.list()
            return [_model(row.id, row.model_extra or {}) for row in page.data]
        except openai.OpenAIError as error:
            failure = self._failure(error)
        except (AttributeError, TypeError, ValueError):
            # The library lets through what is not the wire, and trips over it.
            failure = bad_response()
        # Raised out here, because the library's error holds the request and so the key.
        raise failure

    async def aclose(self) -> None:
        await self._client.close()

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
