"""The provider passes the tests every provider must pass."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import ClassVar

import pytest
from parley_provider_sdk import (
    AuthenticationFailed,
    BackendError,
    BackendTimeout,
    BadRequest,
    ContentRefused,
    ContextTooLong,
    ModelNotFound,
    Overloaded,
    ProviderError,
    QuotaExhausted,
    RateLimited,
    TooLarge,
)
from parley_provider_sdk.testing import ProviderContract, VendorPeer
from parley_tests.openai_peer import OpenAIPeer

pytestmark = pytest.mark.unit

FAILURES: Mapping[type[ProviderError], str] = MappingProxyType(
    {
        AuthenticationFailed: "invalid_api_key",
        BackendError: "server_error",
        BackendTimeout: "timeout",
        BadRequest: "bad_request",
        ContentRefused: "content_policy_violation",
        ContextTooLong: "context_length_exceeded",
        ModelNotFound: "model_not_found",
        Overloaded: "overloaded",
        QuotaExhausted: "insufficient_quota",
        RateLimited: "rate_limit_exceeded",
        TooLarge: "too_large",
    }
)


class Vendor:
    """Scripts the peer as the contract asks."""

    failures = tuple(FAILURES)
    retry_after = 7.0

    def __init__(self, wire: OpenAIPeer) -> None:
        self._wire = wire

    def says(self, deltas: Sequence[str]) -> str:
        self._wire.script(texts=deltas)
        return "Say it."

    def fails(self, failure: type[ProviderError]) -> str:
        self._wire.script(error=FAILURES[failure], headers={"retry-after": "7"})
        return "Fail."

    def breaks_off(self, deltas: Sequence[str]) -> str:
        self._wire.script(texts=deltas, cut_after=len(deltas))
        return "Break off."

    def falls_silent(self, deltas: Sequence[str]) -> str:
        self._wire.script(texts=deltas, hold_after=len(deltas))
        return "Fall silent."

    async def hung_up(self) -> None:
        await self._wire.disconnected()


class TestOpenAI(ProviderContract):
    model: ClassVar[str] = "gpt-peer"
    secret: ClassVar[str] = "sk-secret-of-the-tests"

    @pytest.fixture
    def peer(self, wire: OpenAIPeer) -> VendorPeer:
        return Vendor(wire)
