"""The demo provider passes the tests every provider must pass, and plays the vendor as well."""

from collections.abc import Sequence
from typing import Any

import pytest
from parley_provider_demo.commands import FAILURES, RETRY_AFTER
from parley_provider_demo.provider import DemoProvider
from parley_provider_demo.settings import DemoSettings
from parley_provider_sdk import ProviderError, ToolCallPart
from parley_provider_sdk.testing import ProviderContract, VendorPeer

pytestmark = pytest.mark.unit


class Commands:
    """Scripts the demo provider by what it is asked."""

    failures = tuple(FAILURES.values())
    retry_after = RETRY_AFTER

    def says(self, deltas: Sequence[str]) -> str:
        return "/echo " + "".join(deltas)

    def fails(self, failure: type[ProviderError]) -> str:
        return f"/error {failure.reason}"

    def breaks_off(self, deltas: Sequence[str]) -> str:
        return f"/cut {len(deltas)}"

    def falls_silent(self, deltas: Sequence[str]) -> str:
        return "/hold 60" if deltas else "/slow 60"

    async def hung_up(self) -> None:
        """Returns at once: there is no connection to close."""

    def fails_midway(self, deltas: Sequence[str]) -> str:
        return self.breaks_off(deltas)

    def dribbles(self, deltas: Sequence[str]) -> str:
        return self.falls_silent(deltas)

    def splits(self, deltas: Sequence[str]) -> str:
        return self.says(deltas)

    def adds_unknown(self, deltas: Sequence[str]) -> str:
        return self.says(deltas)

    def omits_usage(self, deltas: Sequence[str]) -> str:
        return self.says(deltas)

    def thinks(self, reasoning: Sequence[str], deltas: Sequence[str]) -> str:
        return self.says(deltas)

    def calls(self, calls: Sequence[ToolCallPart]) -> str:
        return self.says(())

    def talks_nonsense(self) -> str:
        return "/error bad_response"

    def sends_too_much(self) -> str:
        return "/error bad_response"

    def says_many(self, count: int) -> str:
        return f"/long {count}"

    def received(self) -> Any:
        """Returns nothing: there is no wire."""


class TestDemo(ProviderContract):
    model = "demo"

    @pytest.fixture
    def peer(self) -> VendorPeer:
        return Commands()

    @pytest.fixture
    def provider(self) -> DemoProvider:
        return DemoProvider(DemoSettings(pace=0))
