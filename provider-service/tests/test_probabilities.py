"""Probabilities of tokens and the text that ended a reply: kept to the contract, like all else."""

from __future__ import annotations

import math
from typing import Any

import parley_provider_sdk as sdk
import pytest
from parley_provider_service.core.attempt import LEAST_LOGPROB
from parley_provider_service.core.faults import BadProviderResponse, Overloaded
from parley_provider_service.core.generation import Limits
from parley_provider_service.core.model import Ended, ModelChoice

from .conftest import NewAsk
from .fakes import DONE, USAGE
from .scene import Scene
from .town import Town

pytestmark = pytest.mark.unit

HI = sdk.TextDelta("Hi")
LIKELY = sdk.TokenLogprob("Hi", -0.25, b"Hi", [sdk.TokenLogprob("Hi", -0.25, b"Hi")])


async def test_they_come_after_their_text_and_are_no_output(new_ask: NewAsk) -> None:
    scene, ask = Scene(HI, sdk.Logprobs([LIKELY]), sdk.TextDelta("!"), DONE), new_ask()

    events, fault = await scene.hear(ask)

    assert fault is None
    assert [HI, sdk.Logprobs([LIKELY]), sdk.TextDelta("!")] == events[:-1]
    assert ("stop", USAGE) == (scene.settled(ask) or ())[:2]


async def test_others_in_the_place_of_others_are_left_out(new_ask: NewAsk) -> None:
    nested = sdk.TokenLogprob("a", -1, b"", [sdk.TokenLogprob("b", -2, b"", [LIKELY])])

    events, _ = await Scene(HI, sdk.Logprobs([nested]), DONE).hear(new_ask())

    told = sdk.TokenLogprob("a", -1, b"", [sdk.TokenLogprob("b", -2)])
    assert sdk.Logprobs([told]) == events[1]


@pytest.mark.parametrize("logprob", [-math.inf, math.nan])
async def test_what_could_not_have_come_is_a_number(new_ask: NewAsk, logprob: float) -> None:
    token = sdk.TokenLogprob("\0", logprob)

    events, _ = await Scene(HI, sdk.Logprobs([token]), DONE).hear(new_ask())

    assert sdk.Logprobs([sdk.TokenLogprob("\ufffd", LEAST_LOGPROB, b"", [])]) == events[1]


BROKEN: list[Any] = [
    sdk.Logprobs(None),  # type: ignore[arg-type]
    sdk.Logprobs([None]),  # type: ignore[list-item]
    sdk.Logprobs([sdk.TokenLogprob("a", "-1")]),  # type: ignore[arg-type]
    sdk.Logprobs([sdk.TokenLogprob("a", -1, "a")]),  # type: ignore[arg-type]
    sdk.Logprobs([sdk.TokenLogprob(7, -1)]),  # type: ignore[arg-type]
    sdk.Logprobs([sdk.TokenLogprob("\ud800", -1)]),
    sdk.Logprobs([sdk.TokenLogprob("a", -1, b"", ["b"])]),  # type: ignore[list-item]
    sdk.Finished(sdk.FinishReason.STOP, USAGE, None),  # type: ignore[arg-type]
]


@pytest.mark.parametrize("event", BROKEN, ids=range(len(BROKEN)))
async def test_what_is_none_is_a_bad_response(new_ask: NewAsk, event: Any) -> None:
    _, fault = await Scene(HI, event, DONE).hear(new_ask())

    assert isinstance(fault, BadProviderResponse)


async def test_who_has_told_some_has_begun(new_ask: NewAsk) -> None:
    """Else the listener would get those of two replies."""
    town = Town(acme=[(sdk.Logprobs([LIKELY]), sdk.Overloaded("Full."))], beta=[(HI, DONE)])

    _, fault = await town.hear(new_ask(fallbacks=[ModelChoice("beta", "small")]))

    assert isinstance(fault, Overloaded)
    assert {"acme": 1, "beta": 0} == town.calls()


async def test_a_slow_listener_makes_the_provider_wait_for_them_too(new_ask: NewAsk) -> None:
    made: list[int] = []

    async def note() -> None:
        made.append(1)

    steps = [step for _ in range(50) for step in (sdk.Logprobs([LIKELY]), note)]
    scene = Scene(*steps, DONE, limits=Limits(most_characters_behind=640))
    reply = await scene.generation.begin(new_ask())
    events = scene.generation.events(reply)
    await anext(events)

    assert len(made) < 50
    assert isinstance([event async for event in events][-1], Ended)
    assert 50 == len(made)


async def test_the_text_that_ended_it_is_told(new_ask: NewAsk) -> None:
    done = sdk.Finished(sdk.FinishReason.STOP, USAGE, "END")

    events, _ = await Scene(HI, done).hear(new_ask(stop=["END"]))

    [*_, ended] = events
    assert isinstance(ended, Ended)
    assert "END" == ended.stop_sequence
