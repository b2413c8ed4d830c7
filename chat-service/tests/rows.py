"""Rows of the stores in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from parley_chat_service.core.inputs import Said
from parley_chat_service.core.model import Chat, Message, Role, Status
from parley_chat_service.core.outline import Span
from parley_chat_service.core.turn import NewTurn, Past, Piece


@dataclass
class StoredChat:
    """A chat with what only the store knows of it."""

    owner_id: UUID
    chat_uid: UUID
    chat: Chat
    messages: list[UUID] = field(default_factory=list)
    # Those on the active path.
    path: list[UUID] = field(default_factory=list)
    deleted: bool = False


@dataclass
class StoredMessage:
    """A message with what only the store knows of it."""

    chat: StoredChat
    message: Message
    worker_id: UUID | None = None
    deadline: datetime | None = None
    pieces: list[Piece] = field(default_factory=list)
    spans: Sequence[Span] = ()
    said: Sequence[Said] = ()
    # Whom what was said was said to.
    asked: str = ""
    stop_requested: bool = False
    key_id: str = ""
    watched_at: datetime | None = None


ENDING = (
    "status",
    "content",
    "reasoning",
    "finish_reason",
    "error_reason",
    "usage",
    "cost",
    "failure",
    "tool_calls",
)


def with_text(stored: StoredMessage) -> Message:
    message = stored.message
    return replace(
        message,
        content=message.content + "".join(piece.text for piece in stored.pieces),
        reasoning=message.reasoning + "".join(piece.reasoning for piece in stored.pieces),
    )


def past_of(stored: StoredMessage) -> Past:
    message = stored.message
    past = Past(
        message.message_id, message.role, message.status, message.content, message.attachments
    )
    past = past._replace(tool_calls=message.tool_calls, said=stored.said, provider=stored.asked)
    if not stored.spans:
        return past
    return past._replace(provider=message.provider, reasoning=message.reasoning, spans=stored.spans)


def new_messages(
    turn: NewTurn, seq: int, parent_id: UUID | None, now: datetime
) -> Sequence[Message]:
    infos = tuple(file.info for file in turn.send.attachments)
    provider, model = turn.choice
    user = Message(
        turn.user_message_id,
        parent_id,
        [],
        seq - 1,
        Role.USER,
        Status.COMPLETE,
        turn.send.content,
        now,
        attachments=infos,
    )
    reply = Message(
        turn.message_id,
        turn.user_message_id,
        [],
        seq,
        Role.ASSISTANT,
        Status.RUNNING,
        "",
        now,
        provider=provider,
        model=model,
        prompt_version=turn.prompt_version,
    )
    return [user, reply]
