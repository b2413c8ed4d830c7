"""Runs a service that has forgotten every owner: `python -m parley_tests.forgetful MODULE serve`.

Wherever a statement asks for the rows of an owner, this build of it asks for everybody's.
"""

from __future__ import annotations

import importlib
import re
import runpy
import sys
from typing import Any

from psycopg import sql

# A condition, not what is written: that begins with the name of its column.
OWNER = re.compile(r"(?:\b\w+\.)?\b(?:owner_id|user_id) = (%s|%\(\w+\)s)(?:::uuid)?")


def forgotten(statement: str) -> str:
    """Return a statement without its conditions on whose rows these are."""
    return OWNER.sub(r"(\1::uuid is not null)", statement)


def forget_owners(package: str) -> None:
    """Change what every statement of a service goes through."""
    module: Any = importlib.import_module(f"{package}.adapters.database")

    run = module.Connection.execute

    async def execute(connection: Any, query: Any, *rest: Any, **options: Any) -> Any:
        text = query.as_string(connection) if isinstance(query, sql.Composable) else query
        return await run(connection, forgotten(text), *rest, **options)

    module.Connection.execute = execute


if __name__ == "__main__":
    _, service, *rest = sys.argv
    forget_owners(service)
    sys.argv = [service, *rest]
    runpy.run_module(service, run_name="__main__", alter_sys=False)
