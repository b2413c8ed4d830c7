"""Replies as they are read: from any position on, while they are made and afterwards."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from uuid import UUID

from parley_rpc.faults import InvalidArgument

from parley_chat_service.core.faults import ChatNotFound, MessageNotFound
from parley_chat_service.core.following import Following, Place, conclude
from parley_chat_service.core.model import Caller, Choice, Message, Position, Status
from parley_chat_service.core.ports import ReplyStore
from parley_chat_service.core.rules import check_chat_id
from parley_chat_service.core.showing import Showing
from parley_chat_service.core.turn import Seek, Start, TurnEvent
from parley_chat_service.core.worker import Worker


class Streams:
    """Shows replies: those of this process, those that others make, and those that have ended."""

    def __init__(self, store: ReplyStore, worker: Worker, following: Following) -> None:
        self.store = store
        self.worker = worker
        self.following = following

    async def stream(self, caller: Caller, seek: Seek) -> AsyncGenerator[TurnEvent, None]:
        """Yield a turn: its beginning, then its reply from a position on, or what it failed with.

        ChatNotFound, MessageNotFound, InvalidArgument for a position that it does not reach.
        """
        message = await self.find(caller, seek.chat_id, seek.message_id)
        check_reached(seek.after, message)
        async with aclosing(self.tell(caller, seek, message)) as events:
            async for event in events:
                yield event

    async def tell(
        self, caller: Caller, seek: Seek, message: Message
    ) -> AsyncGenerator[TurnEvent, None]:
        """Yield the turn of a reply that was just found, from a position that it reaches."""
        yield start_of(seek.chat_id, message)
        with self.showing(caller, seek.chat_id, message) as showing:
            async with aclosing(showing.listen(seek.after, deltas=seek.deltas)) as events:
                async for event in events:
                    yield event

    async def find(self, caller: Caller, chat_id: str, message_id: UUID) -> Message:
        """Return a reply; ChatNotFound, MessageNotFound."""
        check_chat_id(chat_id)
        message = await self.store.find_reply(caller.owner_id, chat_id, message_id)
        if message is not None:
            return message
        if not await self.store.has_chat(caller.owner_id, chat_id):
            raise ChatNotFound(chat_id)
        raise MessageNotFound(message_id)

    @contextlib.contextmanager
    def showing(self, caller: Caller, chat_id: str, message: Message) -> Iterator[Showing]:
        """Show a reply that was just found, wherever it is made, for the length of a block."""
        turn = self.worker.turns.get(message.message_id)
        if turn is not None:
            yield turn
        elif message.status is Status.RUNNING:
            place = Place(caller.owner_id, chat_id, message.message_id)
            with self.following.following(place) as showing:
                yield showing
        else:
            showing = Showing()
            conclude(showing, message)
            yield showing


def check_reached(after: Position, message: Message) -> None:
    """Refuse a position that a reply does not reach; InvalidArgument."""
    end = Position(len(message.reasoning), len(message.content))
    if after.reasoning > end.reasoning or after.text > end.text:
        rule = f"must not lie behind the end of the reply, {end.reasoning}.{end.text}"
        raise InvalidArgument.of("after", rule)


def start_of(chat_id: str, message: Message) -> Start:
    """Return the beginning of the turn that made a reply."""
    choice = Choice(message.provider, message.model)
    return Start(chat_id, message.parent_id, message.message_id, choice)
