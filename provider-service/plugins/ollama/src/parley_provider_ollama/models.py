"""What Ollama says of its models, asked once for each."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import orjson
from parley_provider_sdk import BackendUnreachable, ModelInfo, ProviderError
from parley_provider_sdk.failures import bad_response
from parley_provider_sdk.http import Call, Vendor

# The vendor's words and ours. Any model that completes can be held to a schema: the server does it.
CAPABILITIES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "completion": ("text", "structured_output"),
        "tools": ("tools",),
        "vision": ("images",),
        "thinking": ("reasoning",),
        # Said although it is of no use in a chat: nothing said would mean that it may chat.
        "embedding": ("embedding",),
    }
)
_NUM_CTX = re.compile(r"^\s*num_ctx\s+(\d+)\s*$", re.MULTILINE)
# Seconds for the details of one model or of all in a list, and how many are asked at once.
_SECONDS = 5.0
_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Details:
    """What is known of one model; empty when its server does not say."""

    # In tokens: what the model was made for, and what its Modelfile says; 0 when nothing is said.
    context_length: int = 0
    num_ctx: int = 0
    # In the vendor's words.
    capabilities: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        """Says that anything is known."""
        return self != _NOTHING

    def lacks(self, capability: str) -> bool:
        """Says for certain that the model cannot do this."""
        return bool(self.capabilities) and capability not in self.capabilities


_NOTHING = Details()


class Models:
    """The models of one server. What is known of one is kept until its digest changes."""

    def __init__(self, vendor: Vendor, *, seconds: float = _SECONDS) -> None:
        """`seconds` is how long the server may take over details."""
        self._vendor = vendor
        self._seconds = seconds
        # By name in lower case, as servers compare them: the digest that it had, and its details.
        self._known: dict[str, tuple[str, Details]] = {}

    async def list(self) -> list[ModelInfo]:
        """Lists the models as the server does, in its order. Raises ProviderError.

        What a server says of one model, or does not say, never costs the list.
        """
        rows = _rows(parsed(await self._vendor.ask(Call("/api/tags"))))
        turns = asyncio.Semaphore(_AT_ONCE)
        until = asyncio.get_running_loop().time() + self._seconds
        asked = (self._refreshed(name, row, turns, until) for name, row in rows.items())
        details = dict(zip(rows, await asyncio.gather(*asked), strict=True))
        self._known = {
            name.lower(): (_digest(rows[name]), one) for name, one in details.items() if one
        }
        return [_info(name, one) for name, one in details.items()]

    async def details(self, name: str) -> Details:
        """Returns what is known of a model; asks the first time. BackendUnreachable."""
        known = self.known(name)
        if known:
            return known
        try:
            details = await self._asked(name)
        except BackendUnreachable:
            raise
        except ProviderError:
            # The reply itself will say what is wrong; a server may lack this one path.
            return _NOTHING
        if details:
            self._known[name.lower()] = ("", details)
        return details

    def known(self, name: str) -> Details:
        """Returns what is known of a model already."""
        key = name.lower()
        _, details = self._known.get(key) or self._known.get(f"{key}:latest") or ("", _NOTHING)
        return details

    async def _refreshed(
        self, name: str, row: Mapping[str, Any], turns: asyncio.Semaphore, until: float
    ) -> Details:
        digest, details = self._known.get(name.lower(), ("", _NOTHING))
        if details and digest and digest == _digest(row):
            return details
        try:
            async with asyncio.timeout_at(until), turns:
                return await self._asked(name)
        except (ProviderError, TimeoutError):
            # Newer servers say the most important in the list already.
            return details or _of_row(row)

    async def _asked(self, name: str) -> Details:
        # `name` is what old servers call the model.
        body = orjson.dumps({"model": name, "name": name})
        return _details(
            parsed(await self._vendor.ask(Call("/api/show", body), seconds=self._seconds))
        )


def parsed(body: bytes) -> Mapping[str, Any]:
    """Reads an answer that is an object. Raises BadResponse."""
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        answer = None
    if not isinstance(answer, dict):
        raise bad_response()
    return answer


def _rows(answer: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Returns the rows of a list by the names of the models."""
    rows = answer.get("models")
    if not isinstance(rows, list):
        raise bad_response()
    named = ((_name(row), row) for row in rows if isinstance(row, dict))
    return {name: row for name, row in named if name}


def _name(row: Mapping[str, Any]) -> str:
    found = (row.get(field) for field in ("name", "model"))
    return next((one for one in found if isinstance(one, str) and one), "")


def _digest(row: Mapping[str, Any]) -> str:
    digest = row.get("digest")
    return digest if isinstance(digest, str) else ""


def _of_row(row: Mapping[str, Any]) -> Details:
    facts = row.get("details")
    length = facts.get("context_length") if isinstance(facts, dict) else 0
    return Details(_count(length), 0, _words(row.get("capabilities")))


def _details(answer: Mapping[str, Any]) -> Details:
    facts = answer.get("model_info")
    facts = facts if isinstance(facts, dict) else {}
    lengths = (_count(value) for key, value in facts.items() if key.endswith(".context_length"))
    parameters = answer.get("parameters")
    found = _NUM_CTX.search(parameters) if isinstance(parameters, str) else None
    return Details(
        # A model of several parts has several; the one that reads the chat is the longest.
        max(lengths, default=0),
        int(found[1]) if found else 0,
        _words(answer.get("capabilities")),
    )


def _info(name: str, details: Details) -> ModelInfo:
    ours = (CAPABILITIES.get(word, ()) for word in details.capabilities)
    return ModelInfo(
        name,
        context_window=details.context_length,
        capabilities=frozenset(one for words in ours for one in words),
    )


def _words(value: object) -> frozenset[str]:
    words: Iterable[object] = value if isinstance(value, list) else ()
    return frozenset(one for one in words if isinstance(one, str))


def _count(value: object) -> int:
    """Reads a count; what is none is 0. Whether something is true is no count."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0
