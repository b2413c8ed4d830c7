"""Quotas as columns of users and of keys."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from parley_gateway.core.model import NO_QUOTA, Quota

# In the order of the fields of `Quota`.
COLUMNS = {
    "requests_per_hour": "int",
    "tokens_per_minute": "bigint",
    "concurrent_turns": "int",
    "daily_nano_usd": "bigint",
    "monthly_nano_usd": "bigint",
}


def columns(alias: str = "") -> str:
    """List the columns of a table, or of a row with a name."""
    prefix = f"{alias}." if alias else ""
    return ", ".join(prefix + name for name in COLUMNS)


# What is given for each, and what is laid over what is there.
GIVEN = ", ".join(f"%({name})s::{kind}" for name, kind in COLUMNS.items())
CHANGED = ", ".join(
    f"{name} = case when '{name}' = any(%(given)s::text[]) then %({name})s::{kind} else {name} end"
    for name, kind in COLUMNS.items()
)


def quota_of(figures: tuple[Any, ...]) -> Quota:
    """Read the columns."""
    return Quota(*figures) if any(figure is not None for figure in figures) else NO_QUOTA


def values_of(quota: Quota) -> dict[str, int | None]:
    """Return what `GIVEN` stands for."""
    return asdict(quota)
