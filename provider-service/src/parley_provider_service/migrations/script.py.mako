"""${message}."""

# The previous release runs on this schema while the next one is rolled out. So:
# add in one release and remove in the next, give new columns defaults, and make indexes of
# tables with rows `concurrently`, alone in their migration, in an autocommit block.

import sqlalchemy as sa
from alembic import op

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}
