"""Row-level security: who acts for a user sees that user's rows alone, whatever is asked for."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# `current_setting` is empty, not null, where it was set in an earlier transaction.
USER = "nullif(current_setting('app.user', true), '')::uuid"
OWN = f"owner_id = {USER}"
SHARED = "owner_id is null"


def upgrade() -> None:
    """Add the policies. The tables' owner is exempt, and the service owns nothing.

    A version carries its prompt's owner: a policy does not see a prompt that the same statement
    makes.
    """
    op.add_column("system_prompt_versions", sa.Column("owner_id", sa.Uuid()), schema="prompt")
    op.execute(
        "update prompt.system_prompt_versions v set owner_id = p.owner_id"
        " from prompt.system_prompts p where p.prompt_uid = v.prompt_uid"
    )
    for table in ("system_prompts", "system_prompt_versions", "active_prompts"):
        op.execute(f"alter table prompt.{table} enable row level security")
    policy("own", "active_prompts", f"using ({OWN})")
    # Shared prompts are everybody's to read and to lock, and nobody's to change.
    for table in ("system_prompts", "system_prompt_versions"):
        policy("read", table, f"using ({OWN} or {SHARED})", "for select")
        policy("add", table, f"with check ({OWN})", "for insert")
    change = f"using ({OWN} or {SHARED}) with check ({OWN})"
    policy("change", "system_prompts", change, "for update")
    policy("remove", "system_prompts", f"using ({OWN})", "for delete")


def policy(name: str, table: str, rows: str, what: str = "") -> None:
    """Add a policy for the service's role."""
    op.execute(f"create policy {name} on prompt.{table} {what} to parley_prompt {rows}")
