"""Users changed, and keys made for something, within limits, and rotated: over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from parley_gateway.core.model import Quota, User
from uuid_utils.compat import uuid7

from .memory import MemoryKeyStore, MemoryUserStore

pytestmark = pytest.mark.unit

NOTHING = {"requests_per_hour": None, "tokens_per_minute": None, "concurrent_turns": None}


@pytest.fixture
async def ada(client: httpx.AsyncClient) -> str:
    """Makes a user and returns their id."""
    user_id: str = (await client.post("/users", json={"name": "ada"})).json()["user_id"]
    return user_id


@pytest.fixture
async def admin(client: httpx.AsyncClient) -> str:
    user_id: str = (await client.get("/me")).json()["user_id"]
    return user_id


def stored(user_store: MemoryUserStore, user_id: str) -> User:
    return next(user for user in user_store.users.values() if str(user.user_id) == user_id)


async def key_of(client: httpx.AsyncClient, **body: Any) -> dict[str, Any]:
    answer = await client.post("/keys", json={"name": "k", **body})
    assert 201 == answer.status_code, answer.text
    made: dict[str, Any] = answer.json()
    return made


def shown(key: dict[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Bearer {key['key']}"}


async def test_a_user_is_got(client: httpx.AsyncClient, ada: str) -> None:
    user = (await client.get(f"/users/{ada}")).json()

    assert (ada, "ada", NOTHING) == (user["user_id"], user["name"], user["limits"])
    assert {"daily": None, "monthly": None} == user["budgets"]
    answer = await client.get(f"/users/{uuid7()}")
    assert (404, "user_not_found") == (answer.status_code, answer.json()["reason"])
    answer = await client.patch(f"/users/{uuid7()}", json={"disabled": True})
    assert (404, "user_not_found") == (answer.status_code, answer.json()["reason"])


async def test_what_is_left_out_stays_and_null_takes_back(
    client: httpx.AsyncClient, ada: str, user_store: MemoryUserStore
) -> None:
    for body, quota in (
        (
            {
                "limits": {"requests_per_hour": 5, "concurrent_turns": 2.0},
                "budgets": {"daily": "1.000000001"},
            },
            Quota(5, None, 2, 1_000_000_001),
        ),
        (
            {"limits": {"concurrent_turns": None}, "budgets": {"monthly": "0"}},
            Quota(5, None, None, 1_000_000_001, 0),
        ),
        ({}, Quota(5, None, None, 1_000_000_001, 0)),
        ({"limits": None, "name": "eve"}, Quota(None, None, None, 1_000_000_001, 0)),
        ({"budgets": None, "role": "admin", "disabled": True}, Quota()),
    ):
        answer = await client.patch(f"/users/{ada}", json=body)
        assert (200, quota) == (answer.status_code, stored(user_store, ada).quota), answer.text

    user = answer.json()
    assert ("eve", "admin", True) == (user["name"], user["role"], user["disabled"])
    assert (NOTHING, None) == (user["limits"], user["budgets"]["daily"])


@pytest.mark.parametrize(
    "body",
    [
        {"name": None},
        {"role": None},
        {"disabled": None},
        {"disabled": "yes"},
        {"role": "root"},
        {"is_admin": True},
        {"user_id": "x"},
        {"limits": {"requests_per_hour": 0}},
        {"limits": {"requests_per_hour": -1}},
        {"limits": {"requests_per_hour": True}},
        {"limits": {"requests_per_hour": "5"}},
        {"limits": {"requests_per_day": 5}},
        {"limits": {"tokens_per_minute": 10**18}},
        {"budgets": {"daily": "-1"}},
        {"budgets": {"daily": "NaN"}},
        {"budgets": {"daily": "1e3"}},
        {"budgets": {"daily": "0.0000000001"}},
        {"budgets": {"daily": 1}},
        {"budgets": {"weekly": "1"}},
    ],
)
async def test_a_bad_change_is_refused(client: httpx.AsyncClient, ada: str, body: object) -> None:
    """F14 and more: nothing but what is written down may be sent."""
    answer = await client.patch(f"/users/{ada}", json=body)

    assert (422, "invalid_argument") == (answer.status_code, answer.json()["reason"])
    assert answer.json()["errors"]


async def test_a_name_stays_unique(client: httpx.AsyncClient, ada: str) -> None:
    answer = await client.patch(f"/users/{ada}", json={"name": "admin"})
    assert (409, "user_exists") == (answer.status_code, answer.json()["reason"])
    assert 200 == (await client.patch(f"/users/{ada}", json={"name": "ada"})).status_code


@pytest.mark.parametrize("body", [{"disabled": True}, {"role": "user"}])
async def test_somebody_always_administers(
    client: httpx.AsyncClient, admin: str, body: object
) -> None:
    answer = await client.patch(f"/users/{admin}", json=body)
    assert (409, "last_administrator") == (answer.status_code, answer.json()["reason"])


async def test_the_first_administrator_keeps_the_name_and_may_be_limited(
    client: httpx.AsyncClient, admin: str
) -> None:
    """By the name it is found again at the next start."""
    assert 422 == (await client.patch(f"/users/{admin}", json={"name": "root"})).status_code
    body = {"role": "admin", "disabled": False, "name": "admin", "budgets": {"daily": "2"}}
    assert 200 == (await client.patch(f"/users/{admin}", json=body)).status_code
    assert "2" == (await client.get("/me")).json()["budgets"]["daily"]


async def test_a_disabled_user_is_out_at_once_and_comes_back(
    client: httpx.AsyncClient, ada: str
) -> None:
    mine = shown(await key_of(client, user_id=ada))
    assert 200 == (await client.get("/me", headers=mine)).status_code

    await client.patch(f"/users/{ada}", json={"disabled": True})
    assert 401 == (await client.get("/me", headers=mine)).status_code
    await client.patch(f"/users/{ada}", json={"disabled": False})
    assert 200 == (await client.get("/me", headers=mine)).status_code


async def test_a_lowered_role_counts_at_once(client: httpx.AsyncClient, ada: str) -> None:
    await client.patch(f"/users/{ada}", json={"role": "admin"})
    mine = shown(await key_of(client, user_id=ada))
    assert 200 == (await client.get("/users", headers=mine)).status_code

    await client.patch(f"/users/{ada}", json={"role": "user"})
    assert 403 == (await client.get("/users", headers=mine)).status_code


async def test_a_key_tells_what_it_is_for(client: httpx.AsyncClient, ada: str) -> None:
    await client.patch(f"/users/{ada}", json={"limits": {"requests_per_hour": 9}})
    asked = {
        "scopes": ["chat", "model:demo/org/a:b", "chat"],
        "limits": {"concurrent_turns": 1},
        "budgets": {"daily": "2.50"},
    }
    key = await key_of(client, user_id=ada, **asked)

    me = (await client.get("/me", headers=shown(key))).json()

    assert (["chat", "model:demo/org/a:b"], {**NOTHING, "concurrent_turns": 1}, "2.5") == (
        key["scopes"],
        key["limits"],
        key["budgets"]["daily"],
    )
    assert (key["scopes"], {**NOTHING, "requests_per_hour": 9}) == (
        me["key"]["scopes"],
        me["limits"],
    )


@pytest.mark.parametrize(
    "scope", ["", "root", "CHAT", "chat ", "provider:", "provider:A", "model:demo", "model:demo/",
              "model:/x", "provider:a/b", "model:a/\0", "x" * 400, None, 5],
)  # fmt: skip
async def test_what_is_no_scope_is_refused(client: httpx.AsyncClient, scope: object) -> None:
    answer = await client.post("/keys", json={"name": "k", "scopes": ["read", scope]})

    assert (422, "invalid_argument") == (answer.status_code, answer.json()["reason"])
    assert "/scopes/1" == answer.json()["errors"][0]["pointer"]


async def test_a_key_for_reading_may_be_called_read_only(client: httpx.AsyncClient) -> None:
    answer = await client.post("/keys", json={"name": "k", "scopes": ["read-only"]})

    assert (201, ["read"]) == (answer.status_code, answer.json()["scopes"])


@pytest.mark.parametrize(
    "own",
    [
        {"scopes": ["keys"]},
        {"scopes": ["provider:demo"]},
        {"limits": {"concurrent_turns": 5}},
        {"budgets": {"daily": "1"}},
        {"expires_at": "2099-01-01T00:00:00Z"},
    ],
)
async def test_a_restricted_key_makes_no_freer_one(
    client: httpx.AsyncClient, ada: str, own: dict[str, Any], key_store: MemoryKeyStore
) -> None:
    """Neither new, nor by rotating another one of its user's, nor by rotating itself."""
    free = await key_of(client, user_id=ada)
    mine = await key_of(client, user_id=ada, **own)
    before = len(key_store.keys)

    for path in ("/keys", f"/keys/{free['key_id']}/rotate"):
        body = {"name": "free"} if path == "/keys" else {}
        answer = await client.post(path, json=body, headers=shown(mine))
        assert 403 == answer.status_code, path
    await client.post(f"/keys/{mine['key_id']}/rotate", headers=shown(mine))
    made = [key for _, key in key_store.keys.values()][before:]
    assert all({"scopes", "expires_at"} & own.keys() for _ in made)
    assert all(sorted(key.scopes) == own.get("scopes", []) for key in made)


async def test_a_key_is_rotated_with_an_overlap(client: httpx.AsyncClient, ada: str) -> None:
    at = (datetime.now(UTC) + timedelta(days=90)).isoformat()
    old = await key_of(client, user_id=ada, scopes=["keys", "read"], expires_at=at)

    answer = await client.post(f"/keys/{old['key_id']}/rotate", headers=shown(old))

    new = answer.json()
    assert 201 == answer.status_code
    same = ("name", "scopes", "limits", "budgets", "user_id", "expires_at")
    assert [old[field] for field in same] == [new[field] for field in same]
    assert new["key_id"] != old["key_id"]
    for key in (old, new):
        assert 200 == (await client.get("/me", headers=shown(key))).status_code
    left = (await client.get("/me", headers=shown(old))).json()["key"]["expires_at"]
    day = timedelta(days=1)
    assert day - timedelta(minutes=1) < datetime.fromisoformat(left) - datetime.now(UTC) <= day
    again = await client.post(f"/keys/{old['key_id']}/rotate", headers=shown(new))
    assert (409, "key_rotated") == (again.status_code, again.json()["reason"])


async def test_without_overlap_the_old_key_is_gone_at_once(client: httpx.AsyncClient) -> None:
    old = await key_of(client)
    assert 200 == (await client.get("/me", headers=shown(old))).status_code

    answer = await client.post(f"/keys/{old['key_id']}/rotate", json={"overlap_seconds": 0})

    assert 401 == (await client.get("/me", headers=shown(old))).status_code
    assert 200 == (await client.get("/me", headers=shown(answer.json()))).status_code


@pytest.mark.parametrize("overlap", [-1, 30 * 86400 + 1, "1", 1.5, None])
async def test_a_bad_overlap_is_refused(client: httpx.AsyncClient, overlap: object) -> None:
    key = await key_of(client)

    answer = await client.post(f"/keys/{key['key_id']}/rotate", json={"overlap_seconds": overlap})

    assert (422, "/overlap_seconds") == (
        answer.status_code,
        answer.json()["errors"][0]["pointer"],
    )


async def test_others_keys_cannot_be_rotated(client: httpx.AsyncClient, user_key: str) -> None:
    key = await key_of(client)
    theirs = {"Authorization": f"Bearer {user_key}"}

    foreign = await client.post(f"/keys/{key['key_id']}/rotate", headers=theirs)
    missing = await client.post("/keys/aaaaaaaaaaaa/rotate", headers=theirs)

    assert (404, 404) == (foreign.status_code, missing.status_code)
    assert {"key_not_found"} == {answer.json()["reason"] for answer in (foreign, missing)}
    assert 404 == (await client.post("/keys/admin/rotate")).status_code


async def test_there_is_no_first_run_setup(stranger: httpx.AsyncClient) -> None:
    """F12: nobody can be first; the administrator's key stands in the settings from the start."""
    for path in ("/setup", "/auth/signup", "/register", "/login"):
        for method in ("GET", "POST"):
            answer = await stranger.request(method, path, json={"name": "eve"})
            assert answer.status_code in {401, 404}, path
    assert 401 == (await stranger.post("/users", json={"name": "eve"})).status_code
