"""What each of the service's roles may do with which table; with one that is not named, nothing.

With which of its rows, row-level security says: its policies stand in the migrations.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import LiteralString

from parley_chat_service.adapters.database import JOBS, ROLE

RIGHTS: Mapping[str, Mapping[str, LiteralString]] = {
    ROLE: {
        "alembic_version": "select",
        "attachments": "select, insert",
        "chats": "select, insert, update",
        "messages": "select, insert, update",
        "reply_events": "select, delete",
        "send_keys": "select, insert, update",
        "unsettled": "select, insert",
    },
    JOBS: {
        # Whether it is deleted: neither its title nor whose it is.
        "chats": "select (chat_uid, delete_time)",
        "messages": "select, update",
        "reply_events": "select, insert, delete",
        "send_keys": "select, delete",
        # It is never updated, but who may do so may lock a row.
        "unsettled": "select, insert, update (message_id), delete",
        "workers": "select, insert, update, delete",
    },
}
