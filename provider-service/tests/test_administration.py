"""What administrators may do, on every store there is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID

import parley_provider_sdk as sdk
import pytest
from parley_provider_service.core.administration import Administration, NewProvider
from parley_provider_service.core.catalog import Catalog
from parley_provider_service.core.faults import (
    MasterKeyMissing,
    ModelNotFound,
    PluginNotFound,
    ProviderBuiltIn,
    ProviderExists,
    ProviderNotFound,
    ProviderNotReady,
)
from parley_provider_service.core.model import (
    Credential,
    CredentialSource,
    Installed,
    ModelChange,
    ModelChoice,
    Price,
    ProviderStatus,
    Wish,
)
from parley_provider_service.core.ports import CatalogStore
from parley_provider_service.core.roster import Roster, shown
from parley_rpc.faults import InvalidArgument

from .fakes import KnownPrices, PlainVault, ScriptedProvider, installed

ADMIN = UUID("0198a000-0000-7000-8000-0000000000ad")
KEY = "sk-acme-0123456789"


class Plugin:
    """A plugin that can be configured; remembers how."""

    def __init__(self, name: str) -> None:
        self.wishes: list[Wish] = []
        self.made: list[ScriptedProvider] = []
        self.name = name

    def bring(self) -> Installed:
        return self.configure(Wish(self.name))

    def configure(self, wish: Wish) -> Installed:
        self.wishes.append(wish)
        self.made.append(ScriptedProvider())
        source = CredentialSource.STORED if wish.api_key else CredentialSource.NONE
        credential = shown(source, wish.api_key or "")
        if wish.unreadable:
            credential = Credential(CredentialSource.UNREADABLE)
        made = installed(
            wish.name,
            self.made[-1],
            kind=self.name,
            base_url=wish.base_url or "https://acme.example",
            credential=credential,
            configure=self.configure,
        )
        return replace(made, provider=None) if wish.unreadable else made


class Office:
    """One process of the service; several may share a store and a vault."""

    def __init__(self, store: CatalogStore, vault: PlainVault) -> None:
        self.acme, self.beta = Plugin("acme"), Plugin("beta")
        self.roster = Roster([self.acme.bring(), self.beta.bring()])
        self.catalog = Catalog(self.roster, store, KnownPrices(), vault)
        self.administration = Administration(self.catalog, store, vault)


@pytest.fixture
def vault() -> PlainVault:
    return PlainVault()


@pytest.fixture
def new_office(store: CatalogStore, vault: PlainVault) -> Callable[[], Office]:
    return lambda: Office(store, vault)


@pytest.fixture
async def office(new_office: Callable[[], Office]) -> Office:
    made = new_office()
    await made.catalog.refresh()
    return made


async def changed(office: Office, **changes: Any) -> Any:
    return await office.administration.update("acme", changes, ADMIN)


async def test_several_configurations_of_one_plugin_stand_side_by_side(office: Office) -> None:
    wanted = NewProvider("acme-eu", "acme", "Acme of Europe", "https://eu.acme.example/v1/")

    listing = await office.administration.create(wanted, ADMIN)

    assert ("acme-eu", "acme", ProviderStatus.READY, "https://eu.acme.example/v1") == (
        listing.installed.name,
        listing.installed.kind,
        listing.status,
        listing.installed.base_url,
    )
    wish = Wish("acme-eu", "Acme of Europe", "https://eu.acme.example/v1")
    assert wish == office.acme.wishes[-1]
    assert {"acme", "acme-eu", "beta"} == office.roster.entries.keys()


@pytest.mark.parametrize(
    ("wanted", "fault"),
    [
        (NewProvider("acme", "acme"), ProviderExists),
        (NewProvider("beta", "acme"), ProviderExists),
        (NewProvider("other", "acmee"), PluginNotFound),
        (NewProvider("No Name", "acme"), InvalidArgument),
        (NewProvider("", "acme"), InvalidArgument),
        (NewProvider("x" * 51, "acme"), InvalidArgument),
        (NewProvider("other", "acme", base_url="ftp://x"), InvalidArgument),
        (NewProvider("other", "acme", base_url="http://169.254.169.254/"), InvalidArgument),
        (NewProvider("other", "acme", display_name="x" * 101), InvalidArgument),
    ],
)
async def test_what_cannot_be_added_is_refused(
    office: Office, wanted: NewProvider, fault: type[Exception]
) -> None:
    with pytest.raises(fault):
        await office.administration.create(wanted, ADMIN)

    assert {"acme", "beta"} == office.roster.entries.keys()


async def test_a_name_is_taken_once_even_by_two_at_the_same_time(
    new_office: Callable[[], Office],
) -> None:
    offices = [new_office(), new_office()]
    wanted = NewProvider("other", "acme")

    outcomes = await asyncio.gather(
        *(one.administration.create(wanted, ADMIN) for one in offices), return_exceptions=True
    )

    assert 1 == sum(isinstance(one, ProviderExists) for one in outcomes)


async def test_one_that_was_added_can_be_taken_away_and_others_not(office: Office) -> None:
    await office.administration.create(NewProvider("other", "acme"), ADMIN)
    provider = office.acme.made[-1]

    await office.administration.delete("other")

    assert {"acme", "beta"} == office.roster.entries.keys()
    await asyncio.sleep(0.01)
    assert provider.closed
    with pytest.raises(ProviderBuiltIn):
        await office.administration.delete("acme")
    with pytest.raises(ProviderNotFound):
        await office.administration.delete("other")


async def test_another_process_obeys_with_its_next_look(new_office: Callable[[], Office]) -> None:
    here, there = new_office(), new_office()
    await here.catalog.refresh()
    await there.catalog.refresh()
    await here.administration.create(NewProvider("other", "acme"), ADMIN)
    await changed(here, enabled=False, priority=5, base_url="https://new.example")

    await there.catalog.refresh()

    entry = there.roster.get("acme")
    assert (ProviderStatus.DISABLED, 5) == (entry.status, entry.config.priority)
    assert "https://new.example" == entry.installed.base_url
    assert "other" in there.roster.entries
    await here.administration.delete("other")
    await there.catalog.refresh()
    assert "other" not in there.roster.entries


async def test_one_that_is_switched_off_is_not_asked_until_it_is_switched_on(
    office: Office,
) -> None:
    await changed(office, enabled=False)
    with pytest.raises(ProviderNotReady):
        await office.catalog.target("acme", "small")

    listing = await changed(office, enabled=True)

    assert ProviderStatus.READY is listing.status


async def test_there_is_one_default_at_most(office: Office) -> None:
    await changed(office, is_default=True)

    listing = await office.administration.update("beta", {"is_default": True}, ADMIN)

    assert listing.is_default
    assert "beta" == office.roster.default()
    defaults = [name for name, entry in office.roster.entries.items() if entry.config.is_default]
    assert ["beta"] == defaults


async def test_a_key_is_sealed_used_and_never_shown(office: Office, store: CatalogStore) -> None:
    listing = await office.administration.set_credential("acme", KEY, ADMIN)

    assert Credential(CredentialSource.STORED, "6789") == listing.installed.credential
    assert KEY == office.acme.wishes[-1].api_key
    assert KEY not in repr(listing) + repr(office.acme.wishes)
    config = (await store.configs([]))["acme"]
    assert config.sealed is not None
    assert KEY not in repr(config)


async def test_a_changed_address_clears_the_key_and_the_same_one_does_not(office: Office) -> None:
    await changed(office, base_url="https://one.example")
    await office.administration.set_credential("acme", KEY, ADMIN)

    same = await changed(office, base_url="https://one.example/", priority=3)
    other = await changed(office, base_url="https://two.example")

    assert "6789" == same.installed.credential.last4
    assert Credential() == other.installed.credential
    assert office.acme.wishes[-1].api_key is None


@pytest.mark.parametrize("key", ["", "two words", "grüße", "line\nbreak", "x" * 4097])
async def test_what_is_no_key_is_refused(office: Office, key: str) -> None:
    with pytest.raises(InvalidArgument, match="api_key"):
        await office.administration.set_credential("acme", key, ADMIN)


async def test_a_key_can_be_forgotten(office: Office) -> None:
    await office.administration.set_credential("acme", KEY, ADMIN)

    listing = await office.administration.delete_credential("acme", ADMIN)

    assert Credential() == listing.installed.credential


async def test_without_a_master_key_none_is_stored_and_the_rest_goes_on(
    office: Office, vault: PlainVault
) -> None:
    await office.administration.set_credential("acme", KEY, ADMIN)
    vault.known.clear()

    with pytest.raises(MasterKeyMissing):
        await office.administration.set_credential("beta", KEY, ADMIN)
    with pytest.raises(MasterKeyMissing):
        await office.administration.rotate()
    await office.catalog.refresh()

    acme = office.roster.get("acme")
    assert CredentialSource.UNREADABLE is acme.installed.credential.source
    assert ProviderStatus.UNCONFIGURED is acme.status
    assert ProviderStatus.READY is office.roster.get("beta").status


async def test_rotating_seals_every_key_anew_and_names_those_that_cannot_be_read(
    office: Office, vault: PlainVault
) -> None:
    for name in ("acme", "beta"):
        await office.administration.set_credential(name, KEY, ADMIN)
    vault.known, vault.newest = {1, 2}, 2

    rotated = await office.administration.rotate()
    again = await office.administration.rotate()
    vault.known = {2}
    await office.catalog.refresh()

    assert (2, []) == (rotated[0], list(rotated[1]))
    assert 0 == again[0]
    assert "6789" == office.roster.get("acme").installed.credential.last4
    vault.known, vault.newest = {3}, 3
    assert (0, ["acme", "beta"]) == (
        (lost := await office.administration.rotate())[0],
        sorted(lost[1]),
    )


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"priority": -1}, "priority"),
        ({"priority": 1001}, "priority"),
        ({"max_replies": -1}, "max_replies"),
        ({"max_replies": 10_001}, "max_replies"),
        ({"default_model": "x" * 201}, "default_model"),
        ({"base_url": "gopher://x"}, "base_url"),
        ({"fallbacks": [ModelChoice("acme")] * 9}, "fallbacks"),
        ({"display_name": "a\x07b"}, "display_name"),
    ],
)
async def test_a_field_out_of_its_range_is_named(
    office: Office, changes: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidArgument) as caught:
        await changed(office, **changes)

    assert field == caught.value.metadata["field"]


async def test_what_is_decided_can_be_taken_back(office: Office) -> None:
    listing = await changed(
        office,
        default_model="large",
        base_url="https://x.example",
        max_replies=3,
        fallbacks=[ModelChoice("beta", "small")],
        display_name="Mine",
    )
    assert ("large", 3, ("beta/small",)) == (
        listing.default_model,
        listing.max_replies,
        listing.config.fallbacks,
    )

    back = await changed(
        office, default_model="", base_url="", max_replies=0, fallbacks=[], display_name=""
    )

    assert (None, None, None, (), None) == (
        back.config.default_model,
        back.config.base_url,
        back.config.max_replies,
        back.config.fallbacks,
        back.config.display_name,
    )
    assert 128 == back.max_replies


async def test_nobody_who_is_not_there_can_be_changed(office: Office) -> None:
    for step in (
        office.administration.update("acmee", {"enabled": False}, ADMIN),
        office.administration.set_credential("acmee", KEY, ADMIN),
        office.administration.delete_credential("acmee", ADMIN),
        office.administration.change_model("acmee", "m", ModelChange()),
        office.administration.update("acme", {"fallbacks": [ModelChoice("bteta")]}, ADMIN),
    ):
        with pytest.raises(ProviderNotFound) as caught:
            await step
        assert caught.value.metadata["near"]


PRICE = Price(5, 6, 1, "set by an administrator")


async def test_what_is_said_of_a_model_stands_over_the_vendors_list_everywhere(
    office: Office, new_office: Callable[[], Office]
) -> None:
    there = new_office()
    for one in (office, there):
        await one.catalog.refresh()
        await one.catalog.models("acme")

    change = ModelChange(context_window=9, price=PRICE)
    model = await office.administration.change_model("acme", "small", change)
    await there.catalog.refresh()

    assert (9, PRICE, True) == (model.context_window, model.price, model.overridden)
    assert model == there.roster.get("acme").models["small"]
    await office.administration.reset_model("acme", "small")
    await there.catalog.refresh()
    assert (0, False) == (
        (known := there.roster.get("acme").models["small"]).context_window,
        known.overridden,
    )


async def test_a_model_that_no_vendor_lists_can_be_added_and_stays(office: Office) -> None:
    await office.catalog.models("acme")  # so that the next question is not one with the first
    added = await office.administration.change_model("acme", "mine", ModelChange(price=PRICE))
    office.acme.made[0].listed = [sdk.ModelInfo("small")]

    names = [model.name for model in await office.catalog.models("acme")]

    assert added.overridden
    assert ["mine", "small"] == names
    await office.administration.reset_model("acme", "mine")
    assert ["small"] == [model.name for model in await office.catalog.models("acme")]
    with pytest.raises(ModelNotFound):
        await office.administration.reset_model("acme", "small")


@pytest.mark.parametrize(
    "change",
    [
        ModelChange(context_window=0),
        ModelChange(max_output_tokens=-1),
        ModelChange(price=Price(-1, 0, None, "x")),
    ],
)
async def test_what_no_model_can_be_is_refused(office: Office, change: ModelChange) -> None:
    with pytest.raises(InvalidArgument):
        await office.administration.change_model("acme", "small", change)


async def test_a_model_that_went_is_marked_and_not_found(office: Office) -> None:
    await office.catalog.models("acme")
    office.acme.made[0].listed = [sdk.ModelInfo("small")]

    now = await office.administration.refresh_models("acme")
    every = await office.catalog.models("acme", gone=True)

    assert ["small"] == [model.name for model in now]
    assert ["large", "small"] == [model.name for model in every]
    with pytest.raises(ModelNotFound):
        await office.catalog.find("acme", "large")
