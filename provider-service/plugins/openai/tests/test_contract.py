"""The provider passes the tests every provider must pass, on both its wires."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import ClassVar

import pytest
from parley_provider_openai.provider import OpenAIProvider
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
from parley_provider_sdk.testing import PeerVendor, ProviderContract, VendorPeer
from parley_tests.openai_peer import OpenAIPeer
from typing_extensions import override

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


class TestChat(ProviderContract):
    model: ClassVar[str] = "gpt-peer"
    embedding_model: ClassVar[str] = "gpt-peer"
    secret: ClassVar[str] = "sk-secret-of-the-tests"

    @pytest.fixture
    def peer(self, wire: OpenAIPeer) -> VendorPeer:
        return PeerVendor(wire, FAILURES, midway="server_error")

    @pytest.fixture
    def provider(self, chat: OpenAIProvider) -> OpenAIProvider:
        return chat


class TestResponses(TestChat):
    wants_back: ClassVar[Mapping[str, Sequence[str]]] = MappingProxyType(
        {"reasoning": ("encrypted_content",)}
    )

    @pytest.fixture
    @override
    def peer(self, wire: OpenAIPeer) -> VendorPeer:
        return PeerVendor(wire, FAILURES, midway="failed:server_error")

    @pytest.fixture
    @override
    def provider(self, responses: OpenAIProvider) -> OpenAIProvider:
        return responses
