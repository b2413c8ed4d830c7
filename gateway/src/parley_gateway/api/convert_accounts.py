"""Users, keys and the audit log ⇄ HTTP."""

from __future__ import annotations

from typing import Any

from parley_gateway.api.convert import dollars, nano_dollars
from parley_gateway.api.schemas import accounts
from parley_gateway.core import entries, model

LIMITS = ("requests_per_hour", "tokens_per_minute", "concurrent_turns")
BUDGETS = {"daily": "daily_nano_usd", "monthly": "monthly_nano_usd"}


def limits(quota: model.Quota) -> accounts.Limits:
    """Return the limits of a user or a key."""
    return accounts.Limits(**{name: getattr(quota, name) for name in LIMITS})


def budgets(quota: model.Quota) -> accounts.Budgets:
    """Return the budgets of a user or a key, in dollars."""
    figures = {name: getattr(quota, column) for name, column in BUDGETS.items()}
    return accounts.Budgets(
        **{name: None if nano is None else dollars(nano) for name, nano in figures.items()}
    )


def user(known: model.User) -> accounts.User:
    """Return a user."""
    return accounts.User(
        user_id=known.user_id,
        name=known.name,
        role=known.role.value,
        disabled=known.disabled,
        created_at=known.created_at,
        limits=limits(known.quota),
        budgets=budgets(known.quota),
    )


def user_change(body: accounts.UserUpdate) -> model.UserChange:
    """Read what is to change: what is left out stays, null takes a limit back."""
    sent = body.model_fields_set
    return model.UserChange(
        name=body.name if "name" in sent else None,
        role=model.Role(body.role) if "role" in sent else None,
        disabled=body.disabled if "disabled" in sent else None,
        quota=figures(
            body.limits or ALL_LIMITS if "limits" in sent else None,
            body.budgets or ALL_BUDGETS if "budgets" in sent else None,
        ),
    )


def restriction(body: accounts.KeyCreate) -> model.Restriction:
    """Read what a new key is for."""
    quota = model.Quota(**figures(body.limits, body.budgets))
    return model.Restriction(frozenset(body.scopes or ()), quota)


def figures(
    limits: accounts.Limits | None, budgets: accounts.Budgets | None
) -> dict[str, int | None]:
    """Return what is said of a quota, by the names of its fields."""
    said: dict[str, int | None] = {}
    if limits is not None:
        said |= {name: getattr(limits, name) for name in limits.model_fields_set}
    if budgets is not None:
        for name in budgets.model_fields_set:
            amount = getattr(budgets, name)
            said[BUDGETS[name]] = None if amount is None else nano_dollars(amount)
    return said


def key_fields(key: model.Key) -> dict[str, Any]:
    """Return what is told of a key."""
    return {
        "key_id": key.key_id,
        "user_id": key.user_id,
        "name": key.name,
        "last4": key.last4,
        "scopes": sorted(key.scopes),
        "expires_at": key.expires_at,
        "last_used_at": key.last_used_at,
        "created_at": key.created_at,
        "limits": limits(key.quota),
        "budgets": budgets(key.quota),
    }


def entry(written: entries.WrittenEntry) -> accounts.AuditEntry:
    """Return an entry of the audit log."""
    said = written.entry
    return accounts.AuditEntry(
        at=written.at,
        actor=said.actor,
        key_id=said.key_id or None,
        action=said.action,
        outcome=said.outcome,
        target=said.target,
        ip=said.whence.ip,
        request_id=said.whence.request_id,
        details=dict(said.details),
    )


# What null stands for: each of them taken back.
ALL_LIMITS = accounts.Limits(**dict.fromkeys(LIMITS))
ALL_BUDGETS = accounts.Budgets(**dict.fromkeys(BUDGETS))
