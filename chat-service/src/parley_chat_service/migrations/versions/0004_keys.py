"""With which key a reply was asked for, so that what a revoked key began can be stopped."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column: null at once for all rows, and nothing to the release before."""
    op.execute("alter table messages add column key_id text")
