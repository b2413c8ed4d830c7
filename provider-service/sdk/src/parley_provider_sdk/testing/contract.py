"""The tests every provider must pass.

A plugin subclasses ProviderContract, gives it a provider and a scripted peer that speaks the
vendor's wire on a real socket, and runs pytest:

    class TestAcme(ProviderContract):
        model = "acme-1"
        secret = "the key that `provider` was made with"

        @pytest.fixture
        async def peer(self): ...       # a VendorPeer, such as PeerVendor

        @pytest.fixture
        async def provider(self, peer): ...

What a provider lacks it says with the reason, by feature (report.FEATURES) or name of a check that
has one. Such checks do not run, and are reported as exempt:

        exempt = MappingProxyType({"tools": "acme's models call no tools"})
"""

from __future__ import annotations

import pytest

from parley_provider_sdk.testing.checks.bench import DELTAS
from parley_provider_sdk.testing.checks.catalog import Catalog
from parley_provider_sdk.testing.checks.embedding import Embedding
from parley_provider_sdk.testing.checks.failing import Failing
from parley_provider_sdk.testing.checks.leaving import Leaving
from parley_provider_sdk.testing.checks.limits import LimitChecks
from parley_provider_sdk.testing.checks.load import Load
from parley_provider_sdk.testing.checks.pieces import Pieces
from parley_provider_sdk.testing.checks.replies import Replies

__all__ = ["DELTAS", "ProviderContract"]


@pytest.mark.asyncio
class ProviderContract(Load, Embedding, Pieces, Failing, LimitChecks, Leaving, Catalog, Replies):
    """Subclass it, give it the fixtures `peer` and `provider` and the two names."""
