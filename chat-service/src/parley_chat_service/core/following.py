"""Readers of replies that other processes make: one query for all of them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import NamedTuple
from uuid import UUID

from parley_rpc.faults import DatabaseUnavailable, Fault, Unavailable

from parley_chat_service.core.failures import ending_of
from parley_chat_service.core.faults import ChatDeleted
from parley_chat_service.core.model import Message, Position
from parley_chat_service.core.ports import ReplyStore
from parley_chat_service.core.showing import Showing
from parley_chat_service.core.turn import Piece

LOOK_EVERY_SECONDS = 0.25
# Readers are told that the database is away when it has been for so long.
PATIENCE_SECONDS = 8.0
WATCH_EVERY_SECONDS = 1.0


class Place(NamedTuple):
    """Where a reply is found, and in whose name."""

    owner_id: UUID
    chat_id: str
    message_id: UUID


class Following:
    """Looks every 250 ms at what the store has of the replies that somebody here reads."""

    def __init__(self, store: ReplyStore, *, tells: bool = False) -> None:
        self.store = store
        # Whether whoever works on a reply must know that it is read.
        self.tells = tells
        self.followed: dict[Place, Showing] = {}
        self._wanted = asyncio.Event()
        self._told_at = 0.0
        self._away_since: float | None = None
        self._stopping: Fault | None = None

    @contextlib.contextmanager
    def following(self, place: Place) -> Iterator[Showing]:
        """Follow a reply for the length of a block; what it has so far comes at once."""
        if self._stopping:
            raise self._stopping
        showing = self.followed.get(place)
        if showing is None:
            showing = self.followed[place] = Showing()
        self._wanted.set()
        showing.readers += 1
        try:
            yield showing
        finally:
            showing.readers -= 1
            if not showing.readers and self.followed.get(place) is showing:
                del self.followed[place]

    async def run(self) -> None:
        """Look for ever."""
        while True:
            with contextlib.suppress(TimeoutError):
                # Somebody new is not kept waiting; without anybody there is nothing to look at.
                async with asyncio.timeout(LOOK_EVERY_SECONDS if self.followed else None):
                    await self._wanted.wait()
            self._wanted.clear()
            try:
                await self._look()
            except DatabaseUnavailable as fault:
                self._endure(fault)
            else:
                self._away_since = None

    def stop(self) -> None:
        """Tell all readers to go elsewhere: nothing is lost to them."""
        self._stopping = Unavailable(
            "The chat service is stopping.", retry_after=1.0, service="chat"
        )
        self._end_all(self._stopping)

    async def _look(self) -> None:
        followed = dict(self.followed)
        if not followed:
            return
        known = {place.message_id: showing.position for place, showing in followed.items()}
        growths = await self.store.growth(known)
        await self._tell(list(known))
        for place, showing in followed.items():
            growth = growths.get(place.message_id)
            if growth is not None and growth.running:
                if growth.pieces:
                    showing.show(growth.pieces)
            else:
                await self._end(place, showing)

    async def _tell(self, message_ids: list[UUID]) -> None:
        now = asyncio.get_running_loop().time()
        if self.tells and now - self._told_at > WATCH_EVERY_SECONDS:
            await self.store.watch(message_ids)
            self._told_at = now

    async def _end(self, place: Place, showing: Showing) -> None:
        """Show how a reply ended that is not running any more."""
        message = await self.store.find_reply(*place)
        self._forget(place, showing)
        if message is None:
            showing.finish(ChatDeleted(place.chat_id), stored=False)
            return
        conclude(showing, message)

    def _endure(self, fault: Fault) -> None:
        """Wait for the database, but not for long."""
        now = asyncio.get_running_loop().time()
        if self._away_since is None:
            self._away_since = now
        elif now - self._away_since > PATIENCE_SECONDS:
            self._end_all(fault)

    def _end_all(self, fault: Fault) -> None:
        for place, showing in list(self.followed.items()):
            self._forget(place, showing)
            showing.finish(fault, stored=False)

    def _forget(self, place: Place, showing: Showing) -> None:
        """Let the next reader begin anew."""
        if self.followed.get(place) is showing:
            del self.followed[place]


def conclude(showing: Showing, message: Message) -> None:
    """Show the rest of a reply that has ended, and how it did."""
    piece = rest_of(message, showing.position)
    showing.show([piece] if piece else [])
    showing.finish(ending_of(message), stored=True)


def rest_of(message: Message, known: Position) -> Piece | None:
    """Return what a stored reply has behind a position, as one piece; None when it has nothing."""
    end = Position(len(message.reasoning), len(message.content))
    reasoning, text = message.reasoning[known.reasoning :], message.content[known.text :]
    return Piece(message.message_id, end, reasoning, text) if reasoning or text else None
