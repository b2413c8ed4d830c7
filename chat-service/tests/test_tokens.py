"""Page tokens."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from uuid import UUID

import pytest
from parley_chat_service.api.tokens import chat_cursor, chat_token, message_cursor, message_token
from parley_chat_service.core.model import ChatCursor
from parley_rpc.faults import InvalidArgument

pytestmark = pytest.mark.unit

CURSOR = ChatCursor(
    datetime(2026, 2, 3, 4, 5, 6, 789_012, UTC), UUID("0198a000-0000-7000-8000-00000000000a")
)


def token(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def test_a_place_comes_back_to_the_microsecond() -> None:
    assert CURSOR == chat_cursor(chat_token(CURSOR))
    assert 7 == message_cursor(message_token(7, from_end=True), from_end=True)


@pytest.mark.parametrize(
    "broken",
    [
        "x",
        "!!!",
        "é",
        "\0",
        token(""),
        token("chats.1"),
        token("chats.x.0198a000000070008000000000000000"),
        token("chats.1.zzz"),
        token(f"chats.{10**30}.{CURSOR.chat_uid.hex}"),
        message_token(7, from_end=False),
        "_w",
    ],
)
def test_a_token_that_is_not_ours_is_refused(broken: str) -> None:
    with pytest.raises(InvalidArgument):
        chat_cursor(broken)


@pytest.mark.parametrize(
    "broken",
    [
        message_token(7, from_end=True),
        chat_token(CURSOR),
        token("on.x"),
        token("on.-1"),
        token("on.²"),
        token(f"on.{2**63}"),
        token("on.1.2"),
    ],
)
def test_a_token_of_another_list_is_refused(broken: str) -> None:
    with pytest.raises(InvalidArgument):
        message_cursor(broken, from_end=False)
