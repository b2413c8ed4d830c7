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
    UnsupportedParameter,
)
from parley_provider_sdk.testing import Peer, PeerVendor, ProviderContract, VendorPeer

pytestmark = pytest.mark.unit

FAILURES: Mapping[type[ProviderError], str] = MappingProxyType(
    {
        AuthenticationFailed: "authentication",
        BackendError: "api_error",
        BackendTimeout: "timeout",
        BadRequest: "bad_request",
        ContentRefused: "content_filter",
        ContextTooLong: "prompt_too_long",
        ModelNotFound: "model_not_found",
        Overloaded: "overloaded",
        QuotaExhausted: "billing",
        RateLimited: "rate_limit",
        TooLarge: "too_large",
        UnsupportedParameter: "temperature",
    }
)


class TestAnthropic(ProviderContract):
    model: ClassVar[str] = "claude-sonnet-5-5"
    secret: ClassVar[str] = "sk-ant-secret-of-the-tests"
    wants_back: ClassVar[Mapping[str, Sequence[str]]] = MappingProxyType(
        {"reasoning": ("signature",)}
    )
    exempt: ClassVar[Mapping[str, str]] = MappingProxyType(
        {
            "embeddings": "the vendor has no models that make vectors",
            "logprobs": "the wire has no probabilities of tokens",
        }
    )

    @pytest.fixture
    def peer(self, wire: Peer) -> VendorPeer:
        return PeerVendor(wire, FAILURES, midway="overloaded")
