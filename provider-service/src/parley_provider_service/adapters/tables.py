"""The tables of the schema `provider`: what migrations are compared with."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

SCHEMA = "provider"
# Names that are the same everywhere, so that a migration can speak of a constraint.
CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
metadata = MetaData(schema=SCHEMA, naming_convention=CONVENTION)


def now_column(name: str) -> Column[object]:
    """Make a column that says when, by default now."""
    return Column(name, DateTime(timezone=True), nullable=False, server_default=func.now())


# One row for each provider; what is null nobody has decided.
provider_configs = Table(
    "provider_configs",
    metadata,
    Column("name", Text, primary_key=True),
    # The distribution that brought it.
    Column("plugin", Text, nullable=False),
    Column("enabled", Boolean, nullable=False, server_default=text("true")),
    Column("priority", Integer, nullable=False, server_default=text("100")),
    Column("is_default", Boolean),
    Column("default_model", Text),
    Column("base_url", Text),
    Column("changed_by", Uuid),
    now_column("created_at"),
    now_column("updated_at"),
    # The plugin's name for it; null for the configuration that comes with the plugin.
    Column("kind", Text),
    Column("display_name", Text),
    # The key, encrypted with a master key and bound to `name`.
    Column("credential", LargeBinary),
    # Replies at once in one process; null means the service's setting.
    Column("max_replies", Integer),
    # Who is asked instead, as `provider/model`.
    Column("fallbacks", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    Column("retry_timeouts", Boolean, nullable=False, server_default=text("false")),
    # When an administrator last changed its models: other processes read them again then.
    Column("models_changed_at", DateTime(timezone=True)),
)

# The catalogue. What a vendor lists no more is marked, not deleted.
provider_models = Table(
    "provider_models",
    metadata,
    Column("provider", ForeignKey(provider_configs.c.name, ondelete="cascade"), primary_key=True),
    Column("name", Text, primary_key=True),
    # Counts the vendor's list from 1.
    Column("place", Integer, nullable=False),
    # What the vendor says and the price list adds; what an administrator lays over it.
    Column("listed", JSONB, nullable=False),
    Column("overrides", JSONB, nullable=False, server_default=text("'{}'")),
    # Not the vendor's list put it here, so that does not take it away.
    Column("added_by_hand", Boolean, nullable=False, server_default=text("false")),
    now_column("first_seen_at"),
    now_column("last_seen_at"),
    Column("gone_at", DateTime(timezone=True)),
)

# What administrators call models. Its provider may be gone: then it fails as that would.
model_aliases = Table(
    "model_aliases",
    metadata,
    Column("alias", Text, primary_key=True),
    Column("provider", Text, nullable=False),
    # Empty means the provider's default.
    Column("model", Text, nullable=False, server_default=text("''")),
    Column("changed_by", Uuid, nullable=False),
    now_column("created_at"),
    now_column("updated_at"),
)

# Processes that live: whose lease has run out does not.
workers = Table(
    "workers",
    metadata,
    Column("worker_id", Uuid, primary_key=True),
    Column("lease_until", DateTime(timezone=True), nullable=False),
)

# Hold and ledger in one: a row for each call, for ever. Partitioned by `usage_id`, because a
# UUIDv7 carries its time: months are partitions, and the id is unique over all of them.
provider_usage = Table(
    "provider_usage",
    metadata,
    Column("usage_id", Uuid, primary_key=True),
    Column("owner_id", Uuid, nullable=False),
    Column("key_id", Text, nullable=False),
    Column("provider", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("status", Text, nullable=False, server_default=text("'held'")),
    # A finish reason, a fault's reason, `stopped`, or `interrupted` by the sweeper.
    Column("outcome", Text),
    Column("worker_id", Uuid, nullable=False),
    # What an estimate is made from, when it comes to that.
    Column("input_chars", BigInteger, nullable=False),
    Column("output_chars", BigInteger, nullable=False, server_default=text("0")),
    # Prices in force, in nano-dollars for a million tokens; null is unknown.
    Column("input_price", BigInteger),
    Column("output_price", BigInteger),
    Column("cached_input_price", BigInteger),
    Column("price_version", Text),
    Column("input_tokens", BigInteger, nullable=False, server_default=text("0")),
    Column("output_tokens", BigInteger, nullable=False, server_default=text("0")),
    Column("cached_input_tokens", BigInteger, nullable=False, server_default=text("0")),
    Column("reasoning_tokens", BigInteger, nullable=False, server_default=text("0")),
    # `reported`, `counted` or `estimated`; null when nothing was produced.
    Column("source", Text),
    # In nano-dollars; null when the price is unknown.
    Column("cost_nano_usd", BigInteger),
    now_column("started_at"),
    Column("settled_at", DateTime(timezone=True)),
    # Each time a vendor was asked, when that was more than once.
    Column("attempts", JSONB),
    # What it holds of its caller's allowances: whose, of which, how much, in which window.
    Column("hold_scopes", ARRAY(Text)),
    Column("hold_meters", ARRAY(Text)),
    Column("hold_amounts", ARRAY(BigInteger)),
    Column("hold_windows", ARRAY(DateTime(timezone=True))),
    # Of the input, what was written to a cache, and of that what is kept long.
    Column("cache_write_tokens", BigInteger, nullable=False, server_default=text("0")),
    Column("long_cache_write_tokens", BigInteger, nullable=False, server_default=text("0")),
    CheckConstraint("status in ('held', 'settled')", name="status"),
    CheckConstraint("(status = 'settled') = (settled_at is not null)", name="settled_at"),
    Index("ix_provider_usage_held", "started_at", postgresql_where=text("status = 'held'")),
    Index("ix_provider_usage_owner_id", "owner_id", "usage_id"),
    Index("ix_provider_usage_provider", "provider", "usage_id"),
    postgresql_partition_by="RANGE (usage_id)",
)

# Sums of what was settled, written with each settlement: nothing sums the ledger for a reader.
# What an attempt used counts for the provider that was asked; the request counts for the last.
usage_days = Table(
    "usage_days",
    metadata,
    # In UTC, of when the call began.
    Column("day", Date, primary_key=True),
    Column("owner_id", Uuid, primary_key=True),
    Column("key_id", Text, primary_key=True),
    Column("provider", Text, primary_key=True),
    Column("model", Text, primary_key=True),
    Column("requests", BigInteger, nullable=False, server_default=text("0")),
    Column("input_tokens", BigInteger, nullable=False, server_default=text("0")),
    Column("output_tokens", BigInteger, nullable=False, server_default=text("0")),
    Column("cached_input_tokens", BigInteger, nullable=False, server_default=text("0")),
    Column("reasoning_tokens", BigInteger, nullable=False, server_default=text("0")),
    # In nano-dollars, as far as prices were known.
    Column("cost_nano_usd", BigInteger, nullable=False, server_default=text("0")),
    # Calls that used tokens at an unknown price.
    Column("unpriced_requests", BigInteger, nullable=False, server_default=text("0")),
    # Of the input, what was written to a cache, and of that what is kept long.
    Column("cache_write_tokens", BigInteger, nullable=False, server_default=text("0")),
    Column("long_cache_write_tokens", BigInteger, nullable=False, server_default=text("0")),
    Index("ix_usage_days_owner_id", "owner_id", "day"),
)

# What is used of allowances, and held by running calls: a row each for ever, which is rolled over
# when its window ends.
budgets = Table(
    "budgets",
    metadata,
    # `user:<user_id>` or `key:<key_id>`.
    Column("scope", Text, primary_key=True),
    # As in core/allowances.py.
    Column("meter", Text, primary_key=True),
    Column("window_start", DateTime(timezone=True), nullable=False),
    Column("used", BigInteger, nullable=False, server_default=text("0")),
    Column("held", BigInteger, nullable=False, server_default=text("0")),
)
