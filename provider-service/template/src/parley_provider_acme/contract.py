"""Acme passes the tests every provider must pass.

It lies in the package and not in `tests/`, so that `parley providers check parley-provider-acme`
can run it wherever the package is installed. Nothing else imports it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
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
    QuotaExhausted,
    RateLimited,
    TooLarge,
)
from parley_provider_sdk.testing import Peer, PeerVendor, ProviderContract

from parley_provider_acme.dialect import CALL_SEAL, THOUGHT_SEAL, AcmeDialect
from parley_provider_acme.provider import AcmeProvider
from parley_provider_acme.settings import AcmeSettings

KEY = "acme-secret-of-the-tests"
# What Acme can mean, by the dialect's names.
FAILURES: Mapping[type[ProviderError], str] = MappingProxyType(
    {
        AuthenticationFailed: "authentication",
        BackendError: "failed",
        BackendTimeout: "timeout",
        BadRequest: "bad_request",
        ContextTooLong: "context",
        ModelNotFound: "model_not_found",
        Overloaded: "busy",
        QuotaExhausted: "quota",
        RateLimited: "rate",
        TooLarge: "too_large",
    }
)


class TestAcme(ProviderContract):
    model = "acme-1"
    secret = KEY
    wants_back: ClassVar[Mapping[str, Sequence[str]]] = MappingProxyType(
        {"reasoning": (THOUGHT_SEAL,), "tools": (CALL_SEAL,)}
    )
    exempt: ClassVar[Mapping[str, str]] = MappingProxyType(
        {
            "embeddings": "Acme makes no vectors",
            "logprobs": "Acme's wire has no probabilities of tokens",
        }
    )

    @pytest.fixture
    async def peer(self) -> AsyncIterator[PeerVendor]:
        async with Peer(AcmeDialect(), key=KEY) as peer:
            yield PeerVendor(peer, FAILURES, midway="busy")

    @pytest.fixture
    async def provider(self, peer: PeerVendor) -> AsyncIterator[AcmeProvider]:
        provider = AcmeProvider(AcmeSettings(api_key=KEY, base_url=peer.peer.base_url))
        yield provider
        await provider.aclose()
