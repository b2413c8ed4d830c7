"""What is left of limits and budgets: asked before a turn begins, told in headers and in `/me`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from parley_gateway.api.allowances import allowances_of
from parley_gateway.api.dependencies import Gateway, standing_headers
from parley_gateway.core.entries import NOWHERE, Whence
from parley_gateway.core.model import Identity, Quota, Role, Standing, Verdict
from parley_rpc.faults import FailedPrecondition, Fault, LimitExceeded
from parley_rpc.status import to_status
from uuid_utils.compat import uuid7

from parley.context.v1 import context_pb2
from parley.context.v1.context_pb2 import Allowance
from parley.provider.v1.usage_pb2 import Balance, GetAllowancesResponse

from .conftest import ADMIN_KEY
from .fakes import Script
from .turns import WHOLE

pytestmark = pytest.mark.unit

USER, KEY = Quota(None, 1_000, 2, 5_000_000_000, None), Quota(None, 400, None, None, 7)


class BudgetUsedUp(FailedPrecondition):
    reason = "budget_exceeded"


@pytest.fixture
async def limited(gateway: Gateway, client: httpx.AsyncClient) -> httpx.AsyncClient:
    """A client whose user and key have limits and budgets."""
    identity = await gateway.keyring.identify(ADMIN_KEY.encode())

    async def identify(token: bytes, whence: Whence = NOWHERE) -> Identity:
        return Identity(
            identity.user_id, "ada", Role.USER, "key1", "laptop", None, frozenset(), USER, KEY
        )

    gateway.keyring.identify = identify  # type: ignore[method-assign]
    return client


def balances(scope: str, *, tokens_left: int = 90, refusal: Fault | None = None) -> Any:
    resets_at = Timestamp()
    resets_at.FromDatetime(datetime(2026, 11, 24, tzinfo=UTC))
    minute, money = context_pb2.METER_TOKENS_PER_MINUTE, context_pb2.METER_DAILY_COST
    user = Allowance(scope=f"user:{scope}", meter=minute, limit=1_000)
    key = Allowance(scope="key:key1", meter=minute, limit=400)
    budget = Allowance(scope=f"user:{scope}", meter=money, limit=5_000_000_000)
    return GetAllowancesResponse(
        balances=[
            Balance(allowance=user, used=5, resets_at=resets_at, seconds_left=12.2),
            Balance(allowance=key, used=400 - tokens_left, resets_at=resets_at, seconds_left=12.2),
            Balance(allowance=budget, used=10**9, held=5 * 10**8, resets_at=resets_at),
        ],
        refusal=to_status(refusal, "provider.parley").SerializeToString() if refusal else b"",
    )


def test_allowances_are_those_of_the_user_and_of_the_key() -> None:
    user_id = uuid7()
    identity = Identity(user_id, "ada", Role.USER, "k", "laptop", user_quota=USER, key_quota=KEY)

    written = [(one.scope, one.meter, one.limit) for one in allowances_of(identity)]

    assert [
        (f"user:{user_id}", context_pb2.METER_DAILY_COST, 5_000_000_000),
        (f"user:{user_id}", context_pb2.METER_TOKENS_PER_MINUTE, 1_000),
        (f"user:{user_id}", context_pb2.METER_CONCURRENT_TURNS, 2),
        ("key:k", context_pb2.METER_MONTHLY_COST, 7),
        ("key:k", context_pb2.METER_TOKENS_PER_MINUTE, 400),
    ] == written
    assert [] == allowances_of(Identity(user_id, "ada", Role.USER, "k", "laptop"))


async def test_who_has_no_allowances_pays_nothing_for_them(
    client: httpx.AsyncClient, script: Script
) -> None:
    script.turn = list(WHOLE)

    answer = await client.post("/chat", json={"message": "Hi"})

    assert ["SendMessage"] == [one.method for one in script.received]
    assert "x-ratelimit-limit-tokens" not in answer.headers


async def test_the_tightest_limit_of_tokens_is_told(
    limited: httpx.AsyncClient, script: Script
) -> None:
    script.turn = list(WHOLE)
    script.answers["GetAllowances"] = balances("ada")

    answer = await limited.post("/chat", json={"message": "Hi"})

    assert 200 == answer.status_code
    assert ("400", "90", "13s") == tuple(
        answer.headers[f"x-ratelimit-{name}-tokens"] for name in ("limit", "remaining", "reset")
    )
    assert b"" == script.last.request.refusal


async def test_what_is_used_up_refuses_the_send_unless_it_repeats_one(
    limited: httpx.AsyncClient, script: Script
) -> None:
    """The chat service knows whether it does: it is told what to say."""
    refusal = BudgetUsedUp("Nothing is left.", left="0", resets_at="2026-11-24T00:00:00Z")
    script.answers["GetAllowances"] = balances("ada", refusal=refusal)
    script.turn = [refusal]

    answer = await limited.post("/chat", json={"message": "Hi"})

    sent = script.last.request
    assert to_status(refusal, "provider.parley").SerializeToString() == sent.refusal
    assert (402, "budget_exceeded", False) == (
        answer.status_code,
        answer.json()["reason"],
        answer.json()["retryable"],
    )
    assert {"left": "0", "resets_at": "2026-11-24T00:00:00Z"} == answer.json()["metadata"]
    assert "400" == answer.headers["x-ratelimit-limit-tokens"]


async def test_a_limit_of_tokens_says_when_to_come_back(
    limited: httpx.AsyncClient, script: Script
) -> None:
    refusal = LimitExceeded("Too many tokens.", retry_after=12.2, meter="tokens_per_minute")
    script.answers["GetAllowances"] = balances("ada", tokens_left=0, refusal=refusal)
    script.turn = [refusal]

    answer = await limited.post("/chat", json={"message": "Hi", "stream": True})

    assert (429, "13", "0") == (
        answer.status_code,
        answer.headers["retry-after"],
        answer.headers["x-ratelimit-remaining-tokens"],
    )


async def test_me_tells_how_everything_stands(limited: httpx.AsyncClient, script: Script) -> None:
    script.answers["GetAllowances"] = balances("ada")

    hour, minute, key, budget = (await limited.get("/me")).json()["allowances"]

    assert ("user", "requests_per_hour", 1000, 1, 0, 999) == figures(hour)
    assert hour["resets_at"]
    assert ("user", "tokens_per_minute", 1000, 5, 0, 995) == figures(minute)
    assert ("key", "tokens_per_minute", 400, 310, 0, 90) == figures(key)
    assert ("user", "daily_cost", "5", "1", "0.5", "3.5") == figures(budget)
    assert "2026-11-24T00:00:00Z" == budget["resets_at"]


def figures(shown: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(shown[name] for name in ("scope", "meter", "limit", "used", "held", "left"))


def test_both_hours_are_told_and_clients_that_know_one_hear_of_the_tightest() -> None:
    user = Standing("user", 1_000, 900, 1_800.2)
    key = Standing("key", 10, 3, 60.0)

    headers = dict(standing_headers(Verdict(granted=True, standings=(user, key))))

    assert b'"hour";r=900;t=1801, "key-hour";r=3;t=60' == headers[b"ratelimit"]
    assert b'"hour";q=1000;w=3600, "key-hour";q=10;w=3600' == headers[b"ratelimit-policy"]
    assert (b"10", b"3", b"60s") == tuple(
        headers[b"x-ratelimit-%s-requests" % name] for name in (b"limit", b"remaining", b"reset")
    )
