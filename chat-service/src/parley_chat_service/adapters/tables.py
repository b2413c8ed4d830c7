"""The tables of the schema `chat`, for the migrations; the statements stand in `store/`."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, MetaData, func, text
from sqlalchemy.dialects.postgresql import BYTEA, JSONB, TEXT, TIMESTAMP
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import BigInteger

ALIVE = text("delete_time is null")
RUNNING = text("status = 'running'")
# Not `coalesce`: PostgreSQL takes it for what might reveal rows, and keeps it from an index of a
# table with row-level security. Written as PostgreSQL writes it, for the comparison.
PARENT = text("""(
case
    when parent_id is null then chat_uid
    else parent_id
end)""")


class Table(DeclarativeBase):
    """What all tables share: the types, and the names of what is not named."""

    metadata = MetaData(
        naming_convention={
            "pk": "%(table_name)s_pkey",
            "fk": "%(table_name)s_%(column_0_name)s_fkey",
            "ck": "%(table_name)s_%(constraint_name)s_check",
        }
    )
    type_annotation_map = {  # noqa: RUF012  (the name and form that SQLAlchemy asks for)
        str: TEXT,
        int: BigInteger,
        bytes: BYTEA,
        datetime: TIMESTAMP(timezone=True),
        list[Any]: JSONB,
        dict[str, Any]: JSONB,
    }


metadata = Table.metadata


class Chats(Table):
    """Conversations. Under the lock of this row `seq` is given out to their messages."""

    __tablename__ = "chats"

    chat_uid: Mapped[UUID] = mapped_column(primary_key=True)
    owner_id: Mapped[UUID]
    chat_id: Mapped[str]
    title: Mapped[str]
    # The title as it is searched: one form for what looks alike.
    title_folded: Mapped[str]
    provider: Mapped[str]
    model: Mapped[str]
    message_count: Mapped[int]
    last_seq: Mapped[int]
    leaf_id: Mapped[UUID]
    # The leaf before this one: `returning` shows no old values before PostgreSQL 18.
    prev_leaf_id: Mapped[UUID | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    delete_time: Mapped[datetime | None]

    __table_args__ = (
        Index("chats_name", "owner_id", "chat_id", unique=True, postgresql_where=ALIVE),
        Index("chats_newest", "owner_id", "updated_at", "chat_uid", postgresql_where=ALIVE),
    )


class Messages(Table):
    """What was said. A running reply belongs to a worker, and only that one writes it."""

    __tablename__ = "messages"

    message_id: Mapped[UUID] = mapped_column(primary_key=True)
    chat_uid: Mapped[UUID] = mapped_column(ForeignKey(Chats.chat_uid))
    owner_id: Mapped[UUID]
    parent_id: Mapped[UUID | None]
    seq: Mapped[int]
    on_path: Mapped[bool] = mapped_column(server_default=text("true"))
    role: Mapped[str]
    status: Mapped[str]
    content: Mapped[str]
    reasoning: Mapped[str] = mapped_column(server_default="")
    attachments: Mapped[list[Any]] = mapped_column(server_default="[]")
    provider: Mapped[str] = mapped_column(server_default="")
    model: Mapped[str] = mapped_column(server_default="")
    prompt_version: Mapped[int] = mapped_column(server_default="0")
    finish_reason: Mapped[str | None]
    error_reason: Mapped[str] = mapped_column(server_default="")
    input_tokens: Mapped[int | None]
    output_tokens: Mapped[int | None]
    cached_input_tokens: Mapped[int | None]
    reasoning_tokens: Mapped[int | None]
    usage_source: Mapped[str | None]
    cost_nano_usd: Mapped[int | None]
    price_version: Mapped[str | None]
    worker_id: Mapped[UUID | None]
    deadline: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    # Where the pieces of a reply end, and what its vendor wants back with each; mostly nothing.
    provider_metadata: Mapped[bytes | None]
    # Why it failed, in the words that its listeners were told.
    error: Mapped[dict[str, Any] | None]
    # Whether somebody wants a running reply to stop.
    stop_requested: Mapped[bool] = mapped_column(server_default=text("false"))
    # When a running reply was last read through another process; kept only where that counts.
    watched_at: Mapped[datetime | None]
    # The key that a reply was asked for with; null for what is older than keys' names here.
    key_id: Mapped[str | None]
    # What a user's message came as, when it came as several messages; `content` is its text.
    input: Mapped[bytes | None]
    # The calls of tools that a reply ended with; null for none.
    tool_calls: Mapped[list[Any] | None]
    # As `provider_metadata`, which is null then, of a reply that calls tools: the release before
    # could not read it.
    pieces: Mapped[bytes | None]

    __table_args__ = (
        CheckConstraint("role in ('user', 'assistant')", name="role"),
        CheckConstraint(
            "status in ('running', 'complete', 'stopped', 'failed', 'interrupted')", name="status"
        ),
        Index("messages_seq", "chat_uid", "seq", unique=True),
        Index("messages_path", "chat_uid", "seq", postgresql_where=text("on_path")),
        Index("messages_siblings", PARENT, "seq"),
        Index("messages_running", "chat_uid", postgresql_where=RUNNING),
    )


class ReplyEvents(Table):
    """The text of running replies, in pieces: stored, then shown; gone when a reply ends.

    A piece is named by the position behind it, in code points of reasoning and of text.
    """

    __tablename__ = "reply_events"

    message_id: Mapped[UUID] = mapped_column(primary_key=True)
    reasoning_to: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    text_to: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    reasoning: Mapped[str]
    text: Mapped[str]


class Unsettled(Table):
    """Replies that ended before the ledger could say what they used.

    Behind `expire_time` one that the ledger does not know was never asked for.
    """

    __tablename__ = "unsettled"

    message_id: Mapped[UUID] = mapped_column(primary_key=True)
    expire_time: Mapped[datetime]


class SendKeys(Table):
    """Idempotency keys, and the reply that each of them stands for."""

    __tablename__ = "send_keys"

    owner_id: Mapped[UUID] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    body_hash: Mapped[bytes]
    message_id: Mapped[UUID]
    expire_time: Mapped[datetime]

    __table_args__ = (Index("send_keys_expire_time", "expire_time"),)


class Workers(Table):
    """The processes that run turns, each with a lease."""

    __tablename__ = "workers"

    worker_id: Mapped[UUID] = mapped_column(primary_key=True)
    lease_until: Mapped[datetime]


class Attachments(Table):
    """The bytes of files; how each is named stands with the message that brought it.

    Never shared across owners: that would reveal what others have.
    """

    __tablename__ = "attachments"

    owner_id: Mapped[UUID] = mapped_column(primary_key=True)
    sha256: Mapped[bytes] = mapped_column(primary_key=True)
    media_type: Mapped[str]
    size: Mapped[int]
    data: Mapped[bytes]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
