"""The world in memory: stores, models, prompts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from parley_chat_service.core.model import (
    Attachment,
    Caller,
    Chat,
    ChatCursor,
    ChatPage,
    ChatQuery,
    Choice,
    Message,
    MessagePage,
    MessageQuery,
    Prompt,
    Role,
    Status,
    Usage,
)
from parley_chat_service.core.outline import Kind, Span
from parley_chat_service.core.ports import Reply
from parley_chat_service.core.titles import folded, title_of
from parley_chat_service.core.turn import (
    Begun,
    Ending,
    Fate,
    Finished,
    NewTurn,
    Past,
    PastSend,
    Piece,
    ReplyRequest,
    Send,
)
from parley_rpc.faults import DatabaseUnavailable, Fault
from uuid_utils.compat import uuid7


@dataclass
class StoredChat:
    """A chat with what only the store knows of it."""

    owner_id: UUID
    chat_uid: UUID
    chat: Chat
    messages: list[UUID] = field(default_factory=list)
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


class MemoryStore:
    """All three stores; `away` makes the database be away."""

    def __init__(self) -> None:
        self.chats: list[StoredChat] = []
        self.messages: dict[UUID, StoredMessage] = {}
        self.keys: dict[tuple[UUID, str], tuple[bytes, UUID]] = {}
        self.leases: dict[UUID, datetime] = {}
        self.files: dict[tuple[UUID, str], bytes] = {}
        self.away = False
        self.appended: list[list[Piece]] = []

    def answer(self) -> datetime:
        if self.away:
            raise DatabaseUnavailable
        return datetime.now(UTC)

    def find(self, owner_id: UUID, chat_id: str) -> StoredChat | None:
        self.answer()
        alive = (chat for chat in self.chats if not chat.deleted and chat.owner_id == owner_id)
        return next((chat for chat in alive if chat.chat.chat_id == chat_id), None)

    def shown(self, message_id: UUID) -> Message:
        stored = self.messages[message_id]
        siblings = [
            other.message.message_id
            for other in map(self.messages.__getitem__, stored.chat.messages)
            if other.message.parent_id == stored.message.parent_id
        ]
        return replace(with_text(stored), sibling_ids=siblings)

    async def list_chats(self, owner_id: UUID, query: ChatQuery) -> ChatPage:
        self.answer()
        found = sorted(
            (
                (ChatCursor(stored.chat.updated_at, stored.chat_uid), stored.chat)
                for stored in self.chats
                if stored.owner_id == owner_id
                and not stored.deleted
                and query.folded_title in folded(stored.chat.title)
                and query.provider in {"", stored.chat.provider}
            ),
            key=lambda pair: pair[0],
            reverse=True,
        )
        rest = [pair for pair in found if query.after is None or pair[0] < query.after]
        page = rest[: query.page_size]
        following = page[-1][0] if len(rest) > len(page) else None
        return ChatPage([chat for _, chat in page], following)

    async def get_chat(self, owner_id: UUID, chat_id: str) -> Chat | None:
        stored = self.find(owner_id, chat_id)
        return stored.chat if stored else None

    async def list_messages(self, owner_id: UUID, query: MessageQuery) -> MessagePage | None:
        stored = self.find(owner_id, query.chat_id)
        if stored is None:
            return None
        messages = [self.shown(message_id) for message_id in stored.messages]
        after = query.after
        if query.from_end:
            rest = [m for m in messages[::-1] if after is None or m.seq < after]
        else:
            rest = [m for m in messages if after is None or m.seq > after]
        page = rest[: query.page_size]
        following = page[-1].seq if len(rest) > len(page) else None
        return MessagePage(stored.chat, page[::-1] if query.from_end else page, following)

    async def delete_chat(self, owner_id: UUID, chat_id: str) -> Sequence[UUID] | None:
        stored = self.find(owner_id, chat_id)
        if stored is None:
            return None
        stored.deleted = True
        running = [m for m in stored.messages if self.shown(m).status is Status.RUNNING]
        for message_id in running:
            self.fold(message_id, Status.STOPPED, "")
        return running

    async def last_choice(self, owner_id: UUID, chat_id: str) -> Choice | None:
        stored = self.find(owner_id, chat_id)
        return Choice(stored.chat.provider, stored.chat.model) if stored else None

    async def begin(self, turn: NewTurn, most_running: int) -> Begun | None:
        now, send = self.answer(), turn.send
        stored = self.find(turn.owner_id, turn.chat_id)
        path = [past_of(self.messages[m]) for m in stored.messages] if stored else []
        running = sum(past.status == Status.RUNNING for past in path)
        key = turn.owner_id, send.idempotency_key
        if running >= most_running or (send.idempotency_key and key in self.keys):
            return None
        if send.idempotency_key:
            self.keys[key] = turn.body_hash, turn.message_id
        if stored is None:
            chat = Chat(turn.chat_id, turn.title, *turn.choice, 0, now, now)
            stored = StoredChat(turn.owner_id, turn.chat_uid, chat)
            self.chats.append(stored)
        seq = len(stored.messages) + 2
        provider, model = turn.choice
        stored.chat = replace(
            stored.chat, provider=provider, model=model, message_count=seq, updated_at=now
        )
        parent_id = stored.messages[-1] if stored.messages else None
        for message in new_messages(turn, seq, parent_id, now):
            stored.messages.append(message.message_id)
            self.messages[message.message_id] = StoredMessage(stored, message)
        reply = self.messages[turn.message_id]
        reply.worker_id = turn.worker_id
        reply.deadline = now + timedelta(seconds=turn.seconds)
        return Begun(stored.chat_uid, seq, parent_id, now, path)

    async def find_send(self, owner_id: UUID, key: str) -> PastSend | None:
        self.answer()
        if (owner_id, key) not in self.keys:
            return None
        body_hash, message_id = self.keys[owner_id, key]
        chat = self.messages[message_id].chat
        return PastSend(body_hash, chat.chat.chat_id, chat.deleted, self.shown(message_id))

    async def find_reply(self, owner_id: UUID, message_id: UUID) -> Message | None:
        self.answer()
        chat = self.messages[message_id].chat
        return None if chat.deleted or chat.owner_id != owner_id else self.shown(message_id)

    async def path(self, chat_uid: UUID, before: int) -> Sequence[Past]:
        self.answer()
        stored = next(chat for chat in self.chats if chat.chat_uid == chat_uid)
        return [past_of(self.messages[m]) for m in stored.messages[: before - 1]]

    async def append(self, worker_id: UUID, pieces: Sequence[Piece]) -> frozenset[UUID]:
        self.answer()
        self.appended.append(list(pieces))
        ours = frozenset(p.message_id for p in pieces if self.is_ours(worker_id, p.message_id))
        for piece in pieces:
            stored = self.messages[piece.message_id]
            if piece.message_id in ours and piece not in stored.pieces:
                stored.pieces.append(piece)
        return ours

    async def answered(self, worker_id: UUID, answerers: Mapping[UUID, Choice]) -> None:
        self.answer()
        for message_id, choice in answerers.items():
            if self.is_ours(worker_id, message_id):
                stored = self.messages[message_id]
                stored.message = replace(stored.message, **choice._asdict())

    async def end(self, ending: Ending) -> bool:
        self.answer()
        if not self.is_ours(ending.worker_id, ending.message_id):
            return False
        stored = self.messages[ending.message_id]
        stored.message = replace(
            stored.message,
            **{name: getattr(ending, name) for name in ENDING},
            **ending.choice._asdict(),
        )
        stored.spans = ending.spans
        stored.pieces.clear()
        return True

    async def fate(self, message_id: UUID) -> Fate | None:
        self.answer()
        stored = self.messages.get(message_id)
        return Fate(stored.message.status, stored.chat.deleted) if stored else None

    async def save_files(self, owner_id: UUID, files: Sequence[Attachment]) -> None:
        self.answer()
        for file in files:
            self.files[owner_id, file.info.sha256] = file.data

    async def load_files(self, owner_id: UUID, names: Sequence[str]) -> Mapping[str, bytes]:
        self.answer()
        wanted = {name: (owner_id, name) for name in names}
        return {name: self.files[key] for name, key in wanted.items() if key in self.files}

    async def renew(
        self, worker_id: UUID, seconds: float, running: Sequence[UUID]
    ) -> Sequence[UUID]:
        self.leases[worker_id] = self.answer() + timedelta(seconds=seconds)
        return [m for m in running if not self.is_ours(worker_id, m)]

    async def release(self, worker_id: UUID) -> None:
        self.answer()
        self.leases.pop(worker_id, None)

    async def sweep(self, worker_id: UUID, held: Sequence[UUID], older_than: float) -> int:
        now = self.answer()
        recent = now - timedelta(seconds=older_than)
        left = [
            message_id
            for message_id, stored in self.messages.items()
            if stored.message.status is Status.RUNNING
            and stored.worker_id
            and stored.deadline
            and (
                self.leases.get(stored.worker_id, now) <= now
                or stored.deadline < now - timedelta(seconds=15)
                or (
                    stored.worker_id == worker_id
                    and message_id not in held
                    and stored.message.created_at < recent
                )
            )
        ]
        for message_id in left:
            self.fold(message_id, Status.INTERRUPTED, "turn_interrupted")
        return len(left)

    def is_ours(self, worker_id: UUID, message_id: UUID) -> bool:
        stored = self.messages.get(message_id)
        running = stored is not None and stored.message.status is Status.RUNNING
        return running and stored is not None and stored.worker_id == worker_id

    def fold(self, message_id: UUID, status: Status, reason: str) -> None:
        stored = self.messages[message_id]
        stored.message = replace(with_text(stored), status=status, error_reason=reason)
        stored.pieces.clear()


ENDING = (
    "status",
    "content",
    "reasoning",
    "finish_reason",
    "error_reason",
    "usage",
    "cost",
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


class Thought(str):
    """A piece of reasoning, in the script of a provider."""

    __slots__ = ()


class Wanted(NamedTuple):
    """What a vendor wants back with a piece, in the script of a provider."""

    kind: Kind
    metadata: bytes


# Text, a thought, what the vendor wants back, who answers; a moment to wait for, a fault to raise.
Step = str | Wanted | Choice | asyncio.Event | Exception


class ScriptedProviders:
    """Answers with a script."""

    def __init__(self) -> None:
        self.script: Sequence[Step] = ["Hello", ", ", "world."]
        self.finished: Finished | None = Finished("stop", Usage(3, 5, 0, 0, "reported"), None)
        self.requests: list[ReplyRequest] = []
        self.asked: list[Choice] = []
        self.unknown: Fault | None = None
        self.cancelled = asyncio.Event()

    async def resolve(self, caller: Caller, choice: Choice, within: float) -> Choice:
        self.asked.append(choice)
        if self.unknown is not None:
            raise self.unknown
        return Choice(choice.provider or "acme", choice.model or "small")

    async def generate(
        self, caller: Caller, request: ReplyRequest, reply: Reply, within: float
    ) -> Finished | None:
        self.requests.append(request)
        try:
            for step in self.script:
                await self.take(step, reply)
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        return self.finished

    async def take(self, step: Step, reply: Reply) -> None:
        if isinstance(step, asyncio.Event):
            await step.wait()
        elif isinstance(step, Exception):
            raise step
        elif isinstance(step, Wanted):
            reply.attach(*step)
        elif isinstance(step, Choice):
            reply.answered(step)
        elif isinstance(step, Thought):
            reply.reasoning(str(step))
        else:
            reply.text(step)
        await asyncio.sleep(0)


class OnePrompt:
    """A prompt service with one prompt."""

    def __init__(self) -> None:
        self.prompt = Prompt("Be brief.", 7)
        self.missing: Exception | None = None
        self.asked: list[str] = []
        self.gate: asyncio.Event | None = None

    async def active(self, caller: Caller, within: float) -> Prompt:
        return await self.get(caller, "", within)

    async def get(self, caller: Caller, prompt_id: str, within: float) -> Prompt:
        self.asked.append(prompt_id)
        if self.gate is not None:
            await self.gate.wait()
        if self.missing is not None:
            raise self.missing
        return self.prompt


def new_turn(
    owner_id: UUID, worker_id: UUID, send: Send, *, body_hash: bytes = b"", seconds: float = 600
) -> NewTurn:
    """Make a turn as the core makes them."""
    chat_uid = uuid7()
    return NewTurn(
        owner_id=owner_id,
        chat_uid=chat_uid,
        chat_id=send.chat_id or str(chat_uid),
        user_message_id=uuid7(),
        message_id=uuid7(),
        worker_id=worker_id,
        title=title_of(send.content),
        send=send,
        body_hash=body_hash,
        choice=Choice(send.choice.provider or "acme", send.choice.model or "small"),
        prompt_version=7,
        seconds=seconds,
    )


async def until(condition: Callable[[], object]) -> None:
    """Return when a condition holds; fail when it does not soon."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110  (a test looks on from outside)
            await asyncio.sleep(0.005)
