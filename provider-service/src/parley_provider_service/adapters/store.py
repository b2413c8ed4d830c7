"""What is decided about providers and what their vendors listed, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from psycopg import errors, sql
from psycopg.types.json import Jsonb
from typing_extensions import override

from parley_provider_service.adapters.database import Database
from parley_provider_service.core.model import (
    Config,
    Installed,
    Model,
    ModelChange,
    ModelChoice,
    Price,
)
from parley_provider_service.core.naming import Alias
from parley_provider_service.core.ports import CatalogStore

# Fields of a Config in their order, and the columns that hold them.
COLUMNS = {
    "enabled": "enabled",
    "priority": "priority",
    "is_default": "is_default",
    "default_model": "default_model",
    "kind": "kind",
    "display_name": "display_name",
    "base_url": "base_url",
    "sealed": "credential",
    "max_replies": "max_replies",
    "fallbacks": "fallbacks",
    "retry_timeouts": "retry_timeouts",
    "models_changed_at": "models_changed_at",
}
DECIDED = "name, " + ", ".join(COLUMNS.values())

CONFIGS = f"select {DECIDED} from provider_configs"  # noqa: S608  (our own names)

ADD = f"""
insert into provider_configs (name, plugin)
select name, plugin from unnest(%(names)s::text[], %(plugins)s::text[]) as c(name, plugin)
on conflict (name) do nothing
returning {DECIDED}"""  # noqa: S608  (our own names)

CREATE = """
insert into provider_configs (name, plugin, kind, display_name, base_url, changed_by)
values (%(name)s, '', %(kind)s, %(display_name)s, %(base_url)s, %(by)s)
on conflict (name) do nothing returning 1"""

# At most one default: choosing one takes the choice from the others, in the same statement.
CHANGE = """
with others as (
    update provider_configs set is_default = null, updated_at = now()
     where %(is_default)s and is_default and name <> %(name)s)
update provider_configs set {changes}, changed_by = %(by)s, updated_at = now()
 where name = %(name)s returning 1"""

REMOVE = "delete from provider_configs where name = %(name)s returning 1"

RESEAL = """
update provider_configs c set credential = r.after, updated_at = now()
  from unnest(%(names)s::text[], %(before)s::bytea[], %(after)s::bytea[]) as r(name, before, after)
 where c.name = r.name and c.credential = r.before returning 1"""

# What an administrator overrides is laid over what the vendor lists, and kept when that changes. A
# price is one thing: one that the release before wrote says nothing of writes to a cache.
MODELS = """
select m.provider, m.name, o.display_name, o.context_window, o.max_output_tokens,
       o.capabilities, m.gone_at, m.added_by_hand or m.overrides <> '{}',
       o.input_price, o.output_price, o.cached_input_price, o.price_version,
       w.cache_write_price, w.long_cache_write_price
  from provider_models m
 cross join lateral jsonb_to_record(m.listed || m.overrides)
    as o(display_name text, context_window bigint, max_output_tokens bigint,
         capabilities text[], input_price bigint, output_price bigint,
         cached_input_price bigint, price_version text)
 cross join lateral jsonb_to_record(
       case when m.overrides ? 'input_price' then m.overrides else m.listed end)
    as w(cache_write_price bigint, long_cache_write_price bigint)
 where %(provider)s::text is null or m.provider = %(provider)s
 order by m.provider, m.gone_at is not null, m.place, m.name"""

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

OVERRIDE = """
with told as (
    update provider_configs set models_changed_at = now() where name = %(provider)s)
insert into provider_models as m (provider, name, place, listed, overrides, added_by_hand)
values (%(provider)s, %(model)s, 1000000, '{}', %(overrides)s, true)
on conflict (provider, name) do update set overrides = m.overrides || excluded.overrides
returning 1"""

RESET = """
with told as (
    update provider_configs set models_changed_at = now() where name = %(provider)s),
by_hand as (
    delete from provider_models
     where provider = %(provider)s and name = %(model)s and listed = '{}' returning 1),
listed as (
    update provider_models set overrides = '{}', added_by_hand = false
     where provider = %(provider)s and name = %(model)s and listed <> '{}'
       and (added_by_hand or overrides <> '{}') returning 1)
select 1 from by_hand union all select 1 from listed"""


ALIASES = "select alias, provider, model, updated_at from model_aliases"

SET_ALIAS = """
insert into model_aliases as a (alias, provider, model, changed_by)
values (%(alias)s, %(provider)s, %(model)s, %(by)s)
on conflict (alias) do update set provider = excluded.provider, model = excluded.model,
       changed_by = excluded.changed_by, updated_at = now()
returning alias, provider, model, updated_at"""

REMOVE_ALIAS = "delete from model_aliases where alias = %(alias)s returning 1"


class PostgresCatalogStore(CatalogStore):
    """Keeps the tables `provider_configs`, `provider_models` and `model_aliases`."""

    def __init__(self, database: Database) -> None:
        self.database = database.jobs

    @override
    async def configs(self, installed: Sequence[Installed]) -> Mapping[str, Config]:
        rows = await self.database.fetch(CONFIGS, {})
        known = {row[0] for row in rows}
        new = [one for one in installed if one.name not in known and not one.broken]
        if new:
            names, plugins = [one.name for one in new], [one.package for one in new]
            rows += await self.database.fetch(ADD, {"names": names, "plugins": plugins})
        return {name: config_of(decided) for name, *decided in rows}

    @override
    async def add(self, name: str, config: Config, *, by: UUID) -> bool:
        values = {
            "name": name,
            "kind": config.kind,
            "display_name": config.display_name,
            "base_url": config.base_url,
            "by": by,
        }
        return bool(await self.database.fetch(CREATE, values))

    @override
    async def change(self, name: str, changes: Mapping[str, Any], *, by: UUID) -> bool:
        if not changes:
            return name in await self.configs([])
        sets = sql.SQL(", ").join(
            sql.SQL("{} = {}").format(
                sql.Identifier(COLUMNS[field]), sql.Placeholder(f"new_{field}")
            )
            for field in changes
        )
        values = {f"new_{field}": stored(value) for field, value in changes.items()}
        values |= {"name": name, "by": by, "is_default": bool(changes.get("is_default"))}
        statement = sql.SQL(CHANGE).format(changes=sets)
        return bool(await self.database.fetch(statement, values))

    @override
    async def remove(self, name: str) -> bool:
        return bool(await self.database.fetch(REMOVE, {"name": name}))

    @override
    async def reseal(self, sealed: Mapping[str, tuple[bytes, bytes]]) -> int:
        values = {
            "names": list(sealed),
            "before": [before for before, _ in sealed.values()],
            "after": [after for _, after in sealed.values()],
        }
        return len(await self.database.fetch(RESEAL, values)) if sealed else 0

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
        try:
            await self.database.fetch(SAVE, values)
        except errors.ForeignKeyViolation:
            return []  # its configuration was taken away meanwhile
        return await self._models(provider)

    @override
    async def overlay(self, provider: str, model: str, change: ModelChange) -> Sequence[Model]:
        values = {"provider": provider, "model": model, "overrides": Jsonb(facts_laid_over(change))}
        await self.database.fetch(OVERRIDE, values)
        return await self._models(provider)

    @override
    async def reset(self, provider: str, model: str) -> Sequence[Model] | None:
        found = await self.database.fetch(RESET, {"provider": provider, "model": model})
        return await self._models(provider) if found else None

    @override
    async def aliases(self) -> Sequence[Alias]:
        return [alias_of(row) for row in await self.database.fetch(ALIASES, {})]

    @override
    async def set_alias(self, name: str, meaning: ModelChoice, *, by: UUID) -> Alias:
        values = {"alias": name, "provider": meaning.provider, "model": meaning.model, "by": by}
        [row] = await self.database.fetch(SET_ALIAS, values)
        return alias_of(row)

    @override
    async def remove_alias(self, name: str) -> bool:
        return bool(await self.database.fetch(REMOVE_ALIAS, {"alias": name}))

    async def _models(self, provider: str | None) -> Sequence[Model]:
        rows = await self.database.fetch(MODELS, {"provider": provider})
        return [model_of(row) for row in rows]


def alias_of(row: Sequence[Any]) -> Alias:
    """Read what a name means."""
    name, provider, model, updated_at = row
    return Alias(name, ModelChoice(provider, model), updated_at)


def config_of(decided: Sequence[Any]) -> Config:
    """Read what is decided about a provider."""
    values = dict(zip(COLUMNS, decided, strict=True))
    values["fallbacks"] = tuple(values["fallbacks"])
    return Config(**values)


def stored(value: Any) -> Any:
    """Write a field of a Config."""
    return list(value) if isinstance(value, tuple) else value


def facts_of(model: Model) -> dict[str, Any]:
    """Write what is known of a model as a JSON object."""
    facts: dict[str, Any] = {
        "display_name": model.display_name,
        "context_window": model.context_window,
        "max_output_tokens": model.max_output_tokens,
        "capabilities": sorted(model.capabilities),
    }
    return facts | ({} if model.price is None else price_facts(model.price))


def facts_laid_over(change: ModelChange) -> dict[str, Any]:
    """Write what an administrator says of a model; what is not said is left out."""
    facts: dict[str, Any] = {
        "display_name": change.display_name,
        "context_window": change.context_window,
        "max_output_tokens": change.max_output_tokens,
        "capabilities": None if change.capabilities is None else sorted(change.capabilities),
    }
    said = {name: value for name, value in facts.items() if value is not None}
    return said | ({} if change.price is None else price_facts(change.price))


def price_facts(price: Price) -> dict[str, Any]:
    """Write a price."""
    return {
        "input_price": price.input,
        "output_price": price.output,
        "cached_input_price": price.cached_input,
        "price_version": price.version,
        "cache_write_price": price.cache_write,
        "long_cache_write_price": price.long_cache_write,
    }


def model_of(row: Sequence[Any]) -> Model:
    """Read a row; a model whose input or output has no price has none."""
    provider, name, display_name, window, most, capabilities, gone_at, overridden, *prices = row
    given, made, cached, version, write, lasting = prices
    price = None
    if given is not None and made is not None:
        said = version or "set by an administrator"
        price = Price(given, made, cached, said, write, lasting)
    return Model(
        provider=provider,
        name=name,
        display_name=display_name or name,
        context_window=window or 0,
        max_output_tokens=most or 0,
        capabilities=frozenset(capabilities or ()),
        price=price,
        gone_at=gone_at,
        overridden=overridden,
    )
