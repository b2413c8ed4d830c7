"""What makes up a turn: what is asked, what is stored, what is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from parley_rpc.faults import Fault

from parley_chat_service.core.inputs import Said
from parley_chat_service.core.model import (
    OPEN,
    Attachment,
    AttachmentInfo,
    Chat,
    Choice,
    Cost,
    Failure,
    Message,
    Position,
    Status,
    ToolCall,
    Usage,
)
from parley_chat_service.core.outline import Span

BEGINNING = Position()


class Options(NamedTuple):
    """How a reply is asked for, beyond what every send says.

    `system` takes the active prompt's place, empty or not. `packed` is for the provider service,
    which alone reads it.
    """

    system: str = ""
    packed: bytes = b""
    # Without any the active prompt counts.
    given: bool = True


NO_OPTIONS = Options(given=False)


@dataclass(frozen=True, slots=True)
class Send:
    """What a caller asks of a turn. `watched` says that somebody reads along.

    `fallbacks` are asked, in order, when the first choice fails before it says anything. What came
    as messages is `said`; `content` is what users said in them, and `attachments` are their files.
    """

    content: str
    chat_id: str = ""
    choice: Choice = OPEN
    temperature: float | None = None
    max_tokens: int | None = None
    prompt_id: str = ""
    attachments: Sequence[Attachment] = ()
    idempotency_key: str = ""
    watched: bool = True
    fallbacks: Sequence[Choice] = ()
    # What it fails with before anything is stored, unless it repeats one.
    refusal: Fault | None = None
    said: Sequence[Said] = ()
    options: Options = NO_OPTIONS
    # The reply that it follows, when that is not simply the chat's last one.
    parent_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Seek:
    """What a caller asks of a reply: what lies behind a position; without `deltas` its end only."""

    chat_id: str
    message_id: UUID
    after: Position = BEGINNING
    deltas: bool = True


class Past(NamedTuple):
    """A message as the model is shown it.

    From `provider` on there is something only when a vendor wants something back, or a reply calls
    tools: who made the reply, its reasoning, the pieces of both with their metadata, its calls. A
    user's message that came as messages is `said`, to `provider`.
    """

    message_id: UUID
    role: str
    status: str
    content: str
    attachments: Sequence[AttachmentInfo] = ()
    provider: str = ""
    reasoning: str = ""
    spans: Sequence[Span] = ()
    tool_calls: Sequence[ToolCall] = ()
    said: Sequence[Said] = ()


@dataclass(frozen=True, slots=True)
class CallDelta:
    """What a call of a tool grew by; its names come first, its metadata last.

    `index` counts the calls of a reply.
    """

    index: int
    tool_call_id: str = ""
    name: str = ""
    arguments: str = ""
    metadata: bytes = b""


@dataclass(frozen=True, slots=True)
class ReplyRequest:
    """What a model is asked. `files` holds the bytes that the attachments of `past` name."""

    usage_id: UUID
    choice: Choice
    system: str
    past: Sequence[Past]
    files: Mapping[str, bytes]
    temperature: float | None
    max_tokens: int | None
    stream: bool
    fallbacks: Sequence[Choice] = ()
    # For the provider service, beyond the above.
    packed: bytes = b""


class Finished(NamedTuple):
    """How a reply ended by itself. An open `choice` says nothing of who made it."""

    reason: str
    usage: Usage | None
    cost: Cost | None
    choice: Choice = OPEN


class Piece(NamedTuple):
    """What a reply grew by, and the position behind it."""

    message_id: UUID
    end: Position
    reasoning: str
    text: str


@dataclass(frozen=True, slots=True)
class NewTurn:
    """What is stored when a turn begins, if its chat has `assumed` for its last choice."""

    owner_id: UUID
    chat_uid: UUID
    chat_id: str
    user_message_id: UUID
    message_id: UUID
    worker_id: UUID
    title: str
    send: Send
    body_hash: bytes
    choice: Choice
    prompt_version: int
    seconds: float
    assumed: Choice | None = None
    # The key that it was asked for with.
    key_id: str = ""


class Begun(NamedTuple):
    """What was found out when a turn was stored, and the path that leads to it."""

    chat_uid: UUID
    seq: int
    parent_id: UUID | None
    created_at: datetime
    path: Sequence[Past]


@dataclass(frozen=True, slots=True)
class Ending:
    """What is written when a turn ends; `choice` is who really answered.

    `unsettled` says that only the ledger knows what it used, and later: it is asked for that.
    """

    message_id: UUID
    worker_id: UUID
    status: Status
    content: str
    reasoning: str
    finish_reason: str
    error_reason: str
    usage: Usage | None
    cost: Cost | None
    choice: Choice
    spans: Sequence[Span] = ()
    failure: Failure | None = None
    unsettled: bool = False
    tool_calls: Sequence[ToolCall] = ()


class Growth(NamedTuple):
    """What the store holds of a running reply behind a position; `running` is False at its end."""

    running: bool
    pieces: Sequence[Piece]


class Settled(NamedTuple):
    """What the ledger says of a reply; `choice` is who was asked last."""

    usage: Usage | None
    cost: Cost | None
    choice: Choice = OPEN


class Fate(NamedTuple):
    """How a reply stands in the store, and whether its chat is deleted."""

    status: str
    deleted: bool


@dataclass(frozen=True, slots=True)
class FoundMessage:
    """A message by its name alone, and its chat; `files` has the bytes that `said` names."""

    message: Message
    chat: Chat
    said: Sequence[Said] = ()
    files: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PastSend:
    """A send that came with an idempotency key before: the turn that it began."""

    body_hash: bytes
    chat_id: str
    deleted: bool
    message: Message


class Start(NamedTuple):
    """A turn is stored."""

    chat_id: str
    user_message_id: UUID | None
    message_id: UUID
    choice: Choice


class Delta(NamedTuple):
    """A reply grew."""

    reasoning: str
    text: str
    end: Position


class End(NamedTuple):
    """A turn is over; `whole` says that nobody has told the text yet."""

    message: Message
    whole: bool


TurnEvent = Start | Delta | End
