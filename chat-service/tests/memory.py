"""All stores in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from parley_chat_service.core.faults import MessageNotFound
from parley_chat_service.core.model import (
    Attachment,
    Chat,
    ChatCursor,
    ChatPage,
    ChatQuery,
    Choice,
    Message,
    MessagePage,
    MessageQuery,
    Position,
    Role,
    Status,
    Totals,
)
from parley_chat_service.core.titles import folded
from parley_chat_service.core.turn import (
    Begun,
    Ending,
    Fate,
    FoundMessage,
    Growth,
    NewTurn,
    Past,
    PastSend,
    Piece,
    Settled,
)
from parley_rpc.faults import DatabaseUnavailable

from .rows import ENDING, StoredChat, StoredMessage, new_messages, past_of, with_text


class MemoryStore:
    """All stores; `away` makes the database be away."""

    def __init__(self) -> None:
        self.chats: list[StoredChat] = []
        self.messages: dict[UUID, StoredMessage] = {}
        self.keys: dict[tuple[UUID, str], tuple[bytes, UUID]] = {}
        self.leases: dict[UUID, datetime] = {}
        self.files: dict[tuple[UUID, str], bytes] = {}
        # Replies whose usage only the ledger knows.
        self.open: set[UUID] = set()
        self.away = False
        # How often it was asked who was asked last.
        self.looked_up = 0
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
        return self.summed(stored) if stored else None

    def summed(self, stored: StoredChat) -> Chat:
        messages = [self.messages[name].message for name in stored.messages]
        usages = [one.usage for one in messages if one.usage]
        totals = Totals(
            sum(one.cost.nano_usd for one in messages if one.cost),
            sum(one.usage is not None and one.cost is None for one in messages),
            sum(m.status is Status.RUNNING or m.message_id in self.open for m in messages),
            sum(usage.input_tokens for usage in usages),
            sum(usage.output_tokens for usage in usages),
            sum(usage.cached_input_tokens for usage in usages),
            sum(usage.reasoning_tokens for usage in usages),
        )
        return replace(stored.chat, totals=totals)

    async def list_messages(self, owner_id: UUID, query: MessageQuery) -> MessagePage | None:
        stored = self.find(owner_id, query.chat_id)
        if stored is None:
            return None
        messages = [self.shown(message_id) for message_id in stored.path]
        after = query.after
        if query.from_end:
            rest = [m for m in messages[::-1] if after is None or m.seq < after]
        else:
            rest = [m for m in messages if after is None or m.seq > after]
        page = rest[: query.page_size]
        following = page[-1].seq if len(rest) > len(page) else None
        return MessagePage(self.summed(stored), page[::-1] if query.from_end else page, following)

    async def find_message(self, owner_id: UUID, message_id: UUID) -> FoundMessage | None:
        self.answer()
        stored = self.messages.get(message_id)
        if stored is None or stored.chat.deleted or stored.chat.owner_id != owner_id:
            return None
        message, files = self.shown(message_id), {}
        if stored.said:
            names = [info.sha256 for info in message.attachments]
            files = dict(await self.load_files(owner_id, names))
        return FoundMessage(message, stored.chat.chat, stored.said, files)

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
        self.looked_up += 1
        stored = self.find(owner_id, chat_id)
        return Choice(stored.chat.provider, stored.chat.model) if stored else None

    async def begin(self, turn: NewTurn, most_running: int) -> Begun | None:
        now, send = self.answer(), turn.send
        stored = self.find(turn.owner_id, turn.chat_id)
        path = [past_of(self.messages[m]) for m in stored.path] if stored else []
        if send.parent_id and (not stored or stored.path[-1] != send.parent_id):
            return None
        known = [self.messages[m].message for m in stored.messages] if stored else []
        running = sum(message.status is Status.RUNNING for message in known)
        key = turn.owner_id, send.idempotency_key
        if running >= most_running or (send.idempotency_key and key in self.keys):
            return None
        if turn.assumed and (
            not stored or turn.assumed != (stored.chat.provider, stored.chat.model)
        ):
            return None
        if send.idempotency_key:
            self.keys[key] = turn.body_hash, turn.message_id
        if stored is None:
            chat = Chat(turn.chat_id, turn.title, *turn.choice, 0, now, now)
            stored = StoredChat(turn.owner_id, turn.chat_uid, chat)
            self.chats.append(stored)
        seq = len(stored.messages) + 2
        provider, model = turn.choice
        count = len(stored.path) + 2
        stored.chat = replace(
            stored.chat, provider=provider, model=model, message_count=count, updated_at=now
        )
        parent_id = stored.path[-1] if stored.path else None
        for message in new_messages(turn, seq, parent_id, now):
            stored.messages.append(message.message_id)
            stored.path.append(message.message_id)
            self.messages[message.message_id] = StoredMessage(stored, message)
        if send.said:
            user = self.messages[turn.user_message_id]
            user.said, user.asked = send.said, turn.choice.provider
        reply = self.messages[turn.message_id]
        reply.worker_id = turn.worker_id
        reply.key_id = turn.key_id
        reply.deadline = now + timedelta(seconds=turn.seconds)
        return Begun(stored.chat_uid, seq, parent_id, now, path)

    async def begin_branch(self, turn: NewTurn, most_running: int) -> Begun | None:
        stored, parent_id = self.find(turn.owner_id, turn.chat_id), turn.send.parent_id
        if stored is None or parent_id not in stored.messages:
            raise MessageNotFound(parent_id)
        if self.messages[parent_id].message.role is not Role.ASSISTANT:
            raise MessageNotFound(parent_id)
        before, stored.path = stored.path, self.chain(parent_id)
        begun = await self.begin(turn, most_running)
        if begun is None:
            stored.path = before
        return begun

    def chain(self, leaf_id: UUID | None) -> list[UUID]:
        if leaf_id is None:
            return []
        return [*self.chain(self.messages[leaf_id].message.parent_id), leaf_id]

    async def find_send(self, owner_id: UUID, key: str) -> PastSend | None:
        self.answer()
        if (owner_id, key) not in self.keys:
            return None
        body_hash, message_id = self.keys[owner_id, key]
        chat = self.messages[message_id].chat
        return PastSend(body_hash, chat.chat.chat_id, chat.deleted, self.shown(message_id))

    async def has_chat(self, owner_id: UUID, chat_id: str) -> bool:
        return self.find(owner_id, chat_id) is not None

    async def find_reply(self, owner_id: UUID, chat_id: str, message_id: UUID) -> Message | None:
        chat = self.find(owner_id, chat_id)
        if chat is None or message_id not in chat.messages:
            return None
        message = self.shown(message_id)
        return message if message.role is Role.ASSISTANT else None

    async def growth(self, known: Mapping[UUID, Position]) -> Mapping[UUID, Growth]:
        self.answer()
        found = {name: self.messages[name] for name in known if name in self.messages}
        return {
            name: Growth(
                stored.message.status is Status.RUNNING,
                [piece for piece in stored.pieces if piece.end > known[name]],
            )
            for name, stored in found.items()
        }

    async def watch(self, message_ids: Sequence[UUID]) -> None:
        now = self.answer()
        for message_id in message_ids:
            self.messages[message_id].watched_at = now

    async def ask_to_stop(self, owner_id: UUID, chat_id: str, message_id: UUID) -> None:
        if await self.find_reply(owner_id, chat_id, message_id):
            self.messages[message_id].stop_requested = True

    async def ask_all_to_stop(self, owner_id: UUID, key_id: str) -> Sequence[UUID]:
        self.answer()
        running = [
            name
            for name, stored in self.messages.items()
            if stored.chat.owner_id == owner_id
            and stored.message.status is Status.RUNNING
            and key_id in {"", stored.key_id}
        ]
        for name in running:
            self.messages[name].stop_requested = True
        return running

    async def wishes(
        self, worker_id: UUID, running: Sequence[UUID], unwatched: Sequence[UUID], seconds: float
    ) -> Sequence[UUID]:
        since = self.answer() - timedelta(seconds=seconds)
        ours = {name: self.messages[name] for name in running if self.is_ours(worker_id, name)}
        return [
            name
            for name, stored in ours.items()
            if stored.stop_requested
            or (name in unwatched and (not stored.watched_at or stored.watched_at < since))
        ]

    async def unsettled(self, after: UUID, most: int) -> Sequence[UUID]:
        self.answer()
        return sorted(name for name in self.open if name > after)[:most]

    async def settle(self, settled: Mapping[UUID, Settled]) -> None:
        self.answer()
        for name in self.open & settled.keys():
            stored, one = self.messages[name], settled[name]
            choice = one.choice if one.choice.provider else stored.message
            stored.message = replace(
                stored.message,
                usage=one.usage,
                cost=one.cost,
                provider=choice.provider,
                model=choice.model,
            )
        self.open -= settled.keys()

    async def give_up(self, message_ids: Sequence[UUID]) -> None:
        now = self.answer() - timedelta(seconds=15)
        self.open -= {
            name
            for name in message_ids
            if (deadline := self.messages[name].deadline) and deadline < now
        }

    async def path(self, owner_id: UUID, chat_uid: UUID, leaf_id: UUID) -> Sequence[Past]:
        self.answer()
        stored = next(chat for chat in self.chats if chat.chat_uid == chat_uid)
        if stored.owner_id != owner_id:
            return []
        return [past_of(self.messages[m]) for m in self.chain(leaf_id)]

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
        if ending.unsettled:
            self.open.add(ending.message_id)
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
        self.open.add(message_id)
