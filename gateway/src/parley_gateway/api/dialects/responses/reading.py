"""Routes of stored responses: read, follow, stop, delete, and what was said to them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from parley_rpc.faults import InvalidArgument
from starlette.datastructures import QueryParams
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from parley.chat.v1.chat_pb2 import (
    GetMessageResponse,
    StopMessageRequest,
    StreamMessageRequest,
)
from parley.provider.v1.reply_pb2 import GenerateReplyRequest
from parley_gateway.api import sse
from parley_gateway.api.dependencies import (
    CALLER,
    IDENTITY,
    READ_SECONDS,
    SPARE_SECONDS,
    answered_by,
    confirming,
    gateway_of,
)
from parley_gateway.api.dialects.documentation import refusals
from parley_gateway.api.dialects.failures import Dialect
from parley_gateway.api.dialects.responses import answers, schemas, stored
from parley_gateway.api.dialects.responses.asked import Body, Question
from parley_gateway.api.dialects.responses.creating import Route
from parley_gateway.api.dialects.responses.listing import AskedItems, Include, document, part
from parley_gateway.api.dialects.responses.making import Making
from parley_gateway.api.middleware import exchange_of
from parley_gateway.api.turn import Turn
from parley_gateway.core.faults import ChatGoesOn
from parley_gateway.core.streams import Stream

NO_PLACE = (
    "A stream is told again from its beginning only: how a reply was cut into events is not kept."
)
FLAGS = {"true": True, "1": True, "false": False, "0": False, "": False}

router = APIRouter(route_class=Route, tags=["Responses"])
ResponseId = Annotated[str, Path(description="The response's name.")]


async def get_response(
    response_id: ResponseId,
    include: Include = None,
    stream: Annotated[bool, Query(description="Tell it as events, from its beginning.")] = False,
    starting_after: Annotated[int | None, Query(description="Refused.")] = None,
    include_obfuscation: Annotated[bool, Query(description="Taken; nothing is obscured.")] = False,
) -> None:
    """Read a stored response, finished or not.

    What was asked for (its instructions, tools, metadata and so on) is not kept: these fields
    read as in a response that asked for nothing.
    """
    raise NotImplementedError  # `retrieve` answers; this documents


async def retrieve(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one request of somebody who was admitted."""
    query = QueryParams(scope["query_string"])
    is_streamed = FLAGS.get(query.get("stream", "").lower())
    if is_streamed is None:
        raise InvalidArgument.of("stream", "It must be true or false.")
    if "starting_after" in query:
        raise InvalidArgument.of("starting_after", NO_PLACE)
    found = await stored.reply_of(scope["path_params"]["response_id"], scope)
    if is_streamed:
        with gateway_of(scope).streams.open(scope[IDENTITY]) as stream:
            await follow(found, stream, scope, receive, send)
        return
    await document(await shown(found, scope))(scope, receive, send)


async def shown(found: GetMessageResponse, scope: Scope) -> answers.Document:
    """Return a stored reply as a response."""
    message = found.message
    said = await stored.message_of(message.parent_id, message.message_id, scope)
    return answers.stored(message, found.chat.chat_id, said.message.parent_id)


async def follow(
    found: GetMessageResponse, stream: Stream, scope: Scope, receive: Receive, send: Send
) -> None:
    """Tell a response from its beginning as long as the key is valid."""
    gateway, message = gateway_of(scope), found.message
    request = StreamMessageRequest(chat_id=found.chat.chat_id, message_id=message.message_id)
    events = gateway.chat.stream(
        gateway.chat.stub.StreamMessage,
        request,
        scope[CALLER],
        gateway.turn_seconds + SPARE_SECONDS,
    )
    turn = Turn(events, exchange_of(scope).request_id, confirming(scope))
    async with stream.waiting():
        start = await turn.begin()
    model = answers.model_name(start.provider, start.model)
    body = Body(model=model, input="", stream=True)
    making = Making(Question(body, {}, GenerateReplyRequest()), start.message_id, model)
    making.document["created_at"] = int(message.created_at.ToSeconds())
    frames = stored.frames(turn, making)
    await sse.stream(frames, receive, send, problem=making.problem, cut=stream.cut)


router.add_api_route(
    "/v1/responses/{response_id}",
    get_response,
    methods=["GET"],
    response_class=Response,
    summary="Read a response",
    operation_id="get_response",
    responses=schemas.STREAMED | refusals(Dialect.OPENAI, "invalid_argument", "message_not_found"),
    route_class_override=answered_by(retrieve, Route),
)


@router.delete(
    "/v1/responses/{response_id}",
    response_class=Response,
    summary="Delete a response",
    operation_id="delete_response",
    responses=schemas.DELETED
    | refusals(Dialect.OPENAI, "invalid_argument", "message_not_found", "chat_goes_on"),
)
async def delete_response(response_id: ResponseId, request: Request) -> Response:
    """Delete a response and its chat, when the chat holds nothing else.

    A chat is deleted as a whole or not at all; what it cost stays on record.
    """
    scope = request.scope
    found = await stored.reply_of(response_id, scope)
    said = await stored.message_of(found.message.parent_id, response_id, scope)
    chat = found.chat
    alone = not said.message.parent_id and chat.message_count <= 2
    if not alone or len(said.message.sibling_ids) > 1 or len(found.message.sibling_ids) > 1:
        raise ChatGoesOn(response_id, chat.chat_id)
    await stored.delete_chat(chat.chat_id, scope)
    return document({"id": response_id, "object": "response", "deleted": True})


@router.post(
    "/v1/responses/{response_id}/cancel",
    response_class=Response,
    summary="Stop a response",
    operation_id="cancel_response",
    responses=schemas.RESPONSE | refusals(Dialect.OPENAI, "invalid_argument", "message_not_found"),
)
async def cancel_response(response_id: ResponseId, request: Request) -> Response:
    """Stop a response that is being made, in the background or not.

    One that has ended stays as it is.
    """
    scope = request.scope
    gateway, found = gateway_of(scope), await stored.reply_of(response_id, scope)
    asked = StopMessageRequest(chat_id=found.chat.chat_id, message_id=found.message.message_id)
    stopped = await gateway.chat.unary(
        gateway.chat.stub.StopMessage, asked, scope[CALLER], READ_SECONDS
    )
    found.message.CopyFrom(stopped.message)
    return document(await shown(found, scope))


@router.get(
    "/v1/responses/{response_id}/input_items",
    response_class=Response,
    summary="List what was said to a response",
    operation_id="list_response_input_items",
    responses=schemas.LISTED | refusals(Dialect.OPENAI, "invalid_argument", "message_not_found"),
)
async def list_response_input_items(
    response_id: ResponseId, request: Request, page: AskedItems
) -> Response:
    """List the items that a response was asked with, without those of responses before it."""
    scope = request.scope
    found = await stored.reply_of(response_id, scope)
    said = await stored.message_of(found.message.parent_id, response_id, scope)
    return part(answers.input_items(said.message), page)
