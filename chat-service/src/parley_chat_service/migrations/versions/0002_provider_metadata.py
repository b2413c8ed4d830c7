"""What vendors want back with the pieces of their replies."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column: null at once for all rows, and nothing to the release before."""
    op.execute("alter table messages add column provider_metadata bytea")
