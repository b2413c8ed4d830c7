"""Row-level security: who acts for a user sees that user's rows alone, whatever is asked for."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# `current_setting` is empty, not null, where it was set in an earlier transaction.
USER = "nullif(current_setting('app.user', true), '')::uuid"
OWNED = ("chats", "messages", "send_keys", "attachments")
# What belongs to a message belongs to its owner. The policy of `messages` applies within.
OF_MESSAGE = "exists (select from messages m where m.message_id = {table}.message_id)"
OF_MESSAGES = ("reply_events", "unsettled")
FOR_JOBS = ("chats", "messages", "send_keys", "reply_events", "unsettled")
# Behind a policy an index serves only what cannot reveal rows, and `coalesce` is not known not to.
SIBLINGS = (
    "drop index messages_siblings",
    """
    create index messages_siblings
    on messages ((case when parent_id is null then chat_uid else parent_id end), seq)
    """,
)


def upgrade() -> None:
    """Add the policies. The tables' owner is exempt, and the services own nothing."""
    for table in (*OWNED, *OF_MESSAGES):
        op.execute(f"alter table {table} enable row level security")
        rows = OF_MESSAGE.format(table=table) if table in OF_MESSAGES else f"owner_id = {USER}"
        op.execute(f"create policy own on {table} to parley_chat using ({rows})")
    for table in FOR_JOBS:
        op.execute(f"create policy jobs on {table} to parley_chat_jobs using (true)")
    for statement in SIBLINGS:
        op.execute(statement)
