"""Routes of chats: send a message, list, read, delete."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Path, Query

from parley.chat.v1 import chat_pb2
from parley_gateway.api import convert, convert_usage
from parley_gateway.api.dependencies import (
    READ_SECONDS,
    ActingCaller,
    AskedPage,
    UsedGateway,
    answered_by,
    guarded,
)
from parley_gateway.api.openapi import BODY_REFUSALS, EVENT_STREAM, TURN_REFUSALS, refusals
from parley_gateway.api.schemas import chats
from parley_gateway.api.schemas.fields import CHAT_ID
from parley_gateway.api.turns import post_chat
from parley_gateway.core.model import Scope

Route = guarded(reading=frozenset({Scope.READ, Scope.CHAT}), changing=frozenset({Scope.CHAT}))
router = APIRouter(route_class=Route, tags=["Chats"])
ChatId = Annotated[str, Path(pattern=CHAT_ID, description="The chat's name.")]


async def send_message(
    body: chats.ChatBody,
    idempotency_key: Annotated[
        str | None,
        Header(max_length=255, description="The same key within 24 h gives the same turn."),
    ] = None,
) -> chats.ChatAnswer:
    """Add a message to a chat and answer with the model's reply, whole or as it comes.

    With `"stream": true`, or `Accept: text/event-stream`, the answer is a stream of events:
    `start`, then `delta` and `reasoning`, then `end`, or `problem` when it fails after the
    start. From the start on the turn goes on without the client. The deltas joined are the
    stored text.
    """
    raise NotImplementedError(body, idempotency_key)  # `post_chat` answers; this documents


router.add_api_route(
    "/chat",
    send_message,
    methods=["POST"],
    summary="Send a message",
    operation_id="send_message",
    responses=EVENT_STREAM | refusals(*BODY_REFUSALS, *TURN_REFUSALS, "prompt_not_found"),
    route_class_override=answered_by(post_chat, Route),
)


@router.get(
    "/chat/history",
    summary="List chats",
    operation_id="list_chats",
    responses=refusals("invalid_argument"),
)
async def list_chats(
    gateway: UsedGateway,
    caller: ActingCaller,
    page: AskedPage,
    q: Annotated[str, Query(description="Words in the title.", max_length=1000)] = "",
    provider: Annotated[str, Query(description="Who gave the last reply.", max_length=200)] = "",
) -> chats.ChatPage:
    """List the caller's chats, the most recently changed first."""
    request = chat_pb2.ListChatsRequest(
        page_size=page.size, page_token=page.token, title_contains=q, provider=provider
    )
    with convert.naming(title_contains="q"):
        answer = await gateway.chat.unary(
            gateway.chat.stub.ListChats, request, caller, READ_SECONDS
        )
    return chats.ChatPage(
        chats=[chats.Chat(**convert.chat_fields(chat)) for chat in answer.chats],
        next_page_token=answer.next_page_token or None,
    )


@router.get(
    "/chat/history/{chat_id}",
    summary="Read a chat",
    operation_id="get_chat",
    responses=refusals("invalid_argument", "chat_not_found"),
)
async def get_chat(
    chat_id: ChatId, gateway: UsedGateway, caller: ActingCaller, page: AskedPage
) -> chats.ChatHistory:
    """Read a chat and a part of its messages: the active path, oldest first."""
    request = chat_pb2.ListMessagesRequest(
        chat_id=chat_id, page_size=page.size, page_token=page.token
    )
    answer = await gateway.chat.unary(gateway.chat.stub.ListMessages, request, caller, READ_SECONDS)
    return chats.ChatHistory(
        **convert.chat_fields(answer.chat),
        **convert_usage.totals(answer.chat.totals),
        messages=[convert.message(message) for message in answer.messages],
        next_page_token=answer.next_page_token or None,
    )


@router.delete(
    "/chat/delete/{chat_id}",
    summary="Delete a chat",
    operation_id="delete_chat",
    status_code=204,
    responses=refusals("invalid_argument", "chat_not_found"),
)
async def delete_chat(chat_id: ChatId, gateway: UsedGateway, caller: ActingCaller) -> None:
    """Delete a chat and its messages; what it cost stays on record."""
    request = chat_pb2.DeleteChatRequest(chat_id=chat_id)
    await gateway.chat.unary(gateway.chat.stub.DeleteChat, request, caller, READ_SECONDS)
