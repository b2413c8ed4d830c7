"""Row-level security: who acts for a user sees that user's rows alone, whatever is asked for."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# `current_setting` is empty, not null, where it was set in an earlier transaction.
USER = "nullif(current_setting('app.user', true), '')::uuid"


def upgrade() -> None:
    """Add the policies. The tables' owner is exempt, and the services own nothing."""
    for table in ("provider_usage", "usage_days"):
        op.execute(f"alter table provider.{table} enable row level security")
        op.execute(
            f"create policy own on provider.{table} to parley_provider using (owner_id = {USER})"
        )
        op.execute(f"create policy jobs on provider.{table} to parley_provider_jobs using (true)")
    op.execute("alter table provider.budgets enable row level security")
    op.execute("create policy jobs on provider.budgets to parley_provider_jobs using (true)")
    function = "function provider.ensure_usage_partitions()"
    op.execute(f"revoke execute on {function} from parley_provider")
    op.execute(f"grant execute on {function} to parley_provider_jobs")
