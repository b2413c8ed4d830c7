"""What administrators call models, on every store there is, and in every process."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from parley_provider_service.core.aliases import Aliases
from parley_provider_service.core.catalog import Catalog
from parley_provider_service.core.faults import AliasNotFound, ProviderNotFound
from parley_provider_service.core.model import Config, ModelChoice
from parley_provider_service.core.ports import CatalogStore
from parley_provider_service.core.roster import Roster
from parley_rpc.faults import InvalidArgument

from .fakes import KnownPrices, PlainVault, installed

ADMIN = UUID("0198a000-0000-7000-8000-0000000000ad")
SMALL, LARGE = ModelChoice("acme", "small"), ModelChoice("acme", "maker/large")
NewAliases = Callable[[], Aliases]


@pytest.fixture
def new_aliases(store: CatalogStore) -> NewAliases:
    """Make those of one more process."""

    def new_aliases() -> Aliases:
        roster = Roster([installed()])
        return Aliases(Catalog(roster, store, KnownPrices(), PlainVault()), store)

    return new_aliases


@pytest.fixture
def aliases(new_aliases: NewAliases) -> Aliases:
    return new_aliases()


async def test_a_name_means_what_was_set_last(aliases: Aliases) -> None:
    await aliases.change("fast", SMALL, ADMIN)
    changed = await aliases.change("fast", LARGE, ADMIN)
    await aliases.change("any", ModelChoice("acme"), ADMIN)

    assert ["any", "fast"] == [alias.name for alias in aliases.listed()]
    assert [ModelChoice("acme"), LARGE] == [alias.meaning for alias in aliases.listed()]
    assert changed == aliases.listed()[1]
    assert changed.updated_at is not None
    assert abs(datetime.now(UTC) - changed.updated_at) < timedelta(minutes=5)
    assert LARGE == await aliases.catalog.meant("", "fast")


async def test_other_processes_obey(new_aliases: NewAliases) -> None:
    here, there = new_aliases(), new_aliases()
    await here.change("fast", SMALL, ADMIN)

    await there.catalog.refresh()
    meant = await there.catalog.meant("", "fast")
    await there.remove("fast")
    await here.catalog.refresh()

    assert SMALL == meant
    assert [] == here.listed()


async def test_a_name_that_is_gone_cannot_go_again(aliases: Aliases) -> None:
    await aliases.change("fast", SMALL, ADMIN)
    await aliases.remove("fast")

    with pytest.raises(AliasNotFound):
        await aliases.remove("f\0st")
    with pytest.raises(AliasNotFound) as caught:
        await aliases.remove("fast")

    assert {"alias": "fast"} == caught.value.metadata
    assert [] == aliases.listed()


@pytest.mark.parametrize("name", ["a", "gpt-5.1:latest", "A" * 100, "0.x"])
async def test_what_a_name_may_be(aliases: Aliases, name: str) -> None:
    await aliases.change(name, SMALL, ADMIN)

    assert SMALL == await aliases.catalog.meant("", name)


@pytest.mark.parametrize(
    ("name", "meaning", "field"),
    [
        ("", SMALL, "alias"),
        ("-fast", SMALL, "alias"),
        ("acme/fast", SMALL, "alias"),
        ("fast ", SMALL, "alias"),
        ("fast\n", SMALL, "alias"),
        ("f\u00e4st", SMALL, "alias"),
        ("A" * 101, SMALL, "alias"),
        ("fast", ModelChoice("acme", "x" * 201), "model"),
        ("fast", ModelChoice("acme", "a\0b"), "model"),
    ],
)
async def test_what_cannot_be_one_is_refused(
    aliases: Aliases, name: str, meaning: ModelChoice, field: str
) -> None:
    with pytest.raises(InvalidArgument) as caught:
        await aliases.change(name, meaning, ADMIN)

    assert field == caught.value.metadata["field"]
    assert [] == aliases.listed()


async def test_its_provider_must_exist(aliases: Aliases) -> None:
    with pytest.raises(ProviderNotFound, match="Did you mean acme"):
        await aliases.change("fast", ModelChoice("acne", "small"), ADMIN)

    assert [] == aliases.listed()


async def test_one_that_another_process_has_just_added_exists(aliases: Aliases) -> None:
    await aliases.catalog.refresh()
    await aliases.store.add("acme-eu", Config(kind="acme"), by=ADMIN)

    await aliases.change("fast", ModelChoice("acme-eu", "small"), ADMIN)

    assert "acme-eu" == aliases.listed()[0].meaning.provider
