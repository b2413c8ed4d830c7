"""The demo provider passes the tests every provider must pass, and plays the vendor as well.

It lies in the package and not in `tests/`, so that `parley providers check parley-provider-demo`
can run it wherever the package is installed. Nothing else imports it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import ClassVar

import pytest
from parley_provider_sdk import Overloaded, ProviderError, ToolCallPart
from parley_provider_sdk.testing import ProviderContract, ScriptedVendor

from parley_provider_demo.commands import FAILURES, RETRY_AFTER
from parley_provider_demo.provider import DemoProvider
from parley_provider_demo.settings import DemoSettings


class Commands:
    """Scripts the demo provider by what it is asked."""

    failures = tuple(FAILURES.values())
    retry_after = RETRY_AFTER

    def says(self, deltas: Sequence[str]) -> str:
        return "/echo " + "".join(deltas)

    def says_many(self, count: int) -> str:
        return f"/long {count}"

    def fails(self, failure: type[ProviderError]) -> str:
        return f"/error {failure.reason}"

    def fails_midway(self, deltas: Sequence[str]) -> str:
        return f"/break {Overloaded.reason} {''.join(deltas)}"

    def breaks_off(self, deltas: Sequence[str]) -> str:
        return f"/cut {len(deltas)}"

    def falls_silent(self, deltas: Sequence[str]) -> str:
        return "/hold 60" if deltas else "/slow 60"

    async def reached(self) -> None:
        """Returns once it has begun to wait."""
        await asyncio.sleep(0.01)

    async def hung_up(self) -> None:
        """Returns at once: there is no connection to close."""

    def thinks(self, reasoning: Sequence[str], deltas: Sequence[str]) -> str:
        return f"/think {''.join(reasoning)}\n{''.join(deltas)}"

    def calls(self, calls: Sequence[ToolCallPart]) -> str:
        return "/call " + "\n".join(f"{call.name} {call.arguments}" for call in calls)


class TestDemo(ProviderContract):
    model = "demo"
    embedding_model = "demo-embedding"
    exempt: ClassVar[Mapping[str, str]] = MappingProxyType(
        {
            "wire": "the demo speaks to no vendor, so there is no wire to garble",
            "omitted_usage": "the demo counts its tokens itself, always",
        }
    )

    @pytest.fixture
    def peer(self) -> ScriptedVendor:
        return Commands()

    @pytest.fixture
    def provider(self) -> DemoProvider:
        return DemoProvider(DemoSettings(pace=0))
