"""Every kind of bad input gets its documented status and a problem document, never a 500."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from parley_tests.platform import ADMIN_KEY, Platform

pytestmark = pytest.mark.api

HELLO = {"message": "Hello"}
JSON = {"Content-Type": "application/json"}

BODIES = [
    ("not json", b"{", 400, "malformed_body"),
    ("truncated", b'{"message": "Hel', 400, "malformed_body"),
    ("empty", b"", 400, "malformed_body"),
    ("not utf-8", b'{"message": "\xff"}', 400, "malformed_body"),
    ("nested", b'{"message": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400, "malformed_body"),
    ("a list", b"[]", 422, "invalid_argument"),
    ("no message", b"{}", 422, "invalid_argument"),
    ("message a number", b'{"message": 7}', 422, "invalid_argument"),
    ("message null", b'{"message": null}', 422, "invalid_argument"),
    ("blank", b'{"message": " \\n "}', 422, "invalid_argument"),
    ("NUL", b'{"message": "a\\u0000b"}', 422, "invalid_argument"),
    ("lone surrogate", b'{"message": "\\ud800"}', 422, "invalid_argument"),
    ("too long", b'{"message": "' + b"x" * 200_001 + b'"}', 422, "invalid_argument"),
    ("10 MB", b'{"message": "' + b"x" * 10_000_000 + b'"}', 413, "body_too_large"),
    ("unknown field", b'{"message": "Hi", "is_admin": true}', 422, "invalid_argument"),
    ("cold", b'{"message": "Hi", "temperature": -1}', 422, "invalid_argument"),
    ("hot", b'{"message": "Hi", "temperature": 3}', 422, "invalid_argument"),
    ("NaN", b'{"message": "Hi", "temperature": NaN}', 400, "malformed_body"),
    ("1e400", b'{"message": "Hi", "temperature": 1e400}', 422, "invalid_argument"),
    ("no tokens", b'{"message": "Hi", "max_tokens": 0}', 422, "invalid_argument"),
    ("half a token", b'{"message": "Hi", "max_tokens": 0.5}', 422, "invalid_argument"),
    ("id with a space", b'{"message": "Hi", "chat_id": "a b"}', 422, "invalid_argument"),
    ("long id", b'{"message": "Hi", "chat_id": "' + b"x" * 51 + b'"}', 422, "invalid_argument"),
    ("no provider", b'{"message": "Hi", "provider": "dmo"}', 404, "provider_not_found"),
    ("no model", b'{"message": "Hi", "model": "dmo"}', 404, "model_not_found"),
    ("no prompt", b'{"message": "Hi", "system_prompt_id": "nix"}', 404, "prompt_not_found"),
]


def assert_problem(answer: httpx.Response, status: int, reason: str) -> dict[str, Any]:
    problem: dict[str, Any] = answer.json()
    assert (status, reason) == (answer.status_code, problem["reason"])
    assert "application/problem+json" == answer.headers["content-type"]
    assert (status, answer.headers["x-request-id"]) == (problem["status"], problem["instance"])
    assert {"type", "title", "detail", "retryable", "metadata"} <= problem.keys()
    return problem


@pytest.mark.parametrize(
    ("body", "status", "reason"), [row[1:] for row in BODIES], ids=[row[0] for row in BODIES]
)
async def test_a_bad_body_is_refused(
    platform: Platform, body: bytes, status: int, reason: str
) -> None:
    async with platform.client() as client:
        answer = await client.post("/chat", content=body, headers=JSON)

    problem = assert_problem(answer, status, reason)
    if reason == "invalid_argument":
        assert problem["errors"]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer wrong"},
        {"Authorization": f"Basic {ADMIN_KEY}"},
        {"Authorization": "Bearer parley_key_aaaaaaaaaaaa_" + "b" * 43 + "cccccc"},
        {"Authorization": "Bearer ' OR '1'='1"},
        {"x-api-key": "wrong"},
    ],
)
@pytest.mark.parametrize("path", ["/chat", "/chat/history", "/providers", "/system-prompt"])
async def test_without_a_valid_key_nothing_is_told(
    platform: Platform, headers: dict[str, str], path: str
) -> None:
    async with platform.client("") as client:
        method = "POST" if path == "/chat" else "GET"
        answer = await client.request(method, path, headers=headers)

    assert_problem(answer, 401, "unauthenticated")
    assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    ("method", "path", "status", "reason"),
    [
        ("GET", "/nothing/here", 404, "route_not_found"),
        ("PATCH", "/chat", 405, "method_not_allowed"),
        ("GET", "/chat/history/nobody", 404, "chat_not_found"),
        ("DELETE", "/chat/delete/nobody", 404, "chat_not_found"),
        ("GET", "/chat/history?page_size=0", 422, "invalid_argument"),
        ("GET", "/chat/history?page_size=1000000000", 422, "invalid_argument"),
        ("GET", "/chat/history?page_token=%21", 422, "invalid_argument"),
        ("GET", "/system-prompts/nobody", 404, "prompt_not_found"),
        ("DELETE", "/system-prompts/default", 409, "prompt_shared"),
        ("GET", "/providers/nobody/models", 404, "provider_not_found"),
        ("GET", "/providers/nobody/health", 404, "provider_not_found"),
    ],
)
async def test_what_is_not_there_is_said_so(
    platform: Platform, method: str, path: str, status: int, reason: str
) -> None:
    async with platform.client() as client:
        assert_problem(await client.request(method, path), status, reason)


async def test_the_chat_of_another_user_does_not_exist(platform: Platform) -> None:
    ada, bob = await platform.new_user("ada-404"), await platform.new_user("bob-404")
    async with platform.client(ada) as client:
        await client.post("/chat", json=HELLO | {"chat_id": "secret"})

    async with platform.client(bob) as client:
        theirs = await client.get("/chat/history/secret")
        missing = await client.get("/chat/history/missing")
        await client.delete("/chat/delete/secret")

    assert_problem(theirs, 404, "chat_not_found")
    ids = (theirs.headers["x-request-id"], missing.headers["x-request-id"])
    told = theirs.text.replace("secret", "missing").replace(ids[0], ids[1])
    assert missing.text == told
    async with platform.client(ada) as client:
        assert (await client.get("/chat/history/secret")).is_success
