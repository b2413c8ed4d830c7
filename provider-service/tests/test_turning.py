"""While somebody else is looked for: a stop and the deadline end that, too."""

from __future__ import annotations

import asyncio
import time

import parley_provider_sdk as sdk
import pytest
from parley_provider_service.core.faults import ProviderAuth, ProviderTimeout
from parley_provider_service.core.model import ModelChoice

from .conftest import NewAsk
from .fakes import DONE, wait
from .town import Town

pytestmark = pytest.mark.unit

REFUSAL = (sdk.AuthenticationFailed("No."),)
GOOD = (sdk.TextDelta("Hi there"), DONE)
# Which model that is has to be asked for.
WHATEVER = ModelChoice("beta", "")


async def test_a_stop_ends_the_wait_for_the_others_models(new_ask: NewAsk) -> None:
    town, ask = Town(acme=[REFUSAL], beta=[GOOD]), new_ask(fallbacks=[WHATEVER])
    town.providers["beta"].listed = wait(30)
    reply = await town.generation.begin(ask)
    while not town.providers["beta"].listings:  # noqa: ASYNC110  (a fact, not an event)
        await asyncio.sleep(0.01)
    began = time.monotonic()

    reply.stop()
    await town.generation.aclose(5)

    assert time.monotonic() - began < 1
    assert "stopped" == town.settlement(ask).outcome


async def test_nobody_is_looked_for_beyond_the_deadline(new_ask: NewAsk) -> None:
    town, ask = Town(acme=[REFUSAL], beta=[GOOD]), new_ask(fallbacks=[WHATEVER], seconds=1.0)
    town.providers["beta"].listed = wait(30)
    began = time.monotonic()

    _, fault = await town.hear(ask)

    assert time.monotonic() - began < 10  # the other would be waited for three times as long
    assert isinstance(fault, ProviderAuth)
    assert {"acme": 1, "beta": 0} == town.calls()


async def test_nobody_is_asked_instead_when_the_time_is_over(new_ask: NewAsk) -> None:
    late = ((wait(30), *GOOD),)
    town = Town(acme=late, beta=[GOOD])
    ask = new_ask(fallbacks=[ModelChoice("beta", "small")], seconds=1.0, stream=False)

    _, fault = await town.hear(ask)

    assert isinstance(fault, ProviderTimeout)
    assert {"acme": 1, "beta": 0} == town.calls()
