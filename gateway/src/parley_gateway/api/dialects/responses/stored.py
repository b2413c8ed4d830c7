"""A response that is kept: a turn in a chat, which goes on when its client has left."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from parley_rpc.faults import (
    Fault,
    Internal,
    InvalidArgument,
    NotFound,
    Origin,
    RemoteFault,
    Violation,
    reason_of,
)
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from parley.chat.v1.chat_pb2 import (
    DeleteChatRequest,
    GetMessageRequest,
    GetMessageResponse,
    Message,
    SendMessageRequest,
)
from parley.provider.v1.model_pb2 import GetModelRequest
from parley.provider.v1.reply_pb2 import ROLE_ASSISTANT, ToolCallDelta
from parley_gateway.api import convert, sse
from parley_gateway.api.dependencies import (
    CALLER,
    READ_SECONDS,
    SPARE_SECONDS,
    confirming,
    gateway_of,
)
from parley_gateway.api.dialects import ownership
from parley_gateway.api.dialects.failures import OPENAI_CODE
from parley_gateway.api.dialects.responses import answers, names
from parley_gateway.api.dialects.responses.asked import Body, Question
from parley_gateway.api.dialects.responses.making import Making
from parley_gateway.api.middleware import exchange_of
from parley_gateway.api.providers import VENDOR_SECONDS
from parley_gateway.api.quota import preflight
from parley_gateway.api.turn import NOT_ENDED, Turn, TurnEvent
from parley_gateway.api.turns import idempotency_key
from parley_gateway.core.streams import Stream

# What the chat service calls what this dialect calls otherwise.
NAMING = {
    "chat_id": "conversation",
    "content": "input",
    "idempotency_key": "Idempotency-Key",
    "max_tokens": "max_output_tokens",
    "parent_id": "previous_response_id",
}


async def answer(
    stream: Stream, question: Question, scope: Scope, receive: Receive, send: Send
) -> None:
    """Send what is said and tell what comes back, as long as the key is valid."""
    gateway, body = gateway_of(scope), question.body
    request = await request_of(question, scope)
    with convert.naming(**NAMING):
        events = gateway.chat.stream(
            gateway.chat.stub.SendMessage,
            request,
            scope[CALLER],
            gateway.turn_seconds + SPARE_SECONDS,
        )
        turn = Turn(events, exchange_of(scope).request_id, confirming(scope))
        # Until it has begun a failure still has a status line.
        async with stream.waiting():
            start = await turn.begin()
        model = answers.model_name(start.provider, start.model)
        making = Making(question, start.message_id, model)
        if not making.streamed:
            async with stream.waiting():
                if not body.background:
                    await whole(turn, making)
                elif isinstance(events, AsyncGenerator):
                    await events.aclose()
            await Response(making.written(), media_type="application/json")(scope, receive, send)
            return
    await sse.stream(frames(turn, making), receive, send, problem=making.problem, cut=stream.cut)


async def request_of(question: Question, scope: Scope) -> SendMessageRequest:
    """Write a question as a turn; InvalidArgument."""
    body, asked = question.body, question.request
    request = SendMessageRequest(
        chat_id=body.chat_id,
        model=body.model,
        temperature=body.temperature,
        max_tokens=body.max_output_tokens,
        idempotency_key=idempotency_key(scope),
        omit_deltas=not body.stream,
        options=asked,
    )
    for name in ("model", "messages", "temperature", "max_tokens", "stream"):
        request.options.ClearField(name)
    if body.previous_response_id is not None:
        before = await previous(body, scope)
        request.chat_id, request.parent_id = before.chat.chat_id, before.message.message_id
    if request.chat_id or ownership.has_metadata(asked.messages):
        await name_model(request, scope)
    request.input.extend(ownership.keep(asked.messages, request.provider))
    # Told by the chat service: what repeats an earlier send is not refused.
    request.refusal = await preflight(scope)
    return request


async def name_model(request: SendMessageRequest, scope: Scope) -> None:
    """Say which provider's model is meant: a chat would take the name for one of its last one's."""
    gateway = gateway_of(scope)
    found = await gateway.provider.unary(
        gateway.provider.stub.GetModel,
        GetModelRequest(model=request.model),
        scope[CALLER],
        VENDOR_SECONDS,
    )
    request.provider, request.model = found.model.provider, found.model.name


async def previous(body: Body, scope: Scope) -> GetMessageResponse:
    """Return the response that this one follows; InvalidArgument."""
    name = body.previous_response_id or ""
    try:
        return await reply_of(name, scope)
    except Fault as fault:
        if reason_of(fault) != "message_not_found":
            raise
        told = f"Previous response with id '{name}' not found."
        raise missing("previous_response_id", told, "previous_response_not_found") from None


def missing(field: str, told: str, code: str) -> InvalidArgument:
    """Return what a name of nothing is refused with, in the original's sentence and code."""
    refusal = InvalidArgument(told, violations=[Violation(field, told)], field=field)
    refusal.metadata[OPENAI_CODE] = code
    return refusal


async def reply_of(response_id: str, scope: Scope) -> GetMessageResponse:
    """Return the reply that a response shows, and its chat; MessageNotFound."""
    found = await message_of(names.message_id(response_id), response_id, scope)
    if found.message.role != ROLE_ASSISTANT:
        raise not_there("Response", response_id)
    return found


def not_there(kind: str, name: str) -> Fault:
    """Return what the chat service says of a message, for what is none or a piece of none."""
    origin = Origin(NotFound, "message_not_found", "chat.parley")
    return RemoteFault(f"{kind} with id '{name}' not found.", origin)


async def message_of(
    message_id: str, asked: str, scope: Scope, *, kind: str = "Response"
) -> GetMessageResponse:
    """Return a message and its chat; MessageNotFound, in the words of what was asked for."""
    gateway = gateway_of(scope)
    request = GetMessageRequest(message_id=message_id)
    try:
        return await gateway.chat.unary(
            gateway.chat.stub.GetMessage, request, scope[CALLER], READ_SECONDS
        )
    except Fault as fault:
        if reason_of(fault) == "message_not_found":
            fault.sentence = f"{kind} with id '{asked}' not found."
        raise


async def delete_chat(chat_id: str, scope: Scope) -> None:
    """Delete a chat; ChatNotFound."""
    gateway, asked = gateway_of(scope), DeleteChatRequest(chat_id=chat_id)
    await gateway.chat.unary(gateway.chat.stub.DeleteChat, asked, scope[CALLER], READ_SECONDS)


async def whole(turn: Turn, making: Making) -> None:
    """Wait for the end of a turn, and add it to the response."""
    try:
        async for event in turn.events:
            if event.HasField("end"):
                await turn.confirm_stop(event.end.message)
                answers.finish(making.document, event.end.message)
                return
    except Fault as fault:
        raise turn.located(fault) from None
    raise turn.located(Internal(NOT_ENDED))


async def frames(turn: Turn, making: Making) -> AsyncGenerator[bytes, None]:
    """Yield a turn as server-sent events, to its end or its failure."""
    making.begin()
    yield making.events.taken()
    try:
        async for event in turn.events:
            await take(event, turn, making)
            yield making.events.taken()
            if event.HasField("end"):
                return
    except Fault as fault:
        yield making.fail(turn.located(fault))
        return
    yield making.fail(turn.located(Internal(NOT_ENDED)))


async def take(event: TurnEvent, turn: Turn, making: Making) -> None:
    """Add what came of a turn to the response."""
    if event.HasField("delta"):
        if event.delta.reasoning:
            making.output.reasoning(event.delta.reasoning)
        if event.delta.text:
            making.output.text(event.delta.text)
    elif event.HasField("end"):
        message = event.end.message
        await turn.confirm_stop(message)
        end(message, making)


def end(message: Message, making: Making) -> None:
    """Add the end of a turn: its calls, which come whole, and what it used."""
    for number, call in enumerate(message.tool_calls):
        making.output.tool_call(
            ToolCallDelta(
                index=number,
                tool_call_id=call.tool_call_id,
                name=call.name,
                arguments=call.arguments,
            )
        )
    making.document["created_at"] = int(message.created_at.ToSeconds())
    if message.provider:
        making.document["model"] = answers.model_name(message.provider, message.model)
    making.end(answers.ending(message), message.usage if message.HasField("usage") else None)
