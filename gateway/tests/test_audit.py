"""The audit log: who did what to what, when, from where, under which request id."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from ipaddress import ip_network
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from parley_gateway.api.dependencies import Gateway, GuardedRoute
from parley_gateway.api.origin import address_of
from parley_gateway.core import audit as module
from parley_gateway.core.audit import Audit
from parley_gateway.core.entries import Entry, Whence
from parley_gateway.core.keys import new_token
from parley_gateway.core.model import Identity
from parley_rpc.faults import DatabaseUnavailable, Unauthenticated, Unavailable

from parley.provider.v1 import provider_pb2

from .conftest import ADMIN_KEY
from .fakes import Clock, Outage, Script
from .memory import MemoryAuditStore

pytestmark = pytest.mark.unit

Said = tuple[str, str, str]


def said(store: MemoryAuditStore) -> list[Said]:
    return [(entry.action, entry.outcome, entry.target) for entry in store.entries]


@pytest.fixture
async def ada(client: httpx.AsyncClient) -> str:
    """Makes a user and returns their id."""
    user_id: str = (await client.post("/users", json={"name": "ada"})).json()["user_id"]
    return user_id


async def test_changes_of_users_and_keys_are_written_with_who_where_and_under_which_id(
    client: httpx.AsyncClient, ada: str, audit_store: MemoryAuditStore, gateway: Gateway
) -> None:
    change = {"role": "admin", "limits": {"concurrent_turns": 2}}
    await client.patch(f"/users/{ada}", json=change, headers={"X-Request-Id": "req-7"})
    made = (await client.post("/keys", json={"name": "k", "user_id": ada})).json()
    other = (await client.post(f"/keys/{made['key_id']}/rotate")).json()
    await client.delete(f"/keys/{other['key_id']}")

    assert [
        ("create_user", "done", ada),
        ("update_user", "done", ada),
        ("create_key", "done", made["key_id"]),
        ("rotate_key", "done", made["key_id"]),
        ("delete_key", "done", other["key_id"]),
    ] == said(audit_store)
    entry = audit_store.entries[1]
    assert gateway.keyring.administrator
    assert (gateway.keyring.administrator.user_id, "admin") == (entry.actor, entry.key_id)
    assert Whence("127.0.0.1", "req-7") == entry.whence
    assert {"role": "admin", "quota": {"concurrent_turns": 2}} == entry.details
    assert not any(key["key"][-50:] in repr(audit_store.entries) for key in (made, other))


async def test_a_change_of_a_provider_is_written_before_and_after(
    client: httpx.AsyncClient, script: Script, audit_store: MemoryAuditStore, audit: Audit
) -> None:
    """F19: that another address cleared the stored key is in the log."""
    provider = provider_pb2.Provider(name="acme", configuration=provider_pb2.Configuration())
    script.answers["UpdateProvider"] = provider_pb2.UpdateProviderResponse(provider=provider)
    body = {"base_url": "https://u:secret@elsewhere.example", "priority": 3, "sk-oops": 1}
    await client.patch("/providers/acme", json={k: body[k] for k in ("base_url", "priority")})
    await client.patch("/providers/acme", json=body)
    await audit.flush()

    assert [
        ("update_provider", "asked", "acme"),
        ("update_provider", "asked", "acme"),
        ("update_provider", "done", "acme"),
        ("update_provider", "invalid_argument", "acme"),
    ] == [entry for entry in said(audit_store) if entry[0] != "login"]
    fields = ["base_url", "priority"]
    changes = [entry for entry in audit_store.entries if entry.action == "update_provider"]
    assert {"fields": fields} == changes[0].details == changes[1].details
    assert {"fields": fields, "credential": None} == changes[2].details
    assert 2 == len({entry.whence.request_id for entry in changes})
    assert "secret" not in repr(audit_store.entries)
    assert "sk-oops" not in repr(audit_store.entries)


async def test_a_vendors_key_and_a_failed_change_are_written_without_the_key(
    client: httpx.AsyncClient, script: Script, audit_store: MemoryAuditStore, audit: Audit
) -> None:
    script.answers["SetCredential"] = Unavailable("Away.")
    await client.put("/providers/acme/credentials", json={"api_key": "sk-canary"})
    await client.request("DELETE", "/providers/acme/models/org/large%3Afree")
    await client.post("/providers", json={"name": "eu", "plugin": "acme"})
    await audit.flush()

    assert {
        ("set_credential", "asked", "acme"),
        ("set_credential", "unavailable", "acme"),
        ("reset_model", "asked", "acme/org/large:free"),
        ("reset_model", "done", "acme/org/large:free"),
        ("create_provider", "asked", "eu"),
        ("create_provider", "done", "eu"),
    } == {entry for entry in said(audit_store) if entry[0] != "login"}
    assert "canary" not in repr(audit_store.entries)


async def test_nothing_is_changed_that_cannot_be_written(
    client: httpx.AsyncClient, script: Script, audit_store: MemoryAuditStore
) -> None:
    async def away(_: object) -> None:
        raise DatabaseUnavailable

    audit_store.write = away  # type: ignore[method-assign,assignment]

    answer = await client.delete("/providers/acme")

    assert (503, []) == (answer.status_code, script.received)


async def test_refusals_of_administrators_routes_are_written(
    client: httpx.AsyncClient,
    app: FastAPI,
    user_key: str,
    audit_store: MemoryAuditStore,
    audit: Audit,
) -> None:
    """F5: on every such route, with every method."""
    audit_store.written.clear()
    headers = {"Authorization": f"Bearer {user_key}"}
    refused = set()
    for route in (route for route in app.routes if isinstance(route, GuardedRoute)):
        for method in route.methods or ():
            if route.scopes_for(method) == {"admin"}:
                path = route.path_format.replace("{", "").replace("}", "")
                answer = await client.request(method, path, headers=headers)
                assert 403 == answer.status_code
                refused.add((route.operation_id, "permission_denied"))
    await audit.flush()

    assert len(refused) >= 14
    assert refused == {entry[:2] for entry in said(audit_store) if entry[0] != "login"}
    assert all(entry.actor and entry.whence.request_id for entry in audit_store.entries)


async def test_logins_are_written_once_and_refused_keys_without_the_key(
    stranger: httpx.AsyncClient, user_key: str, audit_store: MemoryAuditStore, audit: Audit
) -> None:
    key_id, unknown = new_token()
    audit_store.written.clear()
    for key in (user_key, user_key, ADMIN_KEY, ADMIN_KEY, unknown, unknown, "wrong canary"):
        await stranger.get("/me", headers={"x-api-key": key})
    await stranger.get("/me", headers={"Authorization": "Basic Y2FuYXJ5"})
    await audit.flush()

    logins = [entry for entry in audit_store.entries if entry.action == "login"]
    assert ["done", "done", "unauthenticated", "unauthenticated"] == sorted(
        entry.outcome for entry in logins
    )
    counts = {e.key_id: e.details["count"] for e in logins if e.outcome != "done"}
    assert {key_id: 2, "": 2} == counts
    for secret in (unknown[-40:], "canary", "Y2FuYXJ5", ADMIN_KEY):
        assert secret not in repr(audit_store.entries)


async def test_a_context_that_a_service_refuses_is_written(
    client: httpx.AsyncClient, script: Script, audit_store: MemoryAuditStore, audit: Audit
) -> None:
    script.answers["ListChats"] = Unauthenticated("The user context is not signed.")
    await client.get("/chat/history")
    await audit.flush()

    assert ("list_chats", "unauthenticated", "") in said(audit_store)


async def test_refusals_are_bounded_and_cost_no_statement(
    audit: Audit, audit_store: MemoryAuditStore, outage: Outage
) -> None:
    outage.queries = 0
    for number in range(3 * module.MOST_KINDS):
        for _ in range(2):
            audit.refuse(Entry("login", "unauthenticated", whence=Whence(f"192.0.2.{number}")))
    assert 0 == outage.queries
    await audit.flush()

    assert 1 == outage.queries
    assert module.MOST_KINDS + 1 == len(audit_store.entries)
    assert {"count": 2} == audit_store.entries[0].details
    last = audit_store.entries[-1]
    assert ("suppressed", 4 * module.MOST_KINDS) == (last.action, last.details["count"])


async def test_what_waits_for_the_database_is_bounded_and_written_later(
    audit: Audit, audit_store: MemoryAuditStore, outage: Outage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_WAITING", 3)
    monkeypatch.setattr(module, "WRITE_EVERY_SECONDS", 0.01)
    outage.now = True
    running = asyncio.create_task(audit.run())
    for number in range(5):
        audit.keep(Entry("a", target=f"{number}"))
    await asyncio.sleep(0.05)
    outage.now = False
    async with asyncio.timeout(10):
        while not audit_store.entries:  # noqa: ASYNC110  (there is no event for it)
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)
    running.cancel()

    assert ["2", "3", "4"] == [entry.target for entry in audit_store.entries]


async def test_the_first_key_logs_in_once_an_hour(
    audit_store: MemoryAuditStore, clock: Clock, gateway: Gateway
) -> None:
    audit, by = Audit(audit_store, clock), gateway.keyring.administrator
    assert isinstance(by, Identity)
    for _ in range(3):
        audit.first_key(by, Whence())
    clock.now += module.LOGIN_EVERY_SECONDS
    audit.first_key(by, Whence())
    await audit.flush()

    assert 2 == len(audit_store.entries)


async def test_the_log_is_read_by_pages_and_filtered(
    client: httpx.AsyncClient, ada: str, audit: Audit
) -> None:
    await client.patch(f"/users/{ada}", json={"disabled": True})
    await audit.flush()
    actor = (await client.get("/me")).json()["user_id"]

    async def actions(query: str) -> list[str]:
        answer = await client.get(f"/audit?{query}")
        return [entry["action"] for entry in answer.json()["entries"]]

    found, token = [], ""
    while token is not None:
        page = (await client.get(f"/audit?page_size=1&page_token={token}")).json()
        found += page["entries"]
        token = page["next_page_token"]
    assert sorted(["login", "update_user", "create_user"]) == sorted(e["action"] for e in found)
    promised = "at actor action target ip request_id"
    assert set(promised.split()) | {"key_id", "outcome", "details"} == set(found[0])
    assert ["update_user"] == await actions("action=update_user")
    assert 3 == len(await actions(f"actor={actor}"))
    assert [] == await actions(f"actor={ada}")
    assert [] == await actions("from=2099-01-01")
    assert [] == await actions(f"to={datetime.now(UTC).date().isoformat()}")


@pytest.mark.parametrize(
    "query",
    [
        "page_size=0",
        "page_token=!",
        "actor=ada",
        "action=A'",
        "from=x",
        "from=2027-02-01&to=2027-01-01",
    ],
)
async def test_a_bad_question_is_refused(client: httpx.AsyncClient, query: str) -> None:
    answer = await client.get(f"/audit?{query}")

    assert (422, "invalid_argument") == (answer.status_code, answer.json()["reason"])


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("192.0.2.1", [], "192.0.2.1"),
        ("192.0.2.1", ["203.0.113.9"], "192.0.2.1"),
        ("10.0.0.1", ["203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", ["1.1.1.1, 203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", ["203.0.113.9, 10.0.0.2"], "203.0.113.9"),
        ("10.0.0.1", ["1.1.1.1", "203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", ["203.0.113.9, nonsense"], "10.0.0.1"),
        ("10.0.0.1", ["10.0.0.3"], "10.0.0.3"),
        ("::ffff:10.0.0.1", ["203.0.113.9"], "203.0.113.9"),
        ("", ["203.0.113.9"], ""),
    ],
)
def test_only_trusted_proxies_say_who_asks(peer: str, forwarded: list[str], address: str) -> None:
    headers = [(b"x-forwarded-for", line.encode()) for line in forwarded]
    scope: Mapping[str, Any] = {"client": (peer, 1), "headers": headers}

    assert address == address_of(dict(scope), [ip_network("10.0.0.0/8")])
