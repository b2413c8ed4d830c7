"""What the service's role may do with which table; with one that is not named, nothing.

With which of its rows, row-level security says: its policies stand in the migrations.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import LiteralString

from parley_prompt_service.adapters.database import ROLE

RIGHTS: Mapping[str, Mapping[str, LiteralString]] = {
    ROLE: {
        "active_prompts": "select, insert, update",
        "alembic_version": "select",
        # Not whose it is.
        "system_prompts": (
            "select, insert, delete,"
            " update (name, sort_name, content, description, version, updated_at)"
        ),
        "system_prompt_versions": "select, insert",
    },
}
