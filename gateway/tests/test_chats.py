"""Chats over HTTP: listed, read, deleted."""

from __future__ import annotations

import httpx
import pytest
from parley_rpc.faults import InvalidArgument, NotFound, Origin, RemoteFault

from parley.chat.v1.chat_pb2 import (
    Chat,
    ChatTotals,
    ListChatsResponse,
    ListMessagesResponse,
    Message,
)
from parley.provider.v1.reply_pb2 import ROLE_USER

from .fakes import Script
from .turns import AT, REPLY

pytestmark = pytest.mark.unit

TIME = "2026-11-23T12:00:00.250000Z"
CHAT = Chat(
    chat_id="moon",
    title="The moon",
    provider="demo",
    model="demo-1",
    message_count=2,
    created_at=AT,
    updated_at=AT,
)
SHOWN = {
    "chat_id": "moon",
    "title": "The moon",
    "provider": "demo",
    "model": "demo-1",
    "message_count": 2,
    "created_at": TIME,
    "updated_at": TIME,
}
GONE = RemoteFault(
    "There is no chat x.",
    Origin(NotFound, "chat_not_found", "chat.parley"),
    metadata={"chat_id": "x"},
)


async def test_chats_are_listed(client: httpx.AsyncClient, script: Script) -> None:
    script.answers["ListChats"] = ListChatsResponse(chats=[CHAT], next_page_token="more")

    answer = await client.get("/chat/history?q=mo&provider=demo&page_size=7&page_token=t&utm=x")

    assert {"chats": [SHOWN], "next_page_token": "more"} == answer.json()
    sent = script.last.request
    assert ("mo", "demo", 7, "t") == (
        sent.title_contains,
        sent.provider,
        sent.page_size,
        sent.page_token,
    )


async def test_a_list_ends_with_null(client: httpx.AsyncClient) -> None:
    answer = await client.get("/chat/history")

    assert {"chats": [], "next_page_token": None} == answer.json()


async def test_a_filter_is_blamed_by_its_name_here(
    client: httpx.AsyncClient, script: Script
) -> None:
    script.answers["ListChats"] = InvalidArgument.of("title_contains", "It is too long.")

    answer = await client.get("/chat/history?q=x")

    assert [{"pointer": "/q", "detail": "It is too long."}] == answer.json()["errors"]


TOTALS = {
    "usage": {
        "input_tokens": 7,
        "output_tokens": 0,
        "cached_input_tokens": 0,
        "reasoning_tokens": 0,
    },
    "cost": {"amount": "0.00042", "currency": "USD"},
    "unpriced_messages": 1,
    "unsettled_messages": 0,
    "next_page_token": None,
}


async def test_a_chat_is_read_with_its_messages(client: httpx.AsyncClient, script: Script) -> None:
    question = Message(message_id="m1", seq=1, role=ROLE_USER, content="Hi", created_at=AT)
    chat = Chat(totals=ChatTotals(cost_nano_usd=420_000, input_tokens=7, unpriced_messages=1))
    chat.MergeFrom(CHAT)
    script.answers["ListMessages"] = ListMessagesResponse(chat=chat, messages=[question, REPLY])

    answer = (await client.get("/chat/history/moon")).json()

    assert SHOWN | TOTALS == {k: answer[k] for k in answer if k != "messages"}
    asked, replied = answer["messages"]
    assert ("user", "Hi", None, None) == (
        asked["role"],
        asked["content"],
        asked["parent_id"],
        asked["usage"],
    )
    assert {
        "message_id": "m2",
        "parent_id": "m1",
        "sibling_ids": ["m2"],
        "seq": 2,
        "role": "assistant",
        "content": "A day 🌙",
        "reasoning": None,
        "status": "complete",
        "finish_reason": "stop",
        "provider": "demo",
        "model": "demo-1",
        "prompt_version": 3,
        "tool_calls": [{"tool_call_id": "t1", "name": "look", "arguments": '{"at": "sky"}'}],
        "usage": {
            "input_tokens": 7,
            "output_tokens": 3,
            "cached_input_tokens": 0,
            "reasoning_tokens": 0,
            "source": "reported",
        },
        "cost": {"amount": "0.00042", "currency": "USD", "price_version": "prices 1"},
        "created_at": TIME,
    } == replied


async def test_a_missing_chat_is_404(client: httpx.AsyncClient, script: Script) -> None:
    script.answers |= {"ListMessages": GONE, "DeleteChat": GONE}

    answers = [await client.get("/chat/history/x"), await client.delete("/chat/delete/x")]

    assert [(404, "chat_not_found")] * 2 == [(a.status_code, a.json()["reason"]) for a in answers]


async def test_a_chat_is_deleted(client: httpx.AsyncClient, script: Script) -> None:
    answer = await client.delete("/chat/delete/moon")

    assert (204, b"", "moon") == (
        answer.status_code,
        answer.content,
        script.last.request.chat_id,
    )
