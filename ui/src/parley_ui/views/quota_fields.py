"""Fields for limits and budgets; an empty one sets none."""

from decimal import Decimal

import streamlit as st
from parley_client import Budgets, Limits

MOST = 1_000_000_000
MOST_DOLLARS = 1_000_000.0
NO_LIMITS, NO_BUDGETS = Limits(), Budgets()


def draw(mark: str, limits: Limits | None, budgets: Budgets | None) -> tuple[Limits, Budgets]:
    """Draws the fields as they are now; returns what is typed."""
    limits, budgets = limits or NO_LIMITS, budgets or NO_BUDGETS
    st.caption("Limits and budgets. An empty field sets none.")
    with st.container(horizontal=True):
        per_hour = _count("Requests per hour", limits.requests_per_hour, f"hour_{mark}")
        per_minute = _count("Tokens per minute", limits.tokens_per_minute, f"minute_{mark}")
        at_once = _count("Replies at once", limits.concurrent_turns, f"turns_{mark}")
        daily = _dollars("USD per day", budgets.daily, f"day_{mark}")
        monthly = _dollars("USD per month", budgets.monthly, f"month_{mark}")
    return Limits(per_hour, per_minute, at_once), Budgets(daily, monthly)


def summary(limits: Limits | None, budgets: Budgets | None) -> str:
    """Returns what is limited, in one line."""
    limits, budgets = limits or NO_LIMITS, budgets or NO_BUDGETS
    known = {
        "requests per hour": limits.requests_per_hour,
        "tokens per minute": limits.tokens_per_minute,
        "replies at once": limits.concurrent_turns,
        "USD per day": budgets.daily,
        "USD per month": budgets.monthly,
    }
    return ", ".join(f"{amount:,} {what}" for what, amount in known.items() if amount is not None)


def _count(label: str, known: int | None, key: str) -> int | None:
    # A field whose own default is empty can be emptied.
    st.session_state.setdefault(key, known)
    return st.number_input(label, 1, MOST, None, 1, key=key, placeholder="None", width=170)


def _dollars(label: str, known: Decimal | None, key: str) -> Decimal | None:
    now = None if known is None else float(known)
    st.session_state.setdefault(key, now)
    typed = st.number_input(
        label, 0.0, MOST_DOLLARS, None, 1.0, format="%.2f", key=key, placeholder="None", width=170
    )
    if typed is None or typed == now:
        return known  # to the last digit
    return Decimal(f"{typed:.2f}")
