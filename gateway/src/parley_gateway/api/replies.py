"""Routes of single replies: read one from any position on, stop one."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import APIRouter, Header, Path
from parley_rpc.faults import InvalidArgument
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from parley.chat.v1.chat_pb2 import StopMessageRequest, StreamMessageRequest
from parley_gateway.api import convert, sse
from parley_gateway.api.dependencies import (
    CALLER,
    IDENTITY,
    READ_SECONDS,
    SPARE_SECONDS,
    ActingCaller,
    UsedGateway,
    answered_by,
    confirming,
    gateway_of,
    guarded,
)
from parley_gateway.api.middleware import exchange_of, header
from parley_gateway.api.openapi import EVENT_STREAM, refusals
from parley_gateway.api.schemas import chats
from parley_gateway.api.turn import Turn
from parley_gateway.core import model
from parley_gateway.core.streams import Stream

POSITION = re.compile(r"^[0-9]{1,12}\.[0-9]{1,12}$")

Route = guarded(
    reading=frozenset({model.Scope.READ, model.Scope.CHAT}),
    changing=frozenset({model.Scope.CHAT}),
)
router = APIRouter(route_class=Route, tags=["Chats"])
ChatId = Annotated[str, Path(description="The chat's name.")]
MessageId = Annotated[str, Path(description="The reply's name.")]


async def stream_message(
    chat_id: ChatId,
    message_id: MessageId,
    last_event_id: Annotated[
        str,
        Header(
            pattern=POSITION.pattern,
            description="The `id` of the last event that was received, such as `0.120`.",
        ),
    ] = "0.0",
) -> None:
    """Read a reply as events, from behind `Last-Event-ID` on: without gap, without repeat.

    While the reply is made and after it has ended, from any gateway, as often and by as many
    readers as you like. Without `Last-Event-ID` the event `start` comes first.
    """
    raise NotImplementedError(chat_id, message_id, last_event_id)  # `get_stream` answers


async def get_stream(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one request of somebody who was admitted."""
    with gateway_of(scope).streams.open(scope[IDENTITY]) as stream:
        await follow(stream, scope, receive, send)


async def follow(stream: Stream, scope: Scope, receive: Receive, send: Send) -> None:
    """Tell a reply as long as the key is valid."""
    gateway = gateway_of(scope)
    names = scope["path_params"]
    after = last_event_id(scope)
    request = StreamMessageRequest(
        chat_id=names["chat_id"], message_id=names["message_id"], after=after
    )
    with convert.naming(after="Last-Event-ID"):
        events = gateway.chat.stream(
            gateway.chat.stub.StreamMessage,
            request,
            scope[CALLER],
            gateway.turn_seconds + SPARE_SECONDS,
        )
        turn = Turn(events, exchange_of(scope).request_id, confirming(scope))
        # Until it has begun a failure still has a status line.
        async with stream.waiting():
            await turn.begin()
    frames = turn.frames(start=not after)
    await sse.stream(frames, receive, send, problem=turn.problem, cut=stream.cut)


def last_event_id(scope: Scope) -> str:
    """Return the position behind which a stream goes on, empty for none; InvalidArgument."""
    after = header(scope, b"last-event-id")
    if after is None:
        return ""
    if not POSITION.fullmatch(after.decode("latin-1")):
        raise InvalidArgument.of("Last-Event-ID", "It must be the `id` of an event.")
    return after.decode()


router.add_api_route(
    "/chats/{chat_id}/messages/{message_id}/stream",
    stream_message,
    methods=["GET"],
    response_class=Response,
    summary="Read a reply as it comes",
    operation_id="stream_message",
    responses=EVENT_STREAM
    | refusals(
        "invalid_argument",
        "chat_not_found",
        "message_not_found",
    ),
    route_class_override=answered_by(get_stream, Route),
)


@router.post(
    "/chats/{chat_id}/messages/{message_id}/stop",
    summary="Stop a reply",
    operation_id="stop_message",
    responses=refusals("invalid_argument", "chat_not_found", "message_not_found"),
)
async def stop_message(
    chat_id: ChatId, message_id: MessageId, gateway: UsedGateway, caller: ActingCaller
) -> chats.Message:
    """Stop a reply, and answer with what there is of it.

    The provider is left at once. A reply that has ended stays as it is. What a stopped one used
    and cost is known a moment later, and stands in the chat then.
    """
    request = StopMessageRequest(chat_id=chat_id, message_id=message_id)
    answer = await gateway.chat.unary(gateway.chat.stub.StopMessage, request, caller, READ_SECONDS)
    return convert.message(answer.message)
