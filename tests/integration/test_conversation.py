"""A conversation through a vendor's wire: what was streamed is what is stored and billed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx
import psycopg
import pytest
from parley_tests.database import fresh_database
from parley_tests.peers import RunningPeer, running_peer
from parley_tests.platform import Platform, running_platform
from parley_tests.sse import events, send, text_of

pytestmark = pytest.mark.integration

TURNS = 20


@pytest.fixture(scope="module")
def vendor() -> Iterator[RunningPeer]:
    with running_peer("openai", "--tokens", "40") as vendor:
        yield vendor


@pytest.fixture(scope="module")
def platform(
    database_server: str, tmp_path_factory: pytest.TempPathFactory, vendor: RunningPeer
) -> Iterator[Platform]:
    logs = tmp_path_factory.mktemp("conversation")
    with (
        fresh_database(database_server) as url,
        running_platform(url, logs, vendor.settings | {"DEFAULT_PROVIDER": "openai"}) as platform,
    ):
        yield platform


async def one_turn(client: httpx.AsyncClient, number: int) -> tuple[str, dict[str, Any]]:
    """Hold a turn, streamed or not; return the text as it came and what was told at the end."""
    body = {"message": f"Frage {number}: wie weit ist's zum Mond? 🌙", "chat_id": "moon"}
    if number % 2:
        answer = (await client.post("/chat", json=body)).raise_for_status().json()
        return answer["response"], answer
    turn = await send(client, **body)
    return text_of(turn), turn[-1].data


async def test_20_turns_are_stored_byte_for_byte(platform: Platform, vendor: RunningPeer) -> None:
    vendor.script()
    async with platform.client() as client:
        turns = [await one_turn(client, number) for number in range(TURNS)]
        history = (await client.get("/chat/history/moon?page_size=100")).json()

    replies = [m for m in history["messages"] if m["role"] == "assistant"]
    assert [text.encode() for text, _ in turns] == [m["content"].encode() for m in replies]
    assert list(range(1, 2 * TURNS + 1)) == [m["seq"] for m in history["messages"]]
    for (_, told), stored in zip(turns, replies, strict=True):
        for name in ("message_id", "status", "finish_reason", "usage", "cost"):
            assert told[name] == stored[name], name
        assert ("complete", "stop", "openai") == (
            stored["status"],
            stored["finish_reason"],
            stored["provider"],
        )
        assert "reported" == stored["usage"]["source"]
        assert stored["usage"]["output_tokens"] > 0


async def test_the_model_is_given_the_whole_history_and_the_active_prompt(
    platform: Platform, vendor: RunningPeer
) -> None:
    vendor.script()
    async with platform.client(await platform.new_user("pirate")) as client:
        await client.post("/system-prompt", json={"prompt": "Talk like a pirate."})
        first = (await client.post("/chat", json={"message": "One", "chat_id": "sea"})).json()
        await client.post("/chat", json={"message": "Two", "chat_id": "sea"})
        history = (await client.get("/chat/history/sea")).json()

    given = vendor.asked()[-1]["body"]["messages"]
    assert [
        ("system", "Talk like a pirate."),
        ("user", "One"),
        ("assistant", first["response"]),
        ("user", "Two"),
    ] == [(message["role"], message["content"]) for message in given]
    assert 1 == history["messages"][1]["prompt_version"]


async def test_the_ledger_equals_the_messages(platform: Platform, vendor: RunningPeer) -> None:
    vendor.script()
    async with platform.client(await platform.new_user("ledger")) as client:
        for number in range(4):
            await client.post("/chat", json={"message": f"{number}", "chat_id": "books"})
        history = (await client.get("/chat/history/books")).json()

    replies = {
        m["message_id"]: (m["usage"]["input_tokens"], m["usage"]["output_tokens"])
        for m in history["messages"]
        if m["role"] == "assistant"
    }
    async with await psycopg.AsyncConnection.connect(
        platform.environment["DATABASE_URL"]
    ) as connection:
        rows = await connection.execute(
            "select usage_id::text, input_tokens, output_tokens, status"
            " from provider.provider_usage where usage_id = any(%s::uuid[])",
            [list(replies)],
        )
        ledger = {row[0]: row[1:] for row in await rows.fetchall()}
    assert {key: (*tokens, "settled") for key, tokens in replies.items()} == ledger


async def test_the_first_delta_arrives_while_the_vendor_holds_back_the_second(
    platform: Platform, vendor: RunningPeer
) -> None:
    vendor.script(texts=["first ", "second"], hold_after=1)
    body = {"message": "Wait for it", "stream": True}
    async with platform.client() as client, client.stream("POST", "/chat", json=body) as answer:
        stream = events(answer)
        before = [await anext(stream), await anext(stream)]
        held = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0.3)
        assert not held.done()
        vendor.release()
        after = [await held, *[event async for event in stream]]

    assert ["start", "delta"] == [event.name for event in before]
    assert "first " == text_of(before)
    assert "second" == text_of(after)
    assert "end" == after[-1].name


async def test_two_users_may_use_the_same_chat_id(platform: Platform, vendor: RunningPeer) -> None:
    vendor.script()
    keys = [await platform.new_user(name) for name in ("ann", "ben")]
    for key in keys:
        async with platform.client(key) as client:
            await client.post("/chat", json={"message": f"I have {key[-4:]}", "chat_id": "diary"})
    for key in keys:
        async with platform.client(key) as client:
            history = (await client.get("/chat/history/diary")).json()
            chats = (await client.get("/chat/history")).json()["chats"]

        assert [f"I have {key[-4:]}"] == [m["content"] for m in history["messages"][::2]]
        assert ["diary"] == [chat["chat_id"] for chat in chats]


async def test_a_vendors_failure_is_a_problem_and_the_message_stays(
    platform: Platform, vendor: RunningPeer
) -> None:
    vendor.script(error="rate_limit_exceeded", headers={"retry-after": "7"})
    async with platform.client() as client:
        whole = await client.post("/chat", json={"message": "Now", "chat_id": "busy"})
        turn = await send(client, message="And now", chat_id="busy")
        history = (await client.get("/chat/history/busy")).json()

    assert (429, "rate_limited", "7") == (
        whole.status_code,
        whole.json()["reason"],
        whole.headers["retry-after"],
    )
    assert ["start", "problem"] == [event.name for event in turn]
    assert "rate_limited" == turn[-1].data["reason"]
    assert ["complete", "failed"] * 2 == [m["status"] for m in history["messages"]]
