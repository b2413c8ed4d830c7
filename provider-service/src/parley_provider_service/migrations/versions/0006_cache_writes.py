"""What vendors write to their caches, which costs otherwise than any input."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

TABLES = ("provider_usage", "usage_days")
COLUMNS = ("cache_write_tokens", "long_cache_write_tokens")


def upgrade() -> None:
    for table in TABLES:
        for name in COLUMNS:
            zero = sa.text("0")
            column: sa.Column[object] = sa.Column(
                name, sa.BigInteger(), server_default=zero, nullable=False
            )
            op.add_column(table, column, schema="provider")
