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
from parley_provider_sdk.testing import Peer, PeerVendor, ProviderContract, VendorPeer

pytestmark = pytest.mark.unit

FAILURES: Mapping[type[ProviderError], str] = MappingProxyType(
    {
        AuthenticationFailed: "authentication",
        BackendError: "internal",
        BackendTimeout: "timeout",
        BadRequest: "bad_request",
        ContentRefused: "prompt_blocked",
        ContextTooLong: "context_too_long",
        ModelNotFound: "model_not_found",
        Overloaded: "overloaded",
        QuotaExhausted: "day_used_up",
        RateLimited: "rate_limited",
        TooLarge: "too_large",
    }
)


class TestGoogle(ProviderContract):
    model: ClassVar[str] = "gemini-3-flash-peer"
    embedding_model: ClassVar[str] = "gemini-embedding-peer"
    secret: ClassVar[str] = "AIza-secret-of-the-tests"
    wants_back: ClassVar[Mapping[str, Sequence[str]]] = MappingProxyType(
        {"tools": ("thoughtSignature",)}
    )

    @pytest.fixture
    def peer(self, wire: Peer) -> VendorPeer:
        return PeerVendor(wire, FAILURES, midway="overloaded")
