"""What each of the service's roles may do with which table; with one that is not named, nothing.

With which of its rows, row-level security says: its policies stand in the migrations. Partitions
are not named either: whoever reads the whole table reads them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import LiteralString

from parley_provider_service.adapters.database import JOBS, ROLE

RIGHTS: Mapping[str, Mapping[str, LiteralString]] = {
    ROLE: {
        "alembic_version": "select",
        "provider_usage": "select",
        "usage_days": "select",
    },
    JOBS: {
        "budgets": "select, insert, update",
        "model_aliases": "select, insert, update, delete",
        "provider_configs": "select, insert, update, delete",
        "provider_models": "select, insert, update, delete",
        "provider_usage": "select, insert, update",
        "usage_days": "select, insert, update",
        "workers": "select, insert, update, delete",
    },
}
