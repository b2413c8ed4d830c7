"""Who gets in, how often, and that no route forgets to ask."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from fastapi import FastAPI
from parley_gateway.api.credential import credential
from parley_gateway.api.dependencies import Gateway, GuardedRoute
from parley_rpc.faults import Unauthenticated
from starlette.routing import BaseRoute

from .conftest import ADMIN_KEY
from .fakes import MemoryLimitStore, Outage

pytestmark = pytest.mark.unit

PUBLIC = {
    "/",
    "/health",
    "/livez",
    "/readyz",
    "/docs",
    "/docs/assets",
    "/docs/problems/{reason}",
    "/redoc",
    "/openapi.json",
}


def path_of(route: BaseRoute) -> str:
    return str(getattr(route, "path", ""))


def guarded(app: FastAPI) -> list[tuple[str, str]]:
    return [
        (method, route.path.replace("{", "").replace("}", ""))
        for route in app.routes
        if isinstance(route, GuardedRoute)
        for method in sorted(route.methods or ())
    ]


def names_of(answer: httpx.Response) -> set[str]:
    """What a refusal is called: by its reason, or as the dialect of its route has it."""
    told = answer.json()
    error = told.get("error") or {}
    return {told.get("reason"), error.get("code"), error.get("type")}


def test_every_route_is_public_on_purpose_or_guarded(app: FastAPI) -> None:
    open_to_all = {path_of(r) for r in app.routes if not isinstance(r, GuardedRoute)}

    assert PUBLIC == open_to_all
    assert len(guarded(app)) >= 20


async def test_no_guarded_route_answers_a_stranger(
    stranger: httpx.AsyncClient, app: FastAPI
) -> None:
    for method, path in guarded(app):
        answer = await stranger.request(method, path, content=b"not json")

        assert 401 == answer.status_code, path
        assert {"unauthenticated", "authentication_error", "invalid_api_key"} & names_of(answer)
        assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_no_guarded_route_answers_without_a_database_or_says_that_the_key_is_wrong(
    client: httpx.AsyncClient, app: FastAPI, outage: Outage
) -> None:
    outage.now = True
    for method, path in guarded(app):
        answer = await client.request(method, path)

        assert 503 == answer.status_code, path
        assert {"database_unavailable", "api_error"} & names_of(answer)
        assert answer.headers["retry-after"] == "1"


async def test_both_headers_mean_the_same_on_every_route(
    stranger: httpx.AsyncClient, app: FastAPI
) -> None:
    for method, path in guarded(app):
        bearer = {"Authorization": f"Bearer {ADMIN_KEY}"}
        statuses = {
            (await stranger.request(method, path, headers=headers)).status_code
            for headers in (bearer, {"x-api-key": ADMIN_KEY})
        }

        assert 1 == len(statuses), path
        assert 401 not in statuses, path


@pytest.mark.parametrize(
    "headers",
    [
        [("authorization", "Bearer key")],
        [("authorization", "bearer  key ")],
        [("x-api-key", "key")],
        [("authorization", "Bearer key"), ("x-api-key", "key")],
    ],
)
def test_a_key_may_be_shown_in_these_ways(headers: list[tuple[str, str]]) -> None:
    assert b"key" == credential([(name.encode(), value.encode()) for name, value in headers])


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("authorization", "")],
        [("authorization", "Bearer")],
        [("authorization", "Bearer ")],
        [("authorization", "Basic a2V5")],
        [("authorization", "key")],
        [("authorization", "Bearer key"), ("authorization", "Bearer key")],
        [("authorization", "Bearer key"), ("x-api-key", "other")],
        [("authorization", "Basic a2V5"), ("x-api-key", "key")],
        [("x-api-key", "")],
        [("x-api-key", "key"), ("x-api-key", "other")],
        [("x-api-key", "k" * 1_000_000)],
    ],
    ids=range(12),
)
def test_a_key_may_not_be_shown_in_these_ways(headers: list[tuple[str, str]]) -> None:
    with pytest.raises(Unauthenticated):
        credential([(name.encode(), value.encode()) for name, value in headers])


@pytest.mark.parametrize(
    "token", [b"\0", b"' OR '1'='1", b"\xff\xfe", b"k" * 1_000_000], ids=["nul", "sql", "ff", "1MB"]
)
async def test_a_hostile_token_is_401_without_a_query(
    stranger: httpx.AsyncClient, outage: Outage, token: bytes
) -> None:
    outage.queries = 0

    answer = await stranger.get("/me", headers=[(b"authorization", b"Bearer " + token)])

    assert (401, 0) == (answer.status_code, outage.queries)


async def test_what_is_left_is_told_with_every_answer(client: httpx.AsyncClient) -> None:
    for path in ("/me", "/keys?page_size=0"):
        headers = (await client.get(path)).headers

    assert '"hour";r=998;t=3600' == headers["ratelimit"]
    assert '"hour";q=1000;w=3600' == headers["ratelimit-policy"]
    assert ("1000", "998", "3600s") == (
        headers["x-ratelimit-limit-requests"],
        headers["x-ratelimit-remaining-requests"],
        headers["x-ratelimit-reset-requests"],
    )


async def test_over_the_limit_is_429_with_a_true_retry_after(
    client: httpx.AsyncClient, gateway: Gateway, limit_store: MemoryLimitStore
) -> None:
    gateway.limiter.limit = 50

    answers = await asyncio.gather(*(client.get("/me") for _ in range(120)))

    refused = [answer for answer in answers if answer.status_code == 429]
    assert (50, 70) == (sum(a.is_success for a in answers), len(refused))
    assert {"limit_exceeded"} == {answer.json()["reason"] for answer in refused}
    assert {"3600"} == {answer.headers["retry-after"] for answer in refused}
    assert {'"hour";r=0;t=3600'} == {answer.headers["ratelimit"] for answer in refused}
    assert 50 == next(iter(limit_store.windows.values()))[1]


async def test_strangers_and_public_routes_cost_nothing(
    stranger: httpx.AsyncClient, limit_store: MemoryLimitStore
) -> None:
    for path in ("/", "/livez", "/me", "/nothing"):
        headers = (await stranger.get(path)).headers
        assert "ratelimit" not in headers

    assert {} == limit_store.windows
