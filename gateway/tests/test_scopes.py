"""What a key is for: at every route, in either spelling, and in what it hands on."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from parley_gateway.api.dependencies import ADMINISTRATORS, Gateway, GuardedRoute
from parley_gateway.api.openapi import describe
from parley_gateway.core.faults import KeyNotFound
from parley_gateway.core.model import Identity, Quota, Restriction, Role, Scope
from parley_gateway.core.scopes import ANY, acting_role, require_admin, require_may_make
from parley_gateway.core.users import Accounts
from parley_rpc.faults import PermissionDenied, ScopeMissing
from uuid_utils.compat import uuid7

from .fakes import Script

pytestmark = pytest.mark.unit

CHATS = {"read", "chat"}
# Which scopes will do, for what only reads and for what changes something; None when any will.
TABLE: dict[str, tuple[set[str] | None, set[str] | None]] = {
    "/chat": (CHATS, {"chat"}),
    "/chats": (CHATS, {"chat"}),
    "/system-prompt": ({"read", "prompts"}, {"prompts"}),
    "/system-prompts": ({"read", "prompts"}, {"prompts"}),
    "/providers": (None, {"admin"}),
    "/usage": ({"read"}, set()),
    "/me": (None, None),
    "/keys": ({"read", "keys"}, {"keys"}),
    "/users": ({"admin"}, {"admin"}),
    "/aliases": (None, {"admin"}),
    "/audit": ({"admin"}, set()),
    "/v1": (CHATS, {"chat"}),
    # Which differ from those above them.
    "/v1/models": (None, set()),
    "/v1/models/model": (None, set()),
    "/v1/messages/count_tokens": (set(), CHATS),
}


def guarded(app: FastAPI) -> list[tuple[str, str, GuardedRoute]]:
    return [
        (method, route.path.replace("{", "").replace("}", "").replace(":path", ""), route)
        for route in app.routes
        if isinstance(route, GuardedRoute)
        for method in sorted(route.methods or ())
    ]


def expected(method: str, path: str) -> frozenset[str]:
    reading, changing = TABLE.get(path) or TABLE["/" + path.split("/")[1]]
    scopes = reading if method == "GET" else changing
    return ANY if scopes is None else frozenset(scopes)


def test_every_route_says_of_which_scopes_it_needs_one(app: FastAPI) -> None:
    """A route that says nothing is for nobody, and not in the table."""
    for method, path, route in guarded(app):
        assert route.scopes_for(method), path
        assert expected(method, path) == route.scopes_for(method), (method, path)


def test_the_document_says_it_too(app: FastAPI) -> None:
    document = describe(app)
    for method, _, route in guarded(app):
        operation = document["paths"][route.path_format][method.lower()]
        scopes = route.scopes_for(method)
        assert operation["x-scope"] == ([] if scopes == ANY else sorted(scopes))
        told = operation["responses"].get("403", {"content": {"": {"examples": {}}}})["content"]
        assert (scopes != ANY) == ("scope_missing" in next(iter(told.values()))["examples"])


@pytest.fixture
async def admin(gateway: Gateway) -> Identity:
    assert gateway.keyring.administrator
    return gateway.keyring.administrator


async def key_for(accounts: Accounts, admin: Identity, *scopes: str) -> str:
    restriction = Restriction(frozenset(scopes))
    _, token = await accounts.add_key(
        admin, "scoped", owner=None, expires_at=None, restriction=restriction
    )
    return token


@pytest.mark.parametrize("scope", [*Scope, "provider:demo"])
async def test_scopes_are_enforced_alike_in_both_spellings_on_every_route(
    stranger: httpx.AsyncClient, app: FastAPI, accounts: Accounts, admin: Identity, scope: str
) -> None:
    """CVE-2026-45339: limits of a key held for one header and not for the other."""
    key = await key_for(accounts, admin, scope)
    for method, path, route in guarded(app):
        needed = route.scopes_for(method)
        allowed = scope not in ANY or scope in needed
        for headers in ({"Authorization": f"Bearer {key}"}, {"x-api-key": key}):
            answer = await stranger.request(method, path, headers=headers)
            missing = f"the scope {' or '.join(sorted(needed))}."
            refused = answer.status_code == 403 and missing in answer.text
            assert refused != allowed, (method, path, headers)


async def test_a_route_that_declares_nothing_is_for_nobody(
    client: httpx.AsyncClient, app: FastAPI
) -> None:
    async def forgotten() -> None: ...

    app.router.add_api_route(
        "/forgotten", forgotten, methods=["GET", "POST"], route_class_override=GuardedRoute
    )

    for method in ("GET", "POST"):
        answer = await client.request(method, "/forgotten")
        assert (403, "permission_denied") == (answer.status_code, answer.json()["reason"])


async def test_a_scope_does_not_make_an_administrator(
    stranger: httpx.AsyncClient, accounts: Accounts, admin: Identity
) -> None:
    user = await accounts.add_user(admin, "ada", Role.USER)
    restriction = Restriction(frozenset({"admin"}))
    _, key = await accounts.add_key(
        admin, "k", owner=user.user_id, expires_at=None, restriction=restriction
    )

    answer = await stranger.get("/users", headers={"x-api-key": key})

    assert (403, "permission_denied") == (answer.status_code, answer.json()["reason"])


async def test_an_administrators_key_without_the_scope_acts_as_an_ordinary_user(
    stranger: httpx.AsyncClient, accounts: Accounts, admin: Identity, script: Script
) -> None:
    """Towards the services too: they see no administrator."""
    stranger.headers["x-api-key"] = await key_for(accounts, admin, "read", "keys")
    other = uuid7()

    for path in (f"/keys?user_id={other}", f"/usage?user_id={other}"):
        answer = await stranger.get(path)
        assert (403, "scope_missing") == (answer.status_code, answer.json()["reason"])
    assert 404 == (await stranger.delete("/keys/aaaaaaaaaaaa")).status_code
    me = (await stranger.get("/me")).json()
    assert ("admin", ["keys", "read"]) == (me["role"], me["key"]["scopes"])
    await stranger.get("/usage")
    assert ("user", frozenset({"read", "keys"})) == (script.last.role, script.last.scopes)


async def test_keys_of_others_are_not_revoked_with_a_key_that_is_not_for_it(
    accounts: Accounts, admin: Identity
) -> None:
    user = await accounts.add_user(admin, "ada", Role.USER)
    theirs, _ = await accounts.add_key(admin, "k", owner=user.user_id, expires_at=None)
    narrow = replace(admin, scopes=frozenset({"keys"}))

    with pytest.raises(KeyNotFound):
        await accounts.revoke_key(narrow, theirs.key_id)
    await accounts.revoke_key(replace(admin, scopes=frozenset({"keys", "admin"})), theirs.key_id)


def acting(*scopes: str, **more: Any) -> Identity:
    return Identity(uuid7(), "ada", Role.USER, "k", "k", scopes=frozenset(scopes), **more)


@pytest.mark.parametrize(
    ("own", "asked"),
    [
        ("", ""),
        ("", "admin provider:a"),
        ("chat keys", "chat"),
        ("chat keys", "chat keys provider:a"),
        ("provider:a provider:b", "provider:a"),
        ("provider:a", "provider:a chat"),
        ("provider:a", "model:a/x"),
        ("provider:a", "provider:a model:a/x"),
        ("model:a/x model:a/y", "model:a/y"),
        ("provider:a model:a/x", "provider:a model:a/x"),
        ("provider:a model:a/x", "model:a/x"),
    ],
)
def test_less_or_the_same_may_be_handed_on(own: str, asked: str) -> None:
    require_may_make(acting(*own.split()), frozenset(asked.split()), None)


@pytest.mark.parametrize(
    ("own", "asked"),
    [
        ("chat keys", ""),
        ("chat keys", "chat read"),
        ("chat keys", "admin"),
        ("keys", "provider:a"),
        ("provider:a", ""),
        ("provider:a", "chat"),
        ("provider:a", "provider:b"),
        ("provider:a", "provider:a provider:b"),
        ("provider:a", "model:b/x"),
        ("provider:a", "provider:a model:b/x"),
        ("provider:a", "provider:ab"),
        ("model:a/x", ""),
        ("model:a/x", "provider:a"),
        ("model:a/x", "model:a/x provider:a"),
        ("model:a/x", "model:a/xy"),
        ("model:a/x", "model:a/x model:a/y"),
        ("provider:a model:a/x", "provider:a"),
        ("provider:a model:b/x", "model:b/x"),
        ("keys provider:a", "keys"),
    ],
)
def test_more_may_not_be_handed_on(own: str, asked: str) -> None:
    with pytest.raises(PermissionDenied):
        require_may_make(acting(*own.split()), frozenset(asked.split()), None)


def test_a_key_with_limits_of_its_own_makes_none() -> None:
    for quota in (Quota(concurrent_turns=1), Quota(daily_nano_usd=0)):
        with pytest.raises(PermissionDenied):
            require_may_make(acting(key_quota=quota), frozenset(), None)
    require_may_make(acting(user_quota=Quota(concurrent_turns=1)), frozenset(), None)


def test_nothing_outlives_the_key_that_made_it() -> None:
    at = datetime.now(UTC) + timedelta(hours=1)
    by = acting(expires_at=at)

    require_may_make(by, frozenset(), at)
    for later in (None, at + timedelta(seconds=1)):
        with pytest.raises(PermissionDenied):
            require_may_make(by, frozenset(), later)


def test_an_administrator_needs_the_role_and_the_scope() -> None:
    admin = replace(acting(), role=Role.ADMIN)
    require_admin(admin)
    require_admin(replace(admin, scopes=frozenset({"admin", "read"})))
    assert Role.ADMIN is acting_role(replace(admin, scopes=frozenset({"provider:a"})))
    with pytest.raises(ScopeMissing):
        require_admin(replace(admin, scopes=frozenset({"read"})))
    with pytest.raises(PermissionDenied):
        require_admin(acting("admin"))
    assert ADMINISTRATORS == {Scope.ADMIN}
