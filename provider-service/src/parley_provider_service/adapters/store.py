"""What is decided about providers and what their vendors listed, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from psycopg.types.json import Jsonb
from typing_extensions import override

from parley_provider_service.adapters.database import Database
from parley_provider_service.core.model import Config, Installed, Model, Price
from parley_provider_service.core.ports import CatalogStore

CONFIGS = """
select name, enabled, priority, is_default, default_model from provider_configs"""

ADD = """
insert into provider_configs (name, plugin)
select name, plugin from unnest(%(names)s::text[], %(plugins)s::text[]) as c(name, plugin)
on conflict (name) do nothing
returning name, enabled, priority, is_default, default_model"""

# What an administrator overrides is laid over what the vendor lists, and kept when that changes.
MODELS = """
select m.provider, m.name, o.display_name, o.context_window, o.max_output_tokens,
       o.capabilities, o.input_price, o.output_price, o.cached_input_price, o.price_version
  from provider_models m
 cross join lateral jsonb_to_record(m.listed || m.overrides)
    as o(display_name text, context_window bigint, max_output_tokens bigint,
         capabilities text[], input_price bigint, output_price bigint,
         cached_input_price bigint, price_version text)
 where m.gone_at is null and (%(provider)s::text is null or m.provider = %(provider)s)
 order by m.provider, m.place, m.name"""

SAVE = """
with gone as (
    update provider_models set gone_at = now()
     where provider = %(provider)s and gone_at is null and not added_by_hand
       and name <> all(%(names)s))
insert into provider_models as m (provider, name, place, listed)
select %(provider)s, name, place, listed
  from unnest(%(names)s::text[], %(listed)s::jsonb[]) with ordinality as l(name, listed, place)
on conflict (provider, name) do update
   set place = excluded.place, listed = excluded.listed, last_seen_at = now(), gone_at = null
returning 1"""


class PostgresCatalogStore(CatalogStore):
    """Keeps the tables `provider_configs` and `provider_models`."""

    def __init__(self, database: Database) -> None:
        self.database = database

    @override
    async def configs(self, installed: Sequence[Installed]) -> Mapping[str, Config]:
        rows = await self.database.fetch(CONFIGS, {})
        known = {row[0] for row in rows}
        new = [one for one in installed if one.name not in known and not one.broken]
        if new:
            names, plugins = [one.name for one in new], [one.package for one in new]
            rows += await self.database.fetch(ADD, {"names": names, "plugins": plugins})
        return {name: Config(*decided) for name, *decided in rows}

    @override
    async def models(self) -> Sequence[Model]:
        return await self._models(None)

    @override
    async def save(self, provider: str, listed: Sequence[Model]) -> Sequence[Model]:
        values = {
            "provider": provider,
            "names": [model.name for model in listed],
            "listed": [Jsonb(facts_of(model)) for model in listed],
        }
        await self.database.fetch(SAVE, values)
        return await self._models(provider)

    async def _models(self, provider: str | None) -> Sequence[Model]:
        rows = await self.database.fetch(MODELS, {"provider": provider})
        return [model_of(row) for row in rows]


def facts_of(model: Model) -> Mapping[str, Any]:
    """Write what is known of a model as a JSON object."""
    facts: dict[str, Any] = {
        "display_name": model.display_name,
        "context_window": model.context_window,
        "max_output_tokens": model.max_output_tokens,
        "capabilities": sorted(model.capabilities),
    }
    if model.price is not None:
        facts["input_price"] = model.price.input
        facts["output_price"] = model.price.output
        facts["cached_input_price"] = model.price.cached_input
        facts["price_version"] = model.price.version
    return facts


def model_of(row: Sequence[Any]) -> Model:
    """Read a row; a model whose input or output has no price has none."""
    provider, name, display_name, window, most, capabilities, *prices = row
    given, made, cached, version = prices
    price = None
    if given is not None and made is not None:
        price = Price(given, made, cached, version or "set by an administrator")
    return Model(
        provider=provider,
        name=name,
        display_name=display_name or name,
        context_window=window or 0,
        max_output_tokens=most or 0,
        capabilities=frozenset(capabilities or ()),
        price=price,
    )
