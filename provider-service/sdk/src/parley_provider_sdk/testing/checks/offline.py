"""What can be checked of an installed plugin without its vendor."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing, suppress
from typing import TypeAlias

from parley_provider_sdk.errors import BackendTimeout, BackendUnreachable, ProviderError
from parley_provider_sdk.provider import Provider
from parley_provider_sdk.testing.clock import Clock
from parley_provider_sdk.testing.report import Rung, check
from parley_provider_sdk.testing.trial import SECRET, Complaint, Trial, black_hole, closed_port
from parley_provider_sdk.types import Health, Limits, ReplyRequest

__all__ = ["CHECKS", "CheckOfTrial"]

# Seconds that making a provider may take.
MADE_WITHIN = 0.25

CheckOfTrial: TypeAlias = Callable[[Trial], Awaitable[None]]


@check(
    Rung.BRONZE,
    "An administrator does not know what to fill in.",
    "Give every setting a name in capitals and a sentence of help.",
)
async def test_settings_are_described(trial: Trial) -> None:
    for one in trial.described:
        if not one.env.isupper() or not one.help:
            raise Complaint(f"The setting '{one.field}' has no name in capitals, or no help.")


@check(
    Rung.BRONZE,
    "The start of the service waits for a vendor.",
    "Only keep the settings in __init__; connect and load on first use.",
)
async def test_making_one_neither_blocks_nor_talks(trial: Trial) -> None:
    async with black_hole() as hole:
        async with trial.provider(hole.port):
            """Imports what is imported on first use."""
        clock = Clock()
        began = clock()
        async with trial.provider(hole.port):
            took = clock() - began
            await asyncio.sleep(0.1)
        clock.close()
        if hole.taken:
            raise Complaint("It connects when it is made.")
        if took > MADE_WITHIN:
            raise Complaint(f"Making it took {took:.1f} s.")


@check(
    Rung.BRONZE,
    "Whoever prints an object has the key.",
    "Declare the key with secret=True, and keep it out of every other repr.",
)
async def test_nothing_shows_the_key(trial: Trial) -> None:
    async with trial.provider() as provider:
        for one in (trial.settings(), provider):
            if SECRET in f"{one!r} {one}":
                raise Complaint(f"The key shows in {type(one).__name__}.")


@check(
    Rung.BRONZE,
    "A stopped service fails instead of ending.",
    "Let a second aclose do nothing.",
)
async def test_it_can_be_closed_twice(trial: Trial) -> None:
    async with trial.provider() as provider:
        await provider.aclose()


@check(
    Rung.SILVER,
    "A vendor that is away looks like a bug of the service's.",
    "Raise BackendUnreachable when no connection comes about.",
    feature="wire",
)
async def test_who_is_away_is_unreachable(trial: Trial) -> None:
    async with trial.provider(closed_port()) as provider:
        for stream in (True, False):
            await _fails(provider, trial.request(stream=stream), BackendUnreachable)
        health = await provider.health_check()
        if not isinstance(health, Health) or health.healthy or not health.detail:
            raise Complaint("health_check does not say that the vendor is away.")
        try:
            await provider.list_models()
        except BackendUnreachable as error:
            _keeps_secrets(error)
        else:
            raise Complaint("list_models had an answer where there is no vendor.")


@check(
    Rung.SILVER,
    "A vendor that accepts and says nothing keeps its users waiting for ever.",
    "Raise BackendTimeout after limits.first_token, or limits.whole when nobody watches.",
    feature="wire",
)
async def test_silence_is_a_timeout(trial: Trial) -> None:
    async with black_hole() as hole, trial.provider(hole.port) as provider:
        for stream in (True, False):
            request = trial.request(stream=stream)
            await _fails(provider, request, BackendTimeout, BackendUnreachable)


@check(
    Rung.SILVER,
    "Whoever presses stop goes on paying, and connections pile up until none is left.",
    "Let CancelledError through, and close the connection in a `finally`.",
    feature="wire",
)
async def test_cancelling_hangs_up(trial: Trial) -> None:
    async with black_hole() as hole, trial.provider(hole.port) as provider:
        # With patience, so that only the cancelling can end it.
        request = trial.request(limits=Limits(first_token=60))
        listener = asyncio.ensure_future(_listen(provider, request))
        arriving = asyncio.ensure_future(hole.filled.wait())
        await asyncio.wait({listener, arriving}, return_when=asyncio.FIRST_COMPLETED)
        arriving.cancel()
        if listener.done():
            raise Complaint("It failed without having connected.")
        listener.cancel()
        with suppress(TimeoutError):
            await asyncio.wait_for(hole.emptied.wait(), 1)
        if hole.open:
            raise Complaint("The vendor's connection was still open after a second.")
        await asyncio.wait({listener}, timeout=1)
        if not listener.cancelled():
            raise Complaint("The cancellation was swallowed.")


CHECKS: Sequence[CheckOfTrial] = (
    test_settings_are_described,
    test_making_one_neither_blocks_nor_talks,
    test_nothing_shows_the_key,
    test_it_can_be_closed_twice,
    test_who_is_away_is_unreachable,
    test_silence_is_a_timeout,
    test_cancelling_hangs_up,
)


async def _listen(provider: Provider, request: ReplyRequest) -> None:
    async with aclosing(provider.chat_completion(request)) as events:
        async for _ in events:
            """Nothing comes, as nobody answers."""


async def _fails(provider: Provider, request: ReplyRequest, *failures: type[ProviderError]) -> None:
    try:
        await _listen(provider, request)
    except failures as error:
        _keeps_secrets(error)
    else:
        raise Complaint("There was a reply where there is no vendor.")


def _keeps_secrets(error: ProviderError) -> None:
    if SECRET in "".join(traceback.format_exception(error)) + repr(vars(error)):
        raise Complaint(f"The key shows in {type(error).__name__}.")
