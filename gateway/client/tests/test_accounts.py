"""Users, keys and the audit log, over a real socket."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from parley_client import (
    AsyncClient,
    AuditEntry,
    Budgets,
    Client,
    Limits,
    ProblemError,
    account_calls,
)
from parley_tests.fake_gateway import FakeGateway

pytestmark = pytest.mark.unit

ENTRY = {
    "at": "2026-11-23T12:00:00Z",
    "actor": None,
    "key_id": "k1",
    "action": "login",
    "outcome": "unauthenticated",
    "target": "k1",
    "ip": "192.0.2.7",
    "request_id": "r",
    "details": {"count": 2},
}


def test_only_what_is_said_of_a_user_is_sent(client: Client, gateway: FakeGateway) -> None:
    ada = client.create_user("ada")

    changed = client.update_user(
        ada.user_id,
        role="admin",
        limits=Limits(concurrent_turns=2),
        budgets={"daily": Decimal("1E+1")},
    )

    assert gateway.received[-1].body == {
        "role": "admin",
        "limits": {"concurrent_turns": 2},
        "budgets": {"daily": "10"},
    }
    assert (changed.role, changed.limits) == ("admin", Limits(concurrent_turns=2))
    assert changed.budgets == Budgets(daily=Decimal(10))
    client.update_user(ada.user_id, limits=None, budgets={"daily": None})
    assert gateway.received[-1].body == {"limits": None, "budgets": {"daily": None}}
    assert client.get_user(ada.user_id).budgets == Budgets()
    with pytest.raises(ProblemError, match="user_not_found"):
        client.get_user("nobody")


def test_a_key_is_made_for_something_and_rotated(client: Client, gateway: FakeGateway) -> None:
    made = client.create_key(
        "laptop",
        scopes=["chat", "provider:demo"],
        expires_at=datetime(2099, 1, 1, tzinfo=UTC),
        budgets=Budgets(daily=Decimal("0.50")),
    )
    assert gateway.received[-1].body == {
        "name": "laptop",
        "scopes": ["chat", "provider:demo"],
        "expires_at": "2099-01-01T00:00:00+00:00",
        "budgets": {"daily": "0.50"},
    }
    assert (made.scopes, made.key) == (("chat", "provider:demo"), "parley_secret_wxyz")
    assert "secret" not in repr(made)

    rotated = client.rotate_key(made.key_id, overlap_seconds=0)
    assert gateway.received[-1].body == {"overlap_seconds": 0}
    assert (rotated.name, rotated.scopes) == (made.name, made.scopes)
    with pytest.raises(ProblemError, match="key_rotated"):
        client.rotate_key(made.key_id)
    assert gateway.received[-1].body == {}
    client.delete_key(rotated.key_id)
    assert [key.key_id for key in client.all_keys()] == [made.key_id]


def test_the_log_is_walked(client: Client, gateway: FakeGateway) -> None:
    gateway.audit = [ENTRY, {**ENTRY, "action": "create_key", "outcome": "done"}, ENTRY]
    entries = list(client.all_audit(page_size=1, since=date(2026, 11, 1), action="login"))

    assert gateway.received[-1].query == {
        "page_size": "1",
        "page_token": "1",
        "action": "login",
        "from": "2026-11-01",
    }
    assert entries == [entries[0]] * 2
    assert isinstance(entries[0], AuditEntry)
    assert (entries[0].actor, entries[0].details) == (None, {"count": 2})
    assert len(client.list_audit().items) == 3


async def test_the_async_client_does_the_same(gateway: FakeGateway) -> None:
    gateway.audit = [ENTRY]
    async with AsyncClient(gateway.url, gateway.key) as client:
        ada = await client.create_user("ada")
        changed = await client.update_user(ada.user_id, disabled=True)
        key = await client.create_key("k")
        other = await client.rotate_key(key.key_id)
        entries = [entry async for entry in client.all_audit()]
    assert (changed.disabled, other.name, len(entries)) == (True, "k", 1)


def test_a_call_says_no_more_than_was_asked() -> None:
    assert account_calls.create_key("k").body == {"name": "k"}
    assert account_calls.rotate_key("a/b").path == "/keys/a%2Fb/rotate"
