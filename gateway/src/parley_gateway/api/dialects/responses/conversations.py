"""Routes of conversations: a chat by another name."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from msgspec import Struct
from parley_rpc.faults import Fault, InvalidArgument, reason_of
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from uuid_utils.compat import uuid7

from parley.chat.v1.chat_pb2 import (
    Chat,
    GetChatRequest,
    ListMessagesRequest,
    Message,
)
from parley.provider.v1.reply_pb2 import ROLE_ASSISTANT
from parley_gateway.api.dependencies import (
    BODY,
    CALLER,
    READ_SECONDS,
    answered_by,
    gateway_of,
)
from parley_gateway.api.dialects import bodies
from parley_gateway.api.dialects.documentation import refusals
from parley_gateway.api.dialects.failures import Dialect
from parley_gateway.api.dialects.responses import answers, names, schemas, stored
from parley_gateway.api.dialects.responses.creating import Route
from parley_gateway.api.dialects.responses.listing import (
    AskedItems,
    Include,
    Page,
    answered,
    document,
    not_there,
)
from parley_gateway.api.openapi import BODY_REFUSALS
from parley_gateway.api.schemas.fields import CHAT_ID

Document = dict[str, Any]
MOST_MESSAGES = 100
NO_ITEMS = "A conversation begins with its first response here: send the items as its `input`."

router = APIRouter(route_class=Route, tags=["Responses"])
ConversationId = Annotated[
    str, Path(pattern=CHAT_ID, description="The conversation's name, which is its chat's.")
]
ItemId = Annotated[str, Path(description="The item's name.", max_length=100)]


class ConversationBody(Struct):
    """The body of a conversation."""

    items: list[dict[str, Any]] | None = None
    metadata: dict[str, str] | None = None


async def create_conversation() -> None:
    """Name a new conversation.

    Nothing is kept of it until its first response begins it. Items to begin with are refused, and
    metadata is not kept.
    """
    raise NotImplementedError  # `post_conversation` answers; this documents


async def post_conversation(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one request of somebody who was admitted."""
    body, others = bodies.decode(scope[BODY] or b"{}", ConversationBody)
    if body.items:
        raise InvalidArgument.of("items", NO_ITEMS)
    for name, value in others.items():
        if value is not None:
            raise InvalidArgument.of(name, "A conversation has no such field.")
    made = answers.conversation(f"conv_{uuid7().hex}", time.time(), body.metadata or {})
    await document(made)(scope, receive, send)


router.add_api_route(
    "/v1/conversations",
    create_conversation,
    methods=["POST"],
    response_class=Response,
    summary="Name a conversation",
    operation_id="create_conversation",
    responses=schemas.CONVERSATION | refusals(Dialect.OPENAI, *BODY_REFUSALS),
    openapi_extra=schemas.CONVERSATION_BODY,
    route_class_override=answered_by(post_conversation, Route),
)


@router.get(
    "/v1/conversations/{conversation_id}",
    response_class=Response,
    summary="Read a conversation",
    operation_id="get_conversation",
    responses=schemas.CONVERSATION | refusals(Dialect.OPENAI, "invalid_argument", "chat_not_found"),
)
async def get_conversation(conversation_id: ConversationId, request: Request) -> Response:
    """Read a conversation that has begun, or any other chat, without its items."""
    chat = await chat_of(conversation_id, request.scope)
    return document(answers.conversation(chat.chat_id, chat.created_at.ToSeconds(), {}))


@router.delete(
    "/v1/conversations/{conversation_id}",
    response_class=Response,
    summary="Delete a conversation",
    operation_id="delete_conversation",
    responses=schemas.DELETED | refusals(Dialect.OPENAI, "invalid_argument", "chat_not_found"),
)
async def delete_conversation(conversation_id: ConversationId, request: Request) -> Response:
    """Delete a conversation and all responses in it; what it cost stays on record."""
    with named(conversation_id):
        await stored.delete_chat(conversation_id, request.scope)
    return document({"id": conversation_id, "object": "conversation.deleted", "deleted": True})


@router.get(
    "/v1/conversations/{conversation_id}/items",
    response_class=Response,
    summary="List the items of a conversation",
    operation_id="list_conversation_items",
    responses=schemas.LISTED | refusals(Dialect.OPENAI, "invalid_argument", "chat_not_found"),
)
async def list_conversation_items(
    conversation_id: ConversationId, request: Request, page: AskedItems
) -> Response:
    """List what was said in a conversation: the branch that its last response is on."""
    found: list[Document] = []
    waits = bool(page.after)
    async for message in messages(conversation_id, page, request.scope):
        if waits and message.message_id != names.source_of(page.after):
            continue
        items = await items_of(message, request.scope)
        ordered = items if page.ascending else items[::-1]
        if waits:
            ids = [item["id"] for item in ordered]
            if page.after not in ids:
                raise not_there(page.after)
            ordered, waits = ordered[ids.index(page.after) + 1 :], False
        found += ordered
        if len(found) > page.limit:
            break
    if waits:
        raise not_there(page.after)
    return answered(found, page)


@router.get(
    "/v1/conversations/{conversation_id}/items/{item_id}",
    response_class=Response,
    summary="Read an item of a conversation",
    operation_id="get_conversation_item",
    responses=schemas.ITEM
    | refusals(Dialect.OPENAI, "invalid_argument", "chat_not_found", "message_not_found"),
)
async def get_conversation_item(
    conversation_id: ConversationId, item_id: ItemId, request: Request, _include: Include = None
) -> Response:
    """Read an item of a conversation, on whichever of its branches."""
    chat = await chat_of(conversation_id, request.scope)
    source = names.source_of(item_id)
    found = await stored.message_of(source, item_id, request.scope, kind="Item")
    items = answers.items_of(found.message) if found.chat.chat_id == chat.chat_id else []
    for item in items:
        if item["id"] == item_id:
            return document(item)
    raise stored.not_there("Item", item_id)


async def messages(chat_id: str, page: Page, scope: Scope) -> AsyncIterator[Message]:
    """Yield the messages of a chat in the order that is asked for."""
    gateway, token = gateway_of(scope), ""
    while True:
        request = ListMessagesRequest(
            chat_id=chat_id,
            page_size=MOST_MESSAGES,
            page_token=token,
            from_end=not page.ascending,
        )
        with named(chat_id):
            got = await gateway.chat.unary(
                gateway.chat.stub.ListMessages, request, scope[CALLER], READ_SECONDS
            )
        for message in got.messages if page.ascending else reversed(got.messages):
            yield message
        token = got.next_page_token
        if not token:
            return


async def items_of(message: Message, scope: Scope) -> list[Document]:
    """Return the items of a message, oldest first."""
    if message.role == ROLE_ASSISTANT:
        return answers.items_of(message)
    whole = await stored.message_of(message.message_id, message.message_id, scope)
    return answers.items_of(whole.message)


async def chat_of(chat_id: str, scope: Scope) -> Chat:
    """Return a chat; ChatNotFound."""
    gateway = gateway_of(scope)
    request = GetChatRequest(chat_id=chat_id)
    with named(chat_id):
        got = await gateway.chat.unary(
            gateway.chat.stub.GetChat, request, scope[CALLER], READ_SECONDS
        )
    return got.chat


@contextmanager
def named(conversation_id: str) -> Iterator[None]:
    """Say in the original's words that a conversation is not there."""
    try:
        yield
    except Fault as fault:
        if reason_of(fault) == "chat_not_found":
            fault.sentence = f"Conversation with id '{conversation_id}' not found."
        raise
