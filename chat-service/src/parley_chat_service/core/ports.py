"""What the core needs from the world."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol
from uuid import UUID

from parley_chat_service.core.model import (
    Attachment,
    Caller,
    Chat,
    ChatPage,
    ChatQuery,
    Choice,
    Message,
    MessagePage,
    MessageQuery,
    Position,
    Prompt,
    Usage,
)
from parley_chat_service.core.outline import Kind
from parley_chat_service.core.turn import (
    Begun,
    CallDelta,
    Ending,
    Fate,
    Finished,
    FoundMessage,
    Growth,
    NewTurn,
    Past,
    PastSend,
    Piece,
    ReplyRequest,
    Settled,
)


class ChatStore(Protocol):
    """Keeps chats. What belongs to others, or is deleted, does not exist."""

    async def list_chats(self, owner_id: UUID, query: ChatQuery) -> ChatPage:
        """Return a page of chats, most recently changed first."""

    async def get_chat(self, owner_id: UUID, chat_id: str) -> Chat | None:
        """Return a chat."""

    async def list_messages(self, owner_id: UUID, query: MessageQuery) -> MessagePage | None:
        """Return a page of the messages on the active path; None when there is no such chat."""

    async def find_message(self, owner_id: UUID, message_id: UUID) -> FoundMessage | None:
        """Return a message, with the files that it was sent with as messages.

        None when its chat is deleted or there is none such.
        """

    async def delete_chat(self, owner_id: UUID, chat_id: str) -> Sequence[UUID] | None:
        """Delete a chat and stop its replies, which are returned; None when there is none."""


class TurnStore(Protocol):
    """Keeps turns. Whoever writes one must be the worker that it belongs to."""

    async def last_choice(self, owner_id: UUID, chat_id: str) -> Choice | None:
        """Return who was asked last in a chat; None when there is no such chat."""

    async def begin(self, turn: NewTurn, most_running: int) -> Begun | None:
        """Store both messages, and the chat when it is new.

        None, and nothing stored, when the idempotency key is in use, the chat has `most_running`
        running replies already, its last choice is not the one that is assumed, or its last reply
        not the one that the turn is to follow.
        """

    async def begin_branch(self, turn: NewTurn, most_running: int) -> Begun | None:
        """Do so after any reply of the chat, to which the active path then leads.

        None likewise; MessageNotFound when the chat has no such reply.
        """

    async def find_send(self, owner_id: UUID, key: str) -> PastSend | None:
        """Return the turn that an idempotency key stands for."""

    async def path(self, owner_id: UUID, chat_uid: UUID, leaf_id: UUID) -> Sequence[Past]:
        """Return the messages that lead to one and that one, oldest first, active or not."""

    async def append(self, worker_id: UUID, pieces: Sequence[Piece]) -> frozenset[UUID]:
        """Store what running replies grew by; return those that still belong to the worker.

        The same pieces may be stored again: that changes nothing.
        """

    async def answered(self, worker_id: UUID, answerers: Mapping[UUID, Choice]) -> None:
        """Store who makes running replies of the worker instead of whom they asked."""

    async def end(self, ending: Ending) -> bool:
        """Write how a reply ended; False when it does not belong to the worker any more."""

    async def fate(self, message_id: UUID) -> Fate | None:
        """Return how a reply stands."""

    async def save_files(self, owner_id: UUID, files: Sequence[Attachment]) -> None:
        """Keep the bytes of files."""

    async def load_files(self, owner_id: UUID, names: Sequence[str]) -> Mapping[str, bytes]:
        """Return the bytes that some SHA-256 (hexadecimal) name."""


class ReplyStore(Protocol):
    """Keeps what those need who read replies, or stop them, wherever they are made."""

    async def has_chat(self, owner_id: UUID, chat_id: str) -> bool:
        """Say whether there is such a chat."""

    async def find_reply(self, owner_id: UUID, chat_id: str, message_id: UUID) -> Message | None:
        """Return a reply with its text so far; None when its chat is deleted or has none such."""

    async def growth(self, known: Mapping[UUID, Position]) -> Mapping[UUID, Growth]:
        """Return what is stored of replies behind the positions that are known of them."""

    async def watch(self, message_ids: Sequence[UUID]) -> None:
        """Note that somebody reads running replies, whoever works on them."""

    async def ask_to_stop(self, owner_id: UUID, chat_id: str, message_id: UUID) -> None:
        """Note that a reply is to stop, if it is running."""

    async def ask_all_to_stop(self, owner_id: UUID, key_id: str) -> Sequence[UUID]:
        """Note that a user's running replies are to stop; return them.

        Of one key when there is a `key_id`.
        """

    async def wishes(
        self, worker_id: UUID, running: Sequence[UUID], unwatched: Sequence[UUID], seconds: float
    ) -> Sequence[UUID]:
        """Return those running replies of a worker that are to stop.

        Those that somebody asked to stop, and of the `unwatched` ones those that nobody has read
        elsewhere for so many seconds either.
        """


class UsageStore(Protocol):
    """Keeps the names of replies that ended before the ledger could say what they used."""

    async def unsettled(self, after: UUID, most: int) -> Sequence[UUID]:
        """Return some of them, in order, from behind an id on."""

    async def settle(self, settled: Mapping[UUID, Settled]) -> None:
        """Write what they used, and forget their names."""

    async def give_up(self, message_ids: Sequence[UUID]) -> None:
        """Forget those of them whose time has long passed: nothing was asked for them."""


class WorkerStore(Protocol):
    """Keeps the leases of processes, and closes what the dead leave behind."""

    async def renew(
        self, worker_id: UUID, seconds: float, running: Sequence[UUID]
    ) -> Sequence[UUID]:
        """Extend a lease; return those of `running` that do not belong to the worker any more."""

    async def release(self, worker_id: UUID) -> None:
        """End a lease."""

    async def sweep(self, worker_id: UUID, held: Sequence[UUID], older_than: float) -> int:
        """Interrupt, with the text so far, every running reply that nobody works on; count them.

        Nobody does when its worker's lease has run out, when its deadline has long passed, or
        when it belongs to `worker_id` for more than `older_than` seconds, but is not among those
        that are `held`. Expired keys go as well.
        """


class Reply(Protocol):
    """Takes in a reply as it comes."""

    def text(self, text: str, /) -> None:
        """Append text."""

    def reasoning(self, text: str, /) -> None:
        """Append reasoning."""

    def count(self, usage: Usage, /) -> None:
        """Note what is known of the usage."""

    def attach(self, kind: Kind, metadata: bytes, /) -> None:
        """End the piece of this kind with what the vendor wants back with it."""

    def call(self, delta: CallDelta, /) -> None:
        """Take in a part of a call of a tool; ToolCallsTooLarge."""

    def answered(self, choice: Choice, /) -> None:
        """Note who makes it instead of whom it asked."""


class Providers(Protocol):
    """Knows the models and makes replies."""

    async def resolve(self, caller: Caller, choice: Choice, within: float) -> Choice:
        """Fill in the defaults; fails with the provider service's fault for unknown names."""

    async def generate(
        self, caller: Caller, request: ReplyRequest, reply: Reply, within: float
    ) -> Finished | None:
        """Make a reply; None when it was cut off. Fails with the provider service's faults."""


class Usages(Protocol):
    """Knows what replies used."""

    async def settled(self, usage_ids: Sequence[UUID]) -> tuple[Mapping[UUID, Settled], set[UUID]]:
        """Return what the ledger has settled, and which of the others it knows at all."""


class Prompts(Protocol):
    """Knows the prompts."""

    async def active(self, caller: Caller, within: float) -> Prompt:
        """Return the caller's active prompt."""

    async def get(self, caller: Caller, prompt_id: str, within: float) -> Prompt:
        """Return one prompt; fails with the prompt service's fault when there is none."""
