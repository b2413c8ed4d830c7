"""A completion within one of our chats: stored and durable, as any other turn."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import NamedTuple

import orjson
from parley_rpc.faults import Fault, Internal
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from parley.chat.v1.chat_pb2 import (
    MESSAGE_STATUS_STOPPED,
    Message,
    SendMessageRequest,
    SendMessageResponse,
    TurnDelta,
    TurnStart,
)
from parley.provider.v1.model_pb2 import GetModelRequest
from parley.provider.v1.reply_pb2 import Finished, ToolCallDelta
from parley_gateway.api import sse
from parley_gateway.api.dependencies import (
    CALLER,
    SPARE_SECONDS,
    confirming,
    gateway_of,
)
from parley_gateway.api.dialects import generation, ownership
from parley_gateway.api.dialects.completions.chunks import Chunks
from parley_gateway.api.dialects.completions.layout import Kind
from parley_gateway.api.dialects.completions.reply import Reply
from parley_gateway.api.dialects.completions.telling import Telling, completion
from parley_gateway.api.dialects.completions.translate import Asked, naming
from parley_gateway.api.middleware import exchange_of
from parley_gateway.api.providers import VENDOR_SECONDS
from parley_gateway.api.quota import preflight
from parley_gateway.core.streams import Stream

NOT_BEGUN = "The chat service ended a turn without beginning it."
NOT_ENDED = "The chat service did not end the turn."
Events = AsyncIterator[SendMessageResponse]


class Chat(NamedTuple):
    """The chat that goes on, and what makes the send repeatable."""

    chat_id: str
    idempotency_key: str


async def answer(chat: Chat, ask: Asked, scope: Scope, receive: Receive, send: Send) -> None:
    """Say what is new in a chat, and answer with the reply; it goes on without its client."""
    with generation.under_way(scope) as stream:
        turn = StoredTurn(ask, scope)
        async with stream.waiting():
            with naming():
                await turn.begin(chat)
                document = None if ask.is_streamed else await turn.whole()
        if document is None:
            await tell(turn, stream, receive, send)
            return
    response = Response(orjson.dumps(document), media_type="application/json")
    await response(scope, receive, send)


async def tell(turn: StoredTurn, stream: Stream, receive: Receive, send: Send) -> None:
    """Answer with a turn as it comes."""
    telling = turn.telling()
    frames = turn.frames(telling)
    await sse.stream(frames, receive, send, problem=telling.problem, cut=stream.cut)


class StoredTurn:
    """A turn of a chat, told as a completion."""

    def __init__(self, ask: Asked, scope: Scope) -> None:
        self.ask = ask
        self.scope = scope
        self.start = TurnStart()
        self.events: Events
        self.confirm: Callable[[], Awaitable[None]] = confirming(scope)

    async def begin(self, chat: Chat) -> None:
        """Wait until the turn is stored; the fault that keeps it from that."""
        gateway, caller = gateway_of(self.scope), self.scope[CALLER]
        request = await self.request(chat)
        self.events = gateway.chat.stream(
            gateway.chat.stub.SendMessage, request, caller, gateway.turn_seconds + SPARE_SECONDS
        )
        async for event in self.events:
            self.start = event.start
            return
        raise Internal(NOT_BEGUN)

    async def request(self, chat: Chat) -> SendMessageRequest:
        """Write what is sent: chats remember provider and model, so they are looked up here."""
        gateway, said = gateway_of(self.scope), self.ask.request
        found = await gateway.provider.unary(
            gateway.provider.stub.GetModel,
            GetModelRequest(model=said.model),
            self.scope[CALLER],
            VENDOR_SECONDS,
        )
        request = SendMessageRequest(
            chat_id=chat.chat_id,
            input=ownership.keep(said.messages, found.model.provider),
            provider=found.model.provider,
            model=found.model.name,
            options=said,
            idempotency_key=chat.idempotency_key,
            omit_deltas=not self.ask.is_streamed,
            refusal=await preflight(self.scope),
        )
        # What stands beside the options counts there.
        if said.HasField("temperature"):
            request.temperature = said.temperature
        if said.HasField("max_tokens"):
            request.max_tokens = said.max_tokens
        for field in ("messages", "model", "stream", "temperature", "max_tokens"):
            request.options.ClearField(field)
        return request

    def telling(self) -> Telling:
        """Return what tells the turn as chunks."""
        return Telling(
            self.ask, self.start.message_id, exchange_of(self.scope).request_id, self.names()
        )

    def names(self) -> dict[str, str]:
        """Return the names of the chat and the reply, as all that tells of them has them."""
        return {"conversation": self.start.chat_id, "message_id": self.start.message_id}

    async def whole(self) -> dict[str, object]:
        """Return the turn when it has ended."""
        async for event in self.events:
            if event.HasField("end"):
                message = event.end.message
                await self.confirm_stop(message)
                reply = self.reply()
                for kind, text in (
                    (Kind.REASONING, message.reasoning),
                    (Kind.TEXT, message.content),
                ):
                    if text:
                        reply.say(kind, text)
                for call in calls_of(message):
                    reply.call(call)
                reply.finish(end_of(message))
                return completion(self.ask, self.start.message_id, [reply], self.names())
        raise Internal(NOT_ENDED)

    async def frames(self, telling: Telling) -> AsyncGenerator[bytes, None]:
        """Yield the turn as chunks."""
        chunks = telling.choices[0]
        chunks.reply.model = self.reply().model
        ended = False
        try:
            async for event in self.events:
                if event.HasField("delta"):
                    yield written(chunks, event.delta)
                elif event.HasField("end"):
                    message, ended = event.end.message, True
                    await self.confirm_stop(message)
                    calls = b"".join(map(chunks.call, calls_of(message)))
                    yield calls + chunks.end(end_of(message)) + telling.end()
            if not ended:
                raise Internal(NOT_ENDED)
        except Fault as fault:
            yield telling.problem(fault)

    def reply(self) -> Reply:
        """Return a reply of which nothing has come."""
        model = f"{self.start.provider}/{self.start.model}"
        return Reply(model, is_legacy=self.ask.is_legacy)

    async def confirm_stop(self, message: Message) -> None:
        """Tell of a stop as such, unless the key had ended: then of that; Unauthenticated."""
        if message.status == MESSAGE_STATUS_STOPPED:
            await self.confirm()


def written(chunks: Chunks, delta: TurnDelta) -> bytes:
    """Write a piece of a turn."""
    thought = chunks.reasoning(delta.reasoning) if delta.reasoning else b""
    return thought + chunks.text(delta.text) if delta.text else thought


def calls_of(message: Message) -> list[ToolCallDelta]:
    """Return the calls that a reply ended with, each whole."""
    return [
        ToolCallDelta(
            index=index, tool_call_id=call.tool_call_id, name=call.name, arguments=call.arguments
        )
        for index, call in enumerate(message.tool_calls)
    ]


def end_of(message: Message) -> Finished:
    """Return the end of a reply as the provider service told it."""
    return Finished(
        reason=message.finish_reason,
        usage=message.usage,
        provider=message.provider,
        model=message.model,
    )
