"""What is asked rarely, through the vendor's own library: models, health, and counting tokens.

Imported on first use and in a thread, because the library takes seconds to load.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any, TypeVar

import anthropic
import httpx2
import orjson
from parley_provider_sdk import ModelInfo, ProviderError
from parley_provider_sdk.failures import Refusal, bad_response
from parley_provider_sdk.http import from_exception
from parley_provider_sdk.pinning import PinnedTransport

from parley_provider_anthropic import errors, translate

if TYPE_CHECKING:
    from anthropic.types import ModelInfo as Row

    from parley_provider_anthropic.settings import AnthropicSettings

T = TypeVar("T")

_TIMEOUT = 10.0
# The library wants a key even for servers that want none.
_NO_KEY = "none"
# The most that the vendor gives at once, so that there is one page as a rule.
_PAGE = 1000
# What counting takes of the body of a reply.
_COUNTED = ("system", "thinking", "tool_choice", "tools", "output_config")
# The vendor's names of what a model can do, and ours.
_CAPABILITIES = (
    ("image_input", "images"),
    ("structured_outputs", "structured_output"),
    ("thinking", "reasoning"),
)


class VendorLibrary:
    """The vendor's client without its retries, its redirects and its looks into the environment."""

    def __init__(self, settings: AnthropicSettings) -> None:
        self._secret = settings.api_key
        self._client = anthropic.AsyncAnthropic(
            api_key=settings.api_key or _NO_KEY,
            base_url=settings.address,
            max_retries=0,
            timeout=_TIMEOUT,
            open_telemetry=False,
            # The library's own takes proxies from the environment, whatever it is told.
            http_client=httpx2.AsyncClient(
                transport=PinnedTransport(), follow_redirects=False, trust_env=False
            ),
        )
        # Instead of what the environment has in ANTHROPIC_CUSTOM_HEADERS.
        headers = {"x-api-key": settings.api_key}
        self._client._custom_headers = headers  # noqa: SLF001  (the library knows no other way)

    async def models(self) -> list[ModelInfo]:
        """Lists the models. Raises ProviderError."""
        return await self._asked(self._models())

    async def count(self, body: translate.JSON) -> int:
        """Counts the input that a reply to this body would be charged for. Raises ProviderError."""
        return await self._asked(self._count(body))

    async def aclose(self) -> None:
        await self._client.close()

    async def _models(self) -> list[ModelInfo]:
        found: dict[str, ModelInfo] = {}
        async for row in self._client.models.list(limit=_PAGE):
            # A server that does not know pages would send its only one for ever.
            if row.id in found:
                break
            found[row.id] = _model(row)
        return list(found.values())

    async def _count(self, body: translate.JSON) -> int:
        # What is not Unicode the library would trip over.
        translate.encode(body)
        counted: dict[str, Any] = {name: body[name] for name in _COUNTED if name in body}
        answer = await self._client.messages.count_tokens(
            model=body["model"],
            messages=body["messages"],
            extra_headers=translate.headers(counted),
            **counted,
        )
        if not isinstance(answer.input_tokens, int):
            raise TypeError
        return answer.input_tokens

    async def _asked(self, question: Awaitable[T]) -> T:
        try:
            return await question
        except anthropic.AnthropicError as error:
            failure = self._failure(error)
        except (AttributeError, TypeError, ValueError):
            # The library lets through what is not the wire, and trips over it.
            failure = bad_response()
        # Raised out here, because the library's error holds the request and so the key.
        raise failure

    def _failure(self, error: anthropic.AnthropicError) -> ProviderError:
        match error:
            case anthropic.APIStatusError():
                answer, body = error.response, orjson.dumps(error.body)
                headers = {name.lower(): value for name, value in answer.headers.items()}
                refusal = Refusal(answer.status_code, headers, body, self._secret)
                return errors.from_answer(refusal)
            case anthropic.APITimeoutError():
                return from_exception(TimeoutError())
            case anthropic.APIConnectionError():
                return from_exception(OSError())
        return bad_response()


def _model(row: Row) -> ModelInfo:
    """Takes what is said and is of the right type: compatible servers say less, and otherwise."""
    name, title = row.id, getattr(row, "display_name", None)
    if not isinstance(name, str):
        raise TypeError
    return ModelInfo(
        name,
        display_name=title if isinstance(title, str) else "",
        context_window=_count(row, "max_input_tokens"),
        max_output_tokens=_count(row, "max_tokens"),
        capabilities=_capabilities(getattr(row, "capabilities", None)),
    )


def _capabilities(said: Any) -> frozenset[str]:
    if said is None:
        return frozenset()
    # The vendor says what differs; all of its models read text and call tools.
    found = (ours for name, ours in _CAPABILITIES if _has(said, name))
    return frozenset({"text", "tools", *found})


def _has(said: Any, name: str) -> bool:
    return getattr(getattr(said, name, None), "supported", None) is True


def _count(row: Row, name: str) -> int:
    count = getattr(row, name, None)
    return count if isinstance(count, int) else 0
