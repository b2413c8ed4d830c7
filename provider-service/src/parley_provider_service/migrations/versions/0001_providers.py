"""Providers, their models, the ledger and who works on it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# Makes the partitions of this and the next month. It acts as the owner, because the service's own
# role may not change the schema. When calls of a month are in the default partition already (no
# process was there to make theirs), they stay there.
PARTITIONS = """
create function provider.ensure_usage_partitions() returns void
language plpgsql security definer set search_path = provider, pg_temp as $$
declare
    month timestamptz;
    name text;
begin
    for step in 0..1 loop
        month := date_trunc('month', now(), 'UTC') + make_interval(months => step);
        name := 'provider_usage_' || to_char(month at time zone 'UTC', 'YYYY_MM');
        continue when to_regclass('provider.' || name) is not null;
        perform pg_advisory_xact_lock(hashtext('provider.ensure_usage_partitions'));
        begin
            execute format(
                'create table if not exists provider.%I partition of provider.provider_usage '
                'for values from (%L) to (%L)',
                name,
                provider.first_id_of(month),
                provider.first_id_of(month + interval '1 month'));
        exception when check_violation then
            null;
        end;
    end loop;
end $$
"""

# The least UUIDv7 that carries a time.
FIRST_ID = """
create function provider.first_id_of(moment timestamptz) returns uuid
language sql immutable strict as $$
    select (lpad(to_hex((extract(epoch from moment) * 1000)::bigint), 12, '0')
            || repeat('0', 20))::uuid
$$
"""


def upgrade() -> None:
    make_configs()
    make_models()
    op.create_table(
        "workers",
        sa.Column("worker_id", sa.Uuid(), nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("worker_id", name="pk_workers"),
        schema="provider",
    )
    make_usage()
    op.execute(
        "create table provider.provider_usage_default partition of provider.provider_usage default"
    )
    op.execute(FIRST_ID)
    op.execute(PARTITIONS)
    op.execute("revoke execute on function provider.ensure_usage_partitions() from public")
    op.execute("grant execute on function provider.ensure_usage_partitions() to parley_provider")
    op.execute("select provider.ensure_usage_partitions()")


def make_configs() -> None:
    op.create_table(
        "provider_configs",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("plugin", sa.Text(), nullable=False),
        sa.Column("enabled", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("priority", sa.Integer(), server_default=sa.text("100"), nullable=False),
        sa.Column("is_default", sa.Boolean(), nullable=True),
        sa.Column("default_model", sa.Text(), nullable=True),
        sa.Column("base_url", sa.Text(), nullable=True),
        sa.Column("changed_by", sa.Uuid(), nullable=True),
        now_column("created_at"),
        now_column("updated_at"),
        sa.PrimaryKeyConstraint("name", name="pk_provider_configs"),
        schema="provider",
    )


def make_models() -> None:
    op.create_table(
        "provider_models",
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("listed", JSONB(), nullable=False),
        sa.Column("overrides", JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("added_by_hand", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        now_column("first_seen_at"),
        now_column("last_seen_at"),
        sa.Column("gone_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("provider", "name", name="pk_provider_models"),
        sa.ForeignKeyConstraint(
            ["provider"],
            ["provider.provider_configs.name"],
            name="fk_provider_models_provider",
            ondelete="cascade",
        ),
        schema="provider",
    )


def make_usage() -> None:
    op.create_table(
        "provider_usage",
        sa.Column("usage_id", sa.Uuid(), nullable=False),
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), server_default=sa.text("'held'"), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("worker_id", sa.Uuid(), nullable=False),
        sa.Column("input_chars", sa.BigInteger(), nullable=False),
        count_column("output_chars"),
        sa.Column("input_price", sa.BigInteger(), nullable=True),
        sa.Column("output_price", sa.BigInteger(), nullable=True),
        sa.Column("cached_input_price", sa.BigInteger(), nullable=True),
        sa.Column("price_version", sa.Text(), nullable=True),
        count_column("input_tokens"),
        count_column("output_tokens"),
        count_column("cached_input_tokens"),
        count_column("reasoning_tokens"),
        sa.Column("source", sa.Text(), nullable=True),
        sa.Column("cost_nano_usd", sa.BigInteger(), nullable=True),
        now_column("started_at"),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("usage_id", name="pk_provider_usage"),
        sa.CheckConstraint("status in ('held', 'settled')", name=op.f("ck_provider_usage_status")),
        sa.CheckConstraint(
            "(status = 'settled') = (settled_at is not null)",
            name=op.f("ck_provider_usage_settled_at"),
        ),
        schema="provider",
        postgresql_partition_by="RANGE (usage_id)",
    )
    op.create_index(
        "ix_provider_usage_held",
        "provider_usage",
        ["started_at"],
        schema="provider",
        postgresql_where=sa.text("status = 'held'"),
    )


def count_column(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), server_default=sa.text("0"), nullable=False)


def now_column(name: str) -> sa.Column[object]:
    kind = sa.DateTime(timezone=True)
    return sa.Column(name, kind, server_default=sa.func.now(), nullable=False)
