"""What a provider does when its vendor is slow, breaks off, or is not what it seems."""

# ruff: noqa: S101  (these are tests)

from __future__ import annotations

import pytest

from parley_provider_sdk.errors import BackendTimeout, BadResponse, ProviderError
from parley_provider_sdk.provider import Provider
from parley_provider_sdk.testing.checks.bench import DELTAS, Bench
from parley_provider_sdk.testing.report import Rung, check
from parley_provider_sdk.testing.vendor import ScriptedVendor, VendorPeer
from parley_provider_sdk.types import Limits

__all__ = ["LimitChecks"]


class LimitChecks(Bench):
    """No vendor keeps a user waiting, or passes off half a reply as a whole one."""

    @check(
        Rung.SILVER,
        "A vendor that accepts and says nothing keeps its users waiting for ever.",
        "Raise BackendTimeout when nothing has come after limits.first_token (limits.whole).",
    )
    @pytest.mark.parametrize("stream", [True, False])
    async def test_silence_is_a_timeout(
        self, provider: Provider, peer: ScriptedVendor, stream: bool
    ) -> None:
        limits = Limits(first_token=0.2, idle=60, whole=0.2)
        request = self.request(peer.falls_silent(()), limits=limits, stream=stream)
        await self.failed(provider, request, BackendTimeout)

    @check(
        Rung.SILVER,
        "A reply that stalls keeps its users waiting for ever.",
        "Raise BackendTimeout when nothing has come for limits.idle.",
    )
    async def test_stall_is_a_timeout(self, provider: Provider, peer: ScriptedVendor) -> None:
        limits = Limits(first_token=60, idle=0.2)
        request = self.request(peer.falls_silent(("one ",)), limits=limits)
        await self.failed(provider, request, BackendTimeout)

    @check(
        Rung.SILVER,
        "A vendor that sends a byte now and then keeps its users waiting for ever.",
        "Measure limits.idle between whole events: half an event is no sign of life.",
        feature="wire",
    )
    async def test_dribble_is_a_timeout(self, provider: Provider, peer: VendorPeer) -> None:
        limits = Limits(first_token=2, idle=0.4)
        request = self.request(peer.dribbles(("one ", "two " * 99)), limits=limits)
        await self.failed(provider, request, BackendTimeout)

    @check(
        Rung.SILVER,
        "Half an answer is stored as a whole one.",
        "Yield Finished only after the wire's own mark of the end; raise BadResponse without it.",
    )
    @pytest.mark.parametrize("sent", range(len(DELTAS) + 1))
    async def test_cut_stream_is_never_complete(
        self, provider: Provider, peer: ScriptedVendor, sent: int
    ) -> None:
        request = self.request(peer.breaks_off(DELTAS[:sent]))
        await self.failed(provider, request, BadResponse)

    @check(
        Rung.SILVER,
        "What was said before a failure is lost, or the failure is taken for the end.",
        "Yield what came, then raise what the vendor's error within the stream means.",
    )
    async def test_failure_in_the_middle_keeps_what_came(
        self, provider: Provider, peer: ScriptedVendor
    ) -> None:
        request = self.request(peer.fails_midway(("one ", "two ")))
        assert (await self.failed(provider, request, ProviderError)).text == "one two "

    @check(
        Rung.SILVER,
        "Behind a hotel's login page users see HTML, or an error of Python's.",
        "Raise BadResponse for whatever is not the vendor's wire, status 200 included.",
        feature="wire",
    )
    @pytest.mark.parametrize("stream", [True, False])
    async def test_nonsense_is_a_bad_response(
        self, provider: Provider, peer: VendorPeer, stream: bool
    ) -> None:
        request = self.request(peer.talks_nonsense(), stream=stream)
        assert not (await self.failed(provider, request, BadResponse)).text

    @check(
        Rung.SILVER,
        "One answer fills the memory of the service, and everybody's replies end.",
        "Refuse an event above a limit with BadResponse while it comes (reading.EVENT_LIMIT).",
        feature="wire",
    )
    async def test_oversized_event_is_refused(self, provider: Provider, peer: VendorPeer) -> None:
        request = self.request(peer.sends_too_much())
        await self.failed(provider, request, BadResponse)
