"""The contract ⇄ the core: one function per message."""

from __future__ import annotations

import hashlib
import re
from datetime import datetime
from typing import TypedDict
from uuid import UUID

from google.protobuf.message import DecodeError
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc.status_pb2 import Status
from parley_rpc.context import ServerContext, caller_of
from parley_rpc.faults import Fault, InvalidArgument, Unauthenticated
from parley_rpc.status import from_status

from parley.chat.v1 import chat_pb2 as pb
from parley.provider.v1 import reply_pb2
from parley_chat_service.api import inputs
from parley_chat_service.api.tokens import chat_cursor, message_cursor
from parley_chat_service.core import model, rules
from parley_chat_service.core.faults import MessageNotFound
from parley_chat_service.core.inputs import call_fields, words_of
from parley_chat_service.core.titles import folded
from parley_chat_service.core.turn import Delta, End, FoundMessage, Seek, Send, Start, TurnEvent

ROLES = {
    model.Role.USER: reply_pb2.ROLE_USER,
    model.Role.ASSISTANT: reply_pb2.ROLE_ASSISTANT,
}
STATUSES = {
    model.Status.RUNNING: pb.MESSAGE_STATUS_RUNNING,
    model.Status.COMPLETE: pb.MESSAGE_STATUS_COMPLETE,
    model.Status.STOPPED: pb.MESSAGE_STATUS_STOPPED,
    model.Status.FAILED: pb.MESSAGE_STATUS_FAILED,
    model.Status.INTERRUPTED: pb.MESSAGE_STATUS_INTERRUPTED,
}
REASONS = {
    "": reply_pb2.FINISH_REASON_UNSPECIFIED,
    "stop": reply_pb2.FINISH_REASON_STOP,
    "length": reply_pb2.FINISH_REASON_LENGTH,
    "tool": reply_pb2.FINISH_REASON_TOOL,
    "refusal": reply_pb2.FINISH_REASON_REFUSAL,
    "filtered": reply_pb2.FINISH_REASON_FILTERED,
    "paused": reply_pb2.FINISH_REASON_PAUSED,
    "other": reply_pb2.FINISH_REASON_OTHER,
}
SOURCES = {
    "": reply_pb2.USAGE_SOURCE_UNSPECIFIED,
    "reported": reply_pb2.USAGE_SOURCE_REPORTED,
    "counted": reply_pb2.USAGE_SOURCE_COUNTED,
    "estimated": reply_pb2.USAGE_SOURCE_ESTIMATED,
}
# Digits of numbers that a reply can reach.
POSITION = re.compile(r"([0-9]{1,12})\.([0-9]{1,12})")


class Event(TypedDict, total=False):
    """One event of a turn, by its field in the messages that carry one."""

    start: pb.TurnStart
    delta: pb.TurnDelta
    end: pb.TurnEnd


def caller(context: ServerContext) -> model.Caller:
    """Read in whose name a call is made."""
    found = caller_of(context)
    try:
        owner_id = UUID(found.user_id)
    except ValueError:
        raise Unauthenticated("The user context names no user: user_id is not a UUID.") from None
    return model.Caller(owner_id, found.metadata, found.deadline, found.key_id)


def send(request: pb.SendMessageRequest) -> Send:
    """Read what is asked of a turn."""
    said = inputs.said(request)
    if said:
        files = inputs.files(request.input, said)
    else:
        files = tuple(attachment(file) for file in request.attachments)
    return Send(
        content=words_of(said) if said else request.content,
        chat_id=request.chat_id,
        choice=model.Choice(request.provider, request.model),
        temperature=request.temperature if request.HasField("temperature") else None,
        max_tokens=request.max_tokens if request.HasField("max_tokens") else None,
        prompt_id=request.system_prompt_id,
        attachments=files,
        idempotency_key=request.idempotency_key,
        watched=not request.omit_deltas,
        fallbacks=tuple(model.Choice(one.provider, one.model) for one in request.fallbacks),
        refusal=refusal(request.refusal) if request.refusal else None,
        said=said,
        options=inputs.options(request),
        parent_id=uuid_of(request.parent_id) if request.parent_id else None,
    )


def refusal(status: bytes) -> Fault:
    """Read what a send fails with."""
    try:
        return from_status(Status.FromString(status))
    except DecodeError:
        raise InvalidArgument.of("refusal", "must be a google.rpc.Status") from None


def attachment(file: pb.Attachment) -> model.Attachment:
    """Read a file."""
    digest = hashlib.sha256(file.data).hexdigest()
    info = model.AttachmentInfo(file.name, file.media_type, len(file.data), digest)
    return model.Attachment(info, file.data)


def seek(request: pb.StreamMessageRequest) -> Seek:
    """Read what is asked of a reply."""
    return Seek(
        chat_id=request.chat_id,
        message_id=message_id(request),
        after=position(request.after or "0.0"),
        deltas=not request.omit_deltas,
    )


def message_id(
    request: pb.StreamMessageRequest | pb.StopMessageRequest | pb.GetMessageRequest,
    where: str = " in the chat",
) -> UUID:
    """Read which message is meant; MessageNotFound for what is none of our names."""
    return uuid_of(request.message_id, where)


def uuid_of(name: str, where: str = " in the chat") -> UUID:
    """Read the name of a message."""
    try:
        return UUID(name)
    except ValueError:
        raise MessageNotFound(name[: rules.LONGEST_NAME], where) from None


def position(text: str) -> model.Position:
    """Read a place in a reply; InvalidArgument."""
    found = POSITION.fullmatch(text)
    if found is None:
        raise InvalidArgument.of("after", "must be a position such as 0.120")
    return model.Position(*map(int, found.groups()))


def event(told: TurnEvent) -> Event:
    """Write one event of a turn, for the field of its name."""
    if isinstance(told, Delta):
        position = f"{told.end.reasoning}.{told.end.text}"
        return {"delta": pb.TurnDelta(text=told.text, reasoning=told.reasoning, position=position)}
    if isinstance(told, Start):
        return {"start": start(told)}
    return {"end": end(told)}


def start(told: Start) -> pb.TurnStart:
    """Write the beginning of a turn."""
    return pb.TurnStart(
        chat_id=told.chat_id,
        user_message_id=name(told.user_message_id),
        message_id=name(told.message_id),
        provider=told.choice.provider,
        model=told.choice.model,
    )


def end(told: End) -> pb.TurnEnd:
    """Write the end of a turn, without the text when it came before."""
    written = message(told.message)
    if not told.whole:
        written.ClearField("content")
        written.ClearField("reasoning")
    return pb.TurnEnd(message=written)


def message(message: model.Message) -> pb.Message:
    """Write a message."""
    usage, cost = message.usage, message.cost
    return pb.Message(
        message_id=name(message.message_id),
        parent_id=name(message.parent_id),
        sibling_ids=[name(sibling) for sibling in message.sibling_ids],
        seq=message.seq,
        role=ROLES[message.role],
        content=message.content,
        reasoning=message.reasoning,
        status=STATUSES[message.status],
        finish_reason=REASONS[message.finish_reason],
        provider=message.provider,
        model=message.model,
        prompt_version=message.prompt_version,
        usage=None if usage is None else usage_message(usage),
        cost=None if cost is None else reply_pb2.Cost(**cost._asdict()),
        created_at=timestamp(message.created_at),
        attachments=[attachment_info(info) for info in message.attachments],
        error_reason=message.error_reason,
        tool_calls=[reply_pb2.ToolCall(**call_fields(call)) for call in message.tool_calls],
    )


def found_message(found: FoundMessage) -> pb.GetMessageResponse:
    """Write a message that was asked for by its name alone, whole."""
    whole = message(found.message)
    whole.input.extend(inputs.written(found.said, found.files))
    return pb.GetMessageResponse(message=whole, chat=chat(found.chat))


def usage_message(usage: model.Usage) -> reply_pb2.Usage:
    """Write a count of tokens."""
    return reply_pb2.Usage(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cached_input_tokens=usage.cached_input_tokens,
        reasoning_tokens=usage.reasoning_tokens,
        source=SOURCES[usage.source],
    )


def attachment_info(info: model.AttachmentInfo) -> pb.AttachmentInfo:
    """Write what is told of a file."""
    return pb.AttachmentInfo(
        name=info.name, media_type=info.media_type, size=info.size, sha256=info.sha256
    )


def chat(chat: model.Chat) -> pb.Chat:
    """Write a chat."""
    totals = None if chat.totals is None else pb.ChatTotals(**chat.totals._asdict())
    return pb.Chat(
        chat_id=chat.chat_id,
        title=chat.title,
        provider=chat.provider,
        model=chat.model,
        message_count=chat.message_count,
        created_at=timestamp(chat.created_at),
        updated_at=timestamp(chat.updated_at),
        totals=totals,
    )


def chat_query(request: pb.ListChatsRequest) -> model.ChatQuery:
    """Read which chats to list."""
    return model.ChatQuery(
        page_size=rules.page_size(request.page_size),
        after=chat_cursor(request.page_token) if request.page_token else None,
        folded_title=folded(request.title_contains),
        provider=request.provider,
    )


def message_query(request: pb.ListMessagesRequest) -> model.MessageQuery:
    """Read which messages to list."""
    token = request.page_token
    return model.MessageQuery(
        chat_id=request.chat_id,
        page_size=rules.page_size(request.page_size),
        from_end=request.from_end,
        after=message_cursor(token, from_end=request.from_end) if token else None,
    )


def name(message_id: UUID | None) -> str:
    """Write an id; none is empty."""
    return "" if message_id is None else str(message_id)


def timestamp(moment: datetime) -> Timestamp:
    """Write a moment."""
    written = Timestamp()
    written.FromDatetime(moment)
    return written
