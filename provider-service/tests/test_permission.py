"""Whom a key may ask: what its scopes name, where the provider and the model are really known."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import parley_provider_sdk as sdk
import pytest
from parley_provider_service.core.model import Answerer, ModelChoice
from parley_provider_service.core.permission import require_model, require_provider
from parley_rpc.faults import Fault, ScopeMissing

from .conftest import NewAsk
from .fakes import DONE
from .town import Town

pytestmark = pytest.mark.unit

HI = sdk.TextDelta("Hi there")
GOOD = (HI, DONE)
FULL = (sdk.Overloaded("Too many ask."),)
BETA = ModelChoice("beta", "small")


def asking(new_ask: NewAsk, *scopes: str, **more: Any) -> Any:
    return replace(new_ask(**more), scopes=frozenset(scopes))


@pytest.mark.parametrize(
    "scopes",
    [
        (),
        ("chat",),
        ("provider:acme",),
        ("provider:beta", "provider:acme"),
        ("model:acme/small",),
        ("provider:acme", "model:acme/small"),
    ],
)
async def test_a_key_asks_whom_its_scopes_name(new_ask: NewAsk, scopes: tuple[str, ...]) -> None:
    town = Town(acme=[GOOD])

    _, fault = await town.hear(asking(new_ask, *scopes))

    assert fault is None


@pytest.mark.parametrize(
    ("scopes", "missing"),
    [
        (("provider:beta",), "provider:acme"),
        (("provider:acme-2", "chat"), "provider:acme"),
        (("model:acme/large",), "model:acme/small"),
        (("model:beta/small",), "model:acme/small"),
        (("provider:acme", "model:acme/smal"), "model:acme/small"),
        (("provider:beta", "model:acme/small"), "provider:acme"),
    ],
)
async def test_nobody_else_is_asked(new_ask: NewAsk, scopes: tuple[str, ...], missing: str) -> None:
    town = Town(acme=[GOOD], beta=[GOOD])

    _, fault = await town.hear(asking(new_ask, *scopes, fallbacks=(BETA,)))

    assert isinstance(fault, ScopeMissing)
    assert {"scope": missing} == fault.metadata
    assert {"acme": 0, "beta": 0} == town.calls()


async def test_a_fallback_that_the_key_may_not_ask_is_passed_over(new_ask: NewAsk) -> None:
    gamma = ModelChoice("gamma", "small")
    town = Town(acme=[FULL] * 3, beta=[GOOD], gamma=[GOOD])
    ask = asking(new_ask, "provider:acme", "provider:gamma", fallbacks=(BETA, gamma))

    events, fault = await town.hear(ask)

    assert fault is None
    assert Answerer("gamma", "small") in events
    assert (0, 1) == (town.calls()["beta"], town.calls()["gamma"])


async def test_an_administrators_fallback_is_judged_by_its_default_model(new_ask: NewAsk) -> None:
    town = Town(acme=[FULL] * 3, beta=[GOOD])
    town.decide("acme", fallbacks=("beta",))

    _, fault = await town.hear(asking(new_ask, "model:acme/small"))

    assert isinstance(fault, Fault)
    assert "overloaded" == fault.reason
    assert 0 == town.calls()["beta"]


def test_a_kind_of_which_nothing_is_named_allows_all() -> None:
    require_provider({"chat", "model:acme/small"}, "beta")
    require_model({"chat", "provider:acme"}, "acme", "large")
    with pytest.raises(ScopeMissing):
        require_model({"model:acme/org"}, "acme", "org/large")
