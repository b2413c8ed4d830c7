"""What each of the gateway's roles may do with which table; with one that is not named, nothing.

With which of its rows, row-level security says: its policies stand in the migrations.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import LiteralString

from parley_gateway.adapters.database import JOBS, ROLE

RIGHTS: Mapping[str, Mapping[str, LiteralString]] = {
    ROLE: {
        "alembic_version": "select",
        "api_keys": "select, insert, update",
        # What has happened stays as it is, whatever becomes of the service.
        "audit_log": "insert",
        # It is never updated, but who may do so may lock the row that a key is made for.
        "users": "select, update (user_id)",
    },
    JOBS: {
        "api_keys": "select, update",
        "audit_log": "select, insert",
        "rate_limits": "select, insert, update",
        "users": "select, insert, update",
    },
}
