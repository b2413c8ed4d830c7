"""What the chat service holds: chats, their messages, and what belongs to them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID


class Role(StrEnum):
    """Who speaks."""

    USER = "user"
    ASSISTANT = "assistant"
    # Within an input only; no message of a chat is a tool's.
    TOOL = "tool"
    # Likewise; what they say is part of the system prompt.
    SYSTEM = "system"
    DEVELOPER = "developer"


class Status(StrEnum):
    """How far a message is."""

    RUNNING = "running"
    COMPLETE = "complete"
    STOPPED = "stopped"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class Caller:
    """In whose name a call is made; `metadata` goes along to other services unchanged.

    What others are asked before a turn begins must be answered by `deadline`, in
    `time.monotonic()`; a turn that has begun has one of its own.
    """

    owner_id: UUID
    metadata: Sequence[tuple[str, str | bytes]] = ()
    deadline: float = field(default=math.inf, compare=False)
    # The key that was shown.
    key_id: str = ""


class Position(NamedTuple):
    """A place in a reply, in code points of its reasoning and of its text."""

    reasoning: int = 0
    text: int = 0


class Choice(NamedTuple):
    """Who answers. An empty name leaves it open."""

    provider: str = ""
    model: str = ""


OPEN = Choice()


class Prompt(NamedTuple):
    """An instruction to the model, and its version; 0 when there is none."""

    content: str = ""
    version: int = 0


class Usage(NamedTuple):
    """The tokens of one reply; `source` says where the figures come from."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_input_tokens: int = 0
    reasoning_tokens: int = 0
    source: str = ""


class Cost(NamedTuple):
    """The cost of one reply in nano-dollars, by which price list."""

    nano_usd: int
    price_version: str


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a reply failed: a fault without its moment, for when to come back is not kept."""

    kind: str
    reason: str
    domain: str
    sentence: str
    metadata: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class AttachmentInfo:
    """A file without its bytes, which their SHA-256 in hexadecimal names."""

    name: str
    media_type: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file with its bytes."""

    info: AttachmentInfo
    data: bytes


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call of a tool that a model asks for; its arguments are as the model wrote them."""

    tool_call_id: str
    name: str
    arguments: str


class Totals(NamedTuple):
    """What the messages of a chat used and cost together."""

    cost_nano_usd: int = 0
    # Used tokens at an unknown price; the ledger knows it later.
    unpriced_messages: int = 0
    unsettled_messages: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cached_input_tokens: int = 0
    reasoning_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Chat:
    """A conversation."""

    chat_id: str
    title: str
    provider: str
    model: str
    message_count: int
    created_at: datetime
    updated_at: datetime
    # Not summed for lists.
    totals: Totals | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a chat."""

    message_id: UUID
    parent_id: UUID | None
    sibling_ids: Sequence[UUID]
    seq: int
    role: Role
    status: Status
    content: str
    created_at: datetime
    reasoning: str = ""
    attachments: Sequence[AttachmentInfo] = ()
    provider: str = ""
    model: str = ""
    prompt_version: int = 0
    finish_reason: str = ""
    error_reason: str = ""
    usage: Usage | None = None
    cost: Cost | None = None
    failure: Failure | None = None
    tool_calls: Sequence[ToolCall] = ()


class ChatCursor(NamedTuple):
    """A place in the list of chats, newest first."""

    updated_at: datetime
    chat_uid: UUID


@dataclass(frozen=True, slots=True)
class ChatQuery:
    """Which chats to list. `folded_title` is a part of a title, in its folded form."""

    page_size: int
    after: ChatCursor | None = None
    folded_title: str = ""
    provider: str = ""


@dataclass(frozen=True, slots=True)
class MessageQuery:
    """Which messages to list: behind a `seq`, or before it when the list goes back in time."""

    chat_id: str
    page_size: int
    from_end: bool = False
    after: int | None = None


@dataclass(frozen=True, slots=True)
class ChatPage:
    """Some chats, and where to go on; None at the end."""

    chats: Sequence[Chat]
    following: ChatCursor | None


@dataclass(frozen=True, slots=True)
class MessagePage:
    """A chat and some of its messages, oldest first, and where to go on; None at the end."""

    chat: Chat
    messages: Sequence[Message]
    following: int | None
