"""Ending replies that nobody wants any more: on request, wherever they are made, or unread."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from uuid import UUID

from parley_rpc.faults import DatabaseUnavailable

from parley_chat_service.core.model import Caller, Message, Status
from parley_chat_service.core.ports import ReplyStore
from parley_chat_service.core.rules import check_text
from parley_chat_service.core.running import RunningTurn
from parley_chat_service.core.streams import Streams
from parley_chat_service.core.worker import Worker

# Often enough for a vendor to be left within a second, whoever was asked.
LOOK_EVERY_SECONDS = 0.3
ENDED_WITHIN_SECONDS = 2.0


class Stops:
    """Stops replies, and heeds what others ask of the replies of this process.

    A reply that nobody has read for `unwatched_seconds` is stopped as well; 0 lets it go on.
    """

    def __init__(
        self, store: ReplyStore, worker: Worker, streams: Streams, unwatched_seconds: float
    ) -> None:
        self.store = store
        self.worker = worker
        self.streams = streams
        self.unwatched_seconds = unwatched_seconds

    async def stop(self, caller: Caller, chat_id: str, message_id: UUID) -> Message:
        """Stop a reply, and return it when it has ended, or after two seconds.

        One that has ended stays as it is. ChatNotFound, MessageNotFound.
        """
        message = await self.streams.find(caller, chat_id, message_id)
        if message.status is not Status.RUNNING:
            return message
        await self.store.ask_to_stop(caller.owner_id, chat_id, message_id)
        self.worker.stop(message_id)
        with (
            self.streams.showing(caller, chat_id, message) as showing,
            contextlib.suppress(TimeoutError),
        ):
            async with asyncio.timeout(ENDED_WITHIN_SECONDS):
                await showing.finished()
        return await self.streams.find(caller, chat_id, message_id)

    async def stop_all(self, caller: Caller, key_id: str) -> int:
        """Ask the caller's running replies to stop, or those of one key; count them."""
        check_text("key_id", key_id)
        stopped = await self.store.ask_all_to_stop(caller.owner_id, key_id)
        for message_id in stopped:
            self.worker.stop(message_id)
        return len(stopped)

    async def run(self) -> None:
        """Heed the wishes of others for ever."""
        while True:
            await asyncio.sleep(LOOK_EVERY_SECONDS)
            running = [turn for turn in self.worker.turns.values() if turn.begun]
            if running:
                with contextlib.suppress(DatabaseUnavailable):
                    await self._heed(running)

    async def _heed(self, running: Sequence[RunningTurn]) -> None:
        unwatched = [turn.message_id for turn in running if self._is_unwatched(turn)]
        unwanted = await self.store.wishes(
            self.worker.worker_id,
            [turn.message_id for turn in running],
            unwatched,
            self.unwatched_seconds,
        )
        for message_id in unwanted:
            self.worker.stop(message_id)

    def _is_unwatched(self, turn: RunningTurn) -> bool:
        if not self.unwatched_seconds or turn.readers:
            return False
        return time.monotonic() - turn.left_at >= self.unwatched_seconds
