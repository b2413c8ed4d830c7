"""Users and keys over HTTP."""

from __future__ import annotations

from base64 import b64decode
from datetime import UTC, datetime

import httpx
import pytest
from parley_gateway.core.keys import PREFIX

from parley.context.v1.context_pb2 import SignedUserContext, UserContext

pytestmark = pytest.mark.unit


@pytest.fixture
async def ada(client: httpx.AsyncClient) -> str:
    """Makes a user and returns their id."""
    user_id: str = (await client.post("/users", json={"name": "ada"})).json()["user_id"]
    return user_id


async def test_the_caller_is_told_who_they_are(client: httpx.AsyncClient) -> None:
    me = (await client.get("/me")).json()

    limits = {"requests_per_hour": 1000, "tokens_per_minute": None, "concurrent_turns": None}
    assert ("admin", "admin", limits) == (me["name"], me["role"], me["limits"])
    assert {"daily": None, "monthly": None} == me["budgets"]
    assert {"key_id": "admin", "name": "admin", "scopes": [], "expires_at": None} == me["key"]


async def test_a_context_for_calls_over_grpc_names_the_caller(
    client: httpx.AsyncClient, ada: str
) -> None:
    key = (await client.post("/keys", json={"name": "service", "user_id": ada})).json()["key"]

    answer = await client.post("/me/context", headers={"Authorization": f"Bearer {key}"})

    signed = SignedUserContext.FromString(b64decode(answer.json()["context"]))
    context = UserContext.FromString(signed.user_context)
    assert (201, ada) == (answer.status_code, context.user_id)
    expires_at = datetime.fromisoformat(answer.json()["expires_at"])
    assert context.expires_at.ToDatetime(UTC) == expires_at
    assert expires_at > datetime.now(UTC)
    fresh_until = datetime.fromisoformat(answer.json()["fresh_until"])
    assert context.fresh_until.ToDatetime(UTC) == fresh_until < expires_at
    assert ("gateway-", 64) == (signed.signing_key_id[:8], len(signed.signature))


async def test_a_user_is_made_and_listed(client: httpx.AsyncClient) -> None:
    answer = await client.post("/users", json={"name": "ada", "role": "admin"})

    user = answer.json()
    assert (201, "ada", "admin", False) == (
        answer.status_code,
        user["name"],
        user["role"],
        user["disabled"],
    )
    assert [user["user_id"]] == [
        u["user_id"] for u in (await client.get("/users")).json()["users"] if u["name"] == "ada"
    ]


async def test_a_taken_name_is_409(client: httpx.AsyncClient, ada: str) -> None:
    answer = await client.post("/users", json={"name": "ada"})

    assert (409, "user_exists") == (answer.status_code, answer.json()["reason"])


async def test_a_key_is_shown_once_and_works(client: httpx.AsyncClient, ada: str) -> None:
    answer = await client.post("/keys", json={"name": "laptop", "user_id": ada})
    key = answer.json()

    assert 201 == answer.status_code
    assert key["key"].startswith(f"{PREFIX}{key['key_id']}_")
    assert key["key"].endswith(key["last4"])
    me = await client.get("/me", headers={"Authorization": f"Bearer {key['key']}"})
    assert (ada, key["key_id"]) == (me.json()["user_id"], me.json()["key"]["key_id"])
    listed = (await client.get(f"/keys?user_id={ada}")).json()["keys"]
    assert [key["key_id"]] == [one["key_id"] for one in listed]
    promised = "key_id name last4 scopes expires_at last_used_at created_at"
    assert set(promised.split()) | {"user_id", "limits", "budgets"} == set(listed[0])


async def test_a_revoked_key_is_refused_at_once(client: httpx.AsyncClient, user_key: str) -> None:
    mine = {"Authorization": f"Bearer {user_key}"}
    key_id = (await client.get("/me", headers=mine)).json()["key"]["key_id"]

    assert 204 == (await client.delete(f"/keys/{key_id}", headers=mine)).status_code
    assert 401 == (await client.get("/me", headers=mine)).status_code
    assert 404 == (await client.delete(f"/keys/{key_id}")).status_code


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/users", None),
        ("POST", "/users", {"name": "eve"}),
        ("GET", "/keys?user_id=01990000-0000-7000-8000-000000000001", None),
        ("POST", "/keys", {"name": "k", "user_id": "01990000-0000-7000-8000-000000000001"}),
    ],
)
async def test_an_ordinary_user_is_refused_what_administrators_do(
    client: httpx.AsyncClient, user_key: str, method: str, path: str, body: object
) -> None:
    client.headers["Authorization"] = f"Bearer {user_key}"

    answer = await client.request(method, path, json=body)

    assert (403, "permission_denied") == (answer.status_code, answer.json()["reason"])


async def test_lists_are_paged(client: httpx.AsyncClient) -> None:
    for number in range(4):
        await client.post("/users", json={"name": f"user-{number}"})
        await client.post("/keys", json={"name": f"key-{number}"})

    for path, entries, most in (("/users", "users", 5), ("/keys", "keys", 4)):
        names, token = [], ""
        while token is not None:
            page = (await client.get(f"{path}?page_size=2&page_token={token}")).json()
            names += [entry["name"] for entry in page[entries]]
            token = page["next_page_token"]
        assert most == len(set(names)) == len(names)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": ""},
        {"name": " "},
        {"name": "x" * 101},
        {"name": "a\0b"},
        {"name": 5},
        {"name": "k", "is_admin": True},
        {"name": "k", "user_id": "ada"},
        {"name": "k", "user_id": "01990000000070008000000000000001"},
        {"name": "k", "expires_at": "tomorrow"},
        {"name": "k", "expires_at": 2000000000},
        {"name": "k", "expires_at": "2020-01-01T00:00:00Z"},
        {"name": "k", "expires_at": "2099-01-01T00:00:00"},
    ],
)
async def test_a_bad_key_is_refused(client: httpx.AsyncClient, body: object) -> None:
    answer = await client.post("/keys", json=body)

    assert (422, "invalid_argument") == (answer.status_code, answer.json()["reason"])
    assert answer.json()["errors"]


async def test_a_role_that_is_none_is_refused(client: httpx.AsyncClient) -> None:
    answer = await client.post("/users", json={"name": "eve", "role": "root"})

    assert (422, "/role") == (answer.status_code, answer.json()["errors"][0]["pointer"])


@pytest.mark.parametrize("path", ["/users", "/keys"])
@pytest.mark.parametrize("token", ["!", "eA==", "MjAyNi0wMS0wMSBo", "%00", "é"])
async def test_a_token_that_is_not_ours_is_refused(
    client: httpx.AsyncClient, path: str, token: str
) -> None:
    answer = await client.get(f"{path}?page_token={token}")

    assert (422, "/page_token") == (answer.status_code, answer.json()["errors"][0]["pointer"])
