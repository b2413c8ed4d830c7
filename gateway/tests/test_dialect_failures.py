"""Every failure in the words of each dialect, as the vendors' own clients read it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import anthropic
import httpx
import httpx2
import openai
import pytest
from parley_gateway.api.dialects import failures
from parley_gateway.api.dialects.failures import Dialect, dialect_of
from parley_gateway.api.middleware import SCOPE_KEY, Exchange
from parley_gateway.api.problems import PROBLEMS
from parley_gateway.core.limits import Limiter
from parley_rpc.faults import InvalidArgument, Origin, RemoteFault
from parley_rpc.status import KINDS

from .conftest import LIMIT
from .fakes import Outage, Script
from .replies import user

pytestmark = pytest.mark.unit

PATHS = {Dialect.OPENAI: "/v1/chat/completions", Dialect.ANTHROPIC: "/v1/messages"}
NOT_FOUND = (
    "chat_not_found message_not_found prompt_not_found provider_not_found model_not_found "
    "alias_not_found plugin_not_found route_not_found user_not_found key_not_found"
)
CONFLICTS = (
    "chat_busy chat_deleted prompt_exists prompt_shared provider_not_ready usage_exists "
    "provider_exists provider_built_in master_key_missing user_exists last_administrator "
    "key_rotated chat_goes_on"
)
BAD = (
    "invalid_argument idempotency_key_reused context_length content_filtered bad_request "
    "malformed_body malformed_request price_unknown"
)
FAILED = "internal provider_auth provider_error unreachable bad_response tool_calls_too_large"
AWAY = "unavailable database_unavailable turn_interrupted circuit_open"
OPENAI: Mapping[type[openai.APIStatusError], str] = {
    openai.BadRequestError: BAD,
    openai.AuthenticationError: "unauthenticated",
    openai.PermissionDeniedError: "permission_denied scope_missing",
    openai.NotFoundError: NOT_FOUND,
    openai.ConflictError: CONFLICTS,
    openai.RateLimitError: "limit_exceeded rate_limited too_many_attempts budget_exceeded "
    "provider_quota",
    openai.InternalServerError: f"{FAILED} {AWAY} unimplemented deadline_exceeded timeout "
    "overloaded too_busy",
    # Statuses that this client has no class for.
    openai.APIStatusError: "method_not_allowed too_large body_too_large slow_body encoded_body "
    "head_too_large",
}
ANTHROPIC: Mapping[type[anthropic.APIStatusError], str] = {
    anthropic.BadRequestError: BAD,
    anthropic.AuthenticationError: "unauthenticated",
    anthropic.PermissionDeniedError: "permission_denied scope_missing",
    anthropic.NotFoundError: NOT_FOUND,
    anthropic.ConflictError: CONFLICTS,
    anthropic.RequestTooLargeError: "too_large body_too_large",
    anthropic.RateLimitError: "limit_exceeded rate_limited too_many_attempts",
    anthropic.InternalServerError: FAILED,
    anthropic.ServiceUnavailableError: AWAY,
    anthropic.DeadlineExceededError: "deadline_exceeded timeout",
    anthropic.OverloadedError: "overloaded too_busy",
    anthropic.PaymentRequiredError: "budget_exceeded provider_quota",
    anthropic.RequestTimeoutError: "slow_body",
    anthropic.RequestHeaderFieldsTooLargeError: "head_too_large",
    anthropic.HTTPNotImplementedError: "unimplemented",
    # Statuses that this client has no class for.
    anthropic.APIStatusError: "method_not_allowed encoded_body",
}
EXPECTED = {
    (dialect, reason): kind
    for dialect, table in ((Dialect.OPENAI, OPENAI), (Dialect.ANTHROPIC, ANTHROPIC))
    for kind, reasons in table.items()
    for reason in reasons.split()
}
CLIENTS: dict[Dialect, Any] = {
    Dialect.OPENAI: openai.OpenAI(api_key="any", base_url="http://gateway"),
    Dialect.ANTHROPIC: anthropic.Anthropic(api_key="any", base_url="http://gateway"),
}


def scope_of(path: str, **headers: str) -> dict[str, Any]:
    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return {"path": path, "headers": pairs, SCOPE_KEY: Exchange("r1")}


def fault_of(reason: str) -> RemoteFault:
    return RemoteFault("It went wrong.", Origin(next(iter(KINDS.values())), reason, ""))


def answer_of(reason: str, dialect: Dialect) -> httpx2.Response:
    made = failures.response(fault_of(reason), scope_of(PATHS[dialect]))
    asked = httpx2.Request("POST", "http://gateway")
    return httpx2.Response(
        made.status_code, headers=dict(made.headers), content=bytes(made.body), request=asked
    )


def test_every_reason_has_its_class() -> None:
    assert {(dialect, reason) for dialect in Dialect for reason in PROBLEMS} == EXPECTED.keys()


@pytest.mark.parametrize(("dialect", "reason"), EXPECTED)
def test_the_vendors_client_makes_its_own_class_of_it(dialect: Dialect, reason: str) -> None:
    answer, client = answer_of(reason, dialect), CLIENTS[dialect]

    error = client._make_status_error_from_response(answer)

    assert EXPECTED[dialect, reason] is type(error)
    assert "It went wrong." in str(error)
    row = PROBLEMS[reason]
    assert ("true" if row.retryable else "false") == answer.headers["x-should-retry"]
    assert row.retryable is client._should_retry(answer)
    if answer.status_code in {429, 503, 529}:
        assert "1" == answer.headers["retry-after"]
    if dialect is Dialect.ANTHROPIC:
        assert ("r1", "r1") == (error.request_id, answer.json()["request_id"])


def test_the_openai_client_is_told_what_it_looks_at() -> None:
    told = failures.document_of(
        InvalidArgument.of("messages[0].role", "It is no role."), Dialect.OPENAI, "r1"
    )

    assert {
        "message": "messages[0].role: It is no role.",
        "type": "invalid_request_error",
        "param": "messages[0].role",
        "code": "invalid_argument",
    } == told["error"]
    codes = {
        reason: answer_of(reason, Dialect.OPENAI).json()["error"]["code"]
        for reason in ("unauthenticated", "model_not_found", "context_length", "budget_exceeded")
    }
    assert {
        "unauthenticated": "invalid_api_key",
        "model_not_found": "model_not_found",
        "context_length": "context_length_exceeded",
        "budget_exceeded": "insufficient_quota",
    } == codes


@pytest.mark.parametrize(
    ("path", "headers", "dialect"),
    [
        ("/v1", {}, Dialect.OPENAI),
        ("/v1/", {}, Dialect.OPENAI),
        ("/v1/chat/completions", {"anthropic_version": "2023-06-01"}, Dialect.OPENAI),
        ("/v1/messages", {}, Dialect.ANTHROPIC),
        ("/v1/messages/count_tokens", {}, Dialect.ANTHROPIC),
        ("/v1/messagesx", {}, Dialect.OPENAI),
        ("/v1/models", {}, Dialect.OPENAI),
        ("/v1/models", {"anthropic_version": "2023-06-01"}, Dialect.ANTHROPIC),
        ("/v1/models/acme/large", {"anthropic_version": "2023-06-01"}, Dialect.ANTHROPIC),
        ("/v1x", {}, None),
        ("/chat", {"anthropic_version": "2023-06-01"}, None),
    ],
)
def test_a_path_has_its_dialect(
    path: str, headers: dict[str, str], dialect: Dialect | None
) -> None:
    assert dialect is dialect_of(scope_of(path, **headers))


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/chat/completions", 405),
        ("POST", "/v1/models", 405),
        ("GET", "/v1", 404),
        ("POST", "/v1/audio/speech", 404),
        ("GET", "/v1/chat/completions/any", 404),
    ],
)
async def test_what_is_not_served_is_told_in_the_dialect(
    client: httpx.AsyncClient, method: str, path: str, status: int
) -> None:
    answer = await client.request(method, path)

    assert (status, "application/json") == (answer.status_code, answer.headers["content-type"])
    assert {"message", "type", "param", "code"} == answer.json()["error"].keys()
    assert (status == 405) is ("allow" in answer.headers)


async def test_strangers_are_refused_in_the_dialect(
    stranger: httpx.AsyncClient, script: Script
) -> None:
    answer = await stranger.post("/v1/chat/completions", content=b"not even JSON")

    assert (401, "invalid_api_key") == (answer.status_code, answer.json()["error"]["code"])
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert [] == script.received


async def test_a_key_may_be_shown_either_way(
    client: httpx.AsyncClient, stranger: httpx.AsyncClient
) -> None:
    key = client.headers.pop("Authorization").removeprefix("Bearer ")

    answer = await stranger.get("/v1/models", headers={"x-api-key": key})

    assert 200 == answer.status_code


async def test_the_hour_is_over_in_the_dialect(client: httpx.AsyncClient, app: Any) -> None:
    limiter: Limiter = app.state.gateway.limiter
    object.__setattr__(app.state.gateway, "limiter", Limiter(limiter.store, 1))
    await client.get("/v1/models")

    answer = await client.post("/v1/chat/completions", json=user())

    assert (429, "rate_limit_exceeded") == (answer.status_code, answer.json()["error"]["code"])
    assert int(answer.headers["retry-after"]) > 1
    assert "1" == answer.headers["x-ratelimit-limit-requests"]


async def test_a_database_that_is_away_is_told_in_the_dialect(
    client: httpx.AsyncClient, outage: Outage
) -> None:
    outage.now = True

    answer = await client.post("/v1/chat/completions", json=user())

    assert (503, "server_error") == (answer.status_code, answer.json()["error"]["type"])
    assert "1" == answer.headers["retry-after"]


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"", 400, "malformed_body"),
        (b'{"model":1}', 400, "invalid_argument"),
        (b" " * (8 * 1024 * 1024 + 1), 413, "body_too_large"),
    ],
)
async def test_a_body_is_refused_in_the_dialect(
    client: httpx.AsyncClient, content: bytes, status: int, code: str
) -> None:
    answer = await client.post("/v1/chat/completions", content=content)

    assert (status, code) == (answer.status_code, answer.json()["error"]["code"])


async def test_our_own_routes_keep_problem_documents(client: httpx.AsyncClient) -> None:
    answer = await client.get("/nowhere")

    assert "application/problem+json" == answer.headers["content-type"]
    assert "x-should-retry" not in answer.headers
    assert "route_not_found" == json.loads(answer.content)["reason"]
    assert LIMIT > 0
