"""The tables of the schema `gateway`: what migrations are compared with."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
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

from parley_gateway.adapters.database import SCHEMA

# Names that are the same everywhere, so that a migration can speak of a constraint.
CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
metadata = MetaData(schema=SCHEMA, naming_convention=CONVENTION)


def quota() -> list[Column[int]]:
    """Make the columns of what a user or a key may use; null sets no limit."""
    return [
        Column("requests_per_hour", Integer),
        Column("tokens_per_minute", BigInteger),
        Column("concurrent_turns", Integer),
        # Nano-dollars of a calendar day and month in UTC.
        Column("daily_nano_usd", BigInteger),
        Column("monthly_nano_usd", BigInteger),
    ]


users = Table(
    "users",
    metadata,
    Column("user_id", Uuid, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("role", Text, nullable=False),
    Column("disabled", Boolean, nullable=False, server_default=text("false")),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    # When the user was disabled, or made an ordinary one, the last time.
    Column("lowered_at", DateTime(timezone=True)),
    *quota(),
    CheckConstraint("role in ('user', 'admin')", name="role"),
    Index("ix_users_lowered_at", "lowered_at"),
    Index("ix_users_place", "created_at", "user_id"),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("key_id", Text, primary_key=True),
    Column("user_id", ForeignKey(users.c.user_id, ondelete="cascade"), nullable=False),
    Column("name", Text, nullable=False),
    # HMAC-SHA256 under the server's pepper. The key itself is stored nowhere.
    Column("digest", LargeBinary, nullable=False),
    Column("last4", Text, nullable=False),
    Column("expires_at", DateTime(timezone=True)),
    Column("revoked_at", DateTime(timezone=True)),
    Column("last_used_at", DateTime(timezone=True)),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    # When a successor was made: it ends by itself then.
    Column("rotated_at", DateTime(timezone=True)),
    Column("scopes", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    *quota(),
    Index("ix_api_keys_place", "user_id", "created_at", "key_id"),
    Index("ix_api_keys_revoked_at", "revoked_at"),
    Index("ix_api_keys_expires_at", "expires_at"),
)

# One row for each subject, rolled over in place.
rate_limits = Table(
    "rate_limits",
    metadata,
    Column("subject", Text, primary_key=True),
    Column("window_start", DateTime(timezone=True), nullable=False),
    Column("lim", Integer, nullable=False),
    Column("used", Integer, nullable=False),
    # What the last statement asked for and was given.
    Column("asked", Integer, nullable=False),
    Column("granted", Integer, nullable=False),
)

# Only ever added to. No foreign keys: an entry outlives whom it speaks of.
audit_log = Table(
    "audit_log",
    metadata,
    Column("entry_id", Uuid, primary_key=True),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("action", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("actor", Uuid),
    Column("key_id", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("ip", Text, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("details", JSONB, nullable=False),
    Index("ix_audit_log_place", "at", "entry_id"),
    Index("ix_audit_log_actor", "actor", "at", "entry_id"),
)
