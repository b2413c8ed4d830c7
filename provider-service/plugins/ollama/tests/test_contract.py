"""The provider passes the tests every provider must pass."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

import pytest
from parley_provider_sdk import (
    AuthenticationFailed,
    BackendError,
    BackendTimeout,
    BadRequest,
    ContextTooLong,
    ModelNotFound,
    Overloaded,
    ProviderError,
    RateLimited,
)
from parley_provider_sdk.testing import PeerVendor, ProviderContract, VendorPeer
from parley_tests.ollama_peer import OllamaPeer

pytestmark = pytest.mark.unit

FAILURES: Mapping[type[ProviderError], str] = MappingProxyType(
    {
        AuthenticationFailed: "authentication",
        BackendError: "runner_died",
        BackendTimeout: "slow_load",
        BadRequest: "bad_think",
        ContextTooLong: "input_too_long",
        ModelNotFound: "not_pulled",
        Overloaded: "unavailable",
        RateLimited: "server_busy",
    }
)


class TestOllama(ProviderContract):
    model: ClassVar[str] = "llama-peer:latest"
    embedding_model: ClassVar[str] = "embed-peer:latest"
    secret: ClassVar[str] = "sk-secret-of-the-tests"

    @pytest.fixture
    def peer(self, wire: OllamaPeer) -> VendorPeer:
        return PeerVendor(wire, FAILURES, midway="midway")
