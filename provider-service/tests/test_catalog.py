"""What the providers offer, asked for rarely and known at once."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import parley_provider_sdk as sdk
import pytest
from parley_provider_service.core import catalog as module
from parley_provider_service.core.catalog import Catalog
from parley_provider_service.core.faults import (
    BadProviderResponse,
    ModelNotFound,
    ProviderFailed,
    ProviderNotReady,
    ProviderTimeout,
    ProviderUnreachable,
)
from parley_provider_service.core.model import (
    FREE,
    Config,
    Facts,
    Model,
    Price,
    ProviderStatus,
)
from parley_provider_service.core.roster import Entry, Roster
from parley_rpc.faults import DatabaseUnavailable

from .fakes import (
    KnownPrices,
    MemoryCatalogStore,
    PlainVault,
    ScriptedProvider,
    installed,
    wait,
)

pytestmark = pytest.mark.unit

PRICE = Price(1, 2, 3, "list 1")
AWAY = sdk.BackendUnreachable("Nobody answers.")


class Scene:
    """A catalogue of one provider, `acme`, whose model `small` has a price."""

    def __init__(self, default_provider: str = "", **more: Any) -> None:
        self.provider = ScriptedProvider()
        self.store = MemoryCatalogStore()
        self.prices = KnownPrices({"small": Facts(128_000, PRICE)})
        self.roster = Roster([installed(provider=self.provider, **more)], default_provider)
        self.store.decided["acme"] = Config()
        self.catalog = Catalog(self.roster, self.store, self.prices, PlainVault())

    @property
    def entry(self) -> Entry:
        return self.roster.entries["acme"]


@pytest.fixture
def scene() -> Scene:
    return Scene()


async def test_models_are_listed_by_name_with_what_is_known_of_them(scene: Scene) -> None:
    large, small = await scene.catalog.models("acme")

    assert Model("acme", "large", "large") == large
    assert Model("acme", "small", "small", 128_000, price=PRICE) == small
    assert {("acme", "small"), ("acme", "large")} == scene.store.kept.keys()


async def test_the_vendor_is_believed_before_the_price_list(scene: Scene) -> None:
    info = sdk.ModelInfo(
        "small", "Small!", 1_000, 100, frozenset({"text"}), sdk.Price(7, 8, "Acme, today")
    )
    scene.provider.listed = [info]

    [model] = await scene.catalog.models("acme")

    price = Price(7, 8, None, "Acme, today")
    expected = Model("acme", "small", "Small!", 1_000, 100, frozenset({"text"}), price)
    assert expected == model


async def test_a_free_provider_needs_no_price_list() -> None:
    scene = Scene(free=True)

    assert [FREE, FREE] == [model.price for model in await scene.catalog.models("acme")]
    assert 0 == scene.prices.questions


async def test_who_asks_while_the_vendor_is_asked_waits_for_the_answer(scene: Scene) -> None:
    async def slowly() -> list[sdk.ModelInfo]:
        await asyncio.sleep(0.05)
        return [sdk.ModelInfo("small")]

    scene.provider.listed = slowly

    first = asyncio.create_task(scene.catalog.find("", ""))
    await asyncio.sleep(0.01)
    second = await scene.catalog.find("", "")

    assert ("small", "small") == ((await first).name, second.name)
    assert 1 == scene.provider.listings


async def test_models_are_known_before_anybody_asks(scene: Scene) -> None:
    await scene.catalog.refresh()
    await asyncio.sleep(0.05)

    [listing] = scene.roster.listings()

    assert ("small", 1) == (listing.default_model, scene.provider.listings)


async def test_each_listing_asks_the_vendor(scene: Scene) -> None:
    await scene.catalog.models("acme")
    scene.provider.listed = [sdk.ModelInfo("new")]

    assert ["new"] == [model.name for model in await scene.catalog.models("acme")]
    assert 2 == scene.provider.listings


async def test_a_vendor_that_cannot_be_asked_is_told_and_not_covered_up(scene: Scene) -> None:
    await scene.catalog.models("acme")
    scene.provider.listed = AWAY

    with pytest.raises(ProviderUnreachable):
        await scene.catalog.models("acme")

    assert (ProviderStatus.UNHEALTHY, "Nobody answers.") == (scene.entry.status, scene.entry.error)
    scene.provider.listed = []
    await scene.catalog.models("acme")
    assert ProviderStatus.READY is scene.entry.status


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (None, BadProviderResponse),
        ("small", BadProviderResponse),
        ([None], BadProviderResponse),
        ([sdk.ModelInfo("")], BadProviderResponse),
        ([sdk.ModelInfo("a\0b")], BadProviderResponse),
        ([sdk.ModelInfo("m")] * 10_001, BadProviderResponse),
        (KeyError("x"), ProviderFailed),
        (SystemExit(), ProviderFailed),
    ],
)
async def test_nonsense_from_a_plugin_is_a_fault(
    scene: Scene, answer: object, fault: type[Exception]
) -> None:
    scene.provider.listed = answer

    with pytest.raises(fault):
        await scene.catalog.models("acme")


async def test_those_who_ask_at_the_same_time_share_one_question(scene: Scene) -> None:
    scene.provider.listed = wait_and(0.05, [sdk.ModelInfo("small")])

    await asyncio.gather(*(scene.catalog.models("acme") for _ in range(10)))

    assert 1 == scene.provider.listings


def wait_and(seconds: float, answer: Any) -> Any:
    async def later() -> Any:
        await wait(seconds)()
        return answer

    return later


async def test_a_known_model_is_found_without_asking(scene: Scene) -> None:
    await scene.catalog.models("acme")

    found = await scene.catalog.find("acme", "small")

    assert (PRICE, 1) == (found.price, scene.provider.listings)


async def test_an_unknown_model_makes_us_ask_once_and_then_names_near_ones(scene: Scene) -> None:
    for _ in range(3):
        with pytest.raises(ModelNotFound) as caught:
            await scene.catalog.find("acme", "smal")

    assert {"provider": "acme", "model": "smal", "near": "small"} == caught.value.metadata
    assert 1 == scene.provider.listings


async def test_a_model_that_is_new_at_the_vendor_is_found(scene: Scene) -> None:
    await scene.catalog.models("acme")
    scene.provider.listed = [sdk.ModelInfo("brand-new")]
    scene.entry.asked_at -= module.ASK_AGAIN_SECONDS + 1

    assert "brand-new" == (await scene.catalog.find("acme", "brand-new")).name


async def test_a_provider_that_cannot_list_is_believed_to_have_every_model(scene: Scene) -> None:
    scene.provider.listed = AWAY

    found = [await scene.catalog.find("acme", name) for name in ("small", "anything")]

    assert [PRICE, None] == [model.price for model in found]
    assert 1 == scene.provider.listings


async def test_a_provider_that_cannot_list_and_has_no_default_says_why(scene: Scene) -> None:
    scene.provider.listed = AWAY

    with pytest.raises(ProviderUnreachable):
        await scene.catalog.find("acme", "")


async def test_a_provider_that_lists_nothing_has_no_model(scene: Scene) -> None:
    scene.provider.listed = []

    with pytest.raises(ModelNotFound):
        await scene.catalog.find("acme", "")


async def test_empty_names_mean_the_defaults(scene: Scene) -> None:
    found = await scene.catalog.find("", "")

    assert ("acme", "small") == (found.provider, found.name)
    scene.entry.config = Config(default_model="large")
    assert "large" == (await scene.catalog.find("", "")).name


async def test_without_any_provider_that_is_ready_that_is_said() -> None:
    scene = Scene()
    scene.entry.installed = replace(scene.entry.installed, provider=None, error="Set ACME_KEY.")

    with pytest.raises(ProviderNotReady, match="No provider is ready"):
        await scene.catalog.find("", "")


async def test_an_old_list_is_asked_for_again_in_the_background(scene: Scene) -> None:
    await scene.catalog.models("acme")
    scene.entry.asked_at -= module.FRESH_SECONDS + 1
    scene.provider.listed = wait_and(0.05, [sdk.ModelInfo("small"), sdk.ModelInfo("new")])

    assert "small" == (await scene.catalog.find("acme", "small")).name
    assert "new" not in scene.entry.models
    assert scene.entry.asking is not None
    await scene.entry.asking
    assert "new" in scene.entry.models


async def test_a_failure_in_the_background_disturbs_nobody(scene: Scene) -> None:
    await scene.catalog.models("acme")
    scene.entry.asked_at -= module.FRESH_SECONDS + 1
    scene.provider.listed = AWAY

    assert "small" == (await scene.catalog.find("acme", "small")).name
    await asyncio.sleep(0.01)
    assert "small" == (await scene.catalog.find("acme", "small")).name


async def test_what_was_listed_before_is_known_after_a_restart(scene: Scene) -> None:
    await scene.catalog.models("acme")
    restarted = Scene()
    restarted.store = restarted.catalog.store = scene.store

    await restarted.catalog.refresh()

    assert restarted.catalog.loaded
    assert PRICE == (await restarted.catalog.find("acme", "small")).price


async def test_what_an_administrator_decides_is_obeyed(scene: Scene) -> None:
    await scene.catalog.refresh()
    scene.store.decided["acme"] = Config(enabled=False)
    await scene.catalog.refresh()

    with pytest.raises(ProviderNotReady):
        await scene.catalog.find("acme", "small")
    assert ProviderStatus.DISABLED is (await scene.catalog.check("acme")).status


async def test_what_an_administrator_overrides_stands_over_the_vendors_list(scene: Scene) -> None:
    scene.store.overrides["acme", "small"] = {"price": FREE, "context_window": 5}

    _, small = await scene.catalog.models("acme")

    assert (FREE, 5) == (small.price, small.context_window)


async def test_without_a_database_what_is_known_stays_known(scene: Scene) -> None:
    scene.store.away = True

    with pytest.raises(DatabaseUnavailable):
        await scene.catalog.refresh()
    assert "small" == (await scene.catalog.find("acme", "small")).name
    assert not scene.catalog.loaded


@pytest.mark.parametrize(
    ("health", "status", "detail"),
    [
        (sdk.Health(True, "Fine."), ProviderStatus.READY, "Fine."),
        (sdk.Health(False, "Start it."), ProviderStatus.UNHEALTHY, "Start it."),
        (sdk.Health(False), ProviderStatus.UNHEALTHY, "Its vendor is not well."),
        (AWAY, ProviderStatus.UNHEALTHY, "Nobody answers."),
        (None, ProviderStatus.UNHEALTHY, "The plugin of 'acme' gave an answer of the wrong kind."),
        (OSError(), ProviderStatus.UNHEALTHY, "The plugin of 'acme' failed; the log says where."),
    ],
)
async def test_a_checkup_is_an_answer_whatever_comes(
    scene: Scene, health: object, status: ProviderStatus, detail: str
) -> None:
    scene.provider.health = health

    checkup = await scene.catalog.check("acme")

    assert (status, detail) == (checkup.status, checkup.detail)
    assert status is scene.entry.status


async def test_a_provider_that_hangs_is_not_waited_for(scene: Scene) -> None:
    scene.catalog.ask_seconds = 0.05
    scene.provider.health = scene.provider.listed = wait(30)

    checkup = await scene.catalog.check("acme")

    assert "The provider 'acme' did not answer within 0.05 s." == checkup.detail
    with pytest.raises(ProviderTimeout):
        await scene.catalog.models("acme")


async def test_providers_are_closed_at_the_end(scene: Scene) -> None:
    scene.provider.listed = wait(30)
    asking = asyncio.create_task(scene.catalog.models("acme"))
    await asyncio.sleep(0.01)

    await scene.catalog.aclose()

    assert scene.provider.closed
    with pytest.raises(asyncio.CancelledError):
        await asking
