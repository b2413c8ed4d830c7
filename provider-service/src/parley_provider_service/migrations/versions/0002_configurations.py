"""Several configurations of a plugin, their keys, fallbacks; attempts and roll-ups of usage."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    configs: list[sa.Column[object]] = [
        sa.Column("kind", sa.Text(), nullable=True),
        sa.Column("display_name", sa.Text(), nullable=True),
        sa.Column("credential", sa.LargeBinary(), nullable=True),
        sa.Column("max_replies", sa.Integer(), nullable=True),
        sa.Column("fallbacks", ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("retry_timeouts", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("models_changed_at", sa.DateTime(timezone=True), nullable=True),
    ]
    for column in configs:
        op.add_column("provider_configs", column, schema="provider")
    op.add_column("provider_usage", sa.Column("attempts", JSONB()), schema="provider")
    for columns in (["owner_id", "usage_id"], ["provider", "usage_id"]):
        name = f"ix_provider_usage_{columns[0]}"
        op.create_index(name, "provider_usage", columns, schema="provider")
    make_usage_days()
    roll_up()


def make_usage_days() -> None:
    keys = ["day", "owner_id", "key_id", "provider", "model"]
    op.create_table(
        "usage_days",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        *(
            sa.Column(name, sa.BigInteger(), server_default=sa.text("0"), nullable=False)
            for name in (
                "requests",
                "input_tokens",
                "output_tokens",
                "cached_input_tokens",
                "reasoning_tokens",
                "cost_nano_usd",
                "unpriced_requests",
            )
        ),
        sa.PrimaryKeyConstraint(*keys, name="pk_usage_days"),
        schema="provider",
    )
    op.create_index("ix_usage_days_owner_id", "usage_days", ["owner_id", "day"], schema="provider")


def roll_up() -> None:
    """Sum up what was settled before there were roll-ups."""
    op.execute(
        """
insert into provider.usage_days
select (started_at at time zone 'UTC')::date, owner_id, key_id, provider, model, count(*),
       sum(input_tokens), sum(output_tokens), sum(cached_input_tokens), sum(reasoning_tokens),
       coalesce(sum(cost_nano_usd), 0),
       count(*) filter (where source is not null and cost_nano_usd is null)
  from provider.provider_usage where status = 'settled' group by 1, 2, 3, 4, 5"""
    )
