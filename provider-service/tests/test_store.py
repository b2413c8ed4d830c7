"""One suite for every catalogue store."""

from __future__ import annotations

from parley_provider_service.core.model import FREE, Config, Model, Price
from parley_provider_service.core.ports import CatalogStore

from .fakes import installed

SMALL = Model("acme", "small", "Small", 128_000, 4_096, frozenset({"text", "tools"}), FREE)
LARGE = Model("acme", "large", "Large", price=Price(1, 2, None, "list 1"))
OTHER = Model("other", "small", "small", price=Price(1, 2, 3, "list 1", 4, 5))


async def test_a_new_provider_is_undecided(store: CatalogStore) -> None:
    acme, broken = installed("acme"), installed("broken", broken=True)

    first, second = await store.configs([acme]), await store.configs([acme, broken])

    assert {"acme": Config()} == first
    assert first == second


async def test_models_come_back_in_the_vendors_order(store: CatalogStore) -> None:
    await store.configs([installed("acme"), installed("other")])

    saved = await store.save("acme", [SMALL, LARGE])
    await store.save("other", [OTHER])

    assert [SMALL, LARGE] == list(saved)
    assert [SMALL, LARGE, OTHER] == list(await store.models())


async def test_what_a_vendor_lists_no_more_is_gone_until_it_returns(store: CatalogStore) -> None:
    await store.configs([installed("acme"), installed("other")])
    await store.save("acme", [SMALL, LARGE])
    await store.save("other", [OTHER])

    without = await store.save("acme", [LARGE])
    again = await store.save("acme", [LARGE, SMALL])
    nothing = await store.save("acme", [])

    assert [("large", False), ("small", True)] == [(m.name, bool(m.gone_at)) for m in without]
    assert [LARGE, SMALL] == list(again)
    assert {("large", True), ("small", True)} == {(m.name, bool(m.gone_at)) for m in nothing}
    assert [OTHER] == [model for model in await store.models() if not model.gone_at]
