"""Chats, messages, the text of running replies, and who runs them."""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

STATEMENTS = (
    """
    create table chats (
        chat_uid uuid primary key,
        owner_id uuid not null,
        chat_id text not null,
        title text not null,
        title_folded text not null,
        provider text not null,
        model text not null,
        message_count bigint not null,
        last_seq bigint not null,
        leaf_id uuid not null,
        prev_leaf_id uuid,
        created_at timestamptz not null default now(),
        updated_at timestamptz not null default now(),
        delete_time timestamptz
    )
    """,
    "create unique index chats_name on chats (owner_id, chat_id) where delete_time is null",
    """
    create index chats_newest on chats (owner_id, updated_at, chat_uid)
    where delete_time is null
    """,
    """
    create table messages (
        message_id uuid primary key,
        chat_uid uuid not null references chats (chat_uid),
        owner_id uuid not null,
        parent_id uuid,
        seq bigint not null,
        on_path boolean not null default true,
        role text not null constraint messages_role_check check (role in ('user', 'assistant')),
        status text not null constraint messages_status_check
            check (status in ('running', 'complete', 'stopped', 'failed', 'interrupted')),
        content text not null,
        reasoning text not null default '',
        attachments jsonb not null default '[]',
        provider text not null default '',
        model text not null default '',
        prompt_version bigint not null default 0,
        finish_reason text,
        error_reason text not null default '',
        input_tokens bigint,
        output_tokens bigint,
        cached_input_tokens bigint,
        reasoning_tokens bigint,
        usage_source text,
        cost_nano_usd bigint,
        price_version text,
        worker_id uuid,
        deadline timestamptz,
        created_at timestamptz not null default now()
    )
    """,
    "create unique index messages_seq on messages (chat_uid, seq)",
    "create index messages_path on messages (chat_uid, seq) where on_path",
    "create index messages_siblings on messages (coalesce(parent_id, chat_uid), seq)",
    "create index messages_running on messages (chat_uid) where status = 'running'",
    """
    create table reply_events (
        message_id uuid not null,
        reasoning_to bigint not null,
        text_to bigint not null,
        reasoning text not null,
        text text not null,
        primary key (message_id, reasoning_to, text_to)
    )
    """,
    """
    create table send_keys (
        owner_id uuid not null,
        key text not null,
        body_hash bytea not null,
        message_id uuid not null,
        expire_time timestamptz not null,
        primary key (owner_id, key)
    )
    """,
    "create index send_keys_expire_time on send_keys (expire_time)",
    "create table workers (worker_id uuid primary key, lease_until timestamptz not null)",
    """
    create table attachments (
        owner_id uuid not null,
        sha256 bytea not null,
        media_type text not null,
        size bigint not null,
        data bytea not null,
        created_at timestamptz not null default now(),
        primary key (owner_id, sha256)
    )
    """,
    # Images are compressed already; not trying again saves their processor time.
    "alter table attachments alter column data set storage external",
)


def upgrade() -> None:
    """Make the tables."""
    for statement in STATEMENTS:
        op.execute(statement)
