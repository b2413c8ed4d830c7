"""What callers may use, and what running calls hold of it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# The window in which a moment lies. What has no window has one for ever.
WINDOW_OF = """
create function provider.window_of(meter text, moment timestamptz) returns timestamptz
language sql stable as $$
    select case meter when 'daily_cost' then date_trunc('day', moment, 'UTC')
                      when 'monthly_cost' then date_trunc('month', moment, 'UTC')
                      when 'tokens_per_minute' then date_trunc('minute', moment, 'UTC')
                      else to_timestamp(0) end
$$
"""

# The present window of a row, which is rolled over in place. Whoever waited for the row may find a
# later one than their own. A minute that has not begun yet is that of a clock that was set back.
PRESENT_WINDOW = """
create function provider.present_window(meter text, kept timestamptz) returns timestamptz
language sql volatile as $$
    select case when kept < provider.window_of(meter, now())
                  or (meter = 'tokens_per_minute' and kept > clock_timestamp())
                then provider.window_of(meter, now()) else kept end
$$
"""

# Null when it never ends.
END_OF_WINDOW = """
create function provider.end_of_window(meter text, window_start timestamptz) returns timestamptz
language sql immutable as $$
    select case meter
           when 'daily_cost'
           then (window_start at time zone 'UTC' + interval '1 day') at time zone 'UTC'
           when 'monthly_cost'
           then (window_start at time zone 'UTC' + interval '1 month') at time zone 'UTC'
           when 'tokens_per_minute' then window_start + interval '1 minute' end
$$
"""


def upgrade() -> None:
    op.create_table(
        "budgets",
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("meter", sa.Text(), nullable=False),
        sa.Column("window_start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("held", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint("scope", "meter", name="pk_budgets"),
        schema="provider",
    )
    holds: list[sa.Column[object]] = [
        sa.Column("hold_scopes", ARRAY(sa.Text()), nullable=True),
        sa.Column("hold_meters", ARRAY(sa.Text()), nullable=True),
        sa.Column("hold_amounts", ARRAY(sa.BigInteger()), nullable=True),
        sa.Column("hold_windows", ARRAY(sa.DateTime(timezone=True)), nullable=True),
    ]
    for column in holds:
        op.add_column("provider_usage", column, schema="provider")
    for function in (WINDOW_OF, PRESENT_WINDOW, END_OF_WINDOW):
        op.execute(function)
