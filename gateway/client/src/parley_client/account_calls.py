"""The calls of users, keys and the audit log; most of them are for administrators."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import date, datetime
from decimal import Decimal
from typing import Any, TypedDict, Unpack

from parley_client import types
from parley_client.accounts import AuditEntry, Budgets, Context, Key, Limits, Me, NewKey, User
from parley_client.call import Call, Paging, into, known, nothing, page_of, path


class UserChange(TypedDict, total=False):
    """What is to change in a user.

    Of `limits` and `budgets` None takes all back; one that is given is laid over what there is,
    and what is None in it stays. A mapping says which one is to be taken back: `{"daily": None}`.
    """

    name: str
    role: str
    disabled: bool
    limits: Limits | dict[str, int | None] | None
    budgets: Budgets | dict[str, Decimal | None] | None


class KeyOptions(TypedDict, total=False):
    """What else may be said of a new key; `user_id` by administrators only."""

    user_id: str | None
    scopes: Sequence[str] | None
    expires_at: datetime | None
    limits: Limits | dict[str, int | None] | None
    budgets: Budgets | dict[str, Decimal | None] | None


class KeyFilter(Paging, total=False):
    """Whose keys; others' for administrators only."""

    user_id: str | None


class AuditFilter(Paging, total=False):
    """Which entries: of a user, of a kind, of a time; `since` is in, `until` is not."""

    actor: str | None
    action: str | None
    since: date | None
    until: date | None


def me() -> Call[Me]:
    """Asks whom the key belongs to, and what it is for."""
    return Call("GET", "/me", into(Me))


def create_my_context() -> Call[Context]:
    """Asks to be vouched for towards the services behind the gateway, for two seconds."""
    return Call("POST", "/me/context", into(Context), repeatable=True)


def list_users(**query: Unpack[Paging]) -> Call[types.Page[User]]:
    """Asks for all users (administrators only)."""
    return Call("GET", "/users", page_of(User, "users"), known(query))


def create_user(name: str, role: str | None = None) -> Call[User]:
    """Adds a user (administrators only); `role` is user or admin."""
    return Call("POST", "/users", into(User), body=known({"name": name, "role": role}))


def get_user(user_id: str) -> Call[User]:
    """Asks for one user (administrators only)."""
    return Call("GET", path("/users", user_id), into(User))


def update_user(user_id: str, **change: Unpack[UserChange]) -> Call[User]:
    """Changes what is given and leaves the rest (administrators only)."""
    body: dict[str, Any] = dict(change)
    for part in ("limits", "budgets"):
        if body.get(part) is not None:
            body[part] = _figures(body[part])
    return Call("PATCH", path("/users", user_id), into(User), body=body, repeatable=True)


def list_keys(**query: Unpack[KeyFilter]) -> Call[types.Page[Key]]:
    """Asks for the caller's keys, for administrators anybody's."""
    return Call("GET", "/keys", page_of(Key, "keys"), known(query))


def create_key(name: str, **options: Unpack[KeyOptions]) -> Call[NewKey]:
    """Makes a key; its secret is in this answer and never again."""
    body: dict[str, Any] = known({"name": name, **options})
    for part in ("limits", "budgets"):
        if part in body:
            body[part] = _figures(body[part])
    if "expires_at" in body:
        body["expires_at"] = body["expires_at"].isoformat()
    return Call("POST", "/keys", into(NewKey), body=body)


def rotate_key(key_id: str, overlap_seconds: int | None = None) -> Call[NewKey]:
    """Makes a key's successor; the old one ends after the overlap, a day when none is said."""
    body = known({"overlap_seconds": overlap_seconds})
    return Call("POST", path("/keys", key_id, "rotate"), into(NewKey), body=body)


def delete_key(key_id: str) -> Call[None]:
    """Revokes a key: streams that it opened end, and replies that it asked for."""
    return Call("DELETE", path("/keys", key_id), nothing)


def list_audit(**query: Unpack[AuditFilter]) -> Call[types.Page[AuditEntry]]:
    """Asks who did what to what, newest first (administrators only)."""
    values: dict[str, Any] = dict(query)
    for ours, theirs in (("since", "from"), ("until", "to")):
        time: date | None = values.pop(ours, None)
        values[theirs] = time.isoformat() if time else None
    return Call("GET", "/audit", page_of(AuditEntry, "entries"), known(values))


def _figures(given: Limits | Budgets | dict[str, Any]) -> dict[str, Any]:
    """Writes limits or budgets; money as the decimal text that the gateway reads."""
    figures = given if isinstance(given, dict) else known(asdict(given))
    return {
        name: f"{value:f}" if isinstance(value, Decimal) else value
        for name, value in figures.items()
    }
