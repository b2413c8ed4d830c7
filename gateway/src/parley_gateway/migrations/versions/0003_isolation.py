"""Row-level security: who acts for a user sees that user's rows alone, whatever is asked for."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# `current_setting` is empty, not null, where it was set in an earlier transaction.
USER = "nullif(current_setting('app.user', true), '')::uuid"


def upgrade() -> None:
    """Add the policies. The tables' owner is exempt, and the gateway owns nothing."""
    for table in ("users", "api_keys", "rate_limits", "audit_log"):
        op.execute(f"alter table gateway.{table} enable row level security")
        op.execute(f"create policy jobs on gateway.{table} to parley_gateway_jobs using (true)")
    for table in ("users", "api_keys"):
        op.execute(
            f"create policy own on gateway.{table} to parley_gateway using (user_id = {USER})"
        )
    # Who acts for a user adds to the log and reads none of it.
    op.execute(
        "create policy added on gateway.audit_log for insert to parley_gateway "
        f"with check ({USER} is not null)"
    )
