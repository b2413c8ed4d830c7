"""What lets a reply be stopped, read again, and settled after its end."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

STATEMENTS = (
    # Constant defaults: at once for all rows, and nothing to the release before.
    "alter table messages add column error jsonb",
    "alter table messages add column stop_requested boolean not null default false",
    "alter table messages add column watched_at timestamptz",
    """
    create table unsettled (
        message_id uuid primary key,
        expire_time timestamptz not null
    )
    """,
)


def upgrade() -> None:
    """Add the columns and the table."""
    for statement in STATEMENTS:
        op.execute(statement)
