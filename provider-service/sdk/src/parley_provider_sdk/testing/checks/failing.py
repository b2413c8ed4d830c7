"""How a provider tells that its vendor failed: by class, without secrets, in no log."""

# ruff: noqa: S101  (these are tests)

from __future__ import annotations

import logging

import pytest

from parley_provider_sdk.errors import (
    AuthenticationFailed,
    ModelNotFound,
    ProviderError,
    RateLimited,
)
from parley_provider_sdk.provider import Provider
from parley_provider_sdk.testing.checks.bench import Bench
from parley_provider_sdk.testing.report import Rung, check
from parley_provider_sdk.testing.vendor import ScriptedVendor, VendorPeer

__all__ = ["Failing"]

_PRIVATE = "an-answer-of-theirs"


class Failing(Bench):
    """Every failure has its class."""

    @check(
        Rung.SILVER,
        "The service retries what is hopeless, gives up what is not, and tells users wrong.",
        "Map the vendor's words and status to the error classes; read Retry-After.",
    )
    @pytest.mark.parametrize("stream", [True, False])
    async def test_failures_have_their_class(
        self, provider: Provider, peer: ScriptedVendor, stream: bool
    ) -> None:
        assert peer.failures, "A vendor can fail in some way."
        for failure in peer.failures:
            request = self.request(peer.fails(failure), stream=stream)
            error = (await self.failed(provider, request, failure)).error
            if failure is RateLimited:
                assert error.retry_after == peer.retry_after

    @check(
        Rung.SILVER,
        "A model that the vendor has withdrawn looks like a fault of the service.",
        "Raise ModelNotFound when the vendor says that there is no such model.",
    )
    async def test_unknown_model_is_not_found(
        self, provider: Provider, peer: ScriptedVendor
    ) -> None:
        request = self.request(peer.says(("never",)), model="no-such-model")
        await self.failed(provider, request, ModelNotFound)

    @check(
        Rung.SILVER,
        "A wrong key makes the page of providers fail instead of saying which one is unwell.",
        "Return Health(healthy=False, detail=…) from health_check; raise it from list_models.",
        feature="wire",
    )
    async def test_being_refused_is_unwell(self, provider: Provider, peer: VendorPeer) -> None:
        if AuthenticationFailed not in peer.failures:
            return  # Who asks for no key refuses none.
        peer.fails(AuthenticationFailed)
        health = await self.answer(provider.health_check(), "health_check")
        assert not health.healthy
        assert health.detail, "It does not say what was found."
        self.assert_no_secret(health)
        with pytest.raises(ProviderError) as caught:
            await self.answer(provider.list_models(), "list_models")
        self.assert_failure(caught.value, AuthenticationFailed)

    @check(
        Rung.SILVER,
        "Whoever reads a traceback or prints an object has the key.",
        "Declare the key with secret=True, and keep it out of every other repr.",
    )
    async def test_nothing_shows_the_key(self, provider: Provider) -> None:
        self.assert_no_secret(provider)

    @check(
        Rung.SILVER,
        "Keys or what users wrote stand in log files for everybody who may read those.",
        "Log neither prompts nor replies nor keys; silence the loggers of your vendor's library.",
    )
    async def test_nothing_private_is_logged(
        self, provider: Provider, peer: ScriptedVendor, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.DEBUG):
            await self.reply(provider, self.request(peer.says((_PRIVATE,))))
            for failure in peer.failures:
                await self.failed(provider, self.request(peer.fails(failure)), failure)
        logged = caplog.text + "".join(repr(vars(record)) for record in caplog.records)
        shows = [self.secret != "" and self.secret in logged, _PRIVATE in logged]
        assert shows == [False, False], "Logged are: [the key, what was said]."
