"""Users, their keys, and the hour's window of each."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "users",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("disabled", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        created_at(),
        sa.PrimaryKeyConstraint("user_id", name="pk_users"),
        sa.UniqueConstraint("name", name="uq_users_name"),
        sa.CheckConstraint("role in ('user', 'admin')", name=op.f("ck_users_role")),
        schema="gateway",
    )
    op.create_index("ix_users_place", "users", ["created_at", "user_id"], schema="gateway")
    op.create_table(
        "api_keys",
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("last4", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True)),
        sa.Column("revoked_at", sa.DateTime(timezone=True)),
        sa.Column("last_used_at", sa.DateTime(timezone=True)),
        created_at(),
        sa.PrimaryKeyConstraint("key_id", name="pk_api_keys"),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["gateway.users.user_id"],
            name="fk_api_keys_user_id",
            ondelete="cascade",
        ),
        schema="gateway",
    )
    place = ["user_id", "created_at", "key_id"]
    op.create_index("ix_api_keys_place", "api_keys", place, schema="gateway")
    op.create_table(
        "rate_limits",
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("window_start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lim", sa.Integer(), nullable=False),
        sa.Column("used", sa.Integer(), nullable=False),
        sa.Column("asked", sa.Integer(), nullable=False),
        sa.Column("granted", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("subject", name="pk_rate_limits"),
        schema="gateway",
    )


def created_at() -> sa.Column[object]:
    kind = sa.DateTime(timezone=True)
    return sa.Column("created_at", kind, server_default=sa.func.now(), nullable=False)
