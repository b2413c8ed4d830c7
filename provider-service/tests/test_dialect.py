"""Options are words of one API: whoever does not speak it is not told them."""

from __future__ import annotations

from typing import Any

import parley_provider_sdk as sdk
import pytest
from parley_provider_service.core.admission import FAILURES_TO_OPEN
from parley_provider_service.core.counting import Counting
from parley_provider_service.core.faults import CircuitOpen
from parley_provider_service.core.model import ModelChoice
from parley_rpc.faults import InvalidArgument

from .conftest import NewAsk
from .fakes import DONE, installed
from .town import Town

pytestmark = pytest.mark.unit

HI = sdk.TextDelta("Hi there")
GOOD = (HI, DONE)
AWAY = (sdk.BackendUnreachable("Nobody answers."),)
BETA = ModelChoice("beta", "small")

OPTIONS = {"logit_bias": {"50256": -100}, "store": True}


def town_of(*speakers: str, **scripts: Any) -> Town:
    """Return a town in which some speak `acmish`."""
    town = Town(**scripts)
    for name in speakers:
        entry = town.entry(name)
        entry.installed = installed(name, town.providers[name], dialect="acmish")
    return town


def wanted(new_ask: NewAsk, *fallbacks: ModelChoice, dialect: str = "acmish") -> Any:
    return new_ask(fallbacks=fallbacks, provider_options=OPTIONS, dialect=dialect)


async def test_who_speaks_it_is_told_the_options(new_ask: NewAsk) -> None:
    town = town_of("acme", acme=[GOOD])

    _, fault = await town.hear(wanted(new_ask))

    assert fault is None
    assert [OPTIONS] == [asked.provider_options for asked in town.providers["acme"].asked]


@pytest.mark.parametrize("dialect", ["other", "Acmish"])
async def test_who_does_not_refuses_each_by_its_name_before_anything_is_held(
    new_ask: NewAsk, dialect: str
) -> None:
    town = town_of("acme", acme=[GOOD], beta=[GOOD])

    _, fault = await town.hear(wanted(new_ask, BETA, dialect=dialect))

    assert isinstance(fault, InvalidArgument)
    assert ["provider_options.logit_bias", "provider_options.store"] == [
        one.field for one in fault.violations
    ]
    assert "logit_bias, store: not known to the provider 'acme'" == fault.sentence
    assert {} == town.ledger.books.rows
    assert {"acme": 0, "beta": 0} == town.calls()


async def test_options_in_no_dialect_are_the_vendors_own_words(new_ask: NewAsk) -> None:
    town = town_of(acme=[GOOD])

    _, fault = await town.hear(wanted(new_ask, dialect=""))

    assert fault is None
    assert [OPTIONS] == [asked.provider_options for asked in town.providers["acme"].asked]


async def test_without_options_anybody_will_do(new_ask: NewAsk) -> None:
    town = town_of(acme=[GOOD])

    _, fault = await town.hear(new_ask(dialect="acmish"))

    assert fault is None


async def test_a_fallback_that_does_not_speak_it_is_passed_over(new_ask: NewAsk) -> None:
    town = town_of("acme", "gamma", acme=[AWAY], beta=[GOOD], gamma=[GOOD])

    events, fault = await town.hear(wanted(new_ask, BETA, ModelChoice("gamma", "small")))

    assert fault is None
    assert HI in events
    assert 0 == town.calls()["beta"]
    assert 1 == town.calls()["gamma"]


async def test_nor_is_it_asked_when_the_first_is_left_alone(new_ask: NewAsk) -> None:
    town = town_of("acme", acme=[GOOD], beta=[GOOD])
    for _ in range(FAILURES_TO_OPEN):
        town.entry("acme").breaker.fail()

    _, fault = await town.hear(wanted(new_ask, BETA))

    assert isinstance(fault, CircuitOpen)
    assert {"acme": 0, "beta": 0} == town.calls()


async def test_what_would_be_refused_is_not_counted_either() -> None:
    town = town_of(acme=[(DONE,)])
    message = sdk.Message(sdk.Role.USER, [sdk.TextPart("Hi")])
    request = sdk.ReplyRequest("small", [message], provider_options=OPTIONS)

    with pytest.raises(InvalidArgument, match="logit_bias"):
        await Counting(town.catalog).count("acme", request, dialect="acmish")
