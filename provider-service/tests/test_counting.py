"""How many tokens a request has: as its vendor counts, or as we guess."""

from __future__ import annotations

import asyncio
from typing import Any

import parley_provider_sdk as sdk
import pytest
from parley_provider_service.core.catalog import Catalog
from parley_provider_service.core.counting import Counting
from parley_provider_service.core.faults import (
    BadProviderResponse,
    ProviderFailed,
    ProviderNotFound,
    ProviderTimeout,
    RateLimited,
)
from parley_provider_service.core.roster import Roster
from parley_rpc.faults import InvalidArgument

from .fakes import (
    KnownPrices,
    MemoryCatalogStore,
    PlainVault,
    ScriptedProvider,
    installed,
    said,
    wait,
)

pytestmark = pytest.mark.unit


class CountingProvider(ScriptedProvider):
    """Counts as it is told to."""

    count: Any = 42

    async def count_tokens(self, request: sdk.ReplyRequest) -> Any:
        self.asked.append(request)
        return await said(self.count)


def counting(provider: ScriptedProvider, seconds: float = 5.0) -> Counting:
    roster = Roster([installed(provider=provider)])
    around = (MemoryCatalogStore(), KnownPrices(), PlainVault())
    return Counting(Catalog(roster, *around, ask_seconds=seconds))


def request(text: str = "Hello, you!", model: str = "small") -> sdk.ReplyRequest:
    return sdk.ReplyRequest(model, [sdk.Message(sdk.Role.USER, [sdk.TextPart(text)])])


async def count(answer: Any) -> sdk.Usage:
    provider = CountingProvider()
    provider.count = answer
    return await counting(provider).count("acme", request())


async def test_a_vendor_that_counts_is_asked_with_the_model_that_is_meant() -> None:
    provider = CountingProvider()

    usage = await counting(provider).count("acme", request(model=""))

    assert sdk.Usage(42, 0, source=sdk.UsageSource.COUNTED) == usage
    assert ["small"] == [one.model for one in provider.asked]


async def test_a_vendor_counts_what_it_would_be_shown() -> None:
    provider = CountingProvider()
    thought = sdk.ReasoningPart("Hm.", b"another's")
    asked = sdk.ReplyRequest(
        "small", [*request().messages, sdk.Message(sdk.Role.ASSISTANT, [thought])]
    )

    await counting(provider).count("acme", asked, owners=[[""], ["beta"]])

    [shown] = provider.asked[0].messages
    assert list(request().messages[0].parts) == list(shown.parts)


async def test_elsewhere_it_is_estimated_and_says_so() -> None:
    usage = await counting(ScriptedProvider()).count("acme", request("x" * 9))

    assert sdk.Usage(3, 0, source=sdk.UsageSource.ESTIMATED) == usage


@pytest.mark.parametrize("answer", [0, 2**53 - 1])
async def test_any_number_of_tokens_will_do(answer: int) -> None:
    assert answer == (await count(answer)).input_tokens


@pytest.mark.parametrize("answer", [-1, None, "42", 4.2, True, float("nan"), [1], 2**53, 2**70])
async def test_what_is_no_number_of_tokens_is_nonsense(answer: Any) -> None:
    with pytest.raises(BadProviderResponse, match="'acme' gave an answer of the wrong kind"):
        await count(answer)


@pytest.mark.parametrize(
    ("failure", "fault"),
    [
        (sdk.RateLimited("Slow down."), RateLimited),
        (ValueError("secret"), ProviderFailed),
        (SystemExit(), ProviderFailed),
    ],
)
async def test_what_fails_in_counting_is_a_fault(
    failure: BaseException, fault: type[Exception]
) -> None:
    with pytest.raises(fault) as caught:
        await count(failure)

    assert "secret" not in str(caught.value)


async def test_one_that_does_not_come_to_an_end_is_not_waited_for() -> None:
    provider = CountingProvider()
    provider.count = asyncio.Event().wait
    async with asyncio.timeout(5):
        with pytest.raises(ProviderTimeout):
            await counting(provider, seconds=0.05).count("acme", request())


async def test_no_messages_have_no_tokens() -> None:
    with pytest.raises(InvalidArgument, match="must not be empty") as caught:
        await counting(CountingProvider()).count("acme", sdk.ReplyRequest("small", []))

    assert ["request.messages"] == [one.field for one in caught.value.violations]


async def test_nobody_counts_for_a_provider_that_is_not_there() -> None:
    with pytest.raises(ProviderNotFound):
        await counting(CountingProvider()).count("acne", request())


async def test_a_vendor_counts_no_longer_than_the_caller_waits() -> None:
    provider = CountingProvider()
    provider.count = wait(30)

    async with asyncio.timeout(5):
        with pytest.raises(ProviderTimeout):
            await counting(provider).count("acme", request(), within=0.1)
