"""Guessing keys (F11): limited for each address and key, and nobody else suffers."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from dataclasses import replace
from ipaddress import ip_network

import httpx
import pytest
from parley_gateway.api.addresses import Proxies
from parley_gateway.api.app import build_app
from parley_gateway.api.dependencies import Gateway
from parley_gateway.api.door import Door
from parley_gateway.core.failures import WINDOW_SECONDS, Failures
from parley_gateway.core.faults import TooManyAttempts
from parley_gateway.core.keys import (
    CHECKSUM_LENGTH,
    ID_LENGTH,
    PREFIX,
    checksum,
    key_id_of,
    new_token,
)

from .conftest import ADMIN_KEY
from .fakes import Clock, Outage

pytestmark = pytest.mark.unit

HERE, THERE = "192.0.2.1", "198.51.100.7"


@pytest.fixture
def failures(clock: Clock) -> Failures:
    return Failures(3, most_per_key=2, most_subjects=4, clock=clock)


def shown(failures: Failures, address: str, *tokens: bytes, key_id: str | None = None) -> float:
    """Show wrong keys; return how long the last one has to wait."""
    wait = 0.0
    for token in tokens:
        try:
            failures.note(token, address, key_id)
            wait = 0.0
        except TooManyAttempts as fault:
            wait = fault.retry_after or 0.0
    return wait


def test_a_few_wrong_keys_are_just_wrong(failures: Failures) -> None:
    assert 0 == shown(failures, HERE, b"1", b"2", b"3")


def test_one_more_has_to_wait_until_the_window_ends(failures: Failures, clock: Clock) -> None:
    shown(failures, HERE, b"1")
    clock.now += 100

    assert WINDOW_SECONDS - 100 == shown(failures, HERE, b"2", b"3", b"4")
    clock.now += WINDOW_SECONDS - 100
    assert 0 == shown(failures, HERE, b"5", b"6", b"7")
    assert 0 < shown(failures, HERE, b"8")


def test_the_same_wrong_key_again_is_no_guess(failures: Failures) -> None:
    assert 0 == shown(failures, HERE, b"1", *[b"2"] * 1000)


def test_who_waits_waits_no_longer_for_trying(failures: Failures, clock: Clock) -> None:
    shown(failures, HERE, b"1", b"2", b"3", b"4")
    clock.now += WINDOW_SECONDS - 1

    assert 1 == shown(failures, HERE, *(b"%d" % i for i in range(100)))


def test_another_address_is_none_the_worse(failures: Failures) -> None:
    shown(failures, HERE, b"1", b"2", b"3", b"4")

    assert 0 == shown(failures, THERE, b"5")


def test_a_key_is_not_guessed_at_from_many_addresses_either(failures: Failures) -> None:
    assert 0 == shown(failures, HERE, b"1", key_id="k")
    assert 0 == shown(failures, THERE, b"2", key_id="k")
    assert 0 < shown(failures, "203.0.113.9", b"3", key_id="k")


def test_what_is_remembered_is_bounded(failures: Failures) -> None:
    shown(failures, HERE, b"1", b"2", b"3", b"4")
    for number in range(1000):
        shown(failures, f"10.0.0.{number}", b"x", key_id=f"k{number}")

    assert failures.most_subjects == len(failures._records)


async def test_only_a_guessers_keys_are_looked_up_one_by_one(failures: Failures) -> None:
    running, most = 0, {HERE: 0, THERE: 0}

    async def ask(address: str) -> None:
        nonlocal running
        async with failures.turn(address) or nullcontext():
            running += 1
            most[address] = max(most[address], running)
            await asyncio.sleep(0)
            running -= 1

    shown(failures, HERE, b"1", b"2", b"3")
    await asyncio.gather(*(ask(HERE) for _ in range(20)))
    await asyncio.gather(*(ask(THERE) for _ in range(20)))

    assert {HERE: 1, THERE: 20} == most


async def test_five_hundred_guesses_are_limited_and_a_valid_user_still_gets_in(
    stranger: httpx.AsyncClient, user_key: str, outage: Outage
) -> None:
    statuses = []
    for _ in range(500):
        answer = await stranger.get("/me", headers={"x-api-key": new_token()[1]})
        statuses.append(answer.status_code)

    assert [401] * 100 + [429] * 400 == statuses
    assert "too_many_attempts" == answer.json()["reason"]
    assert 0 < int(answer.headers["retry-after"]) <= WINDOW_SECONDS
    for key in (user_key, ADMIN_KEY):
        assert 200 == (await stranger.get("/me", headers={"x-api-key": key})).status_code
    outage.queries = 0
    assert 429 == (await stranger.get("/me", headers={"x-api-key": "mistyped"})).status_code
    assert 0 == outage.queries


async def test_secrets_for_one_key_are_limited_more_tightly(
    stranger: httpx.AsyncClient, user_key: str
) -> None:
    key_id = key_id_of(user_key.encode())
    assert key_id
    statuses = [
        (await stranger.get("/me", headers={"x-api-key": forged(key_id)})).status_code
        for _ in range(12)
    ]

    assert [401] * 10 + [429] * 2 == statuses
    assert 200 == (await stranger.get("/me", headers={"x-api-key": user_key})).status_code


def forged(key_id: str) -> str:
    """Make a token that claims to be another one."""
    token = new_token()[1][:-CHECKSUM_LENGTH]
    begin = PREFIX + key_id + token[len(PREFIX) + ID_LENGTH :]
    return begin + checksum(begin.encode())


async def test_showing_no_key_is_no_guess(stranger: httpx.AsyncClient) -> None:
    statuses = {(await stranger.get("/me")).status_code for _ in range(100)}

    assert {401} == statuses


async def test_the_guessers_behind_a_proxy_are_told_apart(gateway: Gateway) -> None:
    door = Door(proxies=Proxies([ip_network("127.0.0.1")]))
    transport = httpx.ASGITransport(build_app(replace(gateway, door=door)))

    async def ask(client: httpx.AsyncClient, address: str) -> int:
        headers = {"x-api-key": new_token()[1], "x-forwarded-for": address}
        return (await client.get("/me", headers=headers)).status_code

    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        assert 429 == [await ask(client, HERE) for _ in range(101)][-1]
        assert 401 == await ask(client, THERE)
