"""50 clients at once, two of each service: limits and budgets are exact, and the ledger agrees."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from parley_tests.database import fresh_database
from parley_tests.fleet import Fleet, running_fleet
from parley_tests.peers import RunningPeer, running_peer

pytestmark = pytest.mark.integration

CLIENTS = 50
TOKENS = 100
MODEL = "gpt-peer-mini"
# In USD for a million tokens.
PRICE = {"input": "1", "output": "10"}


@pytest.fixture(scope="module")
def vendor() -> Iterator[RunningPeer]:
    with running_peer("openai", "--tokens", str(TOKENS)) as peer:
        yield peer


@pytest.fixture(scope="module")
def url(database_server: str) -> Iterator[str]:
    with fresh_database(database_server) as url:
        yield url


@pytest.fixture(scope="module")
def fleet(
    url: str, tmp_path_factory: pytest.TempPathFactory, vendor: RunningPeer
) -> Iterator[Fleet]:
    logs: Path = tmp_path_factory.mktemp("logs")
    with running_fleet(url, logs, 2, {**vendor.settings, "MAX_TURNS": "512"}) as fleet:
        with httpx.Client(base_url=fleet.urls[0], timeout=30) as admin:
            admin.headers["Authorization"] = fleet.platform.client().headers["Authorization"]
            admin.get("/providers/openai/models").raise_for_status()
            path = f"/providers/openai/models/{MODEL}"
            admin.patch(path, json={"price": PRICE}).raise_for_status()
        # The other provider service hears of it.
        time.sleep(5)
        yield fleet


class Person:
    """A user with a key, and a client at each gateway."""

    def __init__(self, fleet: Fleet, user_id: str, key: str, clients: list[httpx.AsyncClient]):
        self.fleet = fleet
        self.user_id = user_id
        self.key = key
        self.clients = clients

    async def send(self, number: int, **body: Any) -> httpx.Response:
        client = self.clients[number % len(self.clients)]
        message = {"message": f"Hi {number}", "provider": "openai", "model": MODEL, **body}
        return await client.post("/chat", json=message)

    async def crowd(self, size: int = CLIENTS, **body: Any) -> Sequence[httpx.Response]:
        return await asyncio.gather(*(self.send(number, **body) for number in range(size)))

    async def allowances(self) -> dict[tuple[str, str], dict[str, Any]]:
        me = (await self.clients[0].get("/me")).raise_for_status().json()
        return {(one["scope"], one["meter"]): one for one in me["allowances"]}

    async def held(self, meter: str) -> int:
        return int((await self.allowances())["key", meter]["held"])

    async def used(self) -> dict[str, Any]:
        answer = (await self.clients[0].get("/usage")).raise_for_status().json()
        total: dict[str, Any] = answer["total"]
        return total


@pytest.fixture
async def stack() -> Any:
    async with AsyncExitStack() as stack:
        yield stack


async def person(
    fleet: Fleet, stack: AsyncExitStack, user: dict[str, Any], key: dict[str, Any] | None = None
) -> Person:
    """Make a user with these limits and budgets, and a key with those."""
    async with fleet.platform.client(url=fleet.urls[0]) as admin:
        made = (await admin.post("/users", json={"name": f"user-{id(user)}"})).raise_for_status()
        user_id = made.json()["user_id"]
        (await admin.patch(f"/users/{user_id}", json=user)).raise_for_status()
        body = {"name": "test", "user_id": user_id, **(key or {})}
        token = (await admin.post("/keys", json=body)).raise_for_status().json()["key"]
    clients = [
        await stack.enter_async_context(fleet.platform.client(token, url)) for url in fleet.urls
    ]
    return Person(fleet, user_id, token, clients)


def statuses(answers: Sequence[httpx.Response]) -> Counter[int]:
    return Counter(answer.status_code for answer in answers)


async def test_a_budget_is_never_overspent(fleet: Fleet, stack: AsyncExitStack, url: str) -> None:
    """A reply costs about 1,020 nano-dollars a token: 0.01 USD are enough for 9 of them."""
    budget = Decimal("0.01")
    ada = await person(fleet, stack, {"budgets": {"daily": str(budget)}})

    answers = await ada.crowd(max_tokens=TOKENS)
    while (answer := await ada.send(0, max_tokens=TOKENS)).status_code == 200:
        answers = [*answers, answer]

    refused = [one for one in [*answers, answer] if one.status_code != 200]
    spent, good = Decimal((await ada.used())["cost"]["amount"]), statuses(answers)[200]
    assert {402} == set(statuses(refused))
    assert {("budget_exceeded", False)} == {
        (one.json()["reason"], one.json()["retryable"]) for one in refused
    }
    told = answer.json()["metadata"]
    assert ("user", "day", "0.01", "0") == tuple(
        told[name] for name in ("scope", "period", "limit", "held")
    )
    assert budget - spent == Decimal(told["left"])
    assert told["resets_at"].endswith("T00:00:00Z")
    assert spent <= budget
    # The next one would not have been paid for.
    assert budget - spent < Decimal("0.0012")
    assert sum(cost_of(one) for one in answers if one.status_code == 200) == spent
    state = (await ada.allowances())["user", "daily_cost"]
    assert ("0", spent) == (state["held"], Decimal(state["used"]))
    assert good >= 8
    assert_agreed(url, ada.user_id, spent)


def cost_of(answer: httpx.Response) -> Decimal:
    return Decimal(answer.json()["cost"]["amount"])


def assert_agreed(url: str, user_id: str, spent: Decimal) -> None:
    """Ledger, roll-ups, budget and messages say the same."""
    questions = (
        "select sum(cost_nano_usd) from provider.provider_usage where owner_id = %(id)s",
        "select sum(cost_nano_usd) from provider.usage_days where owner_id = %(id)s",
        """select used from provider.budgets where scope = 'user:' || %(id)s::text and held = 0
           and meter = 'daily_cost'""",
        "select sum(cost_nano_usd) from chat.messages where owner_id = %(id)s",
    )
    with psycopg.connect(url) as owner:
        found = [owner.execute(one.encode(), {"id": user_id}).fetchone() for one in questions]
    assert [(spent * 10**9,)] * 4 == found


async def test_a_budget_without_a_length_is_not_overspent_either(
    fleet: Fleet, stack: AsyncExitStack
) -> None:
    """Each reply is kept to what is left for it, so whoever comes first holds most."""
    budget = Decimal("0.02")
    bob = await person(fleet, stack, {}, {"budgets": {"monthly": str(budget)}})

    answers = [*await bob.crowd(), *[await bob.send(number) for number in range(40)]]

    spent = Decimal((await bob.used())["cost"]["amount"])
    assert {200, 402} == set(statuses(answers))
    assert spent <= budget
    assert spent > budget / 2
    assert {"key"} == {one.json()["metadata"]["scope"] for one in answers if one.status_code == 402}


async def test_tokens_of_a_minute_are_not_exceeded(
    fleet: Fleet, stack: AsyncExitStack, url: str
) -> None:
    limit = 1_000
    eve = await person(fleet, stack, {"limits": {"tokens_per_minute": limit}})
    await a_fresh_minute()
    end = (time.time() // 60 + 1) * 60

    answers = await eve.crowd(max_tokens=TOKENS)
    told = time.time()
    state = (await eve.allowances())["user", "tokens_per_minute"]

    assert {200, 429} == set(statuses(answers))
    refused = next(one for one in answers if one.status_code == 429)
    assert ("limit_exceeded", "tokens_per_minute", True) == (
        refused.json()["reason"],
        refused.json()["metadata"]["meter"],
        refused.json()["retryable"],
    )
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert str(limit) == refused.headers["x-ratelimit-limit-tokens"]
    total = await eve.used()
    assert state["used"] == total["input_tokens"] + total["output_tokens"] <= limit
    assert 0 == state["held"]
    # Whoever obeys comes in the next minute, and is let in then.
    assert told + int(refused.headers["retry-after"]) >= end
    let_a_minute_pass(url, eve.user_id)
    assert 200 == (await eve.send(0, max_tokens=TOKENS)).status_code


def let_a_minute_pass(url: str, user_id: str) -> None:
    """Make what a user has had in this minute that of the last one."""
    with psycopg.connect(url) as owner:
        moved = owner.execute(
            """update provider.budgets set window_start = window_start - interval '1 minute'
                where scope = 'user:' || %s and meter = 'tokens_per_minute'""",
            [user_id],
        )
    assert 1 == moved.rowcount


async def a_fresh_minute() -> None:
    """Wait for the next one when less than twenty seconds of the clock's minute are left."""
    left = 60 - time.time() % 60
    if left < 20:
        await asyncio.sleep(left + 0.1)


async def test_turns_at_once_are_not_exceeded(
    fleet: Fleet, stack: AsyncExitStack, vendor: RunningPeer
) -> None:
    user, key = {"limits": {"concurrent_turns": 9}}, {"limits": {"concurrent_turns": 7}}
    joe = await person(fleet, stack, user, key)
    vendor.script(hold_after=0)
    try:
        crowd = [asyncio.create_task(joe.send(number)) for number in range(CLIENTS)]
        async with asyncio.timeout(30):
            # Until everybody has been judged: a place that is free is taken.
            while sum(one.done() for one in crowd) < CLIENTS - 7:  # noqa: ASYNC110  (of many)
                await asyncio.sleep(0.05)
        assert 7 == await joe.held("concurrent_turns")
        refused = await joe.send(0)
    finally:
        vendor.release()
        vendor.script(hold_after=None)
    answers = await asyncio.gather(*crowd)

    assert (429, "1", "concurrent_turns") == (
        refused.status_code,
        refused.headers["retry-after"],
        refused.json()["metadata"]["meter"],
    )
    assert {200: 7, 429: 43} == statuses(answers)
    state = await joe.allowances()
    assert (0, 0) == (
        state["key", "concurrent_turns"]["held"],
        state["user", "concurrent_turns"]["held"],
    )
    assert 200 == (await joe.send(0)).status_code


async def test_requests_of_an_hour_are_counted_by_user_and_key(
    fleet: Fleet, stack: AsyncExitStack
) -> None:
    user, key = {"limits": {"requests_per_hour": 60}}, {"limits": {"requests_per_hour": 35}}
    amy = await person(fleet, stack, user, key)

    answers = await asyncio.gather(*(amy.clients[n % 2].get("/chat/history") for n in range(100)))

    assert {200: 35, 429: 65} == statuses(answers)
    refused = next(one for one in answers if one.status_code == 429)
    assert "key" == refused.json()["metadata"]["scope"]
    assert '"hour";q=60;w=3600, "key-hour";q=35;w=3600' == refused.headers["ratelimit-policy"]
    assert refused.headers["ratelimit"].startswith('"hour";r=25;t=')


async def test_a_chat_costs_what_its_messages_cost(fleet: Fleet, stack: AsyncExitStack) -> None:
    tom = await person(fleet, stack, {"budgets": {"daily": "1"}})
    for number in range(5):
        (await tom.send(number, chat_id="sum", max_tokens=TOKENS)).raise_for_status()

    chat = (await tom.clients[1].get("/chat/history/sum")).raise_for_status().json()

    costs = [Decimal(one["cost"]["amount"]) for one in chat["messages"] if one["cost"]]
    assert 5 == len(costs)
    assert sum(costs) == Decimal(chat["cost"]["amount"])
    assert sum(costs) == Decimal((await tom.used())["cost"]["amount"])
    assert (0, 0) == (chat["unpriced_messages"], chat["unsettled_messages"])
