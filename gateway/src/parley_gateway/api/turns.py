"""`POST /chat`, the hot route: one turn, whole or as a stream of events.

Written against ASGI itself, for it is on the path of every message.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
import orjson
from msgspec import DecodeError, Meta, Struct
from msgspec.json import Decoder
from parley_rpc.faults import InvalidArgument
from pydantic import ValidationError
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from parley.chat.v1.chat_pb2 import Attachment, SendMessageRequest
from parley_gateway.api import convert, sse
from parley_gateway.api.bodies import parse
from parley_gateway.api.dependencies import (
    BODY,
    CALLER,
    IDENTITY,
    SPARE_SECONDS,
    confirming,
    gateway_of,
)
from parley_gateway.api.middleware import exchange_of, header
from parley_gateway.api.schemas import chats
from parley_gateway.api.schemas.chats import MOST_TOKENS
from parley_gateway.api.schemas.fields import LONGEST_CHOICE, MOST_CHOICES
from parley_gateway.api.turn import Turn
from parley_gateway.api.validation import invalid
from parley_gateway.core.streams import Stream

LONGEST_IDEMPOTENCY_KEY = 255
Label = Annotated[str, Meta(min_length=1, max_length=200)]
Choice = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]*(/[^\0]+)?\Z", max_length=LONGEST_CHOICE)]


class FastAttachment(Struct, forbid_unknown_fields=True):
    """`Attachment` of the schemas, for the fast decoder."""

    media_type: Label
    data: bytes
    name: Label | None = None


class FastBody(Struct, forbid_unknown_fields=True):
    """`ChatBody` of the schemas, for the fast decoder, which takes nothing that that one refuses.

    What this one refuses is shown to that one, which knows how to say why, or takes it all
    the same: a whole number of tokens written `5.0`.
    """

    message: str
    chat_id: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,50}\Z")] | None = None
    provider: Label | None = None
    model: Label | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    max_tokens: Annotated[int, Meta(ge=1, le=MOST_TOKENS)] | None = None
    system_prompt_id: Label | None = None
    attachments: Annotated[list[FastAttachment], Meta(max_length=10)] | None = None
    fallbacks: Annotated[list[Choice], Meta(max_length=MOST_CHOICES)] | None = None
    stream: bool | None = None

    def __post_init__(self) -> None:
        """Refuse what types cannot say."""
        if (
            not self.message
            or self.message.isspace()
            or any("\0" in text for text in self._texts())
        ):
            raise ValueError

    def _texts(self) -> list[str]:
        texts = [self.message, self.provider or "", self.model or "", self.system_prompt_id or ""]
        for attachment in self.attachments or ():
            texts += attachment.media_type, attachment.name or ""
        return texts


DECODER = Decoder(FastBody)


async def post_chat(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one request of somebody who was admitted."""
    gateway = gateway_of(scope)
    with gateway.load.one_more(), gateway.streams.open(scope[IDENTITY]) as stream:
        await answer(stream, scope, receive, send)


async def answer(stream: Stream, scope: Scope, receive: Receive, send: Send) -> None:
    """Send a message and tell what comes back, as long as the key is valid."""
    gateway = gateway_of(scope)
    body = decode(scope[BODY])
    if len(body.message) > gateway.max_message_chars:
        limit = f"It must have at most {gateway.max_message_chars} characters."
        raise InvalidArgument.of("message", limit)
    request = request_of(body, idempotency_key(scope))
    streamed = wants_stream(body, scope)
    request.omit_deltas = not streamed
    with convert.naming(content="message", idempotency_key="Idempotency-Key"):
        events = gateway.chat.stream(
            gateway.chat.stub.SendMessage,
            request,
            scope[CALLER],
            gateway.turn_seconds + SPARE_SECONDS,
        )
        turn = Turn(events, exchange_of(scope).request_id, confirming(scope))
        if not streamed:
            async with stream.waiting():
                answer = orjson.dumps(await turn.whole())
            await Response(answer, media_type="application/json")(scope, receive, send)
            return
        # Until it has begun a failure still has a status line.
        async with stream.waiting():
            await turn.begin()
    await sse.stream(turn.frames(), receive, send, problem=turn.problem, cut=stream.cut)


def decode(body: bytes) -> FastBody:
    """Decode a body; MalformedBody, InvalidArgument."""
    try:
        return DECODER.decode(body)
    except (DecodeError, UnicodeDecodeError, RecursionError):
        value = parse(body)
    try:
        taken = chats.ChatBody.model_validate(value)
    except ValidationError as error:
        raise invalid(error.errors(include_url=False, include_input=False)) from None
    return msgspec.convert(taken.model_dump(), FastBody)


def idempotency_key(scope: Scope) -> str:
    """Return the key that makes the send repeatable, empty when there is none."""
    key = (header(scope, b"idempotency-key") or b"").decode("latin-1")
    if len(key) > LONGEST_IDEMPOTENCY_KEY:
        limit = f"It must have at most {LONGEST_IDEMPOTENCY_KEY} characters."
        raise InvalidArgument.of("Idempotency-Key", limit)
    return key


def wants_stream(body: FastBody, scope: Scope) -> bool:
    """Say whether the answer is to be a stream: by the body, else by what the client accepts."""
    if body.stream is not None:
        return body.stream
    return b"text/event-stream" in (header(scope, b"accept") or b"")


def request_of(body: FastBody, key: str) -> SendMessageRequest:
    """Write a body as the contract has it."""
    request = SendMessageRequest(
        chat_id=body.chat_id or "",
        content=body.message,
        provider=body.provider or "",
        model=body.model or "",
        temperature=body.temperature,
        max_tokens=body.max_tokens,
        system_prompt_id=body.system_prompt_id or "",
        idempotency_key=key,
    )
    for file in body.attachments or ():
        request.attachments.append(
            Attachment(name=file.name or "", media_type=file.media_type, data=file.data)
        )
    request.fallbacks.extend(map(convert.model_choice, body.fallbacks or ()))
    return request
