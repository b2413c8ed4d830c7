"""What is said in several messages at once, and the calls of tools that replies end with."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

COLUMNS = ("input bytea", "tool_calls jsonb", "pieces bytea")


def upgrade() -> None:
    """Add the columns: null at once for all rows, and nothing to the release before."""
    for column in COLUMNS:
        op.execute(f"alter table messages add column {column}")
