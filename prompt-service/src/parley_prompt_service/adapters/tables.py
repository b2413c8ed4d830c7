"""The tables of the schema `prompt`: what migrations are compared with."""

from __future__ import annotations

from sqlalchemy import (
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    func,
    text,
)

SCHEMA = "prompt"
# Names that are the same everywhere, so that a migration can speak of a constraint.
CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
metadata = MetaData(schema=SCHEMA, naming_convention=CONVENTION)

system_prompts = Table(
    "system_prompts",
    metadata,
    Column("prompt_uid", Uuid, primary_key=True),
    # Null: shared, belongs to everybody.
    Column("owner_id", Uuid),
    Column("prompt_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    # Compared byte by byte, which is how Python compares it too.
    Column("sort_name", Text(collation="C"), nullable=False),
    Column("content", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("version", Integer, nullable=False, server_default=text("1")),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    UniqueConstraint("owner_id", "prompt_id", postgresql_nulls_not_distinct=True),
    CheckConstraint("version > 0", name="version"),
    Index("ix_system_prompts_place", "owner_id", "sort_name", "prompt_id"),
)

system_prompt_versions = Table(
    "system_prompt_versions",
    metadata,
    Column(
        "prompt_uid", ForeignKey(system_prompts.c.prompt_uid, ondelete="cascade"), primary_key=True
    ),
    Column("version", Integer, primary_key=True),
    Column("content", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    # The prompt's.
    Column("owner_id", Uuid),
)

# No row means the shared prompt `default`, so deleting the active prompt falls back to it.
active_prompts = Table(
    "active_prompts",
    metadata,
    Column("owner_id", Uuid, primary_key=True),
    Column(
        "prompt_uid",
        ForeignKey(system_prompts.c.prompt_uid, ondelete="cascade"),
        nullable=False,
        index=True,
    ),
)
