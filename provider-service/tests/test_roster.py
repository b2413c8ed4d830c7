"""Which providers there are, how they stand, and which one is meant."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from parley_provider_service.core.faults import ProviderNotFound, ProviderNotReady
from parley_provider_service.core.model import FREE, Config, Installed, Model, Price, ProviderStatus
from parley_provider_service.core.roster import Entry, Roster

from .fakes import installed

pytestmark = pytest.mark.unit

ACME, BETA = installed("acme"), installed("beta")
FREEBIE = installed("aardvark", free=True)
UNSET = replace(installed("aaa"), provider=None, error="Set AAA_KEY.")
TORN = replace(installed("aab"), provider=None, broken=True, error="ImportError.")


def priced(name: str, context_window: int, output: int) -> Model:
    return Model("acme", name, name, context_window, price=Price(1, output, None, "x"))


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([BETA, ACME], "acme"),
        ([FREEBIE, BETA], "beta"),
        ([UNSET, TORN, FREEBIE], "aardvark"),
        ([UNSET, TORN], ""),
        ([], ""),
    ],
)
def test_the_default_is_the_first_that_somebody_has_set_up(
    found: list[Installed], expected: str
) -> None:
    assert expected == Roster(found).default()


@pytest.mark.parametrize("name", ["beta", "aardvark", "aaa", "unheard-of"])
def test_the_operators_default_is_taken_whatever_it_is(name: str) -> None:
    assert name == Roster([ACME, BETA, FREEBIE, UNSET], name).default()


def test_an_administrators_choice_comes_first() -> None:
    roster = Roster([ACME, BETA], "acme")
    roster.entries["beta"].config = Config(is_default=True)

    assert "beta" == roster.default()
    roster.entries["beta"].config = Config(is_default=True, enabled=False)
    assert "acme" == roster.default()


def test_preference_is_by_priority_and_then_by_name() -> None:
    roster = Roster([BETA, ACME, FREEBIE])
    roster.entries["beta"].config = Config(priority=1)

    assert ["beta", "aardvark", "acme"] == [entry.name for entry in roster]
    assert "beta" == roster.default()


def test_a_stand_in_is_the_default_only_while_nothing_else_is_ready() -> None:
    demo = installed("demo", free=True, stand_in=True)
    local = installed("local", free=True, detected=True)
    roster = Roster([demo, local, UNSET])

    assert "demo" == roster.default()
    roster.entries["local"].answered = True
    assert "local" == roster.default()
    assert "acme" == Roster([demo, local, ACME]).default()


def test_what_the_plugin_calls_the_default_counts_when_its_vendor_lists_it() -> None:
    entry = Entry(installed("acme", default_model="best"))
    entry.models = {m.name: m for m in (priced("a", 9, 1), priced("best", 1, 9))}

    assert "best" == entry.default_model
    entry.models = {"a": priced("a", 9, 1)}
    assert "a" == entry.default_model


def test_a_model_that_does_other_work_is_no_guess() -> None:
    entry = Entry(installed("acme"))
    vectors = replace(priced("vectors", 9, 1), capabilities=frozenset({"embedding"}))
    gone = replace(priced("gone", 9, 1), gone_at=datetime.now(UTC))
    entry.models = {m.name: m for m in (vectors, gone, priced("small", 1, 5))}

    assert "small" == entry.default_model


def test_every_provider_is_listed_with_how_it_stands() -> None:
    roster = Roster([ACME, BETA, FREEBIE, UNSET, TORN])
    roster.entries["beta"].config = Config(enabled=False)
    roster.entries["acme"].trouble = "Nobody answers."

    listed = {one.installed.name: one for one in roster.listings()}

    assert {
        "aaa": (ProviderStatus.UNCONFIGURED, "Set AAA_KEY."),
        "aab": (ProviderStatus.BROKEN, "ImportError."),
        "aardvark": (ProviderStatus.READY, ""),
        "acme": (ProviderStatus.UNHEALTHY, "Nobody answers."),
        "beta": (ProviderStatus.DISABLED, "An administrator has switched it off."),
    } == {name: (one.status, one.error) for name, one in listed.items()}
    assert ["acme"] == [name for name, one in listed.items() if one.is_default]
    assert not listed["beta"].enabled


def test_a_default_that_is_not_installed_is_listed_as_broken() -> None:
    *_, last = Roster([ACME], "acne").listings()

    assert ("acne", ProviderStatus.BROKEN, True) == (
        last.installed.name,
        last.status,
        last.is_default,
    )
    assert "DEFAULT_PROVIDER" in last.error
    assert "acme" in last.error


def test_an_unknown_provider_is_told_with_near_names() -> None:
    with pytest.raises(ProviderNotFound) as caught:
        Roster([ACME, BETA]).ready("acm")

    assert {"provider": "acm", "near": "acme"} == caught.value.metadata


@pytest.mark.parametrize(("one", "status"), [(UNSET, "unconfigured"), (TORN, "broken")])
def test_a_provider_that_cannot_be_used_says_why(one: Installed, status: str) -> None:
    with pytest.raises(ProviderNotReady, match=one.error) as caught:
        Roster([one]).ready(one.name)

    assert {"provider": one.name, "status": status} == caught.value.metadata


@pytest.mark.parametrize(
    ("models", "expected"),
    [
        ([], ""),
        ([Model("acme", "b", "b"), Model("acme", "a", "a")], "b"),
        ([Model("acme", "b", "b", price=FREE), Model("acme", "a", "a", price=FREE)], "b"),
        ([Model("acme", "old", "old"), priced("dear", 100, 9), priced("fair", 100, 5)], "fair"),
        ([priced("narrow", 10, 1), priced("wide", 100, 9), priced("wider", 200, 8)], "wider"),
    ],
)
def test_the_default_model_is_a_sensible_one(models: list[Model], expected: str) -> None:
    entry = Roster([ACME]).entries["acme"]
    entry.models = {model.name: model for model in models}

    assert expected == entry.default_model
    entry.config = Config(default_model="chosen")
    assert "chosen" == entry.default_model
