"""Limits and budgets in words."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from types import MappingProxyType

from parley_client import Allowance, Cost

from parley_ui.figures import moment, money

METERS: Mapping[str, str] = MappingProxyType(
    {
        "requests_per_hour": "Requests per hour",
        "tokens_per_minute": "Tokens per minute",
        "concurrent_turns": "Replies at once",
        "daily_cost": "Spent per day",
        "monthly_cost": "Spent per month",
    }
)
MONEY = frozenset({"daily_cost", "monthly_cost"})
PERIODS: Mapping[str, str] = MappingProxyType({"day": "daily_cost", "month": "monthly_cost"})
HELD = "held for replies that are being written"


def meter(name: str, scope: str = "") -> str:
    """Returns what is counted, and that it is this key's alone if so."""
    words = METERS.get(name, name.replace("_", " ").capitalize())
    return f"{words}, with this key" if scope == "key" else words


def standing(one: Allowance) -> str:
    """Returns how an allowance stands: `Requests per hour: 20 of 1,000 used, 980 left`."""
    used, limit, left = (_figure(one.meter, figure) for figure in (one.used, one.limit, one.left))
    parts = [f"{used} of {limit} used"]
    if one.held:
        parts.append(f"{_figure(one.meter, one.held)} {HELD}")
    parts.append(f"{left} left")
    if one.resets_at:
        parts.append(f"resets at {moment(one.resets_at)}")
    return f"{meter(one.meter, one.scope)}: {', '.join(parts)}"


def share(one: Allowance) -> float:
    """Returns which part of an allowance is gone, from 0 to 1."""
    gone = float(one.limit - one.left) / float(one.limit) if one.limit else 1.0
    return min(max(gone, 0.0), 1.0)


def shortage(known: Mapping[str, str]) -> str:
    """Returns what is left of the limit or budget that a problem names, and when it resets."""
    name = known.get("meter") or PERIODS.get(known.get("period", ""), "")
    if not name:
        return ""
    held = known.get("held", "0")
    parts = [f"{_said(name, known.get('left', '0'))} left of {_said(name, known.get('limit', ''))}"]
    if held != "0":
        parts.append(f"{_said(name, held)} {HELD}")
    if resets_at := known.get("resets_at"):
        parts.append(f"resets at {_when(resets_at)}")
    return f"{meter(name, known.get('scope', ''))}: {', '.join(parts)}."


def _figure(name: str, amount: Decimal | int) -> str:
    return money(Cost(Decimal(amount))) if name in MONEY else f"{amount:,}"


def _said(name: str, amount: str) -> str:
    """Returns a figure of a problem, as it stands there when it is none."""
    try:
        number = Decimal(amount)
    except InvalidOperation:
        return amount
    return _figure(name, number)


def _when(at: str) -> str:
    try:
        return moment(datetime.fromisoformat(at))
    except ValueError:
        return at
