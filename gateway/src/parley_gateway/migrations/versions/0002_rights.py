"""What keys may do, how much users and keys may use, and the audit log."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

QUOTA = """
    add column requests_per_hour int, add column tokens_per_minute bigint,
    add column concurrent_turns int, add column daily_nano_usd bigint,
    add column monthly_nano_usd bigint"""
STATEMENTS = (
    # Null or constant: at once for all rows, and nothing to the release before.
    f"alter table gateway.users add column lowered_at timestamptz, {QUOTA}",
    f"""
    alter table gateway.api_keys add column rotated_at timestamptz,
        add column scopes text[] not null default '{{}}', {QUOTA}
    """,
    "create index ix_users_lowered_at on gateway.users (lowered_at)",
    "create index ix_api_keys_revoked_at on gateway.api_keys (revoked_at)",
    "create index ix_api_keys_expires_at on gateway.api_keys (expires_at)",
    """
    create table gateway.audit_log (
        entry_id uuid constraint pk_audit_log primary key,
        at timestamptz not null,
        action text not null,
        outcome text not null,
        actor uuid,
        key_id text not null,
        target text not null,
        ip text not null,
        request_id text not null,
        details jsonb not null
    )
    """,
    "create index ix_audit_log_place on gateway.audit_log (at, entry_id)",
    "create index ix_audit_log_actor on gateway.audit_log (actor, at, entry_id)",
)


def upgrade() -> None:
    """Add the columns and the log; `grant` lets the service only add to it."""
    for statement in STATEMENTS:
        op.execute(statement)
