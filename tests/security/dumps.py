"""What is stored, in rows: to see that nothing changed, and to search."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import psycopg
from psycopg import sql

# Written by the clock, by counting, or by noting down; no request asks for these.
BY_ITSELF = {
    ("chat", "workers"),
    ("provider", "workers"),
    ("gateway", "rate_limits"),
    ("gateway", "audit_log"),
}
NOTED = {"last_used_at", "watched_at", "last_seen_at"}
TABLES = """
    select c.relnamespace::regnamespace::text, c.relname::text from pg_class c
    where c.relkind in ('r', 'p') and not c.relispartition
    and c.relnamespace::regnamespace::text not in ('pg_catalog', 'information_schema')
    order by 1, 2
"""


class Dump:
    """A reader of everything, as the owner of the database."""

    def __init__(self, url: str) -> None:
        self.connection = psycopg.connect(url, autocommit=True)

    def close(self) -> None:
        self.connection.close()

    def tables(self) -> list[tuple[str, str]]:
        """All tables, by schema and name."""
        return [(schema, name) for schema, name in self.connection.execute(TABLES)]

    def rows(self, schema: str, name: str) -> list[dict[str, Any]]:
        """All rows of a table, as PostgreSQL writes JSON."""
        select = sql.SQL("select to_jsonb(t) from {} t").format(sql.Identifier(schema, name))
        return [row for (row,) in self.connection.execute(select)]

    def state(self, but: Iterable[tuple[str, str]] = ()) -> dict[str, list[str]]:
        """What requests ask to be stored, table by table."""
        left_out = BY_ITSELF | set(but)
        return {
            f"{schema}.{name}": sorted(map(told, self.rows(schema, name)))
            for schema, name in self.tables()
            if (schema, name) not in left_out
        }

    def texts(self) -> Iterator[tuple[str, str, bytes]]:
        """Every value there is, with its table and column, as bytes (`bytea` decoded)."""
        for schema, name in self.tables():
            for row in self.rows(schema, name):
                for column, value in row.items():
                    yield f"{schema}.{name}", column, bytes_of(value)


def told(row: dict[str, Any]) -> str:
    """A row without what only notes down, in one text that can be compared."""
    return repr(sorted((key, value) for key, value in row.items() if key not in NOTED))


def bytes_of(value: Any) -> bytes:
    """A value as it would stand in a file."""
    if isinstance(value, str) and value.startswith("\\x"):
        return bytes.fromhex(value[2:])
    return (value if isinstance(value, str) else repr(value)).encode()
